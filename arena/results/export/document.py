"""The export as one document: assembled from the stage file, the evidence and a few facts; the check assembles it again."""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import rfc8785

from arena.domain.stage import Stage, file_sha256
from arena.results.export import tables
from arena.results.export.schema import SCHEMA
from arena.results.export.statistics import sheet
from arena.results.votes.weighting import MOST, effective

KST = timezone(timedelta(hours=9))
JSON, VOTES, DRAWS, STAGE, SCORES = "export.json", "votes.parquet", "draws.parquet", "stage.toml", "scores.csv"
CHECKPOINTS, JWKS, SUMS = "checkpoints.jsonl", "jwks.json", "SHA256SUMS"
FILES = (JSON, VOTES, DRAWS, STAGE, SCORES, CHECKPOINTS, JWKS)
RERUN = "python -m arena verify ."
COLUMNS = [
    "rank",
    "rank_low",
    "rank_high",
    "team_id",
    "team_ko",
    "team_en",
    "points",
    "points_low",
    "points_high",
    "points_max",
    "rating",
    "rating_low",
    "rating_high",
    "win_probability",
    "votes",
    "provisional",
    "synthetic",
]


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not follow from the stage file, the votes and the draws: only the signature vouches for these."""

    export_id: str
    supersedes: str | None
    created_at: str
    issuer: dict[str, Any]
    status: str
    opened_at: str | None
    frozen_at: str | None
    removed: dict[str, dict[str, Any]]
    """`{entrant: {at, reason}}`."""
    outages: dict[str, float]
    """Minutes in which an entrant could not be drawn; only who had any."""
    acts: list[dict[str, Any]]
    commitment: str
    seed: str | None
    checkpoint: dict[str, Any]
    checkpoints: int
    """How many were signed until then."""
    strata: list[dict[str, Any]] | None


def assemble(
    stage: Stage, stage_file: bytes, votes: pa.Table, draws: pa.Table, facts: Facts, hashes: dict[str, str]
) -> dict[str, Any]:
    """The document without `integrity`.

    Args:
        stage: as its sealed file declares it.
        stage_file: that file.
        votes: the votes table of `evidence`.
        draws: the draws table of `evidence`.
        facts: the rest.
        hashes: SHA-256 of the votes, the draws and the checkpoints file, by name.
    """
    sha256 = file_sha256(stage_file)
    numbers = sheet(stage, sha256, votes, draws, frozenset(facts.removed))
    scores = numbers["scores"]
    return {
        "schema": SCHEMA,
        "export_id": facts.export_id,
        "supersedes": facts.supersedes,
        "created_at": facts.created_at,
        "synthetic": stage.synthetic,
        "issuer": facts.issuer,
        "stage": {
            "id": stage.id,
            "title": stage.title.model_dump(),
            "programme": stage.programme,
            "round": stage.round,
            "component": "user",
            "component_max": stage.component_max,
            "planned_advance": stage.planned_advance,
            "disclosure": stage.disclosure,
            "window": {"opens": kst(stage.opens), "closes": kst(stage.closes)},
            "status": facts.status,
            "opened_at": facts.opened_at,
            "frozen_at": facts.frozen_at,
            "file_sha256": sha256,
        },
        "entrants": [
            {
                "team_id": entrant.id,
                "team": entrant.team.model_dump(),
                "model_id": entrant.served().get("model"),
                "model_version": entrant.served().get("version"),
                "artifact_sha256": entrant.served().get("sha256"),
                "removed": facts.removed.get(entrant.id),
                "outage_minutes": facts.outages.get(entrant.id, 0.0),
            }
            for entrant in stage.entrants
        ],
        "protocol": stage.protocol.model_dump(mode="json"),
        "population": {
            "kind": stage.population.kind,
            "identity": stage.population.identity,
            "min_age": stage.population.min_age,
            **numbers["votes"],
            "strata": facts.strata,
            "weighting": weighting(votes),
        },
        "scores": scores,
        "covariance": numbers["covariance"],
        "pairwise": numbers["pairwise"],
        "warnings": numbers["warnings"],
        "method": numbers["method"],
        "sensitivity": numbers["sensitivity"],
        "side_bias": numbers["side_bias"],
        "exposure": numbers["exposure"],
        "exclusion_acts": facts.acts,
        "eligibility": None,
        "draws": {
            "rule": stage.protocol.pairing,
            "count": draws.num_rows,
            "commitment": facts.commitment,
            "seed": facts.seed,
        },
        "provenance": {
            "checkpoint": facts.checkpoint,
            "votes_file": {"name": VOTES, "sha256": hashes[VOTES], "rows": votes.num_rows},
            "draws_file": {"name": DRAWS, "sha256": hashes[DRAWS], "rows": draws.num_rows},
            "checkpoints_file": {"name": CHECKPOINTS, "sha256": hashes[CHECKPOINTS], "rows": facts.checkpoints},
            "stage_file": {"name": STAGE, "sha256": sha256},
            "scores_file": {"name": SCORES, "sha256": hashlib.sha256(scores_csv(stage, scores)).hexdigest()},
            "rerun_command": RERUN,
        },
    }


def weighting(votes: pa.Table) -> dict[str, Any] | None:
    """What weighting costs, from the weights beside the votes; None where a vote has none."""
    people: Any = tables.frame(votes)[["judge", "weight"]].drop_duplicates()
    if not len(people) or people["weight"].isna().any():
        return None
    weights = sorted(people["weight"].tolist())
    n_eff, effect = effective(weights)
    capped = sum(1 for weight in weights if weight >= MOST * (1 - 1e-6) * (sum(weights) / len(weights)))
    return {"method": "raking", "cap": MOST, "capped": capped, "n_eff": n_eff, "design_effect": effect}


def signed_bytes(document: dict[str, Any]) -> bytes:
    """What the signature is over: the RFC 8785 form of the document without `integrity.signature`."""
    integrity = {key: value for key, value in document["integrity"].items() if key != "signature"}
    return rfc8785.dumps({**document, "integrity": integrity})


def scores_csv(stage: Stage, scores: Sequence[dict[str, Any]]) -> bytes:
    """The scores as a table for people: UTF-8 with BOM, no cell that a spreadsheet would run."""
    teams = {entrant.id: entrant.team for entrant in stage.entrants}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in sorted(scores, key=lambda row: (row["rank"] is None, row["group"] or 0, row["rank"] or 0)):
        team = teams[row["team_id"]]
        low, high = row["rank_ci95"] or ("", "")
        cells = [
            row["rank"],
            low,
            high,
            row["team_id"],
            team.ko,
            team.en,
            row["points"],
            *(row["points_ci95"] or ["", ""]),
        ]
        cells += [stage.component_max, row["rating"], *(row["rating_ci95"] or ["", ""]), row["win_probability"]]
        cells += [row["n_votes"], _yes(row["provisional"]), _yes(stage.synthetic)]
        writer.writerow([safe_cell(cell) for cell in cells])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def safe_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers, written as RFC 8785 writes them."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    if isinstance(value, float):
        return rfc8785.dumps(value).decode()
    return "" if value is None else value


def kst(moment: datetime | None) -> str | None:
    """A moment as it is written: Korean time, milliseconds."""
    return None if moment is None else moment.astimezone(KST).isoformat(timespec="milliseconds")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
