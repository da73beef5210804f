"""Hostile text in every place a text can go: nothing hangs, nothing becomes active, no vote is lost."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from arena.battles.growth import BlockRenderer
from arena.battles.identity import Lexicon
from arena.battles.render import render
from arena.battles.text import clean_comment, clean_prompt, printable
from arena.domain import privacy
from arena.domain.errors import ArenaError
from arena.domain.stage import Stage
from arena.record.keys import Keys
from arena.record.ledger import Ledger
from arena.record.store import Store
from tests.support.hostile import CORPUS, HTML, MARKDOWN
from tests.support.serving import Citizen, events, grown, serving, shown, stage_toml

CHARS = 4000
"""The default bound of prompts and answers."""
STALL_S = 0.1
HELD_S = 0.25
"""Of the processor's time, in a served arena that renders, saves and collects garbage meanwhile."""
TRIES = 4
ANSWERS = [make(1200) for name, make in CORPUS.items() if name != "lone surrogates"]
"""What the models say; a stage file, like any TOML, has no lone surrogates."""

INERT_TAGS = {
    *(
        [
            "p",
            "br",
            "hr",
            "h3",
            "h4",
            "h5",
            "h6",
            "strong",
            "em",
            "s",
            "blockquote",
            "ul",
            "ol",
            "li",
            "pre",
            "code",
            "span",
            "a",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "div",
            "math",
            "mi",
            "mn",
            "mo",
        ]
    ),
    *(
        [
            "mtext",
            "mspace",
            "ms",
            "mrow",
            "mfrac",
            "msqrt",
            "mroot",
            "mstyle",
            "merror",
            "mpadded",
            "mphantom",
            "menclose",
            "msub",
            "msup",
            "msubsup",
            "munder",
            "mover",
        ]
    ),
    *(["munderover", "mmultiscripts", "mtable", "mtr", "mtd"]),
}
INERT_ATTRIBUTES = {
    *(
        [
            "href",
            "title",
            "start",
            "class",
            "display",
            "stretchy",
            "fence",
            "form",
            "columnalign",
            "displaystyle",
            "mathvariant",
            "rel",
            "target",
        ]
    )
}


class Inert(HTMLParser):
    """Reads HTML as a browser would and complains of everything that could act."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in INERT_TAGS, tag
        for name, value in attrs:
            assert name in INERT_ATTRIBUTES, (tag, name)
            if name == "href":
                assert (value or "").lower().startswith(("https://", "http://")), value

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:40]}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl[:40]}")


def inert(html: str) -> None:
    reader = Inert()
    reader.feed(html)
    reader.close()


async def longest_stall(work: Callable[[], object]) -> float:
    """Runs this beside the loop, as the arena does, and says for how long the loop stood still at most."""
    over, worst = False, 0.0

    async def watch() -> None:
        nonlocal worst
        while not over:
            began = time.perf_counter()
            await asyncio.sleep(0.002)
            worst = max(worst, time.perf_counter() - began - 0.002)

    watching = asyncio.create_task(watch())
    await asyncio.to_thread(work)
    over = True
    await watching
    return worst


LEXICON = Lexicon(Stage.from_toml(stage_toml().encode(), "stage.toml").entrants)


def everything_done_to(text: str) -> None:
    """All that a prompt, a comment and an answer go through."""
    for clean, limit in ((clean_prompt, CHARS), (clean_comment, CHARS)):
        try:
            kept = clean(text, limit)
        except ArenaError:
            continue
        privacy.mask(kept, privacy.check(kept))
        LEXICON.mark_prompt(kept)
    said = printable(text)
    LEXICON.mark_answer(said, "garam")
    inert(render(said))
    stream, growing = BlockRenderer(), ""
    for start in range(0, len(said), 400):
        piece = stream.feed(said[start : start + 400])
        growing = grown("" if piece.html else growing, piece.keep, piece.tail)
        inert(piece.html)
        inert(growing)
    inert(stream.feed("", end=True).html)


@pytest.mark.parametrize("name", CORPUS)
async def test_no_text_stops_the_loop_or_becomes_active(name: str) -> None:
    """Cleaning, privacy, marks, rendering and streaming of 4,000 hostile characters never hold the loop for 100 ms, and what comes out is inert.

    A stall that is the text's own comes every time; one that another process of the machine made does not.
    """
    text = CORPUS[name](CHARS)
    stalls = []
    for _ in range(TRIES):
        stalls.append(await longest_stall(lambda: everything_done_to(text)))
        if stalls[-1] < STALL_S:
            return
    pytest.fail(f"the loop stood still for {min(stalls):.3f} s, {TRIES} times of {TRIES}")


def test_megabytes_are_refused_before_they_are_read() -> None:
    """A million characters cost nothing: the bound is looked at first."""
    for name, make in CORPUS.items():
        began = time.thread_time()
        with pytest.raises(ArenaError):
            clean_prompt(make(1_000_000).ljust(1_000_000, "가"), CHARS)
        with pytest.raises(ArenaError):
            clean_comment("가" * CHARS + "나" + make(1_000_000), CHARS)
        assert time.thread_time() - began < 1, name


class OutageLog:
    """Looks at the loop of a served arena: how long one turn of it kept its thread busy."""

    def __init__(self) -> None:
        self.worst = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.run_coroutine_threadsafe(self._look(), loop)

    async def _look(self) -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0.002)
            self.worst = max(self.worst, time.thread_time() - began)


@pytest.fixture(scope="module")
def watch() -> OutageLog:
    return OutageLog()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arena")


@pytest.fixture(scope="module")
def base(folder: Path, watch: OutageLog) -> Iterator[str]:
    """An arena whose three entrants all say hostile things."""
    toml = stage_toml(
        protocol='pacing = "natural"\nanswer_tokens = 32000',
        limits="battles_per_hour = 1000\nvotes_per_hour = 1000\nturns_per_minute = 1000\ncomment_chars = 4000",
    )
    lines = [f"answers = {toml_strings(ANSWERS)}" if x.startswith("answers = ") else x for x in toml.splitlines()]
    with serving(folder, "\n".join(lines), watch=watch) as address:
        yield address


def toml_strings(texts: list[str]) -> str:
    """A TOML array of basic strings, everything beyond ASCII escaped."""
    return "[" + ", ".join('"' + "".join(_escaped(c) for c in text) + '"' for text in texts) + "]"


def _escaped(character: str) -> str:
    plain = " " <= character <= "~" and character not in '"\\'
    return character if plain else f"\\U{ord(character):08x}"


def prompt_for(answer: int) -> str:
    """A harmless question to which a scripted entrant gives this answer."""
    for n in range(100_000):
        prompt = f"질문 {n}"
        digest = hashlib.sha256(prompt.encode()).digest()
        if int.from_bytes(digest[:8], "big") % len(ANSWERS) == answer:
            return prompt
    raise AssertionError("no prompt leads to this answer")


def asked(citizen: Citizen, prompt: str) -> str | None:
    """A battle in which both sides have answered this; None when the prompt was refused."""
    battle = citizen.open()
    body = json.dumps({"prompt": prompt}).encode()  # lone surrogates travel as escapes
    headers = {"content-type": "application/json"}
    with citizen.http.stream("POST", f"/battles/{battle}/turns", content=body, headers=headers) as response:
        if response.status_code != 200:
            response.read()
            assert response.status_code in (400, 413, 422), response.text
            assert response.json()["ko"]
            return None
        sent = list(events(response))
    assert [e.name for e in sent].count("error") == 0
    assert sent[-1].name == "done"
    for last in range(len(sent)):
        for side in ("a", "b"):
            if side in sent[last].data:
                finished, growing = shown(sent[: last + 1], side)
                inert(finished[-2000:])
                inert(growing)
    return battle


def voted(base: str, prompt: str, comment: str) -> str | None:
    """The receipt of a vote with this comment on the answers to this prompt; None when there was nothing to vote on."""
    citizen = Citizen(base).agree()
    battle = asked(citizen, prompt)
    if battle is None:
        return None
    view = citizen.see(battle)
    if not view["votable"]:  # an answer without a visible character is a failed one, and says so
        assert view["state"] == "void"
        return None
    for turn in view["turns"]:
        for side in "ab":
            inert(turn["answers"][side]["html"])
    body = json.dumps({"winner": "tie", "comment": comment}).encode()
    vote = citizen.http.post(f"/battles/{battle}/vote", content=body, headers={"content-type": "application/json"})
    assert vote.status_code == 201, vote.text
    return vote.json()["receipt"]


def test_hostile_prompts_comments_and_answers_lose_no_vote(base: str, folder: Path, watch: OutageLog) -> None:
    """Each text as a prompt, as both answers, and as a comment, over HTTP: every vote is kept once, every page inert, the loop never held for long."""
    watch.worst = 0.0
    said = [
        (prompt, text)
        for n, text in enumerate(make(2000) for make in CORPUS.values())
        for prompt in (text, prompt_for(n % len(ANSWERS)))
    ]
    with ThreadPoolExecutor(4) as citizens:
        receipts = [receipt for receipt in citizens.map(lambda each: voted(base, *each), said) if receipt]
    assert watch.worst < HELD_S
    assert len(receipts) > len(CORPUS)

    store = Store(f"sqlite:///{folder / 'arena.db'}")
    ledger = Ledger(store, Keys.open(folder, {}))
    ledger.checkpoint("test", datetime.now(UTC))
    assert ledger.audit("test") == []
    assert sorted(row.receipt for row in store.votes.after("test", 0)) == sorted(receipts)
    store.close()


@pytest.mark.parametrize("size", [70_000, 5_000_000])
def test_bodies_of_megabytes_are_refused(base: str, size: int) -> None:
    """Too large a body is refused with 413, whether its length is announced or not, and the citizen goes on."""
    citizen = Citizen(base).agree()
    battle = citizen.open()
    body = json.dumps({"prompt": "가" * (size // 6)}).encode()
    address = f"{base}/api/v1/battles/{battle}/turns"
    headers = {"content-type": "application/json"}
    announced = citizen.http.post(address, content=body, headers=headers)
    silent = citizen.http.post(address, content=iter([body[:1000], body[1000:]]), headers=headers)
    assert (announced.status_code, silent.status_code) == (413, 413)
    assert asked(citizen, prompt_for(0)) is not None


def test_bodies_that_are_no_json_are_refused(base: str) -> None:
    """Deep nesting, wrong encodings, numbers without end, other media types: a refusal, never a failure of ours."""
    citizen = Citizen(base).agree()
    address = f"{base}/api/v1/battles/{citizen.open()}/vote"
    for body in (
        b"[" * 60_000,
        b'{"winner":' * 6000,
        b"\xff\xfe{",
        b'{"winner": "tie", "comment": "\xed\xa0\x80"}',
        b"1e999999",
        b"9" * 60_000,
        b"null",
        b"\x00",
        b'{"winner": "tie", "winner": {"a": 1}}',
        HTML.encode(),
        MARKDOWN.encode(),
    ):
        for kind in (
            "application/json",
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
        ):
            answer = citizen.http.post(address, content=body, headers={"content-type": kind})
            assert answer.status_code in (400, 409, 413, 415, 422), (body[:20], kind, answer.text[:200])
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", CORPUS)
def test_addresses_and_headers_of_hostile_text_are_refused(base: str, name: str) -> None:
    """The same texts as ids, receipts, query values and headers: known refusals only."""
    text = CORPUS[name](200).encode("utf-8", "replace")
    quoted = "".join(f"%{byte:02x}" for byte in text)
    citizen = Citizen(base).agree()
    for path in (
        f"battles/{quoted}",
        f"receipts/{quoted}",
        f"checkpoints?stage={quoted}",
        f"stages/{quoted}",
        f"stages/{quoted}/export",
    ):
        answer = citizen.http.get(f"{base}/api/v1/{path}")
        assert answer.status_code in (200, 404, 422, 431), (path, answer.text[:200])
        assert "evil" not in answer.headers.get("location", "")
    plain = "".join(chr(byte) for byte in text if 32 <= byte < 127).strip() or "x"
    odd = {
        "accept-language": plain,
        "last-event-id": plain,
        "authorization": f"Bearer {plain}",
    }
    assert httpx.get(f"{base}/api/v1/stage", headers=odd).status_code == 200
    assert citizen.http.get("/battles/x/turns/1/stream", headers=odd).status_code == 404
