"""What a reader of the ratings must be told: a code, who is meant, and the values of a sentence that is not written here."""

from collections.abc import Sequence
from typing import Any, Literal

from ratings.connectivity import Separation
from ratings.listing import printable

Code = Literal["no_votes", "never_compared", "separated", "few_votes", "wide_interval", "few_voters", "few_questions"]
MANY = 30
"""Beyond so many entrants groups and separations are told in one notice each: every pair of them would fill a book."""
HANDFUL = 5
"""Names that a sentence lists before it counts the rest."""
_GROUPS = 3
"""Groups that a sentence tells of before it counts the rest."""

Names = tuple[str, ...]


class Notice:
    """One thing that limits what the ratings say."""

    def __init__(
        self,
        code: Code,
        entrants: Sequence[str],
        /,
        *,
        form: str = "",
        sides: Sequence[Names] = (),
        count: int = 1,
        **params: Any,
    ) -> None:
        self.code: Code = code
        self.entrants: Names = tuple(entrants)
        self.form = form
        """Which of the code's sentences tells it; most codes have a second one for many at once."""
        self.params = params
        self.sides = tuple(sides)
        """The groups, or winners and losers, that are set against each other; for `by_kind` only."""
        self.count = count
        """How many such things are told of."""

    @property
    def key(self) -> str:
        """Under which a catalogue of sentences has the one for this."""
        return "_".join(filter(None, ("notice", self.code, self.form)))

    def to_dict(self) -> dict[str, Any]:
        """As it stands in `warnings[]`, without a sentence."""
        return {"code": self.code, "entrants": list(self.entrants), "params": self.params}


class Note:
    """One thing to know about how a file was read."""

    def __init__(self, code: str, count: int, /, *, form: str = "", **params: Any) -> None:
        self.code = code
        self.count = count
        self.form = form
        """Which of the code's sentences tells it, where there are several."""
        self.params = {"count": count, **params}

    def __eq__(self, other: object) -> bool:
        """Hold notes for the same when they say the same."""
        return isinstance(other, Note) and (self.key, self.params) == (other.key, other.params)

    @property
    def key(self) -> str:
        """Under which a catalogue of sentences has the one for this."""
        return "_".join(filter(None, ("note", self.code, self.form)))


def no_votes(model: str) -> Notice:
    """Report an entrant that no counted vote mentions."""
    return Notice("no_votes", (model,), model=model)


def never_compared(groups: Sequence[Names]) -> list[Notice]:
    """Report groups of entrants that never met, one notice for each pair of groups; one for all of them beyond `MANY` entrants."""
    if sum(map(len, groups)) > MANY:
        return [_groups_apart(groups)]
    return [
        Notice("never_compared", (*first, *second), sides=(first, second), first=first, second=second)
        for n, first in enumerate(groups)
        for second in groups[n + 1 :]
    ]


def separated(cuts: Sequence[Separation], models: Sequence[str]) -> list[Notice]:
    """Entrants who never lost to the rest: only the prior holds the distance between them finite."""
    if len(models) > MANY and cuts:
        doubtful = {i for cut in cuts for i in min(cut.winners, cut.losers, key=len)}
        named = [tuple(tuple(models[i] for i in side) for side in (cut.winners, cut.losers)) for cut in cuts[:1]]
        return [_cuts(named[0], len(cuts), tuple(models[i] for i in sorted(doubtful)))]
    notices = []
    for cut in cuts:
        winners, losers = (tuple(models[i] for i in side) for side in (cut.winners, cut.losers))
        named = (*winners, *losers)
        notices.append(Notice("separated", named, sides=(winners, losers), winners=winners, losers=losers, each=MANY))
    return notices


def few_votes(model: str, votes: float, least: int) -> Notice:
    """Report an entrant whose votes are too few for more than a first impression."""
    return Notice("few_votes", (model,), model=model, votes=votes, least=least)


def wide_interval(model: str, reach: float, most: float) -> Notice:
    """Report an entrant whose interval is too wide to rank by."""
    return Notice("wide_interval", (model,), model=model, reach=reach, most=most)


def few_voters(voters: float, models: Names) -> Notice:
    """So few people voted that the intervals themselves are guesses."""
    return Notice("few_voters", models, voters=voters)


def few_questions(questions: float, models: Names) -> Notice:
    """So few different questions that the intervals are by voter alone."""
    return Notice("few_questions", models, questions=questions)


def by_kind(notices: Sequence[Notice]) -> list[Notice]:
    """Say the same in one notice for each kind: a handful of entrants named, the others counted; `entrants` holds them all."""
    kinds: dict[Code, list[Notice]] = {}
    for notice in notices:
        kinds.setdefault(notice.code, []).append(notice)
    return [_one(code, found) for code, found in kinds.items()]


def _one(code: Code, found: list[Notice]) -> Notice:
    names = tuple(dict.fromkeys(name for notice in found for name in notice.entrants))
    match code:
        case "never_compared":
            return _groups_apart(tuple(dict.fromkeys(side for notice in found for side in notice.sides)))
        case "separated":
            smaller = (min(notice.sides, key=len) if notice.count == 1 else notice.entrants for notice in found)
            doubtful = tuple(dict.fromkeys(name for side in smaller for name in side))
            return _cuts(found[0].sides, sum(notice.count for notice in found), doubtful)
    if len(found) == 1:
        return found[0]
    return Notice(code, names, form="several", count=len(found), n=len(found), models=_shown(names))


def _groups_apart(groups: Sequence[Names]) -> Notice:
    """Report the groups that never met each other, in one notice."""
    names = [name for group in groups for name in group]
    n, shown = len(groups), tuple(map(_shown, groups[:_GROUPS]))
    each = 1 if len(names) > HANDFUL + 1 else HANDFUL
    if n <= _GROUPS:
        return Notice("never_compared", names, form="groups", sides=groups, count=n, n=n, groups=shown, each=each)
    return Notice(
        "never_compared",
        names,
        form="many_groups",
        sides=groups,
        count=n,
        n=n,
        groups=shown,
        each=each,
        rest=n - _GROUPS,
    )


def _cuts(sides: Sequence[Names], count: int, doubtful: Names) -> Notice:
    """Report the places where only the prior holds entrants apart, in one notice."""
    won, lost = map(_shown, sides)
    each = 2 if len(won) + len(lost) > HANDFUL + 1 else HANDFUL
    if count == 1:
        return Notice("separated", doubtful, sides=sides, winners=won, losers=lost, each=each)
    return Notice(
        "separated",
        doubtful,
        form="places",
        sides=sides,
        count=count,
        winners=won,
        losers=lost,
        each=each,
        more=count - 1,
        held=len(doubtful),
    )


def _shown(names: Names) -> Names:
    """Return the names as a screen can show them."""
    return tuple(map(printable, names))
