"""Public battle files, as they are released."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ratings import style
from ratings.comparison import Comparisons
from ratings.errors import ComparisonError
from ratings.intake import formats
from tests.support.words import refusing

FASTCHAT = [
    {"question_id": "1", "model_a": "x", "model_b": "y", "winner": "model_a", "judge": "arena_user_1", "anony": True},
    {
        "question_id": "2",
        "model_a": "y",
        "model_b": "x",
        "winner": "tie (bothbad)",
        "judge": "arena_user_1",
        "anony": True,
    },
    {"question_id": "3", "model_a": "y", "model_b": "x", "winner": "tie", "judge": "arena_user_2", "anony": True},
    {"question_id": "4", "model_a": "x", "model_b": "y", "winner": "model_b", "judge": "arena_user_3", "anony": False},
]
LMARENA = [
    {
        "id": str(n),
        "model_a": "x",
        "model_b": "y",
        "winner": winner,
        "evaluation_session_id": f"s{n // 2}",
        "conversation_a": [{"role": "user", "content": "…"}],
        "conv_metadata": {
            "sum_assistant_a_tokens": 300 + n,
            "sum_assistant_b_tokens": 200,
            "header_count_a": {"h1": 1, "h2": 2, "h3": 0},
            "header_count_b": {"h1": 0, "h2": 0, "h3": 0},
            "bold_count_a": {"**": 4, "__": 1},
            "bold_count_b": {"**": 0, "__": 0},
            "list_count_a": {"ordered": 0, "unordered": 3},
            "list_count_b": {"ordered": 2, "unordered": 0},
        },
    }
    for n, winner in enumerate(["model_a", "model_b", "tie", "both_bad"])
]
COMPARIA = [
    {"model_a_name": "x", "model_b_name": "y", "chosen_model_name": "y", "both_equal": False, "visitor_id": "v1"},
    {"model_a_name": "y", "model_b_name": "x", "chosen_model_name": "y", "both_equal": False, "visitor_id": None},
    {"model_a_name": "y", "model_b_name": "x", "chosen_model_name": None, "both_equal": True, "visitor_id": None},
]


def test_fastchat_battles_are_read():
    """FastChat's clean battles: "tie (bothbad)" is both_bad, the judge is the voter, battles that showed names stay out."""
    battles = formats.translate(pd.DataFrame(FASTCHAT))
    assert battles.frame["winner"].tolist() == ["model_a", "both_bad", "tie"]
    assert battles.not_blind == 1
    comparisons = Comparisons.from_frame(battles.frame)
    assert comparisons.voter is not None
    assert comparisons.voter.tolist() == [0, 0, 1]


def test_lmarena_battles_are_read_with_their_style():
    """LMArena's 2025 release: sessions are voters, conversations are dropped, style counts become covariates."""
    battles = formats.translate(pd.DataFrame(LMARENA))
    assert battles.format == "lmarena-2025"
    assert "conversation_a" not in battles.frame.columns
    assert battles.frame["voter"].tolist() == ["s0", "s0", "s1", "s1"]
    np.testing.assert_allclose(
        style.differences({c: battles.frame[c].to_numpy() for c in formats.STYLE_COLUMNS})[0], [0.2, 1.0, 1.0, 0.2]
    )


def test_comparia_votes_are_read():
    """compar:IA's votes: the chosen name decides the side; visitors without an identifier are not one person."""
    battles = formats.translate(pd.DataFrame(COMPARIA))
    assert battles.frame["winner"].tolist() == ["model_b", "model_a", "tie"]
    assert len(set(battles.frame["voter"])) == 3
    with refusing(ComparisonError, match="row 1: chosen_model_name is 'z'"):
        formats.translate(pd.DataFrame([COMPARIA[0], {**COMPARIA[0], "chosen_model_name": "z"}]))


def test_other_tables_are_refused():
    """A table that is no list of battles is refused with the columns that would be."""
    with refusing(ComparisonError, match="model_a, model_b and winner must exist"):
        formats.translate(pd.DataFrame({"first": ["x"], "second": ["y"]}))


def field(**columns: list[Any]) -> pd.DataFrame:
    """Battles of x and y, each a tie, with more columns."""
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"model_a": ["x"] * n, "model_b": ["y"] * n, "winner": ["tie"] * n} | columns)


def codes(battles: formats.Battles) -> list[str]:
    """The codes of what was said of the file."""
    return [note.code for note in battles.notes]


def test_a_refusal_names_the_row_of_the_file():
    """Rows that are left out do not shift the number of the row that a refusal names."""
    table = field(anony=["f", "t", "t"], model_b=["x", "y", "x"], weight=[1, 1, 1])
    with refusing(ComparisonError, match="row 2: 'x' is compared with itself"):
        formats.translate(table).comparisons()
    with refusing(ComparisonError, match="row 1: winner is empty"):
        formats.translate(field(anony=["f", "t"], winner=["", None]))


def test_only_what_counts_must_be_well_formed():
    """A row that is left out refuses nothing: its winner may be any word."""
    battles = formats.translate(field(anony=["f", "t"], winner=["whatever", "tie"]))
    assert (battles.not_blind, battles.rows, len(battles.frame)) == (1, 2, 1)


def test_repeated_questions_are_counted_and_said():
    """A question_id that stands before, as with several turns or judges of one question, is said; every row counts."""
    battles = formats.translate(field(question_id=["q", "q", "r", "", ""]))
    assert len(battles.frame) == 5
    [note] = battles.notes
    assert (note.code, note.count) == ("repeated_ids", 1)


def test_a_vote_written_twice_counts_once():
    """LMArena's id is the vote's own: a row that repeats a vote with its id is left out and counted; another vote is not."""
    rows = [LMARENA[0], LMARENA[0], LMARENA[1], {**LMARENA[1], "winner": "tie"}]
    battles = formats.translate(pd.DataFrame(rows), style=False)
    assert (battles.copies, len(battles.frame)) == (1, 3)
    assert codes(battles) == ["repeated_ids"]


def test_comparia_rows_without_a_choice_are_left_out():
    """compar:IA's rows in which nobody chose are left out and counted; both_equal with a choice is a tie, and said."""
    nobody = {**COMPARIA[0], "chosen_model_name": None}
    battles = formats.translate(pd.DataFrame([*COMPARIA, nobody, {**COMPARIA[0], "both_equal": True}]))
    assert battles.no_choice == 1
    assert battles.frame["winner"].tolist() == ["model_b", "model_a", "tie", "tie"]
    assert codes(battles) == ["both_and_one", "votes_without_voter"]


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
@pytest.mark.parametrize("times", [("2025-01-01", "2025-01-02"), (9, 10), ("", "2025")])
def test_comparia_counts_the_last_vote_on_a_conversation(order: list[int], times: tuple[Any, Any]):
    """Of several votes on one conversation the latest counts, wherever it stands; without times it is the last in the file."""
    votes = [
        {**COMPARIA[0], "chosen_model_name": name, "conversation_pair_id": pair, "timestamp": time}
        for name, pair, time in [("x", "c1", times[0]), ("y", "c1", times[1]), ("x", "c2", times[0])]
    ]
    table = pd.DataFrame([votes[n] for n in order])
    battles = formats.translate(table)
    assert battles.voted_again == 1
    assert sorted(battles.frame["winner"]) == ["model_a", "model_b"]
    untimed = formats.translate(table.drop(columns="timestamp")).frame["winner"]
    assert sorted(untimed) == (["model_a", "model_b"] if order.index(0) < order.index(1) else ["model_a", "model_a"])


@pytest.mark.parametrize(
    ("column", "rows"), [("conversation_pair_id", COMPARIA), ("question_id", FASTCHAT), ("id", LMARENA)]
)
def test_votes_and_conversations_have_identifiers(column: str, rows: list[dict[str, Any]]):
    """Ids keep the rules of names: `k` and `k ` are one, and that is said; numbers rounded by floating point are refused."""
    table = pd.DataFrame(rows)
    battles = formats.translate(table.assign(**{column: ["k", "k "] + [f"m{n}" for n in range(len(rows) - 2)]}))
    assert "ids_joined" in codes(battles)
    assert (battles.voted_again == 1) == (column == "conversation_pair_id")
    with refusing(ComparisonError, match=rf"row 1: {column} is the floating-point number 1e\+17"):
        formats.translate(table.assign(**{column: [1.0, 1e17] + [2.0] * (len(rows) - 2)}))


def test_rows_that_do_not_count_decide_nothing():
    """A left-out row refuses nothing, names nobody, decides no spelling and no style: as if it had never stood in the file."""
    bad = {
        "anony": False,
        "weight": None,
        "model_a": "x\u200b" * 900,
        "model_b": "y\ufeff",
        "winner": "what",
        "judge": None,
    }
    rows = [{**row, "anony": True, "weight": 1} for row in FASTCHAT]
    whole, clean = formats.translate(pd.DataFrame([bad, *rows])), formats.translate(pd.DataFrame(rows))
    pd.testing.assert_frame_equal(whole.frame.reset_index(drop=True), clean.frame.reset_index(drop=True))
    assert (whole.not_blind, whole.joined, whole.notes) == (1, (), clean.notes)
    with refusing(ComparisonError, match="row 2: weight is empty"):
        formats.translate(pd.DataFrame([bad, *rows]).assign(weight=[1, 1, None, 1, 1]))
    copy = {**LMARENA[0], "model_a": "x ", "conv_metadata": None}
    battles = formats.translate(pd.DataFrame([*LMARENA, copy]))
    assert (battles.copies, battles.joined, battles.notes) == (1, (), ())
    assert set(formats.STYLE_COLUMNS) <= set(battles.frame.columns)
    last = {**COMPARIA[0], "conversation_pair_id": "c"}
    for earlier in ({**last, "chosen_model_name": "stray"}, {**last, "model_b_name": "z" * 2000}):
        battles = formats.translate(pd.DataFrame([earlier, last]))
        assert (battles.voted_again, battles.frame["model_b"].tolist()) == (1, ["y"])


def test_votes_without_a_visitor_are_said():
    """compar:IA votes without a visitor count as their session's, else each as somebody's; how many of those is said."""
    rows = [
        {**COMPARIA[0], "visitor_id": v, "session_hash": s} for v, s in [("v", "s"), (None, "s"), ("", "s"), ("s", "")]
    ]
    battles = formats.translate(pd.DataFrame(rows))
    one, two, three, four = battles.frame["voter"]
    assert two == three
    assert len({one, two, four}) == 3
    assert codes(battles) == []
    battles = formats.translate(pd.DataFrame([*rows, {**COMPARIA[0], "visitor_id": None}]))
    assert [(note.code, note.count) for note in battles.notes] == [("votes_without_voter", 1)]
    assert "voter" not in formats.translate(pd.DataFrame(rows).assign(visitor_id=None, session_hash=" ")).frame.columns


def test_the_kaggle_release_is_read():
    """LMArena's 55k: of three columns one is 1; none or two of them are refused with the row."""
    table = pd.DataFrame({"id": [1, 2, 3], "model_a": ["x", "y", "x"], "model_b": ["y", "z", "z"]})
    hot = table.assign(winner_model_a=[1, 0, 0], winner_model_b=[0, 1, 0], winner_tie=[0, 0, 1])
    battles = formats.translate(hot)
    assert battles.format == "lmarena-55k"
    assert battles.frame["winner"].tolist() == ["model_a", "model_b", "tie"]
    with refusing(ComparisonError, match="row 1: 2 of winner_model_a, winner_model_b, winner_tie are 1"):
        formats.translate(hot.assign(winner_tie=[0, 1, 1]))


def test_evalica_files_are_read():
    """Evalica's left, right and winner in any case; rows it ignores are left out and counted, other words refused."""
    table = pd.DataFrame({"left": ["x"] * 5, "right": ["y"] * 5, "winner": ["left", "RIGHT", "tie", "ignore", None]})
    battles = formats.translate(table)
    assert battles.frame["winner"].tolist() == ["model_a", "model_b", "tie"]
    assert battles.no_choice == 2
    with refusing(ComparisonError, match="row 0: winner is 'both'"):
        formats.translate(pd.DataFrame({"left": ["x"], "right": ["y"], "winner": ["both"]}))


@pytest.mark.parametrize("written", [json.dumps, repr])
def test_lmarena_style_survives_a_csv_file(written: Any):
    """The metadata of conversations give the same counts as JSON, or as Python prints them, as they do in Parquet."""
    whole = formats.translate(pd.DataFrame(LMARENA)).frame
    text = [{**row, "conv_metadata": written(row["conv_metadata"])} for row in LMARENA]
    pd.testing.assert_frame_equal(formats.translate(pd.DataFrame(text)).frame, whole)


@pytest.mark.parametrize(
    "metadata", [None, "", "{", "[" * 5000, "__import__('os')", "{'sum_assistant_a_tokens': 1}", "7"]
)
def test_unreadable_metadata_are_said(metadata: str | None):
    """Where one row's metadata cannot be read the battles are read all the same, without style, and that is said."""
    battles = formats.translate(pd.DataFrame([*LMARENA, {**LMARENA[0], "id": "9", "conv_metadata": metadata}]))
    assert len(battles.frame) == 5
    assert codes(battles) == ["no_style"]
    assert not set(formats.STYLE_COLUMNS) & set(battles.frame.columns)


def test_style_columns_are_numbers():
    """A style column that holds a word is refused with the row and the column, where style is asked for."""
    table = field(**{name: ["1", "2"] for name in formats.STYLE_COLUMNS} | {"bold_b": ["1", "many"]})
    with refusing(ComparisonError, match="row 1: bold_b is 'many'"):
        formats.translate(table)
    assert len(formats.translate(table, style=False).frame) == 2
