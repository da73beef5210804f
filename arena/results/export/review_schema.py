"""What the export says of the votes that were left out by decision: the review and its rule, what was proposed, and every act."""

from typing import Annotated, Literal

from pydantic import Field

from arena.domain.review import ReviewRule, Tests
from arena.results.export.signed import Count, Moment, Part, Sha256, Share, TwoLanguages

Key = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
Named = Annotated[int, Field(ge=1)]


class Act(Part):
    """One decision to leave votes out, or to take them back."""

    at: Moment = Field(description="when")
    action: Literal["exclude", "restore"] = Field(description="what was done")
    reason: str | None = Field(
        description="the reason code: a test's, of what was proposed, or `operator`; null when votes were taken back"
    )
    rule: str = Field(description="the rule with its thresholds, or the grounds")
    votes: Named = Field(description="how many votes it names")
    root: Sha256 = Field(
        description="RFC 9162 Merkle root over the receipts of these votes, in ascending order; the rows that name this act in `acts` lead to it"
    )
    proposal: Key | None = Field(
        description="the proposal that it follows, or no longer follows; null for an `operator`'s act, for taking such votes back, and in a correction"
    )


class ProposalPart(Part):
    """Votes that the tests proposed to leave out, once, when the stage froze."""

    key: Key = Field(
        description="the first 24 hex characters of SHA-256 over the reason and the battles' identifiers in order, with a line feed between any two"
    )
    reason: str = Field(description="the reason code: side, random, target, campaign, speed or duplicate")
    rule: str = Field(description="what was found, with the test's thresholds")
    q: Share = Field(description="the false-discovery rate at which it is found; within the review's rate")
    votes: Named = Field(description="how many votes it names; no vote is named by two")
    root: Sha256 = Field(
        description="Merkle root over their receipts, as an act's; the rows that name this in `proposal` lead to it"
    )
    decision: Literal["followed", "declined"] | None = Field(
        description="`followed`: these votes are left out; `declined`: they count; null while nobody has decided"
    )
    decided_at: Moment | None = Field(description="when; null while nobody has")
    why: str | None = Field(description="why it was declined; else null")


class Look(Part):
    """That a result was made for somebody between freeze and publication."""

    at: Moment = Field(description="when")
    acts: Count = Field(
        description="how many acts had been made by then; with more than none, what they do to the ranking could be seen before the rest was decided"
    )


class ReviewPart(Part):
    """The review of integrity between freeze and publication, by the rule that the stage file sealed."""

    rule: ReviewRule = Field(
        description="`follow_all` – whatever is proposed is left out; `decide_each` – each proposal is followed, or declined with a reason"
    )
    tests: Tests = Field(description="the version of the tests that proposed")
    voter_rate: Share = Field(description="bound of false discoveries among single voters")
    campaign_rate: Share = Field(description="bound among networks and hours")
    decides: TwoLanguages = Field(description="who decides, by the stage file")
    due: Moment | None = Field(description="until when, by the stage file; null before the freeze")
    late: Count = Field(description="decisions and acts after that, up to publication")
    proposals: list[ProposalPart] = Field(description="what was proposed at the freeze, the most striking first")
    looks: list[Look] = Field(
        description="who saw a result meanwhile: organizers by command or console, holders of a key"
    )
