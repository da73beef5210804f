"""Cells of battle files: what is text, a yes or no, a number, and nothing at all."""

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from ratings.errors import ComparisonError
from ratings.intake import cells
from ratings.intake.cells import Column
from tests.support.words import refusing


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        *[("1.10", "1.10"), ("007", "007"), ("None", "None"), ("NA", "NA"), ("nan", "nan"), (" x ", " x ")],
        *[(1234567890123456789, "1234567890123456789"), (Decimal("1.10"), "1.10"), (Decimal("1E+3"), "1000")],
        *[
            (1.1, "1.1"),
            (2.0, "2.0"),
            (np.float32(1.1), "1.1"),
            (True, "true"),
            (b"x", "x"),
            (date(2026, 1, 2), "2026-01-02"),
        ],
        *[(None, ""), (float("nan"), ""), (np.float32("nan"), "")],
    ],
)
def test_identifiers_are_text_as_it_stands(cell: Any, text: str):
    """Nothing about an identifier is guessed: 1.10 stays 1.10, 007 stays 007, `None` is a name; only what is missing is empty."""
    assert cells.text(cell) == text


@pytest.mark.parametrize("cell", [["x"], {"x": 1}, "\ud800", "a\0b"])
def test_what_is_no_text_is_refused_with_row_and_column(cell: Any):
    """A list, an object, half a character or a NUL is no identifier: the refusal names the row and the column."""
    with refusing(ComparisonError, match="row 2: model_a: "):
        cells.texts(Column.of(["x", "y", cell]), "model_a")


@pytest.mark.parametrize("empty", ["", " ", "\u00a0\u3000", "\u200b", "\ufeff", "\u3164", None, float("nan")])
def test_a_cell_that_shows_nothing_is_empty(empty: Any):
    """Missing, no characters, white space and invisible characters are all the same: an empty cell."""
    assert cells.texts(Column.of([empty]), "model_a") == [""]


@pytest.mark.parametrize(
    "other",
    [
        " 가람1 ",
        "\u1100\u1161\u1105\u1161\u11b71",
        "\ufeff가람1",
        "가\u200b람1",
        "가람１",
        "가람1\u00a0",
        "가\u00ad람1",
        "\u202e가람1",
    ],
)
def test_spellings_that_look_the_same_are_one_name_and_are_told(other: str):
    """White space around, decomposed Hangul, full width and invisible characters make no other name; the usual spelling stays."""
    read = cells.identifiers({"model_a": Column.of(["가람1", other, "가람1"]), "model_b": Column.of(["x"] * 3)})
    assert read.columns["model_a"].tolist() == ["가람1"] * 3
    assert read.joined == (("가람1", other),)


def test_names_that_look_different_stay_apart():
    """Case, versions, leading zeros and Roman numerals are different names, and nothing is said to be joined."""
    names = ["GPT", "gpt", "1.1", "1.10", "7", "07", "Ⅷ", "VIII", "x  y", "x y"]
    read = cells.identifiers({"model_a": Column.of(names)})
    assert read.columns["model_a"].tolist() == names
    assert read.joined == ()


def test_emoji_that_look_different_stay_apart():
    """What joins two emoji into one, or makes a flag another region's, is seen; a joiner between letters is not."""
    flags = [
        "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in region) + "\U000e007f" for region in ("gbeng", "gbsct")
    ]
    names = ["👩💻", "👩\u200d💻", "👨\u200d👩\u200d👧", "👨👩👧", "❤\ufe0f\u200d🔥", "❤🔥", "\U0001f3f4", *flags]
    assert len({cells.seen(name) for name in names}) == len(names)
    assert cells.seen("a\u200db") == "ab"
    assert cells.seen("❤\ufe0f") == "❤"


def test_the_order_of_the_rows_chooses_no_spelling():
    """Two spellings that are used equally often give the same name in any order."""
    found = {
        str(cells.identifiers({"m": Column.of(order)}).columns["m"][0])
        for order in (["é", "e\u0301"], ["e\u0301", "é"])
    }
    assert len(found) == 1


@pytest.mark.parametrize("number", [1e16, -1e18, np.float32(2**25), float("inf")])
def test_rounded_numbers_are_no_identifiers(number: Any):
    """A floating-point number that stands for many whole numbers is refused, not taken for one voter."""
    with refusing(ComparisonError, match="row 1: judge is the floating-point number"):
        cells.identifiers({"judge": Column.of([1.0, number])})


def test_yes_and_no_are_read_by_a_table():
    """t and f, true and false, yes and no, 1 and 0 in any case, as words, booleans or numbers; another word is refused with its row."""
    yes = ["t", "TRUE", "Yes", "1", True, 1, 1.0, " true ", Decimal("1.00"), "１"]
    no = ["f", "False", "NO", "0", False, 0, 0.0, Decimal("0.00")]
    assert cells.truths(Column.of([*yes, *no]), "anony").tolist() == [True] * len(yes) + [False] * len(no)
    with refusing(ComparisonError, match="row 1: anony is 'maybe'"):
        cells.truths(Column.of(["t", "maybe"]), "anony")
    with refusing(ComparisonError, match="row 1: anony is empty"):
        cells.truths(Column.of(["t", None]), "anony")


@pytest.mark.parametrize("word", ["x", "1_000", "0,5", "nan", "1 0", "0x10", "١", True, None])
def test_what_is_no_number_is_refused_with_row_and_column(word: Any):
    """A weight or a count is a number as everybody writes it; anything else is refused with its row."""
    with refusing(ComparisonError, match="row 1: weight is "):
        cells.numbers(Column.of(["0.5", word]), "weight")
    assert cells.numbers(Column.of(["0.5", 2, 1e-3, Decimal("0.1"), " 3 ", "４"]), "weight").tolist() == [
        *(0.5, 2, 1e-3),
        *(0.1, 3, 4),
    ]
