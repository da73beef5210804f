"""Battles with teams' endpoints: blind to the wire whatever an endpoint says, void when a side fails, and the failing one leaves the draw for a while."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event
from typer.testing import CliRunner

import models.cause
from arena.battles.arena import Arena
from arena.battles.limits import Limits
from arena.battles.outage_log import OutageLog
from arena.cli import app as commands
from arena.cli.stage_page import shown
from arena.domain.citizen import Citizen as Pseudonym
from arena.domain.errors import Unavailable
from arena.domain.outage import Cause
from arena.domain.stage import Stage
from arena.record.outages import Spell, minutes
from arena.record.store import Store
from arena.results.export.bundle import export
from arena.results.export.verify import verify
from models.base import Delta, Message, Sampling
from models.breaker import Change, State
from tests.support.endpoint_wire import ANSWER, SECRET
from tests.support.model_endpoint import Endpoint, endpoint
from tests.support.serving import TEAMS, Citizen, serving, stage_toml
from tests.support.stages import Room

DEMO = Path(__file__).resolve().parents[2] / "models/demo"
NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
GIVEAWAYS = (
    "garam",
    "narae",
    "dasom",
    "가람",
    "나래",
    "다솜",
    "chatcmpl",
    "usage",
    "token",
    "exploded",
    "upstream",
    "/srv/",
)


@pytest.fixture(scope="module")
def there() -> Iterator[Endpoint]:
    """One endpoint for this module."""
    with endpoint() as started:
        yield started


def stage_of(there: Endpoint, *, protocol: str = "", **behaviours: str) -> str:
    """A stage of endpoints that behave so."""
    entrants = "".join(
        f'\n[[entrants]]\nid = "{id_}"\nteam = {{ ko = "{TEAMS[id_][0]}", en = "{TEAMS[id_][1]}" }}\n'
        f'backend = "openai"\nbase_url = "{there.base_url}"\nmodel = "{behaviour}"\n'
        for id_, behaviour in behaviours.items()
    )
    return stage_toml(protocol=protocol).partition("\n[[entrants]]")[0] + entrants


def test_a_failing_side_voids_the_battle_and_nothing_else(there: Endpoint, tmp_path: Path) -> None:
    """One of three endpoints falls ill: its battles are void and say so without a name; no pair that would be known is drawn, it comes back by itself.

    Every byte and header of every response until then is looked at.
    """
    wire: list[str] = []

    def overhear(response: httpx.Response) -> None:
        wire.append(repr(response.headers))

    with serving(tmp_path, stage_of(there, garam="plain", narae="relapse", dasom="drip")) as base:
        citizen = Citizen(base).agree()
        citizen.http.event_hooks["response"].append(overhear)

        def battle() -> bool:
            """One battle; whether it was void."""
            opened = citizen.open()
            with citizen.http.stream("POST", f"/battles/{opened}/turns", json={"prompt": "안녕하세요?"}) as response:
                told = response.read().decode()
            wire.append(told)
            seen = citizen.http.get(f"/battles/{opened}")
            wire.append(seen.text)
            vote = citizen.vote(opened) if seen.json()["state"] == "void" else None
            if vote is not None:
                assert (vote.status_code, vote.json()["code"]) == (409, "battle_void")
                assert '"void":true' in told
                wire.append(vote.text)
            return vote is not None

        while not battle():
            assert len(wire) < 300
        for state, draws in (("paused", False), ("open", True)):
            deadline = time.monotonic() + 20
            while (citizen.http.get("/stage").json()["state"] == "open") != draws:
                assert time.monotonic() < deadline, state
                time.sleep(0.1)
            if not draws:
                refused = citizen.http.post("/battles")
                assert (refused.status_code, refused.json()["code"]) == (503, "no_entrants")
        assert [word for word in GIVEAWAYS for told in wire if word in told.lower()] == []

        opened = citizen.open()
        sent = citizen.ask(opened)
        assert sent[-1].data["votable"] is True
        assert citizen.vote(opened).status_code == 201
        assert {a["text"] for a in citizen.see(opened)["turns"][0]["answers"].values()} == {ANSWER}

    store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
    (spell,) = store.outages.of_stage("test")
    assert (spell.entrant, spell.cause) == ("narae", Cause(kind="own_question_failed", failure="upstream"))
    assert spell.ended is not None
    assert 1 <= minutes([spell])["narae"] * 60 < 20
    drawn = list(store.draws.of_stage("test"))
    assert [d.void_reason for d in drawn].count("answer_failed") == 1
    store.close()


def test_metrics_name_entrants_to_keys_only(there: Endpoint, tmp_path: Path) -> None:
    """Anybody sees how busy the arena is; each entrant's figures are for a key of the scope `metrics` and for organizers."""
    with serving(
        tmp_path, stage_of(there, protocol="pause_minutes = 0", garam="plain", narae="plain", dasom="400")
    ) as base:
        citizen = Citizen(base).agree()
        citizen.ask(citizen.open())
        store = Store(f"sqlite:///{tmp_path / 'arena.db'}")
        keys = {
            scope: store.api_keys.new("grafana", "test", [scope], datetime.now(UTC))[1]
            for scope in ("metrics", "export")
        }
        other = store.api_keys.new("grafana", "another", ["metrics"], datetime.now(UTC))[1]
        store.close()
        for key in ("kai_unknown", keys["export"], other):
            told = httpx.get(f"{base}/metrics", headers={"authorization": f"Bearer {key}"})
            assert told.headers["content-type"].startswith("text/plain")
            assert "arena_turns_running 0" in told.text
            assert "in_draw" not in told.text
            assert "entrant=" not in told.text
            assert not any(word in told.text for word in GIVEAWAYS)
        told = httpx.get(f"{base}/metrics", headers={"authorization": f"Bearer {keys['metrics']}"}).text
        assert 'arena_entrant_answers_total{end="answered",entrant="garam"} 1.0' in told
        assert 'arena_entrant_in_draw{entrant="dasom"} 0.0' in told
        assert 'arena_entrant_tokens_total{entrant="narae",part="completion"} 6.0' in told
        assert 'arena_entrant_first_token_seconds_bucket{entrant="garam",le="+Inf"} 1.0' in told
        assert "process_cpu_seconds_total" in told
        assert SECRET not in told


class Full:
    """Entrants with room for so many more answers."""

    def __init__(self, room: int) -> None:
        self.left = room
        self.networks: list[str] = []

    def available(self) -> frozenset[str]:
        return frozenset(TEAMS)

    def room(self) -> int:
        return self.left

    async def stream(
        self, entrant_id: str, messages: Sequence[Message], sampling: Sampling, network: str = ""
    ) -> AsyncGenerator[Delta]:
        self.networks.append(network)
        self.left -= 1
        await asyncio.sleep(0.05)
        yield Delta("하나", finish="stop")
        self.left += 1


async def test_a_question_is_let_in_with_both_answers_or_not_at_all(tmp_path: Path) -> None:
    """Thirty ask at once where there is room for five pairs: five are answered, the others are told to wait, none of their battles is void."""
    text = stage_toml().encode()
    stage, store = Stage.from_toml(text, "stage.toml"), Store(f"sqlite:///{tmp_path / 'arena.db'}")
    store.stages.adopt(stage, text, NOW)
    entrants = Full(10)
    arena = Arena(stage, store, entrants, secret=b"s" * 32, sign=bytes.decode, clock=lambda: NOW)
    citizens = [Pseudonym(f"{n:032x}", "anonymous") for n in range(30)]
    for citizen in citizens:
        store.citizens.enrol(citizen, {c.id: (c.version, True) for c in stage.consents}, NOW)
    battles = [(await arena.open(citizen)).battle_id for citizen in citizens]

    async def ask(citizen: Pseudonym, battle: str) -> str:
        try:
            turn = await arena.ask(citizen, battle, "안녕?")
        except Unavailable as error:
            return error.code
        return [event async for event in turn.events()][-1].name

    ended = await asyncio.gather(*map(ask, citizens, battles))
    assert (ended.count("done"), ended.count("busy")) == (5, 25)
    assert entrants.left == 10
    views = [await arena.view(citizen, battle) for citizen, battle in zip(citizens, battles, strict=True)]
    assert {view.state for view in views} == {"open"}
    late = ended.index("busy")
    assert await ask(citizens[late], battles[late]) == "done"
    await arena.close()
    store.close()


async def test_a_failure_counts_for_the_widest_network_of_who_asked(tmp_path: Path) -> None:
    """Two citizens at two ends of one /32 ask: the roster hears of one network, twice from each."""
    text = stage_toml().encode()
    stage, store = Stage.from_toml(text, "stage.toml"), Store(f"sqlite:///{tmp_path / 'arena.db'}")
    store.stages.adopt(stage, text, NOW)
    entrants = Full(10)
    arena = Arena(stage, store, entrants, secret=b"s" * 32, sign=bytes.decode, clock=lambda: NOW)
    limits = Limits(stage.limits, store.counters, secret=b"s" * 32, clock=lambda: NOW)
    for n, address in enumerate(("2001:db8:77:100::1", "2001:db8:ffff::1")):
        citizen = Pseudonym(f"{n:032x}", "anonymous")
        store.citizens.enrol(citizen, {c.id: (c.version, True) for c in stage.consents}, NOW)
        battle = (await arena.open(citizen)).battle_id
        turn = await arena.ask(citizen, battle, "안녕?", limits.admission("turn", citizen.id, address))
        assert [event async for event in turn.events()][-1].name == "done"
    assert (len(entrants.networks), len(set(entrants.networks))) == (4, 1)
    assert entrants.networks[0]
    await arena.close()
    store.close()


class Some(Full):
    """Entrants of whom some can be drawn."""

    def __init__(self) -> None:
        super().__init__(100)
        self.up = frozenset(TEAMS)

    def available(self) -> frozenset[str]:
        return self.up


async def test_readiness_says_nothing_of_how_many_can_be_drawn(tmp_path: Path) -> None:
    """With all, two, one or none that can be drawn the arena is as ready, and to say whether battles are drawn asks the record the same."""
    text = stage_toml().encode()
    stage, store = Stage.from_toml(text, "stage.toml"), Store(f"sqlite:///{tmp_path / 'arena.db'}")
    store.stages.adopt(stage, text, NOW)
    entrants, asked = Some(), list[str]()
    arena = Arena(stage, store, entrants, secret=b"s" * 32, sign=bytes.decode, clock=lambda: NOW)
    event.listen(store.database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    told, read = [], []
    for n in range(len(TEAMS), -1, -1):
        entrants.up = frozenset(list(TEAMS)[:n])
        await arena.ready()
        asked.clear()
        told.append(arena.draws())
        read.append(tuple(asked))
    assert told == [True, False, False, False]
    assert len(set(read)) == 1
    await arena.close()
    store.close()


def at(minute: float) -> datetime:
    return NOW + timedelta(minutes=minute)


def moves(watch: OutageLog, entrant: str, *states: tuple[float, State]) -> None:
    """What a breaker tells."""
    for minute, state in states:
        watch.heard(Change(entrant, state, models.cause.Cause("asked_again"), at(minute)))


def test_outages_are_kept_and_added_up(store: Store) -> None:
    """Minutes out of the draw per entrant, for publication: two processes are not counted twice, a killed one counts as far as it knew."""
    text = stage_toml().encode()
    store.stages.adopt(Stage.from_toml(text, "stage.toml"), text, NOW)
    first, second = OutageLog(store, "test", "arena one"), OutageLog(store, "test", "arena two")

    moves(first, "garam", (0, "open"), (1, "half_open"), (1, "open"), (2, "half_open"), (10, "closed"))
    moves(second, "garam", (5, "open"), (15, "closed"), (20, "open"), (21, "closed"))
    moves(first, "narae", (30, "open"), (33, "half_open"), (33, "open"), (36, "open"), (37, "half_open"))
    for watch in (first, second):
        watch._writer.shutdown()  # killed: nothing more is said
    spells = store.outages.of_stage("test")
    assert spells[0] == Spell("garam", "arena one", Cause(kind="asked_again"), at(0), at(10), at(10))
    assert [(s.entrant, s.began, s.ended) for s in spells] == [
        ("garam", at(0), at(10)),
        ("garam", at(5), at(15)),
        ("garam", at(20), at(21)),
        ("narae", at(30), None),
    ]
    assert minutes(spells) == {"garam": 16, "narae": 6}

    again = OutageLog(store, "test", "arena one")
    moves(again, "narae", (60, "open"))
    again.close()
    assert [s.until for s in store.outages.of_stage("test")][3] == at(36)
    assert all(s.ended for s in store.outages.of_stage("test")[4:])


def test_outage_minutes_are_published(tmp_path: Path) -> None:
    """The signed export says how long each entrant was out, up to the freeze, and still verifies."""
    room = Room(tmp_path).vote(60)
    entrant = room.stage.entrant_ids[1]
    watch = OutageLog(room.store, room.stage.id, "arena one")
    moves(watch, entrant, (-90, "open"), (-48, "closed"), (-1, "open"), (30, "closed"))
    watch.close()
    room.freeze()
    folder = export(room.store, room.keys, room.stage.id, tmp_path / "exports", NOW, git_commit=None)
    verify(folder)
    document = json.loads((folder / "export.json").read_text("utf-8"))
    assert {e["team_id"]: e["outage_minutes"] for e in document["entrants"] if e["outage_minutes"]} == {entrant: 43.0}
    assert f"out in all    {entrant} 43.0 minutes" in shown(room.store, room.stage.id)
    room.close()


def check(path: Path, text: str, *options: str) -> tuple[int, str, str]:
    """Runs `stage check`; exit code, standard output, standard error."""
    path.write_text(text, "utf-8")
    result = CliRunner().invoke(commands, ["stage", "check", str(path), *options])
    return result.exit_code, result.stdout, result.stderr


def test_stage_check_asks_everybody(there: Endpoint, tmp_path: Path) -> None:
    """Every backend is loaded and asked once; the table says how fast and how it ended, and one that fails ends the check with 1."""
    embedded = f'\n[[entrants]]\nid = "embedded"\nteam = {{ ko = "마루팀", en = "Team Maru" }}\nbackend = "transformers"\npath = "{DEMO / "maru"}"\n'
    scripted = '\n[[entrants]]\nid = "script"\nteam = { ko = "한빛팀", en = "Team Hanbit" }\nbackend = "scripted"\nanswers = ["하나 둘"]\n'
    text = stage_of(there, garam="plain", narae="old") + scripted
    code, told, _ = check(tmp_path / "stage.toml", text + embedded, "--question", "대한민국의 수도는 어디예요?")
    assert code == 0
    table = told.partition("first token")[2]
    rows = {line.split()[0]: line for line in table.splitlines()[1:] if not line.startswith(("warning: ", "pacing: "))}
    assert list(rows) == ["garam", "narae", "script", "embedded"]
    assert all("complete" in row for row in rows.values())
    assert "안녕하세요? 저는 답변" in rows["garam"]
    assert float(rows["embedded"].split()[3]) > 0

    code, told, error = check(tmp_path / "stage.toml", text.replace('"old"', '"500-html"'))
    assert code == 1
    assert "narae" in error
    assert "failed" in told
    assert "upstream: HTTP 500" in told


def test_stage_check_names_file_key_and_value(there: Endpoint, tmp_path: Path) -> None:
    """Two entrants with one id, an unknown key, a wrong hash: one sentence, exit code 1, before anybody is asked."""
    file = tmp_path / "stage.toml"
    good = stage_of(there, garam="plain", narae="plain")
    spoiled = {
        good.replace('"narae"', '"garam"'): "entrants: the id 'garam' stands twice",
        good + "temprature = 0.1\n": "entrants.narae.temprature: this backend has no such key (found 0.1)",
        good.replace("round = 1", "round = 1\nrounds = 2"): "rounds: ",
        good + f'\n[[entrants]]\nid = "x"\nteam = {{ ko = "가", en = "A" }}\nbackend = "transformers"\npath = "{DEMO / "maru"}"\n'
        f'sha256 = "{"0" * 64}"\n': "entrants.x.sha256: the stage file says 000",
    }  # fmt: skip
    for text, told in spoiled.items():
        code, _, error = check(file, text)
        assert code == 1
        assert "error: " in error
        assert f"{file}: " in error
        assert told in error
