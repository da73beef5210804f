"""The files that make a model what it is, and the digest that seals them."""

import hashlib
from pathlib import Path

PATTERNS = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
"""What transformers reads from a folder. Nothing here can carry code; pickled weights are never loaded."""


def files(folder: Path) -> list[Path]:
    """List a model's artifacts, by name."""
    return sorted({path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()})


def digest(folder: Path, template: str | None = None) -> str:
    """SHA-256 over weights, configuration and tokenizer, and over the chat template where the stage gives its own.

    It is the digest of the listing `sha256sum` prints for the artifacts in order of their names:
    `cd FOLDER && ls *.safetensors *.json *.jinja *.model *.txt 2>/dev/null | LC_ALL=C sort | xargs sha256sum | sha256sum`
    (a template of the stage's adds one more line, named `chat_template`).
    """
    lines: list[str] = []
    for path in files(folder):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    if template is not None:
        lines.append(f"{hashlib.sha256(template.encode('utf-8')).hexdigest()}  chat_template\n")
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()
