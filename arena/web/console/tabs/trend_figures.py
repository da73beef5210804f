"""The figures of the slower sections."""

from collections.abc import Callable, Mapping, Sequence

from arena.i18n.catalogue import Messages
from arena.results.live.variants import Standing
from arena.web.console import charts as palette
from arena.web.console.document import Figure


def dots(
    team: Callable[[str], str], order: Sequence[str], groups: Sequence[tuple[str, Sequence[Standing]]], t: Messages
) -> Figure:
    """Entrants in rows, one mark for each group beside the others, with intervals."""
    names = [team(entrant) for entrant in order]
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
                "customdata": [[team(s.entrant), f"{s.low:.0f}", f"{s.high:.0f}"] for _, s in there],
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
            xaxis={"title": {"text": t("console_rating"), "font": {"size": 12}}},
            yaxis={
                "tickmode": "array",
                "tickvals": list(range(len(names))),
                "ticktext": names,
                "range": [len(names) - 0.5, -0.5],
                "showgrid": False,
            },
        ),
    }


def shares(strata: Sequence[Mapping[str, object]], names: Mapping[tuple[str, str], str], t: Messages) -> Figure:
    """Draw the share of each category beside the share that was meant."""
    rows = [row for row in strata if row["category"] != "unknown"]
    labels = [names.get((str(r["stratum"]), str(r["category"])), str(r["category"])) for r in rows]
    totals: dict[str, int] = {}
    for row in rows:
        held = row["voters"]
        totals[str(row["stratum"])] = totals.get(str(row["stratum"]), 0) + (held if isinstance(held, int) else 0)
    held_shares = [
        100 * held / max(totals[str(row["stratum"])], 1) if isinstance(held := row["voters"], int) else None
        for row in rows
    ]
    targets = [100 * target if isinstance(target := row["target"], float) else None for row in rows]
    common = {"x": labels, "type": "scatter", "mode": "markers"}
    return {
        "data": [
            {
                "type": "bar",
                "name": t("trends_coverage_share"),
                "x": labels,
                "y": held_shares,
                "marker": {"color": palette.SKY},
                "hovertemplate": "%{x} %{y:.1f}%<extra></extra>",
            },
            {
                **common,
                "name": t("trends_coverage_target"),
                "y": targets,
                "marker": {"color": palette.VERMILION, "symbol": "line-ew-open", "size": 26, "line": {"width": 3}},
                "hovertemplate": t("trends_coverage_hover", group="%{x}", share="%{y:.1f}%") + "<extra></extra>",
            },
        ],
        "layout": palette.layout(
            height=320, legend=True, xaxis={"type": "category"}, yaxis={"ticksuffix": "%", "rangemode": "tozero"}
        ),
    }
