"""The programme's total as one signed document, schema `kai.total/1`: what every field means, as types that refuse anything else."""

from typing import Annotated, Any, Literal

from pydantic import Field

from arena.results.export.schema import Count, Integrity, Issuer, Moment, Pair, Part, Sha256, Share, TwoLanguages, says

SCHEMA = "kai.total/1"
ID = "https://k-ai-arena.example/schemas/kai.total-1.schema.json"

GateName = Literal["eligible", "ineligible", "pending"]
Points = Annotated[float, Field(ge=0)]


class StagePart(Part):
    """The round that is decided."""

    id: str = says("the stage's identifier")
    title: TwoLanguages = says("its title")
    programme: str = says("the programme it is a round of")
    round: Annotated[int, Field(ge=1)] = says("the round's number")
    disclosure: Literal["full", "top_and_mean", "sealed"] = says(
        "what of the user score the stage file opens to everybody"
    )
    file_sha256: Sha256 = says("hash of the stage file, the same that the user score was sealed under")


class Source(Part):
    """Where a component's scores come from."""

    kind: Literal["export", "file"] = says("`export`: a signed user score; `file`: a submitted table")
    name: str = says("the export's identifier, or the file's name")
    sha256: Sha256 = says("hash of the file; of export.json for an export")


class ComponentPart(Part):
    """One part of the total."""

    id: str = says("the component")
    title: TwoLanguages = says("its title")
    max: Annotated[float, Field(gt=0)] = says("its maximum, from the stage file")
    source: Source = says("where its scores come from")


class Rule(Part):
    """How the decision was made."""

    places: Annotated[int, Field(ge=1)] = says("K: how many teams the cut keeps")
    order: Literal["total"] = says("teams are ordered by the sum of the components")
    ties: list[str] = says("components that decide, in this order, between equal totals")
    gate: Literal["after the cut, without backfill"] = says("eligibility is applied after the cut, and nobody moves up")


class Face(Part):
    """One face of a team's eligibility, decided by the outside authority."""

    face: Literal["technical", "policy", "ethical"] = says("the face")
    status: GateName = says("the decision")
    evidence: list[str] = says("references to the evidence")
    decided_by: str = says("who decided; empty while pending")
    decided_at: Moment | None = says("when; null while pending")


class GatePart(Part):
    """A team's eligibility."""

    status: GateName = says("ineligible if one face is; else pending while one is")
    faces: list[Face] = says("face by face")


class Team(Part):
    """One team's result."""

    team_id: str = says("the entrant")
    team: TwoLanguages = says("its name")
    artifact_sha256: str | None = says("the sealed model that all components judged")
    components: dict[str, Points] = says("its score in each component")
    total: Points = says("their sum")
    total_ci95: Pair = says("95 % interval of the total, from the components' uncertainty")
    rank: Annotated[int, Field(ge=1)] = says("1 is the highest total")
    in_cut: bool = says("whether it is among the top K")
    gate: GatePart = says("its eligibility")
    reason: Literal["ADVANCE", "BELOW_CUT", "INELIGIBLE", "PENDING"] = says("what became of it")
    p_in_cut: Share = says("probability to be in the cut")
    p_advance: Share | None = says("probability to advance; 0 when ineligible, null while pending")


class UserComponent(Part):
    """What the user component alone did to the cut."""

    decides: bool = says("true when the cut would hold other teams without it, or hang on a tie")
    cut_without: list[str] | None = says("the cut by the other components; null when that leaves a tie undecided")
    cut_alone: list[str] | None = says("the cut by the user component only; null when that leaves a tie undecided")
    moved_in: list[str] = says("teams in the cut only because of it")
    moved_out: list[str] = says("teams below the cut only because of it")


class Uncertainty(Part):
    """How the probabilities were found."""

    draws: Count = says("draws")
    seed: Count = says("their seed: the first 32 bits of the stage file's hash")
    p_same_cut: Share = says("probability that the cut holds exactly these teams")
    carried: list[str] = says("components whose uncertainty was carried; the others are taken as exact")


class UserScorePart(Part):
    """The user score that was used."""

    export_id: str = says("its export")
    status: Literal["frozen", "published"] = says("where its stage stood")
    votes: Count = says("sealed votes")
    voters: Count = says("people")
    checkpoint_root: Sha256 = says("Merkle root over the votes")
    kid: str = says("the key that signed it")
    key: Literal["trusted", "unconfirmed"] = says(
        "`trusted`: the key was given by the aggregator; `unconfirmed`: it came with the export"
    )


class Removed(Part):
    """A team that left the stage after it opened."""

    team_id: str = says("the entrant")
    at: Moment = says("when")
    reason: str = says("why")


class Total(Part):
    """A round's totals, cut, gate and reasons."""

    schema_: Literal["kai.total/1"] = says("this schema", alias="schema")
    total_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")] = says("unique to this document")
    created_at: Moment = says("when it was made")
    synthetic: bool = says("true where the user score is: never to be shown without saying so")
    issuer: Issuer = says("which system made it")
    stage: StagePart = says("the round")
    components: list[ComponentPart] = says("the parts of the total, in the stage file's order")
    rule: Rule = says("the rule")
    eligibility: Source = says("where the eligibility decisions come from")
    user_score: UserScorePart = says("the user score that was used")
    teams: list[Team] = says("the teams, best total first")
    cut: list[str] = says("the top K by total")
    advance: list[str] = says("the teams that advance: in the cut and eligible")
    vacancy: Count = says("places that stay empty: K minus the teams that advance")
    margin: Points | None = says("how far the last team in the cut stands above the first below it")
    user_component: UserComponent = says("what the user component alone did")
    uncertainty: Uncertainty = says("how sure the cut is")
    removed: list[Removed] = says("teams that left the stage and have no total")
    integrity: Integrity = says("the signature")


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    made = Total.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, **made}
