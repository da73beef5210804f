"""What a reader of the ratings must be told: a machine's code, who is meant, and a sentence in two languages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ratings.connectivity import Separation

Code = Literal["no_votes", "never_compared", "separated", "few_votes", "wide_interval", "few_voters"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that limits what the ratings say."""

    code: Code
    entrants: tuple[str, ...]
    ko: str
    en: str

    def to_dict(self) -> dict[str, Any]:
        """As it stands in `warnings[]`."""
        return {"code": self.code, "entrants": list(self.entrants), "ko": self.ko, "en": self.en}


def no_votes(model: str) -> Notice:
    """An entrant that no counted vote mentions."""
    return Notice(
        "no_votes",
        (model,),
        f"{model}: 집계된 투표가 없어 순위가 없습니다.",
        f"{model} has no counted vote and is not ranked.",
    )


def never_compared(groups: Sequence[tuple[str, ...]]) -> list[Notice]:
    """Groups of entrants that never met, one notice for each pair of groups."""
    return [
        Notice(
            "never_compared",
            (*first, *second),
            f"{', '.join(first)}와(과) {', '.join(second)}는(은) 다른 팀을 거쳐서도 비교된 적이 없어 서로 순위를 매기지 않습니다.",
            f"{', '.join(first)} never met {', '.join(second)}, not even through others: they are not ranked against each other.",
        )
        for n, first in enumerate(groups)
        for second in groups[n + 1 :]
    ]


def separated(cuts: Sequence[Separation], models: Sequence[str]) -> list[Notice]:
    """Entrants who never lost to the rest: only the prior holds the distance between them finite."""
    notices = []
    for cut in cuts:
        winners, losers = (tuple(models[i] for i in side) for side in (cut.winners, cut.losers))
        notices.append(
            Notice(
                "separated",
                (*winners, *losers),
                f"{', '.join(winners)}는(은) {', '.join(losers)}에게 한 번도 지지 않았습니다. 두 쪽의 거리는 투표가 아니라 사전값이 정한 것입니다.",
                f"{', '.join(winners)} never lost to {', '.join(losers)}: the distance between them comes from the prior, not from votes.",
            )
        )
    return notices


def few_votes(model: str, votes: float, least: int) -> Notice:
    """An entrant whose votes are too few for more than a first impression."""
    return Notice(
        "few_votes",
        (model,),
        f"{model}: 투표가 {votes:g}표뿐이라 잠정 결과입니다(기준 {least}표).",
        f"{model} has {votes:g} votes, fewer than {least}: provisional.",
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
