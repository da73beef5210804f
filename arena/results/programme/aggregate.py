"""The programme's total: a verified user score and what others handed in, put together by the rule the stage file declares."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import rfc8785

from arena import __version__
from arena.domain.stage import Component, Stage, StageStatus, file_sha256
from arena.record.keys import Keys
from arena.results.export.document import kst, signed_bytes
from arena.results.programme import components as submitted
from arena.results.programme.components import Score, Verdict
from arena.results.programme.monte_carlo import DRAWS, Chances, chances, judged_points, user_points
from arena.results.programme.schema import SCHEMA, Total
from arena.results.programme.selection import AggregateError, Decision, Gate, cut, decide
from arena.results.votes.inclusion import rating_seed

USER = "user"


@dataclass(frozen=True, slots=True)
class Handed:
    """A file as it was handed in."""

    name: str
    data: bytes

    def source(self) -> dict[str, Any]:
        """As the document names it."""
        return {"kind": "file", "name": self.name, "sha256": hashlib.sha256(self.data).hexdigest()}


def aggregate(
    stage_file: Handed,
    export: Mapping[str, Any],
    components: Mapping[str, Handed],
    eligibility: Handed,
    keys: Keys,
    now: datetime,
    *,
    trusted: bool,
) -> dict[str, Any]:
    """The signed document (`kai.total/1`).

    Args:
        stage_file: the programme's own copy: maxima, places and ties come from it.
        export: the user score, as `verify` returned it.
        components: the other components' tables, by component.
        eligibility: the decisions of the outside authority.
        keys: sign.
        now: when.
        trusted: whether the export was verified against keys that came from the arena another way.

    Raises:
        StageError: the stage file cannot be read.
        AggregateError: names what does not fit, and where.
    """
    stage = Stage.from_toml(stage_file.data, stage_file.name)
    removed = {e["team_id"]: e["removed"] for e in export["entrants"] if e["removed"] is not None}
    _same_round(stage, stage_file, export)
    others = _others(stage, components)
    teams = {e.id: e.served().get("sha256") for e in stage.entrants if e.id not in removed}
    users = _user_scores(export, list(teams))
    handed = {
        component.id: submitted.scores(components[component.id].data, components[component.id].name, component, teams)
        for component in others
    }
    verdicts = submitted.gates(eligibility.data, eligibility.name, teams)
    scores: dict[str, dict[str, Decimal | None]] = {
        team: {c.id: users[team] if c.id == USER else handed[c.id][team].score for c in stage.components}
        for team in teams
    }
    gates = {team: submitted.gate(verdicts[team]) for team in teams}
    decision = decide(scores, gates, stage.planned_advance, stage.ties)
    seed = rating_seed(file_sha256(stage_file.data))
    sure = _chances(stage, export, handed, decision, seed)
    document = {
        "schema": SCHEMA,
        "total_id": str(uuid.uuid4()),
        "created_at": kst(now),
        "synthetic": stage.synthetic or export["synthetic"],
        "issuer": {"system": "K-AI Arena", "version": __version__, "git_commit": None},
        "stage": {
            "id": stage.id,
            "title": stage.title.model_dump(),
            "programme": stage.programme,
            "round": stage.round,
            "disclosure": stage.disclosure,
            "file_sha256": file_sha256(stage_file.data),
        },
        "components": [
            {
                "id": component.id,
                "title": component.title.model_dump(),
                "max": component.max,
                "source": _export_source(export) if component.id == USER else components[component.id].source(),
            }
            for component in stage.components
        ],
        "rule": {
            "places": stage.planned_advance,
            "order": "total",
            "ties": list(stage.ties),
            "gate": "after the cut, without backfill",
        },
        "eligibility": eligibility.source(),
        "user_score": {
            "export_id": export["export_id"],
            "status": export["stage"]["status"],
            "votes": export["population"]["n_votes_raw"],
            "voters": export["population"]["n_voters"],
            "checkpoint_root": export["provenance"]["checkpoint"]["root"],
            "kid": export["integrity"]["kid"],
            "key": "trusted" if trusted else "unconfirmed",
        },
        "teams": _teams(stage, decision, verdicts, sure),
        "cut": list(decision.cut),
        "advance": list(decision.advance),
        "vacancy": decision.vacancy,
        "margin": None if decision.margin is None else float(decision.margin),
        "user_component": _user_component(scores, decision, stage),
        "uncertainty": {
            "draws": DRAWS,
            "seed": seed,
            "p_same_cut": round(sure.same_cut, 4),
            "carried": [
                component.id
                for component in stage.components
                if component.id == USER or any(given.se for given in handed[component.id].values())
            ],
        },
        "removed": [{"team_id": team, **facts} for team, facts in removed.items()],
    }
    signed = {**document, "integrity": {"alg": "ES256", "kid": keys.kid}}
    signed["integrity"]["signature"] = keys.sign(signed_bytes(signed))
    Total.model_validate(signed)
    return signed


def _same_round(stage: Stage, file: Handed, export: Mapping[str, Any]) -> None:
    """The export is of this very stage, final, and of the models that this file seals."""
    told = export["stage"]
    if (told["id"], told["programme"], told["round"]) != (stage.id, stage.programme, stage.round):
        raise AggregateError(
            "other_stage",
            f"{file.name} is {stage.id}, round {stage.round} of {stage.programme}; "
            f"the export is of {told['id']}, round {told['round']} of {told['programme']}",
        )
    if told["component_max"] != stage.component_max:
        raise AggregateError(
            "other_maximum",
            f"the export's user score is out of {told['component_max']:g}, {file.name} says {stage.component_max:g}",
        )
    if told["planned_advance"] != stage.planned_advance:
        raise AggregateError(
            "other_places",
            f"the export was made for {told['planned_advance']} places, {file.name} says {stage.planned_advance}",
        )
    declared = {entrant.id: entrant.served().get("sha256") for entrant in stage.entrants}
    exported = {entrant["team_id"]: entrant["artifact_sha256"] for entrant in export["entrants"]}
    for team in sorted({*declared, *exported}):
        if team not in exported:
            raise AggregateError("team_missing", f"{team} is in {file.name} and not in the export")
        if team not in declared:
            raise AggregateError("team_unknown", f"{team} is in the export and not in {file.name}")
        if declared[team] != exported[team]:
            raise AggregateError(
                "stale_artifact",
                f"{team}: the export judged the model {exported[team] or '(no hash)'}, {file.name} seals {declared[team] or '(no hash)'}",
            )
    if told["file_sha256"] != file_sha256(file.data):
        raise AggregateError(
            "other_stage_file",
            f"{file.name} has the hash {file_sha256(file.data)}; the export was sealed under {told['file_sha256']}",
        )
    if told["status"] == StageStatus.OPEN:
        raise AggregateError(
            "not_final", f"stage {stage.id} was still open when the export was made: take the final one"
        )


def _others(stage: Stage, given: Mapping[str, Handed]) -> list[Component]:
    """The components that others score, once each of them was handed in and nothing else was."""
    if not stage.components:
        raise AggregateError(
            "no_components", f"stage {stage.id} declares no [[components]]: there is nothing to add up"
        )
    others = [component for component in stage.components if component.id != USER]
    missing = [component.id for component in others if component.id not in given]
    if missing:
        raise AggregateError("component_missing", f"{missing[0]} is a component of {stage.id}: give its CSV")
    extra = sorted(set(given) - {component.id for component in others})
    if extra:
        raise AggregateError("component_unknown", f"{extra[0]} is no component of {stage.id} that is handed in as CSV")
    return others


def _user_scores(export: Mapping[str, Any], teams: Sequence[str]) -> dict[str, Decimal]:
    """Each team's user score, once all of them were compared with each other."""
    rows = {row["team_id"]: row for row in export["scores"]}
    for team in teams:
        if team not in rows or rows[team]["points"] is None:
            raise AggregateError(
                "score_missing", f"the export has no user score of {team}: no vote compared it. No total."
            )
    groups = {rows[team]["group"] for team in teams}
    if len(groups) > 1:
        raise AggregateError(
            "not_comparable",
            "the export's teams form groups that never met, not even through others: their user scores cannot be compared",
        )
    return {team: Decimal(repr(float(rows[team]["points"]))) for team in teams}


def _chances(
    stage: Stage, export: Mapping[str, Any], handed: Mapping[str, Mapping[str, Score]], decision: Decision, seed: int
) -> Chances:
    teams = [standing.team for standing in decision.standings]
    drawn = {USER: user_points(export, teams)}
    for number, (component, given) in enumerate(handed.items(), start=1):
        exact = np.array([float(given[team].score) for team in teams])
        errors = np.array([given[team].se for team in teams])
        maximum = next(c.max for c in stage.components if c.id == component)
        drawn[component] = judged_points(exact, errors, maximum, seed + number)
    return chances(teams, drawn, stage.planned_advance, stage.ties, decision.cut)


def _teams(
    stage: Stage, decision: Decision, verdicts: Mapping[str, Sequence[Verdict]], sure: Chances
) -> list[dict[str, Any]]:
    rows = []
    for n, standing in enumerate(decision.standings):
        entrant = stage.entrant(standing.team)
        p = round(float(sure.in_cut[n]), 4)
        rows.append(
            {
                "team_id": standing.team,
                "team": entrant.team.model_dump(),
                "artifact_sha256": entrant.served().get("sha256"),
                "components": {component: float(score) for component, score in standing.scores.items()},
                "total": float(standing.total),
                "total_ci95": [round(float(end), 2) for end in sure.totals[:, n]],
                "rank": standing.rank,
                "in_cut": standing.in_cut,
                "gate": {
                    "status": standing.gate.value,
                    "faces": [
                        {
                            "face": verdict.face,
                            "status": verdict.status.value,
                            "evidence": list(verdict.evidence),
                            "decided_by": verdict.decided_by,
                            "decided_at": kst(verdict.decided_at),
                        }
                        for verdict in verdicts[standing.team]
                    ],
                },
                "reason": standing.reason.value,
                "p_in_cut": p,
                "p_advance": {Gate.ELIGIBLE: p, Gate.INELIGIBLE: 0.0, Gate.PENDING: None}[standing.gate],
            }
        )
    return rows


def _user_component(
    scores: Mapping[str, Mapping[str, Decimal | None]], decision: Decision, stage: Stage
) -> dict[str, Any]:
    """The cut as the other components alone, and the user component alone, would have it."""

    def by(components: Sequence[str]) -> tuple[str, ...] | None:
        chosen = {team: {c: given[c] for c in components} for team, given in scores.items()}
        try:
            return cut(chosen, stage.planned_advance, [tie for tie in stage.ties if tie in components])
        except AggregateError:
            return None

    without = by([component.id for component in stage.components if component.id != USER])
    alone = by([USER])
    return {
        "decides": without is None or set(without) != set(decision.cut),
        "cut_without": None if without is None else list(without),
        "cut_alone": None if alone is None else list(alone),
        "moved_in": [] if without is None else [team for team in decision.cut if team not in without],
        "moved_out": [] if without is None else [team for team in without if team not in decision.cut],
    }


def _export_source(export: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "export",
        "name": export["export_id"],
        "sha256": hashlib.sha256(rfc8785.dumps(dict(export))).hexdigest(),
    }
