"""A stage in the record without models or web: battles that are asked, answered and voted by the record's own verbs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from arena.domain.battle import Answer, Battle, BattleState, Draw, new_battle_id
from arena.domain.citizen import Citizen
from arena.domain.questions import QuestionKeys
from arena.domain.stage import Stage
from arena.domain.vote import Ballot, Vote, Winner, cast
from arena.record.counters import Admission, Bound
from arena.record.store import Store
from arena.record.tables import answers, battles, turns
from tests.support.serving import stage_toml

STAGE = "round-1"
SECRET = b"s" * 32
KEYS = QuestionKeys((), "0" * 64)
NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=20)
OWNER = "process-1"


def draw(_seed: str, number: int, _removed: frozenset[str] = frozenset()) -> Draw:
    """Who stands where does not matter here."""
    return Draw("garam", "narae", number, ("garam", "narae"), 0.5)


def open_stage(store: Store, stage_id: str = STAGE) -> None:
    """An open stage."""
    file = stage_toml().encode()
    stage = Stage.from_toml(file, "stage.toml").model_copy(update={"id": stage_id})
    store.stages.adopt(stage, file, NOW)


def enrol(store: Store, name: str = "c") -> Citizen:
    """A citizen who has agreed."""
    citizen = Citizen(name.ljust(32, "0"))
    store.citizens.enrol(citizen, {"service": (1, True)}, NOW)
    return citizen


def begin(store: Store, battle: Battle, citizen: Citizen, *, owner: str = OWNER, prompt: str = "안녕하세요?") -> Battle:
    """Asks one question."""
    return store.battles.begin_turn(battle.id, citizen.id, prompt, max_turns=3, lease=(owner, LATER), now=NOW)


def finish(store: Store, battle: Battle, n: int = 1, *, owner: str = OWNER, void_reason: str | None = None) -> Battle:
    """Answers it on both sides."""
    status = "failed" if void_reason else "complete"
    given = [Answer("a", "complete", "에이의 답"), Answer("b", status, "" if void_reason else "비의 답")]
    return store.battles.finish_turn(battle.id, n, given, owner=owner, void_reason=void_reason, now=NOW)


def opened(store: Store, citizen: Citizen, stage_id: str = STAGE) -> Battle:
    """A battle nobody has asked anything in."""
    return store.battles.open(new_battle_id(), stage_id, citizen.id, draw, NOW)


def ready(store: Store, citizen: Citizen, stage_id: str = STAGE) -> Battle:
    """A battle with one turn answered: it can be voted on."""
    battle = opened(store, citizen, stage_id)
    begin(store, battle, citizen)
    return finish(store, battle)


def ballot(winner: Winner = Winner.MODEL_A, comment: str = "") -> Ballot:
    """A decision."""
    return Ballot(winner, {"a": ("useful",), "b": ()}, comment)


def admission(*bounds: Bound, at: datetime = NOW) -> Admission:
    """An act from some network, counted against these bounds."""
    return Admission(bounds, at, "n" * 32, "vote")


def vote(
    store: Store,
    battle: Battle,
    citizen: Citizen,
    choice: Ballot | None = None,
    *,
    at: datetime = NOW,
    reveal: bool = False,
    bounds: Sequence[Bound] = (),
) -> tuple[Vote, bool]:
    """Casts it; the vote and whether it is new."""
    chosen = choice or ballot()
    done = store.votes.cast(
        battle.id,
        citizen.id,
        chosen,
        lambda b: cast(b, citizen, chosen, at, SECRET, KEYS),
        reveal=reveal,
        admission=admission(*bounds, at=at),
    )
    return done.vote, done.new


def many_ready(store: Store, citizen: Citizen, count: int, *, first: int = 1) -> list[Battle]:
    """Battles that can be voted on, written in one go, their draws numbered from `first`."""
    drawn = [draw("", first + n) for n in range(count)]
    made = [Battle(new_battle_id(), STAGE, citizen.id, BattleState.OPEN, d, NOW) for d in drawn]
    with store.database.writing() as connection:
        connection.execute(
            insert(battles),
            [
                {
                    "id": b.id,
                    "stage_id": STAGE,
                    "citizen_id": citizen.id,
                    "state": BattleState.OPEN,
                    "model_a": b.draw.a,
                    "model_b": b.draw.b,
                    "draw_number": b.draw.number,
                    "draw_available": list(b.draw.available),
                    "draw_probability": b.draw.probability,
                    "opened_at": NOW,
                    "touched_at": NOW,
                }
                for b in made
            ],
        )
        connection.execute(
            insert(turns), [{"battle_id": b.id, "n": 1, "prompt": "?", "asked_at": NOW, "flags": []} for b in made]
        )
        answer = {
            "n": 1,
            "status": "complete",
            "text": "!",
            "reasoning": "",
            "dropped_turns": 0,
            "shown_chars": 0,
            "leaks": [],
        }
        connection.execute(insert(answers), [{**answer, "battle_id": b.id, "side": s} for b in made for s in "ab"])
    return made
