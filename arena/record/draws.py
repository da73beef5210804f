"""The draws of every stage: who met whom, and what became of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from arena.domain.battle import BattleState, Draw
from arena.record.database import Database
from arena.record.tables import battles

_FIRST = battles.c.repeat_of.is_(None)


@dataclass(frozen=True, slots=True)
class DrawnBattle:
    """A draw and what became of it."""

    battle_id: str
    draw: Draw
    state: BattleState
    void_reason: str | None
    drawn_at: datetime
    touched_at: datetime


@dataclass(frozen=True, slots=True)
class DrawnFor:
    """How often an ordered pair was drawn for a voter; void battles, which nobody could judge, left out."""

    voter: str
    model_a: str
    model_b: str
    battles: int


class Draws:
    """Read-only: battles are opened by `Battles.open`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_stage(self, stage_id: str, chunk: int = 10_000) -> Iterator[DrawnBattle]:
        """Every draw of the stage, in the order of its number."""
        columns = (
            battles.c.id,
            battles.c.model_a,
            battles.c.model_b,
            battles.c.draw_number,
            battles.c.draw_available,
            battles.c.draw_probability,
            battles.c.repeat_of,
            battles.c.state,
            battles.c.void_reason,
            battles.c.opened_at,
            battles.c.touched_at,
        )
        chosen = select(*columns).where(battles.c.stage_id == stage_id).order_by(battles.c.draw_number)
        with self._database.reading() as connection:
            for row in connection.execution_options(yield_per=chunk).execute(chosen):
                state = BattleState(row.state)
                yield DrawnBattle(row.id, as_draw(row), state, row.void_reason, row.opened_at, row.touched_at)

    def for_voters(self, stage_id: str) -> list[DrawnFor]:
        """Every draw that could be judged, repeats left out, counted by voter and ordered pair."""
        columns = (battles.c.citizen_id, battles.c.model_a, battles.c.model_b)
        with self._database.reading() as connection:
            rows = connection.execute(
                select(*columns, func.count())
                .where(battles.c.stage_id == stage_id, battles.c.state != BattleState.VOID, _FIRST)
                .group_by(*columns)
            ).all()
        return [DrawnFor(row[0], row[1], row[2], row[3]) for row in rows]

    def by_pair(self, stage_id: str, up_to: int) -> dict[tuple[str, str], int]:
        """How often each pair was drawn up to this draw, whatever the sides and whatever became of it, repeats left out: `{(x, y): battles}`, x < y."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(battles.c.model_a, battles.c.model_b, func.count())
                .where(battles.c.stage_id == stage_id, battles.c.draw_number <= up_to, _FIRST)
                .group_by(battles.c.model_a, battles.c.model_b)
            ).all()
        counted: dict[tuple[str, str], int] = {}
        for a, b, count in rows:
            pair = (min(a, b), max(a, b))
            counted[pair] = counted.get(pair, 0) + count
        return counted

    def by_state(self, stage_id: str) -> list[tuple[str, str, str, int]]:
        """How often each ordered pair was drawn, repeats left out, by state: `(model_a, model_b, state, battles)`."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(battles.c.model_a, battles.c.model_b, battles.c.state, func.count())
                .where(battles.c.stage_id == stage_id, _FIRST)
                .group_by(battles.c.model_a, battles.c.model_b, battles.c.state)
            ).all()
        return [(row[0], row[1], row[2], row[3]) for row in rows]


def as_draw(row: Any) -> Draw:
    """Make a draw of a battle's row."""
    available = tuple(row.draw_available)
    return Draw(row.model_a, row.model_b, row.draw_number, available, row.draw_probability, row.repeat_of)
