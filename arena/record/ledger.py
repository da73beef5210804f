"""The ledger: each stage's votes as the leaves of one Merkle tree, its signed checkpoints, and the proofs and the audit that follow.

A vote becomes a leaf when the ledger takes it in, after its commit: so the order has no gaps whatever the order of commits was, and no
vote ever waits for another one's place. Votes hold the truth; `leaves` holds nothing but their order.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Select, func, insert, select
from sqlalchemy.exc import IntegrityError

from arena.domain.battle import BattleState
from arena.domain.clock import KST
from arena.domain.coded import Fault
from arena.domain.errors import ArenaError, Conflict, NotFound
from arena.domain.opening import opening_sha256
from arena.domain.vote import Hidden, canonical, hidden_digest, leaf_hash, seal_of
from arena.record.keys import Keys, verify_jws
from arena.record.merkle import Tree, verify_consistency
from arena.record.store import Store
from arena.record.tables import battles, checkpoints, leaves, stages, votes

CHECKPOINT_SCHEMA = "kai.checkpoint/2"
CHUNK = 5000
MOST_FAULTS = 5
"""So many faults an error names."""
WINDOW = 10_000
"""How many sequence numbers back the ledger looks for votes that committed late; the audit and a freeze look at all."""


class LedgerError(ArenaError):
    """The record does not agree with itself: somebody has changed it behind the arena's back. For organizers."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("ledger_broken", faults=tuple(faults[:MOST_FAULTS]))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed tree head: the root over the first `size` votes of a stage. `jws` is detached, over `payload()`."""

    stage_id: str
    size: int
    root: str
    opening: str
    """The hash of the stage's opening act."""
    at: datetime
    jws: str

    def payload(self) -> bytes:
        """Return the canonical bytes that are signed."""
        body = self.to_json()
        del body["jws"]
        return canonical(body)

    def to_json(self) -> dict[str, Any]:
        """As it is published: `verify_checkpoint` reads it again."""
        return {
            "schema": CHECKPOINT_SCHEMA,
            "stage": self.stage_id,
            "size": self.size,
            "root": self.root,
            "opening": self.opening,
            "at": self.at.astimezone(KST).isoformat(timespec="microseconds"),
            "jws": self.jws,
        }


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That one receipt is leaf `index` under a checkpoint; `merkle.verify_inclusion` checks it."""

    receipt: str
    index: int
    path: tuple[str, ...]
    checkpoint: Checkpoint


def verify_checkpoint(published: Mapping[str, Any], jwks: Mapping[str, Any]) -> bool:
    """Tell whether a published checkpoint carries the signature of one of these keys."""
    body = {name: value for name, value in published.items() if name != "jws"}
    return verify_jws(canonical(body), str(published.get("jws", "")), jwks)


class Ledger:
    """The ledger of every stage in a store."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._database = store.database
        self._keys = keys
        self._trees: dict[str, Tree] = {}

    def checkpoint(self, stage_id: str, now: datetime, *, final: bool = False) -> Checkpoint:
        """Take in the votes committed so far and sign a checkpoint over them; the newest one, when there is nothing new.

        A stage's first checkpoint is over no votes: it says under which opening they will be cast. `final` looks at every vote of
        the stage, for the freeze.

        Raises:
            Conflict: the stage has not opened.
            LedgerError: a new vote was not cast by the arena, or what is there no longer leads to the newest checkpoint.
        """
        with self._database.reading() as connection:
            opening, newest = _opening(connection, stage_id), _newest(connection, stage_id)
        if newest is None:
            self._sign(stage_id, 0, opening, now)
        while self._take_in(stage_id, everything=final) == CHUNK:
            pass
        with self._database.reading() as connection:
            size, newest = _size(connection, stage_id), _newest(connection, stage_id)
        if newest is not None and newest.size == size:
            return newest
        if newest is not None and self._tree(stage_id).root(newest.size) != newest.root:
            raise LedgerError([Fault("signed_root_lost", size=newest.size)])
        return self._sign(stage_id, size, opening, now)

    def _sign(self, stage_id: str, size: int, opening: str, now: datetime) -> Checkpoint:
        unsigned = Checkpoint(stage_id, size, self._tree(stage_id).root(size), opening, now, "")
        made = replace(unsigned, jws=self._keys.sign(unsigned.payload()))
        try:
            with self._database.writing() as connection:
                connection.execute(insert(checkpoints).values(**asdict(made)))
        except IntegrityError:  # another process signed the same size first: its word is as good as ours
            return self.newest(stage_id) or made
        return made

    def opening(self, stage_id: str) -> str | None:
        """Find the stage's opening act, once it is open."""
        with self._database.reading() as connection:
            return connection.execute(select(stages.c.opening).where(stages.c.id == stage_id)).scalar_one_or_none()

    def newest(self, stage_id: str) -> Checkpoint | None:
        """Find the stage's newest checkpoint, if there is one."""
        with self._database.reading() as connection:
            return _newest(connection, stage_id)

    def checkpoints(self, stage_id: str, after: int = -1, limit: int = 1000) -> list[Checkpoint]:
        """List the stage's checkpoints over more than `after` votes, smallest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(checkpoints)
                .where(checkpoints.c.stage_id == stage_id, checkpoints.c.size > after)
                .order_by(checkpoints.c.size)
                .limit(limit)
            ).all()
        return [Checkpoint(**row._mapping) for row in rows]

    def every_checkpoint(self, stage_id: str) -> Iterator[Checkpoint]:
        """All of the stage's checkpoints, smallest first."""
        after = -1
        while page := self.checkpoints(stage_id, after):
            yield from page
            after = page[-1].size

    def inclusion(self, receipt: str) -> Inclusion | None:
        """Prove that a vote is in the ledger, under the newest checkpoint; there is no proof yet for a vote that came after it.

        Raises:
            NotFound: no vote has this receipt.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                select(votes.c.stage_id, leaves.c.n)
                .join(leaves, leaves.c.vote == votes.c.seq, isouter=True)
                .where(votes.c.receipt == receipt)
            ).one_or_none()
            if row is None:
                raise NotFound("receipt_not_found")
            newest = _newest(connection, row.stage_id)
        if row.n is None or newest is None or row.n >= newest.size:
            return None
        path = self._tree(row.stage_id).inclusion(row.n, newest.size)
        return Inclusion(receipt, row.n, tuple(path), newest)

    def consistency(self, stage_id: str, first: int, second: int) -> list[str]:
        """Return the path that proves the first `first` votes to be the beginning of the first `second`.

        Raises:
            NotFound: the ledger has no such sizes.
        """
        with self._database.reading() as connection:
            size = _size(connection, stage_id)
        if not 0 <= first <= second <= size:
            raise NotFound("no_such_size", size=size)
        return self._tree(stage_id).consistency(first, second)

    def audit(self, stage_id: str) -> list[Fault]:
        """Everything that is wrong with a stage's votes; empty when the record agrees with itself and its checkpoints.

        Reads every vote and remembers nothing: record, receipt, seal, columns, order, every root, every signature.
        """
        faults: list[Fault] = []
        hashes: list[bytes] = []
        with self._database.reading() as connection:
            for row in _leaves(connection, stage_id):
                if row.n != len(hashes):
                    faults.append(Fault("leaf_missing", n=len(hashes)))
                    break
                if row.record is None:
                    faults.append(Fault("leaf_without_vote", n=row.n))
                    break
                faults += _faults(row, self._keys.secret)
                hashes.append(bytes.fromhex(leaf_hash(row.record)))
            faults += _strays(connection, stage_id, self._keys.secret)
            faults += _unmatched(connection, stage_id)
            opening = _opening(connection, stage_id)
            signed = connection.execute(
                select(checkpoints).where(checkpoints.c.stage_id == stage_id).order_by(checkpoints.c.size)
            ).all()
        tree = Tree(lambda start, end: hashes[start:end])
        jwks = self._keys.jwks()
        for checkpoint in (Checkpoint(**row._mapping) for row in signed):
            size = checkpoint.size
            if not verify_jws(checkpoint.payload(), checkpoint.jws, jwks):
                faults.append(Fault("checkpoint_unsigned", size=size))
            if checkpoint.opening != opening:
                faults.append(Fault("checkpoint_of_another_opening", size=size))
            if size > len(hashes):
                faults.append(Fault("checkpoint_beyond", size=size, votes=len(hashes)))
            elif tree.root(size) != checkpoint.root:
                faults.append(Fault("checkpoint_root_lost", size=size))
        return faults

    def agrees_with(self, kept: Mapping[str, Any]) -> bool:
        """Tell whether a checkpoint that somebody kept outside is genuine and the beginning of what is here now."""
        stage_id, size = str(kept["stage"]), int(kept["size"])
        with self._database.reading() as connection:
            now = _size(connection, stage_id)
        if not verify_checkpoint(kept, self._keys.jwks()) or size > now:
            return False
        tree = Tree(lambda start, end: self._hashes(stage_id, start, end))
        return verify_consistency(size, str(kept["root"]), now, tree.root(now), tree.consistency(size, now))

    def _take_in(self, stage_id: str, *, everything: bool) -> int:
        """Give the next leaves to committed votes that have none; two processes at once collide on a key, and one begins again."""
        try:
            with self._database.writing() as connection:
                size = _size(connection, stage_id)
                found = connection.execute(_without_leaf(connection, stage_id, size, everything=everything)).all()
                faults = [fault for row in found for fault in _faults(row, self._keys.secret)]
                if faults:
                    raise LedgerError(faults)
                if found:
                    connection.execute(
                        insert(leaves),
                        [{"stage_id": stage_id, "n": size + i, "vote": row.seq} for i, row in enumerate(found)],
                    )
                return len(found)
        except IntegrityError:
            return CHUNK

    def _tree(self, stage_id: str) -> Tree:
        if stage_id not in self._trees:
            self._trees[stage_id] = Tree(lambda start, end: self._hashes(stage_id, start, end))
        return self._trees[stage_id]

    def _hashes(self, stage_id: str, start: int, end: int) -> list[bytes]:
        with self._database.reading() as connection:
            rows = connection.execute(
                select(votes.c.receipt)
                .join(leaves, leaves.c.vote == votes.c.seq)
                .where(leaves.c.stage_id == stage_id, leaves.c.n >= start, leaves.c.n < end)
                .order_by(leaves.c.n)
            ).all()
        if len(rows) != end - start:
            raise LedgerError([Fault("votes_missing", start=start, end=end)])
        return [bytes.fromhex(row.receipt) for row in rows]


_CHECKED = (
    votes.c.seq,
    votes.c.stage_id,
    votes.c.battle_id,
    votes.c.citizen_id,
    votes.c.identity_level,
    votes.c.question,
    votes.c.winner,
    votes.c.reasons,
    votes.c.leaks,
    votes.c.cast_at,
    votes.c.nonce,
    votes.c.record,
    votes.c.receipt,
    votes.c.seal,
    battles.c.model_a,
    battles.c.model_b,
    battles.c.draw_number,
    battles.c.topic,
)


def _faults(row: Row, secret: bytes) -> Iterator[Fault]:
    """Find what is wrong with one vote: its receipt, its seal, or a column, or what they hide together, that says something else than the record."""
    vote = row.receipt[:12]
    if leaf_hash(row.record) != row.receipt:
        yield Fault("vote_changed", vote=vote)
        return
    if not hmac.compare_digest(seal_of(secret, row.receipt), row.seal):
        yield Fault("vote_not_ours", vote=vote)
    told = orjson.loads(row.record)  # hashes to its receipt, so it is what the arena once wrote
    kept = {
        "stage": row.stage_id,
        "battle": row.battle_id,
        "winner": row.winner,
        "reasons": row.reasons,
        "cast_at": row.cast_at.isoformat(timespec="milliseconds"),
        "hidden": hidden_digest(_hidden(row), row.nonce or b""),
    }
    for key, value in kept.items():
        if told.get(key) != value:
            yield Fault("vote_contradicts", vote=vote, column=key, value=repr(value), sealed=repr(told.get(key)))


def _hidden(row: Row) -> Hidden:
    return {
        "voter": row.citizen_id,
        "identity_level": row.identity_level,
        "model_a": row.model_a,
        "model_b": row.model_b,
        "draw": row.draw_number,
        "question": row.question,
        "topic": row.topic,
        "leaks": row.leaks or (),
    }


def _opening(connection: Connection, stage_id: str) -> str:
    """Hash the opening act, as every checkpoint names it.

    Raises:
        Conflict: there is none, because the stage has not opened.
    """
    act = connection.execute(select(stages.c.opening).where(stages.c.id == stage_id)).scalar_one_or_none()
    if act is None:
        raise Conflict("not_opened", stage=stage_id)
    return opening_sha256(act.encode())


def _size(connection: Connection, stage_id: str) -> int:
    last = connection.execute(select(func.max(leaves.c.n)).where(leaves.c.stage_id == stage_id)).scalar_one()
    return 0 if last is None else last + 1


def _newest(connection: Connection, stage_id: str) -> Checkpoint | None:
    row = connection.execute(
        select(checkpoints).where(checkpoints.c.stage_id == stage_id).order_by(checkpoints.c.size.desc()).limit(1)
    ).one_or_none()
    return None if row is None else Checkpoint(**row._mapping)


def _without_leaf(connection: Connection, stage_id: str, size: int, *, everything: bool) -> Select[*tuple[Any, ...]]:
    """Select the next committed votes that are no leaves yet, in the order of their sequence numbers."""
    chosen = (
        select(*_CHECKED)
        .join(battles, battles.c.id == votes.c.battle_id)
        .join(leaves, leaves.c.vote == votes.c.seq, isouter=True)
        .where(votes.c.stage_id == stage_id, leaves.c.vote.is_(None))
        .order_by(votes.c.seq)
        .limit(CHUNK)
    )
    if everything or size == 0:
        return chosen
    last = connection.execute(
        select(leaves.c.vote).where(leaves.c.stage_id == stage_id, leaves.c.n == size - 1)
    ).scalar_one()
    return chosen.where(votes.c.seq > last - WINDOW)


def _leaves(connection: Connection, stage_id: str) -> Iterator[Row]:
    """Every leaf in order, with its vote where there is one."""
    chosen = (
        select(leaves.c.n, *_CHECKED)
        .select_from(leaves)
        .join(votes, votes.c.seq == leaves.c.vote, isouter=True)
        .join(battles, battles.c.id == votes.c.battle_id, isouter=True)
        .where(leaves.c.stage_id == stage_id)
        .order_by(leaves.c.n)
    )
    yield from connection.execution_options(yield_per=CHUNK).execute(chosen)


def _strays(connection: Connection, stage_id: str, secret: bytes) -> list[Fault]:
    """Faults of votes that are no leaves yet."""
    rows = connection.execute(_without_leaf(connection, stage_id, 0, everything=True).limit(None))
    return [fault for row in rows for fault in _faults(row, secret)]


def _unmatched(connection: Connection, stage_id: str) -> list[Fault]:
    """Battles that are voted without a vote, or have a vote without being voted."""
    decided = battles.c.state.in_([BattleState.VOTED, BattleState.REVEALED])
    rows = connection.execute(
        select(battles.c.id, votes.c.seq)
        .join(votes, votes.c.battle_id == battles.c.id, isouter=True)
        .where(battles.c.stage_id == stage_id, decided != votes.c.seq.is_not(None))
    ).all()
    return [Fault("vote_lost" if row.seq is None else "vote_unasked", battle=row.id) for row in rows]
