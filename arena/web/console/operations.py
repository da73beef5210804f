"""The operations tab: what is running, how the models fare, what went wrong, who did what, and the acts that change a stage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from arena.domain.stage import Stage, StageStatus
from arena.record.events import Event
from arena.record.stages import StageRecord
from arena.results.removal import Removal
from arena.web.console import palette
from arena.web.console.section import KST, Section, Table, Tile, clock, listed, number, particle, percent
from models.health import Health

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
AUDIT = 200
"""How many of the newest events are shown; the record keeps all."""
STATES = {"closed": "정상", "half_open": "다시 확인 중", "open": "추첨에서 빠짐"}
KINDS = {
    "timeout": "시간 초과",
    "empty": "빈 답변",
    "protocol": "규격 오류",
    "refused": "거절",
    "connect": "연결 실패",
    "upstream": "모델 서버 오류",
    "unknown": "알 수 없음",
    "busy": "과부하",
    "crashed": "서버 중단",
}
VOIDS = {"answer_failed": "답변 실패"}
EVENTS = {
    "stage.opened": "단계 시작",
    "stage.frozen": "단계 마감",
    "stage.published": "결과 공개",
    "pairing.paused": "추첨 멈춤",
    "pairing.resumed": "추첨 다시 시작",
    "entrant.removed": "참가팀 제외",
    "exclusion.add": "투표 제외",
    "exclusion.remove": "투표 되돌림",
    "export.made": "내보내기 작성",
    "export.asked": "내보내기 요청",
    "export.verified": "내보내기 검증",
    "export.downloaded": "내보내기 내려받음",
    "ratings.seen": "실시간 결과 열람",
    "simulation": "모의 투표",
    "release.made": "공개 자료 작성",
    "texts.read": "대화 열람",
    "texts.purged": "글 파기",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What this tab is made from."""

    stage: Stage
    record: StageRecord
    now: datetime
    votes: int
    running: int
    """Battles being answered, in all processes."""
    battles_by_minute: Mapping[datetime, int]
    votes_by_minute: Mapping[datetime, int]
    voids: Mapping[str, int]
    failures: Counter[tuple[str, str]]
    health: Mapping[str, Health]
    removed: Sequence[Removal]
    events: Sequence[Event]

    def team(self, entrant: str) -> str:
        """The Korean name."""
        return next((e.team.ko for e in self.stage.entrants if e.id == entrant), entrant)


def tiles(seen: Seen) -> tuple[Tile, ...]:
    """Running, rates, errors."""
    out = [seen.team(entrant) for entrant, health in seen.health.items() if health.state != "closed"]
    failed = sum(seen.failures.values())
    paused = seen.record.paused_at is not None
    return (
        Tile(
            "진행 중인 답변",
            number(seen.running),
            f"이 서버 {number(sum(h.running for h in seen.health.values()) / 2)}",
        ),
        Tile("분당 대결", number(_rate(seen.battles_by_minute, seen.now), 1), "최근 5분"),
        Tile("분당 투표", number(_rate(seen.votes_by_minute, seen.now), 1), "최근 5분"),
        Tile("무효 대결", number(sum(seen.voids.values())), "최근 24시간", "warn" if seen.voids else ""),
        Tile("실패한 답변", number(failed), "최근 24시간", "warn" if failed else ""),
        Tile("모델", listed(out) + " 빠짐" if out else "모두 정상", "이 서버에서 본 상태", "bad" if out else "good"),
        Tile(
            "추첨",
            "멈춤" if paused else "진행",
            clock(seen.record.paused_at) if paused else "",
            "warn" if paused else "good",
        ),
    )


def sections(seen: Seen) -> tuple[Section, ...]:
    """Everything but the acts."""
    return (activity(seen), health(seen), outages(seen), removals(seen), failures(seen), audit(seen))


def activity(seen: Seen) -> Section:
    """The last hour, minute by minute."""
    start = (seen.now - HOUR).replace(second=0, microsecond=0)
    minutes = [start + timedelta(minutes=n) for n in range(60)]  # whole ones: the running minute is no fall
    labels = [minute.astimezone(KST).strftime("%H:%M") for minute in minutes]
    opened = [seen.battles_by_minute.get(minute, 0) for minute in minutes]
    cast = [seen.votes_by_minute.get(minute, 0) for minute in minutes]
    rows = tuple((a, b, c) for a, b, c in zip(labels, opened, cast, strict=True) if b or c)
    series = (("대결", opened, palette.SKY, "dot"), ("투표", cast, palette.VERMILION, "solid"))
    return Section(
        "activity",
        "최근 한 시간",
        f"대결 {number(sum(opened))}건, 투표 {number(sum(cast))}건.",
        Table(("시각 (KST)", "대결", "투표"), rows),
        {
            "data": [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "x": labels,
                    "y": values,
                    "line": {"color": shade, "width": 2.5, "dash": dash, "shape": "hv"},
                    "hovertemplate": f"%{{x}} {name} %{{y:,}}건<extra></extra>",
                }
                for name, values, shade, dash in series
            ],
            "layout": palette.layout(
                height=260,
                legend=True,
                xaxis={"type": "category", "nticks": 7},
                yaxis={"rangemode": "tozero", "title": {"text": "분당", "font": {"size": 12}}},
            ),
        },
        wide=True,
    )


def health(seen: Seen) -> Section:
    """How every model fares, as this process has seen it."""
    rows = []
    for entrant, found in seen.health.items():
        errors = listed([f"{KINDS.get(kind, kind)} {count}" for kind, count in found.errors.items()])
        rows.append(
            (
                seen.team(entrant),
                STATES[found.state],
                found.running,
                found.asked,
                found.answered,
                errors or "없음",
                percent(found.recent_success),
                _seconds(found.first_token.p50_s, found.first_token.p95_s),
                _seconds(found.total.p50_s, found.total.p95_s),
                f"{found.outage_s / 60:.1f}분",
            )
        )
    timed = [(e, h.total.p50_s, h.total.p95_s) for e, h in seen.health.items() if h.total.p50_s and h.total.p95_s]
    figure = None
    if timed:
        figure = palette.intervals(
            [seen.team(entrant) for entrant, _, _ in timed],
            [middle for _, middle, _ in timed],
            [(middle, late) for _, middle, late in timed],
            title="답변이 끝날 때까지 (점 p50, 막대 끝 p95, 초)",
            form="{:.2f}초",
            rangemode="tozero",
        )
    out = [seen.team(entrant) for entrant, found in seen.health.items() if found.state != "closed"]
    says = f"추첨에서 빠진 모델: {listed(out)}." if out else "모든 모델이 답하고 있습니다."
    return Section(
        "health",
        "모델 상태",
        says if seen.health else "이 서버는 아직 모델을 열지 않았습니다.",
        Table(
            (
                "팀",
                "상태",
                "진행 중",
                "요청",
                "완료",
                "실패",
                "최근 성공률",
                "첫 글자 p50 / p95",
                "답변 끝 p50 / p95",
                "빠진 시간",
            ),
            tuple(rows),
        ),
        figure,
        note="이 서버가 켜진 뒤의 수치입니다. 과부하와 서버 중단은 운영 쪽 문제로 보아 팀을 빼지 않습니다.",
        wide=True,
    )


def outages(seen: Seen) -> Section:
    """When a model was out of the draw."""
    rows = [
        (seen.team(entrant), clock(o.began), clock(o.ended) if o.ended else "계속됨", o.reason)
        for entrant, found in seen.health.items()
        for o in found.outages
    ]
    rows.sort(key=lambda row: row[1], reverse=True)
    says = f"{len(rows)}번의 중단이 있었습니다." if rows else "이 서버가 켜진 뒤로 중단된 모델이 없습니다."
    return Section("outages", "모델 중단", says, Table(("팀", "시작", "끝", "까닭"), tuple(rows)))


def failures(seen: Seen) -> Section:
    """Failed answers by entrant and kind, and the battles they voided: never a lost battle."""
    rows = [(seen.team(who), KINDS.get(kind, kind), count) for (who, kind), count in sorted(seen.failures.items())]
    rows += [("대결 전체", f"무효: {VOIDS.get(reason, reason)}", count) for reason, count in sorted(seen.voids.items())]
    says = "최근 24시간 동안 실패한 답변이 없습니다."
    if rows:
        says = f"최근 24시간 동안 답변 {number(sum(seen.failures.values()))}건이 실패해 대결 {number(sum(seen.voids.values()))}건이 무효가 되었습니다. 무효 대결은 어느 팀의 패배로도 세지 않습니다."
    return Section("failures", "오류와 무효", says, Table(("팀", "종류", "건수"), tuple(rows)))


def removals(seen: Seen) -> Section:
    """Who has left the stage."""
    rows = tuple((seen.team(r.entrant), clock(r.at), r.reason) for r in seen.removed)
    says = "제외된 참가팀이 없습니다." if not rows else f"참가팀 {len(rows)}팀이 제외되었습니다."
    return Section("removals", "제외된 참가팀", says, Table(("팀", "언제", "사유"), rows))


def audit(seen: Seen) -> Section:
    """Who did what, the newest first."""
    rows = tuple(
        (clock(event.at), event.actor, EVENTS.get(event.kind, event.kind), _told(seen, event))
        for event in reversed(seen.events[-AUDIT:])
    )
    return Section(
        "audit",
        "감사 기록",
        f"모두 {number(len(seen.events))}건입니다. 기록은 더해질 뿐 고치거나 지우지 않습니다.",
        Table(("언제 (KST)", "누가", "무엇을", "내용"), rows),
        note=f"최근 {AUDIT}건을 보입니다." if len(seen.events) > AUDIT else "",
        wide=True,
    )


# --- acts -------------------------------------------------------------------------------------------------------------


def forms(seen: Seen) -> tuple[Mapping[str, Any], ...]:
    """What can be done now, with what will happen spelled out, and the word to be typed where there is no way back."""
    status, made = seen.record.status, []
    if status is StageStatus.OPEN:
        made.append(_pausing(seen))
        left = [e for e in seen.stage.entrants if e.id not in {r.entrant for r in seen.removed}]
        if len(left) > 2:
            made.append(_removing(seen, [(e.id, e.team.ko) for e in left]))
    if move := _moving(seen):
        made.append(move)
    return tuple(made)


def _pausing(seen: Seen) -> Mapping[str, Any]:
    if seen.record.paused_at is not None:
        return {
            "id": "resume",
            "title": "추첨 다시 시작",
            "says": [
                f"{clock(seen.record.paused_at)}부터 새 대결을 멈췄습니다.",
                "누르면 모든 서버에서 곧바로 새 대결을 추첨합니다.",
            ],
            "fields": [],
            "act": "resume",
            "button": "추첨 다시 시작",
        }
    return {
        "id": "pause",
        "title": "추첨 멈추기",
        "says": [
            "모든 서버에서 새 대결을 추첨하지 않습니다.",
            "진행 중인 대결은 끝까지 이어지고, 투표도 받습니다.",
            "시민에게는 ‘잠시 쉬고 있다’는 안내가 보입니다. 언제든 다시 시작할 수 있습니다.",
        ],
        "fields": [{"name": "reason", "label": "까닭 (감사 기록에 남습니다)", "type": "text"}],
        "act": "pause",
        "button": "추첨 멈추기",
    }


def _removing(seen: Seen, left: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    return {
        "id": "remove",
        "title": "참가팀 제외",
        "says": [
            "그 팀은 더 이상 추첨되지 않고, 지금까지의 투표도 평가에서 빠집니다. 투표 기록은 지워지지 않습니다.",
            "사유와 시각이 결과와 함께 공개됩니다.",
            "되돌릴 수 없습니다.",
        ],
        "fields": [
            {"name": "entrant", "label": "제외할 팀", "type": "select", "options": [list(pair) for pair in left]},
            {"name": "reason", "label": "사유 (공개됩니다)", "type": "text"},
        ],
        "act": "remove",
        "button": "참가팀 제외",
        "danger": True,
        "confirm": {"label": "확인을 위해 팀 이름을 그대로 적어 주세요"},
    }


def _moving(seen: Seen) -> Mapping[str, Any] | None:
    stage = seen.stage
    word = {"label": f"확인을 위해 단계 이름을 그대로 적어 주세요: {stage.id}"}
    common = {"fields": [], "act": "move", "danger": True, "confirm": word}
    match seen.record.status:
        case StageStatus.DRAFT:
            return common | {
                "id": "open",
                "title": "단계 시작",
                "says": [
                    f"{stage.title.ko}: 참가팀 {len(stage.entrants)}팀({listed([e.team.ko for e in stage.entrants])}).",
                    "단계 파일, 참가 모델의 해시, 점수 산식이 확정되어 더는 바꿀 수 없습니다.",
                    "시민이 곧바로 대결을 시작할 수 있습니다. 되돌릴 수 없습니다.",
                ],
                "body": {"to": "open"},
                "button": "단계 시작",
            }
        case StageStatus.OPEN:
            return common | {
                "id": "freeze",
                "title": "단계 마감",
                "says": [
                    f"지금까지의 투표 {number(seen.votes)}건이 확정되고, 그 뒤의 투표는 받지 않습니다.",
                    f"답변이 진행 중인 대결 {number(seen.running)}건은 투표할 수 없게 됩니다.",
                    "마지막 체크포인트에 서명하고, 추첨의 시드를 내보내기에 공개합니다.",
                    "다시 열 수 없습니다.",
                ],
                "body": {"to": "frozen"},
                "button": "단계 마감",
            }
        case StageStatus.FROZEN:
            return common | {
                "id": "publish",
                "title": "결과 공개",
                "says": [
                    "서명한 결과를 새로 만들어 파일만으로 모든 수를 다시 계산해 보고, 맞을 때만 공개합니다.",
                    f"{particle(stage.title.ko, '은', '는')} ‘공개됨’이 되고, 등록된 취합 기관에 알립니다.",
                    "되돌릴 수 없습니다.",
                ],
                "body": {"to": "published"},
                "button": "결과 공개",
            }
    return None


def _told(seen: Seen, event: Event) -> str:
    data = event.data
    match event.kind:
        case "entrant.removed":
            return f"{seen.team(data['entrant'])}: {data['reason']}"
        case "exclusion.add" | "exclusion.remove":
            return f"{len(data['battles']):,}표. {data['rule']}"
        case "pairing.paused":
            return str(data.get("reason", ""))
        case "ratings.seen":
            return ""
        case "stage.opened":
            return f"단계 파일 {str(data.get('file_sha256', ''))[:16]}…"
        case "stage.frozen":
            return f"투표 {data['votes']:,}건, 추첨 {data['draws']:,}번, 뿌리 {data['root'][:16]}…"
        case "export.made":
            return str(data.get("export_id", ""))
        case "export.verified":
            return f"{data['folder']}: {data['says']}"
        case "simulation":
            return f"{data['votes']:,}표, {data['voters']:,}명, 시드 {data['seed']}"
    return ", ".join(f"{key} {_short(value)}" for key, value in data.items())


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _rate(by_minute: Mapping[datetime, int], now: datetime) -> float:
    """A minute's count over the last five whole minutes and the running one."""
    since = now - timedelta(minutes=5)
    return sum(count for minute, count in by_minute.items() if minute >= since) / 5


def _seconds(middle: float | None, late: float | None) -> str:
    return "–" if middle is None or late is None else f"{middle:.2f} / {late:.2f}초"
