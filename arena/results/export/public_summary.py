"""What everybody may read of a published score: all of it, the best team's and the mean, or nothing, as the stage file declared."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Literal, Self

from pydantic import Field

from arena.record.keys import Keys
from arena.results.export.rating_schema import Score
from arena.results.export.schema import StagePart, UserScore
from arena.results.export.signed import UNSIGNED, Count, Issuer, Moment, Pair, Part, Sha256, Signed, TwoLanguages

SCHEMA = "kai.user-score-summary/1"


class SummaryStage(Part):
    """The stage the score belongs to."""

    id: str = Field(description="the stage's identifier")
    title: TwoLanguages = Field(description="its title")
    programme: str = Field(description="the programme it is a round of")
    round: int = Field(description="the round's number")
    component: Literal["user"] = Field(description="the component of the total")
    component_max: float = Field(description="the component's maximum, in points")
    frozen_at: Moment | None = Field(description="when it froze")
    file_sha256: Sha256 = Field(description="hash of the sealed stage file")

    @classmethod
    def of(cls, stage: StagePart) -> Self:
        """Take from the export's stage what everybody may read."""
        return cls.model_validate(stage.model_dump(include=set(cls.model_fields)))


class Best(Part):
    """The best team's result."""

    team_id: str = Field(description="the entrant")
    team: TwoLanguages = Field(description="its name")
    points: float = Field(description="its user score")
    points_ci95: Pair | None = Field(description="95 % interval")


class Summary(Signed):
    """The best team's points with their interval, and the mean of all, as the programme publishes them."""

    schema_: Literal["kai.user-score-summary/1"] = Field(alias="schema", description="this schema")
    export_id: str = Field(description="the export that this is taken from")
    created_at: Moment = Field(description="when that was made")
    synthetic: bool = Field(description="true where nothing in it was judged by people")
    issuer: Issuer = Field(description="which system made it")
    stage: SummaryStage = Field(description="the stage")
    n_voters: Count = Field(description="people with a vote")
    n_votes_used: Count = Field(description="votes in the fit")
    n_entrants: Count = Field(description="entrants with a score")
    best: Best | None = Field(description="the best of them; null before the first vote that counts")
    mean_points: Annotated[float, Field(ge=0)] | None = Field(description="the mean of their points")


def top_and_mean(document: UserScore, keys: Keys) -> Summary:
    """Take the signed summary from an export."""
    rated = [(row.points, row) for row in document.scores if row.points is not None]
    best = max(rated, key=lambda pair: pair[0], default=None)
    return Summary(
        schema=SCHEMA,
        export_id=document.export_id,
        created_at=document.created_at,
        synthetic=document.synthetic,
        issuer=document.issuer,
        stage=SummaryStage.of(document.stage),
        n_voters=document.population.n_voters,
        n_votes_used=document.population.n_votes_used,
        n_entrants=len(rated),
        best=None if best is None else _best(document, *best),
        mean_points=None if not rated else _mean([points for points, _ in rated]),
        integrity=UNSIGNED,
    ).signed(keys)


def _best(document: UserScore, points: float, row: Score) -> Best:
    team = next(entrant.team for entrant in document.entrants if entrant.team_id == row.team_id)
    return Best(team_id=row.team_id, team=team, points=points, points_ci95=row.points_ci95)


def _mean(points: Sequence[float]) -> float:
    total = sum((Decimal(str(value)) for value in points), Decimal())
    return float((total / len(points)).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN))
