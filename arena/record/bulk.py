"""Many finished battles at once, for simulated stages: the same rows as the verbs make, a few thousand in one transaction."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import insert, update

from arena.domain.battle import Battle, Draw
from arena.domain.citizen import Citizen
from arena.domain.draw import mixed
from arena.domain.stage import StageStatus
from arena.domain.vote import Vote
from arena.record.battles import answer_values, battle_values, stage_not_open
from arena.record.database import Database
from arena.record.group_commit import vote_values
from arena.record.tables import answers, battles, citizens, consents, stages, turns, votes


def enrol(database: Database, enrolled: list[tuple[Citizen, dict[str, tuple[int, bool]]]], now: datetime) -> None:
    """Keep citizens that are new here, with their answers to the consents: `{consent id: (version, granted)}`."""
    people = [{"id": c.id, "identity_level": c.identity_level, "created_at": now} for c, _ in enrolled]
    answered = [
        {"citizen_id": c.id, "consent_id": consent, "version": version, "granted": yes, "at": now}
        for c, granted in enrolled
        for consent, (version, yes) in granted.items()
    ]
    with database.writing() as connection:
        connection.execute(insert(citizens), people)
        if answered:
            connection.execute(insert(consents), answered)


def append(
    database: Database,
    stage_id: str,
    count: int,
    draw: Callable[[str, int], Draw],
    play: Callable[[Draw], tuple[Battle, Vote]],
) -> None:
    """Draw `count` battles and keep each with its turns, answers and vote; all of them, or nothing.

    The draws are numbered and drawn as the verbs do it, the stage has to be open, and every constraint of the tables holds.

    Raises:
        Conflict: the stage is not open.
        Unavailable: not saved.
    """
    with database.writing() as connection:
        row = connection.execute(
            update(stages)
            .where(stages.c.id == stage_id, stages.c.status == StageStatus.OPEN)
            .values(draws=stages.c.draws + count)
            .returning(stages.c.draws, stages.c.draw_seed, stages.c.beacon)
        ).one_or_none()
        if row is None:
            raise stage_not_open()
        seed = mixed(row.draw_seed, row.beacon)
        played = [play(draw(seed, number)) for number in range(row.draws - count + 1, row.draws + 1)]
        connection.execute(insert(battles), [battle_values(b, touched_at=v.cast_at) for b, v in played])
        connection.execute(
            insert(turns),
            [
                {"battle_id": b.id, "n": t.n, "prompt": t.prompt, "asked_at": t.asked_at, "flags": list(t.flags)}
                for b, _ in played
                for t in b.turns
            ],
        )
        given = [answer_values(b.id, t.n, a) for b, _ in played for t in b.turns for a in t.answers.values()]
        connection.execute(insert(answers), given)
        connection.execute(insert(votes), [vote_values(v, None) for _, v in played])
