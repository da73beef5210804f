"""Nothing of an endpoint's that is not understood is success: every quirk of the table, to the citizen, the record, the breaker and the exposure table."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import pytest_asyncio

from arena.cli.stage_page import answered
from arena.domain.battle import TOO_LONG
from arena.i18n.catalogue import messages
from arena.record.store import Store
from arena.results.export import statistics, tables
from arena.results.export.table_reader import TableFile, draw_table
from arena.results.votes.sealed import sealed_stage
from models.base import Message, Sampling
from models.breaker import Change
from models.endpoint.openai_compatible import OpenAIModel, open_session
from models.endpoint.quirks import Quirk
from models.errors import AnswerError
from models.roster import Roster
from models.smoke_test import ask
from models.text import visible
from tests.support.endpoint_quirks import LIMITED, QUIRKS, Case
from tests.support.endpoint_wire import ANSWER
from tests.support.model_endpoint import Endpoint, endpoint
from tests.support.serving import Citizen, Sent, serving, stage_toml

HERE = Path(__file__).parents[1]
ASKED = (Message("system", "짧게."), Message("user", "서울은?"))
LONG = (*ASKED, *(m for n in range(3) for m in (Message("assistant", f"답 {n}"), Message("user", f"질문 {n}"))))
EVERY = pytest.mark.parametrize("name", QUIRKS)


@pytest.fixture(scope="module")
def there() -> Iterator[Endpoint]:
    """One endpoint for this module."""
    with endpoint() as started:
        yield started


def keys(there: Endpoint, model: str, case: Case) -> dict[str, object]:
    """The entrant's keys in the stage file."""
    declared = {"opens_reasoning": False, **case.declared}
    named = {key: value for key, value in declared.items() if value is not None}
    return {"backend": "openai", "base_url": there.base_url, "model": model, **named}


@pytest_asyncio.fixture
async def roster(there: Endpoint, name: str) -> AsyncIterator[Roster]:
    """An entrant with the quirk, beside a plain one."""
    entrants = {"odd": keys(there, f"quirk-{name}", QUIRKS[name]), "script": {"backend": "scripted", "answers": ["답"]}}
    async with Roster.open(entrants, base_dir=HERE) as opened:
        yield opened


@EVERY
async def test_an_answer_is_whole_or_failed(roster: Roster, name: str) -> None:
    """Each quirk gives just the text, the reasoning and the status of the table, and `stage check` says its name."""
    case, text, reasoning = QUIRKS[name], "", ""
    sent: str | None = None
    kind = finish = None
    try:
        async with aclosing(roster.stream("odd", ASKED, Sampling())) as deltas:
            async for delta in deltas:
                text, reasoning, finish, sent = text + delta.text, reasoning + delta.reasoning, delta.finish, delta.sent
    except AnswerError as error:
        kind = error.kind
    status = "failed" if kind else "truncated" if finish == "length" else "complete"
    assert (status, kind) == (case.status, case.kind)
    if status != "failed":
        assert text.strip() == case.text.strip()
        assert reasoning.strip() == case.reasoning.strip()
        assert (sent and sent.strip()) == (case.sent and case.sent.strip())
    elif case.reasoning or kind == "empty":
        assert not visible(text)
    trial = await ask(roster, "odd", ASKED, Sampling())
    assert trial.failed == (status == "failed" or "<think>" in case.text)
    said = answered([trial])
    assert case.quirk is None or f"warning: odd: {case.quirk}: {messages('en')(f'quirk_{case.quirk}')}" in said
    assert roster.health()["odd"].errors == ({} if kind is None else {kind: 2})


@EVERY
async def test_no_answer_to_a_citizen_alone_takes_an_entrant_out(roster: Roster, name: str) -> None:
    """However it fails, three times in a row: as long as our own question is answered it stays, and its outage record is untouched."""
    for _ in range(3):
        await ask(roster, "odd", ASKED, Sampling())
    await asyncio.sleep(0.05)
    assert "odd" in roster.available()
    assert roster.health()["odd"].outage_s == 0


@pytest.mark.parametrize(
    ("quirk", "failures"),
    [
        ("too-long-in-no-known-words", 1),
        ("only-white-space", 1),
        ("all-thought-and-stopped", 1),
        ("finish-content_filter", 3),
        ("too-long-vllm", 3),
    ],
)
async def test_who_refuses_our_own_question_too_is_ill(
    monkeypatch: pytest.MonkeyPatch, quirk: str, failures: int
) -> None:
    """An endpoint that takes no question at all leaves the draw, though each failure alone could be the question's; a filter, or a length, only after
    it has refused our short question three times."""
    monkeypatch.setattr("models.roster.CHECK_EVERY_S", 0)
    with endpoint() as started:
        entrants = {"odd": keys(started, "switch", QUIRKS[quirk]), "script": {"backend": "scripted", "answers": ["답"]}}
        changes: list[Change] = []
        async with Roster.open(entrants, base_dir=HERE, on_change=changes.append) as roster:
            assert "odd" in roster.available()
            monkeypatch.setattr("models.roster.PROBE", ASKED)  # what it will not take any more
            started.choose(quirk)
            for n in range(1, failures + 1):
                await ask(roster, "odd", ASKED, Sampling())
                await asyncio.sleep(0.1)
                assert ("odd" in roster.available()) == (n < failures)
            assert [change.cause.kind for change in changes] == ["own_question_failed"]


@pytest.mark.parametrize("name", LIMITED)
async def test_a_conversation_sheds_its_oldest_turns_until_it_fits(there: Endpoint, name: str) -> None:
    """However a server says that it is too much, the question alone is asked before anything has failed."""
    async with open_session() as session:
        model, text, dropped = OpenAIModel(session, there.base_url, f"limited-{name}"), "", 0
        async with aclosing(model.stream(LONG, Sampling())) as deltas:
            async for delta in deltas:
                text, dropped = text + delta.text, delta.dropped_turns
    assert (text, dropped) == (ANSWER, 3)


async def test_undeclared_reasoning_is_never_shown(there: Endpoint) -> None:
    """Until it is clear whether words are reasoning, no word is shown; an answer that is plain comes whole at its end, one that thinks flows after that."""
    async with open_session() as session:
        for name, first in (("plain-undeclared", ANSWER), ("lone-end-undeclared", "안녕")):
            model = OpenAIModel(session, there.base_url, f"quirk-{name}", opens_reasoning=None)
            shown: list[str] = []
            async with aclosing(model.stream(ASKED, Sampling())) as deltas:
                async for delta in deltas:
                    shown.append(delta.text)
            assert next(filter(None, shown)).startswith(first)
        # Who has once closed a block that its prompt opened thinks for good, whatever plain answers come between.
        model = OpenAIModel(session, there.base_url, "switch", opens_reasoning=None)
        for name in ("lone-end-undeclared", "plain-undeclared", "finish-length"):
            there.choose(name)
            said = [delta async for delta in model.stream(ASKED, Sampling())]
        assert "".join(d.text for d in said) == ""
        # Who never has is cut as everybody is.
        model = OpenAIModel(session, there.base_url, "quirk-finish-length", opens_reasoning=None)
        said = [delta async for delta in model.stream(ASKED, Sampling())]
        assert ("".join(d.text for d in said), said[-1].finish) == (ANSWER, "length")


def test_every_quirk_has_its_sentence() -> None:
    """The table shows each quirk that can be named, but for the one an old server shows before its first answer."""
    named: set[Quirk] = {case.quirk for case in QUIRKS.values() if case.quirk}
    assert named == set(get_args(Quirk)) - {"no_stream_options"}


def test_citizens_record_and_exposure_say_the_same(there: Endpoint, tmp_path: Path) -> None:
    """Through the real arena, quirk by quirk: what the citizen is told and shown, what the record keeps, what is published of the battle."""
    by_declaration: dict[str, list[str]] = {}
    for name, case in QUIRKS.items():
        by_declaration.setdefault(str(sorted(case.declared.items())), []).append(name)
    for n, names in enumerate(by_declaration.values()):
        folder = tmp_path / str(n)
        declared = keys(there, "switch", QUIRKS[names[0]])
        lines = "".join(f"{key} = {_toml(value)}\n" for key, value in declared.items())
        stage = stage_toml(
            protocol='pacing = "natural"\nanswer_tokens = 512',
            limits="battles_per_hour = 10000\nbattles_per_day = 10000\nturns_per_minute = 10000\nturns_per_day = 10000\nreads_per_minute = 10000\n",
        ).partition("\n[[entrants]]")[0]
        stage += f'\n[[entrants]]\nid = "odd"\nteam = {{ ko = "나래팀", en = "Team Narae" }}\n{lines}'
        stage += '\n[[entrants]]\nid = "script"\nteam = { ko = "가람팀", en = "Team Garam" }\nbackend = "scripted"\nanswers = ["답입니다."]\n'
        battles: dict[str, str] = {}
        there.choose(QUIRKS[names[0]].healthy)
        with serving(folder, stage) as base:
            citizen = Citizen(base).agree()
            for name in names:
                there.choose(name)
                battles[name] = citizen.open()
                sent = citizen.ask(battles[name], "서울은?")
                _told(citizen, battles[name], QUIRKS[name], sent)
                there.choose(QUIRKS[name].healthy)
                for _ in range(2 * (QUIRKS[name].status == "failed")):  # good answers keep the breaker out of it
                    citizen.ask(citizen.open(), "서울은?")
        _kept(folder, names, battles)


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def _told(citizen: Citizen, battle: str, case: Case, sent: list[Sent]) -> None:
    """What the citizen sees while it streams, when it has ended, and in the owner's view."""
    view = citizen.see(battle)
    (turn,) = view["turns"]
    void = case.status == "failed"
    assert sent[-1].data | {"turn": 1, "votable": not void, "void": void} == sent[-1].data
    assert view["state"] == ("void" if void else "open")
    by_side = {side: answer for side, answer in turn["answers"].items() if answer["text"] != "답입니다."}
    if not void:
        ((side, answer),) = by_side.items()
        # Where a model's own tokens ran out is in the record alone: it would say whose tokens they are.
        shown = "complete" if case.status == "truncated" else case.status
        assert (answer["status"], answer["text"].strip()) == (shown, case.text.strip())
        ended = {event.data["side"]: event.data["status"] for event in sent if event.name == "answer"}
        assert ended[side] == shown
    wire = str([event.data for event in sent]) + str(view)
    thought = case.reasoning.strip()
    assert not thought or case.kind == "leaked" or thought not in wire
    assert not any(word in wire for word in ("narae", "exploded", "engine dead", "odd"))


def _kept(folder: Path, names: list[str], battles: dict[str, str]) -> None:
    """What the record and the exposure table say of these battles."""
    store = Store(f"sqlite:///{folder / 'arena.db'}")
    stage = sealed_stage(store, "test")
    drawn = {row.battle_id: row for row in store.draws.of_stage("test") if row.battle_id in battles.values()}
    void: Counter[tuple[str, str]] = Counter()
    for name in names:
        case, battle = QUIRKS[name], store.battles.get(battles[name])
        assert battle is not None
        (answer,) = (a for side, a in battle.turns[0].answers.items() if battle.entrant(side) == "odd")
        assert (answer.status, answer.error_kind) == (case.status, case.kind), name
        assert (answer.sent and answer.sent.strip()) == (case.sent and case.sent.strip()), name
        expected = {"filtered": "answer_filtered", "too_long": TOO_LONG, None: None}.get(case.kind, "answer_failed")
        row = drawn[battle.id]
        assert row.void_reason == expected, name
        void[row.draw.a, row.draw.b] += expected not in (None, TOO_LONG)
    file = tables.draws_file(drawn.values(), np.empty(0, np.int64), None)
    draws = draw_table(TableFile(file, tables.DRAWS, "draws.parquet"), stage)
    cells = statistics.exposure(stage, draws).pairs
    assert {(cell.a, cell.b): cell.void for cell in cells if cell.drawn} == dict(void)
    assert store.outages.of_stage("test") == []
    store.close()
