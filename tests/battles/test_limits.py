"""Limits that every process shares, addresses that are never kept, and a proof of work that counts once."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import altcha
import pytest
import sqlalchemy as sa
from starlette.requests import Request

from arena.battles.limits import Act, Limits, prefix_of
from arena.domain import stage
from arena.domain.errors import Conflict, Forbidden, TooMany
from arena.record.counters import Bound
from arena.record.store import Store
from arena.web.address import client_address
from tests.support import voting

SECRET = b"k" * 32
HERE, THERE = "203.0.113.77", "203.0.114.77"
"""Two networks."""


class Clock:
    """The time, moved by hand; a proof of work expires by the real one."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(store: Store, clock: Clock) -> Callable[..., Limits]:
    """Limits of another process on the same database, with these bounds."""
    return lambda **bounds: Limits(stage.Limits(**bounds), store.counters, secret=SECRET, clock=clock)


def admitted(limits: Limits, act: Act, citizen: str | None, address: str, tries: int) -> int:
    """How many of so many acts are let through."""

    def act_once() -> bool:
        try:
            limits.admit(act, citizen, address)
        except TooMany:
            return False
        return True

    return sum(act_once() for _ in range(tries))


def test_a_citizen_has_a_bound_in_every_window(make: Callable[..., Limits], clock: Clock) -> None:
    """Past the bound an act is refused with the seconds to wait, and after them it is let through; each act and citizen has its own count."""
    limits = make(votes_per_hour=3, votes_per_day=5)
    assert admitted(limits, "vote", "c", HERE, 5) == 3
    with pytest.raises(TooMany) as refusal:
        limits.admit("vote", "c", HERE)
    assert 3590 < refusal.value.retry_after_s <= 3600
    assert "고맙습니다" in refusal.value.ko
    assert admitted(limits, "vote", "d", HERE, 1) == 1
    assert admitted(limits, "battle", "c", HERE, 1) == 1
    clock.now += timedelta(seconds=refusal.value.retry_after_s)
    assert admitted(limits, "vote", "c", HERE, 5) == 2
    clock.now += timedelta(hours=23)
    assert admitted(limits, "vote", "c", HERE, 5) == 3


def test_a_network_has_a_bound_for_all_its_citizens(make: Callable[..., Limits]) -> None:
    """Many pseudonyms behind one network prefix share one, larger bound; other networks do not feel it."""
    limits = make(battles_per_hour=2, network_factor=5, sessions_per_hour=4)
    assert sum(admitted(limits, "battle", f"c{i}", HERE, 1) for i in range(20)) == 10
    assert admitted(limits, "battle", "c0", THERE, 1) == 1
    assert admitted(limits, "session", None, HERE, 9) == 4


def test_processes_share_their_counts(make: Callable[..., Limits]) -> None:
    """Two processes at once let through exactly as many as one would."""
    processes = [make(turns_per_minute=20), make(turns_per_minute=20)]
    with ThreadPoolExecutor(8) as threads:
        let = sum(threads.map(lambda i: admitted(processes[i % 2], "turn", "c", HERE, 5), range(8)))
    assert let == 20


def test_an_address_is_never_kept(make: Callable[..., Limits], store: Store, clock: Clock) -> None:
    """The digest covers a network, not a person; it changes every day, and the key to it is deleted two days later."""
    limits = make()
    digest = limits.network(HERE)
    assert digest == make().network("203.0.113.1") != limits.network(THERE)
    limits.admit("session", None, HERE)
    with store.database.reading() as connection:
        kept = str([connection.execute(sa.text(f"SELECT * FROM {t}")).all() for t in ("counters", "network_keys")])  # noqa: S608
    assert digest in kept
    assert "203.0" not in kept
    clock.now += timedelta(days=1)
    assert limits.network(HERE) != digest
    clock.now += timedelta(days=2)
    limits.network(HERE)
    store.counters.sweep(clock.now)
    with store.database.reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM network_keys")).scalar_one() == 1
        assert connection.execute(sa.text("SELECT count(*) FROM counters")).scalar_one() == 0


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1234:56ff::1", "2001:db8:1234:5600::/56"),
        ("testclient", "unknown"),
        ("", "unknown"),
    ],
)
def test_prefixes(address: str, prefix: str) -> None:
    """/24 for IPv4, also when it is written as IPv6, and /56 for IPv6."""
    assert prefix_of(address) == prefix


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, [], "10.0.0.1"),
        (0, ["1.2.3.4"], "10.0.0.1"),
        (1, ["1.2.3.4"], "1.2.3.4"),
        (1, ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (1, ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        (2, ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        (2, ["1.2.3.4"], "10.0.0.1"),
        (1, [], "10.0.0.1"),
        (1, ["<script>"], "10.0.0.1"),
        (1, ["1.2.3.4:5678"], "1.2.3.4"),
        (1, ["[2001:db8::1]:443"], "2001:db8::1"),
        (1, ["2001:db8::1"], "2001:db8::1"),
    ],
)
def test_the_address_comes_from_our_own_proxies_only(proxies: int, forwarded: list[str], address: str) -> None:
    """Whatever a client writes into X-Forwarded-For, only what our own proxies appended is read."""
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded] + [(b"x-real-ip", b"6.6.6.6")]
    request = Request({"type": "http", "headers": headers, "client": ("10.0.0.1", 1)})
    assert client_address(request, proxies) == address


def solved(challenge: dict[str, object]) -> str:
    """What a browser sends after its work."""
    asked = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(asked)
    assert solution is not None
    return altcha.Payload(asked, solution).to_base64()


def test_a_proof_of_work_counts_once(make: Callable[..., Limits], store: Store, clock: Clock) -> None:
    """A solved challenge is taken once, by any process, before it expires; nothing else is."""

    def enter(limits: Limits, proof: str | None) -> None:
        store.counters.count(limits.welcome(HERE, proof))

    limits = make(proof="always", proof_cost=1)
    proof = solved(limits.challenge())
    enter(make(proof="always", proof_cost=1), proof)
    late = solved(limits.challenge())
    clock.now += timedelta(minutes=11)
    other = solved(Limits(stage.Limits(proof_cost=1), store.counters, secret=b"other").challenge())
    easier = json.loads(base64.b64decode(late))
    easier["challenge"]["parameters"]["keyPrefix"] = ""
    wrong = json.loads(base64.b64decode(late))
    wrong["solution"]["counter"] += 1
    encoded = [base64.b64encode(json.dumps(x).encode()).decode() for x in (easier, wrong, [], {"challenge": 1})]
    deep = base64.b64encode(b"[" * 2900).decode()
    for refused in (proof, late, other, None, "", "nonsense", "A" * 5000, "é", deep, *encoded):
        with pytest.raises(Forbidden, match="proof_needed"):
            enter(limits, refused)


def test_a_proof_is_used_up_only_by_who_comes_in(make: Callable[..., Limits], store: Store, clock: Clock) -> None:
    """Whoever is told to come back later may come back with the same proof; one that is shown twice at once lets one in."""
    limits = make(proof="always", proof_cost=1, sessions_per_hour=1)
    store.counters.count(limits.welcome(HERE, solved(limits.challenge())))
    proof = solved(limits.challenge())
    with pytest.raises(TooMany):
        store.counters.count(limits.welcome(HERE, proof))
    twice = [limits.welcome(THERE, proof), limits.welcome(THERE, proof)]
    store.counters.count(twice[0])
    with pytest.raises((Forbidden, TooMany)):
        store.counters.count(twice[1])
    wide = make(proof="always", proof_cost=1)
    with pytest.raises(Forbidden, match="proof_needed"):
        store.counters.count(wide.welcome(THERE, proof))


def test_work_is_asked_when_the_stage_says_so_or_under_pressure(make: Callable[..., Limits]) -> None:
    """Never, always, or from the moment a network brings more new citizens than usual."""

    def asked(limits: Limits, address: str = HERE) -> bool:
        try:
            limits.welcome(address, None)
        except Forbidden:
            return True
        return False

    assert not asked(make(proof="never"))
    assert asked(make(proof="always"))
    limits = make(proof="pressure", proof_after=3)
    pressed = []
    for _ in range(5):
        pressed.append(asked(limits))
        limits.admit("session", None, HERE)
    assert pressed == [False, False, False, True, True]
    assert not asked(limits, THERE)


def test_a_refused_act_is_counted_nowhere(make: Callable[..., Limits], store: Store, clock: Clock) -> None:
    """What one bound refuses does not use another bound up, and what the record refuses uses up none."""
    limits = make(votes_per_hour=2, votes_per_day=3, network_factor=1)
    assert admitted(limits, "vote", "c", HERE, 50) == 2
    clock.now += timedelta(hours=1)
    assert admitted(limits, "vote", "c", HERE, 50) == 1
    assert admitted(limits, "vote", "d", HERE, 50) == 1  # the network's two, of which one was used
    voting.open_stage(store)
    citizen = voting.enrol(store)
    bound = Bound("b", 1, timedelta(hours=1))
    for _ in range(3):
        with pytest.raises(Conflict, match="stage_not_open"):
            store.battles.open(
                "x" * 24, "another", citizen.id, voting.draw, voting.NOW, admission=voting.admission(bound)
            )
    store.battles.open("x" * 24, voting.STAGE, citizen.id, voting.draw, voting.NOW, admission=voting.admission(bound))
    with pytest.raises(TooMany):
        store.battles.open(
            "y" * 24, voting.STAGE, citizen.id, voting.draw, voting.NOW, admission=voting.admission(bound)
        )
    assert store.battles.open("z" * 24, voting.STAGE, citizen.id, voting.draw, voting.NOW).draw.number == 2


def test_running_answers_are_bounded_across_processes(store: Store) -> None:
    """A citizen has so many answers running at once, whichever processes they run in; one that died stops counting with its lease."""
    voting.open_stage(store)
    citizen = voting.enrol(store)
    ready = [voting.opened(store, citizen) for _ in range(3)]

    def begin(n: int, *, now: datetime = voting.NOW) -> None:
        store.battles.begin_turn(
            ready[n].id,
            citizen.id,
            "?",
            max_turns=3,
            max_streams=2,
            lease=(f"p{n}", now + timedelta(seconds=20)),
            now=now,
        )

    begin(0)
    begin(1)
    with pytest.raises(TooMany, match="too_many_streams"):
        begin(2)
    begin(2, now=voting.LATER + timedelta(seconds=1))
