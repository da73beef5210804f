"""The sheet of numbers: everything in an export that follows from the votes, the draws and the stage file, and from nothing else.

The export is made by `sheet`, and the stranger's check makes it again: whatever differs was not made from this evidence.
"""

from collections import Counter
from typing import Any

import pyarrow as pa

from arena.domain.pairing import rule_of
from arena.domain.stage import Stage
from arena.domain.vote import Winner
from arena.results.export import tables
from arena.results.live.draw_audit import exposure
from arena.results.live.leaderboard import SideBias
from arena.results.votes.annotations import STYLE
from arena.results.votes.inclusion import CHECK, REMOVED, rating_seed
from arena.results.votes.weighting import published
from ratings.comparison import BothBad, Comparisons
from ratings.errors import NothingToRateError, RatingsError
from ratings.fit import rate
from ratings.result import Ratings
from ratings.robustness import robustness
from ratings.score import Transform
from ratings.style import controlled, differences


def sheet(stage: Stage, file_sha256: str, votes: pa.Table, draws: pa.Table, removed: frozenset[str]) -> dict[str, Any]:
    """Every number of the export, by the name of its section."""
    entrants = [entrant for entrant in stage.entrant_ids if entrant not in removed]
    frame: Any = tables.frame(votes)
    used = frame[frame["left_out"].isna()]
    met = frame[~frame["left_out"].isin([CHECK, REMOVED])]
    weighted = bool(votes.num_rows) and frame["weight"].notna().all()

    def rated(rows: Any, both_bad: BothBad, *, by_weight: bool = False) -> Ratings | None:
        columns = ["model_a", "model_b", "winner", "judge", *(["weight"] if by_weight else [])]
        declared = stage.protocol.transform
        try:
            return rate(
                Comparisons.from_frame(rows[columns], entrants),
                prior=stage.protocol.prior,
                both_bad=both_bad,
                transform=Transform(declared.id, declared.version, declared.params),
                component_max=stage.component_max,
                seed=rating_seed(file_sha256),
            )
        except NothingToRateError:
            return None

    main = rated(used, stage.protocol.both_bad)
    other: BothBad = "tie" if stage.protocol.both_bad == "exclude" else "exclude"
    body = {} if main is None else main.to_dict("team_id")
    winners = used["winner"].value_counts()
    return {
        "scores": body.get("scores", []),
        "covariance": body.get("covariance", []),
        "pairwise": body.get("pairwise", []),
        "warnings": body.get("warnings", []),
        "method": body.get("method"),
        "sensitivity": {
            f"both_bad_{other}": _variant(rated(used, other)),
            "nothing_excluded": _variant(rated(met, stage.protocol.both_bad)),
            "weighted": _variant(rated(used, stage.protocol.both_bad, by_weight=True)) if weighted else None,
            "style_controlled": None if main is None else style_controlled(stage, used, entrants, main),
            "robustness": fragile(stage, used, entrants),
        },
        "votes": {
            "n_votes_raw": votes.num_rows,
            "n_votes_counted": len(used),
            "n_votes_used": 0 if main is None else body["method"]["n_used"],
            "n_voters": int(frame["judge"].nunique()),
            "n_eff_voters": None if main is None else body["method"]["n_eff_voters"],
            "winners": {winner.value: int((frame["winner"] == winner.value).sum()) for winner in Winner},
            "exclusions": [
                {"reason": str(reason), "count": int(count)}
                for reason, count in sorted(frame["left_out"].dropna().value_counts().items())
            ],
            "identity_levels": identity_levels(votes),
        },
        "side_bias": SideBias(int(winners.get("model_a", 0)), int(winners.get("model_b", 0))).to_json(),
        "exposure": exposed(stage, draws),
    }


def style_controlled(stage: Stage, used: Any, entrants: list[str], main: Ratings) -> dict[str, Any] | None:
    """The fit with length, formatting and side held equal, over the votes whose answers could still be counted."""
    rows = used[used[list(STYLE)].notna().all(axis=1)]
    try:
        found = controlled(
            Comparisons.from_frame(rows[["model_a", "model_b", "winner", "judge"]], entrants),
            differences(rows),
            prior=stage.protocol.prior,
            both_bad=stage.protocol.both_bad,
        ).to_dict(main)
    except RatingsError:  # some entrants never met, or no text is left: there is nothing to show beside the raw fit
        return None
    scores = [{"team_id": row.pop("model"), **row} for row in found["scores"]]
    return {**found, "n_votes": len(rows), "scores": scores}


def fragile(stage: Stage, used: Any, entrants: list[str]) -> list[dict[str, Any]] | None:
    """How few votes, and how few voters, would swap neighbours if they were taken away."""
    comparisons = Comparisons.from_frame(used[["model_a", "model_b", "winner", "judge"]], entrants)
    try:
        found = robustness(comparisons, prior=stage.protocol.prior, both_bad=stage.protocol.both_bad)
    except RatingsError:  # no vote that counts, or no prior
        return None
    return [swap.to_dict() for swap in found]


def _variant(ratings: Ratings | None) -> list[dict[str, Any]] | None:
    """The scores under another choice, for comparison with the main ones."""
    if ratings is None:
        return None
    kept = ("team_id", "theta", "se", "rating", "rating_ci95", "rank", "rank_ci95", "points", "points_ci95", "n_votes")
    return [{key: row[key] for key in kept} for row in ratings.to_dict("team_id")["scores"]]


def identity_levels(votes: pa.Table) -> list[dict[str, Any]]:
    """How many voters had which identity check; of groups under ten only that they exist."""
    people: Any = votes.select(["judge", "identity_level"]).to_pandas().drop_duplicates()
    counts = published({str(level): int(n) for level, n in people["identity_level"].value_counts().items()})
    return [{"level": level, "voters": n} for level, n in counts.items()]


def exposed(stage: Stage, draws: pa.Table) -> dict[str, Any]:
    """How often each ordered pair was drawn, against what the rule lets one expect, and what became of those battles."""
    rows = draws.to_pylist()
    outcomes: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        outcomes.setdefault((row["model_a"], row["model_b"]), Counter())[row["outcome"]] += 1
    table = exposure(map(tables.draw_of, rows), rule_of(stage)).to_json()
    for cell in table["pairs"]:
        became = outcomes.get((cell["a"], cell["b"]), Counter())
        cell |= {outcome: became[outcome] for outcome in ("voted", "void", "unvoted")}
    return table
