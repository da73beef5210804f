"""A stage's one way: draft → open → frozen → published, with its sealed file, and its final checkpoint."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from arena.domain.errors import Unusable
from arena.domain.pairing import commitment
from arena.domain.stage import Stage, StageStatus, file_sha256
from arena.record.keys import Keys
from arena.record.ledger import Checkpoint, Ledger
from arena.record.outages import minutes
from arena.record.stages import StageRecord
from arena.record.store import Store
from arena.results.export.bundle import export, git_commit
from arena.results.export.document import kst
from arena.results.export.webhooks import announce
from arena.results.votes.annotations import fix
from arena.results.votes.removals import removals
from arena.results.votes.sealed import known, sealed_stage

FROZEN, PUBLISHED = "stage.frozen", "stage.published"


def unsealed(stage: Stage) -> list[str]:
    """The entrants without the hash of a sealed artifact: a real stage does not open with any."""
    return [entrant for entrant, sha256 in stage.artifacts.items() if not sha256]


def open_stage(store: Store, stage: Stage, file: bytes, *, organizer: str, now: datetime) -> StageRecord:
    """draft → open: seals the file's hash, and with it the entrants, the protocol and the transform.

    Raises:
        Unusable: an entrant of a real stage has no artifact hash.
        Conflict: the stage has opened before.
    """
    if missing := [] if stage.synthetic else unsealed(stage):
        raise Unusable(
            "entrants_unsealed",
            f"참가팀 {', '.join(missing)}의 모델 해시(sha256)가 없어 시작할 수 없습니다.",
            f"{', '.join(missing)}: give the sha256 of the sealed artifact in the stage file; without it a model could be exchanged.",
        )
    text, sha256 = file.decode("utf-8"), file_sha256(file)
    if store.stages.register(stage.id, text, sha256, now).file_sha256 != sha256:
        store.stages.reseal(stage.id, text, sha256)
    return store.stages.open(stage, organizer, now)


def freeze(store: Store, keys: Keys, stage_id: str, *, organizer: str, now: datetime) -> tuple[StageRecord, Checkpoint]:
    """open → frozen: what is committed counts, everything later is refused, and the final checkpoint is signed.

    The status changes in one transaction that every vote's own transaction is ordered against, so a vote at the boundary is either in
    or its citizen is told no. Called again after an interruption, it finishes what is missing and changes nothing else.

    Raises:
        Conflict: the stage is a draft, or published.
        LedgerError: the votes do not agree with what was sealed.
    """
    record = store.stages.find(stage_id)
    if record is None or record.status is not StageStatus.FROZEN:
        record = store.stages.move(stage_id, StageStatus.OPEN, StageStatus.FROZEN, now)
    checkpoint = Ledger(store, keys).checkpoint(stage_id, record.frozen_at or now, final=True)
    fix(store, sealed_stage(store, stage_id))
    if not store.events.of_stage(stage_id, FROZEN):
        data = {"votes": checkpoint.size, "root": checkpoint.root, "draws": record.draws}
        store.events.append(now, stage_id, organizer, FROZEN, data)
    return record, checkpoint


def publish(
    store: Store,
    keys: Keys,
    stage_id: str,
    out: Path,
    root: Path,
    *,
    organizer: str,
    now: datetime,
    webhooks: Sequence[str] = (),
) -> tuple[Path, StageRecord]:
    """frozen → published: exports the stage into `out`, verifies the export, declares it the result, and tells the aggregators.

    Raises:
        Conflict: the stage is not frozen.
        VerificationError: the export does not verify; nothing is published.
    """
    record = known(store, stage_id)
    if record.status is not StageStatus.FROZEN:
        store.stages.move(stage_id, StageStatus.FROZEN, StageStatus.PUBLISHED, now)  # says why not
    folder = export(store, keys, stage_id, out, now, git_commit=git_commit(root))
    record = store.stages.move(stage_id, StageStatus.FROZEN, StageStatus.PUBLISHED, now)
    store.events.append(now, stage_id, organizer, PUBLISHED, {"export": folder.name})
    announce(store, folder, PUBLISHED, webhooks, now)
    return folder, record


def described(stage: Stage, file: bytes) -> str:
    """What a stage file declares, for an organizer to read over."""
    lines = [
        f"{stage.id}: {stage.title.ko} ({stage.title.en}), round {stage.round} of {stage.programme}",
        f"file sha256   {file_sha256(file)}",
        f"window        {kst(stage.opens) or 'open'} to {kst(stage.closes) or 'open'}",
        f"user score    out of {stage.component_max:g} by {stage.protocol.transform.id}; {stage.planned_advance} advance",
        f"pairing       {stage.protocol.pairing}; reveal {stage.protocol.reveal}; both_bad {stage.protocol.both_bad}",
        f"population    {stage.population.kind}, {stage.population.identity}, from age {stage.population.min_age}",
    ]
    lines += _entrants(stage)
    if stage.synthetic:
        lines.append("SYNTHETIC     its numbers are labelled so wherever they are shown")
    return "\n".join(lines)


def _entrants(stage: Stage) -> list[str]:
    return [
        f"entrant       {e.id:<16}{e.team.ko}, {e.backend}, {stage.artifacts[e.id] or 'NOT SEALED: no sha256'}"
        for e in stage.entrants
    ]


def shown(store: Store, stage_id: str | None = None) -> str:
    """Where one stage stands, or all of them."""
    records = [known(store, stage_id)] if stage_id else store.stages.all()
    lines = []
    for record in records:
        lines.append(
            f"{record.id:<24}{record.status:<11}{store.votes.count(record.id):>9} votes{record.draws:>9} draws"
        )
        if stage_id:
            for name in ("opened_at", "frozen_at", "published_at"):
                lines.append(f"  {name:<14}{kst(getattr(record, name)) or '-'}")
            lines.append(f"  file sha256   {record.file_sha256}")
            lines.append(f"  draws         committed to {commitment(record.draw_seed)}")
            lines += [f"  {line}" for line in _entrants(sealed_stage(store, record.id))]
            lines += [f"  removed       {r.entrant} at {kst(r.at)}: {r.reason}" for r in removals(store, record.id)]
            spells = store.outages.of_stage(record.id)
            lines += [f"  outage        {s.entrant} from {kst(s.began)} to {kst(s.until)}: {s.reason}" for s in spells]
            lines += [
                f"  out in all    {who} {out:.1f} minutes" for who, out in minutes(spells, record.frozen_at).items()
            ]
            lines += [f"  push          {parcel.said}" for parcel in store.outbox.of_stage(record.id)]
    return "\n".join(lines) or "no stage yet: open one with `python -m arena stage open FILE`"
