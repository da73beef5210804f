"""The operations tab: what is running, how the models fare, what went wrong, who did what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from arena.domain.stage import Stage
from arena.record.events import Event
from arena.record.stages import StageRecord
from arena.results.votes.removals import Removal
from arena.web.console import palette
from arena.web.console.grounds import grounds, kind_of, outage
from arena.web.console.section import KST, Section, Table, Tile, clock, listed, many, number, percent
from arena.web.words import Words
from models.health import Health

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
AUDIT = 200
"""How many of the newest events are shown; the record keeps all."""
STATES: Final = {
    "closed": ("정상", "Answering"),
    "half_open": ("다시 확인 중", "Being asked again"),
    "open": ("추첨에서 빠짐", "Out of the draw"),
}
VOIDS: Final = {
    "answer_failed": ("답변 실패", "an answer failed"),
    "answer_filtered": ("팀의 필터가 답변을 막음", "a team's filter cut an answer"),
    "too_long": ("질문이 모델에 너무 긺", "a question was too long for a model"),
}
EVENTS: Final = {
    "stage.opened": ("단계 시작", "Stage opened"),
    "stage.frozen": ("단계 마감", "Stage frozen"),
    "stage.published": ("결과 공개", "Result published"),
    "pairing.paused": ("추첨 멈춤", "Draws paused"),
    "pairing.resumed": ("추첨 다시 시작", "Draws resumed"),
    "entrant.removed": ("참가팀 제외", "Team removed"),
    "entrant.left_draw": ("모델이 추첨에서 빠짐", "Model left the draw"),
    "entrant.still_out": ("모델이 아직 답하지 않음", "Model still out"),
    "entrant.back_in_draw": ("모델이 추첨에 돌아옴", "Model back in the draw"),
    "exclusion.add": ("투표 제외", "Votes left out"),
    "exclusion.remove": ("투표 되돌림", "Votes taken back"),
    "export.made": ("내보내기 작성", "Export made"),
    "export.asked": ("내보내기 요청", "Export asked for"),
    "export.verified": ("내보내기 검증", "Export verified"),
    "export.downloaded": ("내보내기 내려받음", "Export downloaded"),
    "ratings.seen": ("실시간 결과 열람", "Live results seen"),
    "simulation": ("모의 투표", "Simulated votes"),
    "release.made": ("공개 자료 작성", "Public data made"),
    "texts.read": ("대화 열람", "Conversation read"),
    "texts.purged": ("글 파기", "Texts erased"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What this tab is made from."""

    t: Words
    """Of the language that this is told in."""
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
        """The name."""
        return next((self.t.pick(e.team) for e in self.stage.entrants if e.id == entrant), entrant)


def tiles(seen: Seen) -> tuple[Tile, ...]:
    """Running, rates, errors."""
    say = seen.t.say
    out = [seen.team(entrant) for entrant, health in seen.health.items() if health.state != "closed"]
    failed = sum(seen.failures.values())
    paused = seen.record.paused_at is not None
    here = number(sum(h.running for h in seen.health.values()) / 2)
    minutes, day = say("최근 5분", "last 5 minutes"), say("최근 24시간", "last 24 hours")
    return (
        Tile(
            say("진행 중인 답변", "Being answered"),
            number(seen.running),
            say(f"이 서버 {here}", f"{here} on this server"),
        ),
        Tile(say("분당 대결", "Battles a minute"), number(_rate(seen.battles_by_minute, seen.now), 1), minutes),
        Tile(say("분당 투표", "Votes a minute"), number(_rate(seen.votes_by_minute, seen.now), 1), minutes),
        Tile(say("무효 대결", "Void battles"), number(sum(seen.voids.values())), day, "warn" if seen.voids else ""),
        Tile(say("실패한 답변", "Failed answers"), number(failed), day, "warn" if failed else ""),
        Tile(
            say("모델", "Models"),
            say(f"{listed(out)} 빠짐", f"{listed(out)} out") if out else say("모두 정상", "all well"),
            say("이 서버에서 본 상태", "as this server sees them"),
            "bad" if out else "good",
        ),
        Tile(
            say("추첨", "Draws"),
            say("멈춤", "paused") if paused else say("진행", "running"),
            clock(seen.record.paused_at) if paused else "",
            "warn" if paused else "good",
        ),
    )


def sections(seen: Seen) -> tuple[Section, ...]:
    """Everything but the acts."""
    return (activity(seen), health(seen), outages(seen), removals(seen), failures(seen), audit(seen))


def activity(seen: Seen) -> Section:
    """The last hour, minute by minute."""
    say = seen.t.say
    start = (seen.now - HOUR).replace(second=0, microsecond=0)
    minutes = [start + timedelta(minutes=n) for n in range(60)]  # whole ones: the running minute is no fall
    labels = [minute.astimezone(KST).strftime("%H:%M") for minute in minutes]
    opened = [seen.battles_by_minute.get(minute, 0) for minute in minutes]
    cast = [seen.votes_by_minute.get(minute, 0) for minute in minutes]
    rows = tuple((a, b, c) for a, b, c in zip(labels, opened, cast, strict=True) if b or c)
    series = (
        (say("대결", "Battles"), opened, palette.SKY, "dot"),
        (say("투표", "Votes"), cast, palette.VERMILION, "solid"),
    )
    return Section(
        "activity",
        say("최근 한 시간", "The last hour"),
        say(
            f"대결 {number(sum(opened))}건, 투표 {number(sum(cast))}건.",
            f"{many(sum(opened), 'battle')}, {many(sum(cast), 'vote')}.",
        ),
        Table((say("시각 (KST)", "Time (KST)"), say("대결", "Battles"), say("투표", "Votes")), rows),
        {
            "data": [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "x": labels,
                    "y": values,
                    "line": {"color": shade, "width": 2.5, "dash": dash, "shape": "hv"},
                    "hovertemplate": f"%{{x}} {name} %{{y:,}}{say('건', '')}<extra></extra>",
                }
                for name, values, shade, dash in series
            ],
            "layout": palette.layout(
                height=260,
                legend=True,
                xaxis={"type": "category", "nticks": 7},
                yaxis={"rangemode": "tozero", "title": {"text": say("분당", "a minute"), "font": {"size": 12}}},
            ),
        },
        wide=True,
    )


def health(seen: Seen) -> Section:
    """How every model fares, as this process has seen it."""
    say = seen.t.say
    rows = []
    for entrant, found in seen.health.items():
        errors = listed([f"{kind_of(kind, seen.t)} {count}" for kind, count in found.errors.items()])
        rows.append(
            (
                seen.team(entrant),
                say(*STATES[found.state]),
                found.running,
                found.asked,
                found.answered,
                errors or say("없음", "none"),
                percent(found.recent_success),
                _seconds(found.first_token.p50_s, found.first_token.p95_s, seen.t),
                _seconds(found.total.p50_s, found.total.p95_s, seen.t),
                f"{found.outage_s / 60:.1f}{say('분', ' min')}",
            )
        )
    timed = [(e, h.total.p50_s, h.total.p95_s) for e, h in seen.health.items() if h.total.p50_s and h.total.p95_s]
    figure = None
    if timed:
        figure = palette.intervals(
            [seen.team(entrant) for entrant, _, _ in timed],
            [middle for _, middle, _ in timed],
            [(middle, late) for _, middle, late in timed],
            title=say(
                "답변이 끝날 때까지 (점 p50, 막대 끝 p95, 초)",
                "Until the answer ends (point p50, end of bar p95, seconds)",
            ),
            form=say("{:.2f}초", "{:.2f} s"),
            rangemode="tozero",
        )
    out = [seen.team(entrant) for entrant, found in seen.health.items() if found.state != "closed"]
    says = say("모든 모델이 답하고 있습니다.", "All models are answering.")
    if out:
        says = say(f"추첨에서 빠진 모델: {listed(out)}.", f"Out of the draw: {listed(out)}.")
    return Section(
        "health",
        say("모델 상태", "Models"),
        says
        if seen.health
        else say("이 서버는 아직 모델을 열지 않았습니다.", "This server has not opened the models yet."),
        Table(
            (
                say("팀", "Team"),
                say("상태", "State"),
                say("진행 중", "Running"),
                say("요청", "Asked"),
                say("완료", "Answered"),
                say("실패", "Failed"),
                say("최근 성공률", "Recent success"),
                say("첫 글자 p50 / p95", "First words p50 / p95"),
                say("답변 끝 p50 / p95", "Whole answer p50 / p95"),
                say("빠진 시간", "Time out"),
            ),
            tuple(rows),
        ),
        figure,
        note=say(
            "이 서버가 켜진 뒤의 수치입니다. 과부하와 서버 중단은 운영 쪽 문제로 보아 팀을 빼지 않습니다.",
            "Figures since this server started. Overload and a server that is down are held to be ours: no team is taken out for them.",
        ),
        wide=True,
    )


def outages(seen: Seen) -> Section:
    """When a model was out of the draw."""
    say = seen.t.say
    rows = [
        (
            seen.team(entrant),
            clock(o.began),
            clock(o.ended) if o.ended else say("계속됨", "goes on"),
            outage(o.reason, seen.t),
        )
        for entrant, found in seen.health.items()
        for o in found.outages
    ]
    rows.sort(key=lambda row: row[1], reverse=True)
    says = say("이 서버가 켜진 뒤로 중단된 모델이 없습니다.", "No model has been out since this server started.")
    if rows:
        says = say(f"{len(rows)}번의 중단이 있었습니다.", f"{many(len(rows), 'outage')} since this server started.")
    columns = (say("팀", "Team"), say("시작", "From"), say("끝", "To"), say("까닭", "Reason"))
    return Section("outages", say("모델 중단", "Outages"), says, Table(columns, tuple(rows)))


def failures(seen: Seen) -> Section:
    """Failed answers by entrant and kind, and the battles they voided: never a lost battle."""
    say = seen.t.say
    rows = [(seen.team(who), kind_of(kind, seen.t), count) for (who, kind), count in sorted(seen.failures.items())]
    rows += [
        (
            say("대결 전체", "All battles"),
            f"{say('무효', 'void')}: {say(*VOIDS.get(reason, (reason, reason)))}",
            count,
        )
        for reason, count in sorted(seen.voids.items())
    ]
    says = say("최근 24시간 동안 실패한 답변이 없습니다.", "No answer has failed in the last 24 hours.")
    if rows:
        failed, void = sum(seen.failures.values()), sum(seen.voids.values())
        says = say(
            f"최근 24시간 동안 답변 {number(failed)}건이 실패해 대결 {number(void)}건이 무효가 되었습니다. 무효 대결은 어느 팀의 패배로도 세지 않습니다.",
            f"In the last 24 hours {many(failed, 'answer')} failed and {many(void, 'battle')} became void. A void battle is nobody's loss.",
        )
    columns = (say("팀", "Team"), say("종류", "Kind"), say("건수", "Count"))
    return Section("failures", say("오류와 무효", "Failures"), says, Table(columns, tuple(rows)))


def removals(seen: Seen) -> Section:
    """Who has left the stage."""
    say = seen.t.say
    rows = tuple((seen.team(r.entrant), clock(r.at), r.reason) for r in seen.removed)
    says = say("제외된 참가팀이 없습니다.", "No team has been removed.")
    if rows:
        says = say(f"참가팀 {len(rows)}팀이 제외되었습니다.", f"{many(len(rows), 'team')} removed.")
    columns = (say("팀", "Team"), say("언제", "When"), say("사유", "Reason"))
    return Section("removals", say("제외된 참가팀", "Removed teams"), says, Table(columns, rows))


def audit(seen: Seen) -> Section:
    """Who did what, the newest first."""
    say = seen.t.say
    rows = tuple(
        (clock(event.at), event.actor, say(*EVENTS.get(event.kind, (event.kind, event.kind))), _told(seen, event))
        for event in reversed(seen.events[-AUDIT:])
    )
    return Section(
        "audit",
        say("감사 기록", "Audit log"),
        say(
            f"모두 {number(len(seen.events))}건입니다. 기록은 더해질 뿐 고치거나 지우지 않습니다.",
            f"{many(len(seen.events), 'event')} in all. The log only grows: nothing in it is changed or erased.",
        ),
        Table(
            (say("언제 (KST)", "When (KST)"), say("누가", "Who"), say("무엇을", "What"), say("내용", "Details")),
            rows,
        ),
        note=say(f"최근 {AUDIT}건을 보입니다.", f"The newest {AUDIT} are shown.") if len(seen.events) > AUDIT else "",
        wide=True,
    )


def _told(seen: Seen, event: Event) -> str:
    data, say = event.data, seen.t.say
    match event.kind:
        case "entrant.removed":
            return f"{seen.team(data['entrant'])}: {data['reason']}"
        case "exclusion.add" | "exclusion.remove":
            rule = grounds(data["rule"], seen.t, seen.team)
            return say(f"{len(data['battles']):,}표. {rule}", f"{many(len(data['battles']), 'vote')}. {rule}")
        case "entrant.left_draw" | "entrant.still_out" | "entrant.back_in_draw":
            return f"{seen.team(data['entrant'])}: {outage(data['reason'], seen.t)}"
        case "pairing.paused":
            return str(data.get("reason", ""))
        case "ratings.seen":
            return ""
        case "stage.opened":
            return f"{say('단계 파일', 'stage file')} {str(data.get('file_sha256', ''))[:16]}…"
        case "stage.frozen":
            return say(
                f"투표 {data['votes']:,}건, 추첨 {data['draws']:,}번, 뿌리 {data['root'][:16]}…",
                f"{many(data['votes'], 'vote')}, {many(data['draws'], 'draw')}, root {data['root'][:16]}…",
            )
        case "export.made":
            return str(data.get("export_id", ""))
        case "export.verified":
            return f"{data['folder']}: {say(data['ko'], data['en'])}"
        case "simulation":
            return say(
                f"{data['votes']:,}표, {data['voters']:,}명, 시드 {data['seed']}",
                f"{many(data['votes'], 'vote')}, {many(data['voters'], 'voter')}, seed {data['seed']}",
            )
    return ", ".join(f"{key} {_short(value)}" for key, value in data.items())


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _rate(by_minute: Mapping[datetime, int], now: datetime) -> float:
    """A minute's count over the last five whole minutes and the running one."""
    since = now - timedelta(minutes=5)
    return sum(count for minute, count in by_minute.items() if minute >= since) / 5


def _seconds(middle: float | None, late: float | None, t: Words) -> str:
    return "–" if middle is None or late is None else f"{middle:.2f} / {late:.2f}{t.say('초', ' s')}"
