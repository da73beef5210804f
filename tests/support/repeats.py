"""A stage whose next draw is a repeat, by a seed that was looked for."""

from hashlib import sha256
from itertools import count

from sqlalchemy import update

from arena.domain.repeat import is_due
from arena.domain.stage import StageStatus
from arena.record.store import Store
from arena.record.tables import stages

SHARE = 0.05
PROTOCOL = f'repeats = {SHARE}\nreveal = "after_stage"'


def due_at(*numbers: int, never: int = 0) -> str:
    """A seed by which exactly these draws are due for a repeat among them and those up to `never`."""
    for n in count():
        seed = sha256(f"seed {n}".encode()).hexdigest()
        if all(is_due(seed, number, SHARE) for number in numbers) and not any(
            is_due(seed, number, SHARE) for number in range(1, never + 1) if number not in numbers
        ):
            return seed
    raise AssertionError("counting has no end")


def plant(store: Store, stage_id: str, seed: str) -> None:
    """Gives a draft another seed: its opening will commit to it."""
    with store.database.writing() as connection:
        connection.execute(
            update(stages).where(stages.c.id == stage_id, stages.c.status == StageStatus.DRAFT).values(draw_seed=seed)
        )
