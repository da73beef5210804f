"""What an act costs the database: every step of a citizen is at most one write transaction, its limits counted inside it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, Engine, event

from tests.support.serving import Citizen, events, serving, stage_toml


def acts(connection: Connection) -> bool:
    """Whether this is a write transaction of somebody's act."""
    heartbeat = threading.current_thread().name.startswith("heartbeat")
    return bool(connection.get_execution_options().get("arena_writes")) and not heartbeat


@dataclass
class Written:
    """The write transactions that acts have begun in this process, by any engine, and what became of them.

    What the process says of itself every few seconds, and renews its leases by, is nobody's act: it has a thread of its own.
    """

    begun: int = 0
    committed: int = 0
    before: tuple[int, int] = field(default=(0, 0))

    def on_begin(self, connection: Connection) -> None:
        """A transaction begins."""
        self.begun += acts(connection)

    def on_commit(self, connection: Connection) -> None:
        """A transaction is committed."""
        self.committed += acts(connection)

    def since_last(self) -> tuple[int, int]:
        """How many were begun and committed since this was last asked."""
        last, self.before = self.before, (self.begun, self.committed)
        return self.begun - last[0], self.committed - last[1]


@contextmanager
def counted() -> Iterator[Written]:
    """Counts until the block ends."""
    written = Written()
    event.listen(Engine, "begin", written.on_begin)
    event.listen(Engine, "commit", written.on_commit)
    try:
        yield written
    finally:
        event.remove(Engine, "begin", written.on_begin)
        event.remove(Engine, "commit", written.on_commit)


@contextmanager
def asked(citizen: Citizen, battle: str, written: Written) -> Iterator[tuple[int, int]]:
    """Asks; gives what was written before the first token came, and listens to the end."""
    with citizen.http.stream("POST", f"/battles/{battle}/turns", json={"prompt": "안녕?"}) as response:
        sent = events(response.raise_for_status())
        next(e for e in sent if e.name == "delta")
        yield written.since_last()
        assert list(sent)[-1].data["votable"]


STAGE = stage_toml(limits="votes_per_hour = 3").replace("pacing_graphemes_per_s = 400", "pacing_graphemes_per_s = 30")


@pytest.mark.parametrize("reveal", ["after_vote", "after_stage"])
def test_every_step_of_a_citizen_is_one_write_transaction(tmp_path: Path, database_url: str, reveal: str) -> None:
    """Before the first token a new citizen costs three write transactions and one who has agreed two; a vote costs one, with its reveal and its limits."""
    stage = STAGE.replace("[limits]", f'reveal = "{reveal}"\n[limits]')
    with serving(tmp_path, stage, database_url=database_url) as base, counted() as written:
        Citizen(base).agree()  # the day's first act makes the day's key for network digests
        citizen = Citizen(base)
        written.since_last()
        citizen.agree()
        assert written.since_last() == (1, 1)
        for winner in ("model_a", "tie"):
            battle = citizen.open()
            assert written.since_last() == (1, 1)
            with asked(citizen, battle, written) as before_first_token:
                assert before_first_token == (1, 1)
            assert written.since_last() == (1, 1)  # both answers
            thanks = citizen.vote(battle, winner)
            assert thanks.status_code == 201
            assert (thanks.json()["reveal"] is not None) == (reveal == "after_vote")
            assert written.since_last() == (1, 1)
            assert citizen.see(battle)["state"] == ("revealed" if reveal == "after_vote" else "voted")
            again = citizen.vote(battle, winner)
            assert (again.status_code, again.json()) == (200, thanks.json())
            assert written.since_last() == (1, 1)  # nothing changes in it


def test_what_is_refused_is_counted_nowhere(tmp_path: Path, database_url: str) -> None:
    """A refused vote leaves no trace in the limits: the same ballots again and ballots that come too late use up none of a citizen's votes."""
    with serving(tmp_path, STAGE, database_url=database_url) as base, counted() as written:
        citizen = Citizen(base).agree()
        battles = [citizen.open() for _ in range(4)]
        for battle in battles:
            citizen.ask(battle)
        written.since_last()

        def refused(answer: httpx.Response, status: int, code: str) -> None:
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert written.since_last()[0] == 1

        for battle in battles[:3]:
            assert citizen.vote(battle).status_code == 201
            written.since_last()
            for _ in range(4):
                refused(citizen.vote(battle, "model_b"), 409, "another_vote")
                refused(citizen.vote("x" * 24), 404, "battle_not_found")
        refused(citizen.vote(battles[3]), 429, "too_many")
        assert citizen.vote(battles[0]).status_code == 200
        assert citizen.see(battles[3])["votable"] is True
