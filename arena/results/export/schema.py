"""The export's schema, `kai.user-score/2`: what every field means, as types that refuse anything else."""

from typing import Annotated, Any, Literal

import rfc8785
from pydantic import Field

from arena.domain.closing import ClosingRule
from arena.domain.leaks import Leak
from arena.domain.opening import VALUE, opening_sha256
from arena.domain.stage import Disclosure
from arena.results.export.groups_schema import Grouping
from arena.results.export.rating_schema import Cut, Method, PairCount, Score, Sensitivity, Warning_
from arena.results.export.review_schema import Act, ReviewPart
from arena.results.export.signed import (
    Count,
    ExactMoment,
    Issuer,
    Moment,
    Pair,
    Part,
    Sha256,
    Share,
    Signed,
    TwoLanguages,
)
from arena.results.export.vote_tests_schema import VoteTests

SCHEMA = "kai.user-score/2"
WinnerName = Literal["model_a", "model_b", "tie", "both_bad"]
Status = Literal["open", "frozen", "published"]
ID = "https://k-ai-arena.example/schemas/kai.user-score-2.schema.json"


class Window(Part):
    """When voting was planned; each end may be open."""

    opens: Moment | None = Field(description="planned opening")
    closes: Moment | None = Field(description="planned close")


class StagePart(Part):
    """The stage the score belongs to."""

    id: str = Field(description="the stage's identifier")
    title: TwoLanguages = Field(description="its title")
    programme: str = Field(description="the programme it is a round of")
    round: Annotated[int, Field(ge=1)] = Field(description="the round's number")
    component: Literal["user"] = Field(description="the component of the total this export fills")
    component_max: Annotated[float, Field(gt=0)] = Field(description="the component's maximum, in points")
    planned_advance: Annotated[int, Field(ge=1)] = Field(description="how many teams the cut is planned to keep")
    disclosure: Disclosure = Field(description="what everybody may read once the stage is published")
    window: Window = Field(description="the planned window")
    status: Status = Field(
        description="where the stage stood: `open` – the score is preliminary; `frozen` – provisional, under review; `published` – final"
    )
    opened_at: Moment = Field(description="when it opened")
    frozen_at: Moment | None = Field(
        description="when it froze: votes committed before count, no vote was accepted after"
    )
    published_at: Moment | None = Field(description="when its result was first published; null before")
    file_sha256: Sha256 = Field(description="hash of the sealed stage file, which is beside this file")


class ClosingPart(Part):
    """How the stage was closed, and whether that can have looked at results."""

    rule: ClosingRule | None = Field(
        description="what the stage file declares: `time` – at `closes`; `votes` – at so many sealed votes; `panelists` – once so many voters have voted; `separation` – once the first planned_advance are told apart from the rest; null where it declares none"
    )
    number: Count | None = Field(description="of votes or voters; met by up to a tenth more")
    followed: bool | None = Field(
        description="whether the freeze kept to the rule; null while the stage is open, and without a rule"
    )
    reason: str | None = Field(description="the organizer's, where it did not; only the signature vouches for it")
    intervals: Literal["fixed", "anytime"] = Field(
        description="`fixed` where the closing did not look at results: a rule other than `separation` was followed (or all is invented and none declared); else `anytime`, as of an open stage: everything said with 95 % holds however often one has looked"
    )


class RemovalPart(Part):
    """That an entrant left after the stage opened."""

    at: Moment = Field(description="when")
    reason: str = Field(description="why")


class Outage(Part):
    """A time in which one of the arena's processes did not draw an entrant, since it failed."""

    began: Moment = Field(description="from when")
    noted: Moment = Field(description="when that was last noted: at least every 20 minutes")
    ended: Moment | None = Field(description="until when; null where the process ended without saying so")


class EntrantPart(Part):
    """One team's sealed model."""

    team_id: str = Field(description="the entrant's identifier, the key to every other section")
    team: TwoLanguages = Field(description="the team's name")
    model_id: str | None = Field(description="the model's name at its team")
    model_version: str | None = Field(description="its version")
    artifact_sha256: str | None = Field(
        description="hash of the sealed weights or of the endpoint's deployment manifest"
    )
    versions: list[str] = Field(
        description="what its endpoint, or its artifact, said it was in the answers that were voted on, in the order of the votes: one where it stayed the same; `version_a` and `version_b` of votes.parquet are places in this list"
    )
    removed: RemovalPart | None = Field(
        description="set when it left: it is then not rated, and its votes are left out"
    )
    outages: list[Outage] = Field(description="when it failed and was not drawn, up to the freeze")
    outage_minutes: Annotated[float, Field(ge=0)] = Field(
        description="minutes in which it failed and was not drawn, up to the freeze"
    )


class IdentityLevel(Part):
    """How many voters had one kind of identity check."""

    level: Literal["anonymous", "email", "verified", "invited"] = Field(description="the check")
    voters: Count | None = Field(description="people; null for groups that are too small to show")


class ReasonCount(Part):
    """Votes left out for one reason."""

    reason: str = Field(
        description="side, random, target, campaign, speed, duplicate, operator (an organizer's decision); leaks (not blind); unread (shown too little, or too briefly); check (against a control); removed (an entrant left); repeat (an earlier battle of the voter's own shown again)"
    )
    count: Annotated[int, Field(ge=1)] = Field(description="votes")


class Stratum(Part):
    """One category of one stratum."""

    stratum: str = Field(description="the stratum, such as age")
    category: str = Field(description="the category, such as 20s; `unknown` for who did not say")
    target: Share | None = Field(description="its share by plan; null for `unknown`")
    voters: Count | None = Field(description="people; null for groups that are too small to show")
    weighted_share: Share | None = Field(description="their share of the weighted fit")


class Weighting(Part):
    """What weighting to the plan costs."""

    method: Literal["raking"] = Field(description="iterative proportional fitting to the margins")
    cap: Annotated[float, Field(gt=1)] = Field(description="the largest weight, as a multiple of the mean")
    capped: Count = Field(description="voters whose weight was cut")
    classes: Count = Field(description="different weights; each belongs to ten people or more")
    n_eff: Annotated[float, Field(gt=0)] = Field(
        description="Kish's effective number of votes: (Σw)²/Σ(w²/n), for a voter's weight w and votes n in the fit"
    )
    design_effect: Annotated[float, Field(ge=1)] = Field(description="votes in the fit divided by n_eff")


class PopulationPart(Part):
    """Who voted."""

    kind: Literal["open", "panel", "professional"] = Field(description="who was asked; kinds are never blended")
    identity: Literal["anonymous", "oidc"] = Field(description="how citizens came in")
    min_age: Count = Field(description="the youngest age admitted")
    n_voters: Count = Field(description="people with a vote")
    n_votes_raw: Count = Field(description="all sealed votes")
    n_votes_counted: Count = Field(description="votes that nothing leaves out")
    n_votes_used: Count = Field(
        description="votes in the fit: the counted ones, without `both_bad` unless the stage counts it as a tie"
    )
    n_eff_voters: float | None = Field(description="as many equally busy voters would say as much: (Σn)²/Σn²")
    winners: dict[WinnerName, Count] = Field(description="all sealed votes by decision")
    identity_levels: list[IdentityLevel] = Field(description="voters by identity check")
    exclusions: list[ReasonCount] = Field(description="votes left out of the fit, by reason")
    strata: list[Stratum] | None = Field(description="the plan's strata and who came; null where the stage has none")
    weighting: Weighting | None = Field(description="the weighted variant's cost; null where there is none")


class LeaksOf(Part):
    """In how many sealed votes one entrant's answer gave something away; a vote counts once for each kind."""

    team_id: str = Field(description="the entrant whose answer it was")
    votes: Count = Field(description="votes on its answers")
    self_named: Count = Field(description="it said who it is, unasked (`self`)")
    self_named_prompted: Count = Field(description="it did where a prompt had asked, or had said its name")
    posed: Count = Field(description="it said that it is somebody else, unasked (`posing`)")
    posed_prompted: Count = Field(description="it did where a prompt had asked, or had said that name")
    own: Count = Field(description="its author's name stood in it in another way, and no prompt had said it")
    own_prompted: Count = Field(description="it did where a prompt had")
    rival: Count = Field(description="another entrant's name stood in it, and no prompt had said it")
    rival_prompted: Count = Field(description="it did where a prompt had")
    left_out: Count = Field(
        description="votes that are left out of the fit (`leaks`) and in which its answer did what the stage excludes"
    )


class LeaksPart(Part):
    """What may have told voters who is who, over all sealed votes. With and without those votes: `sensitivity`."""

    excluded: list[Leak] = Field(description="what keeps a vote out of the fit in this stage")
    asked: Count = Field(description="votes in whose battle a prompt asked who the models are")
    entrants: list[LeaksOf] = Field(description="by entrant")


class SideBiasPart(Part):
    """Whether the side an answer stood on mattered."""

    wins_a: Count = Field(description="counted votes for side a")
    wins_b: Count = Field(description="counted votes for side b")
    share_a: Share | None = Field(description="side a's share of the two")
    share_a_ci95: Pair | None = Field(
        description="95 % interval: Wilson's at the effective number of votes that clustering by voter leaves, with Student's t at the effective number of voters"
    )


class ExposureCell(Part):
    """How often an ordered pair was drawn."""

    a: str = Field(description="on side a")
    b: str = Field(description="on side b")
    drawn: Count = Field(description="battles drawn")
    expected: Annotated[float, Field(ge=0)] = Field(description="what the rule lets one expect")
    voted: Count = Field(description="of these, judged")
    void: Count = Field(description="of these, void: an answer failed, nobody was asked to judge")
    unvoted: Count = Field(description="of these, left by the citizen, or a question did not fit a model's context")


class ExposureShare(Part):
    """How often an entrant was drawn."""

    id: str = Field(description="the entrant")
    on_a: Count = Field(description="on side a")
    on_b: Count = Field(description="on side b")
    expected: Annotated[float, Field(ge=0)] = Field(description="what the rule lets one expect, both sides together")


class ChiSquare(Part):
    """A chi-square test of the draws against the rule; a small p says that they did not follow it."""

    chi2: float = Field(description="the statistic")
    df: Count = Field(description="degrees of freedom")
    p: Share = Field(description="probability of a larger statistic under the rule")


class Balance(Part):
    """Tests of the draws."""

    pairs: ChiSquare = Field(description="over all ordered pairs")
    sides: ChiSquare = Field(description="side a against side b, entrant by entrant")


class ExposurePart(Part):
    """Who was shown against whom."""

    draws: Count = Field(description="how many draws")
    pairs: list[ExposureCell] = Field(description="by ordered pair")
    entrants: list[ExposureShare] = Field(description="by entrant")
    balance: Balance = Field(description="tests against the rule")


class EvidenceKeyPart(Part):
    """One key that opens this evidence for an entrant."""

    team_id: str = Field(description="whose it is")
    key_id: str = Field(description="the key's identifier")
    sha256: Sha256 = Field(
        description="hash of the key, 256 random bits: whoever has the key can show that it was promised"
    )
    at: Moment = Field(description="when it was made: with the opening, or when it took the place of the one before")
    reason: str | None = Field(description="why it took the place of the one before; null for the opening's")


class Draws(Part):
    """How battles were drawn, so that anybody can draw them again."""

    rule: str = Field(description="the stage's pairing rule")
    count: Count = Field(description="how many draws were made, numbered from 1 without a gap")
    commitment: Sha256 = Field(description="SHA-256 of the secret seed, known since before the first draw")
    seed: Sha256 | None = Field(
        description="the secret seed; null while the stage is open. Draws are made with it, or where there is a beacon with SHA-256 of `kai.seed/1|seed|value` in hexadecimal"
    )


class BeaconPart(Part):
    """The public value that the seed of the draws is mixed with."""

    source: TwoLanguages = Field(description="where it comes from, as the stage file declares it")
    at: Moment = Field(description="when it came into being, as declared before")
    value: Annotated[str, Field(pattern=VALUE)] = Field(description="what it said, entered at the opening")


class PromisedKey(Part):
    """A key that was made when the stage opened; whose it is the document's `evidence_keys` says."""

    id: str = Field(description="the key's identifier")
    sha256: Sha256 = Field(description="hash of the key")


class OpeningPart(Part):
    """The opening act: what the stage is bound to from then on. Its canonical form's SHA-256 stands in every checkpoint."""

    schema_: Literal["kai.opening/1"] = Field(alias="schema", description="what this is")
    stage: str = Field(description="the stage")
    stage_file_sha256: Sha256 = Field(description="hash of the sealed stage file")
    draw_commitment: Sha256 = Field(description="SHA-256 of the secret seed, known since before the opening")
    beacon: BeaconPart | None = Field(
        description="null where the stage has none; required of a stage that declares one and is not synthetic"
    )
    evidence_keys: list[PromisedKey] = Field(description="a key to the evidence for each entrant, by the keys' ids")
    opened_at: Moment = Field(description="when it opened")

    def sha256(self) -> str:
        """Compute what the checkpoints name."""
        return opening_sha256(rfc8785.dumps(self.to_json()))


class Checkpoint(Part):
    """The signed tree head over all sealed votes."""

    schema_: Literal["kai.checkpoint/2"] = Field(alias="schema", description="what this is")
    stage: str = Field(description="the stage")
    size: Count = Field(description="how many votes it covers")
    root: Sha256 = Field(description="RFC 9162 Merkle root over their receipts, in the order of the rows")
    opening: Sha256 = Field(description="hash of the opening act")
    at: ExactMoment = Field(description="when it was signed")
    jws: str = Field(description="detached ES256 JWS over the RFC 8785 form of the other fields")


class CosignaturePart(Part):
    """A witness's word that this checkpoint continues everything it has seen of the stage: a line of `cosignatures.jsonl`."""

    schema_: Literal["kai.cosignature/1"] = Field(alias="schema", description="what this is")
    stage: Annotated[str, Field(max_length=64)] = Field(description="the stage")
    size: Annotated[int, Field(ge=0, lt=2**53)] = Field(description="the checkpoint's size")
    root: Sha256 = Field(description="its root")
    opening: Sha256 = Field(description="its opening act")
    witness: Annotated[str, Field(max_length=64)] = Field(description="whose word it is, as the stage file names it")
    known_since: Moment | None = Field(
        description="when the witness first saw the commitment to the draws with this stage file; null where it came after the opening"
    )
    at: Moment = Field(description="when it was signed, by the witness's clock")
    jws: Annotated[str, Field(max_length=512)] = Field(
        description="detached ES256 JWS over the RFC 8785 form of the other fields, by the witness's key"
    )


class TimestampPart(Part):
    """What a time-stamping authority has said of a checkpoint: a line of `timestamps.jsonl`."""

    size: Count = Field(description="the checkpoint's size")
    tsa: Annotated[str, Field(max_length=2048)] = Field(description="the authority's address")
    at: Moment = Field(description="the time that it gives")
    answer: str = Field(
        description="base64 of its whole answer (RFC 3161 TimeStampResp, DER) over SHA-256 of the checkpoint's signed bytes: its RFC 8785 form without `jws`"
    )


class WitnessPart(Part):
    """Somebody else who keeps and cosigns the checkpoints, as the stage file names them."""

    id: str = Field(description="its name in cosignatures")
    name: TwoLanguages = Field(description="who it is")
    x: Sha256 = Field(description="its public key, a point of P-256: the coordinates in hexadecimal")
    y: Sha256 = Field(description="the other one")
    cosignatures: Count = Field(description="checkpoints that it has cosigned, up to this export's")
    newest: Count | None = Field(description="votes under the newest of them")
    final: bool = Field(description="whether it has cosigned this export's checkpoint")
    known_since: Moment | None = Field(description="since when it knew file and commitment, by its own word")


class File(Part):
    """A file beside this one."""

    name: str = Field(description="its name")
    sha256: Sha256 = Field(description="its hash")
    rows: Count | None = Field(default=None, description="its rows, where it has any")


class Provenance(Part):
    """Where the numbers come from, and how to make them again."""

    checkpoint: Checkpoint = Field(description="what the votes are sealed under")
    votes_file: File = Field(description="the sealed votes, pseudonymous")
    draws_file: File = Field(description="all draws")
    checkpoints_file: File = Field(description="every signed tree head of the stage, smallest first")
    cosignatures_file: File = Field(description="what witnesses have signed of them")
    timestamps_file: File = Field(description="what time-stamping authorities have said of them")
    stage_file: File = Field(description="the sealed stage file")
    jwks_file: File = Field(description="the arena's public keys")
    scores_file: File = Field(description="the scores as a table for people")
    strata_file: File | None = Field(
        description="what each voter said of themselves, as it was at the freeze. It is not beside this file: only auditors are given it, and only until the stage's retention ends. Null where the stage has no strata, or is open"
    )
    rerun_command: str = Field(description="what recomputes every number")

    @property
    def beside(self) -> tuple[File, ...]:
        """The files that lie beside the document, each under its signature by its hash."""
        return (
            self.votes_file,
            self.draws_file,
            self.checkpoints_file,
            self.cosignatures_file,
            self.timestamps_file,
            self.stage_file,
            self.jwks_file,
            self.scores_file,
        )


class UserScore(Signed):
    """A stage's user score, with its uncertainty and its evidence."""

    schema_: Literal["kai.user-score/2"] = Field(alias="schema", description="this schema")
    export_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")] = Field(description="unique to this export")
    final: bool = Field(
        description="whether it is, or was, the stage's result: made by publication or a correction, and in `kai.exports/1`; else it is preliminary or provisional"
    )
    supersedes: str | None = Field(description="the final export of the same stage that this one takes the place of")
    correction: str | None = Field(description="why it does; null for the first")
    created_at: Moment = Field(description="when it was made")
    synthetic: bool = Field(
        description="true where nothing in it was judged by people: never to be shown without saying so"
    )
    issuer: Issuer = Field(description="which system made it")
    stage: StagePart = Field(description="the stage")
    opening: OpeningPart = Field(description="what it has been bound to since it opened")
    witnesses: list[WitnessPart] = Field(description="who else keeps the checkpoints")
    closing: ClosingPart = Field(description="what ended it")
    entrants: list[EntrantPart] = Field(description="the sealed entrants")
    protocol: dict[str, Any] = Field(description="the conditions all entrants met, as the stage file declares them")
    population: PopulationPart = Field(description="who voted, and which votes count")
    scores: list[Score] = Field(description="the result, entrant by entrant")
    cut: Cut | None = Field(
        description="the cut by the user score alone; null where planned_advance takes all, or not all entrants were compared with each other"
    )
    covariance: list[list[float | None]] = Field(description="of theta, in the order of scores; null across groups")
    pairwise: list[PairCount] = Field(description="votes by pair")
    warnings: list[Warning_] = Field(description="what limits the result")
    method: Method | None = Field(description="how it was computed; null before the first vote that counts")
    sensitivity: Sensitivity = Field(description="the result under other choices")
    groups: list[Grouping] = Field(
        description="the result by group, variable by variable: by stratum first, then by topic, language, turns and identity; none of it changes the fit"
    )
    side_bias: SideBiasPart = Field(description="whether the side mattered")
    tests: VoteTests = Field(description="what else the votes say; none of it changes the fit")
    leaks: LeaksPart = Field(description="what may have told voters who is who")
    exposure: ExposurePart = Field(description="who was shown against whom, how often, on which side")
    review: ReviewPart = Field(description="what was proposed to be left out, who decided, and by which rule")
    exclusion_acts: list[Act] = Field(description="every decision to leave votes out, in order")
    evidence_keys: list[EvidenceKeyPart] = Field(
        description="the entrants' own keys, which open every file of the published export whatever `stage.disclosure` says: those of the opening, then each that took the place of another, in order"
    )
    eligibility: None = Field(description="always null: eligibility is decided elsewhere and applied after the cut")
    draws: Draws = Field(description="the pairing, for anybody to repeat")
    provenance: Provenance = Field(description="the evidence")


def json_schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of the export."""
    made = UserScore.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, **made}
