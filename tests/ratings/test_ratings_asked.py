"""What was asked, read from cells of any kind."""

import json
import re
import unicodedata
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratings.errors import RatingsError
from ratings.intake import asked, formats
from ratings.intake.asked import UNKNOWN, key
from ratings.questions import question_text

ASKED = "서울에서 뭐 먹지?"
ANSWERED = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": "국밥."}]
SAME: list[tuple[str, Any]] = [
    ("prompt", ASKED),
    ("prompt", f"  {ASKED}!! "),
    ("prompt", unicodedata.normalize("NFD", ASKED)),
    ("prompt", ASKED.encode()),
    ("prompt", [ASKED, "그다음은?"]),
    ("prompt", [None, ASKED]),
    ("prompt", json.dumps([ASKED, "그다음은?"])),
    ("prompt", ANSWERED),
    ("prompt", np.array([ASKED, "그다음은?"], dtype=object)),
    ("prompt", {"role": "user", "content": ASKED}),
    ("question", ASKED),
    ("opening_msg", ASKED),
    ("conversation_a", ANSWERED),
    ("conversation_a", np.array(ANSWERED, dtype=object)),
    ("conversation_a", str(np.array(ANSWERED, dtype=object))),
    ("conversation_a", json.dumps(ANSWERED)),
    ("conversation_a", "\n" + json.dumps(ANSWERED, ensure_ascii=False)),
    ("conversation_a", str(ANSWERED)),
    ("conversation_a", [{"role": "assistant", "content": "무엇을 도울까요?"}, *ANSWERED]),
    ("conversation_a", [{"role": "system", "content": "짧게."}, *ANSWERED, {"role": "user", "content": "또?"}]),
    ("conversation_a", [{"role": "user", "content": [{"type": "text", "text": ASKED, "image": None}]}]),
    ("conversation_a", [{"role": "user", "content": [ASKED, ["picture.png"]]}]),
    ("conversation_a", [{"role": "User", "content": {"type": "text", "text": ASKED}}]),
]
NONE: list[tuple[str, Any]] = [
    *(("prompt", cell) for cell in (None, float("nan"), pd.NA, pd.NaT, "", "?!", "🙂", [], [None], {}, np.array([]))),
    *(("prompt", cell) for cell in ([[["x"]]], {"role": "user"}, "\ud83d", object())),
    *(("conversation_a", cell) for cell in (None, [], "[", "[{'role': 'user', 'content': 'a", "a conversation", "[]")),
    *(("conversation_a", cell) for cell in ("[" * 100_000, "[{'a': " * 50_000, "[[" + "-" * 100_000, ["[", 1, [2]])),
    ("conversation_a", [{"role": "assistant", "content": ASKED}]),
    ("conversation_a", [{"role": "user", "content": [{"type": "image", "image": "p.png", "text": None}]}]),
    ("conversation_a", [{"role": "user", "content": None}, {"role": "user", "content": ASKED}]),
    ("conversation_a", [{"role": ["user"], "content": ASKED}]),
]


@pytest.mark.parametrize(("column", "cell"), SAME)
def test_one_question_has_one_key_wherever_it_stands(column: str, cell: Any):
    """A text, the user's turns, messages, parts of one, JSON, what Python and numpy print, composed or decomposed Hangul: one key."""
    assert key(column, cell) == key("prompt", ASKED) != UNKNOWN


@pytest.mark.parametrize(("column", "cell"), NONE)
def test_what_is_no_question_has_no_key_and_refuses_nothing(column: str, cell: Any):
    """Missing, empty, without a letter, broken, nested without end, the assistant's alone, a picture alone: unknown, without an error."""
    assert key(column, cell) == UNKNOWN


@pytest.mark.parametrize("text", ["[1, 2, 3] sort", "[1, 2]", "{x}", '["a', "['a", "{'role': 'user'}", "[{x}]"])
def test_a_prompt_that_only_looks_like_a_list_is_a_question(text: str):
    """A prompt that begins with a bracket, and is no list of turns, is asked as it stands."""
    assert key("prompt", text) == key("prompt", question_text(text)) != UNKNOWN


def test_a_megabyte_is_one_key_and_differs_by_its_last_letter():
    """However long the question is, all of it counts."""
    long = "아" * 500_000
    assert key("prompt", long) == key("conversation_a", [{"role": "user", "content": long + " "}])
    assert key("prompt", long) != key("prompt", long + "니")


def test_numbers_are_keys_too():
    """A running number as whole number or text is the same question, and another one is another."""
    assert key("question", 12) == key("question", "12") != key("question", 13)


@given(st.text())
def test_letters_and_digits_alone_decide(text: str):
    """Case, full width, spaces and marks make no other question; a text without letter or digit is none."""
    known = question_text(text)
    assert all(c.isalnum() for c in known)
    assert question_text(f" {unicodedata.normalize('NFD', text)}… ") == known
    assert (key("prompt", [text]) == UNKNOWN) == (known == "")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text() | st.sampled_from(["role", "content", "text"]), x),
    )
)
def test_nothing_nested_is_refused(cell: Any):
    """Whatever JSON holds gives a key of 64 bits, as an object and as text."""
    for column in asked.COLUMNS:
        for written in (cell, json.dumps(cell), str(cell)):
            assert -(2**63) <= key(column, written) < 2**63


def battles(**columns: Any) -> formats.Battles:
    """Four battles with these columns."""
    rows = {
        "model_a": ["x", "y", "x", "y"],
        "model_b": ["y", "x", "y", "x"],
        "winner": ["model_a", "tie", "tie", "model_b"],
    }
    return formats.translate(pd.DataFrame(rows | columns))


def test_rows_that_do_not_count_ask_nothing():
    """A question belongs to its row: what is left out takes its own along, and the others keep theirs."""
    found = battles(prompt=["a", "b", "a", None], anony=[True, False, True, True]).comparisons()
    assert found.question is not None
    assert found.question.tolist() == [0, 0, -1]


def test_the_order_of_rows_decides_no_number():
    """The same rows in another order give each question the same number."""
    found = battles(prompt=["a", "b", "c", "a"]).comparisons().question
    turned = battles(prompt=["a", "c", "b", "a"]).comparisons().question
    assert found is not None
    assert turned is not None
    assert found.tolist() == turned[[0, 2, 1, 3]].tolist()


def test_the_most_telling_column_is_read():
    """`prompt` before `question` before `opening_msg` before `conversation_a`; one that stands twice is passed over."""
    given = {name: [name] * 4 for name in reversed(asked.COLUMNS)}
    for name in asked.COLUMNS:
        told = battles(**given).asked
        assert told is not None
        assert told.column == name
        del given[name]
    assert battles().asked is None
    twice = pd.DataFrame(
        [["x", "y", "tie", "a", "a", "b"]], columns=["model_a", "model_b", "winner", "prompt", "prompt", "question"]
    )
    told = formats.translate(twice).asked
    assert told is not None
    assert told.column == "question"


def test_one_voice_needs_voters():
    """Where nobody is named, each citizen cannot count the same, and that is refused; where somebody is, the comparisons say so."""
    with pytest.raises(RatingsError, match=re.escape("voice_without_voters")):
        battles().comparisons("citizen")
    assert battles(voter=["1", "1", "2", "3"]).comparisons("citizen").voice == "citizen"


def test_several_voters_share_a_question():
    """A question counts as shared from its second voter on; without voters, from its second vote on."""
    question = np.array([0, 0, 1, 1, 2, -1, -1])
    assert asked.shared(question, np.array([5, 5, 5, 6, 7, 1, 2])) == 1
    assert asked.shared(question, None) == 2
    assert asked.shared(np.array([-1, -1]), None) == 0
