"""The exports tab: every export on disk, what its check says, and how to get it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from arena.domain.errors import NotFound
from arena.domain.stage import StageStatus
from arena.record.events import Event
from arena.results.document import JSON, STAGE
from arena.web.console.section import Section, Table, Tile, clock, number


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


@dataclass(frozen=True, slots=True)
class Check:
    """What the stranger's check said when an organizer asked for it."""

    at: datetime
    ok: bool
    says: str


def shelved(root: Path) -> list[Shelved]:
    """The exports under a stage's folder, the newest first; what cannot be read is no export."""
    found = list(_found(root)) if root.is_dir() else []
    return sorted(found, key=lambda each: each.created_at, reverse=True)


def _found(root: Path) -> Iterator[Shelved]:
    for folder in root.iterdir():
        if folder.is_symlink() or folder.name.startswith(".") or not (folder / JSON).is_file():
            continue
        document = orjson.loads((folder / JSON).read_bytes())
        yield Shelved(
            folder.name,
            document["export_id"],
            document["created_at"],
            document["stage"]["status"],
            document["population"]["n_votes_raw"],
            sum(path.stat().st_size for path in folder.iterdir()),
        )


def folder_of(root: Path, name: str) -> Path:
    """The export with this name.

    Raises:
        NotFound: there is none; a name never leads out of `root`.
    """
    if name not in {each.name for each in shelved(root)}:
        raise NotFound("no_export", "이 이름의 내보내기가 없습니다.", "There is no export of this name.")
    return root / name


def tiles(found: Sequence[Shelved], status: StageStatus) -> tuple[Tile, ...]:
    """How many there are."""
    newest = found[0].created_at[:16].replace("T", " ") if found else "–"
    final = "최종 결과" if status in (StageStatus.FROZEN, StageStatus.PUBLISHED) else "진행 중 (예비)"
    return (Tile("내보내기", number(len(found))), Tile("가장 최근", newest), Tile("지금 만들면", final))


def sections(
    stage_id: str, found: Sequence[Shelved], checks: Mapping[str, Check], events: Sequence[Event]
) -> tuple[Section, ...]:
    """The shelf and its history."""
    rows, acts = [], []
    for n, each in enumerate(found):
        check = checks.get(each.name)
        told = (
            "작성할 때 통과" if check is None else f"{'통과' if check.ok else '실패'} {clock(check.at)}: {check.says}"
        )
        size = f"{each.size / 1024:,.0f} KB"
        rows.append((each.created_at[:19].replace("T", " "), each.name, _state(each.status), each.votes, size, told))
        acts.append({"row": n, "act": "verify", "label": "다시 검증", "body": {"folder": each.name}})
        acts.append({"row": n, "href": f"/organizer/console/exports/{each.name}.zip", "label": "내려받기"})
    says = (
        "아직 내보낸 결과가 없습니다."
        if not rows
        else "모든 내보내기는 쓰기 전에 파일만으로 검증했고, 통과한 것만 남습니다."
    )
    kept = [event for event in events if event.kind.startswith(("export.", "stage."))]
    told_events = {
        "export.made": "작성",
        "export.asked": "요청",
        "export.verified": "검증",
        "export.downloaded": "내려받음",
        "stage.opened": "단계 시작",
        "stage.frozen": "단계 마감",
        "stage.published": "결과 공개",
    }
    return (
        Section(
            "exports",
            "내보내기",
            says,
            Table(("작성 (KST)", "이름", "단계 상태", "투표", "크기", "검증"), tuple(rows)),
            note=f"받은 사람도 스스로 확인할 수 있습니다: python -m arena verify 폴더. 단계 파일({STAGE})과 공개키가 함께 들어 있습니다.",
            wide=True,
            acts=tuple(acts),
        ),
        Section(
            "export-history",
            "내보내기의 기록",
            f"{len(kept)}건의 기록이 있습니다." if kept else f"{stage_id}의 기록이 아직 없습니다.",
            Table(
                ("언제 (KST)", "누가", "무엇을", "내용"),
                tuple(
                    (
                        clock(e.at),
                        e.actor,
                        told_events.get(e.kind, e.kind),
                        str(e.data.get("export_id") or e.data.get("folder") or ""),
                    )
                    for e in reversed(kept)
                ),
            ),
            wide=True,
        ),
    )


def forms() -> tuple[Mapping[str, object], ...]:
    """Making a new one."""
    return (
        {
            "id": "export",
            "title": "새로 내보내기",
            "says": [
                "지금의 투표로 서명한 결과를 만들고, 파일만으로 다시 계산해 검증한 뒤 목록에 올립니다.",
                "단계가 마감되기 전의 결과에는 ‘예비’라고 적힙니다.",
            ],
            "fields": [],
            "act": "export",
            "button": "지금 내보내기",
        },
    )


def _state(status: str) -> str:
    return {"open": "진행 중 (예비)", "frozen": "마감 (최종)", "published": "공개됨 (최종)"}.get(status, status)
