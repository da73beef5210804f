"""Texts are kept as long as the stage file says, and an organizer who reads one leaves a trace."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from arena.domain.battle import Battle
from arena.domain.errors import Unusable, not_found
from arena.domain.stage import Stage
from arena.record.store import Store

PURGED = "texts.purged"
READ = "texts.read"


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """What a purge erased; votes, receipts and proofs are untouched by it."""

    stage: str
    judged: int
    """Battles with a vote whose texts were erased now."""
    unjudged: int
    """Battles without one."""
    texts_end: datetime | None
    """When the texts of judged battles go, or went; None while the stage has no end."""
    persons: int
    """Digests of logins and invitations that were forgotten now, with the texts of judged battles."""
    strata: bool
    """Whether what the voters had said of themselves was erased now, with the texts of judged battles."""
    unjudged_before: datetime
    """Unjudged battles last used before this were erased."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the audit log."""
        end = None if self.texts_end is None else self.texts_end.isoformat()
        return {**asdict(self), "texts_end": end, "unjudged_before": self.unjudged_before.isoformat()}


def purge(store: Store, stage: Stage, now: datetime) -> PurgeReport:
    """Erase what the stage's retention rule no longer allows to keep: prompts, answers, comments, who has come, and what voters said of themselves.
    Logged when anything went.

    Judged battles are counted from the end of the stage (its freeze; or `closes`, should it never be frozen), unjudged ones from their last use.
    Running it again, at any time and from anywhere, erases nothing twice.
    """
    record = store.stages.find(stage.id)
    frozen = record.frozen_at if record else None
    ended = frozen or (stage.closes if stage.closes and stage.closes <= now else None)
    texts_end = None if ended is None else ended + timedelta(days=stage.retention.texts_days)
    unjudged_before = now - timedelta(days=stage.retention.unjudged_days)
    judged = persons = 0
    strata = False
    if texts_end is not None and texts_end <= now:
        judged = store.erasure.texts_before(stage.id, now, now, judged=True)
        persons = store.persons.forget(stage.id)
        store.stages.forget_questions(stage.id)
        strata = store.annotations.forget_strata(stage.id)
        strata = store.strata.forget(stage.id) > 0 or strata
        unjudged_before = now
    unjudged = store.erasure.texts_before(stage.id, unjudged_before, now, judged=False)
    report = PurgeReport(stage.id, judged, unjudged, texts_end, persons, strata, unjudged_before)
    if judged or unjudged or persons or strata:
        store.events.append(now, stage.id, "retention", PURGED, report.to_json())
    return report


def read_conversation(store: Store, organizer: str, battle_id: str, now: datetime, *, purpose: str) -> Battle:
    """Read a citizen's conversation, for an organizer. Who, when, which and why are in the audit log before anything is shown.

    Raises:
        NotFound: there is no such battle.
        Unusable: no purpose.
    """
    if not purpose.strip():
        raise Unusable("purpose_needed")
    battle = store.battles.get(battle_id)
    if battle is None:
        raise not_found()
    store.events.append(now, battle.stage_id, organizer, READ, {"battle": battle.id, "purpose": purpose.strip()[:500]})
    return battle
