"""Repeats: what a citizen has judged before, and a conversation kept once more with its answers on each other's side."""

from sqlalchemy import Connection, case, insert, literal, null, select, update

from arena.domain.battle import Battle, BattleState
from arena.domain.repeat import Earlier
from arena.record.tables import answers, battles, turns


def history(connection: Connection, stage_id: str, citizen_id: str) -> list[Earlier]:
    """Read a citizen's battles of a stage in the order of their draws, inside the caller's transaction."""
    rows = connection.execute(
        select(
            battles.c.draw_number,
            battles.c.model_a,
            battles.c.model_b,
            battles.c.state.in_([BattleState.VOTED, BattleState.REVEALED]).label("voted"),
            battles.c.erased_at.is_(None).label("has_texts"),
            battles.c.repeat_of,
        )
        .where(battles.c.citizen_id == citizen_id, battles.c.stage_id == stage_id)
        .order_by(battles.c.draw_number)
    )
    return [Earlier(n, a, b, bool(voted), bool(texts), of) for n, a, b, voted, texts, of in rows]


def copy_conversation(connection: Connection, repeat: Battle) -> None:
    """Give a repeat, inside the transaction that opens it, the turns and answers of its first battle, sides swapped, and its topic.

    What was measured of the first is not copied: how long the models took, and how much had been shown. It was asked when the repeat was opened.
    """
    which = (battles.c.stage_id == repeat.stage_id, battles.c.draw_number == repeat.draw.repeat_of)
    first, topic = connection.execute(select(battles.c.id, battles.c.topic).where(*which)).one()
    connection.execute(update(battles).where(battles.c.id == repeat.id).values(topic=topic))
    mine = literal(repeat.id)
    asked = {turns.c.battle_id: mine, turns.c.asked_at: literal(repeat.opened_at, turns.c.asked_at.type)}
    said = {
        answers.c.battle_id: mine,
        answers.c.side: case((answers.c.side == "a", "b"), else_="a"),
        answers.c.shown_chars: literal(0),
        **dict.fromkeys((answers.c[name] for name in _MEASURED), null()),
    }
    for table, changed in ((turns, asked), (answers, said)):
        chosen = select(*(changed.get(column, column) for column in table.c)).where(table.c.battle_id == first)
        connection.execute(insert(table).from_select([column.name for column in table.c], chosen))


_MEASURED = ("first_token_ms", "total_ms", "first_shown_ms", "shown_ms", "prompt_tokens", "completion_tokens")
