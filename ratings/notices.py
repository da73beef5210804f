"""What a reader of the ratings must be told: a machine's code, who is meant, and a sentence in two languages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ratings.connectivity import Separation
from ratings.listing import HANDFUL, counted, listed

Code = Literal["no_votes", "never_compared", "separated", "few_votes", "wide_interval", "few_voters"]
MANY = 30
"""Beyond so many entrants groups and separations are told in one sentence each: every pair of them would fill a book."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that limits what the ratings say."""

    code: Code
    entrants: tuple[str, ...]
    ko: str
    en: str
    sides: tuple[tuple[str, ...], ...] = ()
    """The groups, or winners and losers, that the sentence sets against each other; for `by_kind` only."""
    count: int = 1
    """How many such things the sentence tells of."""

    def to_dict(self) -> dict[str, Any]:
        """As it stands in `warnings[]`."""
        return {"code": self.code, "entrants": list(self.entrants), "ko": self.ko, "en": self.en}


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know about how a file was read."""

    code: str
    count: int
    ko: str
    en: str

    def to_dict(self) -> dict[str, Any]:
        """As it stands in `source.notes[]`."""
        return {"code": self.code, "count": self.count, "ko": self.ko, "en": self.en}


def no_votes(model: str) -> Notice:
    """An entrant that no counted vote mentions."""
    return Notice(
        "no_votes",
        (model,),
        f"{model}: 집계된 투표가 없어 순위가 없습니다.",
        f"{model} has no counted vote and is not ranked.",
    )


def never_compared(groups: Sequence[tuple[str, ...]]) -> list[Notice]:
    """Groups of entrants that never met, one notice for each pair of groups; one for all of them beyond `MANY` entrants."""
    if sum(map(len, groups)) > MANY:
        return [_groups_apart(groups)]
    return [
        Notice(
            "never_compared",
            (*first, *second),
            f"{', '.join(first)}와(과) {', '.join(second)}는(은) 다른 팀을 거쳐서도 비교된 적이 없어 서로 순위를 매기지 않습니다.",
            f"{', '.join(first)} never met {', '.join(second)}, not even through others: they are not ranked against each other.",
            (first, second),
        )
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
        notices.append(
            Notice(
                "separated",
                (*winners, *losers),
                f"{', '.join(winners)}는(은) {', '.join(losers)}에게 한 번도 지지 않았습니다. 두 쪽의 거리는 투표가 아니라 사전값이 정한 것입니다.",
                f"{', '.join(winners)} never lost to {', '.join(losers)}: the distance between them comes from the prior, not from votes.",
                (winners, losers),
            )
        )
    return notices


def few_votes(model: str, votes: float, least: int) -> Notice:
    """An entrant whose votes are too few for more than a first impression."""
    return Notice(
        "few_votes",
        (model,),
        f"{model}: 투표가 {votes:g}표뿐이라 잠정 결과입니다(기준 {least}표).",
        f"{model} has {counted(votes, 'vote')}, fewer than {least}: provisional.",
    )


def wide_interval(model: str, reach: float, most: float) -> Notice:
    """An entrant whose interval is too wide to rank by."""
    return Notice(
        "wide_interval",
        (model,),
        f"{model}: 95 % 구간이 ±{reach:.0f}점으로 넓어 잠정 결과입니다(기준 ±{most:g}점).",
        f"{model} is known to ±{reach:.0f} rating points, more than ±{most:g}: provisional.",
    )


def few_voters(voters: float, models: tuple[str, ...]) -> Notice:
    """So few people voted that the intervals themselves are guesses."""
    return Notice(
        "few_voters",
        models,
        f"실질 투표자가 {voters:.1f}명뿐이라 구간 자체가 불확실합니다. 더 많은 사람의 투표가 필요합니다.",
        f"Only {voters:.1f} effective voters: the intervals are themselves uncertain. More people are needed, not more votes by the same.",
    )


def by_kind(notices: Sequence[Notice]) -> list[Notice]:
    """The same in one notice for each kind: a handful of entrants named, the others counted; `entrants` holds them all."""
    kinds: dict[Code, list[Notice]] = {}
    for notice in notices:
        kinds.setdefault(notice.code, []).append(notice)
    return [_one(code, found) for code, found in kinds.items()]


def _one(code: Code, found: list[Notice]) -> Notice:
    names = tuple(dict.fromkeys(name for notice in found for name in notice.entrants))
    match code:
        case "never_compared":
            groups = tuple(dict.fromkeys(side for notice in found for side in notice.sides))
            return _groups_apart(groups)
        case "separated":
            smaller = (min(notice.sides, key=len) if notice.count == 1 else notice.entrants for notice in found)
            doubtful = tuple(dict.fromkeys(name for side in smaller for name in side))
            return _cuts(found[0].sides, sum(notice.count for notice in found), doubtful)
    if len(found) == 1:
        return found[0]
    ko, en = _COMMON[code](listed(names, "ko"), listed(names), len(found))
    return Notice(code, names, ko, en, count=len(found))


def _groups_apart(groups: Sequence[tuple[str, ...]]) -> Notice:
    """The groups that never met each other, in one sentence."""
    told = groups[:3]
    rest = len(groups) - len(told)
    each = 1 if sum(map(len, groups)) > HANDFUL + 1 else HANDFUL
    ko = " | ".join(listed(group, "ko", each) for group in told) + (f" | 외 {rest:,}개 무리" if rest else "")
    en = " | ".join(listed(group, "en", each) for group in told) + (
        f" | and {counted(rest, 'more group')}" if rest else ""
    )
    return Notice(
        "never_compared",
        tuple(name for group in groups for name in group),
        f"참가 모델이 서로 비교된 적 없는 {len(groups):,}개 무리로 나뉩니다. 무리끼리는 순위를 매기지 않습니다: {ko}.",
        f"The entrants fall into {len(groups):,} groups that never met, not even through others, and are not ranked against each other: {en}.",
        tuple(groups),
        len(groups),
    )


def _cuts(sides: tuple[tuple[str, ...], ...], count: int, doubtful: tuple[str, ...]) -> Notice:
    """The places where only the prior holds entrants apart, in one sentence."""
    each = 2 if sum(map(len, sides)) > HANDFUL + 1 else HANDFUL
    (won_ko, lost_ko), (won, lost) = ([listed(side, language, each) for side in sides] for language in ("ko", "en"))
    more, held = count - 1, len(doubtful)
    also_ko = f" 이런 곳이 {more:,}곳 더 있고, 모두 {held:,}개 모델의 자리를 사전값만이 정합니다." if more else ""
    also = (
        f" The field splits like this in {counted(more, 'more place')}; in all, the prior alone holds {counted(held, 'entrant')} in place."
        if more
        else ""
    )
    return Notice(
        "separated",
        doubtful,
        f"{won_ko}는(은) {lost_ko}에게 한 번도 지지 않았습니다. 두 쪽의 거리는 투표가 아니라 사전값이 정한 것입니다.{also_ko}",
        f"{won} never lost to {lost}: the distance between them comes from the prior, not from votes.{also}",
        sides,
        count,
    )


_COMMON: dict[Code, Callable[[str, str, int], tuple[str, str]]] = {
    "no_votes": lambda ko, en, n: (
        f"집계된 투표가 없어 순위가 없는 모델({n:,}개): {ko}.",
        f"Without a counted vote and not ranked ({n:,}): {en}.",
    ),
    "few_votes": lambda ko, en, n: (
        f"투표가 기준보다 적어 잠정 결과인 모델({n:,}개): {ko}.",
        f"With too few votes to be more than provisional ({n:,}): {en}.",
    ),
    "wide_interval": lambda ko, en, n: (
        f"95 % 구간이 기준보다 넓어 잠정 결과인 모델({n:,}개): {ko}.",
        f"With intervals too wide to be more than provisional ({n:,}): {en}.",
    ),
    "few_voters": lambda ko, en, n: (
        f"실질 투표자가 50명보다 적은 무리 {n:,}개의 구간 자체가 불확실합니다: {ko}. 더 많은 사람의 투표가 필요합니다.",
        f"{n:,} groups have fewer than 50 effective voters, so that their intervals are themselves uncertain: {en}. More people are needed, not more votes by the same.",
    ),
}
