"""Conversations: the turns of battles with their answers, of many battles in one read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Row, and_, func, select, update

from arena.domain.battle import Answer, Shown, Side, Turn
from arena.record.database import ForIds
from arena.record.tables import answers, turns


def _asked(*of_answer: Column[Any]) -> ForIds:
    """Select the turns of these battles in order, each beside these columns of its answers; built once, since building costs more than running."""
    return ForIds(
        lambda these: (
            select(
                turns.c.battle_id,
                turns.c.n.label("turn"),
                turns.c.prompt,
                turns.c.asked_at,
                turns.c.flags,
                *of_answer,
            )
            .join(answers, and_(answers.c.battle_id == turns.c.battle_id, answers.c.n == turns.c.n), isouter=True)
            .where(these(turns.c.battle_id))
            .order_by(turns.c.battle_id, turns.c.n, answers.c.side)
        )
    )


_WHOLE = _asked(*(column for column in answers.c if column.name not in ("battle_id", "n")))
_JUDGED = _asked(
    answers.c.side, answers.c.status, answers.c.text, answers.c.first_shown_ms, answers.c.shown_chars, answers.c.leaks
)


def conversations(connection: Connection, battle_ids: Sequence[str]) -> dict[str, tuple[Turn, ...]]:
    """Read the turns of these battles, with their answers."""
    return _read(connection, _WHOLE, battle_ids, _whole)


def judged(connection: Connection, battle_ids: Sequence[str]) -> dict[str, tuple[Turn, ...]]:
    """Read the turns of these battles with what a vote seals of each answer: its status, its text, when and how much of it was shown, and its leaks. It costs half."""
    return _read(connection, _JUDGED, battle_ids, _of_vote)


def note_shown(connection: Connection, battle_id: str, shown: Mapping[tuple[int, Side], Shown]) -> None:
    """Write how much of these answers, by turn and side, their citizen has been handed by now, where that is more than before."""
    for (n, side), each in shown.items():
        first = func.coalesce(answers.c.first_shown_ms, each.first_ms)
        connection.execute(
            update(answers)
            .where(answers.c.battle_id == battle_id, answers.c.n == n, answers.c.side == side)
            .where(answers.c.shown_chars < each.chars)
            .values(shown_chars=each.chars, first_shown_ms=first)
        )


def _read(
    connection: Connection, asked: ForIds, battle_ids: Sequence[str], answer: Callable[[Row[Any]], Answer]
) -> dict[str, tuple[Turn, ...]]:
    if not battle_ids:
        return {}
    found: dict[str, list[Turn]] = {}
    for row in asked.execute(connection, battle_ids):
        of_battle = found.setdefault(row.battle_id, [])
        if not of_battle or of_battle[-1].n != row.turn:
            of_battle.append(Turn(row.turn, row.prompt, row.asked_at, {}, tuple(row.flags)))
        if row.side is not None:
            of_battle[-1].answers[row.side] = answer(row)
    return {battle_id: tuple(of_battle) for battle_id, of_battle in found.items()}


def _whole(row: Row[Any]) -> Answer:
    fields = {name: getattr(row, name) for name in Answer.__dataclass_fields__}
    return Answer(**{**fields, "leaks": tuple(row.leaks)})


def _of_vote(row: Row[Any]) -> Answer:
    return Answer(
        row.side,
        row.status,
        row.text,
        first_shown_ms=row.first_shown_ms,
        shown_chars=row.shown_chars,
        leaks=tuple(row.leaks),
    )
