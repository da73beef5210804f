"""Persons of a stage: one subject for each as long as the stage is remembered, one seat for each member, and of who has withdrawn nothing but that."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa

from arena.domain.citizen import Citizen, pseudonym
from arena.domain.errors import ArenaError, Forbidden, Unavailable
from arena.record.store import Store
from tests.support import voting
from tests.support.voting import LATER, NOW, SECRET, STAGE

OTHER = "round-2"


@pytest.fixture
def stage(store: Store) -> str:
    """An open stage."""
    voting.open_stage(store)
    return STAGE


def at_once(*acts: Callable[[], object]) -> list[object]:
    """What each came to, all begun at the same instant; of a refusal its code."""
    start = Barrier(len(acts))

    def act(what: Callable[[], object]) -> object:
        start.wait()
        try:
            return what()
        except ArenaError as error:
            return error.code

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def come(store: Store, who: str) -> str:
    """The subject of a person who logs in; as somebody new they would be `subject of` them."""
    return store.persons.subject_of(STAGE, "login", f"digest of {who}", f"subject of {who}")


def withdraw(store: Store, subject: str) -> None:
    """Whoever this is has agreed before, and withdraws."""
    citizen = Citizen(pseudonym(SECRET, subject), "verified")
    store.citizens.enrol(citizen, {"service": (1, True)}, NOW)
    store.erasure.withdraw(citizen, subject, LATER)


def rows(store: Store, columns: str = "*") -> list[tuple[object, ...]]:
    """The table of persons."""
    with store.database.reading() as connection:
        return [tuple(row) for row in connection.execute(sa.text(f"SELECT {columns} FROM persons ORDER BY digest"))]  # noqa: S608


def test_one_person_has_one_subject(store: Store, stage: str) -> None:
    """The same at every coming, and of eight that come at the same instant; in another stage somebody else."""
    voting.open_stage(store, OTHER)
    for n in range(10):
        made = at_once(
            *(
                lambda n=n, each=each: store.persons.subject_of(stage, "login", f"person {n}", f"subject {n}.{each}")
                for each in range(8)
            )
        )
        assert len(set(made)) == 1
        assert store.persons.subject_of(stage, "login", f"person {n}", "later") == made[0]
    assert store.persons.subject_of(OTHER, "login", "person 0", "elsewhere") == "elsewhere"


def test_whoever_has_withdrawn_never_comes_again(store: Store, stage: str) -> None:
    """No new subject, in whatever moment they come; who never agreed to anything has nothing to withdraw and comes as before."""
    for n in range(10):
        subject = come(store, f"kim {n}")
        withdraw(store, subject)
        assert at_once(*(lambda n=n: come(store, f"kim {n}"),) * 4) == ["withdrawn"] * 4

        racing = come(store, f"lee {n}")
        store.citizens.enrol(Citizen(pseudonym(SECRET, racing)), {"service": (1, True)}, NOW)
        came = at_once(
            lambda racing=racing: withdraw(store, racing),
            *(lambda n=n: store.persons.subject_of(stage, "login", f"digest of lee {n}", "somebody new"),) * 3,
        )
        assert set(came[1:]) <= {racing, "withdrawn"}
    unsaid = come(store, "park")
    assert store.erasure.withdraw(Citizen(pseudonym(SECRET, unsaid)), unsaid, LATER) == 0
    assert come(store, "park") == unsaid


def test_what_stays_of_the_withdrawn_leads_to_nobody(store: Store, stage: str) -> None:
    """Their rows differ in nothing but the digest: no subject, no time, and neither the order nor the transaction in which they were written tells who."""
    subjects = [come(store, each) for each in ("c", "a", "d", "b")]
    for subject in (subjects[2], subjects[0], subjects[3]):
        withdraw(store, subject)
    withdrawn = [(STAGE, f"digest of {each}", "login", None) for each in "bcd"]
    assert rows(store) == [(STAGE, "digest of a", "login", "subject of a"), *withdrawn]
    if store.database.is_sqlite:
        with pytest.raises(Unavailable) as caught:
            rows(store, "rowid")
        assert "no such column: rowid" in str(caught.value.__cause__)
    else:
        assert len({xmin for digest, xmin in rows(store, "digest, xmin::text") if digest != "digest of a"}) == 1
    assert store.persons.forget(stage) == 4
    assert rows(store) == []


def test_a_member_has_one_seat_and_a_seat_one_member(store: Store, stage: str) -> None:
    """Of two who come with one invitation at the same instant one gets it; who comes with two takes one; who has a seat needs no code any more."""
    seated = ""
    for n in range(10):
        kim, lee = come(store, f"kim {n}"), come(store, f"lee {n}")
        with pytest.raises(Forbidden, match="invitation_needed"):
            store.persons.seat(stage, None, kim)
        got = at_once(*(lambda who=who, n=n: store.persons.seat(stage, f"seat {n}", who) for who in (kim, lee)))
        assert sorted(map(str, got)) == ["None", "invitation_used"]
        seated, other = (kim, lee) if got[0] is None else (lee, kim)
        store.persons.seat(stage, None, seated)
        store.persons.seat(stage, f"another seat {n}", seated)
        assert at_once(
            *(lambda code=code, other=other: store.persons.seat(stage, code, other) for code in (f"x {n}", f"y {n}"))
        ) == [None, None]
    taken = [digest for digest, kind in rows(store, "digest, kind") if kind == "invitation"]
    assert len(taken) == 20
    withdraw(store, seated)
    with pytest.raises(Forbidden, match="withdrawn"):
        store.persons.seat(stage, "z", seated)
    with pytest.raises(Forbidden, match="invitation_used"):
        store.persons.seat(stage, "seat 9", come(store, "choi"))
