"""The sections that follow every vote: ratings, points, ranks, who beat whom, how people vote, which side wins, who was drawn."""

from collections.abc import Sequence
from itertools import pairwise

from arena.domain.stage import StageStatus
from arena.results.leaderboard import Snapshot
from arena.web.console import palette
from arena.web.console.section import Section, Table, Tile, listed, many, number, particle, percent, span
from arena.web.words import Words
from ratings.result import EntrantRating, Pair

EMPTY = ("아직 집계된 투표가 없습니다.", "No vote has been counted yet.")


def tiles(seen: Snapshot, status: StageStatus, *, paused: bool, t: Words) -> tuple[Tile, ...]:
    """The stage at a glance."""
    say = t.say
    excluded = sum(seen.left_out.values())
    bad = seen.winners["both_bad"]
    states = {
        "draft": say("준비", "Draft"),
        "open": say("진행 중", "Open"),
        "frozen": say("마감", "Frozen"),
        "published": say("공개됨", "Published"),
    }
    state = say("추첨 멈춤", "Draws paused") if paused and status is StageStatus.OPEN else states[status]
    each = number(seen.n_votes_raw / max(seen.n_voters, 1), 1)
    mood = "warn" if paused else "good" if status is StageStatus.OPEN else ""
    return (
        Tile(say("단계", "Stage"), state, t.pick(seen.title), mood),
        Tile(
            say("투표", "Votes"),
            number(seen.n_votes_raw),
            say(f"집계 {number(seen.n_votes_counted)}", f"{number(seen.n_votes_counted)} counted"),
        ),
        Tile(say("참여자", "Voters"), number(seen.n_voters), say(f"1인당 {each}표", f"{each} votes each")),
        Tile(say("제외", "Left out"), number(excluded), percent(excluded / max(seen.n_votes_raw, 1))),
        Tile(
            say("둘 다 별로", "Both bad"),
            percent(bad / max(seen.n_votes_raw, 1)),
            say(f"{number(bad)}표", many(bad, "vote")),
        ),
    )


def sections(seen: Snapshot, component_max: float, planned_advance: int, t: Words) -> tuple[Section, ...]:
    """Every section that follows from the snapshot alone."""
    return (
        ratings(seen, planned_advance, t),
        points(seen, component_max, t),
        ranks(seen, t),
        pairs(seen, t),
        outcomes(seen, t),
        side(seen, t),
        exposure(seen, t),
    )


def ratings(seen: Snapshot, planned_advance: int, t: Words) -> Section:
    """Ratings with their intervals, and everything about an entrant in one table."""
    say = t.say
    rows = _rated(seen)
    columns = (
        say("순위", "Rank"),
        say("순위 95% 구간", "Rank, 95% interval"),
        say("팀", "Team"),
        say("레이팅", "Rating"),
        say("레이팅 95% 구간", "Rating, 95% interval"),
        say("점수", "Points"),
        say("점수 95% 구간", "Points, 95% interval"),
        say("평균 승률", "Mean win rate"),
        say("투표", "Votes"),
        say("비고", "Remark"),
    )
    told = [
        (
            row.rank,
            span(*(row.rank_ci95 or (None, None))),
            _team(seen, row.model, t),
            _round(row.rating, 1),
            span(*(row.rating_ci95 or (None, None)), 0),
            _round(row.points, 2),
            span(*(row.points_ci95 or (None, None)), 2),
            percent(row.win_probability),
            row.n_votes,
            say("잠정", "provisional") if row.provisional else "",
        )
        for row in (seen.ratings.by_rank() if seen.ratings else ())
    ] or [
        ("–", "–", t.pick(team), "–", "–", "–", "–", "–", 0, say("투표 없음", "no vote"))
        for team in seen.entrants.values()
    ]
    notices = [t.pick(notice) for notice in seen.ratings.notices] if seen.ratings else []
    for entrant, team in seen.entrants.items():
        notices = [notice.replace(entrant, t.pick(team)) for notice in notices]
    return Section(
        "ratings",
        say("레이팅", "Ratings"),
        _verdict(seen, rows, planned_advance, t),
        Table(columns, tuple(told)),
        palette.intervals(
            [_team(seen, row.model, t) for row in rows],
            [row.rating or 0 for row in rows],
            [row.rating_ci95 or (0, 0) for row in rows],
            title=say("레이팅 (막대: 95% 구간)", "Rating (bar: 95% interval)"),
            form="{:.0f}",
        )
        if rows
        else None,
        note=" ".join(
            [
                say(
                    "평균이 1000이고, 400점 차이는 열한 번에 열 번 이기는 차이입니다. 구간이 겹쳐도 차이가 뚜렷할 수 있으니 아래 순위 구간과 맞대결의 ‘구분됨’을 보세요.",
                    "The mean is 1000, and a lead of 400 wins ten times out of eleven. A difference can be clear although the intervals overlap: see the rank intervals and ‘told apart’ below.",
                ),
                *notices,
            ]
        ),
        wide=True,
    )


def points(seen: Snapshot, component_max: float, t: Words) -> Section:
    """The user score: points out of the component's maximum."""
    say = t.say
    rows = _rated(seen)
    told = [
        (_team(seen, row.model, t), _round(row.points, 2), span(*(row.points_ci95 or (None, None)), 2), component_max)
        for row in rows
    ]
    figure = None
    if rows:
        figure = palette.intervals(
            [_team(seen, row.model, t) for row in rows],
            [row.points or 0 for row in rows],
            [row.points_ci95 or (0, 0) for row in rows],
            title=say(f"점수 / {component_max:g} (막대: 95% 구간)", f"Points / {component_max:g} (bar: 95% interval)"),
            form="{:.2f}",
            range=[0, component_max],
        )
    best = rows[0] if rows else None
    says = say(*EMPTY)
    if best is not None:
        team, most = _team(seen, best.model, t), number(best.points, 2)
        ends = span(*(best.points_ci95 or (None, None)), 2)
        says = say(
            f"가장 높은 점수는 {team}의 {most}점입니다(만점 {component_max:g}점, 95% 구간 {ends}).",
            f"The highest score is {team}'s: {most} of {component_max:g} points (95% interval {ends}).",
        )
    columns = (say("팀", "Team"), say("점수", "Points"), say("95% 구간", "95% interval"), say("만점", "Maximum"))
    return Section("points", say("사용자 평가 점수", "User score"), says, Table(columns, tuple(told)), figure)


def ranks(seen: Snapshot, t: Words) -> Section:
    """Which ranks cannot be ruled out."""
    say = t.say
    rows = _rated(seen)
    told = [(_team(seen, r.model, t), r.rank, *(r.rank_ci95 or ("–", "–"))) for r in rows]
    figure = None
    if rows:
        figure = palette.intervals(
            [_team(seen, row.model, t) for row in rows],
            [row.rank or 0 for row in rows],
            [row.rank_ci95 or (0, 0) for row in rows],
            title=say("순위 (막대: 가능한 순위)", "Rank (bar: possible ranks)"),
            form=say("{:.0f}위", "{:.0f}"),
            range=[0.5, len(seen.entrants) + 0.5],
            dtick=1,
        )
    sure = [_team(seen, r.model, t) for r in rows if r.rank_ci95 and r.rank_ci95[0] == r.rank_ci95[1]]
    told_sure = listed(sure) or say("없음", "none")
    says = (
        say(f"순위가 하나로 정해진 팀: {told_sure}.", f"Teams with only one possible rank: {told_sure}.")
        if rows
        else say(*EMPTY)
    )
    return Section(
        "ranks",
        say("순위 구간", "Rank intervals"),
        says,
        Table(
            (
                say("팀", "Team"),
                say("순위", "Rank"),
                say("가장 높은 순위", "Best rank"),
                say("가장 낮은 순위", "Worst rank"),
            ),
            tuple(told),
        ),
        figure,
        note=say(
            "모든 팀에 대해 동시에 95%로 성립하는 구간입니다. 구간이 겹치는 팀 사이의 순위는 아직 정해지지 않았습니다.",
            "The intervals hold at 95% for all teams together. Teams whose intervals overlap are not ranked against each other yet.",
        ),
    )


def pairs(seen: Snapshot, t: Words) -> Section:
    """Who beat whom, with counts."""
    say = t.say
    met = seen.ratings.pairwise if seen.ratings else ()
    order = [row.model for row in _rated(seen)]
    names = [_team(seen, model, t) for model in order]
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
                    "hovertemplate": say("%{y} 대 %{x}: %{z:.1f}%", "%{y} against %{x}: %{z:.1f}%") + "<extra></extra>",
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
    verdict = {True: say("예", "yes"), False: say("아니요", "no"), None: "–"}
    apart = sum(1 for p in met if p.separated)
    return Section(
        "pairs",
        say("맞대결", "Head to head"),
        say(
            f"{len(met)}쌍 가운데 {apart}쌍의 차이가 우연으로 보기 어렵습니다.",
            f"{apart} of {many(len(met), 'pair')} can be told apart: the difference is hardly chance.",
        )
        if met
        else say(*EMPTY),
        Table(
            (
                say("팀 1", "Team 1"),
                say("팀 2", "Team 2"),
                say("팀 1 승", "Team 1 won"),
                say("팀 2 승", "Team 2 won"),
                say("비슷해요", "Tie"),
                say("둘 다 별로", "Both bad"),
                say("구분됨", "Told apart"),
            ),
            tuple(
                (
                    _team(seen, p.a, t),
                    _team(seen, p.b, t),
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
        note=say(
            "칸의 값은 왼쪽 팀이 위쪽 팀을 이긴 비율(비슷해요는 반씩)과 투표 수입니다. 파랑은 왼쪽 팀, 주황은 위쪽 팀이 앞선 것입니다.",
            "A cell holds how often the team on the left beat the one above (ties count half) and the number of votes. Blue: the left one leads; orange: the upper one.",
        ),
    )


def outcomes(seen: Snapshot, t: Words) -> Section:
    """Wins, ties, losses and both-bad of each entrant."""
    say = t.say
    met = seen.ratings.pairwise if seen.ratings else ()
    order = [row.model for row in _rated(seen)]
    counted = {model: [0.0, 0.0, 0.0, 0.0] for model in order}
    for pair in met:
        for model, won, lost in ((pair.a, pair.wins_a, pair.wins_b), (pair.b, pair.wins_b, pair.wins_a)):
            if model in counted:
                for place, count in enumerate((won, pair.ties, lost, pair.both_bad)):
                    counted[model][place] += count
    names = [_team(seen, model, t) for model in order]
    shares = [[count / max(sum(row), 1) for count in row] for row in counted.values()]
    labels = {
        say("승", "Won"): (palette.BLUE, ""),
        say("비슷해요", "Tie"): (palette.SKY, "."),
        say("패", "Lost"): (palette.ORANGE, ""),
        say("둘 다 별로", "Both bad"): (palette.GREY, "/"),
    }
    columns = {label: ([row[n] for row in shares], *look) for n, (label, look) in enumerate(labels.items())}
    total = sum(seen.winners.values())
    says = say(*EMPTY)
    if total:
        tie, bad = percent(seen.winners["tie"] / total), percent(seen.winners["both_bad"] / total)
        says = say(
            f"모든 투표의 {tie}가 ‘비슷해요’, {bad}가 ‘둘 다 별로예요’입니다.",
            f"Of all votes {tie} are ties and {bad} call both answers bad.",
        )
    return Section(
        "outcomes",
        say("승 · 비슷해요 · 패 · 둘 다 별로", "Won · tie · lost · both bad"),
        says,
        Table(
            (say("팀", "Team"), *labels, say("합계", "Total")),
            tuple((name, *row, sum(row)) for name, row in zip(names, counted.values(), strict=True)),
        ),
        palette.stacked(names, columns) if order else None,
    )


def side(seen: Snapshot, t: Words) -> Section:
    """Whether the place on the page decides."""
    say = t.say
    bias = seen.side_bias
    share, ends = bias.share, bias.interval
    title = say("A·B 자리 영향", "Does the side matter?")
    columns = (say("자리", "Side"), say("승", "Won"), say("비율", "Share"))
    if share is None or ends is None:
        return Section("side", title, say(*EMPTY), Table(columns[:2], (("A", bias.a), ("B", bias.b))))
    fair = ends[0] <= 0.5 <= ends[1]
    says = say(
        f"A 자리의 답변이 {percent(share)} 이겼습니다(95% 구간 {percent(ends[0])} ~ {percent(ends[1])}). ",
        f"The answer on side A won {percent(share)} (95% interval {percent(ends[0])} ~ {percent(ends[1])}). ",
    )
    if fair:
        says += say("자리에 따른 쏠림은 보이지 않습니다.", "The side makes no difference that can be seen.")
    else:
        says += say("자리에 따른 쏠림이 보입니다.", "The side does make a difference.")
    figure = palette.intervals(
        [say("A 자리", "Side A")],
        [100 * share],
        [(100 * ends[0], 100 * ends[1])],
        title=say("A 자리의 승률 (점선: 50%)", "How often side A wins (dashed: 50%)"),
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
    table = Table(columns, (("A", bias.a, percent(share)), ("B", bias.b, percent(1 - share))))
    return Section(
        "side",
        title,
        says,
        table,
        figure,
        note=say(
            "자리는 대결마다 무작위로 정하므로, 50%에서 벗어나면 사람들이 한쪽을 더 고르는 것입니다.",
            "Sides are drawn at random for every battle: away from 50% means that people prefer a side.",
        ),
    )


def exposure(seen: Snapshot, t: Words) -> Section:
    """How often each entrant was drawn, on each side, and what became of it."""
    say = t.say
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
    names = [t.pick(team) for team in seen.entrants.values()]
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
                "hovertemplate": f"%{{x}} {label} %{{y:,}}{say('번', '')}<extra></extra>",
            }
            for label, counted, shade, pattern in (
                (say("A 자리", "Side A"), on_a, palette.BLUE, ""),
                (say("B 자리", "Side B"), on_b, palette.ORANGE, "/"),
            )
        ],
        "layout": palette.layout(
            height=300,
            legend=True,
            barmode="group",
            xaxis={"type": "category"},
            yaxis={"title": {"text": say("추첨된 대결", "Battles drawn"), "font": {"size": 12}}, "rangemode": "tozero"},
        ),
    }
    return Section(
        "exposure",
        say("노출 균형", "Exposure"),
        say(
            f"팀마다 {number(low)} ~ {number(high)}번 추첨되었습니다.",
            f"Every team was drawn {number(low)} ~ {number(high)} times.",
        )
        if high
        else say("아직 추첨된 대결이 없습니다.", "No battle has been drawn yet."),
        Table(
            (
                say("팀", "Team"),
                say("A 자리", "Side A"),
                say("B 자리", "Side B"),
                say("합계", "Total"),
                say("투표됨", "Voted"),
                say("무효", "Void"),
                say("중단", "Abandoned"),
            ),
            tuple(
                (t.pick(team), on_a[e], on_b[e], on_a[e] + on_b[e], *became[e].values())
                for e, team in seen.entrants.items()
            ),
        ),
        figure if high else None,
        note=say(
            "추첨이 규칙을 따랐는지는 아래 ‘추첨 규칙 검정’에 있습니다.",
            "Whether the draws followed the rule is under ‘Did the draws follow the rule?’ below.",
        ),
    )


def _rated(seen: Snapshot) -> Sequence[EntrantRating]:
    return [row for row in seen.ratings.by_rank() if row.rating is not None] if seen.ratings else []


def _verdict(seen: Snapshot, rows: Sequence[EntrantRating], planned_advance: int, t: Words) -> str:
    """Who leads, and whether the cut is decided; never more than the intervals allow."""
    say = t.say
    if not rows:
        return say(*EMPTY)
    apart = {frozenset((p.a, p.b)) for p in (seen.ratings.pairwise if seen.ratings else ()) if p.separated}
    first = rows[0]
    level = [_team(seen, r.model, t) for r in rows[1:] if frozenset((first.model, r.model)) not in apart]
    team, others = _team(seen, first.model, t), listed(level)
    if level:
        lead = say(
            f"{team}의 레이팅이 가장 높습니다({particle(others, '과는', '와는')} 아직 구분되지 않습니다).",
            f"{team} has the highest rating (not yet told apart from {others}).",
        )
    else:
        lead = say(
            f"{team}의 레이팅이 가장 높습니다(다른 모든 팀과 구분됩니다).",
            f"{team} has the highest rating (told apart from every other team).",
        )
    if not 0 < planned_advance < len(rows):
        return lead
    above, below = next(pair for n, pair in enumerate(pairwise(rows), start=1) if n == planned_advance)
    decided = frozenset((above.model, below.model)) in apart
    upper, lower = planned_advance, planned_advance + 1
    if decided:
        return say(f"{lead} {upper}위와 {lower}위는 구분됩니다.", f"{lead} Ranks {upper} and {lower} are told apart.")
    return say(
        f"{lead} {upper}위와 {lower}위는 아직 구분되지 않습니다.",
        f"{lead} Ranks {upper} and {lower} are not told apart yet.",
    )


def _decided(pair: Pair) -> float:
    return pair.wins_a + pair.wins_b + pair.ties


def _team(seen: Snapshot, entrant: str, t: Words) -> str:
    team = seen.entrants.get(entrant)
    return entrant if team is None else t.pick(team)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
