"""`python -m arena rate`: any file of battles in, a table on the screen and the export's JSON shapes in a file."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import orjson
import typer

from arena.cli import rate_scope
from arena.cli.battle_file import BattleFile, read
from arena.cli.common import refusals
from arena.cli.progress import working
from arena.cli.rate_page import show
from arena.i18n.catalogue import in_both
from arena.i18n.terminal import t
from arena.results.votes.warnings import warnings
from ratings import notices, planning, style
from ratings.comparison import BOTH_BAD, Comparisons
from ratings.errors import ComparisonError, NothingToRateError, RatingsError, renumbered
from ratings.first import FirstK
from ratings.first import first as first_k
from ratings.fit import rate as rate_comparisons
from ratings.intake import formats
from ratings.listing import printable
from ratings.notices import Note
from ratings.result import Ratings
from ratings.robustness import robustness
from ratings.sensitivity import sensitivity
from ratings.voices import Voice

SCHEMA = "kai.ratings/2"
MOST_ENTRANTS = 2000
"""More names than any release has: a column of something else was taken for the models."""
FULL_COVARIANCE = 100
"""Up to so many entrants the covariance is written; beyond, it would be most of the file."""
MOST_VARIANTS = 50
"""Up to so many entrants the other readings are made; they refit the votes for every pair of neighbours."""
_CHOICES = ("style_controlled", "position_bias", "robustness", "votes_needed", "other_voice", "voter_only")
_OF_SCORE = ("model", "rating", "rating_ci95", "rank", "rank_ci95", "points", "points_ci95", "group")
"""What another reading tells of each entrant."""


class BothBad(StrEnum):
    """What a vote for neither means."""

    EXCLUDE = "exclude"
    TIE = "tie"


class VoiceOf(StrEnum):
    """Whether each vote counts the same, or each citizen does."""

    VOTE = "vote"
    CITIZEN = "citizen"


class Questions(StrEnum):
    """Whether questions are clusters beside voters: where the file tells them, or not at all."""

    AUTO = "auto"
    NONE = "none"


def command(
    battles: Annotated[
        Path,
        typer.Argument(
            help=t("argument_battles"),
            exists=True,
            dir_okay=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help=t("option_rate_out"), dir_okay=False)] = Path("ratings.json"),
    html: Annotated[Path | None, typer.Option(help=t("option_rate_html"), dir_okay=False)] = None,
    prior: Annotated[
        float,
        typer.Option(min=0, help=t("option_prior")),
    ] = 0.5,
    both_bad: Annotated[BothBad, typer.Option(help=t("option_both_bad"))] = BothBad.EXCLUDE,
    voice: Annotated[VoiceOf, typer.Option(help=t("option_voice"))] = VoiceOf.VOTE,
    questions: Annotated[Questions, typer.Option(help=t("option_questions"))] = Questions.AUTO,
    first: Annotated[int | None, typer.Option(min=1, help=t("option_first"))] = None,
    variants: Annotated[
        bool,
        typer.Option(
            "--variants",
            help=t("option_variants"),
        ),
    ] = False,
) -> None:
    """Rate any file of battles: print a table and write the export's scores, covariance and pairwise counts as JSON."""
    with refusals():
        rate(
            battles,
            out,
            prior,
            both_bad.value,
            html=html,
            voice=voice.value,
            questions=questions is Questions.AUTO,
            variants=variants,
            first=first,
        )


def rate(
    path: Path,
    out: Path,
    prior: float,
    both_bad: Literal["exclude", "tie"],
    *,
    html: Path | None = None,
    voice: Voice = "vote",
    questions: bool = True,
    variants: bool = False,
    first: int | None = None,
) -> None:
    """Rate the battles in `path`, print a table and write `out`; `questions`: as clusters beside the voters, where the file tells them.

    Raises:
        RatingsError: the file is no table of battles, or cannot be rated; the message names the row and the next step.
    """
    for place in filter(None, (out, html)):
        _refuse_place(path, place)
    with working(t("working_rate", file=path.name)):
        file = read(path, questions=questions)
        battles = formats.translate(file.table, style=variants)
        comparisons = battles.comparisons(voice)
        _refuse_many(comparisons, variants)
        left_out = _left_out(battles)
        try:
            ratings = rate_comparisons(comparisons, prior=prior, both_bad=both_bad)
        except NothingToRateError as error:
            raise _why_nothing(error, comparisons, left_out) from None
        among = None if first is None else first_k(ratings, first)
        said = notices.by_kind(ratings.notices)
        asked = rate_scope.questions(battles, comparisons, ratings, wanted=questions)
        notes = [*file.notes, *left_out, *_no_voters(battles), *rate_scope.unread(asked), *battles.notes]
        source = _source(path, file, battles, notes) | {"questions": asked, "voters": _voters(comparisons)}
        document = {"schema": SCHEMA, "source": source, **_result(ratings, said, among)}
        if variants:
            document["variants"] = otherwise(battles, comparisons, ratings)
        _write(out, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        if html is not None:
            from arena.results.publish.battles import battles_page  # who wants no page waits for no template

            _write(html, battles_page(document).encode())
    show(ratings, rate_scope.over(asked), [t.of(each) for each in (*said, *notes)], document.get("variants"), among)


def _write(out: Path, data: bytes) -> None:
    temporary = out.with_name(out.name + ".tmp")
    temporary.write_bytes(data)
    temporary.replace(out)


def _voters(comparisons: Comparisons) -> int | None:
    """Count the voters; None where the file does not tell them."""
    return None if comparisons.voter is None else int(np.unique(comparisons.voter).size)


def otherwise(battles: formats.Battles, comparisons: Comparisons, ratings: Ratings) -> dict[str, Any]:
    """Rate the same votes under other choices; None where a choice does not apply to them."""
    prior, both_bad, frame = ratings.prior, ratings.both_bad, battles.frame
    chosen: Any = dict.fromkeys(_CHOICES)
    made: dict[str, Callable[[], Any]] = {
        "position_bias": lambda: style.position_bias(comparisons, prior=prior, both_bad=both_bad).to_dict(),
        "robustness": lambda: [f.to_dict() for f in robustness(comparisons, prior=prior, both_bad=both_bad)],
        "votes_needed": lambda: planning.votes_to_separate_all(ratings).to_dict(),
        "other_voice": lambda: _other_voice(battles, comparisons, ratings),
    }
    if ratings.by_question:
        made["voter_only"] = lambda: _voter_only(comparisons, ratings)
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


def _other_voice(battles: formats.Battles, comparisons: Comparisons, ratings: Ratings) -> dict[str, Any]:
    """Rate with the other voice; refused where there are no voters, or one has several weights."""
    voice = "vote" if comparisons.voice == "citizen" else "citizen"
    heard = battles.comparisons(voice)
    return {"voice": voice, "scores": _scores(rate_comparisons(heard, prior=ratings.prior, both_bad=ratings.both_bad))}


def _voter_only(comparisons: Comparisons, ratings: Ratings) -> dict[str, Any]:
    by_voter = replace(comparisons, question=None)
    return {"scores": _scores(rate_comparisons(by_voter, prior=ratings.prior, both_bad=ratings.both_bad))}


def _scores(ratings: Ratings) -> list[dict[str, Any]]:
    written = ratings.to_dict("model", met_only=True, covariance=False)["scores"]
    return [{name: row[name] for name in _OF_SCORE} for row in written]


def _differences(battles: formats.Battles) -> Any:
    """Return the covariates of style control; a refusal names the row of the file."""
    with renumbered(battles.frame.index):
        return style.differences({name: battles.frame[name].to_numpy() for name in formats.STYLE_COLUMNS})


def _refuse_many(comparisons: Comparisons, variants: bool) -> None:
    found = len(comparisons.models)
    if found > MOST_ENTRANTS:
        raise ComparisonError("too_many_models", found=found, most=MOST_ENTRANTS)
    if variants and found > MOST_VARIANTS:
        raise ComparisonError("too_many_variants", found=found, most=MOST_VARIANTS)


def _result(ratings: Ratings, said: list[notices.Notice], among: FirstK | None) -> dict[str, Any]:
    """Return the ratings as they are written: pairs that met, one warning of each kind, the covariance while it is small.

    Each score says whether it is among the first K, and `cut` who stands on either side; null where no K was asked for.
    """
    written = ratings.to_dict("model", met_only=True, covariance=len(ratings.rows) <= FULL_COVARIANCE)
    nobody = [{"in_first_k": None, "p_first_k": None}] * len(ratings.rows)
    standing = nobody if among is None else among.to_dicts()
    return written | {
        "scores": [row | more for row, more in zip(written["scores"], standing, strict=True)],
        "cut": None if among is None or among.cut is None else {"k": among.k, **asdict(among.cut)},
        "warnings": warnings(said),
    }


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
        "notes": [{"code": note.code, "count": note.count, **in_both(note)} for note in notes],
    }


def _left_out(battles: formats.Battles) -> list[Note]:
    """Tell what the reader of the numbers must know of the rows that do not count."""
    told = (
        Note("not_blind", battles.not_blind),
        Note("no_choice", battles.no_choice),
        Note("voted_again", battles.voted_again),
        Note("copies", battles.copies),
    )
    return [note for note in told if note.count]


def _no_voters(battles: formats.Battles) -> list[Note]:
    if "voter" in battles.frame.columns:
        return []
    return [Note("no_voters", 1)]


def _why_nothing(error: NothingToRateError, comparisons: Comparisons, left_out: list[Note]) -> RatingsError:
    """Return the refusal, with what became of the file's rows."""
    why = [*left_out]
    if bad := int((comparisons.outcome == BOTH_BAD).sum()):
        why.append(Note("both_bad_left_out", bad))
    if comparisons.weight is not None and not comparisons.weight.any():
        why.append(Note("no_weight", 1))
    return RatingsError("nothing_left", why=" ".join(map(t.of, why))) if why else error


def _refuse_place(path: Path, out: Path) -> None:
    """Raise where nothing can be written, or the file of battles would be written over."""
    if out.exists() and out.samefile(path):
        raise RatingsError("out_is_source", path=printable(str(out)))
    if not out.parent.is_dir():
        raise RatingsError("out_without_folder", path=printable(str(out.parent)))
