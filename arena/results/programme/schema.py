"""The programme's total as one signed document, schema `kai.total/1`: what every field means, as types that refuse anything else."""

from typing import Annotated, Any, Literal

from pydantic import Field

from arena.domain.stage import Disclosure
from arena.results.export.rating_schema import Cut
from arena.results.export.signed import Count, Issuer, Moment, Pair, Part, Sha256, Share, Signed, TwoLanguages
from ratings.first import InFirst

SCHEMA = "kai.total/1"
ID = "https://k-ai-arena.example/schemas/kai.total-1.schema.json"

GateName = Literal["eligible", "ineligible", "pending"]
FaceName = Literal["technical", "policy", "ethical"]
Points = Annotated[float, Field(ge=0)]


class StagePart(Part):
    """The round that is decided."""

    id: str = Field(description="the stage's identifier")
    title: TwoLanguages = Field(description="its title")
    programme: str = Field(description="the programme it is a round of")
    round: Annotated[int, Field(ge=1)] = Field(description="the round's number")
    disclosure: Disclosure = Field(description="what of the user score the stage file opens to everybody")
    file_sha256: Sha256 = Field(description="hash of the stage file, the same that the user score was sealed under")


class Source(Part):
    """Where a component's scores come from."""

    kind: Literal["export", "file"] = Field(description="`export`: a signed user score; `file`: a submitted table")
    name: str = Field(description="the export's identifier, or the file's name")
    sha256: Sha256 = Field(description="hash of the file; of export.json for an export")


class ComponentPart(Part):
    """One part of the total."""

    id: str = Field(description="the component")
    title: TwoLanguages = Field(description="its title")
    max: Annotated[float, Field(gt=0)] = Field(description="its maximum, from the stage file")
    source: Source = Field(description="where its scores come from")


class Rule(Part):
    """How the decision was made."""

    places: Annotated[int, Field(ge=1)] = Field(description="K: how many teams the cut keeps")
    order: Literal["total"] = Field(description="teams are ordered by the sum of the components")
    ties: list[str] = Field(description="components that decide, in this order, between equal totals")
    gate: Literal["after the cut, without backfill"] = Field(
        description="eligibility is applied after the cut, and nobody moves up"
    )


class Face(Part):
    """One face of a team's eligibility, decided by the outside authority."""

    face: FaceName = Field(description="the face")
    status: GateName = Field(description="the decision")
    evidence: list[str] = Field(description="references to the evidence")
    decided_by: str = Field(description="who decided; empty while pending")
    decided_at: Moment | None = Field(description="when; null while pending")


class GatePart(Part):
    """A team's eligibility."""

    status: GateName = Field(description="ineligible if one face is; else pending while one is")
    faces: list[Face] = Field(description="face by face")


class Team(Part):
    """One team's result."""

    team_id: str = Field(description="the entrant")
    team: TwoLanguages = Field(description="its name")
    artifact_sha256: str | None = Field(description="the sealed model that all components judged")
    components: dict[str, Points] = Field(description="its score in each component")
    total: Points = Field(description="their sum")
    total_ci95: Pair = Field(description="95 % interval of the total, from the components' uncertainty")
    rank: Annotated[int, Field(ge=1)] = Field(description="1 is the highest total")
    in_first_k: InFirst = Field(
        description="whether its total is among the first K: `surely` or `no` beyond chance, all teams at once; else `maybe`"
    )
    in_cut: bool = Field(description="whether it is in the cut")
    gate: GatePart = Field(description="its eligibility")
    reason: Literal["ADVANCE", "BELOW_CUT", "INELIGIBLE", "PENDING", "HELD"] = Field(
        description="what became of it; `HELD`: it is `maybe`, and the programme decides (`at_cut.rule` is `hold`)"
    )
    p_in_cut: Share = Field(description="probability that its total is among the first K")
    p_advance: Share | None = Field(
        description="the same when eligible; 0 when ineligible, null while it is pending or held"
    )


class UserComponent(Part):
    """What the user component alone did to the cut."""

    decides: bool = Field(description="true when the cut would hold other teams without it, or hang on a tie")
    cut_without: list[str] | None = Field(
        description="the cut by the other components; null when that leaves a tie undecided"
    )
    cut_alone: list[str] | None = Field(
        description="the cut by the user component only; null when that leaves a tie undecided"
    )
    moved_in: list[str] = Field(description="teams in the cut only because of it")
    moved_out: list[str] = Field(description="teams below the cut only because of it")
    at_cut: Cut | None = Field(description="the cut by the user component alone, as its export has it")


class Uncertainty(Part):
    """How the probabilities were found."""

    draws: Count = Field(description="draws")
    seed: Count = Field(description="their seed: the first 32 bits of the stage file's hash")
    p_same_cut: Share = Field(description="probability that the teams in the cut have the first totals")
    user_intervals: Literal["fixed", "anytime"] = Field(
        description="`fixed`: the user score's draws hold at one look; `anytime`: its export keeps intervals for all looks, and the draws are as wide, so that total_ci95 and in_first_k keep their 95 %, and the probabilities lie nearer to even than they would at one look"
    )
    carried: list[str] = Field(description="components whose uncertainty was carried; the others are taken as exact")


class UserScorePart(Part):
    """The user score that was used."""

    export_id: str = Field(description="its export")
    status: Literal["final", "provisional"] = Field(
        description="`provisional`: the stage was still under review, so this total can only be so too"
    )
    votes: Count = Field(description="sealed votes")
    voters: Count = Field(description="people")
    checkpoint_root: Sha256 = Field(description="Merkle root over the votes")
    kid: str = Field(description="the key that signed it")
    key: Literal["trusted", "unconfirmed"] = Field(
        description="`trusted`: the key was given by the aggregator; `unconfirmed`: it came with the export"
    )


class Removed(Part):
    """A team that left the stage after it opened."""

    team_id: str = Field(description="the entrant")
    at: Moment = Field(description="when")
    reason: str = Field(description="why")


class Total(Signed):
    """A round's totals, cut, gate and reasons."""

    schema_: Literal["kai.total/1"] = Field(alias="schema", description="this schema")
    total_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")] = Field(description="unique to this document")
    created_at: Moment = Field(description="when it was made")
    synthetic: bool = Field(description="true where the user score is: never to be shown without saying so")
    issuer: Issuer = Field(description="which system made it")
    stage: StagePart = Field(description="the round")
    components: list[ComponentPart] = Field(description="the parts of the total, in the stage file's order")
    rule: Rule = Field(description="the rule")
    eligibility: Source = Field(description="where the eligibility decisions come from")
    user_score: UserScorePart = Field(description="the user score that was used")
    teams: list[Team] = Field(description="the teams, best total first")
    cut: list[str] = Field(
        description="the top K by total; where `at_cut.rule` is not `points`, the sure teams and those it chooses among the `maybe`"
    )
    at_cut: Cut | None = Field(
        description="the cut by total, and whether the totals on its two sides are apart; null where K takes all"
    )
    advance: list[str] = Field(description="the teams that advance: in the cut and eligible")
    vacancy: Count = Field(description="places that stay empty: K minus the teams that advance")
    margin: Points | None = Field(description="how far the K-th total lies above the next; null where K takes all")
    user_component: UserComponent = Field(description="what the user component alone did")
    uncertainty: Uncertainty = Field(description="how sure the cut is")
    removed: list[Removed] = Field(description="teams that left the stage and have no total")


def json_schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of the document."""
    made = Total.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, **made}
