"""Votes of a small crowd in a stage's record: sixty people who judge, and three who always take the left side."""

from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import update

from arena.domain.battle import SIDES, Answer, Battle, BattleState, Draw, Side, Turn, new_battle_id
from arena.domain.citizen import Citizen
from arena.domain.draw import draw
from arena.domain.questions import QuestionKeys
from arena.domain.stage import Stage
from arena.domain.vote import Ballot, Vote, Winner, cast
from arena.record import bulk
from arena.record.store import Store
from arena.record.tables import stages

HONEST, ONE_SIDED = 60, 3
VOTES = 12 * HONEST + 30 * ONE_SIDED


def cast_crowd(store: Store, stage: Stage, began: datetime, secret: bytes) -> None:
    """Cast all of their votes; the draws, and so who stands out, are the same in every run."""
    with store.database.writing() as connection:
        connection.execute(update(stages).values(draw_seed="5" * 64))
    rng = np.random.default_rng(4)
    keys = QuestionKeys((), "0" * 64)
    strength = dict(zip(stage.entrant_ids, (0.6, 0.0, -0.6), strict=True))

    people: dict[str, Citizen] = {}
    plan: list[tuple[datetime, str, bool]] = []
    for name, hour, votes, honestly in (
        *((f"honest{n}", n, 12, True) for n in range(HONEST)),
        *((f"side{n}", 20 * n, 30, False) for n in range(ONE_SIDED)),
    ):
        people[name] = Citizen(f"{name}-".ljust(32, "0"))
        store.citizens.enrol(people[name], {}, began)
        plan += [(began + timedelta(hours=hour, minutes=3 * n), name, honestly) for n in range(votes)]
    turns = iter(sorted(plan))

    def play(drawn: Draw) -> tuple[Battle, Vote]:
        at, name, honestly = next(turns)
        citizen = people[name]
        p = 1 / (1 + np.exp(strength[drawn.b] - strength[drawn.a]))
        winner = Winner.MODEL_A if not honestly or rng.random() < p else Winner.MODEL_B
        answers: dict[Side, Answer] = {side: Answer(side, "complete", "답", shown_ms=9000) for side in SIDES}
        turn = Turn(1, f"{name} {at}", at, answers)
        battle = Battle(new_battle_id(), stage.id, citizen.id, BattleState.VOTED, drawn, at, (turn,))
        return battle, cast(
            battle, citizen, Ballot(winner, {"a": (), "b": ()}), at + timedelta(seconds=30), secret, keys
        )

    bulk.append(store.database, stage.id, VOTES, lambda seed, n: draw(seed, n, stage.entrant_ids), play)
