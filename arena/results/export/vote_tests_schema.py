"""What an export says of the votes beside their ratings: tests of what the fit takes for granted, as types that refuse anything else.

Every p-value is two-sided and of no effect; `p_holm` is the same corrected (Holm 1979) for all that are asked in the same list.
"""

from typing import Annotated, Literal

from pydantic import Field

from arena.results.export.signed import Count, Pair, Part, Share

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="a day in Korea")]


class SideTest(Part):
    """Whether side a wins more or less than half of the decided votes; the share and its interval are in `side_bias`."""

    p: Share | None = Field(description="of a share of ½, clustered by voter; null where fewer than two voters tell it")
    n_eff_voters: float = Field(description="the effective number of voters who decided: (Σn)²/Σn²")


class ShareTest(Part):
    """How often something happened in an entrant's battles, against all battles without it (or without it on that side)."""

    team_id: str = Field(description="the entrant")
    side: Literal["a", "b"] | None = Field(description="where it stood; null for both together")
    times: Count = Field(description="how often it happened")
    of: Count = Field(description="in so many of its battles")
    share: Share | None = Field(description="times / of")
    others: Share | None = Field(description="the share in all other battles; null where there are none")
    p: Share | None = Field(description="that the two are the same; null where nothing can be compared")
    p_holm: Share | None = Field(description="corrected over every entrant and side")


class Quadratic(Part):
    """A test over many cells at once, second-order corrected for votes of one person being alike (Rao & Scott 1984)."""

    f: float = Field(description="mean square of what is not explained over what chance and voters lead one to expect")
    df: Pair = Field(description="degrees of freedom of F, of the cells and of the voters")
    p: Share = Field(description="of a larger F")


class PairMisfit(Part):
    """Two entrants' votes beside what their strengths lead one to expect."""

    a: str = Field(description="one entrant")
    b: str = Field(description="the other")
    votes: Count = Field(description="their votes in the fit")
    observed: float = Field(description="wins of a, a tie as half a win")
    expected: float = Field(description="by the strengths of a fit of these votes by vote")
    z: float | None = Field(description="what is between them in standard errors, clustered by voter")
    p: Share | None = Field(description="of none; null where nothing but the pair itself ties the two together")
    p_holm: Share | None = Field(description="corrected over the pairs")


class MisfitTest(Part):
    """Whether one number per entrant explains every pair: whether strength is transitive."""

    overall: Quadratic = Field(description="over all pairs")
    pairs: list[PairMisfit] = Field(description="the pairs that met")


class Period(Part):
    """Some days of the stage, or half of its votes."""

    first: Day = Field(description="its first day with a counted vote, in Korea")
    last: Day = Field(description="its last one")
    votes: Count = Field(description="counted votes")


class EntrantDrift(Part):
    """One entrant, period by period."""

    team_id: str = Field(description="the entrant")
    excess: list[float] = Field(description="wins beyond what its one strength leads one to expect, by period")
    test: Quadratic | None = Field(description="whether they differ from 0; null where it was in one period only")
    p_holm: Share | None = Field(description="the test's p corrected over the entrants")


class VersionShift(Part):
    """One version beside the strength of all the entrant's votes together."""

    version: Count = Field(description="its place in the entrant's `versions`")
    votes: Count = Field(description="votes in the fit")
    excess: float = Field(description="wins beyond what the one strength leads one to expect")
    shift: float = Field(description="what that is in strength, in logits: one step from the fit")


class EntrantVersions(Part):
    """An entrant that answered as two versions or more."""

    team_id: str = Field(description="the entrant")
    versions: list[VersionShift] = Field(description="its versions with a vote in the fit")
    test: Quadratic | None = Field(description="whether they are equally strong, clustered by voter")
    p_holm: Share | None = Field(description="the test's p corrected over the entrants with several versions")


class DriftTest(Part):
    """Whether each entrant was as strong at every time."""

    periods: list[Period] = Field(
        description="days in Korea with counted votes, put together to at most ten periods; of fewer than three days, the earlier and the later half of the votes"
    )
    overall: Quadratic = Field(description="over all entrants and periods")
    entrants: list[EntrantDrift] = Field(description="by entrant")
    versions: list[EntrantVersions] = Field(
        description="whose versions can be compared; empty where each entrant stayed what it was, as far as is known"
    )


class Agreed(Part):
    """How many of the pairs of judgements are the same."""

    times: Count = Field(description="pairs that are the same")
    of: Count = Field(description="pairs")
    share: Share | None = Field(description="times / of")
    share_ci95: Pair | None = Field(description="95 % interval, clustered by voter as that of `side_bias`")
    chance: Share | None = Field(
        description="the share that would be the same if the second had nothing to do with the first"
    )


class Retest(Part):
    """Whether people judge the same answers alike when they are shown again on each other's side, ten votes or more later."""

    voters: Count = Field(description="people who judged a battle twice")
    exact: Agreed = Field(description="the same of the four decisions")
    decided: Agreed = Field(description="the same answer, where both times one was chosen")


class Alpha(Part):
    """Krippendorff's alpha: 1 where all agree, 0 where the units tell no more than chance, below where people disagree more than that."""

    units: Count = Field(description="units that two people or more judged")
    judgements: Count = Field(description="by them, in those units; of one person's in a unit the first")
    n_eff_voters: float = Field(description="the effective number of people who gave them: (Σn)²/Σn²")
    alpha: float = Field(description="the coefficient")
    alpha_ci95: Pair | None = Field(
        description="95 % interval, by leaving out one person after the other; null where too few tell it"
    )


class AgreementTest(Part):
    """Whether different people who asked the same question of the same two entrants judged alike; the answers they judged were made anew for each."""

    nominal: Alpha | None = Field(
        description="over the four decisions; null below ten units, and where all judgements are the same"
    )
    ordinal: Alpha | None = Field(description="over win, tie and defeat, in this order; `both_bad` left out")


class VoteTests(Part):
    """What else the votes say: tests beside the fit, over the counted votes."""

    side: SideTest = Field(description="whether the side mattered")
    both_bad: list[ShareTest] = Field(
        description="whose battles ended with `both_bad` more or less often, clustered by voter; a weak entrant's may, and so may one whose friends refuse to say that it lost"
    )
    unvoted: list[ShareTest] = Field(
        description="whose battles, void ones apart, were left without a vote more or less often: Fisher's exact test by draw, since a draw tells no voter, as if every battle were somebody else's"
    )
    misfit: MisfitTest | None = Field(
        description="whether the strengths explain every pair; null where they must (two entrants), and where one voter tells it"
    )
    drift: DriftTest | None = Field(
        description="whether strengths changed over time; null where there is one moment, or one voter"
    )
    retest: Retest | None = Field(
        description="whether people agree with themselves: repeats whose first vote counts; null where there is none"
    )
    agreement: AgreementTest = Field(
        description="whether people agree with each other: unit by unit, a unit being a question and a pair of entrants"
    )
