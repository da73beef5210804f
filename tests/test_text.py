"""Prompts and comments are cleaned once, at the door, and bounded."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.battles.text import clean_comment, clean_prompt, printable
from arena.domain.errors import TooLarge, Unusable


@given(st.text(alphabet=st.characters(), max_size=300))
def test_what_is_kept_can_be_kept(text: str) -> None:
    """Nothing survives that UTF-8 or PostgreSQL refuses, and cleaning twice changes nothing."""
    kept = printable(text)
    kept.encode("utf-8")
    assert "\x00" not in kept
    assert printable(kept) == kept


@pytest.mark.parametrize("nothing", ["", "   ", "\n\t\n", "\x00\x07", "\ud800"])
def test_a_prompt_of_nothing_is_refused(nothing: str) -> None:
    """Blank, control-only and broken text ask nothing, and the citizen is told to type a question."""
    with pytest.raises(Unusable) as refused:
        clean_prompt(nothing, 100)
    assert refused.value.code == "empty_prompt"


@pytest.mark.parametrize("length", [101, 401, 5_000_000])
def test_a_prompt_over_the_limit_is_refused_with_the_limit(length: int) -> None:
    """One character too many or five million: the same answer, with the number in it."""
    with pytest.raises(TooLarge) as refused:
        clean_prompt("가" * length, 100)
    assert "100" in refused.value.ko


def test_decomposed_hangul_is_composed() -> None:
    """What a Mac types and what a PC types is the same question."""
    assert clean_prompt(unicodedata.normalize("NFD", "한국의 수도는?"), 100) == "한국의 수도는?"


def test_comments_may_be_empty_but_not_endless() -> None:
    """A comment is optional and bounded."""
    assert clean_comment("  ", 10) == ""
    with pytest.raises(TooLarge):
        clean_comment("가" * 11, 10)
