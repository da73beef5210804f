"""The transparency report of a stage: what a fairness-first institution publishes, gathered from the export and the audit log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from markupsafe import Markup

from arena.domain.battle import TOO_LONG
from arena.domain.declared import Bilingual
from arena.domain.errors import Conflict
from arena.domain.stage import Stage
from arena.i18n.catalogue import LANGUAGES, both, messages
from arena.record.activity import Activity
from arena.record.outages import Spell, minutes
from arena.record.store import Store
from arena.results.export.bundle import MADE
from arena.results.export.group_words import named, said, titled
from arena.results.export.groups_schema import Group, Grouping, GroupScore
from arena.results.export.rating_schema import PairCount, RepresentedScore, Score, StyledScore, VariantScore
from arena.results.export.schema import ExposureCell, UserScore
from arena.results.export.vote_findings import Finding, findings
from arena.results.live import access_log
from arena.results.live.access_log import Viewer
from arena.results.publish import charts
from arena.results.publish.charts import Mark
from arena.results.publish.dataset import MADE as RELEASED
from arena.results.publish.html import rendered
from arena.results.publish.vetoes import Veto, vetoes
from arena.results.votes.sealed import known, sealed_stage
from ratings.score import BIASED

TEXTS_READ = "texts.read"
MOST_SPELLS = 100
MOST_SERIES = 4
"""Groups in one picture, at most."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
VariantName = Literal[
    "nothing_excluded",
    "leaks_included",
    "leaks_excluded",
    "both_bad_tie",
    "both_bad_exclude",
    "by_citizen",
    "by_vote",
    "weighted",
    "representative",
    "style_controlled",
]
_OTHERWISE = Score | VariantScore | StyledScore | RepresentedScore
"""One entrant's result, as declared or under another choice."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How one entrant's model served."""

    team_id: str
    drawn: int
    void: int
    out_minutes: float
    """Minutes in which it could not be drawn."""
    failed: Mapping[str, int]
    """What failed on its own side, by kind."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Another reading of the same votes, beside the result."""

    key: VariantName
    rows: Mapping[str, _OTHERWISE]
    """By entrant."""
    moved: Sequence[str]
    """Whose rank it changes."""


@dataclass(frozen=True, slots=True)
class Plots:
    """The pictures; None where there is nothing to show."""

    ratings: Markup
    ranks: Markup | None
    pairs: Markup
    exposure: Markup
    exclusions: Markup | None
    style: Markup | None
    weighted: Markup | None
    representative: Markup | None


@dataclass(frozen=True, slots=True)
class ByGroup:
    """The result by one variable's groups."""

    title: Bilingual
    says: Bilingual
    told: Sequence[tuple[Bilingual, Group]]
    """Groups with a result, with their names."""
    untold: Sequence[Bilingual]
    """Names of those that have none."""
    scores: Mapping[str, Sequence[GroupScore]]
    """By entrant, group by group."""
    plots: Sequence[Markup]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the page shows."""

    export: UserScore
    names: Mapping[str, Bilingual]
    """Of entrants and controls."""
    made_at: datetime
    public_leaderboard: bool
    ranked: Sequence[tuple[Score, float]]
    """Best first, each with the number of votes that its share of `both_bad` is of."""
    serving: Sequence[Serving]
    failing: Mapping[str, Veto]
    """Battles that each made void, against the others' share."""
    naming: Mapping[str, Veto]
    """Votes that each one's answers keep out of the fit, against the others' share."""
    spells: Sequence[Spell]
    more_spells: int
    voids: Mapping[str, int]
    """Void battles by rule."""
    variants: Sequence[Variant]
    biases: Sequence[Bilingual] | None
    """How far each one's points lie off near ties, where that can be said; None where the transform has no such bias."""
    groups: Sequence[ByGroup]
    says: Sequence[tuple[Finding, Bilingual]]
    """What else the votes say, test by test."""
    viewers: Sequence[Viewer]
    early_exports: int
    """Made before the freeze."""
    texts_read: int
    """How often an organizer read a conversation."""
    releases: int
    """Public datasets made."""
    plots: Plots


def report(store: Store, stage_id: str, now: datetime) -> Report:
    """Gather everything the page shows of a published stage.

    Raises:
        NotFound: no such stage.
        Conflict: it is not published: a report would show ratings while voting, or the review, goes on.
    """
    record = known(store, stage_id)
    final = store.finals.newest(stage_id)
    if final is None or record.frozen_at is None:
        raise Conflict("not_published", stage=stage_id)
    stage = sealed_stage(store, stage_id)
    told = UserScore.model_validate_json(final.document)
    names = {entrant.id: entrant.team for entrant in (*stage.entrants, *stage.controls)}
    activity = Activity(store.database)
    failures = {
        (who, kind): n for (who, kind), n in activity.failures(stage_id, _BEGINNING).items() if kind != TOO_LONG
    }
    spells = _until(store.outages.of_stage(stage_id), record.frozen_at)
    serving = _serving(stage, told, failures, minutes(spells))
    return Report(
        export=told,
        names=names,
        made_at=now,
        public_leaderboard=stage.protocol.public_leaderboard,
        ranked=_ranked(told),
        serving=serving,
        # Of a battle that began before the freeze and failed after it the export knows nothing.
        failing=vetoes({row.team_id: (min(sum(row.failed.values()), row.drawn), row.drawn) for row in serving}),
        naming=vetoes({row.team_id: (row.left_out, row.votes) for row in told.leaks.entrants}),
        spells=spells[:MOST_SPELLS],
        more_spells=max(0, len(spells) - MOST_SPELLS),
        voids={reason: n for reason, n in activity.voids(stage_id, _BEGINNING).items() if reason != TOO_LONG},
        variants=_variants(told),
        biases=_biases(told, names),
        groups=[_by_group(stage, grouping, names) for grouping in told.groups],
        says=[(found, found.in_both(names)) for found in findings(told.tests, told.side_bias)],
        viewers=access_log.viewers(store, stage_id),
        early_exports=sum(event.at < record.frozen_at for event in store.events.of_stage(stage_id, MADE)),
        texts_read=len(store.events.of_stage(stage_id, TEXTS_READ)),
        releases=len(store.events.of_stage(stage_id, RELEASED)),
        plots=_plots(told, names),
    )


def report_page(report: Report) -> str:
    """Show a report on one page."""
    return rendered("report.html", d=report.export, r=report)


def _ranked(told: UserScore) -> list[tuple[Score, float]]:
    outside = told.method is None or told.method.both_bad == "exclude"
    rows = [(row, row.n_votes + (row.both_bad if outside else 0)) for row in told.scores]
    return sorted(rows, key=lambda pair: (pair[0].group is None, pair[0].group or 0, pair[0].rank or 0))


def _biases(told: UserScore, names: Mapping[str, Bilingual]) -> list[Bilingual] | None:
    if told.method is None or told.method.transform.id not in BIASED:
        return None
    lean = [(names[row.team_id], row.points_bias) for row, _ in _ranked(told) if row.points_bias is not None]
    shown = [(name, f"{bias:+.2f}".replace("-", "−")) for name, bias in lean]
    return [Bilingual(ko=f"{name.ko} {bias}", en=f"{name.en} {bias}") for name, bias in shown]


def _until(spells: Sequence[Spell], frozen_at: datetime) -> list[Spell]:
    """Cut the outages to where they lie before the freeze."""
    return [
        replace(s, noted=min(s.noted, frozen_at), ended=s.ended and min(s.ended, frozen_at))
        for s in spells
        if s.began < frozen_at
    ]


def _serving(
    stage: Stage, told: UserScore, failures: Mapping[tuple[str, str], int], out: Mapping[str, float]
) -> list[Serving]:
    rows: list[Serving] = []
    for entrant in stage.entrant_ids:
        cells = [cell for cell in told.exposure.pairs if entrant in (cell.a, cell.b)]
        rows.append(
            Serving(
                team_id=entrant,
                drawn=sum(cell.drawn for cell in cells),
                void=sum(cell.void for cell in cells),
                out_minutes=out.get(entrant, 0.0),
                failed={kind: n for (who, kind), n in sorted(failures.items()) if who == entrant},
            )
        )
    return rows


def _variants(told: UserScore) -> list[Variant]:
    """List the other readings of the same votes, those that could be made."""
    beside = told.sensitivity
    style = None if beside.style_controlled is None else beside.style_controlled.scores
    known: Mapping[VariantName, Sequence[_OTHERWISE] | None] = {
        "nothing_excluded": beside.nothing_excluded,
        "leaks_included": beside.leaks_included,
        "leaks_excluded": beside.leaks_excluded,
        "both_bad_tie": beside.both_bad_tie,
        "both_bad_exclude": beside.both_bad_exclude,
        "by_vote" if told.method and told.method.voice == "citizen" else "by_citizen": beside.other_voice,
        "weighted": beside.weighted,
        "representative": None if beside.representative is None else beside.representative.scores,
        "style_controlled": style,
    }
    ranks = {row.team_id: row.rank for row in told.scores}
    return [
        Variant(
            key,
            {row.team_id: row for row in rows},
            [row.team_id for row in rows if row.rank != ranks[row.team_id]],
        )
        for key, rows in known.items()
        if rows
    ]


def _plots(told: UserScore, names: Mapping[str, Bilingual]) -> Plots:
    scores = {row.team_id: row for row in told.scores}
    order = [row.team_id for row in sorted(told.scores, key=lambda row: (row.rank is None, row.rank or 0))]

    def beside(rows: Sequence[_OTHERWISE] | None, series: str) -> Markup | None:
        if not rows:
            return None
        other = {row.team_id: row for row in rows}
        return charts.ranges(
            [(names[team], [_mark(scores[team]), _mark(other.get(team))]) for team in order],
            [Bilingual(**both("series_result")), Bilingual(**both(series))],
        )

    shares = {(pair.a, pair.b): _share(pair) for pair in told.pairwise}
    shares |= {(b, a): None if share is None else 1 - share for (a, b), share in shares.items()}
    drawn = {(cell.a, cell.b): cell for cell in told.exposure.pairs}
    style, population = told.sensitivity.style_controlled, told.sensitivity.representative
    return Plots(
        ratings=charts.ranges([(names[team], [_mark(scores[team])]) for team in order], [Bilingual(ko="", en="")]),
        ranks=_ribbons([scores[team] for team in order], names),
        pairs=charts.matrix(
            [names[team] for team in order],
            [[shares.get((row, column)) for column in order] for row in order],
            middle=0.5,
            reach=0.35,
            form="{:.0%}",
        ),
        exposure=charts.matrix(
            [names[team] for team in order],
            [[_excess(drawn.get((row, column))) for column in order] for row in order],
            middle=0,
            reach=0.3,
            form="{:+.0%}",
        ),
        exclusions=beside(told.sensitivity.nothing_excluded, "series_nothing_excluded")
        if told.population.exclusions
        else None,
        style=beside(style.scores if style else None, "series_style"),
        weighted=beside(told.sensitivity.weighted, "series_weighted"),
        representative=beside(population.scores if population else None, "series_representative"),
    )


def _ribbons(rows: Sequence[Score], names: Mapping[str, Bilingual]) -> Markup | None:
    """Draw which ranks are possible, where there are any."""
    ranks = [(names[row.team_id], (row.rank_ci95[0], row.rank_ci95[1])) for row in rows if row.rank_ci95 is not None]
    told = [(name, f"{low}" if low == high else f"{low}–{high}", (low, high)) for name, (low, high) in ranks]
    return charts.rank_ribbons(told, label="95 %") if told else None


def _by_group(stage: Stage, grouping: Grouping, names: Mapping[str, Bilingual]) -> ByGroup:
    called = [(named(grouping.kind, grouping.variable, group.name, stage), group) for group in grouping.groups]
    told = [(name, group) for name, group in called if group.scores]
    scores = {
        team: [row for _, group in told for row in group.scores if row.team_id == team]
        for team in (row.team_id for row in (told[0][1].scores if told else ()))
    }
    order = sorted(scores, key=lambda team: -sum(row.rating for row in scores[team]))
    plots: list[Markup] = []
    size = -(-len(told) // max(1, -(-len(told) // MOST_SERIES)))  # none of them with a group alone
    for first in range(0, len(told), size or 1):
        some = slice(first, first + size)
        rows = [
            (names[team], [Mark(row.rating, row.rating_ci95[0], row.rating_ci95[1]) for row in scores[team][some]])
            for team in order
        ]
        plots.append(charts.ranges(rows, [name for name, _ in told[some]]))
    return ByGroup(
        title=titled(grouping, stage),
        says=Bilingual(**{language: said(grouping, messages(language)) for language in LANGUAGES}),
        told=told,
        untold=[name for name, group in called if not group.scores],
        scores={team: scores[team] for team in order},
        plots=plots,
    )


def _mark(row: _OTHERWISE | None) -> Mark:
    if row is None:
        return Mark(None)
    low, high = row.rating_ci95 or (None, None)
    return Mark(row.rating, low, high)


def _share(pair: PairCount) -> float | None:
    """Compute the first one's share of the two's decided votes, ties as halves."""
    votes = pair.wins_a + pair.wins_b + pair.ties
    return (pair.wins_a + pair.ties / 2) / votes if votes else None


def _excess(cell: ExposureCell | None) -> float | None:
    """How much more often a pair was drawn than the rule lets one expect."""
    return None if cell is None or not cell.expected else cell.drawn / cell.expected - 1
