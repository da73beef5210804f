"""What can go wrong between votes and ratings: a stable code, and what a sentence about it needs. The sentences are not written here.

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


class RatingsError(ValueError):
    """Anything this package raises on purpose; `code` is stable, and `params` say what it is about."""

    def __init__(self, code: str, /, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        """Code and parameters: `outcome_unknown: column 'winner', value 'draw'`."""
        told = ", ".join(f"{name} {value!r}" for name, value in self.params.items())
        return f"{self.code}: {told}" if told else self.code

    @property
    def key(self) -> str:
        """Under which a catalogue of sentences has the one about this."""
        return f"error_{self.code}"


class ComparisonError(RatingsError):
    """The input cannot be read as comparisons. `row` counts from 0, or is None when no single row is at fault."""

    def __init__(self, code: str, /, *, row: int | None = None, **params: Any) -> None:
        super().__init__(code, **params)
        self.row = row

    def __str__(self) -> str:
        """Write the same, with the row before it."""
        return super().__str__() if self.row is None else f"row {self.row}: {super().__str__()}"


@contextmanager
def renumbered(rows: Any) -> Iterator[None]:
    """Turn a refusal of row n of a part into one of row `rows[n]` of the whole."""
    try:
        yield
    except ComparisonError as error:
        if error.row is None:
            raise
        raise ComparisonError(error.code, row=int(rows[error.row]), **error.params) from None


class NothingToRateError(RatingsError):
    """No two entrants were ever compared."""

    def __init__(self) -> None:
        super().__init__("nothing_to_rate")


class SeparatedError(RatingsError):
    """Without a prior the maximum-likelihood estimate does not exist (Ford 1957); with one that is too small it is out of reach."""

    def __init__(self, winners: Sequence[str], losers: Sequence[str], prior: float = 0) -> None:
        if prior:
            super().__init__("prior_out_of_reach", winners=tuple(winners), losers=tuple(losers), prior=prior)
        else:
            super().__init__("separated", winners=tuple(winners), losers=tuple(losers))
        self.winners = tuple(winners)
        self.losers = tuple(losers)


class NotConvergedError(RatingsError):
    """The fit did not reach its optimum; `what` names it in a word."""

    def __init__(self, what: str, steps: int) -> None:
        super().__init__("not_converged", what=what, steps=steps)


class TransformError(RatingsError):
    """An unknown or ill-declared way from ratings to points."""
