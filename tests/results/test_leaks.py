"""What told who is who: counted per entrant, unasked and prompted, left out as the stage declares, and published both ways."""

from collections import Counter
from pathlib import Path

import pytest

from arena.domain.battle import SIDES, Answer, Battle, Draw, new_battle_id
from arena.domain.citizen import Citizen
from arena.domain.draw import draw, rule_of
from arena.domain.leaks import Leak, bits, mask
from arena.domain.questions import QuestionKeys
from arena.domain.vote import Ballot, Vote, cast
from arena.results.export.bundle import make
from arena.results.export.verify import verify_files
from tests.support.stages import NOW, Room
from tests.support.voting import OWNER, admission, ballot, begin, enrol

SAID: list[tuple[list[str], list[str]]] = [
    (["self"], []),
    (["self:prompted"], ["own", "rival:prompted"]),
    ([], ["own:prompted"]),
    (["posing"], ["rival"]),
]
"""What the answers of four votes do, on side a and on side b."""
FIELDS = {"self": "self_named", "posing": "posed", "own": "own", "rival": "rival"}


def leaking(room: Room) -> Counter[tuple[str, str]]:
    """Cast these votes; how often which entrant's answers did what."""
    store, stage, expected = room.store, room.stage, Counter[tuple[str, str]]()

    def drawn(seed: str, number: int, _removed: frozenset[str] = frozenset()) -> Draw:
        return draw(seed, number, stage.entrant_ids, rule_of(stage))

    for said in SAID:
        citizen = enrol(store)
        battle = store.battles.open(new_battle_id(), stage.id, citizen.id, drawn, NOW)
        begin(store, battle, citizen)
        answers = []
        for side, other, marks in zip(SIDES, reversed(SIDES), said, strict=True):
            own, rival = battle.entrant(side), battle.entrant(other)
            named = {"self": own, "own": own, "rival": rival, "posing": "openai"}
            kinds = [mark.partition(":") for mark in marks]
            expected.update((own, FIELDS[kind] + "_prompted" * bool(end)) for kind, _, end in kinds)
            answers.append(
                Answer(side, "complete", "네", leaks=tuple(f"{k}:{named[k]}{sep}{end}" for k, sep, end in kinds))
            )
        store.battles.finish_turn(battle.id, 1, answers, owner=OWNER, void_reason=None, now=NOW)
        chosen = ballot()

        def make_vote(battle: Battle, citizen: Citizen = citizen, chosen: Ballot = chosen) -> Vote:
            return cast(battle, citizen, chosen, NOW, room.keys.secret, QuestionKeys((), "0" * 64))

        store.votes.cast(battle.id, citizen.id, chosen, make_vote, admission=admission())
    return expected


def test_bits_tell_sides_kinds_and_prompts_apart() -> None:
    """Each mark has a bit of its own; a name that a prompt had said gives nobody away, who is speaking always does."""
    marks = [f"{side}:{kind}:x{end}" for side in "ab" for kind in Leak if kind != "asked" for end in ("", ":prompted")]
    every = {mark: bits([mark]) for mark in [*marks, "prompt:asks_identity"]}

    assert len(set(every.values())) == len(every) == 17
    assert bits(every) == sum(every.values())
    assert bits([]) == mask([]) == 0
    assert [mark for mark in every if every[mark] & mask([Leak.OWN])] == ["a:own:x", "b:own:x"]
    assert [m for m in marks if every[m] & mask([Leak.SELF])] == [m for m in marks if ":self:" in m]
    assert every["prompt:asks_identity"] & mask([Leak.ASKED, Leak.RIVAL])


@pytest.mark.parametrize(
    ("declared", "out"), [(None, 3), ([], 0), (["own"], 1), (["rival"], 1), (["self", "own", "rival"], 3)]
)
def test_leaks_are_published_both_ways(tmp_path: Path, declared: list[str] | None, out: int) -> None:
    """The export counts what each entrant's answers gave away; the votes with and without it are rated beside the result; a stranger's check agrees."""
    more = "" if declared is None else f"[protocol]\nexcluded_leaks = {declared}\n"
    room = Room(tmp_path, more=more).vote(60)
    expected = leaking(room)
    room.freeze()
    bundle = make(room.store, room.keys, room.stage.id, NOW)
    told = bundle.document

    found = {
        (row.team_id, field): count
        for row in told.leaks.entrants
        for field, count in row.model_dump(exclude={"team_id", "votes", "left_out"}).items()
    }
    assert {key: count for key, count in found.items() if count} == expected
    assert sum(row.votes for row in told.leaks.entrants) == 2 * 64
    assert told.leaks.excluded == (["asked", "self", "posing"] if declared is None else declared)
    assert sum(row.count for row in told.population.exclusions if row.reason == "leaks") == out
    votes = {
        name: sum(row.n_votes for row in rows or ()) / 2
        for name, rows in {
            "result": told.scores,
            "included": told.sensitivity.leaks_included,
            "excluded": told.sensitivity.leaks_excluded,
        }.items()
    }
    assert votes["included"] - votes["result"] == out
    assert votes["included"] - votes["excluded"] == 3
    assert verify_files(bundle.files).document.leaks == told.leaks
    room.close()
