"""The letters to a published stage's teams: each its own signed sheet, and the page that shows it."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import rfc8785
from markupsafe import Markup

from arena.domain.battle import TOO_LONG
from arena.domain.declared import Bilingual
from arena.domain.errors import Conflict
from arena.domain.outage import Cause
from arena.domain.stage import StageStatus
from arena.i18n import facts
from arena.i18n.catalogue import LANGUAGES, Messages, messages
from arena.record.activity import Activity
from arena.record.keys import Keys
from arena.record.outages import Spell
from arena.record.store import Store
from arena.results.export.chain import shelved
from arena.results.export.document import JWKS
from arena.results.programme.letter import Evidence, Letter, LetterFacts, write
from arena.results.publish import charts
from arena.results.publish.charts import Mark, Words
from arena.results.publish.html import rendered
from arena.results.votes.sealed import known

WRITTEN: Final = "letters.written"
LETTER, PAGE = "letter.json", "letter.html"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def letters(
    store: Store, keys: Keys, stage_id: str, shelf: Path, now: datetime, *, public_url: str = ""
) -> dict[str, dict[str, bytes]]:
    """Write every team's letter: its files by name, team by team.

    Args:
        store: where the stage is.
        keys: sign the letters.
        stage_id: which stage.
        shelf: the folder that its exports are in.
        now: when.
        public_url: where the arena is served, for the commands on the page.

    Raises:
        NotFound: no such stage.
        Conflict: it is not published: what may still change is nobody's result.
        EvidenceError: the published export is not in its folder any more, and cannot be made again.
    """
    record = known(store, stage_id)
    if record.frozen_at is None or record.status is not StageStatus.PUBLISHED:
        raise Conflict("letters_unpublished", stage=stage_id, status=record.status)
    evidence = Evidence.of({path.name: path.read_bytes() for path in shelved(store, keys, stage_id, shelf).iterdir()})
    failures = Activity(store.database).failures(stage_id, _BEGINNING)
    spells = store.outages.of_stage(stage_id)
    made: dict[str, dict[str, bytes]] = {}
    for team_id in evidence.stage.entrant_ids:
        facts = LetterFacts(now, _causes(spells, team_id, record.frozen_at), _failed(failures, team_id))
        letter = write(evidence, team_id, facts, keys)
        made[team_id] = {
            LETTER: letter.canonical(),
            PAGE: letter_page(letter, public_url).encode(),
            JWKS: rfc8785.dumps(keys.jwks()),
        }
    store.events.append(now, stage_id, "letters", WRITTEN, {"export_id": evidence.document.export_id})
    return made


def letter_page(letter: Letter, public_url: str = "") -> str:
    """Show a letter on one page."""
    causes = [_in_both(lambda t, cause=cause: facts.outage(cause, t)) for cause in letter.outage_causes]
    return rendered(
        "letter.html",
        d=letter,
        plot=_plot(letter),
        failed=[(_named("failure", kind), n) for kind, n in letter.failures.items()],
        outages=list(zip(letter.team.outages, causes, strict=True)),
        named=_named,
        url=public_url or "https://…",
    )


def _plot(letter: Letter) -> Markup:
    """Draw the team's points above what is open to everybody of the others: the teams' points, or the mean alone."""
    told, own = letter.disclosed, letter.score
    if own is None or own.points is None:
        return Markup("")
    rows: list[tuple[Words, list[Mark]]] = [(letter.team.team, [_mark(own.points, own.points_ci95)])]
    others = told.scores or told.winners or ()
    shown = sorted((each for each in others if each.points is not None), key=lambda each: -(each.points or 0))
    rows += [(e.team, [_mark(e.points, e.points_ci95)]) for e in shown if e.team_id != letter.team.team_id]
    if told.mean_points is not None:
        rows.append((_in_both(lambda t: t("letter_mean_row")), [Mark(told.mean_points)]))
    return charts.ranges(rows, [Bilingual(ko="", en="")]) if len(rows) > 1 else Markup("")


def _mark(points: float | None, ends: Sequence[float] | None) -> Mark:
    low, high = ends or (None, None)
    return Mark(points, low, high)


def _named(family: str, code: str) -> Bilingual:
    """Name a code in both languages; one that this version does not know is its own name."""
    return _in_both(lambda t: facts.named(family, code, t))


def _in_both(say: Callable[[Messages], str]) -> Bilingual:
    ko, en = (say(messages(language)) for language in LANGUAGES)
    return Bilingual(ko=ko, en=en)


def _causes(spells: list[Spell], team_id: str, frozen_at: datetime) -> list[Cause]:
    """List why it was not drawn, in the order in which the export says when."""
    return [spell.cause for spell in spells if spell.entrant == team_id and spell.began <= frozen_at]


def _failed(failures: Counter[tuple[str, str]], team_id: str) -> dict[str, int]:
    return {kind: n for (who, kind), n in sorted(failures.items()) if who == team_id and kind != TOO_LONG}
