"""What follows every vote: who beat whom, how people vote, which side wins, who was drawn."""

from arena.i18n.catalogue import Messages
from arena.results.live.leaderboard import Snapshot
from arena.web.console import charts as palette
from arena.web.console.document import Section, Table, percent
from arena.web.console.tabs.live import rated, team_of
from ratings.result import Pair


def sections(seen: Snapshot, t: Messages) -> tuple[Section, ...]:
    """All of them."""
    return (pairs(seen, t), outcomes(seen, t), side(seen, t), exposure(seen, t))


def pairs(seen: Snapshot, t: Messages) -> Section:
    """Who beat whom, with counts."""
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
                    "hovertemplate": t("live_pairs_hover", team="%{y}", rival="%{x}", share="%{z:.1f}%")
                    + "<extra></extra>",
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
    verdict = {True: t("console_yes"), False: t("console_no"), None: "–"}
    apart = sum(1 for p in met if p.separated)
    return Section(
        "pairs",
        t("live_pairs_title"),
        t("live_pairs_apart", apart=apart, pairs=len(met)) if met else t("console_nothing_counted"),
        Table(
            (
                t("live_pairs_team_1"),
                t("live_pairs_team_2"),
                t("live_pairs_team_1_won"),
                t("live_pairs_team_2_won"),
                t("console_tie"),
                t("console_both_bad"),
                t("console_told_apart"),
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
        note=t("live_pairs_note"),
    )


def outcomes(seen: Snapshot, t: Messages) -> Section:
    """Wins, ties, losses and both-bad of each entrant."""
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
        t("console_won"): (palette.BLUE, ""),
        t("console_tie"): (palette.SKY, "."),
        t("console_lost"): (palette.ORANGE, ""),
        t("console_both_bad"): (palette.GREY, "/"),
    }
    columns = {label: ([row[n] for row in shares], *look) for n, (label, look) in enumerate(labels.items())}
    total = sum(seen.winners.values())
    says = t("console_nothing_counted")
    if total:
        says = t("live_outcomes_shares", tie=seen.winners["tie"] / total, both_bad=seen.winners["both_bad"] / total)
    return Section(
        "outcomes",
        t("live_outcomes_title"),
        says,
        Table(
            (t("console_team"), *labels, t("console_total")),
            tuple((name, *row, sum(row)) for name, row in zip(names, counted.values(), strict=True)),
        ),
        palette.stacked(names, columns) if order else None,
    )


def side(seen: Snapshot, t: Messages) -> Section:
    """Tell whether the place on the page decides."""
    bias = seen.side_bias
    share, ends = bias.share, bias.interval
    title = t("live_side_title")
    columns = (t("live_side_side"), t("console_won"), t("console_share"))
    if share is None or ends is None:
        return Section(
            "side", title, t("console_nothing_counted"), Table(columns[:2], (("A", bias.wins_a), ("B", bias.wins_b)))
        )
    fair = ends[0] <= 0.5 <= ends[1]
    won = t("live_side_a_won", share=share, low=ends[0], high=ends[1])
    figure = palette.intervals(
        [t("console_side_a")],
        [100 * share],
        [(100 * ends[0], 100 * ends[1])],
        title=t("live_side_axis"),
        form="{:.1f}%".format,
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
    table = Table(columns, (("A", bias.wins_a, percent(share)), ("B", bias.wins_b, percent(1 - share))))
    return Section(
        "side",
        title,
        f"{won} {t('live_side_fair') if fair else t('live_side_unfair')}",
        table,
        figure,
        note=t("live_side_note"),
    )


def exposure(seen: Snapshot, t: Messages) -> Section:
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
                "hovertemplate": t("live_exposure_hover", team="%{x}", side=label, draws="%{y:,}") + "<extra></extra>",
            }
            for label, counted, shade, pattern in (
                (t("console_side_a"), on_a, palette.BLUE, ""),
                (t("console_side_b"), on_b, palette.ORANGE, "/"),
            )
        ],
        "layout": palette.layout(
            height=300,
            legend=True,
            barmode="group",
            xaxis={"type": "category"},
            yaxis={"title": {"text": t("live_exposure_axis"), "font": {"size": 12}}, "rangemode": "tozero"},
        ),
    }
    return Section(
        "exposure",
        t("live_exposure_title"),
        t("live_exposure_drawn", low=low, high=high) if high else t("console_nothing_drawn"),
        Table(
            (
                t("console_team"),
                t("console_side_a"),
                t("console_side_b"),
                t("console_total"),
                t("live_exposure_voted"),
                t("live_exposure_void"),
                t("live_exposure_abandoned"),
            ),
            tuple(
                (t.pick(team), on_a[e], on_b[e], on_a[e] + on_b[e], *became[e].values())
                for e, team in seen.entrants.items()
            ),
        ),
        figure if high else None,
        note=t("live_exposure_note"),
    )


def _decided(pair: Pair) -> float:
    return pair.wins_a + pair.wins_b + pair.ties
