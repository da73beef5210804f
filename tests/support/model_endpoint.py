"""An endpoint that speaks the OpenAI protocol, badly on demand: a real process on a real socket, `python -m tests.support.model_endpoint`.

The request's `model` says how it behaves: `BEHAVIOURS`, a number of tokens a second, as in "rate-40", or a quirk (`tests.support.endpoint_quirks`), as in
"quirk-bom"; "switch" is what `GET /set?quirk=NAME` has chosen last. A question of the roster's own gets a plain answer from a quirk. `GET /seen` says
what it has seen.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlparse

from models.roster import PROBE
from tests.support.endpoint_quirks import LIMITED, QUIRKS
from tests.support.endpoint_wire import DONE, KEY, PIECES, SECRET, SPOKEN, USAGE, WHOLE, Talk, chunk, usage


async def _bytewise(talk: Talk, data: bytes = WHOLE) -> None:
    talk.head()
    for n in range(len(data)):
        await talk.send(data[n : n + 1])
        await asyncio.sleep(0)
    await talk.end()


async def _drip(talk: Talk) -> None:
    talk.head()
    for piece in PIECES:
        await talk.send(chunk(piece))
        await asyncio.sleep(0.05)
    await talk.send(chunk(finish="stop") + DONE)
    await talk.end()


async def _comments(talk: Talk) -> None:
    keep = b": still here\n\n"
    pieces = [keep, b"event: chunk\nid: 3\nretry: 10\n", *(part for piece in PIECES for part in (chunk(piece), keep))]
    await talk.events(*pieces, chunk(finish="stop"), keep, DONE)


async def _renewed(talk: Talk) -> None:
    """Another system answers from the fifth request on, and says so."""
    mark = b'"system_fingerprint": "fp_%s", "model": ' % (b"one" if talk.nth < 4 else b"two")
    await talk.events(WHOLE.replace(b'"model": ', mark))


async def _cut(talk: Talk) -> None:
    talk.head()
    await talk.send(chunk(PIECES[0]))
    await asyncio.sleep(0.02)
    talk.reset()


async def _reset_first(talk: Talk) -> None:
    talk.reset()


async def _half(talk: Talk) -> None:
    talk.head()
    await talk.send(SPOKEN + chunk(PIECES[0])[:20])
    talk.writer.close()


async def _forever(talk: Talk, tokens_per_s: float = 200, tokens: int | None = None) -> None:
    talk.head()
    piece, loop, n = chunk("가나 "), asyncio.get_running_loop(), 0
    began = loop.time()
    while tokens is None or n < tokens:
        await talk.send(piece)
        n += 1
        await asyncio.sleep(max(0, began + n / tokens_per_s - loop.time()))
    await talk.send(chunk(finish="stop") + usage(completion_tokens=n) + DONE)
    await talk.end()


async def _silent(talk: Talk) -> None:
    talk.head()
    await talk.send(b": waking up\n\n")
    await asyncio.Event().wait()


async def _stalls(talk: Talk) -> None:
    talk.head()
    await talk.send(chunk(PIECES[0]))
    await asyncio.Event().wait()


async def _overflow(talk: Talk) -> None:
    """Takes three messages and no more, as a server with a short context says it."""
    if len(talk.asked["messages"]) > 3:
        await talk.refuse("400 Bad Request", '{"error":{"message":"maximum context length is 512 tokens: narae"}}')
    else:
        await talk.events(WHOLE)


async def _old(talk: Talk) -> None:
    if "stream_options" in talk.asked:
        await talk.refuse("400 Bad Request", '{"error":"unknown field stream_options"}')
    else:
        await talk.events(SPOKEN, chunk(finish="stop"), DONE)


async def _flaky(talk: Talk) -> None:
    """Twice 503, then an answer."""
    if talk.nth < 2:
        await talk.refuse("503 Service Unavailable", "loading narae", "text/plain")
    else:
        await talk.events(WHOLE)


async def _relapse(talk: Talk) -> None:
    """Well at first, then ill for four questions, then well again."""
    if 1 <= talk.nth <= 4:
        await talk.events(chunk(PIECES[0]), b'data: {"error":{"message":"' + SECRET.encode() + b' exploded"}}\n\n')
    else:
        await talk.events(WHOLE)


async def _later(talk: Talk) -> None:
    """Says once when to come back."""
    if talk.nth == 0:
        await talk.refuse("429 Too Many Requests", "{}", "application/json", "retry-after: 1")
    else:
        await talk.events(WHOLE)


async def _locked(talk: Talk) -> None:
    if talk.headers.get("authorization") == f"Bearer {KEY}" and talk.headers.get("x-team") == "narae":
        await talk.events(WHOLE)
    else:
        await talk.refuse("401 Unauthorized", '{"error":"narae wants its key"}')


def _says(*pieces: bytes) -> Callable[[Talk], Awaitable[None]]:
    return lambda talk: talk.events(*pieces)


def _refuses(status: str, body: str, kind: str = "application/json", *more: str) -> Callable[[Talk], Awaitable[None]]:
    return lambda talk: talk.refuse(status, body, kind, *more)


HTML = f"<html><body><h1>502</h1><p>{SECRET} is down</p></body></html>"
BEHAVIOURS: dict[str, Callable[[Talk], Awaitable[None]]] = {
    "plain": _says(WHOLE),
    "pieces": _says(*(WHOLE[n : n + 7] for n in range(0, len(WHOLE), 7))),
    "bytewise": _bytewise,
    "crlf": _says(*(WHOLE.replace(b"\n", b"\r\n")[n : n + 5] for n in range(0, len(WHOLE) + 60, 5))),
    "comments": _comments,
    "drip": _drip,
    "renewed": _renewed,
    "no-done": _says(SPOKEN, chunk(finish="stop")),
    "no-blank-line": _says(SPOKEN, chunk(finish="stop").rstrip()),
    "no-finish": _says(SPOKEN, DONE),
    "length": _says(SPOKEN, chunk(finish="length"), usage(), DONE),
    "usage-with-finish": _says(SPOKEN, chunk(finish="stop")[:-3] + b',"usage":' + json.dumps(USAGE).encode() + b"}\n\n", DONE),
    "reasoning": _says(chunk(reasoning_content="음, "), chunk(reasoning="보자."), SPOKEN, chunk(finish="stop"), DONE),
    "think": _says(chunk("<th"), chunk("ink>속"), chunk("말</thi"), chunk("nk>\n"), SPOKEN, chunk(finish="stop"), DONE),
    "empty": _says(chunk("", role="assistant"), chunk(finish="stop"), DONE),
    "error-in-stream": _says(chunk(PIECES[0]), b'data: {"error":{"message":"' + SECRET.encode() + b' exploded"}}\n\n'),
    "not-json": _says(chunk(PIECES[0]), b"data: narae is not JSON\n\n"),
    "other-shape": _says(b'data: {"choices":[{"delta":{"content":["narae"]}}]}\n\n'),
    "huge-line": _says(b"data: " + b"x" * (1 << 20), b"x" * 100),
    "cut": _cut,
    "half": _half,
    "reset-first": _reset_first,
    "silent": _silent,
    "stalls": _stalls,
    "forever": _forever,
    "overflow": _overflow,
    "old": _old,
    "flaky": _flaky,
    "relapse": _relapse,
    "later": _later,
    "much-later": _refuses("429 Too Many Requests", "{}", "application/json", "retry-after: 600"),
    "500-html": _refuses("500 Internal Server Error", HTML, "text/html"),
    "401": _refuses("401 Unauthorized", '{"error":"no such key: narae"}'),
    "400": _refuses("400 Bad Request", '{"error":"no such model: narae"}'),
    "json-instead": _refuses("200 OK", '{"choices":[]}'),
    "html-instead": _refuses("200 OK", HTML, "text/html"),
    "redirect": _refuses("302 Found", "moved", "text/plain", "location: http://127.0.0.1:9/elsewhere"),
    "locked": _locked,
}  # fmt: skip


class Server:
    """Serves, and remembers what it has seen."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.open = self.talking = self.hung_up = 0
        self.last: dict[str, Any] = {}
        self.chosen = "plain"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with all its requests."""
        self.open += 1
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, RuntimeError, asyncio.IncompleteReadError):  # uvloop says RuntimeError for a closed transport
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().strip().split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if first.startswith("GET "):
            chosen = parse_qs(urlparse(first.split()[1]).query).get("quirk")
            self.chosen = chosen[0] if chosen else self.chosen
            told = json.dumps(
                {
                    **self.seen,
                    "open": self.open - 1,
                    "talking": self.talking,
                    "hung_up": self.hung_up,
                    "last": self.last,
                }
            )
            writer.write(
                b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(told), told.encode())
            )
            await writer.drain()
            return False
        asked = json.loads(body)
        model = str(asked["model"])
        talk = Talk(asked, headers, self.seen[model], writer)
        self.seen[model] += 1
        self.last = asked
        self.talking += 1
        # The next bytes of a client that waits for an answer are the end of the connection.
        gone = asyncio.ensure_future(reader.read(1))
        behave = asyncio.ensure_future(_behave(f"quirk-{self.chosen}" if model == "switch" else model, talk))
        try:
            await asyncio.wait({gone, behave}, return_when=asyncio.FIRST_COMPLETED)
            if not behave.done():
                self.hung_up += 1
                return False
            behave.result()
        finally:
            behave.cancel()
            gone.cancel()
            await asyncio.gather(gone, behave, return_exceptions=True)
            self.talking -= 1
        return not writer.is_closing()


async def _behave(model: str, talk: Talk) -> None:
    if model.startswith("rate-"):
        await _forever(talk, float(model.removeprefix("rate-")), talk.asked["max_tokens"])
    elif model.startswith("quirk-"):
        quirk = model.removeprefix("quirk-")
        if talk.asked["messages"][-1]["content"] == PROBE[0].content and quirk in QUIRKS:
            quirk = QUIRKS[quirk].healthy
        await (talk.events(WHOLE) if quirk == "plain" else QUIRKS[quirk].behave(talk))
    elif model.startswith("limited-"):
        await LIMITED[model.removeprefix("limited-")](talk)
    else:
        await BEHAVIOURS[model](talk)


async def _main() -> None:
    server = Server()
    listening = await asyncio.start_server(
        server.serve, "127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0, backlog=1024
    )
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


@dataclass(frozen=True)
class Endpoint:
    """A running endpoint."""

    port: int
    pid: int

    @property
    def base_url(self) -> str:
        """For the stage file."""
        return f"http://127.0.0.1:{self.port}/v1"

    def choose(self, quirk: str) -> None:
        """What the model "switch" does from now on."""
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/set?quirk={quote(quirk)}", timeout=5).close()

    def seen(self) -> dict[str, Any]:
        """Requests by model, open connections, answers being given, answers that were cut by the client, and the last request."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/seen", timeout=5) as response:
            return json.load(response)


@contextlib.contextmanager
def endpoint(port: int = 0) -> Iterator[Endpoint]:
    """Starts one in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.model_endpoint", str(port)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            yield Endpoint(int(process.stdout.readline()), process.pid)
        finally:
            process.kill()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    asyncio.run(_main())
