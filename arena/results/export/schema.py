"""The export's schema, `kai.user-score/1`: what every field means, as types that refuse anything else."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SCHEMA = "kai.user-score/1"
ID = "https://k-ai-arena.example/schemas/kai.user-score-1.schema.json"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
Moment = Annotated[AwareDatetime, Field(description="RFC 3339 with the offset +09:00")]


class Part(BaseModel):
    """A part of the export: an unknown field is an error, and numbers are numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def says(description: str, **more: Any) -> Any:
    """A field and what it means."""
    return Field(description=description, **more)


class TwoLanguages(Part):
    """The same words in Korean and English."""

    ko: str = says("Korean")
    en: str = says("English")


class Issuer(Part):
    """Which system made the export."""

    system: Literal["K-AI Arena"] = says("the system's name")
    version: str = says("its version")
    git_commit: str | None = says("the commit it ran from, where known")


class Window(Part):
    """When voting was planned; each end may be open."""

    opens: Moment | None = says("planned opening")
    closes: Moment | None = says("planned close")


class StagePart(Part):
    """The stage the score belongs to."""

    id: str = says("the stage's identifier")
    title: TwoLanguages = says("its title")
    programme: str = says("the programme it is a round of")
    round: Annotated[int, Field(ge=1)] = says("the round's number")
    component: Literal["user"] = says("the component of the total this export fills")
    component_max: Annotated[float, Field(gt=0)] = says("the component's maximum, in points")
    planned_advance: Annotated[int, Field(ge=1)] = says("how many teams the cut is planned to keep")
    disclosure: Literal["full", "top_and_mean", "sealed"] = says("what everybody may read once the stage is published")
    window: Window = says("the planned window")
    status: Literal["open", "frozen", "published"] = says("where the stage stood; a score is final from `frozen` on")
    opened_at: Moment | None = says("when it opened")
    frozen_at: Moment | None = says("when it froze: votes committed before count, no vote was accepted after")
    file_sha256: Sha256 = says("hash of the sealed stage file, which is beside this file")


class RemovalPart(Part):
    """That an entrant left after the stage opened."""

    at: Moment = says("when")
    reason: str = says("why")


class EntrantPart(Part):
    """One team's sealed model."""

    team_id: str = says("the entrant's identifier, the key to every other section")
    team: TwoLanguages = says("the team's name")
    model_id: str | None = says("the model's name at its team")
    model_version: str | None = says("its version")
    artifact_sha256: str | None = says("hash of the sealed weights or of the endpoint's deployment manifest")
    removed: RemovalPart | None = says("set when it left: it is then not rated, and its votes are left out")
    outage_minutes: Annotated[float, Field(ge=0)] = says(
        "minutes in which it failed and was not drawn, up to the freeze"
    )


class IdentityLevel(Part):
    """How many voters had one kind of identity check."""

    level: Literal["anonymous", "email", "verified"] = says("the check")
    voters: Count | None = says("people; null for groups that are too small to show")


class ReasonCount(Part):
    """Votes left out for one reason."""

    reason: str = says(
        "side, random, target, campaign, speed, duplicate, operator (an organizer's decision); marked (not blind); "
        "check (against a control); removed (an entrant left)"
    )
    count: Annotated[int, Field(ge=1)] = says("votes")


class Stratum(Part):
    """One category of one stratum."""

    stratum: str = says("the stratum, such as age")
    category: str = says("the category, such as 20s; `unknown` for who did not say")
    target: Share | None = says("its share by plan; null for `unknown`")
    voters: Count | None = says("people; null for groups that are too small to show")
    weighted_share: Share | None = says("the share of the weight they carry in the weighted variant")


class Weighting(Part):
    """What weighting to the plan costs."""

    method: Literal["raking"] = says("iterative proportional fitting to the margins")
    cap: Annotated[float, Field(gt=1)] = says("the largest weight, as a multiple of the mean")
    capped: Count = says("voters whose weight was cut")
    n_eff: Annotated[float, Field(gt=0)] = says("Kish's effective number of voters: (Σw)²/Σw²")
    design_effect: Annotated[float, Field(ge=1)] = says("voters divided by n_eff")


class PopulationPart(Part):
    """Who voted."""

    kind: Literal["open", "panel", "professional"] = says("who was asked; kinds are never blended")
    identity: Literal["anonymous", "oidc"] = says("how citizens came in")
    min_age: Count = says("the youngest age admitted")
    n_voters: Count = says("people with a vote")
    n_votes_raw: Count = says("all sealed votes")
    n_votes_counted: Count = says("votes that nothing leaves out")
    n_votes_used: Count = says(
        "votes in the fit: the counted ones, without `both_bad` unless the stage counts it as a tie"
    )
    n_eff_voters: float | None = says("as many equally busy voters would say as much: (Σn)²/Σn²")
    winners: dict[Literal["model_a", "model_b", "tie", "both_bad"], Count] = says("all sealed votes by decision")
    identity_levels: list[IdentityLevel] = says("voters by identity check")
    exclusions: list[ReasonCount] = says("votes left out of the fit, by reason")
    strata: list[Stratum] | None = says("the plan's strata and who came; null where the stage has none")
    weighting: Weighting | None = says("the weighted variant's cost; null where there is none")


class Score(Part):
    """One entrant's result. Null where the entrant was never compared."""

    team_id: str = says("the entrant")
    theta: float | None = says("log-strength in logits, mean 0 over the entrants")
    se: float | None = says("its standard error, clustered by voter")
    rating: float | None = says("1000 + 400/ln 10 · theta")
    rating_ci95: Pair | None = says("95 % interval")
    rank: int | None = says("1 is the highest; read it with rank_ci95")
    rank_ci95: Annotated[list[int], Field(min_length=2, max_length=2)] | None = says(
        "the ranks that cannot be told apart, all entrants at once"
    )
    win_probability: Share | None = says("mean over the others of the probability to beat them")
    win_probability_ci95: Pair | None = says("95 % interval")
    points: Annotated[float, Field(ge=0)] | None = says("the user score, out of component_max, by the transform")
    points_ci95: Pair | None = says("95 % interval")
    n_votes: float = says("votes in the fit that the entrant took part in")
    both_bad: float = says("its votes that found neither answer good enough")
    provisional: bool = says("fewer than 30 votes, wider than ±50 rating points, or held by the prior alone")
    group: int | None = says("entrants of different groups never met and are not ranked against each other")


class PairCount(Part):
    """What happened between two entrants in the votes that count."""

    a: str = says("one entrant")
    b: str = says("the other")
    wins_a: float = says("votes for a")
    wins_b: float = says("votes for b")
    ties: float = says("ties")
    both_bad: float = says("votes that found neither good enough")
    shown_a_left: float = says("how often a stood on side a")
    separated: bool | None = says("whether they are apart beyond chance, all pairs at once")


class Warning_(Part):
    """One thing that limits what the ratings say."""

    code: str = says("a stable code")
    entrants: list[str] = says("whom it is about")
    ko: str = says("Korean")
    en: str = says("English")


class Rounding(Part):
    """How points are rounded."""

    decimals: Count = says("decimals kept")
    mode: Literal["half_even"] = says("ties go to the even digit, in decimal")


class TransformPart(Part):
    """How a rating became points; declared before the first vote."""

    id: Literal["win_probability", "anchored", "top_normalised", "min_max"] = says("which transform")
    version: int = says("its version")
    params: dict[str, Any] = says("its parameters")
    scale: Pair = says("from, to")
    rounding: Rounding = says("the rounding rule")


class Method(Part):
    """How the ratings were made."""

    model: Literal["bradley-terry"] = says("P(i beats j) = σ(θi − θj)")
    version: int = says("raised whenever the same votes would give another digit")
    prior: Annotated[float, Field(ge=0)] = says("wins and losses of a phantom opponent against every entrant")
    both_bad: Literal["exclude", "tie"] = says("what a `both_bad` vote does to the fit")
    covariance: str = says("how uncertainty was found")
    seed: Count = says("the seed of the simultaneous comparisons: the first 32 bits of the stage file's hash")
    anchor: str | None = says("the entrant whose rating is 1000, if any; else the mean is")
    n_votes: Count = says("counted votes")
    n_used: Count = says("votes in the fit")
    n_eff_voters: float = says("effective voters")
    transform: TransformPart = says("from ratings to points")


class VariantScore(Part):
    """One entrant's result under another choice."""

    team_id: str = says("the entrant")
    theta: float | None = says("log-strength")
    se: float | None = says("standard error")
    rating: float | None = says("rating")
    rating_ci95: Pair | None = says("95 % interval")
    rank: int | None = says("rank")
    rank_ci95: Annotated[list[int], Field(min_length=2, max_length=2)] | None = says("rank interval")
    points: float | None = says("points")
    points_ci95: Pair | None = says("95 % interval")
    n_votes: float = says("votes in this fit")


class Coefficient(Part):
    """What one covariate does to the log-odds of winning, per standard deviation; for `side_a`, being shown on side a."""

    name: Literal["length", "headers", "bold", "lists", "side_a"] = says("the covariate")
    value: float = says("logits")
    ci95: Pair = says("95 % interval")


class StyledScore(Part):
    """One entrant's rating with style and side held equal, beside the raw one."""

    team_id: str = says("the entrant")
    rating_raw: float | None = says("as in scores")
    rank_raw: int | None = says("as in scores")
    rating: float = says("with the covariates held equal")
    rating_ci95: Pair = says("95 % interval")
    rank: int = says("its rank by that")


class StyleControlled(Part):
    """The fit with length, Markdown and side as covariates."""

    ridge: Annotated[float, Field(ge=0)] = says("the penalty on covariates, never on strengths")
    coefficients: list[Coefficient] = says("the covariates")
    n_votes: Count = says("counted votes whose answers' style was known at the freeze")
    scores: list[StyledScore] = says("the entrants")


class Swap(Part):
    """How little would swap two neighbours in the order; an upper bound, checked by refitting."""

    upper: str = says("the entrant above")
    lower: str = says("the entrant below")
    gap: float = says("between them, in logits")
    votes: int | None = says("so many votes taken away swap them; null where none do")
    vote_share: Share | None = says("of the votes in the fit")
    voters: int | None = says("so many voters taken away, with all their votes, swap them")


class Sensitivity(Part):
    """The same votes under other choices: shown beside the result, never instead of it."""

    both_bad_tie: list[VariantScore] | None = says("`both_bad` as a tie, where the stage excludes it", default=None)
    both_bad_exclude: list[VariantScore] | None = says("`both_bad` left out, where the stage counts it", default=None)
    nothing_excluded: list[VariantScore] | None = says("with every vote that was left out by a decision or a mark")
    weighted: list[VariantScore] | None = says("with voters weighted to the plan's margins")
    style_controlled: StyleControlled | None = says("with length, formatting and side held equal")
    robustness: list[Swap] | None = says("how few votes decide the order, neighbour by neighbour")


class SideBiasPart(Part):
    """Whether the side an answer stood on mattered."""

    wins_a: Count = says("counted votes for side a")
    wins_b: Count = says("counted votes for side b")
    share_a: Share | None = says("side a's share of the two")
    share_a_ci95: Pair | None = says("95 % interval, Wilson")


class ExposureCell(Part):
    """How often an ordered pair was drawn."""

    a: str = says("on side a")
    b: str = says("on side b")
    drawn: Count = says("battles drawn")
    expected: Annotated[float, Field(ge=0)] = says("what the rule lets one expect")
    voted: Count = says("of these, judged")
    void: Count = says("of these, void: an answer failed, nobody was asked to judge")
    unvoted: Count = says("of these, left by the citizen, or a question did not fit a model's context")


class ExposureShare(Part):
    """How often an entrant was drawn."""

    id: str = says("the entrant")
    on_a: Count = says("on side a")
    on_b: Count = says("on side b")
    expected: Annotated[float, Field(ge=0)] = says("what the rule lets one expect, both sides together")


class ChiSquare(Part):
    """A chi-square test of the draws against the rule; a small p says that they did not follow it."""

    chi2: float = says("the statistic")
    df: Count = says("degrees of freedom")
    p: Share = says("probability of a larger statistic under the rule")


class Balance(Part):
    """Tests of the draws."""

    pairs: ChiSquare = says("over all ordered pairs")
    sides: ChiSquare = says("side a against side b, entrant by entrant")


class ExposurePart(Part):
    """Who was shown against whom."""

    draws: Count = says("how many draws")
    pairs: list[ExposureCell] = says("by ordered pair")
    entrants: list[ExposureShare] = says("by entrant")
    balance: Balance = says("tests against the rule")


class Act(Part):
    """One decision to leave votes out, or to take them back."""

    at: Moment = says("when")
    action: Literal["exclude", "restore"] = says("what was done")
    reason: str | None = says("the reason code; null when votes were taken back")
    rule: str = says("the rule with its thresholds, or the grounds")
    votes: Count = says("how many votes it was about")


class Draws(Part):
    """How battles were drawn, so that anybody can draw them again."""

    rule: str = says("the stage's pairing rule")
    count: Count = says("how many draws were made, numbered from 1 without a gap")
    commitment: Sha256 = says("SHA-256 of the seed, known since before the first draw")
    seed: Sha256 | None = says("the seed; null while the stage is open")


class Checkpoint(Part):
    """The signed tree head over all sealed votes."""

    schema_: Literal["kai.checkpoint/1"] = says("what this is", alias="schema")
    stage: str = says("the stage")
    size: Count = says("how many votes it covers")
    root: Sha256 = says("RFC 9162 Merkle root over their receipts, in the order of the rows")
    at: Moment = says("when it was signed")
    jws: str = says("detached ES256 JWS over the RFC 8785 form of the other fields")


class File(Part):
    """A file beside this one."""

    name: str = says("its name")
    sha256: Sha256 = says("its hash")
    rows: Count | None = says("its rows, where it has any", default=None)


class Provenance(Part):
    """Where the numbers come from, and how to make them again."""

    checkpoint: Checkpoint = says("what the votes are sealed under")
    votes_file: File = says("the sealed votes, pseudonymous")
    draws_file: File = says("all draws")
    checkpoints_file: File = says("every signed tree head of the stage, smallest first")
    stage_file: File = says("the sealed stage file")
    scores_file: File = says("the scores as a table for people")
    rerun_command: str = says("what recomputes every number")


class Integrity(Part):
    """The signature over everything else."""

    alg: Literal["ES256"] = says("ECDSA P-256 with SHA-256")
    kid: str = says("the signing key's RFC 7638 thumbprint, in the JWK Set")
    signature: str = says("detached JWS over the RFC 8785 form of this document without this field")


class UserScore(Part):
    """A stage's user score, with its uncertainty and its evidence."""

    schema_: Literal["kai.user-score/1"] = says("this schema", alias="schema")
    export_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")] = says("unique to this export")
    supersedes: str | None = says("the export of the same stage that this one replaces")
    created_at: Moment = says("when it was made")
    synthetic: bool = says("true where nothing in it was judged by people: never to be shown without saying so")
    issuer: Issuer = says("which system made it")
    stage: StagePart = says("the stage")
    entrants: list[EntrantPart] = says("the sealed entrants")
    protocol: dict[str, Any] = says("the conditions all entrants met, as the stage file declares them")
    population: PopulationPart = says("who voted, and which votes count")
    scores: list[Score] = says("the result, entrant by entrant")
    covariance: list[list[float | None]] = says("of theta, in the order of scores; null across groups")
    pairwise: list[PairCount] = says("votes by pair")
    warnings: list[Warning_] = says("what limits the result")
    method: Method | None = says("how it was computed; null before the first vote that counts")
    sensitivity: Sensitivity = says("the result under other choices")
    side_bias: SideBiasPart = says("whether the side mattered")
    exposure: ExposurePart = says("who was shown against whom, how often, on which side")
    exclusion_acts: list[Act] = says("every decision to leave votes out, in order")
    eligibility: None = says("always null: eligibility is decided elsewhere and applied after the cut")
    draws: Draws = says("the pairing, for anybody to repeat")
    provenance: Provenance = says("the evidence")
    integrity: Integrity = says("the signature")


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the export."""
    made = UserScore.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, **made}
