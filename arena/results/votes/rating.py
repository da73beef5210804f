"""How a stage's votes are rated: the one place that turns what the stage file declares into a fit."""

from typing import TypedDict

from arena.domain.stage import Stage
from arena.results.votes.inclusion import rating_seed
from ratings.comparison import BothBad, Comparisons
from ratings.errors import NothingToRateError
from ratings.fit import rate
from ratings.result import Ratings
from ratings.score import Transform


class Declared(TypedDict):
    """What a stage declares of its fit, as `ratings.fit.rate` and `ratings.live.LiveRatings.snapshot` take it."""

    prior: float
    transform: Transform
    component_max: float
    seed: int


def declared(stage: Stage, file_sha256: str) -> Declared:
    """Read the declared fit; the seed of its draws comes from the sealed file's hash."""
    transform = stage.protocol.transform
    return {
        "prior": stage.protocol.prior,
        "transform": Transform(transform.id, transform.version, transform.params),
        "component_max": stage.component_max,
        "seed": rating_seed(file_sha256),
    }


def rate_stage(
    stage: Stage, file_sha256: str, comparisons: Comparisons, *, both_bad: BothBad | None = None
) -> Ratings | None:
    """Fit these comparisons as the stage declares, or with `both_bad` counted the other way.

    Returns:
        None where no two entrants were ever compared.
    """
    try:
        return rate(comparisons, both_bad=both_bad or stage.protocol.both_bad, **declared(stage, file_sha256))
    except NothingToRateError:
        return None
