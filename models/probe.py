"""The question of our own by which we see whether a model speaks: a greeting in Korean."""

from pathlib import Path
from typing import Final

QUESTION: Final = Path(__file__).with_suffix(".txt").read_text("utf-8").strip()
