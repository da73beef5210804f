"""What people read of an error, for tests that hold a sentence to its promise."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from arena.domain.errors import ArenaError
from arena.i18n.catalogue import Language, messages

E = TypeVar("E", bound=BaseException)


def sentence(error: BaseException, language: Language = "en") -> str:
    """The row of a file, the code of the arena's errors, and the catalogue's sentence."""
    t, row = messages(language), getattr(error, "row", None)
    said = t.of(error)  # type: ignore[arg-type]  # every error of ours has a key and parameters
    said = said if row is None else t("at_row", row=row, said=said)
    return f"{error.code}: {said}" if isinstance(error, ArenaError) else said


@contextmanager
def refusing(kind: type[E], match: str) -> Iterator[pytest.ExceptionInfo[E]]:
    """As `pytest.raises`, but `match` is looked for in the English sentence."""
    with pytest.raises(kind) as caught:
        yield caught
    assert re.search(match, sentence(caught.value)), sentence(caught.value)
