"""The sections on a slower clock: votes over time, Elo trace, other choices side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from arena.domain.clock import KST
from arena.domain.stage import Stage
from arena.i18n.catalogue import Messages
from arena.results.export.vote_findings import Finding
from arena.results.live.draw_audit import ExposureTable
from arena.results.live.variants import Standing, Variant
from arena.results.votes.table import VoteTable
from arena.web.console import charts as palette
from arena.web.console.document import Section, Table
from arena.web.console.tabs.trend_figures import dots
from ratings.elo import EloTrace
from ratings.planning import VotesNeeded
from ratings.robustness import Fragility


@dataclass(frozen=True, slots=True)
class TrendFacts:
    """What these sections are made from; computed once, away from the event loop."""

    t: Messages
    """Of the language that this is told in."""
    stage: Stage
    votes: VoteTable
    elo: EloTrace | None
    variants: Sequence[Variant]
    needed: Sequence[tuple[str, str, VotesNeeded | None]]
    """Neighbours in rank, with how many more votes tell them apart; None where they stand exactly level."""
    needed_all: VotesNeeded | None
    fragile: Sequence[Fragility]
    strata: Sequence[Mapping[str, object]]
    draws: ExposureTable | None
    findings: Sequence[Finding]
    """Of the tests beside the fit."""

    def team(self, entrant: str) -> str:
        """Look up the name."""
        return self.t.pick(self.stage.entrant(entrant).team)


def sections(seen: TrendFacts) -> tuple[Section, ...]:
    """All of them."""
    return over_time(seen), elo(seen), variants(seen)


def over_time(seen: TrendFacts) -> Section:
    """Votes by hour or day, and all of them so far."""
    t = seen.t
    at = seen.votes.at
    title = t("trends_time_title")
    columns = (t("console_time"), t("console_votes"), t("trends_time_in_all"))
    if not len(at):
        return Section("time", title, t("console_nothing_counted"), Table(columns, ()))
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
                "name": t("console_votes"),
                "x": when,
                "y": counts.tolist(),
                "marker": {"color": palette.SKY},
                "hovertemplate": "%{x}<br>" + t("trends_time_hover", votes="%{y:,}") + "<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": t("trends_time_in_all_right"),
                "x": when,
                "y": total.tolist(),
                "yaxis": "y2",
                "line": {"color": palette.VERMILION, "width": 2.5},
                "hovertemplate": "%{x}<br>" + t("trends_time_hover_in_all", votes="%{y:,}") + "<extra></extra>",
            },
        ],
        "layout": palette.layout(
            height=320,
            legend=True,
            xaxis={"type": "date", "tickformat": "%m-%d %H:%M" if step < 86400 else "%m-%d"},
            yaxis={"rangemode": "tozero", "title": {"text": t("console_votes"), "font": {"size": 12}}},
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
    unit = {600: "ten_minutes", 3600: "hour", 86400: "day"}[step]
    return Section(
        "time",
        title,
        t(f"trends_time_busiest_{unit}", when=when[busiest], votes=int(counts[busiest])),
        Table(columns, tuple(zip(when, counts.tolist(), total.tolist(), strict=True))),
        figure,
        wide=True,
    )


def elo(seen: TrendFacts) -> Section:
    """Online Elo, as a trace and nothing else."""
    t = seen.t
    trace = seen.elo
    title = t("trends_elo_title")
    if trace is None or len(trace.votes) < 2:
        return Section("elo", title, t("console_nothing_counted"), Table((t("console_votes"),), ()))
    names = [seen.team(model) for model in trace.models]
    hover = t("trends_elo_hover", votes="%{x:,}", elo="%{y:.0f}")
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": trace.votes.tolist(),
            "y": [round(value, 1) for value in trace.ratings[:, n].tolist()],
            "line": {"color": palette.colour(n), "width": 2},
            "marker": {"symbol": palette.symbol(n), "size": 8, "maxdisplayed": 8},
            "hovertemplate": f"{name}<br>{hover}<extra></extra>",
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
        t("trends_elo_traced", votes=int(trace.votes[-1]), k=trace.k_factor),
        Table((t("console_votes"), *names), rows),
        {
            "data": data,
            "layout": palette.layout(
                height=360,
                legend=True,
                xaxis={"title": {"text": t("console_votes"), "font": {"size": 12}}, "separatethousands": True},
                yaxis={"title": {"text": t("trends_elo_axis"), "font": {"size": 12}}},
            ),
        },
        note=t("trends_elo_note"),
        wide=True,
    )


def variants(seen: TrendFacts) -> Section:
    """Raw, cleaned, weighted, population's and style-controlled beside the declared fit."""
    t = seen.t
    declared = next((v for v in seen.variants if v.name == "declared"), None)
    order = _order(declared.standings if declared else ())
    shown = [v for v in seen.variants if v.standings]
    rows = [
        (
            t(f"trends_variant_{v.name}"),
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
        (t(f"trends_variant_{v.name}"), "–", *(None,) * 4, v.votes, t(f"trends_variant_why_{v.why}") if v.why else "")
        for v in seen.variants
        if not v.standings
    ]
    moved = [t(f"trends_variant_{v.name}") for v in shown if _order(v.standings) != order]
    says = t("console_nothing_counted")
    if order:
        says = t("trends_variants_moved", methods=moved) if moved else t("trends_variants_same")
    return Section(
        "variants",
        t("trends_variants_title"),
        says,
        Table(
            (
                t("trends_variants_method"),
                t("console_team"),
                t("console_rank"),
                t("console_rating"),
                t("console_low"),
                t("console_high"),
                t("console_votes"),
                t("console_remark"),
            ),
            tuple(rows),
        ),
        dots(seen.team, order, [(t(f"trends_variant_{v.name}"), v.standings) for v in shown], t) if order else None,
        note=t("trends_variants_note"),
        wide=True,
    )


def _order(standings: Sequence[Standing]) -> list[str]:
    return [s.entrant for s in sorted(standings, key=lambda s: -s.rating)]


def _step(span_s: float) -> int:
    return 600 if span_s <= 8 * 3600 else 3600 if span_s <= 4 * 86400 else 86400


def _kst(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).astimezone(KST).strftime("%Y-%m-%d %H:%M")
