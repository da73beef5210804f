"""What everybody may read of a published score: all of it, the best team's and the mean, or nothing, as the stage file declared."""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from arena.record.keys import Keys
from arena.results.export.document import signed_bytes

SCHEMA = "kai.user-score-summary/1"


def top_and_mean(document: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """The signed summary of an export: the best team's points with their interval, and the mean of all, as the programme publishes them."""
    rated = [row for row in document["scores"] if row["points"] is not None]
    best = max(rated, key=lambda row: row["points"], default=None)
    teams = {entrant["team_id"]: entrant["team"] for entrant in document["entrants"]}
    stage = document["stage"]
    kept = ("id", "title", "programme", "round", "component", "component_max", "frozen_at", "file_sha256")
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "export_id": document["export_id"],
        "created_at": document["created_at"],
        "synthetic": document["synthetic"],
        "issuer": document["issuer"],
        "stage": {name: stage[name] for name in kept},
        "n_voters": document["population"]["n_voters"],
        "n_votes_used": document["population"]["n_votes_used"],
        "n_entrants": len(rated),
        "best": None
        if best is None
        else {
            "team_id": best["team_id"],
            "team": teams[best["team_id"]],
            "points": best["points"],
            "points_ci95": best["points_ci95"],
        },
        "mean_points": None if not rated else _mean([row["points"] for row in rated]),
        "integrity": {"alg": "ES256", "kid": keys.kid},
    }
    summary["integrity"]["signature"] = keys.sign(signed_bytes(summary))
    return summary


def _mean(points: list[float]) -> float:
    total = sum((Decimal(str(value)) for value in points), Decimal())
    return float((total / len(points)).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN))
