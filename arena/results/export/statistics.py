"""Everything in an export that follows from the votes, the draws and the stage file, and from nothing else.

The export is made by these functions, and the stranger's check makes it again: whatever differs was not made from this evidence.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self, get_args

import numpy as np
from numpy.typing import NDArray

from arena.domain.draw import rule_of
from arena.domain.leaks import NAMING, Leak, mask, side_mask
from arena.domain.stage import Stage
from arena.results.export.rating_schema import (
    Cut,
    Fit,
    Representative,
    Sensitivity,
    StyleControlled,
    Swap,
    VariantScore,
)
from arena.results.export.schema import (
    Balance,
    ChiSquare,
    ExposureCell,
    ExposurePart,
    ExposureShare,
    IdentityLevel,
    LeaksOf,
    LeaksPart,
    PopulationPart,
    ReasonCount,
    SideBiasPart,
    Stratum,
    Weighting,
    WinnerName,
)
from arena.results.export.table_reader import DrawTable
from arena.results.export.tables import OUTCOMES
from arena.results.live import draw_audit
from arena.results.votes import closing
from arena.results.votes.inclusion import LEAKS, REASONS
from arena.results.votes.rating import compared, rate_stage, style_controlled
from arena.results.votes.side_bias import side_bias as side_bias_of
from arena.results.votes.table import IDENTITY, VoteTable
from arena.results.votes.warnings import warnings
from arena.results.votes.weighting import MOST, effective, published
from ratings.anytime import Anytime
from ratings.comparison import BothBad, Comparisons
from ratings.errors import RatingsError
from ratings.first import FirstK, first
from ratings.notices import by_kind, no_votes
from ratings.result import Ratings
from ratings.robustness import robustness
from ratings.voices import Voice


@dataclass(frozen=True, slots=True, eq=False)
class StageVotes:
    """A stage's votes with what they are rated by."""

    stage: Stage
    file_sha256: str
    """Of the stage file: the seed of the simultaneous comparisons comes from it."""
    votes: VoteTable
    entrants: tuple[str, ...]
    """Those that are rated: declared, and not removed; in the stage file's order."""
    looks: Anytime | None
    """Whether intervals hold at every look, as in `ratings.fit.rate`."""

    @classmethod
    def of(
        cls, stage: Stage, file_sha256: str, votes: VoteTable, rated: Collection[str], frozen_at: datetime | None
    ) -> Self:
        """Take the entrants that are rated, and what the closing rule says of looking, from a stage as it stands."""
        entrants = tuple(entrant for entrant in stage.entrant_ids if entrant in rated)
        return cls(stage, file_sha256, votes, entrants, closing.looks(stage, votes, frozen_at))

    def rated(
        self,
        rows: NDArray[np.bool_],
        *,
        both_bad: BothBad | None = None,
        voice: Voice | None = None,
        by_question: bool = True,
        weighted: bool = False,
    ) -> Ratings | None:
        """Rate these votes as the stage declares, but for what is said here; None where no two entrants were compared."""
        chosen = compared(
            self.stage, self.votes, rows, self.entrants, voice=voice, by_question=by_question, weighted=weighted
        )
        return rate_stage(self.stage, self.file_sha256, chosen, looks=self.looks, both_bad=both_bad)

    def compared(self, rows: NDArray[np.bool_]) -> Comparisons:
        """Take these votes for a fit as the stage declares."""
        return compared(self.stage, self.votes, rows, self.entrants)


def fit(ratings: Ratings | None, stage: Stage, entrants: Sequence[str]) -> Fit:
    """Write a fit, with who stands among those that the stage plans to advance.

    Args:
        ratings: None where no vote counts, which the warnings then say of all entrants.
        stage: whose votes they are.
        entrants: those that are to be rated.
    """
    if ratings is None:
        said = warnings(by_kind([no_votes(entrant) for entrant in entrants]))
        return Fit.model_validate(
            {"scores": [], "cut": None, "covariance": [], "pairwise": [], "warnings": said, "method": None}
        )
    told, among = ratings.to_dict("team_id"), first(ratings, stage.planned_advance)
    told["scores"] = [row | more for row, more in zip(told["scores"], among.to_dicts(), strict=True)]
    return Fit.model_validate({**told, "cut": _cut(among, stage), "warnings": warnings(ratings.notices)})


def _cut(among: FirstK, stage: Stage) -> Cut | None:
    if among.cut is None:
        return None
    return Cut(k=among.k, rule=stage.tie_at_cut, **asdict(among.cut))


def sensitivity(given: StageVotes, main: Ratings | None, population: Representative | None = None) -> Sensitivity:
    """Rate the same votes under other choices; what `population` would say is made elsewhere (`results.export.groups`)."""
    votes, counted = given.votes, given.votes.counted
    has_weights = _has_weights(votes, votes.in_fit(given.stage.protocol.both_bad))
    beside = Sensitivity(
        nothing_excluded=_variant(given.rated(votes.in_scope)),
        leaks_included=_variant(given.rated(counted | (votes.excluded_by == REASONS.index(LEAKS)))),
        leaks_excluded=_variant(given.rated(counted & ((votes.leaks & mask(Leak)) == 0))),
        other_voice=_variant(given.rated(counted, voice="vote" if given.stage.voice == "citizen" else "citizen")),
        voter_only=_variant(given.rated(counted, by_question=False)),
        weighted=_variant(given.rated(counted, voice="citizen", weighted=True)) if has_weights else None,
        representative=population,
        style_controlled=None if main is None else _style_controlled(given, main),
        robustness=_robustness(given),
    )
    other: BothBad = "tie" if given.stage.protocol.both_bad == "exclude" else "exclude"
    return beside.model_copy(update={f"both_bad_{other}": _variant(given.rated(counted, both_bad=other))})


def _has_weights(votes: VoteTable, rows: NDArray[np.bool_]) -> bool:
    """Tell whether everybody in the fit has a weight."""
    return bool(votes.weight is not None and rows.any() and not np.isnan(votes.weight[rows]).any())


def _variant(ratings: Ratings | None) -> list[VariantScore] | None:
    """Return the scores under another choice, for comparison with the main ones."""
    rows = None if ratings is None else ratings.to_dict("team_id", covariance=False)["scores"]
    return None if rows is None else [VariantScore.of(row) for row in rows]


def _style_controlled(given: StageVotes, main: Ratings) -> StyleControlled | None:
    """Make the fit with length, formatting and side held equal, over the votes whose answers could still be counted."""
    rows = given.votes.counted & given.votes.measured.styled
    found = style_controlled(given.stage, given.votes, rows, given.entrants, given.looks)
    if found is None:
        return None
    told = found.to_dict(main)
    scores = [{"team_id": row.pop("model"), **row} for row in told["scores"]]
    return StyleControlled.model_validate({**told, "n_votes": int(rows.sum()), "scores": scores})


def _robustness(given: StageVotes) -> list[Swap] | None:
    """How few votes, and how few voters, would swap neighbours if they were taken away."""
    protocol = given.stage.protocol
    chosen = given.compared(given.votes.counted)
    try:
        found = robustness(chosen, prior=protocol.prior, both_bad=protocol.both_bad)
    except RatingsError:  # no vote that counts, or no prior
        return None
    return [Swap.model_validate(swap.to_dict()) for swap in found]


def population(stage: Stage, votes: VoteTable, main: Fit, strata: Sequence[Stratum] | None) -> PopulationPart:
    """Count who voted, and which votes count."""
    winners = votes.winners()
    return PopulationPart(
        kind=stage.population.kind,
        identity=stage.population.identity,
        min_age=stage.population.min_age,
        n_voters=len(votes.voters),
        n_votes_raw=len(votes),
        n_votes_counted=int(votes.counted.sum()),
        n_votes_used=0 if main.method is None else main.method.n_used,
        n_eff_voters=None if main.method is None else main.method.n_eff_voters,
        winners={name: winners[name] for name in get_args(WinnerName)},
        identity_levels=identity_levels(votes),
        exclusions=[ReasonCount(reason=reason, count=count) for reason, count in sorted(votes.left_out().items())],
        strata=None if strata is None else list(strata),
        weighting=weighting(stage, votes),
    )


def identity_levels(votes: VoteTable) -> list[IdentityLevel]:
    """Count the voters by their identity check; of groups under ten only that they exist."""
    people = np.unique(votes.voter.astype(np.int64) * len(IDENTITY) + votes.identity)
    counts = np.bincount(people % len(IDENTITY), minlength=len(IDENTITY)).tolist()
    shown = published({level: count for level, count in zip(IDENTITY, counts, strict=True) if count})
    return [IdentityLevel(level=level, voters=shown[level]) for level in sorted(IDENTITY) if level in shown]


def weighting(stage: Stage, votes: VoteTable) -> Weighting | None:
    """Say what weighting costs; None where a vote in the fit has no weight."""
    rows = votes.in_fit(stage.protocol.both_bad)
    if votes.weight is None or not _has_weights(votes, rows):
        return None
    here, first, cast = np.unique(votes.voter[rows], return_index=True, return_counts=True)
    order = np.lexsort((cast, votes.weight[rows][first]))  # sums of floats in an order that no voter's name decides
    weights, cast = votes.weight[rows][first][order], cast[order]
    n_eff, effect = effective(weights, cast)
    capped = int((weights >= MOST * (1 - 1e-6) * (weights.sum() / len(here))).sum())
    classes = len(np.unique(weights))
    return Weighting(method="raking", cap=MOST, capped=capped, classes=classes, n_eff=n_eff, design_effect=effect)


def side_bias(votes: VoteTable, looks: Anytime | None) -> SideBiasPart:
    """Hold side a against side b."""
    found = side_bias_of(votes, looks)
    interval = None if found.interval is None else list(found.interval)
    return SideBiasPart(wins_a=found.wins_a, wins_b=found.wins_b, share_a=found.share, share_a_ci95=interval)


def leaks(stage: Stage, votes: VoteTable) -> LeaksPart:
    """Count what each entrant's answers gave away, whether the prompts had brought it up or not."""
    excluded = stage.protocol.excluded_leaks
    leaky = votes.excluded_by == REASONS.index(LEAKS)

    def of(entrant: str) -> LeaksOf:
        place = votes.entrants.index(entrant)
        on = [votes.a == place, votes.b == place]

        def count(among: Collection[Leak], *, prompted: bool) -> int:
            found = [on[side] & ((votes.leaks & side_mask(side, among, prompted=prompted)) != 0) for side in (0, 1)]
            return int((found[0] | found[1]).sum())

        kinds = zip(("self_named", "posed", "own", "rival"), NAMING, strict=True)
        counts = {
            name + "_prompted" * prompted: count((leak,), prompted=prompted)
            for name, leak in kinds
            for prompted in (False, True)
        }
        minded = [on[side] & ((votes.leaks & side_mask(side, excluded)) != 0) for side in (0, 1)]
        left_out = int((leaky & (minded[0] | minded[1])).sum())
        return LeaksOf(team_id=entrant, votes=int((on[0] | on[1]).sum()), left_out=left_out, **counts)

    return LeaksPart(
        excluded=list(excluded),
        asked=int(((votes.leaks & mask((Leak.ASKED,))) != 0).sum()),
        entrants=[of(entrant) for entrant in stage.entrant_ids],
    )


def exposure(stage: Stage, draws: DrawTable) -> ExposurePart:
    """Count how often each ordered pair was drawn, against what the rule lets one expect, and what became of those battles."""
    table = draw_audit.exposure(draws, rule_of(stage))
    place, became = {entrant: n for n, entrant in enumerate(draws.entrants)}, draws.outcomes()

    def cell(of: draw_audit.Cell) -> ExposureCell:
        counts = dict(zip(OUTCOMES, became[place[of.a], place[of.b]].tolist(), strict=True))
        return ExposureCell(a=of.a, b=of.b, drawn=of.drawn, expected=round(of.expected, 3), **counts)

    return ExposurePart(
        draws=table.draws,
        pairs=[cell(of) for of in table.cells],
        entrants=[
            ExposureShare(id=share.entrant, on_a=share.on_a, on_b=share.on_b, expected=round(share.expected, 3))
            for share in table.shares
        ],
        balance=Balance(pairs=_chi_square(table.pairs), sides=_chi_square(table.sides)),
    )


def _chi_square(test: draw_audit.Balance) -> ChiSquare:
    return ChiSquare(chi2=round(test.statistic, 6), df=test.df, p=round(test.p, 6))
