"""What can go wrong between votes and ratings.

RatingsError
├── ComparisonError      the input cannot be read as comparisons: names the row, the column and what would be right
├── NothingToRateError   no two entrants were ever compared
├── SeparatedError       without a prior the estimate does not exist: names who always won against whom
├── NotConvergedError    the fit did not reach its optimum; nothing unfinished is returned
└── TransformError       an unknown or ill-declared way from ratings to points
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ratings.listing import listed


class RatingsError(ValueError):
    """Anything this package raises on purpose."""


class ComparisonError(RatingsError):
    """The input cannot be read as comparisons. `row` counts from 0, or is None when no single row is at fault."""

    def __init__(self, message: str, *, row: int | None = None) -> None:
        super().__init__(message if row is None else f"row {row}: {message}")
        self.reason = message
        self.row = row


@contextmanager
def renumbered(rows: Any) -> Iterator[None]:
    """A refusal of row n of a part becomes one of row `rows[n]` of the whole."""
    try:
        yield
    except ComparisonError as error:
        if error.row is None:
            raise
        raise ComparisonError(error.reason, row=int(rows[error.row])) from None


class NothingToRateError(RatingsError):
    """No two entrants were ever compared."""

    def __init__(self) -> None:
        super().__init__("no comparison can be counted: collect votes between at least two entrants first")


class SeparatedError(RatingsError):
    """Without a prior the maximum-likelihood estimate does not exist (Ford 1957); with one that is too small it is out of reach."""

    def __init__(self, winners: Sequence[str], losers: Sequence[str], prior: float = 0) -> None:
        what = (
            f"a prior of {prior:g} is too small beside these votes"
            if prior
            else "with prior = 0 no finite rating exists"
        )
        super().__init__(
            f"{listed(winners)} never lost to {listed(losers)}, so {what}: "
            "give a larger one (0.5 is the stage's default) or collect more votes between them"
        )
        self.winners = tuple(winners)
        self.losers = tuple(losers)


class NotConvergedError(RatingsError):
    """The fit did not reach its optimum."""

    def __init__(self, what: str, steps: int) -> None:
        super().__init__(
            f"{what} did not converge in {steps} steps: the votes lie too many orders of magnitude apart, "
            "so give weights that are nearer to each other, or a prior nearer to them"
        )


class TransformError(RatingsError):
    """An unknown or ill-declared way from ratings to points."""
