"""What an export says of groups, as types that refuse anything else."""

from typing import Annotated, Literal

from pydantic import Field

from arena.results.export.rating_schema import Warning_
from arena.results.export.signed import Count, Pair, Part, Share

Kind = Literal["stratum", "topic", "language", "turns", "identity"]


class GroupScore(Part):
    """One entrant's result in one group; the intervals of all groups and entrants of a variable hold at once, with 95 %."""

    team_id: str = Field(description="the entrant")
    rating: float = Field(description="rating, drawn towards what all prefer as far as the group's votes leave open")
    rating_ci95: Pair = Field(description="95 % interval")
    points: float = Field(description="points")
    points_ci95: Pair = Field(description="95 % interval")


class Group(Part):
    """One group. Who is too few to be told of has neither result nor count, and nor has whoever a total would give away with them."""

    name: str = Field(
        description="the category of a stratum, the topic's identifier, the language, the number of prompts, or the identity check"
    )
    voters: Count | None = Field(
        description="people with a vote in the fit; null for groups that are too small to show, and by stratum and identity, whose people `population` counts once for all"
    )
    votes: Count | None = Field(description="their votes in the fit; null as `voters` is")
    scores: list[GroupScore] = Field(
        description="what it prefers; empty for a group that is too small to show, and where fewer than two are not"
    )


class Difference(Part):
    """How different a variable's groups are."""

    sd: Annotated[float, Field(ge=0)] = Field(
        description="standard deviation between groups of an entrant's rating, in rating points: two groups typically lie 1.4 times as far apart"
    )
    sd_ci95: Pair = Field(description="95 % interval; never holds 0, since no two groups are quite alike")
    f: float | None = Field(
        description="the test's statistic: F of Hotelling's T² of effects that are drawn nowhere, clustered by voter and question; null with too few people for so many groups"
    )
    df: Pair | None = Field(description="its degrees of freedom")
    p: Share | None = Field(description="that the groups would differ so by chance, at one look")


class Grouping(Part):
    """The result by the groups of one variable: a multilevel model with the groups, each voter's taste and each question's favour."""

    kind: Kind = Field(
        description="`stratum`: one that the stage declares, recomputed by whoever has strata.parquet; the others follow from the votes: `topic` as citizens named it, `language` of the first prompt, `turns` (prompts in the conversation) and `identity`"
    )
    variable: str = Field(description="the stratum; else as kind")
    groups: list[Group] = Field(
        description="all categories of a stratum; else those with a sealed vote, of two or more"
    )
    difference: Difference | None = Field(description="null where fewer than two groups are shown")
    warnings: list[Warning_] = Field(description="what limits it")
