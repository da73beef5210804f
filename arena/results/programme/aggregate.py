"""The programme's total: a verified user score and what others handed in, put together by the rule the stage file declares."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arena import __version__
from arena.domain.stage import Component, Stage, file_sha256
from arena.record.keys import Keys
from arena.results.export.rating_schema import Cut
from arena.results.export.schema import UserScore
from arena.results.export.signed import UNSIGNED, Issuer, TwoLanguages
from arena.results.programme import components as submitted
from arena.results.programme.components import Score
from arena.results.programme.monte_carlo import DRAWS, Chances, Sure, chances, judged_points, sure, user_points
from arena.results.programme.schema import (
    SCHEMA,
    ComponentPart,
    Face,
    GatePart,
    Removed,
    Rule,
    Source,
    StagePart,
    Team,
    Total,
    Uncertainty,
    UserComponent,
    UserScorePart,
)
from arena.results.programme.selection import (
    AggregateError,
    Decision,
    Gate,
    Reason,
    Standing,
    cut,
    decide,
    ordered,
    total,
)
from arena.results.votes.inclusion import rating_seed

USER = "user"


@dataclass(frozen=True, slots=True)
class Handed:
    """A file as it was handed in."""

    name: str
    data: bytes

    def source(self) -> Source:
        """Name it as the document does."""
        return Source(kind="file", name=self.name, sha256=hashlib.sha256(self.data).hexdigest())


def aggregate(
    stage_file: Handed,
    export: UserScore,
    components: Mapping[str, Handed],
    eligibility: Handed,
    keys: Keys,
    now: datetime,
    *,
    trusted: bool,
    provisional: bool = False,
) -> Total:
    """Make the signed document (`kai.total/1`).

    Args:
        stage_file: the programme's own copy: maxima, places and ties come from it.
        export: the user score, as `verify` returned it.
        components: the other components' tables, by component.
        eligibility: the decisions of the outside authority.
        keys: sign.
        now: when.
        trusted: whether the export was verified against keys that came from the arena another way.
        provisional: take the score of a stage under review too; the document then says so.

    Raises:
        StageError: the stage file cannot be read.
        AggregateError: names what does not fit, and where.
    """
    stage = Stage.from_toml(stage_file.data, stage_file.name)
    removed = [
        Removed(team_id=entrant.team_id, at=left.at, reason=left.reason)
        for entrant in export.entrants
        if (left := entrant.removed) is not None
    ]
    gone = {each.team_id for each in removed}
    status = _same_round(stage, stage_file, export, provisional=provisional)
    others = _others(stage, components)
    teams = {entrant: sha256 for entrant, sha256 in stage.artifacts.items() if entrant not in gone}
    users = _user_scores(export, list(teams))
    handed = {
        component.id: submitted.scores(components[component.id].data, components[component.id].name, component, teams)
        for component in others
    }
    faces = submitted.gates(eligibility.data, eligibility.name, teams)
    scores: dict[str, dict[str, Decimal | None]] = {
        team: {c.id: users[team] if c.id == USER else handed[c.id][team].score for c in stage.components}
        for team in teams
    }
    gates = {team: submitted.gate(faces[team]) for team in teams}
    seed = rating_seed(file_sha256(stage_file.data))
    order = ordered(scores, stage.ties)
    drawn = _drawn(stage, export, handed, order, seed)
    known = _sure(scores, drawn, order, stage.planned_advance)
    decision = decide(scores, gates, stage.planned_advance, stage.ties, rule=stage.tie_at_cut, sure=known.in_first)
    placed = chances(order, drawn, stage.planned_advance, stage.ties, decision.cut)
    user = UserScorePart(
        export_id=export.export_id,
        status=status,
        votes=export.population.n_votes_raw,
        voters=export.population.n_voters,
        checkpoint_root=export.provenance.checkpoint.root,
        kid=export.integrity.kid,
        key="trusted" if trusted else "unconfirmed",
    )
    return Total(
        schema=SCHEMA,
        total_id=str(uuid.uuid4()),
        created_at=now,
        synthetic=stage.synthetic or export.synthetic,
        issuer=Issuer(system="K-AI Arena", version=__version__, git_commit=None),
        stage=_stage(stage, stage_file),
        components=[
            ComponentPart(
                id=component.id,
                title=TwoLanguages.of(component.title),
                max=component.max,
                source=_export_source(export) if component.id == USER else components[component.id].source(),
            )
            for component in stage.components
        ],
        rule=Rule(
            places=stage.planned_advance,
            order="total",
            ties=list(stage.ties),
            gate="after the cut, without backfill",
        ),
        eligibility=eligibility.source(),
        user_score=user,
        teams=[_team(stage, standing, faces[standing.team], placed, known) for standing in decision.standings],
        cut=list(decision.cut),
        at_cut=_at_cut(stage, decision, known),
        advance=list(decision.advance),
        vacancy=decision.vacancy,
        margin=None if decision.margin is None else float(decision.margin),
        user_component=_user_component(scores, export, stage),
        uncertainty=Uncertainty(
            draws=DRAWS,
            seed=seed,
            p_same_cut=round(placed.same_cut, 4),
            user_intervals=export.closing.intervals,
            carried=[
                component.id
                for component in stage.components
                if component.id == USER or any(given.se for given in handed[component.id].values())
            ],
        ),
        removed=removed,
        integrity=UNSIGNED,
    ).signed(keys)


def _stage(stage: Stage, file: Handed) -> StagePart:
    return StagePart(
        id=stage.id,
        title=TwoLanguages.of(stage.title),
        programme=stage.programme,
        round=stage.round,
        disclosure=stage.disclosure,
        file_sha256=file_sha256(file.data),
    )


def _same_round(stage: Stage, file: Handed, export: UserScore, *, provisional: bool) -> Literal["final", "provisional"]:
    """Whether the export is final, once it is of this very stage, may be taken, and is of the models that this file seals."""
    told = export.stage
    if (told.id, told.programme, told.round) != (stage.id, stage.programme, stage.round):
        raise AggregateError(
            "other_stage",
            file=file.name,
            stage=stage.id,
            round=stage.round,
            programme=stage.programme,
            exported=told.id,
            exported_round=told.round,
            exported_programme=told.programme,
        )
    if told.component_max != stage.component_max:
        raise AggregateError("exported_maximum", file=file.name, max=stage.component_max, exported=told.component_max)
    if told.planned_advance != stage.planned_advance:
        raise AggregateError(
            "other_places", file=file.name, places=stage.planned_advance, exported=told.planned_advance
        )
    declared = stage.artifacts
    exported = {entrant.team_id: entrant.artifact_sha256 for entrant in export.entrants}
    for team in sorted({*declared, *exported}):
        if team not in exported:
            raise AggregateError("team_not_exported", file=file.name, team=team)
        if team not in declared:
            raise AggregateError("team_not_declared", file=file.name, team=team)
        if declared[team] != exported[team]:
            raise AggregateError(
                "exported_artifact",
                file=file.name,
                team=team,
                sealed=declared[team] or "–",
                exported=exported[team] or "–",
            )
    if told.file_sha256 != file_sha256(file.data):
        raise AggregateError(
            "other_stage_file", file=file.name, sha256=file_sha256(file.data), exported=told.file_sha256
        )
    if told.status == "open":
        raise AggregateError("not_final", stage=stage.id)
    if not export.final and not provisional:
        raise AggregateError("export_provisional", stage=stage.id)
    return "final" if export.final else "provisional"


def _others(stage: Stage, given: Mapping[str, Handed]) -> list[Component]:
    """List the components that others score, once each of them was handed in and nothing else was."""
    if not stage.components:
        raise AggregateError("no_components", stage=stage.id)
    others = [component for component in stage.components if component.id != USER]
    missing = [component.id for component in others if component.id not in given]
    if missing:
        raise AggregateError("component_missing", stage=stage.id, component=missing[0])
    extra = sorted(set(given) - {component.id for component in others})
    if extra:
        raise AggregateError("component_unknown", stage=stage.id, component=extra[0])
    return others


def _user_scores(export: UserScore, teams: Sequence[str]) -> dict[str, Decimal]:
    """Each team's user score, once all of them were compared with each other."""
    rows = {row.team_id: row for row in export.scores}
    points: dict[str, Decimal] = {}
    for team in teams:
        row = rows.get(team)
        if row is None or row.points is None:
            raise AggregateError("user_score_missing", team=team)
        points[team] = Decimal(repr(row.points))
    if len({rows[team].group for team in teams}) > 1:
        raise AggregateError("not_comparable")
    return points


def _drawn(
    stage: Stage, export: UserScore, handed: Mapping[str, Mapping[str, Score]], teams: Sequence[str], seed: int
) -> dict[str, NDArray[np.float64]]:
    """Draw every component within its uncertainty, (draws, teams) each."""
    drawn = {USER: user_points(export, teams)}
    for number, (component, given) in enumerate(handed.items(), start=1):
        exact = np.array([float(given[team].score) for team in teams])
        errors = np.array([given[team].se for team in teams])
        maximum = next(c.max for c in stage.components if c.id == component)
        drawn[component] = judged_points(exact, errors, maximum, seed + number)
    return drawn


def _sure(
    scores: Mapping[str, Mapping[str, Decimal | None]],
    drawn: Mapping[str, NDArray[np.float64]],
    teams: Sequence[str],
    places: int,
) -> Sure:
    totals = np.array([float(total(scores[team]) or 0) for team in teams])
    return sure(teams, totals, np.sum(list(drawn.values()), axis=0), places)


def _at_cut(stage: Stage, decision: Decision, known: Sure) -> Cut | None:
    if known.separated is None:
        return None
    last, after = decision.standings[decision.places - 1 : decision.places + 1]
    return Cut(
        k=decision.places,
        last_in=last.team,
        first_out=after.team,
        separated=known.separated,
        rule=stage.tie_at_cut,
    )


def _team(stage: Stage, standing: Standing, faces: Sequence[Face], placed: Chances, known: Sure) -> Team:
    n = placed.teams.index(standing.team)
    p = round(float(placed.in_cut[n]), 4)
    p_advance = {Gate.ELIGIBLE: p, Gate.INELIGIBLE: 0.0, Gate.PENDING: None}[standing.gate]
    if standing.reason is Reason.HELD and standing.gate is Gate.ELIGIBLE:
        p_advance = None
    return Team(
        team_id=standing.team,
        team=TwoLanguages.of(stage.entrant(standing.team).team),
        artifact_sha256=stage.artifacts[standing.team],
        components={component: float(score) for component, score in standing.scores.items()},
        total=float(standing.total),
        total_ci95=[round(float(end), 2) for end in placed.totals[:, n]],
        rank=standing.rank,
        in_first_k=known.in_first[standing.team],
        in_cut=standing.in_cut,
        gate=GatePart(status=standing.gate.value, faces=list(faces)),
        reason=standing.reason.value,
        p_in_cut=p,
        p_advance=p_advance,
    )


def _user_component(
    scores: Mapping[str, Mapping[str, Decimal | None]], export: UserScore, stage: Stage
) -> UserComponent:
    """Return the cut as all components, the others alone, and the user component alone have it by the order of their points."""

    def by(components: Sequence[str]) -> list[str] | None:
        chosen = {team: {c: given[c] for c in components} for team, given in scores.items()}
        try:
            return list(cut(chosen, stage.planned_advance, [tie for tie in stage.ties if tie in components]))
        except AggregateError:
            return None

    whole = by([component.id for component in stage.components])
    without = by([component.id for component in stage.components if component.id != USER])
    return UserComponent(
        decides=without is None or whole is None or set(without) != set(whole),
        cut_without=without,
        cut_alone=by([USER]),
        moved_in=[] if without is None or whole is None else [team for team in whole if team not in without],
        moved_out=[] if without is None or whole is None else [team for team in without if team not in whole],
        at_cut=export.cut,
    )


def _export_source(export: UserScore) -> Source:
    return Source(kind="export", name=export.export_id, sha256=hashlib.sha256(export.canonical()).hexdigest())
