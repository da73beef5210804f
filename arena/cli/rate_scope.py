"""Over what the intervals of `python -m arena rate` generalise: which questions the file tells of, and why they do not count where they do not."""

from typing import Any, Literal

from arena.i18n.terminal import t
from ratings.comparison import Comparisons
from ratings.intake import asked
from ratings.intake.battles import Battles
from ratings.notices import Note
from ratings.result import Ratings

Why = Literal["declined", "absent", "unreadable", "weighted", "few"]
"""Why the covariance is clustered by voter alone."""


def questions(battles: Battles, comparisons: Comparisons, ratings: Ratings, *, wanted: bool) -> dict[str, Any]:
    """Say where the questions came from, how many there are, how many several voters asked, and why they are no clusters."""
    codes = None if battles.asked is None else battles.asked.codes()
    return {
        "column": None if battles.asked is None else battles.asked.column,
        "distinct": None if codes is None else int(codes.max(initial=-1)) + 1,
        "shared": None if codes is None else asked.shared(codes, comparisons.voter),
        "unread": None if codes is None else int((codes < 0).sum()),
        "clustered": ratings.by_question,
        "why_not": _why_not(battles, comparisons, ratings, wanted),
    }


def over(found: dict[str, Any]) -> str:
    """Write over what the intervals generalise, in one sentence."""
    if found["why_not"] is None:
        return t("rate_over_questions", **found)
    return t(f"rate_over_voters_{found['why_not']}", **found)


def unread(found: dict[str, Any]) -> list[Note]:
    """Tell of rows whose question could not be read beside others whose could."""
    count = found["unread"] if found["distinct"] else 0
    return [Note("questions_unread", count, column=found["column"])] if count else []


def _why_not(battles: Battles, comparisons: Comparisons, ratings: Ratings, wanted: bool) -> Why | None:
    if ratings.by_question:
        return None
    if battles.asked is None:
        return "absent" if wanted else "declined"
    if comparisons.question is None:
        return "unreadable"
    return "weighted" if ratings.n_eff_questions is None else "few"
