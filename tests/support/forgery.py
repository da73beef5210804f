"""What an operator with the database and the key could write into a stage: votes as no citizen cast them, sealed and signed like any other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import orjson
import rfc8785

from arena.domain import draw as pairing
from arena.domain.battle import SIDES, Answer, Battle, BattleState, Draw, Side, Turn, new_battle_id
from arena.domain.citizen import Citizen, IdentityLevel
from arena.domain.exposure import Exposure
from arena.domain.questions import QuestionKeys
from arena.domain.vote import Ballot, Vote, Winner, cast
from arena.record import bulk
from arena.results.export.bundle import Bundle, make, sums
from arena.results.export.document import JSON, SUMS
from tests.support.stages import NOW, Room

START = NOW - timedelta(days=10)
_NUMBERS = count()


@dataclass(frozen=True)
class Forged:
    """One battle with its vote, as its forger would have it; unless said otherwise, an ordinary one."""

    at: datetime | None = None
    """When the vote was cast; ten minutes after the one before it, unless given."""
    drawn: timedelta = timedelta(seconds=30)
    """How long before."""
    voter: str = ""
    """One voter a vote, unless given."""
    level: IdentityLevel = "anonymous"
    turns: int = 1
    topic: str | None = None
    reasons: Mapping[Side, tuple[str, ...]] = field(default_factory=dict)
    leaks: Mapping[Side, tuple[str, ...]] = field(default_factory=dict)
    """With `{own}` and `{other}` for the entrants of that side and of the other."""
    exposure: Exposure | None = None
    without: str | None = None
    """An entrant that could not be drawn."""


def forge(room: Room, votes: Sequence[Forged]) -> Room:
    """Write these into the room's open stage."""
    queue: Iterator[Forged] = iter(votes)
    current: list[Forged] = []
    last = [START]
    people: dict[str, Citizen] = {}

    def draw(seed: str, number: int) -> Draw:
        current[:] = [next(queue)]
        choice = [entrant for entrant in room.stage.entrant_ids if entrant != current[0].without]
        return pairing.draw(seed, number, choice, pairing.rule_of(room.stage), {})

    def play(drawn: Draw) -> tuple[Battle, Vote]:
        wanted = current[0]
        at = last[0] = wanted.at or last[0] + timedelta(minutes=10)
        citizen = people[wanted.voter] if wanted.voter else people[str(id(wanted))]
        own = {"a": drawn.a, "b": drawn.b}
        other = {"a": drawn.b, "b": drawn.a}
        answers: dict[Side, Answer] = {
            side: Answer(
                side,
                "complete",
                "답" * 60,
                shown_chars=60,
                first_shown_ms=100,
                leaks=tuple(mark.format(own=own[side], other=other[side]) for mark in wanted.leaks.get(side, ())),
            )
            for side in SIDES
        }
        began = at - wanted.drawn
        turns = tuple(Turn(n, "무엇인가요?", began, answers) for n in range(1, wanted.turns + 1))
        battle = Battle(
            new_battle_id(),
            room.stage.id,
            citizen.id,
            BattleState.VOTED,
            drawn,
            began,
            turns,
            topic=wanted.topic,
        )
        ballot = Ballot(Winner.MODEL_A, {"a": (), "b": (), **wanted.reasons}, "")
        keys = QuestionKeys.of_stage(room.stage, "0" * 64)
        return battle, cast(battle, citizen, ballot, at, room.keys.secret, keys, wanted.exposure)

    for each in votes:
        name = each.voter or str(id(each))
        people.setdefault(name, Citizen(f"{next(_NUMBERS):032x}", each.level))
    bulk.enrol(room.store.database, [(citizen, {"service": (1, True)}) for citizen in people.values()], START)
    bulk.append(room.store.database, room.stage.id, len(votes), draw, play)
    return room


def exported(room: Room) -> Bundle:
    """The export of the stage as it stands."""
    return make(room.store, room.keys, room.stage.id, NOW)


def resealed(room: Room, bundle: Bundle, change: Mapping[str, Any]) -> Mapping[str, bytes]:
    """The export with values of its document changed, by their dotted paths, and signed anew by the arena's own key."""
    document = orjson.loads(bundle.files[JSON])
    for path, value in change.items():
        place, *steps = [document, *path.split(".")]
        for step in steps[:-1]:
            place = place[int(step) if step.isdigit() else step]
        place[steps[-1]] = value
    document["integrity"] = {"alg": "ES256", "kid": room.keys.kid}
    document["integrity"]["signature"] = room.keys.sign(rfc8785.dumps(document))
    laid = {name: data for name, data in bundle.files.items() if name != SUMS} | {JSON: rfc8785.dumps(document)}
    return {**laid, SUMS: sums(laid)}
