"""The embedded entrants are what their page says: trained by this repository, sealed, and truly of different quality."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from arena.settings import ROOT
from models import artifacts
from models.demo import corpus, ladder, train
from models.demo.architectures import ENTRANTS, Entrant

DEMO = ROOT / "models" / "demo"
LADDER: list[dict[str, Any]] = json.loads((DEMO / "ladder.json").read_text("utf-8"))
QUESTIONS = 80


def measured(name: str) -> float:
    """The accuracy of the shipped weights on every ninth held-out question, in single precision."""
    held_out = corpus.held_out()
    some = held_out[:: len(held_out) // QUESTIONS]
    words: Any = AutoTokenizer.from_pretrained(DEMO / name)
    model: Any = AutoModelForCausalLM.from_pretrained(DEMO / name, dtype="float32")
    return ladder.accuracy(model.eval(), words, some)


def test_the_shipped_weights_stand_on_their_rungs() -> None:
    """Measured again, the five come in the published order, each near its published accuracy: a known truth for the ratings."""
    again = [measured(rung["name"]) for rung in LADDER]
    assert again == sorted(again, reverse=True)
    assert [round(rung["accuracy"], 3) for rung in LADDER] == pytest.approx(again, abs=0.1)


@pytest.mark.parametrize("file", ["demo.toml", "round-1.toml", "round-2.toml"])
def test_the_stages_seal_the_shipped_weights(file: str) -> None:
    """The hashes in the stage files are those of the folders beside them."""
    entrants = tomllib.loads((ROOT / "stages" / file).read_text("utf-8"))["entrants"]
    sealed = {entrant["path"]: entrant["sha256"] for entrant in entrants if entrant["backend"] == "transformers"}
    assert sealed == {path: artifacts.digest(ROOT / path, None) for path in sealed}


def test_no_held_out_question_was_trained_on() -> None:
    """What measures the models is not in what they learnt, in whatever dress the question comes."""
    trained = {corpus.core(turn.prompt) for _, turns in corpus.conversations(3000) for turn in turns}
    held_out = {corpus.core(exchange.prompt) for exchange in corpus.held_out()}
    assert len(held_out) > 500
    assert trained & held_out == set()


def test_the_same_budget_gives_the_same_weights(tmp_path: Path) -> None:
    """Training is a recipe: the same corpus, seed and number of steps give the same file, byte for byte."""
    words, encoded = train.materials(200)
    entrant = Entrant("again", ENTRANTS[1].architecture, 2)
    files = []
    for attempt in ("first", "second"):
        model = train.train(entrant, encoded, words)
        model.save_pretrained(tmp_path / attempt)
        files.append((tmp_path / attempt / "model.safetensors").read_bytes())
    assert files[0] == files[1]
