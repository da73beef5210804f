"""What `python -m arena rate` prints: the leaderboard, what limits it, and what the votes could mean otherwise.

A name is never cut: where the table is too wide, the points go, and then each name gets a line of its own.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.i18n.catalogue import figure
from arena.i18n.terminal import t
from ratings.first import FirstK
from ratings.listing import letters, printable
from ratings.notices import HANDFUL
from ratings.result import EntrantRating, Interval, Ratings

_GROUPS = 3
"""Groups that a line names before it counts the rest."""
_MODEL = 1
"""The column of the names."""
_WIDE = 10_000
"""A pipe has no width."""


def show(
    ratings: Ratings, over: str, said: Iterable[str], variants: dict[str, Any] | None, among: FirstK | None = None
) -> None:
    """Print the leaderboard, over what its intervals generalise, a line for each kind of thing to know about it, and the other readings."""
    with suppress(AttributeError, ValueError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal may not know the letters
    console = _console()
    line = t("rate_summary", used=figure(ratings.n_used), votes=ratings.n_votes, voters=ratings.n_eff_voters)
    console.print(line, highlight=False)
    console.print()
    for part in _leaderboard(ratings, console.width):
        console.print(part, highlight=False, markup=False, soft_wrap=not isinstance(part, Table))
    console.print()
    if any(row.provisional for row in ratings.rows):
        console.print(t("rate_provisional"), highlight=False)
    console.print(printable(over), highlight=False, markup=False, emoji=False)
    for sentence in [*(_among(ratings, among) if among else ()), *said, *(_otherwise(variants) if variants else ())]:
        console.print(
            f"- {printable(sentence)}", highlight=False, markup=False, emoji=False, soft_wrap=not console.is_terminal
        )


def _console() -> Console:
    """As wide as the terminal, or as COLUMNS says; without either nothing is folded."""
    console = Console(emoji=False)
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return console
    return console if console.is_terminal and console.width > 0 else Console(emoji=False, width=_WIDE)


def _leaderboard(ratings: Ratings, width: int) -> list[Table | Text | str]:
    """Lay out the table; without the points, or with each name on its own line, where the width asks for it."""
    grouped = len({row.group for row in ratings.rows if row.group is not None}) > 1
    points = t("rate_points", max=ratings.component_max)
    header = [t("rate_rank"), t("rate_model"), t("rate_rating"), "95 %", points, "95 %", t("rate_votes")]
    lines = [_cells(row, grouped) for row in ratings.by_rank()]
    narrow = [0, 1, 2, 3, 6]
    for shown in (list(range(len(header))), narrow):
        if _width([[line[n] for n in shown] for line in [header, *lines]]) <= width:
            left_out = [t("rate_narrow")] if shown is narrow else []
            return [_table([header[n] for n in shown], [[line[n] for n in shown] for line in lines]), *left_out]
    return _stacked(header, lines, width)


def _cells(row: EntrantRating, grouped: bool) -> list[str]:
    return [
        _rank(row, grouped),
        printable(row.model) + (" *" if row.provisional else ""),
        _number(row.rating, 1),
        _interval(row.rating_ci95, 1),
        _number(row.points, 2),
        _interval(row.points_ci95, 2),
        figure(row.n_votes),
    ]


def _width(lines: Sequence[Sequence[str]]) -> int:
    """Columns of a terminal that the table takes: each column its widest cell, three spaces between two of them."""
    return sum(max(map(cell_len, column)) + 3 for column in zip(*lines, strict=True)) - 3


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for n, name in enumerate(header):
        widest = max(cell_len(name), *(cell_len(line[n]) for line in lines))
        table.add_column(name, min_width=widest, justify="left" if n == _MODEL else "right")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    return table


def _stacked(header: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> list[Table | Text | str]:
    """Each name on a line of its own, what belongs to it on the next, or on one line each where that is too long."""
    told: list[Table | Text | str] = []
    widest = max(cell_len(line[0]) for line in lines)
    for rank, model, rating, ci, points, points_ci, votes in lines:
        told.append(Text(f"{rank:>{widest}}  {model}"))
        figures = [
            t("rate_line_rating", rating=rating, interval=ci),
            t("rate_line_points", points_of=header[4], points=points, interval=points_ci),
            t("rate_line_votes", votes=votes),
        ]
        figures = [t("rate_unranked")] if rating == "–" else figures
        indent = " " * (widest + 2)
        one = indent + ", ".join(figures)
        told += [Text(one)] if cell_len(one) <= width else [Text("  " + part) for part in figures]
    return told


def _among(ratings: Ratings, among: FirstK) -> list[str]:
    """Say who is surely among the first K, and who may be, with the probability where there is one."""
    told = dict(zip(ratings.models, zip(among.in_first, among.chances, strict=True), strict=True))
    rows = [(row.model, *told[row.model]) for row in ratings.by_rank()]
    surely = [model for model, standing, _ in rows if standing == "surely"]
    maybe = [
        model if chance is None else f"{model} {chance:.1%}" for model, standing, chance in rows if standing == "maybe"
    ]
    if not maybe:
        return [t("rate_first_sure", k=among.k, models=t.listed(surely, HANDFUL))]
    return [
        *([t("rate_first_sure_part", k=among.k, models=t.listed(surely, HANDFUL))] if surely else []),
        t("rate_first_maybe", k=among.k, models=t.listed(maybe, HANDFUL)),
    ]


def _otherwise(variants: dict[str, Any]) -> list[str]:
    """Say what the other choices say, each in a line."""
    other = "tie" if variants["both_bad"] == "exclude" else "exclude"
    rows = variants[f"both_bad_{other}"]
    told = [] if rows is None else [t("rate_both_bad", other=other, ratings=_ratings(rows))]
    ties, style_fit = variants["davidson"], variants["style_controlled"]
    bias, needed = variants["position_bias"], variants["votes_needed"]
    if ties:
        pairs = [t("rate_above", high=high, low=low) for high, low in ties["swapped"]]
        told.append(t("rate_ties_differ", pairs=pairs) if pairs else t("rate_ties_agree"))
    if variants["other_voice"]:
        told.append(
            t(f"rate_voice_{variants['other_voice']['voice']}", ratings=_ratings(variants["other_voice"]["scores"]))
        )
    if variants["voter_only"]:
        told.append(t("rate_voter_only", reach=_reach(variants["voter_only"]["scores"])))
    if style_fit:
        told.append(t("rate_style", ratings=_ratings(style_fit["scores"])))
    if bias:
        low, high = bias["ci95"]
        told.append(t("rate_side", share=bias["share"], low=low, high=high))
    told += _fragile([pair for pair in variants["robustness"] or () if pair["votes"] is not None])
    if needed and needed["votes"]["80"]:
        told.append(
            t("rate_needed_weight" if needed["unit"] == "weight" else "rate_needed", votes=needed["votes"]["80"])
        )
    return told


def _ratings(rows: Iterable[dict[str, Any]]) -> str:
    """Write the entrants by their rating; groups that never met stand apart, as in the table."""
    rated = sorted((row for row in rows if row["rating"] is not None), key=lambda row: -row["rating"])
    groups = sorted({row.get("group") or 0 for row in rated})
    told = []
    for group in groups[:_GROUPS]:
        names = [f"{row['model']} {row['rating']:.1f}" for row in rated if (row.get("group") or 0) == group]
        told.append(
            (f"{letters(group)} " if len(groups) > 1 else "") + t.listed(names, HANDFUL if len(groups) == 1 else 1)
        )
    rest, together = len(groups) - len(told), " | ".join(told)
    return t("rate_more_groups", told=together, rest=rest) if rest else together


def _reach(rows: Iterable[dict[str, Any]]) -> float:
    """Half the mean width of the ratings' intervals."""
    widths = [row["rating_ci95"][1] - row["rating_ci95"][0] for row in rows if row["rating_ci95"]]
    return sum(widths) / len(widths) / 2


def _fragile(pairs: list[dict[str, Any]]) -> list[str]:
    """List the pairs that fewest votes hold apart, and how many there are besides."""
    told = []
    for pair in sorted(pairs, key=lambda pair: pair["votes"])[:HANDFUL]:
        names = {"upper": pair["upper"], "lower": pair["lower"]}
        if pair["voters"] is None:
            told.append(t("rate_swap", votes=pair["votes"], **names))
        else:
            told.append(t("rate_swap_voters", votes=pair["votes"], voters=pair["voters"], **names))
    rest = len(pairs) - len(told)
    return [*told, t("rate_swap_more", rest=rest)] if rest else told


def _rank(row: EntrantRating, grouped: bool) -> str:
    """Write the rank, or the ranks that the votes cannot tell apart."""
    if row.rank_ci95 is None:
        return "–"
    low, high = row.rank_ci95
    return (f"{letters(row.group or 0)} " if grouped else "") + (f"{low}" if low == high else f"{low}–{high}")


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _interval(ends: Interval | None, decimals: int) -> str:
    return "–" if ends is None else f"{ends[0]:.{decimals}f}–{ends[1]:.{decimals}f}"
