"""Public battle files, as they are released."""

import numpy as np
import pandas as pd
import pytest

from ratings import formats, style
from ratings.comparison import Comparisons
from ratings.errors import ComparisonError

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
    with pytest.raises(ComparisonError, match="row 1: chosen_model_name is 'z'"):
        formats.translate(pd.DataFrame([COMPARIA[0], {**COMPARIA[0], "chosen_model_name": "z"}]))


def test_other_tables_are_refused():
    """A table that is no list of battles is refused with the columns that would be."""
    with pytest.raises(ComparisonError, match="model_a, model_b and winner must exist"):
        formats.translate(pd.DataFrame({"left": ["x"], "right": ["y"]}))
