"""What an export says of ratings: a fit, the same votes under other choices, and how all of it was made; as types that refuse anything else."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from arena.domain.stage import TieAtCut
from arena.results.export.signed import Count, Pair, Part, Share
from ratings.first import InFirst


class Score(Part):
    """One entrant's result. Null where the entrant was never compared."""

    team_id: str = Field(description="the entrant")
    theta: float | None = Field(description="log-strength in logits, mean 0 over the entrants")
    se: float | None = Field(description="its standard error, clustered as `method.covariance` says")
    rating: float | None = Field(description="1000 + 400/ln 10 · theta")
    rating_ci95: Pair | None = Field(description="95 % interval")
    rank: int | None = Field(description="1 is the highest; read it with rank_ci95")
    rank_ci95: Annotated[list[int], Field(min_length=2, max_length=2)] | None = Field(
        description="the ranks that cannot be told apart, all entrants at once"
    )
    win_probability: Share | None = Field(description="mean over the others of the probability to beat them")
    win_probability_ci95: Pair | None = Field(description="95 % interval")
    points: Annotated[float, Field(ge=0)] | None = Field(
        description="the user score, out of component_max, by the transform"
    )
    points_ci95: Pair | None = Field(description="95 % interval")
    points_bias: float | None = Field(
        description="how far `points` lie off on average if the entrants that may be tied with the first (with `min_max` also with the last) are; null where the transform does not hang on who is first or last, or where all may be tied"
    )
    n_votes: float = Field(description="votes in the fit that the entrant took part in")
    both_bad: float = Field(description="its votes that found neither answer good enough")
    provisional: bool = Field(
        description="fewer than 30 votes, wider than ±50 rating points, or held by the prior alone"
    )
    group: int | None = Field(
        description="entrants of different groups never met and are not ranked against each other"
    )
    in_first_k: InFirst | None = Field(
        description="whether it is among the first planned_advance entrants: `surely` or `no` beyond chance, all entrants at once; else `maybe`"
    )
    p_first_k: Share | None = Field(
        description="how often it is among them when the strengths are drawn from their uncertainty; null unless all entrants were compared with each other"
    )


class Cut(Part):
    """The place between the first planned_advance and the rest."""

    k: Annotated[int, Field(ge=1)] = Field(description="planned_advance")
    last_in: str = Field(description="the entrant in place k")
    first_out: str = Field(description="the entrant in the next place")
    separated: bool = Field(description="whether these two are apart beyond chance, all pairs at once")
    rule: TieAtCut = Field(
        description="what the stage file declares where `in_first_k` of the total leaves places open: `points` – the totals' order decides all the same; `components` – `ties` does among the entrants that are `maybe`; `hold` – the programme decides, and these places stay open"
    )


class PairCount(Part):
    """What happened between two entrants in the votes that count."""

    a: str = Field(description="one entrant")
    b: str = Field(description="the other")
    wins_a: float = Field(description="votes for a")
    wins_b: float = Field(description="votes for b")
    ties: float = Field(description="ties")
    both_bad: float = Field(description="votes that found neither good enough")
    shown_a_left: float = Field(description="how often a stood on side a")
    separated: bool | None = Field(description="whether they are apart beyond chance, all pairs at once")


class Warning_(Part):
    """One thing that limits what the ratings say."""

    code: str = Field(description="a stable code")
    entrants: list[str] = Field(description="whom it is about")
    ko: str = Field(description="Korean")
    en: str = Field(description="English")


class Rounding(Part):
    """How points are rounded."""

    decimals: Count = Field(description="decimals kept")
    mode: Literal["half_even"] = Field(description="ties go to the even digit, in decimal")


class TransformPart(Part):
    """How a rating became points; declared before the first vote."""

    id: Literal["win_probability", "anchored", "top_normalised", "min_max"] = Field(description="which transform")
    version: int = Field(description="its version")
    params: dict[str, Any] = Field(description="its parameters")
    scale: Pair = Field(description="from, to")
    rounding: Rounding = Field(description="the rounding rule")


class Method(Part):
    """How the ratings were made."""

    model: Literal["bradley-terry"] = Field(description="P(i beats j) = σ(θi − θj)")
    version: int = Field(description="raised whenever the same votes would give another digit")
    prior: Annotated[float, Field(ge=0)] = Field(
        description="wins and losses of a phantom opponent against every entrant"
    )
    both_bad: Literal["exclude", "tie"] = Field(description="what a `both_bad` vote does to the fit")
    voice: Literal["citizen", "vote"] = Field(
        description="what the score averages: citizens, each of whom shares one weight among their votes in the fit, or votes"
    )
    covariance: str = Field(description="how uncertainty was found")
    intervals: Literal["fixed", "anytime"] = Field(
        description="`fixed`: intervals, ranks and pairs apart hold at one look; `anytime`: at all looks together while votes came in"
    )
    planned_votes: float | None = Field(description="votes at which `anytime` intervals are tightest; null where fixed")
    seed: Count = Field(
        description="the seed of the simultaneous comparisons: the first 32 bits of the stage file's hash"
    )
    anchor: str | None = Field(description="the entrant whose rating is 1000, if any; else the mean is")
    n_votes: Count = Field(description="counted votes")
    n_used: Count = Field(description="votes in the fit")
    n_eff_voters: float = Field(description="effective voters")
    n_eff_questions: float | None = Field(
        description="effective questions (Σn)²/Σn²; null where the intervals know the voters alone"
    )
    transform: TransformPart = Field(description="from ratings to points")


class Fit(Part):
    """A whole fit, as `Ratings.to_dict("team_id")` gives it, with its first K and its warnings in both languages; what its parts are, the document says."""

    scores: list[Score]
    cut: Cut | None
    covariance: list[list[float | None]]
    pairwise: list[PairCount]
    warnings: list[Warning_]
    method: Method | None


class VariantScore(Part):
    """One entrant's result under another choice."""

    team_id: str = Field(description="the entrant")
    theta: float | None = Field(description="log-strength")
    se: float | None = Field(description="standard error")
    rating: float | None = Field(description="rating")
    rating_ci95: Pair | None = Field(description="95 % interval")
    rank: int | None = Field(description="rank")
    rank_ci95: Annotated[list[int], Field(min_length=2, max_length=2)] | None = Field(description="rank interval")
    points: float | None = Field(description="points")
    points_ci95: Pair | None = Field(description="95 % interval")
    n_votes: float = Field(description="votes in this fit")

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Take them from a whole row of `Ratings.to_dict("team_id")`."""
        return cls.model_validate({name: row[name] for name in cls.model_fields})


class Coefficient(Part):
    """What one covariate does to the log-odds of winning, per standard deviation; for `side_a`, being shown on side a."""

    name: Literal["length", "headers", "bold", "lists", "side_a"] = Field(description="the covariate")
    value: float = Field(description="logits")
    ci95: Pair = Field(description="95 % interval")


class StyledScore(Part):
    """One entrant's rating with style and side held equal, beside the raw one."""

    team_id: str = Field(description="the entrant")
    rating_raw: float | None = Field(description="as in scores")
    rank_raw: int | None = Field(description="as in scores")
    rating: float = Field(description="with the covariates held equal")
    rating_ci95: Pair = Field(description="95 % interval")
    rank: int = Field(description="its rank by that")


class StyleControlled(Part):
    """The fit with length, Markdown and side as covariates."""

    ridge: Annotated[float, Field(ge=0)] = Field(description="the penalty on covariates, never on strengths")
    coefficients: list[Coefficient] = Field(description="the covariates")
    n_votes: Count = Field(description="counted votes whose answers' style was known at the freeze")
    scores: list[StyledScore] = Field(description="the entrants")


class RepresentedScore(Part):
    """One entrant's result as the population would give it; null where it was never compared."""

    team_id: str = Field(description="the entrant")
    rating: float | None = Field(description="rating")
    rating_ci95: Pair | None = Field(description="95 % interval")
    rank: int | None = Field(description="rank")
    points: float | None = Field(description="points")
    points_ci95: Pair | None = Field(description="95 % interval")


class Representative(Part):
    """The score as the planned population would give it: multilevel regression and poststratification."""

    strata: list[str] = Field(
        description="what it is poststratified by: the strata with targets that ten people or more in the fit have answered, as if they were independent"
    )
    cells: Count = Field(description="how many cells of the population they make")
    scores: list[RepresentedScore] = Field(description="the entrants")
    warnings: list[Warning_] = Field(description="what limits it")


class Swap(Part):
    """How little would swap two neighbours in the order; an upper bound, checked by refitting."""

    upper: str = Field(description="the entrant above")
    lower: str = Field(description="the entrant below")
    gap: float = Field(description="between them, in logits")
    votes: int | None = Field(description="so many votes taken away swap them; null where none do")
    vote_share: Share | None = Field(description="of the votes in the fit")
    voters: int | None = Field(description="so many voters taken away, with all their votes, swap them")


class Sensitivity(Part):
    """The same votes under other choices: shown beside the result, never instead of it."""

    both_bad_tie: list[VariantScore] | None = Field(
        default=None, description="`both_bad` as a tie, where the stage excludes it"
    )
    both_bad_exclude: list[VariantScore] | None = Field(
        default=None, description="`both_bad` left out, where the stage counts it"
    )
    nothing_excluded: list[VariantScore] | None = Field(
        description="with every vote that was left out by a decision or a mark"
    )
    leaks_included: list[VariantScore] | None = Field(
        description="with the votes on battles that may not have been blind"
    )
    leaks_excluded: list[VariantScore] | None = Field(
        description="without any vote in whose battle a prompt asked, or an answer held a name that no prompt had said"
    )
    other_voice: list[VariantScore] | None = Field(
        description="with each vote counted the same where each citizen is, and the other way round"
    )
    voter_only: list[VariantScore] | None = Field(
        description="with intervals clustered by voter alone: for these very questions, whatever others would have been asked"
    )
    weighted: list[VariantScore] | None = Field(
        description="with citizens weighted to the plan's margins, each one's weight shared over their votes"
    )
    representative: Representative | None = Field(
        description="as the planned population would give it, by a multilevel model poststratified to the strata's targets; recomputed by whoever has strata.parquet; null where no stratum with targets was answered by ten people in the fit"
    )
    style_controlled: StyleControlled | None = Field(description="with length, formatting and side held equal")
    robustness: list[Swap] | None = Field(description="how few votes decide the order, neighbour by neighbour")
