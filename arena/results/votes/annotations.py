"""What stands beside the sealed votes: style counts of the answers, languages of the first prompts, weights of the voters.

None of it is sealed with the vote, and its sources can be erased (texts by retention, answers about oneself by withdrawal). So it is
measured once, at the freeze, and kept (`results.export.kept`). It holds counts, languages and weights, no text and nobody's answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arena.domain.stage import Stage
from arena.record.store import Store
from arena.results.votes.feed import VoteFeed
from arena.results.votes.strata import StrataTable
from arena.results.votes.table import ERASED, LANGUAGES
from arena.results.votes.weighting import weigh
from ratings.style import MARKS

STYLE = tuple(f"{mark}_{side}" for side in "ab" for mark in MARKS)
"""The names of a battle's eight counts, in the order of `Circumstances.style`."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """The measurements of one stage."""

    styles: Mapping[str, Sequence[int]]
    """Per battle the counts of `STYLE`, all turns together; battles whose texts were erased are missing."""
    languages: Mapping[str, str]
    """Per battle one of `table.LANGUAGES`; battles whose texts were erased are missing."""
    weights: Mapping[str, float] | None
    """Per voter; None where nothing is weighted."""


def measured(store: Store, stage: Stage, strata: StrataTable | None) -> Annotations:
    """Measure the stage's votes as they are now."""
    feed = VoteFeed(store, stage)
    votes, _ = feed.table(measured=True)
    styled, language = votes.measured.styled, votes.measured.language
    read = (language >= 0) & (language != LANGUAGES.index(ERASED))
    battles, counts = feed.battles_of(votes.seq[styled].tolist()), votes.measured.style[styled].tolist()
    asked, spoken = feed.battles_of(votes.seq[read].tolist()), [LANGUAGES[code] for code in language[read].tolist()]
    raked = None if strata is None else weigh(votes, stage, strata)
    return Annotations(
        styles=dict(zip(battles, counts, strict=True)),
        languages=dict(zip(asked, spoken, strict=True)),
        weights=raked.weights if raked else None,
    )
