"""The exports tab: every export on disk, what its check says, and how to get it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from arena.domain.clock import kst
from arena.domain.coded import Kept
from arena.domain.errors import NotFound
from arena.domain.stage import StageStatus
from arena.i18n import facts
from arena.i18n.catalogue import Messages
from arena.record.events import Event
from arena.results.export.document import JSON, STAGE
from arena.results.export.schema import UserScore
from arena.web.console.document import Section, Table, Tile, clock, number

VERIFIED = "export.verified"


@dataclass(frozen=True, slots=True)
class Shelved:
    """One export folder."""

    name: str
    export_id: str
    created_at: str
    status: str
    votes: int
    size: int
    """Bytes, all files together."""


class Check(BaseModel):
    """What the stranger's check found when an organizer asked for it: the data of an event `export.verified`."""

    folder: str
    ok: bool
    checks: int | None = None
    """How many were passed."""
    error: dict[str, Any] | None = None
    """The first that was not, and what does not hold: a code and its parameters."""

    def told(self, t: Messages) -> str:
        """Tell what was found; of the oldest events no more is known than whether it was in order."""
        if self.checks is not None:
            return t("checks_passed", checks=self.checks)
        return "" if self.error is None else t.of(Kept.read(self.error))


def shelved(root: Path) -> list[Shelved]:
    """List the exports under a stage's folder, the newest first; what cannot be read is no export."""
    found = list(_found(root)) if root.is_dir() else []
    return sorted(found, key=lambda each: each.created_at, reverse=True)


def _found(root: Path) -> Iterator[Shelved]:
    for folder in root.iterdir():
        if folder.is_symlink() or folder.name.startswith(".") or not (folder / JSON).is_file():
            continue
        try:
            document = UserScore.model_validate_json((folder / JSON).read_bytes())
        except ValidationError:
            continue
        yield Shelved(
            folder.name,
            document.export_id,
            str(kst(document.created_at)),
            document.stage.status,
            document.population.n_votes_raw,
            sum(path.stat().st_size for path in folder.iterdir()),
        )


def folder_of(root: Path, name: str) -> Path:
    """Find the export with this name.

    Raises:
        NotFound: there is none; a name never leads out of `root`.
    """
    if name not in {each.name for each in shelved(root)}:
        raise NotFound("no_export")
    return root / name


def tiles(found: Sequence[Shelved], status: StageStatus, t: Messages) -> tuple[Tile, ...]:
    """How many there are."""
    newest = found[0].created_at[:16].replace("T", " ") if found else "–"
    kinds = {StageStatus.FROZEN: "exports_provisional", StageStatus.PUBLISHED: "exports_final"}
    return (
        Tile(t("exports_title"), number(len(found))),
        Tile(t("exports_newest"), newest),
        Tile(t("exports_if_made_now"), t(kinds.get(status, "exports_preliminary"))),
    )


def sections(stage_id: str, found: Sequence[Shelved], events: Sequence[Event], t: Messages) -> tuple[Section, ...]:
    """Show the shelf and its history."""
    rows, acts = [], []
    checked = {event.data["folder"]: event for event in events if event.kind == VERIFIED}  # the newest of each folder
    for n, each in enumerate(found):
        told = t("exports_passed_when_made")
        if each.name in checked:
            check, at = Check.model_validate(checked[each.name].data), clock(checked[each.name].at)
            word = t("exports_passed", at=at) if check.ok else t("exports_failed", at=at)
            told = ": ".join(filter(None, [word, check.told(t)]))
        size = f"{each.size / 1024:,.0f} KB"
        rows.append((each.created_at[:19].replace("T", " "), each.name, _state(each.status, t), each.votes, size, told))
        acts.append({"row": n, "act": "verify", "label": t("exports_verify_again"), "body": {"folder": each.name}})
        acts.append({"row": n, "href": f"/organizer/console/exports/{each.name}.zip", "label": t("exports_download")})
    kept = [event for event in events if event.kind.startswith(("export.", "stage."))]
    return (
        Section(
            "exports",
            t("exports_title"),
            t("exports_verified") if rows else t("exports_none"),
            Table(
                (
                    t("exports_made"),
                    t("exports_name"),
                    t("exports_stage"),
                    t("console_votes"),
                    t("exports_size"),
                    t("exports_check"),
                ),
                tuple(rows),
            ),
            note=t("exports_note", file=STAGE),
            wide=True,
            acts=tuple(acts),
        ),
        Section(
            "export-history",
            t("exports_history_title"),
            t("exports_history_events", events=len(kept)) if kept else t("exports_history_none", stage=stage_id),
            Table(
                (t("console_when"), t("console_who"), t("console_what"), t("console_details")),
                tuple(
                    (
                        clock(e.at),
                        e.actor,
                        facts.named("event", e.kind, t),
                        str(e.data.get("export_id") or e.data.get("folder") or ""),
                    )
                    for e in reversed(kept)
                ),
            ),
            wide=True,
        ),
    )


def forms(t: Messages) -> tuple[Mapping[str, object], ...]:
    """Offer to make a new one."""
    return (
        {
            "id": "export",
            "title": t("exports_new_title"),
            "says": [t("exports_new_signed"), t("exports_new_preliminary")],
            "fields": [],
            "act": "export",
            "button": t("exports_new_button"),
        },
    )


def _state(status: str, t: Messages) -> str:
    return facts.named("exports_stage", status, t)
