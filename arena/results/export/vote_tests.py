"""What else the votes say: side, both_bad, unvoted, misfit by pair, drift by day and version, agreement with oneself and with others, from the votes and the draws and from nothing else."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arena.domain.stage import Stage
from arena.results.export.tables import OUTCOMES
from arena.results.export.vote_tests_schema import (
    Agreed,
    AgreementTest,
    Alpha,
    DriftTest,
    EntrantDrift,
    EntrantVersions,
    MisfitTest,
    PairMisfit,
    Period,
    Quadratic,
    Retest,
    ShareTest,
    SideTest,
    VersionShift,
    VoteTests,
)
from arena.results.votes.side_bias import side_bias
from arena.results.votes.table import VoteTable
from ratings import agreement, misfit, retest, shares
from ratings.anytime import Anytime
from ratings.comparison import Comparisons
from ratings.errors import RatingsError

MOST_PERIODS = 10
FEWEST_DAYS = 3
"""Of fewer, the earlier half of the votes is held against the later one."""
_DAY_US = 86_400_000_000
_KST_US = 9 * 3_600_000_000
VOTED, UNVOTED = OUTCOMES.index("voted"), OUTCOMES.index("unvoted")


def vote_tests(
    stage: Stage,
    votes: VoteTable,
    rated: Sequence[str],
    drawn: Sequence[str],
    outcomes: NDArray[np.int64],
    looks: Anytime | None,
) -> VoteTests:
    """Test what the fit takes for granted, on the counted votes; nothing of it changes the fit.

    Args:
        stage: its prior and what it does with `both_bad` hold here too.
        votes: in any order.
        rated: the entrants that are rated.
        drawn: the entrants that `outcomes` counts, controls among them.
        outcomes: (entrants, entrants, 3) what became of the draws, as `DrawTable.outcomes` gives it.
        looks: intervals hold at every look while votes come in; None where they are looked at once. p is of one look.
    """
    counted = votes.counted
    compared, side = votes.comparisons(counted, rated, voice="vote"), side_bias(votes, None)
    place = [drawn.index(entrant) for entrant in rated]
    of_rated = outcomes[np.ix_(place, place)]
    left = of_rated[:, :, UNVOTED]
    return VoteTests(
        side=SideTest(p=side.p, n_eff_voters=side.voters),
        both_bad=[_share(test) for test in shares.both_bad(compared)],
        unvoted=[_share(test) for test in shares.unvoted(rated, left, left + of_rated[:, :, VOTED])],
        misfit=_misfit(stage, compared),
        drift=_drift(stage, compared, votes.cast_at[counted], votes.measured.version[counted]),
        retest=_retest(votes, looks),
        agreement=_agreement(compared, votes.question[counted], votes.cast_at[counted], looks),
    )


def periods(cast_at: NDArray[np.int64]) -> tuple[NDArray[np.intp], list[Period]]:
    """Cut the time of a stage into at most `MOST_PERIODS` parts: days in Korea with a vote, several together where there are more, or two halves of the votes.

    Args:
        cast_at: microseconds since 1970 UTC, in any order.

    Returns:
        Each vote's period, and the periods.
    """
    if not len(cast_at):
        return np.empty(0, np.intp), []
    day = (cast_at + _KST_US) // _DAY_US
    days, place = np.unique(day, return_inverse=True)
    if len(days) < FEWEST_DAYS:
        period = (cast_at > np.sort(cast_at)[(len(cast_at) - 1) // 2]).astype(np.intp)
    else:
        period = place // -(-len(days) // MOST_PERIODS)
    found = []
    for n in range(int(period.max()) + 1):
        here = day[period == n]
        found.append(Period(first=_date(here.min()), last=_date(here.max()), votes=len(here)))
    return period, found


def _misfit(stage: Stage, compared: Comparisons) -> MisfitTest | None:
    try:
        found = misfit.misfit(compared, prior=stage.protocol.prior, both_bad=stage.protocol.both_bad)
    except RatingsError:  # no prior, and no finite estimate
        return None
    if found is None:
        return None
    pairs = [
        PairMisfit(
            a=pair.a,
            b=pair.b,
            votes=pair.votes,
            observed=round(pair.observed, 3),
            expected=round(pair.expected, 3),
            z=_rounded(pair.z, 4),
            p=_rounded(pair.p, 6),
            p_holm=_rounded(pair.adjusted, 6),
        )
        for pair in found.pairs
    ]
    return MisfitTest(overall=_quadratic(found.overall), pairs=pairs)


def _drift(
    stage: Stage, compared: Comparisons, cast_at: NDArray[np.int64], version: NDArray[np.int16]
) -> DriftTest | None:
    period, told = periods(cast_at)
    prior, both_bad = stage.protocol.prior, stage.protocol.both_bad
    try:
        found = misfit.drift(compared, period, prior=prior, both_bad=both_bad)
        versions = misfit.by_version(compared, version[:, 0], version[:, 1], prior=prior, both_bad=both_bad)
    except RatingsError:
        return None
    if found is None:
        return None
    entrants = [
        EntrantDrift(
            team_id=each.model,
            excess=[round(value, 3) + 0.0 for value in each.excess],
            test=None if each.test is None else _quadratic(each.test),
            p_holm=_rounded(each.adjusted, 6),
        )
        for each in found.entrants
    ]
    return DriftTest(
        periods=told, overall=_quadratic(found.overall), entrants=entrants, versions=list(map(_versions, versions))
    )


def _versions(found: misfit.EntrantVersions) -> EntrantVersions:
    return EntrantVersions(
        team_id=found.model,
        versions=[
            VersionShift(
                version=each.version,
                votes=each.votes,
                excess=round(each.excess, 3) + 0.0,
                shift=round(each.shift, 6) + 0.0,
            )
            for each in found.versions
        ],
        test=None if found.test is None else _quadratic(found.test),
        p_holm=_rounded(found.adjusted, 6),
    )


def _agreement(
    compared: Comparisons, question: NDArray[np.int32], cast_at: NDArray[np.int64], looks: Anytime | None
) -> AgreementTest:
    found = agreement.agreement(compared, question, cast_at, looks)
    return AgreementTest(nominal=_alpha(found.nominal), ordinal=_alpha(found.ordinal))


def _retest(votes: VoteTable, looks: Anytime | None) -> Retest | None:
    """Compare repeats with their first votes, where those count and enough of the repeat was shown."""
    again = np.flatnonzero((votes.repeat_of > 0) & ~votes.unread)
    if not len(again):
        return None
    order = np.argsort(votes.draw)
    first = order[np.searchsorted(votes.draw, votes.repeat_of[again], sorter=order) % len(votes)]
    paired = (votes.draw[first] == votes.repeat_of[again]) & votes.counted[first]
    first, again = first[paired], again[paired]
    if not len(again):
        return None
    if looks is not None:  # as many repeats are planned as come with the planned votes
        looks = Anytime(looks.planned_votes * len(again) / int(votes.counted.sum()))
    found = retest.retest(votes.outcome[first], votes.outcome[again], votes.voter[again], looks)
    return Retest(voters=found.voters, exact=_agreed(found.exact), decided=_agreed(found.decided))


def _agreed(found: retest.Agreed) -> Agreed:
    return Agreed(
        times=found.times,
        of=found.of,
        share=_rounded(found.share, 6),
        share_ci95=None if found.interval is None else [round(end, 6) for end in found.interval],
        chance=_rounded(found.chance, 6),
    )


def _alpha(found: agreement.Alpha | None) -> Alpha | None:
    if found is None:
        return None
    return Alpha(
        units=found.units,
        judgements=found.judgements,
        n_eff_voters=found.voters,
        alpha=round(found.alpha, 6) + 0.0,
        alpha_ci95=None if found.interval is None else [round(end, 6) + 0.0 for end in found.interval],
    )


def _share(test: shares.ShareTest) -> ShareTest:
    return ShareTest(
        team_id=test.model,
        side=test.side,
        times=test.times,
        of=test.of,
        share=_rounded(test.share, 6),
        others=_rounded(test.others, 6),
        p=_rounded(test.p, 6),
        p_holm=_rounded(test.adjusted, 6),
    )


def _quadratic(test: misfit.Quadratic) -> Quadratic:
    return Quadratic(f=round(test.f, 6), df=[round(each, 3) for each in test.df], p=round(test.p, 6))


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals) + 0.0


def _date(day: np.int64) -> str:
    return str(np.datetime64(int(day), "D"))
