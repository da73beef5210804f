"""What everybody may read of a published score: as much as the stage file's `disclosure` opens, and commitments to what stays closed."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field

from arena.domain.stage import Disclosure
from arena.record.keys import Keys
from arena.results.export.document import FILES, JSON, JWKS, SCORES, VOTES
from arena.results.export.rating_schema import Score
from arena.results.export.schema import StagePart, UserScore
from arena.results.export.signed import UNSIGNED, Count, Issuer, Moment, Pair, Part, Sha256, Signed, TwoLanguages

SCHEMA = "kai.result/1"
ID = "https://k-ai-arena.example/schemas/kai.result-1.schema.json"
OPENED: Final[Mapping[Disclosure, frozenset[str]]] = {"full": frozenset({JSON, SCORES})}
"""Files of an export that everybody may fetch; under any other disclosure none."""
UNGUESSABLE: Final = (JSON, VOTES)
"""Files that nobody can make up who does not have them, so that their hashes tell nothing: the document holds a signature that only
the arena's key makes, and each vote a random battle number and keyed pseudonyms. A table of a few points, or of draws whose seed is
public, could be tried out against its hash."""
Points = Annotated[float, Field(ge=0)]


class ResultStage(Part):
    """The stage the result is of."""

    id: str = Field(description="the stage's identifier")
    title: TwoLanguages = Field(description="its title")
    programme: str = Field(description="the programme it is a round of")
    round: int = Field(description="the round's number")
    component: Literal["user"] = Field(description="the component of the total")
    component_max: float = Field(description="the component's maximum, in points")
    disclosure: Disclosure = Field(description="what of the scores is open to everybody, sealed with the stage file")
    opened_at: Moment | None = Field(description="when it opened")
    frozen_at: Moment | None = Field(description="when it froze")
    file_sha256: Sha256 = Field(description="hash of the sealed stage file")

    @classmethod
    def of(cls, stage: StagePart) -> Self:
        """Take from the export's stage what everybody may read."""
        return cls.model_validate(stage.model_dump(include=set(cls.model_fields)))


class Gap(Part):
    """How far two teams lie apart that follow each other in points; it says of neither which team it is."""

    points: Points = Field(description="the difference of their points")
    separated: bool = Field(description="whether they are apart beyond chance, all pairs at once")


class Winner(Part):
    """A team with the most points."""

    team_id: str = Field(description="the entrant")
    team: TwoLanguages = Field(description="its name")
    points: Points = Field(description="its user score")
    points_ci95: Pair | None = Field(description="95 % interval")
    surely: bool = Field(description="whether it is first beyond chance, all teams at once")


class TeamPoints(Part):
    """One team's result."""

    team_id: str = Field(description="the entrant")
    team: TwoLanguages = Field(description="its name")
    points: Points | None = Field(description="its user score")
    points_ci95: Pair | None = Field(description="95 % interval")
    rank_ci95: list[int] | None = Field(description="the ranks that cannot be told apart, all teams at once")


class Disclosed(Part):
    """What is open of the scores; null is what the stage's disclosure keeps closed, or what no vote gave."""

    mean_points: Points | None = Field(description="the mean of all teams' points; null where `sealed`")
    gaps: list[Gap] | None = Field(
        description="`means_and_gaps`, `full`: between the first and the second team in points, the second and the third, and so on; null too where not all were compared with each other"
    )
    winners: list[Winner] | None = Field(
        description="`winners_and_means`, `full`: the team with the most points, several where they are the same"
    )
    scores: list[TeamPoints] | None = Field(description="`full`: every team, in the stage file's order")


class ResultFile(Part):
    """A file of the export that was published."""

    name: str = Field(description="its name in the export's folder")
    open: bool = Field(description="whether everybody may fetch it")
    sha256: Sha256 | None = Field(
        description="its hash, where its content cannot be guessed; null where the hash stands in export.json, since a small table could be tried out against it"
    )


class Result(Signed):
    """A published stage's result for everybody, with commitments to what is not open."""

    schema_: Literal["kai.result/1"] = Field(alias="schema", description="this schema")
    export_id: str = Field(description="the export that was published")
    supersedes: str | None = Field(description="the published one that it takes the place of; null for the first")
    correction: str | None = Field(description="why; null for the first")
    created_at: Moment = Field(description="when that was made")
    published_at: Moment = Field(description="when it was published")
    synthetic: bool = Field(description="true where nothing in it was judged by people")
    issuer: Issuer = Field(description="which system made it")
    stage: ResultStage = Field(description="the stage")
    n_voters: Count = Field(description="people with a vote")
    n_votes: Count = Field(description="all sealed votes")
    n_votes_used: Count = Field(description="votes in the fit")
    n_entrants: Count = Field(description="entrants with a score")
    disclosed: Disclosed = Field(description="the scores, as far as they are open")
    files: list[ResultFile] = Field(
        description="the files of the export: what is closed and opened later has to be these (`python -m arena verify DIR --published FILE`)"
    )


def result_of(document: UserScore, files: Mapping[str, bytes], published_at: datetime, keys: Keys) -> Result:
    """Make the signed result of an export that is published.

    Args:
        document: the export's document.
        files: the export's files by name.
        published_at: when.
        keys: sign it.
    """
    return Result(
        schema=SCHEMA,
        export_id=document.export_id,
        supersedes=document.supersedes,
        correction=document.correction,
        created_at=document.created_at,
        published_at=published_at,
        synthetic=document.synthetic,
        issuer=document.issuer,
        stage=ResultStage.of(document.stage),
        n_voters=document.population.n_voters,
        n_votes=document.population.n_votes_raw,
        n_votes_used=document.population.n_votes_used,
        n_entrants=len(_rated(document)),
        disclosed=disclosed(document),
        files=_files(document.stage.disclosure, files),
        integrity=UNSIGNED,
    ).signed(keys)


def disclosed(document: UserScore) -> Disclosed:
    """Take from an export what its stage's disclosure opens."""
    rung, rated = document.stage.disclosure, _rated(document)
    return Disclosed(
        mean_points=None if rung == "sealed" or not rated else _mean([points for points, _ in rated]),
        gaps=_gaps(document, rated) if rung in ("means_and_gaps", "full") else None,
        winners=_winners(document, rated) if rung in ("winners_and_means", "full") else None,
        scores=_scores(document) if rung == "full" else None,
    )


def json_schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of the result."""
    made = Result.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, **made}


def _rated(document: UserScore) -> list[tuple[float, Score]]:
    """List who has points, the most first."""
    rated = [(row.points, row) for row in document.scores if row.points is not None]
    return sorted(rated, key=lambda pair: -pair[0])


def _gaps(document: UserScore, rated: Sequence[tuple[float, Score]]) -> list[Gap] | None:
    if len({row.group for _, row in rated}) != 1:
        return None
    apart = {frozenset((pair.a, pair.b)) for pair in document.pairwise if pair.separated}
    return [
        Gap(
            points=float(Decimal(str(above)) - Decimal(str(below))),
            separated=frozenset((upper.team_id, lower.team_id)) in apart,
        )
        for (above, upper), (below, lower) in pairwise(rated)
    ]


def _winners(document: UserScore, rated: Sequence[tuple[float, Score]]) -> list[Winner] | None:
    if not rated:
        return None
    teams = {entrant.team_id: entrant.team for entrant in document.entrants}
    return [
        Winner(
            team_id=row.team_id,
            team=teams[row.team_id],
            points=points,
            points_ci95=row.points_ci95,
            surely=row.rank_ci95 == [1, 1],
        )
        for points, row in rated
        if points == rated[0][0]
    ]


def _scores(document: UserScore) -> list[TeamPoints]:
    teams = {entrant.team_id: entrant.team for entrant in document.entrants}
    return [
        TeamPoints(
            team_id=row.team_id,
            team=teams[row.team_id],
            points=row.points,
            points_ci95=row.points_ci95,
            rank_ci95=row.rank_ci95,
        )
        for row in document.scores
    ]


def _files(disclosure: Disclosure, files: Mapping[str, bytes]) -> list[ResultFile]:
    return [
        ResultFile(
            name=name,
            open=name in OPENED.get(disclosure, ()),
            sha256=hashlib.sha256(files[name]).hexdigest() if name in UNGUESSABLE else None,
        )
        for name in FILES
        if name != JWKS  # anybody has it from the arena
    ]


def _mean(points: Sequence[float]) -> float:
    total = sum((Decimal(str(value)) for value in points), Decimal())
    return float((total / len(points)).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN))
