"""The sections on a slower clock: votes over time, Elo trace, other choices side by side, parts of the votes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from arena.domain.stage import Stage
from arena.results.live.draw_audit import ExposureTable
from arena.results.live.variants import FEWEST_VOTES, Part, Standing, Variant
from arena.results.votes.chronicle import Chronicle
from arena.web.console import palette
from arena.web.console.section import KST, Section, Table, listed, many, number
from arena.web.console.trend_figures import dots
from arena.web.words import Words
from ratings.elo import EloTrace
from ratings.planning import VotesNeeded
from ratings.robustness import Fragility

EMPTY = ("아직 집계된 투표가 없습니다.", "No vote has been counted yet.")
VARIANTS = {
    "declared": ("공식 (선언된 규칙)", "official (declared rule)"),
    "raw": ("원자료 (제외 없음)", "raw (nothing left out)"),
    "cleaned": ("정제 (제안된 제외까지)", "cleaned (proposals left out too)"),
    "weighted": ("가중 (모집단 비율)", "weighted (to the population)"),
    "style": ("문체 보정", "style-controlled"),
}
WHY = {
    "": ("", ""),
    "no_votes": ("투표 없음", "no vote"),
    "no_strata": ("가중할 특성이 없음", "nothing to weight by"),
    "never_met": ("서로 비교되지 않은 팀이 있음", "some teams were never compared"),
}
PARTS = {"language": ("언어", "Language"), "turns": ("질문 수", "Questions"), "identity": ("본인 확인", "Identity")}
NAMES = {
    "ko": ("한국어", "Korean"),
    "en": ("영어", "English"),
    "mixed": ("섞어 씀", "mixed"),
    "other": ("그 밖", "other"),
    "erased": ("지워짐", "erased"),
    "1": ("1개", "1"),
    "2": ("2개", "2"),
    "3+": ("3개 이상", "3 or more"),
    "anonymous": ("익명", "anonymous"),
    "email": ("이메일", "e-mail"),
    "verified": ("본인 확인", "verified"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What these sections are made from; computed once, away from the event loop."""

    t: Words
    """Of the language that this is told in."""
    stage: Stage
    votes: Chronicle
    elo: EloTrace | None
    variants: Sequence[Variant]
    parts: Sequence[Part]
    needed: Sequence[tuple[str, str, VotesNeeded | None]]
    """Neighbours in rank, with how many more votes tell them apart; None where they stand exactly level."""
    needed_all: VotesNeeded | None
    fragile: Sequence[Fragility]
    strata: Sequence[Mapping[str, object]]
    draws: ExposureTable | None

    def team(self, entrant: str) -> str:
        """The name."""
        return self.t.pick(self.stage.entrant(entrant).team)


def sections(seen: Seen) -> tuple[Section, ...]:
    """All of them."""
    made = [over_time(seen), elo(seen), variants(seen), *(part(seen, kind) for kind in PARTS)]
    return tuple(made)


def over_time(seen: Seen) -> Section:
    """Votes by hour or day, and all of them so far."""
    say = seen.t.say
    at = seen.votes.at
    title = say("시간에 따른 투표", "Votes over time")
    columns = (say("시각 (KST)", "Time (KST)"), say("투표", "Votes"), say("누적", "In all"))
    if not len(at):
        return Section("time", title, say(*EMPTY), Table(columns, ()))
    step = _step(float(at[-1] - at[0]))
    # Bins begin on the hour, or the day, of Korea.
    first = np.floor((at[0] + 9 * 3600) / step) * step - 9 * 3600
    bins = ((at - first) // step).astype(np.int64)
    counts = np.bincount(bins)
    when = [_kst(first + n * step) for n in range(len(counts))]
    total = np.cumsum(counts)
    busiest = int(counts.argmax())
    figure = {
        "data": [
            {
                "type": "bar",
                "name": say("투표", "Votes"),
                "x": when,
                "y": counts.tolist(),
                "marker": {"color": palette.SKY},
                "hovertemplate": say("%{x}<br>%{y:,}표", "%{x}<br>%{y:,} votes") + "<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": say("누적 (오른쪽 눈금)", "In all (scale on the right)"),
                "x": when,
                "y": total.tolist(),
                "yaxis": "y2",
                "line": {"color": palette.VERMILION, "width": 2.5},
                "hovertemplate": say("%{x}<br>누적 %{y:,}표", "%{x}<br>%{y:,} votes in all") + "<extra></extra>",
            },
        ],
        "layout": palette.layout(
            height=320,
            legend=True,
            xaxis={"type": "date", "tickformat": "%m-%d %H:%M" if step < 86400 else "%m-%d"},
            yaxis={"rangemode": "tozero", "title": {"text": say("투표", "Votes"), "font": {"size": 12}}},
            yaxis2={
                "overlaying": "y",
                "side": "right",
                "rangemode": "tozero",
                "showgrid": False,
                "fixedrange": True,
                "automargin": True,
                "tickmode": "auto",
            },
        ),
    }
    label = {600: say("10분", "ten minutes"), 3600: say("한 시간", "hour"), 86400: say("하루", "day")}[step]
    most = float(counts[busiest])
    return Section(
        "time",
        title,
        say(
            f"{label} 단위로 가장 많았던 때는 {when[busiest]}의 {number(most)}표입니다.",
            f"The busiest {label}: {when[busiest]}, with {many(most, 'vote')}.",
        ),
        Table(
            columns,
            tuple(zip(when, counts.tolist(), total.tolist(), strict=True)),
        ),
        figure,
        wide=True,
    )


def elo(seen: Seen) -> Section:
    """Online Elo, as a trace and nothing else."""
    say = seen.t.say
    trace = seen.elo
    title = say("온라인 Elo의 자취", "Online Elo, traced")
    if trace is None or len(trace.votes) < 2:
        return Section("elo", title, say(*EMPTY), Table((say("투표", "Votes"),), ()))
    names = [seen.team(model) for model in trace.models]
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": trace.votes.tolist(),
            "y": [round(value, 1) for value in trace.ratings[:, n].tolist()],
            "line": {"color": palette.colour(n), "width": 2},
            "marker": {"symbol": palette.symbol(n), "size": 8, "maxdisplayed": 8},
            "hovertemplate": f"{name}<br>"
            + say("%{x:,}표 뒤 %{y:.0f}", "%{y:.0f} after %{x:,} votes")
            + "<extra></extra>",
        }
        for n, name in enumerate(names)
    ]
    rows = tuple(
        (int(after), *(round(value, 1) for value in line))
        for after, line in zip(trace.votes.tolist(), trace.ratings.tolist(), strict=True)
    )
    return Section(
        "elo",
        title,
        say(
            f"투표 {number(float(trace.votes[-1]))}건을 온 순서대로 반영한 자취입니다(K = {trace.k_factor:g}).",
            f"{many(float(trace.votes[-1]), 'vote')} in the order in which they came (K = {trace.k_factor:g}).",
        ),
        Table((say("투표", "Votes"), *names), rows),
        {
            "data": data,
            "layout": palette.layout(
                height=360,
                legend=True,
                xaxis={"title": {"text": say("투표", "Votes"), "font": {"size": 12}}, "separatethousands": True},
                yaxis={"title": {"text": say("온라인 Elo", "Online Elo"), "font": {"size": 12}}},
            ),
        },
        note=say(
            "Elo는 투표가 온 순서에 따라 달라집니다. 같은 투표라도 순서만 바꾸면 값이 움직이고, 1위가 바뀌기도 합니다. 흐름을 보는 데만 쓰고, 점수에는 쓰지 않습니다.",
            "Elo depends on the order of the votes: the same votes in another order give other values, and may give another leader. It shows the course of things and enters no score.",
        ),
        wide=True,
    )


def variants(seen: Seen) -> Section:
    """Raw, cleaned, weighted and style-controlled beside the declared fit."""
    say = seen.t.say
    declared = next((v for v in seen.variants if v.name == "declared"), None)
    order = _order(declared.standings if declared else ())
    shown = [v for v in seen.variants if v.standings]
    rows = [
        (
            say(*VARIANTS[v.name]),
            seen.team(s.entrant),
            s.rank,
            round(s.rating, 1),
            round(s.low, 1),
            round(s.high, 1),
            v.votes,
            "",
        )
        for v in shown
        for s in sorted(v.standings, key=lambda s: s.rank)
    ]
    rows += [
        (say(*VARIANTS[v.name]), "–", None, None, None, None, v.votes, say(*WHY[v.why]))
        for v in seen.variants
        if not v.standings
    ]
    moved = [say(*VARIANTS[v.name]) for v in shown if _order(v.standings) != order]
    says = say(*EMPTY)
    if order:
        says = say("어느 방식으로 보아도 팀의 순서는 같습니다.", "Every method gives the same order.")
        if moved:
            says = say(
                f"순서가 공식 결과와 다른 방식: {listed(moved)}.",
                f"Methods whose order differs from the official one: {listed(moved)}.",
            )
    return Section(
        "variants",
        say("다른 방식으로 본 결과", "Seen by other methods"),
        says,
        Table(
            (
                say("방식", "Method"),
                say("팀", "Team"),
                say("순위", "Rank"),
                say("레이팅", "Rating"),
                say("하한", "Low"),
                say("상한", "High"),
                say("투표", "Votes"),
                say("비고", "Remark"),
            ),
            tuple(rows),
        ),
        dots(seen.team, order, [(say(*VARIANTS[v.name]), v.standings) for v in shown], seen.t) if order else None,
        note=say(
            "공식 결과는 단계 파일에 선언된 방식 하나입니다. 나머지는 나란히 놓고 보기 위한 것이며 공식 결과를 대신하지 않습니다.",
            "Only the method that the stage file declares is official. The others stand beside it for comparison and replace nothing.",
        ),
        wide=True,
    )


def part(seen: Seen, kind: str) -> Section:
    """The same fit for parts of the votes."""
    say = seen.t.say
    parts = [p for p in seen.parts if p.kind == kind]
    order = _order(next((v.standings for v in seen.variants if v.name == "declared"), ()))
    rated = [p for p in parts if p.standings]
    rows = [
        (
            say(*NAMES[p.name]),
            p.votes,
            seen.team(s.entrant),
            s.rank,
            round(s.rating, 1),
            round(s.low, 1),
            round(s.high, 1),
        )
        for p in rated
        for s in sorted(p.standings, key=lambda s: s.rank)
    ] + [(say(*NAMES[p.name]), p.votes, "–", None, None, None, None) for p in parts if not p.standings]
    said = [f"{say(*NAMES[p.name])} {number(p.votes)}{say('표', '')}" for p in parts]
    return Section(
        f"by-{kind}",
        say(f"{PARTS[kind][0]}별 결과", f"By {PARTS[kind][1].lower()}"),
        f"{listed(said)}." if said else say(*EMPTY),
        Table(
            (
                say(*PARTS[kind]),
                say("투표", "Votes"),
                say("팀", "Team"),
                say("순위", "Rank"),
                say("레이팅", "Rating"),
                say("하한", "Low"),
                say("상한", "High"),
            ),
            tuple(rows),
        ),
        dots(seen.team, order, [(say(*NAMES[p.name]), p.standings) for p in rated], seen.t)
        if order and rated
        else None,
        note=say(
            f"{FEWEST_VOTES}표보다 적은 부분은 세기만 하고 레이팅을 내지 않습니다.",
            f"Parts with fewer than {FEWEST_VOTES} votes are counted and not rated.",
        )
        + (
            say(" 첫 질문의 글자로 나눈 것입니다.", " Told by the letters of the first question.")
            if kind == "language"
            else ""
        ),
    )


def _order(standings: Sequence[Standing]) -> list[str]:
    return [s.entrant for s in sorted(standings, key=lambda s: -s.rating)]


def _step(span_s: float) -> int:
    return 600 if span_s <= 8 * 3600 else 3600 if span_s <= 4 * 86400 else 86400


def _kst(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).astimezone(KST).strftime("%Y-%m-%d %H:%M")
