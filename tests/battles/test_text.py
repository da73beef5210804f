"""Prompts and comments are cleaned once, at the door, and bounded."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.battles.text import clean_comment, clean_prompt
from arena.domain.errors import TooLarge, Unusable
from models.text import PlainText, plain, printable, storable, visible
from tests.support.words import sentence


@given(st.text(alphabet=st.characters(), max_size=300))
def test_what_is_kept_can_be_kept(text: str) -> None:
    """Nothing survives that UTF-8 or PostgreSQL refuses, and cleaning twice changes nothing."""
    kept = printable(text)
    kept.encode("utf-8")
    assert "\x00" not in kept
    assert printable(kept) == kept


WILD = st.text(
    alphabet=[
        *"a e=<1#\r\n\t.가각\u1100\u1161\u11a8\u0301\u0327\u200b\u200d\ufe0f\u20e3❤👨👩🏽\u00ad\u3164\x00é\ud83d"
    ],
    max_size=30,
)


@given(WILD, st.lists(st.integers(0, 30), max_size=8))
def test_the_plain_form_is_the_same_however_a_text_is_cut(text: str, cuts: list[int]) -> None:
    """In pieces or whole, an answer comes to one form: NFC, storable, with no character that nobody sees but inside an emoji; and it stays so."""
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    plain_text = PlainText()
    made = "".join(plain_text.feed(text[a:b]) for a, b in itertools.pairwise(edges)) + plain_text.end()
    assert made == plain(text) == plain(made)
    assert unicodedata.is_normalized("NFC", made)
    assert storable(made) == made
    assert not set(made) & set("\u200b\u00ad\u3164\x00\r")


def test_the_plain_form_keeps_what_people_see() -> None:
    """Names lose what hides them; hearts, families, keys and skin colours stay whole; no letter carries more marks than a language has."""
    assert (
        plain("가\u200b람\u2060 \u00adGa\ufeffram \u3164" + unicodedata.normalize("NFD", "나래")) == "가람 Garam 나래"
    )
    for emoji in ("❤️", "👨‍👩‍👧", "👩🏽‍💻", "1️⃣", "🏳️‍🌈", "©️"):
        assert plain(emoji) == emoji
    assert len(plain("a" + "\u0301" * 10_000)) == 30


@pytest.mark.parametrize(
    ("text", "seen"), [("\u200b\u3164", False), (" \n", False), ("\u2800", False), ("가", True), ("👍", True)]
)
def test_what_nobody_sees_is_nothing(text: str, seen: bool) -> None:
    """An answer or a prompt of invisible characters is empty."""
    assert visible(text) is seen


@pytest.mark.parametrize(
    "nothing", ["", "   ", "\n\t\n", "\x00\x07", "\ud800", "\u200b\u200b", "\u3164", " \u2060\u00ad\ufeff\u115f "]
)
def test_a_prompt_of_nothing_is_refused(nothing: str) -> None:
    """Blank, control-only, invisible and broken text ask nothing, and the citizen is told to type a question."""
    with pytest.raises(Unusable) as refused:
        clean_prompt(nothing, 100)
    assert refused.value.code == "empty_prompt"


@pytest.mark.parametrize("length", [101, 401, 5_000_000])
def test_a_prompt_over_the_limit_is_refused_with_the_limit(length: int) -> None:
    """One character too many or five million: the same answer, with the number in it."""
    with pytest.raises(TooLarge) as refused:
        clean_prompt("가" * length, 100)
    assert "100" in sentence(refused.value, "ko")


def test_decomposed_hangul_is_composed() -> None:
    """What a Mac types and what a PC types is the same question."""
    assert clean_prompt(unicodedata.normalize("NFD", "한국의 수도는?"), 100) == "한국의 수도는?"


def test_comments_may_be_empty_but_not_endless() -> None:
    """A comment is optional and bounded."""
    assert clean_comment("  ", 10) == ""
    with pytest.raises(TooLarge):
        clean_comment("가" * 11, 10)
