"""What follows every vote: who beat whom, how people vote, which side wins, who was drawn."""

from arena.results.live.leaderboard import Snapshot
from arena.web.console import palette
from arena.web.console.live import EMPTY, rated, team_of
from arena.web.console.section import Section, Table, many, number, percent
from arena.web.words import Words
from ratings.result import Pair


def sections(seen: Snapshot, t: Words) -> tuple[Section, ...]:
    """All of them."""
    return (pairs(seen, t), outcomes(seen, t), side(seen, t), exposure(seen, t))


def pairs(seen: Snapshot, t: Words) -> Section:
    """Who beat whom, with counts."""
    say = t.say
    met = seen.ratings.pairwise if seen.ratings else ()
    order = [row.model for row in rated(seen)]
    names = [team_of(seen, model, t) for model in order]
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
                    team_of(seen, p.a, t),
                    team_of(seen, p.b, t),
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
    order = [row.model for row in rated(seen)]
    counted = {model: [0.0, 0.0, 0.0, 0.0] for model in order}
    for pair in met:
        for model, won, lost in ((pair.a, pair.wins_a, pair.wins_b), (pair.b, pair.wins_b, pair.wins_a)):
            if model in counted:
                for place, count in enumerate((won, pair.ties, lost, pair.both_bad)):
                    counted[model][place] += count
    names = [team_of(seen, model, t) for model in order]
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


def _decided(pair: Pair) -> float:
    return pair.wins_a + pair.wins_b + pair.ties
