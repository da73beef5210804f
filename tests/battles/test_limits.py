"""Limits that every process shares, addresses that are never kept, and a proof of work that counts once."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from arena.battles.limits import Act, Limits, prefixes_of
from arena.domain import limits as declared_limits
from arena.domain.errors import Conflict, Forbidden, TooMany
from arena.record.counters import Admission, Bound
from arena.record.store import Store
from tests.support import serving, voting
from tests.support.words import sentence

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
    return lambda **bounds: Limits(declared_limits.Limits(**bounds), store.counters, secret=SECRET, clock=clock)


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
    assert "60분 뒤" in sentence(refusal.value, "ko")
    assert admitted(limits, "vote", "d", HERE, 1) == 1
    assert admitted(limits, "battle", "c", HERE, 1) == 1
    clock.now += timedelta(seconds=refusal.value.retry_after_s)
    assert admitted(limits, "vote", "c", HERE, 5) == 2
    clock.now += timedelta(hours=23)
    assert admitted(limits, "vote", "c", HERE, 5) == 3


def test_a_bound_is_its_citizens_own(make: Callable[..., Limits]) -> None:
    """However many votes, turns and battles others make behind the same address, nobody is refused for them; only tries to log in are the network's."""
    limits = make(votes_per_hour=2, turns_per_minute=2, battles_per_hour=2, changes_per_hour=2, proof_after=0)
    acts: list[Act] = ["vote", "turn", "battle", "change"]
    for act in acts:
        assert sum(admitted(limits, act, f"c{i}", HERE, 3) for i in range(200)) == 400
    limits = make(organizer_logins_per_hour=4)
    assert admitted(limits, "login", None, HERE, 9) == 4
    assert admitted(limits, "login", None, THERE, 9) == 4


def test_processes_share_their_counts(make: Callable[..., Limits]) -> None:
    """Two processes at once let through exactly as many as one would."""
    processes = [make(turns_per_minute=20), make(turns_per_minute=20)]
    with ThreadPoolExecutor(8) as threads:
        let = sum(threads.map(lambda i: admitted(processes[i % 2], "turn", "c", HERE, 5), range(8)))
    assert let == 20


def test_whoever_has_a_whole_48_is_one_to_the_breaker(make: Callable[..., Limits]) -> None:
    """What counts for how many an entrant fails is the widest network of each: all of a /32 are one, and all of an IPv4 /16; the neighbours are others."""
    limits = make()

    def widest(address: str) -> str:
        return limits.admission("turn", "c", address).widest_network

    assert len({widest(f"2001:db8:77:{n * 256:x}::1") for n in range(256)} | {widest("2001:db8:ffff::1")}) == 1
    assert len({widest(f"203.0.{n}.1") for n in range(256)} | {widest("::ffff:203.0.1.1")}) == 1
    others = ("2001:db9::1", "203.1.0.1", "unknown")
    assert len({widest(each) for each in (*others, HERE, "2001:db8::1")}) == 5
    turn = limits.admission("turn", "c", HERE)
    assert turn.network != turn.widest_network


def test_an_address_is_never_kept(make: Callable[..., Limits], store: Store, clock: Clock) -> None:
    """The digest covers a network, not a person; it changes every day, and the key to it is deleted two days later."""
    limits = make()
    digest = limits.network(HERE)
    assert digest == make().network("203.0.113.1") != limits.network(THERE)
    store.counters.count(limits.welcome(HERE, None))
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
    ("address", "prefixes"),
    [
        ("203.0.113.77", ["203.0.113.0/24", "203.0.0.0/16"]),
        ("::ffff:203.0.113.77", ["203.0.113.0/24", "203.0.0.0/16"]),
        ("2001:db8:1234:56ff::1", ["2001:db8:1234:5600::/56", "2001:db8:1234::/48", "2001:db8::/32"]),
        ("testclient", ["None"]),
        ("", ["None"]),
    ],
)
def test_prefixes(address: str, prefixes: list[str]) -> None:
    """/24 and /16 for IPv4, also when it is written as IPv6; /56, /48 and /32 for IPv6."""
    assert [str(prefix) for prefix in prefixes_of(address)] == prefixes


def solved(challenge: dict[str, Any] | None) -> str:
    """What a browser shows for a challenge; that there is one is taken for granted."""
    assert challenge is not None
    return serving.solved(challenge)


def price(limits: Limits, address: str = HERE, citizen: str | None = None) -> int:
    """Tries that the next new citizen, or the next battle of this one, is asked for from there."""
    made = limits.challenge("battle" if citizen else "session", citizen, address)
    return made["parameters"]["data"]["tries"] if made else 0


def enter(limits: Limits, store: Store, address: str = HERE, times: int = 1) -> None:
    """So many new citizens from there, with the work that is due."""
    for _ in range(times):
        made = limits.challenge("session", None, address)
        store.counters.count(limits.welcome(address, solved(made) if made else None))


def test_a_proof_of_work_counts_once(make: Callable[..., Limits], store: Store, clock: Clock) -> None:
    """A solved challenge is taken once, by any process, before it expires; nothing else is."""

    def shown(limits: Limits, proof: str | None) -> None:
        store.counters.count(limits.welcome(HERE, proof))

    limits = make(proof="always", proof_cost=1)
    proof = solved(limits.challenge("session", None, HERE))
    shown(make(proof="always", proof_cost=1), proof)
    late = solved(limits.challenge("session", None, HERE))
    clock.now += timedelta(minutes=11)
    other = Limits(declared_limits.Limits(proof="always", proof_cost=1), store.counters, secret=b"other")
    foreign = solved(other.challenge("session", None, HERE))
    easier = json.loads(base64.b64decode(late))
    easier["challenge"]["parameters"]["keyPrefix"] = ""
    wrong = json.loads(base64.b64decode(solved(limits.challenge("session", None, HERE))))
    wrong["solution"]["derivedKey"] = "0" * 64
    dearer = json.loads(base64.b64decode(solved(limits.challenge("session", None, HERE))))
    dearer["challenge"]["parameters"]["data"]["tries"] = 10**6
    encoded = [base64.b64encode(json.dumps(x).encode()).decode() for x in (easier, wrong, dearer, [], {"challenge": 1})]
    deep = base64.b64encode(b"[" * 2900).decode()
    for refused in (proof, late, foreign, None, "", "nonsense", "A" * 5000, "é", deep, *encoded):
        with pytest.raises(Forbidden, match="proof_needed"):
            shown(limits, refused)


def test_a_proof_is_its_citizens_own_and_for_one_act(make: Callable[..., Limits], store: Store) -> None:
    """What one cookie has worked for opens no battle for another and lets no new citizen in, nor the other way round; and it tells no pseudonym."""
    limits = make(proof="always", proof_cost=1)
    made = limits.challenge("battle", "citizen-1", HERE)
    assert "citizen-1" not in str(made)
    mine = solved(made)
    fresh = solved(limits.challenge("session", None, HERE))
    for refused in (
        lambda: limits.battle("citizen-2", HERE, mine),
        lambda: limits.welcome(HERE, mine),
        lambda: limits.battle("citizen-1", HERE, fresh),
        lambda: limits.battle("citizen-1", HERE, None),
    ):
        with pytest.raises(Forbidden, match="proof_needed"):
            refused()
    twice = [limits.battle("citizen-1", HERE, mine), limits.battle("citizen-1", HERE, mine)]
    store.counters.count(twice[0])
    with pytest.raises(Forbidden, match="proof_needed"):
        store.counters.count(twice[1])
    with pytest.raises(Forbidden, match="proof_needed"):
        store.counters.count(limits.battle("citizen-1", HERE, mine))


def test_a_proof_is_used_up_only_by_an_act_that_is_done(make: Callable[..., Limits], store: Store) -> None:
    """Whoever is refused for another reason may come back with the same proof."""
    limits = make(proof="always", proof_cost=1, battles_per_hour=1)
    store.counters.count(limits.battle("c", HERE, solved(limits.challenge("battle", "c", HERE))))
    proof = solved(limits.challenge("battle", "c", HERE))
    with pytest.raises(TooMany):
        store.counters.count(limits.battle("c", HERE, proof))
    store.counters.count(make(proof="always", proof_cost=1, battles_per_hour=2).battle("c", HERE, proof))


def test_work_is_asked_when_the_stage_says_so_or_under_pressure(make: Callable[..., Limits], store: Store) -> None:
    """Never, always, or from the moment when a network does more than usual."""
    assert price(make(proof="never", proof_after=0)) == 0
    assert price(make(proof="always")) == 1
    limits = make(proof="pressure", proof_after=3, proof_cost=1)
    pressed = []
    for _ in range(5):
        pressed.append(price(limits) > 0)
        enter(limits, store)
    assert pressed == [False, False, False, True, True]
    assert price(limits, THERE) == 0


def test_the_price_rises_with_what_was_done_and_falls_with_time(
    make: Callable[..., Limits], store: Store, clock: Clock
) -> None:
    """It doubles with every so many acts of the network, and again with every so many battles of the citizen, up to the highest; and halves as they drain."""
    rule: dict[str, Any] = {
        "proof_cost": 1, "proof_tries": 4, "proof_most": 64, "proof_after": 2, "proof_doubles": 3, "network_acts_per_hour": 60,
        "citizen_proof_after": 1, "citizen_proof_doubles": 1, "citizen_acts_per_hour": 60,
    }  # fmt: skip
    limits = make(**rule)
    enter(limits, store, times=2)
    assert price(limits) == 4
    enter(limits, store, times=3)
    assert price(limits) == 8
    assert price(limits, citizen="c") == 8
    for _ in range(3):
        store.counters.count(limits.battle("c", HERE, solved(limits.challenge("battle", "c", HERE))))
    assert (price(limits), price(limits, citizen="d"), price(limits, citizen="c")) == (16, 16, 64)
    enter(limits, store, times=30)
    assert price(limits) == 64
    clock.now += timedelta(minutes=3)
    assert price(limits) == 32  # the pile has not grown beyond what the highest price asks for
    clock.now += timedelta(minutes=3)
    assert price(limits) == 16
    clock.now += timedelta(minutes=12)
    assert (price(limits), price(limits, citizen="c")) == (0, 0)
    store.counters.sweep(clock.now)
    assert price(limits) == 0


def test_cheap_proofs_cannot_be_hoarded(make: Callable[..., Limits], store: Store) -> None:
    """A proof is worth what it took: it may fall behind the price by one doubling, for whoever types slowly, and no further."""
    limits = make(proof_cost=1, proof_tries=8, proof_after=0, proof_doubles=5)
    hoarded = [solved(limits.challenge("session", None, HERE)) for _ in range(20)]
    let = 0
    for proof in hoarded:
        try:
            store.counters.count(limits.welcome(HERE, proof))
        except Forbidden:
            continue
        let += 1
    assert let == 6  # at 8, 10, 11, 13, 14 and 16 tries
    assert price(limits) == 19


def test_who_comes_at_once_pays_as_who_comes_one_by_one(make: Callable[..., Limits], store: Store) -> None:
    """The price is asked in the transaction that does the act: of forty who looked before anybody came, as many get in free as are free."""
    limits = make(proof_after=10, proof_cost=1, proof_tries=4)
    looked = [limits.welcome(HERE, None) for _ in range(40)]

    def come(admission: Admission) -> bool:
        try:
            store.counters.count(admission)
        except Forbidden:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(come, looked)) == 10


@pytest.mark.parametrize(
    ("addresses", "bound", "elsewhere"),
    [
        ([f"203.0.{n}.9" for n in range(8)], "networks_in_ipv4_16", "203.1.0.9"),
        ([f"2001:db8:1:{n:x}00::1" for n in range(8)], "networks_in_ipv6_48", "2001:db8:2::1"),
        ([f"2001:db8:{n:x}::1" for n in range(8)], "networks_in_ipv6_32", "2001:db9::1"),
        ([f"{n}.0.0.9" for n in range(1, 9)], "networks_in_arena", ""),
    ],
)
def test_many_networks_under_one_roof_are_pressure_too(
    make: Callable[..., Limits], store: Store, addresses: list[str], bound: str, elsewhere: str
) -> None:
    """Neighbouring /24s press on their /16, /56s on their /48 and /32, and everybody together on the arena; whoever is under another roof feels nothing."""
    limits = make(proof_after=2, proof_cost=1, **{bound: 4})
    for address in addresses:
        assert price(limits, address) == 0
        enter(limits, store, address)
    assert price(limits, addresses[0]) > 0
    assert (price(limits, elsewhere) > 0) == (bound == "networks_in_arena")


def test_a_refused_act_is_counted_nowhere(make: Callable[..., Limits], store: Store, clock: Clock) -> None:
    """What one bound refuses does not use another bound up, and what the record refuses uses up none."""
    limits = make(votes_per_hour=2, votes_per_day=3)
    assert admitted(limits, "vote", "c", HERE, 50) == 2
    clock.now += timedelta(hours=1)
    assert admitted(limits, "vote", "c", HERE, 50) == 1
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


def test_a_school_is_refused_nothing(make: Callable[..., Limits], store: Store, clock: Clock) -> None:
    """Three hundred pupils behind one address cast five votes each within half an hour, under the default limits but for cheap tries: each session,
    battle and vote is let through, at most after one more proof where the price rose meanwhile."""
    limits = make(proof_cost=1)
    start = clock.now
    comes = ((30 * (pupil % 30) + 150 * n, f"p{pupil}", n) for pupil in range(300) for n in range(6))
    steps = sorted((at + typing, typing > 0, citizen, n) for at, citizen, n in comes for typing in (0, 20))
    asked: dict[str, dict[str, Any] | None] = {}
    proofs, again = 0, 0

    def challenge(citizen: str, n: int) -> dict[str, Any] | None:
        return limits.challenge("battle" if n else "session", citizen, HERE)

    def act(citizen: str, n: int, made: dict[str, Any] | None) -> None:
        proof = solved(made) if made else None
        store.counters.count(limits.battle(citizen, HERE, proof) if n else limits.welcome(HERE, proof))

    for seconds, sends, citizen, n in steps:
        clock.now = start + timedelta(seconds=seconds)
        if not sends:
            asked[citizen] = challenge(citizen, n)
            continue
        proofs += asked[citizen] is not None
        try:
            act(citizen, n, asked[citizen])
        except Forbidden:
            again += 1
            act(citizen, n, challenge(citizen, n))
        if n:
            limits.admit("vote", citizen, HERE)
    assert proofs > 600
    assert again < 60
