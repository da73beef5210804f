"""`python -m arena rate`: any file of battles in, a table on the screen and the export's JSON shapes in a file."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import pandas as pd
import pyarrow.parquet as pq
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from arena.cli.common import refusals
from ratings import formats, planning, style
from ratings.comparison import Comparisons
from ratings.errors import ComparisonError, RatingsError
from ratings.fit import rate as rate_comparisons
from ratings.result import EntrantRating, Interval, Ratings
from ratings.robustness import robustness
from ratings.sensitivity import sensitivity

SCHEMA = "kai.ratings/1"


class BothBad(StrEnum):
    """What a vote for neither means."""

    EXCLUDE = "exclude"
    TIE = "tie"


def read(path: Path) -> pd.DataFrame:
    """A Parquet, CSV, JSON Lines or JSON file as a table, whatever its columns.

    Raises:
        ComparisonError: the ending is none of these, or the content is not what the ending says.
    """
    try:
        match path.suffix.lower():
            case ".parquet":
                # The texts are most of a release and no part of a rating.
                return pd.read_parquet(path, columns=[c for c in pq.read_schema(path).names if not formats.is_text(c)])
            case ".csv":
                return pd.read_csv(path, encoding="utf-8-sig")
            case ".jsonl" | ".ndjson":
                return pd.DataFrame([orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()])
            case ".json":
                return pd.DataFrame(orjson.loads(path.read_bytes()))
    except (ValueError, TypeError, OSError) as error:
        raise ComparisonError(f"{path.name} cannot be read as {path.suffix[1:]}: {error}") from None
    raise ComparisonError(f"{path.name}: give a file that ends in .parquet, .csv, .jsonl or .json")


def command(
    battles: Annotated[
        Path,
        typer.Argument(help="Parquet, CSV, JSON Lines or JSON with the field's columns", exists=True, dir_okay=False),
    ],
    out: Annotated[Path, typer.Option(help="the JSON file to write")] = Path("ratings.json"),
    prior: Annotated[
        float,
        typer.Option(min=0, help="phantom half-wins and half-losses of every entrant; 0 is plain maximum likelihood"),
    ] = 0.5,
    both_bad: Annotated[BothBad, typer.Option(help="leave out of the fit, or count as a tie")] = BothBad.EXCLUDE,
    variants: Annotated[
        bool,
        typer.Option(
            "--variants",
            help="also what the votes could mean otherwise: both_bad, ties, style, side, how few votes decide, how many are missing",
        ),
    ] = False,
) -> None:
    """Rate any file of battles: print a table and write the export's scores, covariance and pairwise counts as JSON."""
    with refusals():
        rate(battles, out, prior, both_bad.value, variants=variants)


def rate(path: Path, out: Path, prior: float, both_bad: Literal["exclude", "tie"], *, variants: bool = False) -> None:
    """Rates the battles in `path`, prints a table and writes `out`.

    Raises:
        RatingsError: the file is no table of battles, or cannot be rated; the message names the row and the next step.
    """
    battles = formats.translate(read(path))
    comparisons = Comparisons.from_frame(battles.frame)
    ratings = rate_comparisons(comparisons, prior=prior, both_bad=both_bad)
    document = {"schema": SCHEMA, "source": _source(path, battles), **ratings.to_dict("model")}
    if variants:
        document["variants"] = otherwise(battles.frame, comparisons, ratings)
    temporary = out.with_name(out.name + ".tmp")
    temporary.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    temporary.replace(out)
    console = Console()
    show(ratings, battles, console)
    if variants:
        show_otherwise(document["variants"], console)


def otherwise(frame: pd.DataFrame, comparisons: Comparisons, ratings: Ratings) -> dict[str, Any]:
    """The same votes under other choices; None where a choice does not apply to them."""
    prior, both_bad = ratings.prior, ratings.both_bad
    styled = set(formats.STYLE_COLUMNS) <= set(frame.columns)
    chosen: Any = dict.fromkeys(("style_controlled", "position_bias", "robustness", "votes_needed"))
    made: dict[str, Callable[[], Any]] = {
        "position_bias": lambda: style.position_bias(comparisons, prior=prior, both_bad=both_bad).to_dict(),
        "robustness": lambda: [f.to_dict() for f in robustness(comparisons, prior=prior, both_bad=both_bad)],
        "votes_needed": lambda: planning.votes_to_separate_all(ratings).to_dict(),
    }
    if styled:
        x = style.differences({name: frame[name].to_numpy() for name in formats.STYLE_COLUMNS})
        made["style_controlled"] = lambda: style.controlled(comparisons, x, prior=prior, both_bad=both_bad).to_dict(
            ratings
        )
    for name, make in made.items():
        with suppress(RatingsError):  # weights, no prior, or entrants that never met: this choice has no answer then
            chosen[name] = make()
    return sensitivity(comparisons, prior=prior, both_bad=both_bad).to_dict() | chosen


def show(ratings: Ratings, battles: formats.Battles, console: Console) -> None:
    """Prints the leaderboard, what limits it, and how it was made."""
    groups = {row.group for row in ratings.rows if row.group is not None}
    console.print(
        f"{ratings.n_used:,} of {ratings.n_votes:,} votes, {ratings.n_eff_voters:,.1f} effective voters",
        highlight=False,
    )
    table = Table(box=box.SIMPLE)
    for name in ("rank", "model", "rating", "95 %", f"points of {ratings.component_max:g}", "95 %", "votes"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=name == "95 %")
    for row in ratings.by_rank():
        table.add_row(
            _rank(row, len(groups) > 1),
            row.model + (" *" if row.provisional else ""),
            _number(row.rating, 1),
            _interval(row.rating_ci95, 1),
            _number(row.points, 2),
            _interval(row.points_ci95, 2),
            f"{row.n_votes:,}",
        )
    console.print(table)
    if any(row.provisional for row in ratings.rows):
        console.print("* provisional", highlight=False)
    for notice in ratings.notices:
        console.print(f"- {notice.en}", highlight=False, markup=False)
    if battles.not_blind:
        console.print(f"- {battles.not_blind:,} battles were not blind and are left out.", highlight=False)
    if "voter" not in battles.frame.columns and "judge" not in battles.frame.columns:
        console.print(
            "- The file names no voters: every vote is taken as its own voter, so intervals may be too narrow."
        )


def show_otherwise(variants: dict[str, Any], console: Console) -> None:
    """Prints in a line each what the other choices say."""
    other = "tie" if variants["both_bad"] == "exclude" else "exclude"
    told = [
        f"both_bad as {other}: "
        + ", ".join(f"{row['model']} {row['rating']:.1f}" for row in variants[f"both_bad_{other}"] if row["rating"])
    ]
    ties, style_fit = variants["davidson"], variants["style_controlled"]
    bias, needed = variants["position_bias"], variants["votes_needed"]
    if ties:
        told.append(
            "tie model: the same order" if not ties["swapped"] else f"tie model: another order for {ties['swapped']}"
        )
    if style_fit:
        told.append(
            "style held equal: " + ", ".join(f"{row['model']} {row['rating']:.1f}" for row in style_fit["scores"])
        )
    if bias:
        low, high = bias["ci95"]
        told.append(f"of two equal answers the left one wins {bias['share']:.1%} ({low:.1%} – {high:.1%})")
    for pair in variants["robustness"] or ():
        if pair["votes"] is not None:
            told.append(
                f"{pair['upper']} and {pair['lower']} would swap without {pair['votes']:,} votes or {pair['voters']:,} voters"
                if pair["voters"] is not None
                else f"{pair['upper']} and {pair['lower']} would swap without {pair['votes']:,} votes"
            )
    if needed and needed["uniform"]:
        told.append(f"all neighbours told apart: about {needed['uniform']:,} more votes, every pair drawn alike")
    for line in told:
        console.print(f"- {line}", highlight=False, markup=False)


def _source(path: Path, battles: formats.Battles) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": path.name,
        "sha256": digest,
        "format": battles.format,
        "rows": len(battles.frame) + battles.not_blind,
        "not_blind": battles.not_blind,
    }


def _rank(row: EntrantRating, grouped: bool) -> str:
    """The rank, or the ranks that the votes cannot tell apart."""
    if row.rank_ci95 is None:
        return "–"
    low, high = row.rank_ci95
    return (f"{chr(65 + (row.group or 0))} " if grouped else "") + (f"{low}" if low == high else f"{low}–{high}")


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _interval(ends: Interval | None, decimals: int) -> str:
    return "–" if ends is None else f"{ends[0]:.{decimals}f} – {ends[1]:.{decimals}f}"
