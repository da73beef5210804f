"""From the components' scores to the programme's decision: totals, the cut, and after it the gate. Pure: no file, no clock, no chance.

total   = the sum of the declared components
cut     = the top K by total, equal totals told apart by the declared components; where the totals on its two sides are not
          apart beyond chance, what the stage file declares follows: `points`, `components` or `hold`
gate    = eligible | ineligible | pending, decided elsewhere
advance = cut ∩ eligible                the gate comes AFTER the cut, and nobody moves up
vacancy = K − |advance|                 recorded, never filled from the list
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from arena.domain.errors import ArenaError
from arena.domain.stage import TieAtCut
from ratings.first import InFirst

Scores = Mapping[str, Mapping[str, Decimal | None]]
"""`{team: {component: score}}`; None where a score is missing."""


class AggregateError(ArenaError):
    """The programme's total cannot be made of this."""


class Gate(StrEnum):
    """Whether the outside authority lets a team advance."""

    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"
    PENDING = "pending"


class Reason(StrEnum):
    """What became of a team."""

    ADVANCE = "ADVANCE"
    BELOW_CUT = "BELOW_CUT"
    INELIGIBLE = "INELIGIBLE"
    PENDING = "PENDING"
    HELD = "HELD"
    """It may or may not be in the cut, and by the stage file the programme decides."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One team's place."""

    team: str
    scores: Mapping[str, Decimal]
    total: Decimal
    rank: int
    """1 is the highest total; teams that nothing tells apart share one."""
    in_cut: bool
    gate: Gate
    held: bool = False
    """Not in the cut, and not below it either."""

    @property
    def reason(self) -> Reason:
        """The cut first, the gate after it."""
        if self.held:
            return Reason.HELD
        if not self.in_cut:
            return Reason.BELOW_CUT
        return {Gate.ELIGIBLE: Reason.ADVANCE, Gate.INELIGIBLE: Reason.INELIGIBLE, Gate.PENDING: Reason.PENDING}[
            self.gate
        ]


@dataclass(frozen=True, slots=True)
class Decision:
    """All teams, best total first."""

    standings: tuple[Standing, ...]
    places: int

    @property
    def cut(self) -> tuple[str, ...]:
        """The teams in the cut."""
        return tuple(s.team for s in self.standings if s.in_cut)

    @property
    def advance(self) -> tuple[str, ...]:
        """The teams that advance."""
        return tuple(s.team for s in self.standings if s.reason is Reason.ADVANCE)

    @property
    def vacancy(self) -> int:
        """Places that stay empty."""
        return self.places - len(self.advance)

    @property
    def margin(self) -> Decimal | None:
        """How far the K-th total lies above the next; None where nobody is below."""
        if self.places >= len(self.standings):
            return None
        return self.standings[self.places - 1].total - self.standings[self.places].total


def total(scores: Mapping[str, Decimal | None]) -> Decimal | None:
    """Add the components up; None when one is missing."""
    known = [score for score in scores.values() if score is not None]
    return sum(known, Decimal(0)) if len(known) == len(scores) else None


def cut(scores: Scores, places: int, ties: Sequence[str] = ()) -> tuple[str, ...]:
    """Take the top `places` teams by total.

    Raises:
        AggregateError: a team has no total, or a tie at the cut is left undecided by `ties`.
    """
    return _first(scores, _keys(scores, ties), places, ties)


def ordered(scores: Scores, ties: Sequence[str] = ()) -> tuple[str, ...]:
    """List all teams, best total first.

    Raises:
        AggregateError: a team has no total.
    """
    return tuple(_order(_keys(scores, ties)))


def _first(
    scores: Scores, keys: Mapping[str, tuple[Decimal, ...]], places: int, ties: Sequence[str]
) -> tuple[str, ...]:
    """Take the first by these keys, each of a total and the components in `ties`."""
    order = _order(keys)
    if places < len(order) and keys[order[places - 1]] == keys[order[places]]:
        tied = [team for team in order if keys[team] == keys[order[places]]]
        sum_of = total(scores[order[places]])
        if ties:
            raise AggregateError("tie_after_ties", teams=tied, total=sum_of, places=places, ties=tuple(ties))
        raise AggregateError("tie_at_cut", teams=tied, total=sum_of, places=places)
    return tuple(order[:places])


def decide(
    scores: Scores,
    gates: Mapping[str, Gate],
    places: int,
    ties: Sequence[str] = (),
    *,
    rule: TieAtCut = "points",
    sure: Mapping[str, InFirst] | None = None,
) -> Decision:
    """Decide for these teams.

    Args:
        scores: `{team: {component: score}}`.
        gates: `{team: gate}`.
        places: how many teams the cut keeps.
        ties: components that decide, in this order, between equal totals.
        rule: what follows where some teams may or may not be in the cut.
        sure: which teams are in the cut beyond chance, `{team: surely | maybe | no}`; needed but for `points`.

    Raises:
        AggregateError: a team has no total or no gate, or a tie at the cut is undecided.
    """
    ungated = sorted(set(scores) - set(gates))
    if ungated:
        raise AggregateError("gate_missing", team=ungated[0])
    keys = _keys(scores, ties)
    told = sure or {}
    surely = [team for team in keys if told.get(team) == "surely"]
    maybe = [team for team in keys if told.get(team) == "maybe"]
    held: list[str] = []
    if rule == "points" or not maybe:
        kept = cut(scores, places, ties)
    elif rule == "hold":
        kept, held = tuple(surely), maybe
    else:
        by_components = {team: (*keys[team][1:], keys[team][0]) for team in maybe}
        kept = (*surely, *_first(scores, by_components, places - len(surely), ties))
    standings = [
        Standing(
            team=team,
            scores={component: score for component, score in scores[team].items() if score is not None},
            total=keys[team][0],
            rank=1 + sum(other > keys[team] for other in keys.values()),
            in_cut=team in kept,
            gate=gates[team],
            held=team in held,
        )
        for team in _order(keys)
    ]
    return Decision(tuple(standings), places)


def _keys(scores: Scores, ties: Sequence[str]) -> dict[str, tuple[Decimal, ...]]:
    """Find what each team is ordered by: its total, then the components that decide ties."""
    keys = {}
    for team, given in scores.items():
        missing = next((component for component, score in given.items() if score is None), None)
        summed = total(given)
        if summed is None:
            raise AggregateError("total_incomplete", team=team, component=missing)
        keys[team] = (summed, *(score for tie in ties if (score := given[tie]) is not None))
    return keys


def _order(keys: Mapping[str, tuple[Decimal, ...]]) -> list[str]:
    return sorted(keys, key=lambda team: (*(-value for value in keys[team]), team))
