"""What pip asks besides pyproject.toml: the dependencies, read from requirements.txt, where each is named once."""

import re
from pathlib import Path

from setuptools import setup


def groups(text: str) -> dict[str, list[str]]:
    """Read the requirements under each `# [name]` heading of requirements.txt.

    Raises:
        ValueError: a requirement stands under no heading.
    """
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if heading := re.match(r"# \[(\w+)\]", line):
            found[heading[1]] = []
        elif not line.startswith("#"):
            if not found:
                raise ValueError(f"requirements.txt: {line} stands under no heading such as `# [serve]`")
            found[list(found)[-1]].append(line)
    return found


if __name__ == "__main__":
    named = groups((Path(__file__).parent / "requirements.txt").read_text("utf-8"))
    setup(
        install_requires=named["command"],
        extras_require={"ratings": named["ratings"], "serve": named["ratings"] + named["serve"]},
    )
