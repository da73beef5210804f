"""A witness as its own program, and what an operator with all keys does to a stage behind its back."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import delete, insert, select, update

from arena.domain.stage import Stage
from arena.domain.vote import Winner, canonical, cast, leaf_hash, seal_of
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.merkle import roots_of
from arena.record.store import Store
from arena.record.tables import checkpoints, cosignatures, leaves, votes
from arena.results.witness.notebook import Identity
from arena.settings import ROOT
from tests.support import voting


def witness(url: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m arena witness --once`."""
    run = [sys.executable, "-m", "arena", "witness", url, "--dir", str(folder), "--once", *more]
    environment = {**os.environ, "ARENA_DATA_DIR": str(folder / "nowhere")}
    return subprocess.run(run, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)


def named(folder: Path, *, name: str = "witness", required: int = 1) -> str:
    """What a stage file says of a witness, whose key is made in this folder."""
    own = Identity.open(folder, name, None).to_json()
    words = '{ ko = "증인", en = "Witness" }'
    return (
        f"witnesses_required = {required}\n[[witnesses]]\n"
        f'id = "{own["id"]}"\nname = {words}\nx = "{own["x"]}"\ny = "{own["y"]}"\n'
    )


def cast_one_more(store: Store, stage: Stage, keys: Keys, winner: str) -> None:
    """One more vote, as the arena itself takes it."""
    citizen, choice = voting.enrol(store, "more"), voting.ballot(Winner(winner))
    battle = voting.ready(store, citizen, stage.id)
    admission = voting.admission()
    store.votes.cast(
        battle.id,
        citizen.id,
        choice,
        lambda b: cast(b, citizen, choice, voting.NOW, keys.secret, voting.KEYS),
        reveal=False,
        admission=admission,
    )


def flip(store: Store, keys: Keys, stage_id: str, count: int) -> None:
    """Turns the last votes round and signs everything anew: record, receipt, seal, checkpoints."""
    with store.database.writing() as connection:
        rows = connection.execute(
            select(votes.c.seq, votes.c.record)
            .where(votes.c.stage_id == stage_id)
            .order_by(votes.c.seq.desc())
            .limit(count)
        ).all()
        assert len(rows) == count
        for row in rows:
            told: dict[str, Any] = orjson.loads(row.record)
            told["winner"] = "model_b" if told["winner"] == "model_a" else "model_a"
            record = canonical(told)
            receipt = leaf_hash(record)
            changed = {
                "record": record,
                "receipt": receipt,
                "seal": seal_of(keys.secret, receipt),
                "winner": told["winner"],
            }
            connection.execute(update(votes).where(votes.c.seq == row.seq).values(**changed))
    sign_again(store, keys, stage_id)


def sign_again(store: Store, keys: Keys, stage_id: str, opening: str | None = None) -> None:
    """Signs a checkpoint anew for every size that had one, over what is there now, under this opening; what witnesses had signed of them goes."""
    old = Ledger(store, keys).checkpoints(stage_id)
    with store.database.writing() as connection:
        chosen = select(votes.c.receipt).join(leaves, leaves.c.vote == votes.c.seq).where(leaves.c.stage_id == stage_id)
        roots = roots_of(connection.execute(chosen.order_by(leaves.c.n)).scalars().all(), [head.size for head in old])
        connection.execute(delete(cosignatures).where(cosignatures.c.stage_id == stage_id))
        connection.execute(delete(checkpoints).where(checkpoints.c.stage_id == stage_id))
        for head in old:
            made = replace(head, root=roots[head.size], opening=opening or head.opening, jws="")
            connection.execute(insert(checkpoints).values(**{**asdict(made), "jws": keys.sign(made.payload())}))
