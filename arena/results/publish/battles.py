"""A page for people who would rather look than read: the ratings of any file of battles, as `python -m arena rate` writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from arena.domain.declared import Bilingual
from arena.results.publish import charts
from arena.results.publish.charts import Mark
from arena.results.publish.html import fixed, rendered, t
from ratings.listing import letters, printable

DRAWN = 100
"""So many entrants of a group are drawn, the best; the table has all."""
MOST_GROUPS = 8
"""So many groups are drawn, the first; the table has all."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The pictures of entrants that were compared with each other."""

    letter: str
    names: Sequence[str]
    rest: int
    """Entrants that are not drawn."""
    ratings: Markup
    ranks: Markup
    pairs: Markup


def battles_page(document: Mapping[str, Any]) -> str:
    """Show the ratings of a file of battles on one page that needs nothing else.

    Args:
        document: `kai.ratings/2`.
    """
    rows = sorted(
        document["scores"], key=lambda row: (row["group"] is None, row["group"] or 0, row["rank"] or 0, row["model"])
    )
    numbers = sorted({row["group"] for row in rows if row["group"] is not None})
    shares = _shares(document["pairwise"])
    asked = document["source"]["questions"]
    over = "rate_over_questions" if asked["why_not"] is None else f"rate_over_voters_{asked['why_not']}"
    return rendered(
        "battles.html",
        d=document,
        rows=rows,
        groups=[_drawn([row for row in rows if row["group"] == n], shares, letters(n)) for n in numbers[:MOST_GROUPS]],
        more_groups=len(numbers) - min(len(numbers), MOST_GROUPS),
        several=len(numbers) > 1,
        letters=letters,
        printable=printable,
        over=t(over, **asked),
        words=lambda told: Bilingual(ko=printable(told["ko"]), en=printable(told["en"])),
    )


def _drawn(rows: Sequence[Mapping[str, Any]], shares: Mapping[tuple[str, str], float], letter: str) -> Drawn:
    shown = rows[:DRAWN]
    names = [printable(row["model"]) for row in shown]
    marks = [
        (name, f"{fixed(row['rating'], 0)} ({_ends(row['rating_ci95'])})", Mark(row["rating"], *row["rating_ci95"]))
        for name, row in zip(names, shown, strict=True)
    ]
    ranks = [
        (name, _ends(row["rank_ci95"]), (row["rank_ci95"][0], row["rank_ci95"][1]))
        for name, row in zip(names, shown, strict=True)
    ]
    return Drawn(
        letter=letter,
        names=names,
        rest=len(rows) - len(shown),
        ratings=charts.on_scale(marks, label="95 %", close=True),
        ranks=charts.rank_ribbons(ranks, label="95 %"),
        pairs=charts.matrix(
            [Bilingual(ko=name, en=name) for name in names],
            [[shares.get((row["model"], other["model"])) for other in shown] for row in shown],
            middle=0.5,
            reach=0.35,
            form="{:.0%}",
        ),
    )


def _ends(ends: Sequence[float]) -> str:
    low, high = (fixed(end, 0) for end in ends)
    return low if low == high else f"{low}–{high}"


def _shares(pairs: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """Compute each one's share of the decided votes against each it met, ties as halves."""
    found = {}
    for pair in pairs:
        votes = pair["wins_a"] + pair["wins_b"] + pair["ties"]
        if votes:
            share = (pair["wins_a"] + pair["ties"] / 2) / votes
            found[pair["a"], pair["b"]], found[pair["b"], pair["a"]] = share, 1 - share
    return found
