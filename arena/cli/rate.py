"""`python -m arena rate`: any file of battles in, a table on the screen and the export's JSON shapes in a file."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer

from arena.cli.battle_file import BattleFile, read
from arena.cli.common import refusals
from arena.cli.rate_page import show
from ratings import formats, notices, planning, style
from ratings.comparison import BOTH_BAD, Comparisons
from ratings.errors import ComparisonError, NothingToRateError, RatingsError, renumbered
from ratings.fit import rate as rate_comparisons
from ratings.listing import printable
from ratings.notices import Note
from ratings.result import Ratings
from ratings.robustness import robustness
from ratings.sensitivity import sensitivity

SCHEMA = "kai.ratings/2"
MOST_ENTRANTS = 2000
"""More names than any release has: a column of something else was taken for the models."""
FULL_COVARIANCE = 100
"""Up to so many entrants the covariance is written; beyond, it would be most of the file."""
MOST_VARIANTS = 50
"""Up to so many entrants the other readings are made; they refit the votes for every pair of neighbours."""


class BothBad(StrEnum):
    """What a vote for neither means."""

    EXCLUDE = "exclude"
    TIE = "tie"


def command(
    battles: Annotated[
        Path,
        typer.Argument(
            help="a release of battles as Parquet, CSV, TSV, JSON Lines or JSON (docs/ratings.md lists what is read)",
            exists=True,
            dir_okay=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="the JSON file to write", dir_okay=False)] = Path("ratings.json"),
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
    _refuse_place(path, out)
    file = read(path)
    battles = formats.translate(file.table, style=variants)
    comparisons = battles.comparisons()
    _refuse_many(comparisons, variants)
    left_out = _left_out(battles)
    try:
        ratings = rate_comparisons(comparisons, prior=prior, both_bad=both_bad)
    except NothingToRateError as error:
        raise RatingsError(_why_nothing(error, comparisons, left_out)) from None
    said = notices.by_kind(ratings.notices)
    notes = [*file.notes, *left_out, *_no_voters(battles), *battles.notes]
    document = {"schema": SCHEMA, "source": _source(path, file, battles, notes), **_result(ratings, said)}
    if variants:
        document["variants"] = otherwise(battles, comparisons, ratings)
    temporary = out.with_name(out.name + ".tmp")
    temporary.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    temporary.replace(out)
    show(ratings, [*(n.en for n in said), *(n.en for n in notes)], document.get("variants"))


def otherwise(battles: formats.Battles, comparisons: Comparisons, ratings: Ratings) -> dict[str, Any]:
    """The same votes under other choices; None where a choice does not apply to them."""
    prior, both_bad, frame = ratings.prior, ratings.both_bad, battles.frame
    chosen: Any = dict.fromkeys(("style_controlled", "position_bias", "robustness", "votes_needed"))
    made: dict[str, Callable[[], Any]] = {
        "position_bias": lambda: style.position_bias(comparisons, prior=prior, both_bad=both_bad).to_dict(),
        "robustness": lambda: [f.to_dict() for f in robustness(comparisons, prior=prior, both_bad=both_bad)],
        "votes_needed": lambda: planning.votes_to_separate_all(ratings).to_dict(),
    }
    if set(formats.STYLE_COLUMNS) <= set(frame.columns):
        x = _differences(battles)
        made["style_controlled"] = lambda: style.controlled(comparisons, x, prior=prior, both_bad=both_bad).to_dict(
            ratings
        )
    for name, make in made.items():
        with suppress(RatingsError):  # weights, no prior, or entrants that never met: this choice has no answer then
            chosen[name] = make()
    if len({row.group for row in ratings.rows if row.group is not None}) > 1:
        chosen["votes_needed"] = None  # no number of votes between neighbours tells groups apart that never met
    if chosen["votes_needed"] is not None:
        chosen["votes_needed"]["unit"] = "votes" if comparisons.weight is None else "weight"
    return sensitivity(comparisons, prior=prior, both_bad=both_bad).to_dict() | chosen


def _differences(battles: formats.Battles) -> Any:
    """The covariates of style control; a refusal names the row of the file."""
    with renumbered(battles.frame.index):
        return style.differences({name: battles.frame[name].to_numpy() for name in formats.STYLE_COLUMNS})


def _refuse_many(comparisons: Comparisons, variants: bool) -> None:
    found = len(comparisons.models)
    if found > MOST_ENTRANTS:
        raise ComparisonError(
            f"the file names {found:,} models, more than {MOST_ENTRANTS:,}: check that the columns hold models, or rate a part of it"
        )
    if variants and found > MOST_VARIANTS:
        raise ComparisonError(
            f"--variants refits the votes for every pair of neighbours, for at most {MOST_VARIANTS} models; "
            f"the file names {found:,}: rate it without --variants, or a part of it"
        )


def _result(ratings: Ratings, said: list[notices.Notice]) -> dict[str, Any]:
    """The ratings as they are written: pairs that met, one warning of each kind, the covariance while it is small."""
    written = ratings.to_dict("model", met_only=True, covariance=len(ratings.rows) <= FULL_COVARIANCE)
    return written | {"warnings": [notice.to_dict() for notice in said]}


def _source(path: Path, file: BattleFile, battles: formats.Battles, notes: list[Note]) -> dict[str, Any]:
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {
        "name": path.name.encode("utf-8", "replace").decode(),
        "sha256": digest,
        "format": battles.format,
        "encoding": file.encoding,
        "delimiter": file.delimiter,
        "rows": battles.rows,
        "not_blind": battles.not_blind,
        "no_choice": battles.no_choice,
        "voted_again": battles.voted_again,
        "copies": battles.copies,
        "joined": [{"model": names[0], "also": list(names[1:])} for names in battles.joined],
        "notes": [note.to_dict() for note in notes],
    }


def _left_out(battles: formats.Battles) -> list[Note]:
    """What the reader of the numbers must know of the rows that do not count."""
    told = [
        Note(
            "not_blind",
            battles.not_blind,
            f"모델 이름이 보여 블라인드가 아니므로 뺀 대결: {battles.not_blind:,}.",
            f"Battles that were not blind, left out: {battles.not_blind:,}.",
        ),
        Note(
            "no_choice",
            battles.no_choice,
            f"아무것도 고르지 않아 뺀 행: {battles.no_choice:,}.",
            f"Rows without a choice, left out: {battles.no_choice:,}.",
        ),
        Note(
            "voted_again",
            battles.voted_again,
            f"같은 대화에 나중에 다시 투표해 뺀 표: {battles.voted_again:,}. 마지막 표만 셉니다.",
            f"Votes followed by another on the same conversation, left out: {battles.voted_again:,}. Only the last one counts.",
        ),
        Note(
            "copies",
            battles.copies,
            f"다른 행의 표를 id까지 그대로 되풀이해 뺀 행: {battles.copies:,}.",
            f"Rows that repeat another row's vote with its id, left out: {battles.copies:,}.",
        ),
    ]
    return [note for note in told if note.count]


def _no_voters(battles: formats.Battles) -> list[Note]:
    if "voter" in battles.frame.columns:
        return []
    return [
        Note(
            "no_voters",
            1,
            "파일에 투표자가 없어 표마다 다른 사람으로 보았습니다. 구간이 너무 좁을 수 있습니다.",
            "The file names no voters: every vote is taken as its own voter, so intervals may be too narrow.",
        )
    ]


def _why_nothing(error: NothingToRateError, comparisons: Comparisons, left_out: list[Note]) -> str:
    """The refusal, with what became of the file's rows."""
    said = [note.en for note in left_out]
    bad = int((comparisons.outcome == BOTH_BAD).sum())
    if bad:
        said.append(
            f"Votes that found both answers bad, left out of the fit: {bad:,}; --both-bad tie counts them as ties."
        )
    if comparisons.weight is not None and not comparisons.weight.any():
        said.append("All weights are 0.")
    return " ".join([str(error) + "." if said else str(error), *said])


def _refuse_place(path: Path, out: Path) -> None:
    """Raises where nothing can be written, or the file of battles would be written over."""
    if out.exists() and out.samefile(path):
        raise RatingsError(f"--out {printable(str(out))} is the file of battles itself: give another name")
    if not out.parent.is_dir():
        raise RatingsError(f"the folder {printable(str(out.parent))} of --out does not exist: make it first")
