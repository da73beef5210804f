"""The console's words: whatever code a tab may have to tell has one, in either language."""

from typing import get_args, get_type_hints

import pytest

from arena.domain.stage import StageStatus
from arena.domain.starters import topics_of
from arena.i18n.catalogue import LANGUAGES, Language, messages
from arena.results.export.group_words import VotesKind, named
from arena.results.export.groups import TURNS
from arena.results.live.variants import Name, Variant
from arena.results.votes import table
from arena.simulate import simulated_stage

STAGE, _ = simulated_stage()
PARTS: dict[VotesKind, tuple[str, ...]] = {
    "language": tuple(sorted(set(table.LANGUAGES) - {table.ERASED})),
    "turns": TURNS,
    "identity": table.IDENTITY,
    "topic": tuple(topics_of(STAGE)),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_and_every_method_has_a_word(language: Language) -> None:
    """A stage's states, the other readings of the votes, and why one of them cannot be made."""
    t = messages(language)
    keys = [f"live_stage_{status}" for status in StageStatus]
    keys += [f"exports_stage_{status}" for status in StageStatus if status is not StageStatus.DRAFT]
    keys += [f"trends_variant_{name}" for name in get_args(Name)]
    keys += [f"trends_variant_why_{why}" for why in get_args(get_type_hints(Variant)["why"]) if why]
    assert [key for key in keys if key not in t] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", PARTS)
def test_every_group_of_votes_has_a_name(language: Language, kind: VotesKind) -> None:
    """Groups by language, by number of questions, by identity and by topic are called by different names, under a title of their own."""
    t = messages(language)
    names = [t.pick(named(kind, kind, name, STAGE)) for name in PARTS[kind]]
    assert len(set(names)) == len(PARTS[kind])
    assert f"groups_of_{kind}" in t
