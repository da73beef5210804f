"""What the results by group are called, and what they say in plain words: for console, report and results page."""

from typing import Literal

from arena.domain.declared import Bilingual
from arena.domain.stage import Stage
from arena.domain.starters import topics_of
from arena.i18n.catalogue import Messages, both
from arena.results.export.groups_schema import Grouping, Kind
from arena.results.export.vote_findings import REMARKABLE

VotesKind = Literal["topic", "language", "turns", "identity"]
Says = Literal["untold", "few", "apart", "alike"]


def titled(grouping: Grouping, stage: Stage) -> Bilingual:
    """Name the variable: the stage's own words for a stratum."""
    if grouping.kind != "stratum":
        return Bilingual(**both(f"groups_of_{grouping.kind}"))
    return next(stratum.title for stratum in stage.population.strata if stratum.id == grouping.variable)


def named(kind: Kind, variable: str, group: str, stage: Stage) -> Bilingual:
    """Name one group."""
    match kind:
        case "stratum":
            strata = {stratum.id: stratum for stratum in stage.population.strata}
            return next(category.title for category in strata[variable].categories if category.id == group)
        case "topic":
            return topics_of(stage).get(group, Bilingual(ko=group, en=group))
        case _:
            return Bilingual(**both(f"group_{kind}_{group.replace('+', '_or_more')}"))


def said(grouping: Grouping, t: Messages) -> str:
    """Say how different the groups are, in a sentence or two."""
    found = grouping.difference
    if found is None:
        return t("groups_say_untold")
    what: Says = "few" if found.p is None else "apart" if found.p < REMARKABLE else "alike"
    low, high = found.sd_ci95
    spread = t("groups_spread", sd=found.sd, low=low, high=high)
    return f"{t(f'groups_say_{what}')} {spread}"
