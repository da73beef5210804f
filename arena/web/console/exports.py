"""The exports tab: every export on disk, what its check says, and how to get it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from arena.domain.errors import NotFound
from arena.domain.stage import StageStatus
from arena.record.events import Event
from arena.results.export.document import JSON, STAGE
from arena.web.console.section import Section, Table, Tile, clock, many, number
from arena.web.words import Words


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
    ko: str
    en: str


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


def tiles(found: Sequence[Shelved], status: StageStatus, t: Words) -> tuple[Tile, ...]:
    """How many there are."""
    say = t.say
    newest = found[0].created_at[:16].replace("T", " ") if found else "–"
    over = status in (StageStatus.FROZEN, StageStatus.PUBLISHED)
    final = say("최종 결과", "final") if over else say("진행 중 (예비)", "preliminary")
    return (
        Tile(say("내보내기", "Exports"), number(len(found))),
        Tile(say("가장 최근", "Newest"), newest),
        Tile(say("지금 만들면", "If made now"), final),
    )


def sections(
    stage_id: str, found: Sequence[Shelved], checks: Mapping[str, Check], events: Sequence[Event], t: Words
) -> tuple[Section, ...]:
    """The shelf and its history."""
    say = t.say
    rows, acts = [], []
    for n, each in enumerate(found):
        check = checks.get(each.name)
        told = say("작성할 때 통과", "passed when made")
        if check is not None:
            word = say("통과", "passed") if check.ok else say("실패", "failed")
            told = f"{word} {clock(check.at)}: {t.pick(check)}"
        size = f"{each.size / 1024:,.0f} KB"
        rows.append((each.created_at[:19].replace("T", " "), each.name, _state(each.status, t), each.votes, size, told))
        acts.append(
            {"row": n, "act": "verify", "label": say("다시 검증", "Verify again"), "body": {"folder": each.name}}
        )
        acts.append(
            {"row": n, "href": f"/organizer/console/exports/{each.name}.zip", "label": say("내려받기", "Download")}
        )
    says = (
        say("아직 내보낸 결과가 없습니다.", "Nothing has been exported yet.")
        if not rows
        else say(
            "모든 내보내기는 쓰기 전에 파일만으로 검증했고, 통과한 것만 남습니다.",
            "Every export was verified from its files alone before it was kept; only what passed is here.",
        )
    )
    kept = [event for event in events if event.kind.startswith(("export.", "stage."))]
    told_events = {
        "export.made": say("작성", "made"),
        "export.asked": say("요청", "asked for"),
        "export.verified": say("검증", "verified"),
        "export.downloaded": say("내려받음", "downloaded"),
        "stage.opened": say("단계 시작", "stage opened"),
        "stage.frozen": say("단계 마감", "stage frozen"),
        "stage.published": say("결과 공개", "result published"),
    }
    return (
        Section(
            "exports",
            say("내보내기", "Exports"),
            says,
            Table(
                (
                    say("작성 (KST)", "Made (KST)"),
                    say("이름", "Name"),
                    say("단계 상태", "Stage"),
                    say("투표", "Votes"),
                    say("크기", "Size"),
                    say("검증", "Check"),
                ),
                tuple(rows),
            ),
            note=say(
                f"받은 사람도 스스로 확인할 수 있습니다: python -m arena verify 폴더. 단계 파일({STAGE})과 공개키가 함께 들어 있습니다.",
                f"Whoever receives one can check it too: python -m arena verify FOLDER. The stage file ({STAGE}) and the public keys are inside.",
            ),
            wide=True,
            acts=tuple(acts),
        ),
        Section(
            "export-history",
            say("내보내기의 기록", "History of the exports"),
            say(f"{len(kept)}건의 기록이 있습니다.", f"{many(len(kept), 'event')} on record.")
            if kept
            else say(f"{stage_id}의 기록이 아직 없습니다.", f"Nothing is on record for {stage_id} yet."),
            Table(
                (
                    say("언제 (KST)", "When (KST)"),
                    say("누가", "Who"),
                    say("무엇을", "What"),
                    say("내용", "Details"),
                ),
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


def forms(t: Words) -> tuple[Mapping[str, object], ...]:
    """Making a new one."""
    say = t.say
    return (
        {
            "id": "export",
            "title": say("새로 내보내기", "New export"),
            "says": [
                say(
                    "지금의 투표로 서명한 결과를 만들고, 파일만으로 다시 계산해 검증한 뒤 목록에 올립니다.",
                    "Makes a signed result of the votes so far, verifies it again from its files alone, and lists it here.",
                ),
                say(
                    "단계가 마감되기 전의 결과에는 ‘예비’라고 적힙니다.",
                    "Before the stage is frozen it is marked preliminary.",
                ),
            ],
            "fields": [],
            "act": "export",
            "button": say("지금 내보내기", "Export now"),
        },
    )


def _state(status: str, t: Words) -> str:
    states = {
        "open": t.say("진행 중 (예비)", "open (preliminary)"),
        "frozen": t.say("마감 (최종)", "frozen (final)"),
        "published": t.say("공개됨 (최종)", "published (final)"),
    }
    return states.get(status, status)
