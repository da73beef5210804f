"""The sections that follow every vote: ratings, points, ranks, who beat whom, how people vote, which side wins, who was drawn."""

from collections.abc import Sequence
from itertools import pairwise

from arena.domain.stage import StageStatus
from arena.results.leaderboard import Snapshot
from arena.web.console import palette
from arena.web.console.section import Section, Table, Tile, listed, number, particle, percent, span
from ratings.result import EntrantRating, Pair

EMPTY = "아직 집계된 투표가 없습니다."


def tiles(seen: Snapshot, status: StageStatus, *, paused: bool) -> tuple[Tile, ...]:
    """The stage at a glance."""
    excluded = sum(seen.left_out.values())
    bad = seen.winners["both_bad"]
    states = {"draft": "준비", "open": "진행 중", "frozen": "마감", "published": "공개됨"}
    state = "추첨 멈춤" if paused and status is StageStatus.OPEN else states[status]
    mood = "warn" if paused else "good" if status is StageStatus.OPEN else ""
    return (
        Tile("단계", state, seen.title.ko, mood),
        Tile("투표", number(seen.n_votes_raw), f"집계 {number(seen.n_votes_counted)}"),
        Tile("참여자", number(seen.n_voters), f"1인당 {number(seen.n_votes_raw / max(seen.n_voters, 1), 1)}표"),
        Tile("제외", number(excluded), percent(excluded / max(seen.n_votes_raw, 1))),
        Tile("둘 다 별로", percent(bad / max(seen.n_votes_raw, 1)), f"{number(bad)}표"),
    )


def sections(seen: Snapshot, component_max: float, planned_advance: int) -> tuple[Section, ...]:
    """Every section that follows from the snapshot alone."""
    return (
        ratings(seen, planned_advance),
        points(seen, component_max),
        ranks(seen),
        pairs(seen),
        outcomes(seen),
        side(seen),
        exposure(seen),
    )


def ratings(seen: Snapshot, planned_advance: int) -> Section:
    """Ratings with their intervals, and everything about an entrant in one table."""
    rows = _rated(seen)
    columns = (
        "순위",
        "순위 95% 구간",
        "팀",
        "레이팅",
        "레이팅 95% 구간",
        "점수",
        "점수 95% 구간",
        "평균 승률",
        "투표",
        "비고",
    )
    told = [
        (
            row.rank,
            span(*(row.rank_ci95 or (None, None))),
            _team(seen, row.model),
            _round(row.rating, 1),
            span(*(row.rating_ci95 or (None, None)), 0),
            _round(row.points, 2),
            span(*(row.points_ci95 or (None, None)), 2),
            percent(row.win_probability),
            row.n_votes,
            "잠정" if row.provisional else "",
        )
        for row in (seen.ratings.by_rank() if seen.ratings else ())
    ] or [("–", "–", team.ko, "–", "–", "–", "–", "–", 0, "투표 없음") for team in seen.entrants.values()]
    notices = [notice.ko for notice in seen.ratings.notices] if seen.ratings else []
    for entrant, team in seen.entrants.items():
        notices = [notice.replace(entrant, team.ko) for notice in notices]
    return Section(
        "ratings",
        "레이팅",
        _verdict(seen, rows, planned_advance),
        Table(columns, tuple(told)),
        palette.intervals(
            [_team(seen, row.model) for row in rows],
            [row.rating or 0 for row in rows],
            [row.rating_ci95 or (0, 0) for row in rows],
            title="레이팅 (막대: 95% 구간)",
            form="{:.0f}",
        )
        if rows
        else None,
        note=" ".join(
            [
                "평균이 1000이고, 400점 차이는 열한 번에 열 번 이기는 차이입니다. 구간이 겹쳐도 차이가 뚜렷할 수 있으니 아래 순위 구간과 맞대결의 ‘구분됨’을 보세요.",
                *notices,
            ]
        ),
        wide=True,
    )


def points(seen: Snapshot, component_max: float) -> Section:
    """The user score: points out of the component's maximum."""
    rows = _rated(seen)
    told = [
        (_team(seen, row.model), _round(row.points, 2), span(*(row.points_ci95 or (None, None)), 2), component_max)
        for row in rows
    ]
    figure = None
    if rows:
        figure = palette.intervals(
            [_team(seen, row.model) for row in rows],
            [row.points or 0 for row in rows],
            [row.points_ci95 or (0, 0) for row in rows],
            title=f"점수 / {component_max:g} (막대: 95% 구간)",
            form="{:.2f}",
            range=[0, component_max],
        )
    best = rows[0] if rows else None
    says = EMPTY
    if best is not None:
        says = f"가장 높은 점수는 {_team(seen, best.model)}의 {number(best.points, 2)}점입니다(만점 {component_max:g}점, 95% 구간 {span(*(best.points_ci95 or (None, None)), 2)})."
    return Section("points", "사용자 평가 점수", says, Table(("팀", "점수", "95% 구간", "만점"), tuple(told)), figure)


def ranks(seen: Snapshot) -> Section:
    """Which ranks cannot be ruled out."""
    rows = _rated(seen)
    told = [(_team(seen, r.model), r.rank, *(r.rank_ci95 or ("–", "–"))) for r in rows]
    figure = None
    if rows:
        figure = palette.intervals(
            [_team(seen, row.model) for row in rows],
            [row.rank or 0 for row in rows],
            [row.rank_ci95 or (0, 0) for row in rows],
            title="순위 (막대: 가능한 순위)",
            form="{:.0f}위",
            range=[0.5, len(seen.entrants) + 0.5],
            dtick=1,
        )
    sure = [_team(seen, r.model) for r in rows if r.rank_ci95 and r.rank_ci95[0] == r.rank_ci95[1]]
    says = f"순위가 하나로 정해진 팀: {listed(sure) or '없음'}." if rows else EMPTY
    return Section(
        "ranks",
        "순위 구간",
        says,
        Table(("팀", "순위", "가장 높은 순위", "가장 낮은 순위"), tuple(told)),
        figure,
        note="모든 팀에 대해 동시에 95%로 성립하는 구간입니다. 구간이 겹치는 팀 사이의 순위는 아직 정해지지 않았습니다.",
    )


def pairs(seen: Snapshot) -> Section:
    """Who beat whom, with counts."""
    met = seen.ratings.pairwise if seen.ratings else ()
    order = [row.model for row in _rated(seen)]
    names = [_team(seen, model) for model in order]
    share = {(p.a, p.b): (p.wins_a + p.ties / 2, _decided(p)) for p in met}
    share |= {(p.b, p.a): (p.wins_b + p.ties / 2, _decided(p)) for p in met}
    figure = None
    if order:
        cells = [[share.get((row, column)) for column in order] for row in order]
        reach = max([15.0, *(abs(100 * won / n - 50) for won, n in share.values() if n)])
        figure = {
            "data": [
                {
                    "type": "heatmap",
                    "x": names,
                    "y": names,
                    "z": [[100 * c[0] / c[1] if c and c[1] else None for c in line] for line in cells],
                    "text": [
                        [f"{100 * c[0] / c[1]:.0f}%<br>{c[1]:,.0f}" if c and c[1] else "" for c in line]
                        for line in cells
                    ],
                    "texttemplate": "%{text}",
                    "textfont": {"color": palette.INK},
                    "hovertemplate": "%{y} 대 %{x}: %{z:.1f}%<extra></extra>",
                    "zmin": 50 - reach,
                    "zmax": 50 + reach,
                    "colorscale": palette.DIVERGING,
                    "xgap": 3,
                    "ygap": 3,
                    "showscale": False,
                }
            ],
            "layout": palette.layout(
                height=90 + 56 * len(order),
                xaxis={"side": "top", "type": "category", "showgrid": False},
                yaxis={"autorange": "reversed", "type": "category", "showgrid": False},
            ),
        }
    verdict = {True: "예", False: "아니요", None: "–"}
    apart = sum(1 for p in met if p.separated)
    return Section(
        "pairs",
        "맞대결",
        f"{len(met)}쌍 가운데 {apart}쌍의 차이가 우연으로 보기 어렵습니다." if met else EMPTY,
        Table(
            ("팀 1", "팀 2", "팀 1 승", "팀 2 승", "비슷해요", "둘 다 별로", "구분됨"),
            tuple(
                (
                    _team(seen, p.a),
                    _team(seen, p.b),
                    p.wins_a,
                    p.wins_b,
                    p.ties,
                    p.both_bad,
                    verdict[p.separated],
                )
                for p in met
            ),
        ),
        figure,
        note="칸의 값은 왼쪽 팀이 위쪽 팀을 이긴 비율(비슷해요는 반씩)과 투표 수입니다. 파랑은 왼쪽 팀, 주황은 위쪽 팀이 앞선 것입니다.",
    )


def outcomes(seen: Snapshot) -> Section:
    """Wins, ties, losses and both-bad of each entrant."""
    met = seen.ratings.pairwise if seen.ratings else ()
    order = [row.model for row in _rated(seen)]
    counted = {model: [0.0, 0.0, 0.0, 0.0] for model in order}
    for pair in met:
        for model, won, lost in ((pair.a, pair.wins_a, pair.wins_b), (pair.b, pair.wins_b, pair.wins_a)):
            if model in counted:
                for place, count in enumerate((won, pair.ties, lost, pair.both_bad)):
                    counted[model][place] += count
    names = [_team(seen, model) for model in order]
    shares = [[count / max(sum(row), 1) for count in row] for row in counted.values()]
    labels = {
        "승": (palette.BLUE, ""),
        "비슷해요": (palette.SKY, "."),
        "패": (palette.ORANGE, ""),
        "둘 다 별로": (palette.GREY, "/"),
    }
    columns = {label: ([row[n] for row in shares], *look) for n, (label, look) in enumerate(labels.items())}
    total = sum(seen.winners.values())
    says = EMPTY
    if total:
        says = f"모든 투표의 {percent(seen.winners['tie'] / total)}가 ‘비슷해요’, {percent(seen.winners['both_bad'] / total)}가 ‘둘 다 별로예요’입니다."
    return Section(
        "outcomes",
        "승 · 비슷해요 · 패 · 둘 다 별로",
        says,
        Table(
            ("팀", *labels, "합계"),
            tuple((name, *row, sum(row)) for name, row in zip(names, counted.values(), strict=True)),
        ),
        palette.stacked(names, columns) if order else None,
    )


def side(seen: Snapshot) -> Section:
    """Whether the place on the page decides."""
    bias = seen.side_bias
    share, ends = bias.share, bias.interval
    if share is None or ends is None:
        return Section("side", "A·B 자리 영향", EMPTY, Table(("자리", "승"), (("A", bias.a), ("B", bias.b))))
    fair = ends[0] <= 0.5 <= ends[1]
    says = f"A 자리의 답변이 {percent(share)} 이겼습니다(95% 구간 {percent(ends[0])} ~ {percent(ends[1])}). "
    says += "자리에 따른 쏠림은 보이지 않습니다." if fair else "자리에 따른 쏠림이 보입니다."
    figure = palette.intervals(
        ["A 자리"],
        [100 * share],
        [(100 * ends[0], 100 * ends[1])],
        title="A 자리의 승률 (점선: 50%)",
        form="{:.1f}%",
        range=[min(40, 100 * ends[0] - 2), max(60, 100 * ends[1] + 2)],
        ticksuffix="%",
    )
    figure["layout"]["shapes"] = [
        {
            "type": "line",
            "x0": 50,
            "x1": 50,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "line": {"color": palette.GREY, "dash": "dash", "width": 2},
        }
    ]
    table = Table(("자리", "승", "비율"), (("A", bias.a, percent(share)), ("B", bias.b, percent(1 - share))))
    return Section(
        "side",
        "A·B 자리 영향",
        says,
        table,
        figure,
        note="자리는 대결마다 무작위로 정하므로, 50%에서 벗어나면 사람들이 한쪽을 더 고르는 것입니다.",
    )


def exposure(seen: Snapshot) -> Section:
    """How often each entrant was drawn, on each side, and what became of it."""
    states = ("voted", "void", "abandoned")
    on_a: dict[str, int] = dict.fromkeys(seen.entrants, 0)
    on_b: dict[str, int] = dict.fromkeys(seen.entrants, 0)
    became = {entrant: dict.fromkeys(states, 0) for entrant in seen.entrants}
    for cell in seen.exposure:
        for entrant, counted in ((cell.model_a, on_a), (cell.model_b, on_b)):
            if entrant in counted:
                counted[entrant] += cell.drawn
                for state, count in cell.states.items():
                    name = "voted" if state in ("voted", "revealed") else state
                    if name in became[entrant]:
                        became[entrant][name] += count
    names = [team.ko for team in seen.entrants.values()]
    total = [on_a[entrant] + on_b[entrant] for entrant in seen.entrants]
    low, high = (min(total), max(total)) if total else (0, 0)
    figure = {
        "data": [
            {
                "type": "bar",
                "name": label,
                "x": names,
                "y": [counted[entrant] for entrant in seen.entrants],
                "marker": {"color": shade, "pattern": palette.pattern(pattern)},
                "hovertemplate": f"%{{x}} {label} %{{y:,}}번<extra></extra>",
            }
            for label, counted, shade, pattern in (
                ("A 자리", on_a, palette.BLUE, ""),
                ("B 자리", on_b, palette.ORANGE, "/"),
            )
        ],
        "layout": palette.layout(
            height=300,
            legend=True,
            barmode="group",
            xaxis={"type": "category"},
            yaxis={"title": {"text": "추첨된 대결", "font": {"size": 12}}, "rangemode": "tozero"},
        ),
    }
    return Section(
        "exposure",
        "노출 균형",
        f"팀마다 {number(low)} ~ {number(high)}번 추첨되었습니다." if high else "아직 추첨된 대결이 없습니다.",
        Table(
            ("팀", "A 자리", "B 자리", "합계", "투표됨", "무효", "중단"),
            tuple(
                (team.ko, on_a[e], on_b[e], on_a[e] + on_b[e], *became[e].values()) for e, team in seen.entrants.items()
            ),
        ),
        figure if high else None,
        note="추첨이 규칙을 따랐는지는 아래 ‘추첨 규칙 검정’에 있습니다.",
    )


def _rated(seen: Snapshot) -> Sequence[EntrantRating]:
    return [row for row in seen.ratings.by_rank() if row.rating is not None] if seen.ratings else []


def _verdict(seen: Snapshot, rows: Sequence[EntrantRating], planned_advance: int) -> str:
    """Who leads, and whether the cut is decided; never more than the intervals allow."""
    if not rows:
        return EMPTY
    apart = {frozenset((p.a, p.b)) for p in (seen.ratings.pairwise if seen.ratings else ()) if p.separated}
    first = rows[0]
    level = [_team(seen, r.model) for r in rows[1:] if frozenset((first.model, r.model)) not in apart]
    lead = f"{_team(seen, first.model)}의 레이팅이 가장 높습니다"
    lead += (
        f"({particle(listed(level), '과는', '와는')} 아직 구분되지 않습니다)."
        if level
        else "(다른 모든 팀과 구분됩니다)."
    )
    if not 0 < planned_advance < len(rows):
        return lead
    above, below = next(pair for n, pair in enumerate(pairwise(rows), start=1) if n == planned_advance)
    decided = frozenset((above.model, below.model)) in apart
    return f"{lead} {planned_advance}위와 {planned_advance + 1}위는 {'구분됩니다' if decided else '아직 구분되지 않습니다'}."


def _decided(pair: Pair) -> float:
    return pair.wins_a + pair.wins_b + pair.ties


def _team(seen: Snapshot, entrant: str) -> str:
    team = seen.entrants.get(entrant)
    return entrant if team is None else team.ko


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
