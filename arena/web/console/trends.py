"""The sections on a slower clock: time, Elo trace, other choices side by side, parts of the votes, coverage, how many more votes, the draws' test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from arena.domain.stage import Stage
from arena.results.chronicle import Chronicle
from arena.results.exposure import ExposureTable
from arena.results.variants import FEWEST_VOTES, Part, Standing, Variant
from arena.web.console import palette
from arena.web.console.section import KST, Figure, Section, Table, listed, number, particle, percent
from ratings.elo import EloTrace
from ratings.planning import VotesNeeded
from ratings.robustness import Fragility

EMPTY = "아직 집계된 투표가 없습니다."
VARIANTS = {
    "declared": "공식 (선언된 규칙)",
    "raw": "원자료 (제외 없음)",
    "cleaned": "정제 (제안된 제외까지)",
    "weighted": "가중 (모집단 비율)",
    "style": "문체 보정",
}
WHY = {"": "", "no_votes": "투표 없음", "no_strata": "가중할 특성이 없음", "never_met": "서로 비교되지 않은 팀이 있음"}
PARTS = {"language": "언어", "turns": "질문 수", "identity": "본인 확인"}
NAMES = {
    "ko": "한국어",
    "en": "영어",
    "mixed": "섞어 씀",
    "other": "그 밖",
    "erased": "지워짐",
    "1": "1개",
    "2": "2개",
    "3+": "3개 이상",
    "anonymous": "익명",
    "email": "이메일",
    "verified": "본인 확인",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What these sections are made from; computed once, away from the event loop."""

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
        """The Korean name."""
        return self.stage.entrant(entrant).team.ko


def sections(seen: Seen) -> tuple[Section, ...]:
    """All of them."""
    made = [over_time(seen), elo(seen), variants(seen), *(part(seen, kind) for kind in PARTS)]
    return (*made, needed(seen), robustness(seen), coverage(seen), draws(seen))


def over_time(seen: Seen) -> Section:
    """Votes by hour or day, and all of them so far."""
    at = seen.votes.at
    if not len(at):
        return Section("time", "시간에 따른 투표", EMPTY, Table(("시각", "투표", "누적"), ()))
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
                "name": "투표",
                "x": when,
                "y": counts.tolist(),
                "marker": {"color": palette.SKY},
                "hovertemplate": "%{x}<br>%{y:,}표<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": "누적 (오른쪽 눈금)",
                "x": when,
                "y": total.tolist(),
                "yaxis": "y2",
                "line": {"color": palette.VERMILION, "width": 2.5},
                "hovertemplate": "%{x}<br>누적 %{y:,}표<extra></extra>",
            },
        ],
        "layout": palette.layout(
            height=320,
            legend=True,
            xaxis={"type": "date", "tickformat": "%m-%d %H:%M" if step < 86400 else "%m-%d"},
            yaxis={"rangemode": "tozero", "title": {"text": "투표", "font": {"size": 12}}},
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
    label = {600: "10분", 3600: "한 시간", 86400: "하루"}[step]
    return Section(
        "time",
        "시간에 따른 투표",
        f"{label} 단위로 가장 많았던 때는 {when[busiest]}의 {number(float(counts[busiest]))}표입니다.",
        Table(
            ("시각 (KST)", "투표", "누적"),
            tuple(zip(when, counts.tolist(), total.tolist(), strict=True)),
        ),
        figure,
        wide=True,
    )


def elo(seen: Seen) -> Section:
    """Online Elo, as a trace and nothing else."""
    trace = seen.elo
    if trace is None or len(trace.votes) < 2:
        return Section("elo", "온라인 Elo의 자취", EMPTY, Table(("투표",), ()))
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
            "hovertemplate": f"{name}<br>%{{x:,}}표 뒤 %{{y:.0f}}<extra></extra>",
        }
        for n, name in enumerate(names)
    ]
    rows = tuple(
        (int(after), *(round(value, 1) for value in line))
        for after, line in zip(trace.votes.tolist(), trace.ratings.tolist(), strict=True)
    )
    return Section(
        "elo",
        "온라인 Elo의 자취",
        f"투표 {number(float(trace.votes[-1]))}건을 온 순서대로 반영한 자취입니다(K = {trace.k_factor:g}).",
        Table(("투표", *names), rows),
        {
            "data": data,
            "layout": palette.layout(
                height=360,
                legend=True,
                xaxis={"title": {"text": "투표", "font": {"size": 12}}, "separatethousands": True},
                yaxis={"title": {"text": "온라인 Elo", "font": {"size": 12}}},
            ),
        },
        note="Elo는 투표가 온 순서에 따라 달라집니다. 같은 투표라도 순서만 바꾸면 값이 움직이고, 1위가 바뀌기도 합니다. 흐름을 보는 데만 쓰고, 점수에는 쓰지 않습니다.",
        wide=True,
    )


def variants(seen: Seen) -> Section:
    """Raw, cleaned, weighted and style-controlled beside the declared fit."""
    declared = next((v for v in seen.variants if v.name == "declared"), None)
    order = _order(declared.standings if declared else ())
    shown = [v for v in seen.variants if v.standings]
    rows = [
        (
            VARIANTS[v.name],
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
        (VARIANTS[v.name], "–", None, None, None, None, v.votes, WHY[v.why]) for v in seen.variants if not v.standings
    ]
    moved = [VARIANTS[v.name] for v in shown if _order(v.standings) != order]
    says = EMPTY
    if order:
        says = (
            f"순서가 공식 결과와 다른 방식: {listed(moved)}." if moved else "어느 방식으로 보아도 팀의 순서는 같습니다."
        )
    return Section(
        "variants",
        "다른 방식으로 본 결과",
        says,
        Table(("방식", "팀", "순위", "레이팅", "하한", "상한", "투표", "비고"), tuple(rows)),
        _dots(seen, order, [(VARIANTS[v.name], v.standings) for v in shown]) if order else None,
        note="공식 결과는 단계 파일에 선언된 방식 하나입니다. 나머지는 나란히 놓고 보기 위한 것이며 공식 결과를 대신하지 않습니다.",
        wide=True,
    )


def part(seen: Seen, kind: str) -> Section:
    """The same fit for parts of the votes."""
    parts = [p for p in seen.parts if p.kind == kind]
    order = _order(next((v.standings for v in seen.variants if v.name == "declared"), ()))
    rated = [p for p in parts if p.standings]
    rows = [
        (NAMES[p.name], p.votes, seen.team(s.entrant), s.rank, round(s.rating, 1), round(s.low, 1), round(s.high, 1))
        for p in rated
        for s in sorted(p.standings, key=lambda s: s.rank)
    ] + [(NAMES[p.name], p.votes, "–", None, None, None, None) for p in parts if not p.standings]
    said = [f"{NAMES[p.name]} {number(p.votes)}표" for p in parts]
    return Section(
        f"by-{kind}",
        f"{PARTS[kind]}별 결과",
        f"{listed(said)}." if said else EMPTY,
        Table((PARTS[kind], "투표", "팀", "순위", "레이팅", "하한", "상한"), tuple(rows)),
        _dots(seen, order, [(NAMES[p.name], p.standings) for p in rated]) if order and rated else None,
        note=f"{FEWEST_VOTES}표보다 적은 부분은 세기만 하고 레이팅을 내지 않습니다."
        + (" 첫 질문의 글자로 나눈 것입니다." if kind == "language" else ""),
    )


def needed(seen: Seen) -> Section:
    """How many more votes until neighbours are told apart."""
    rows = [
        (
            seen.team(upper),
            seen.team(lower),
            *(("정확히 같음",) * 2 if found is None else (_votes(found.uniform), _votes(found.adaptive))),
        )
        for upper, lower, found in seen.needed
    ]
    says = EMPTY
    if seen.needed_all is not None:
        more = seen.needed_all.uniform
        if more == 0:
            says = "이웃한 순위의 모든 팀이 이미 구분됩니다."
        elif more is None:
            says = "이웃한 순위를 모두 구분하려면 천만 표보다 더 필요합니다."
        else:
            says = f"이웃한 순위의 모든 팀을 구분하려면 균등 추첨으로 약 {number(more)}표가 더 필요합니다."
    return Section(
        "needed",
        "구분될 때까지 남은 투표",
        says,
        Table(("앞선 팀", "뒤의 팀", "더 필요한 투표 (균등 추첨)", "더 필요한 투표 (적응 추첨)"), tuple(rows)),
        note="지금의 추정이 참이고 사람들이 지금처럼 투표한다고 보고 계산한 값입니다. 투표가 더 들어오면 달라집니다.",
    )


def robustness(seen: Seen) -> Section:
    """How few votes decide the order."""
    rows = [(seen.team(f.upper), seen.team(f.lower), f.votes, percent(f.vote_share), f.voters) for f in seen.fragile]
    weakest = min((f for f in seen.fragile if f.votes is not None), key=lambda f: f.votes or 0, default=None)
    says = EMPTY
    if weakest is not None:
        says = f"가장 약한 곳은 {particle(seen.team(weakest.upper), '과', '와')} {seen.team(weakest.lower)} 사이입니다. {number(weakest.votes)}표를 빼면 순서가 바뀝니다."
    return Section(
        "robustness",
        "순서가 얼마나 단단한가",
        says,
        Table(("앞선 팀", "뒤의 팀", "순서를 바꾸는 투표", "비율", "순서를 바꾸는 사람"), tuple(rows)),
        note="골라서 뺐을 때 이웃한 두 팀의 순서를 바꾸는, 찾아낸 가장 적은 수입니다.",
    )


def coverage(seen: Seen) -> Section:
    """Who voted, against who was meant to."""
    titles = {s.id: s.title.ko for s in seen.stage.population.strata}
    names = {(s.id, c.id): c.title.ko for s in seen.stage.population.strata for c in s.categories}
    rows = []
    for row in seen.strata:
        stratum, category = str(row["stratum"]), str(row["category"])
        held, target, weighted = row["voters"], row["target"], row["weighted_share"]
        rows.append(
            (
                titles.get(stratum, stratum),
                names.get((stratum, category), "답하지 않음"),
                None if not isinstance(target, float) else percent(target),
                "10명 미만" if not isinstance(held, int) else held,
                None if not isinstance(weighted, float) else percent(weighted),
            )
        )
    planned = seen.stage.population.planned_voters
    says = "이 단계는 참여자 특성을 묻지 않습니다."
    if seen.strata:
        says = (
            f"참여자 특성은 스스로 동의하고 답한 것만 셉니다. 목표 인원은 {number(planned)}명입니다."
            if planned
            else "참여자 특성은 스스로 동의하고 답한 것만 셉니다."
        )
    return Section(
        "coverage",
        "모집단 층별 참여",
        says,
        Table(("구분", "층", "목표", "참여자", "가중 뒤 비율"), tuple(rows)),
        _coverage_figure(seen, names) if seen.strata else None,
        note="10명보다 적은 집단은 보이지 않습니다." if seen.strata else "",
    )


def draws(seen: Seen) -> Section:
    """The test that the draws followed the rule."""
    found = seen.draws
    columns = ("왼쪽(A)", "오른쪽(B)", "추첨", "규칙의 기대값")
    if found is None or not found.draws:
        return Section("draws", "추첨 규칙 검정", "아직 추첨된 대결이 없습니다.", Table(columns, ()))
    rows = tuple((_name(seen, c.a), _name(seen, c.b), c.drawn, round(c.expected, 1)) for c in found.cells)
    p = min(found.pairs.p, found.sides.p)
    verdict = "추첨은 선언된 규칙과 어긋나지 않습니다" if p >= 0.01 else "추첨이 선언된 규칙과 어긋나 보입니다"
    return Section(
        "draws",
        "추첨 규칙 검정",
        f"{verdict}(짝 p = {found.pairs.p:.3f}, 자리 p = {found.sides.p:.3f}).",
        Table(columns, rows),
        note="카이제곱 검정입니다. 한 번의 작은 p값은 우연일 수 있고, 마감 뒤에는 시드로 모든 추첨을 다시 해 볼 수 있습니다.",
    )


# --- figures ----------------------------------------------------------------------------------------------------------


def _dots(seen: Seen, order: Sequence[str], groups: Sequence[tuple[str, Sequence[Standing]]]) -> Figure:
    """Entrants in rows, one mark for each group beside the others, with intervals."""
    names = [seen.team(entrant) for entrant in order]
    data = []
    for n, (label, standings) in enumerate(groups):
        held = {s.entrant: s for s in standings}
        there = [(place, held[e]) for place, e in enumerate(order) if e in held]
        shift = (n - (len(groups) - 1) / 2) * min(0.16, 0.7 / max(len(groups), 1))
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label,
                "x": [round(s.rating, 1) for _, s in there],
                "y": [place + shift for place, _ in there],
                "customdata": [[seen.team(s.entrant), f"{s.low:.0f}", f"{s.high:.0f}"] for _, s in there],
                "hovertemplate": f"%{{customdata[0]}} · {label}<br>%{{x:.0f}} (%{{customdata[1]}} ~ %{{customdata[2]}})<extra></extra>",
                "marker": {"color": palette.colour(n), "symbol": palette.symbol(n), "size": 10},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [round(s.high - s.rating, 1) for _, s in there],
                    "arrayminus": [round(s.rating - s.low, 1) for _, s in there],
                    "color": palette.colour(n),
                    "thickness": 2,
                    "width": 4,
                },
            }
        )
    return {
        "data": data,
        "layout": palette.layout(
            height=130 + max(50, 18 * len(groups)) * max(len(order), 2),
            legend=True,
            xaxis={"title": {"text": "레이팅", "font": {"size": 12}}},
            yaxis={
                "tickmode": "array",
                "tickvals": list(range(len(names))),
                "ticktext": names,
                "range": [len(names) - 0.5, -0.5],
                "showgrid": False,
            },
        ),
    }


def _coverage_figure(seen: Seen, names: Mapping[tuple[str, str], str]) -> Figure:
    rows = [row for row in seen.strata if row["category"] != "unknown"]
    labels = [names.get((str(r["stratum"]), str(r["category"])), str(r["category"])) for r in rows]
    totals: dict[str, int] = {}
    for row in rows:
        held = row["voters"]
        totals[str(row["stratum"])] = totals.get(str(row["stratum"]), 0) + (held if isinstance(held, int) else 0)
    shares = [
        100 * held / max(totals[str(row["stratum"])], 1) if isinstance(held := row["voters"], int) else None
        for row in rows
    ]
    targets = [100 * target if isinstance(target := row["target"], float) else None for row in rows]
    common = {"x": labels, "type": "scatter", "mode": "markers"}
    return {
        "data": [
            {
                "type": "bar",
                "name": "참여자 비율",
                "x": labels,
                "y": shares,
                "marker": {"color": palette.SKY},
                "hovertemplate": "%{x} %{y:.1f}%<extra></extra>",
            },
            {
                **common,
                "name": "목표",
                "y": targets,
                "marker": {"color": palette.VERMILION, "symbol": "line-ew-open", "size": 26, "line": {"width": 3}},
                "hovertemplate": "%{x} 목표 %{y:.1f}%<extra></extra>",
            },
        ],
        "layout": palette.layout(
            height=320, legend=True, xaxis={"type": "category"}, yaxis={"ticksuffix": "%", "rangemode": "tozero"}
        ),
    }


def _order(standings: Sequence[Standing]) -> list[str]:
    return [s.entrant for s in sorted(standings, key=lambda s: -s.rating)]


def _name(seen: Seen, entrant: str) -> str:
    return seen.team(entrant) if entrant in seen.stage.entrant_ids else entrant


def _votes(count: int | None) -> str:
    return "천만 표 넘게" if count is None else "구분됨" if count == 0 else number(count)


def _step(span_s: float) -> int:
    return 600 if span_s <= 8 * 3600 else 3600 if span_s <= 4 * 86400 else 86400


def _kst(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).astimezone(KST).strftime("%Y-%m-%d %H:%M")
