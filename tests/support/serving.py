"""The real app on a real socket, and a citizen who speaks HTTP to it."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import altcha
import httpx
import uvicorn

from arena.settings import Settings

ENTRANT = """
[[entrants]]
id = "{id}"
team = {{ ko = "{ko}", en = "{en}" }}
backend = "scripted"
answers = [{answers}]
{extra}
"""
TEAMS = {"garam": ("가람팀", "Team Garam"), "narae": ("나래팀", "Team Narae"), "dasom": ("다솜팀", "Team Dasom")}
SAYS = {
    "garam": "가람이 말합니다. **안녕하세요!**",
    "narae": "나래의 답입니다.\n\n- 하나\n- 둘",
    "dasom": "다솜이에요. 반갑습니다.",
}

OPERATOR = """
[operator]
name = { ko = "평가 운영팀", en = "Evaluation team" }
institution = { ko = "가상정보원", en = "Invented Agency" }
address = { ko = "가상시 가상로 1", en = "1 Invented-ro, Invented-si" }
telephone = "02-000-0000"
mail = "arena@agency.example"
processors = [{ name = { ko = "가상호스팅", en = "Invented Hosting" }, task = { ko = "서버 운영", en = "Running the servers" } }]
transfers = []
[operator.privacy_officer]
department = { ko = "정보보호담당관", en = "Data protection office" }
name = { ko = "홍길동", en = "Hong Gildong" }
telephone = "02-000-0001"
mail = "privacy@agency.example"
[operator.policy]
version = "1.1"
effective = 2026-12-01
history = [{ version = "1.0", effective = 2026-11-01 }]
[[operator.recipients]]
name = { ko = "가상집계원", en = "Invented Aggregator" }
purpose = { ko = "총점 집계", en = "Adding up the total" }
items = { ko = "가명처리한 투표 기록", en = "Pseudonymised vote records" }
retention = { ko = "집계 후 1년", en = "One year after that" }
"""
"""All that a real stage says of its operator."""


def stage_toml(
    *, protocol: str = "", limits: str = "", top: str = "", proof: str = "never", extra: dict[str, str] | None = None
) -> str:
    """A stage of three scripted entrants, paced so that no test waits for words, where votes count however soon they come; `extra` adds keys to an entrant, `proof` says when browsers have to work."""
    if "min_exposure" not in protocol:
        protocol += "\nmin_exposure = { chars = 0, seconds = 0 }"
    entrants = "".join(
        ENTRANT.format(
            id=i, ko=ko, en=en, answers=json.dumps(SAYS[i], ensure_ascii=False), extra=(extra or {}).get(i, "")
        )
        for i, (ko, en) in TEAMS.items()
    )
    return (
        'id = "test"\ntitle = { ko = "시험", en = "Test" }\nprogramme = "시험"\nround = 1\nsynthetic = true\n'
        f"{top}\n[protocol]\npacing_grid_s = 0.1\npacing_bar = 5\npacing_graphemes_per_s = 400\n{protocol}\n[limits]\nproof = '{proof}'\n{limits}\n{entrants}"
    )


STRATA = """
[[population.strata]]
id = "age"
title = { ko = "나이", en = "Age" }
[[population.strata.categories]]
id = "young"
title = { ko = "젊음", en = "Young" }
target = 0.4
[[population.strata.categories]]
id = "old"
title = { ko = "나이 듦", en = "Old" }
target = 0.6
"""
"""A question about who votes, with a plan, for the end of a stage file."""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(
    data_dir: Path,
    stage: str | Path,
    *,
    database_url: str = "",
    port: int = 0,
    watch: Callable[[asyncio.AbstractEventLoop], None] | None = None,
    **knobs: Any,
) -> Iterator[str]:
    """Serves in a thread until the block ends; gives the base address. `watch` is given the server's loop."""
    import app  # with Gradio and torch: whoever only reads the words of this module does not wait for them
    from arena.web.middleware.http_protocol import SERVER

    if isinstance(stage, str):
        data_dir.mkdir(parents=True, exist_ok=True)
        path = data_dir / "stage.toml"
        path.write_text(stage, "utf-8")
    else:
        path = stage
    port = port or free_port()
    chosen = Settings(data_dir=data_dir, stage=path, database_url=database_url, port=port, **knobs)
    server = uvicorn.Server(
        uvicorn.Config(
            app.build(chosen),
            port=port,
            timeout_graceful_shutdown=2,
            **{**SERVER, "lifespan": "on"},
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 120
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the arena did not start")
            time.sleep(0.02)
        if watch is not None:
            watch(server.servers[0].get_loop())
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


@dataclass(frozen=True, slots=True)
class Sent:
    """One server-sent event."""

    id: int
    name: str
    data: dict[str, Any]


def lines(response: httpx.Response) -> Iterator[str]:
    """Its lines; httpx's own would end one at U+2028 too, which is text."""
    rest = ""
    for text in response.iter_text():
        *whole, rest = (rest + text).split("\n")
        yield from whole


def events(response: httpx.Response) -> Iterator[Sent]:
    """Reads a `text/event-stream`, comments left out."""
    fields: dict[str, str] = {}
    for line in lines(response):
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield Sent(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}


def solved(challenge: dict[str, Any]) -> str:
    """The proof of work that a browser shows for this challenge."""
    asked = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(asked)
    assert solution is not None
    return altcha.Payload(asked, solution).to_base64()


@dataclass
class Citizen:
    """Somebody with a browser of their own."""

    base: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        """Opens a client with its own cookies."""
        self.http = httpx.Client(base_url=f"{self.base}/api/v1", timeout=60, headers={"origin": self.base})

    def agree(self) -> "Citizen":
        """Gives the required consents."""
        given = {"consents": ["service", "teams"], "age_ok": True, "proof": self.work("session")}
        self.http.post("/session", json=given).raise_for_status()
        return self

    def open(self) -> str:
        """A new battle's id; works for it where that is asked."""
        return self.http.post("/battles", json={"proof": self.work("battle")}).raise_for_status().json()["battle_id"]

    def work(self, act: str) -> str | None:
        """What a browser shows of its work before this act; nothing where none is due."""
        asked = self.http.get("/challenge", params={"act": act}).raise_for_status()
        return solved(asked.json()) if asked.status_code == 200 else None

    def ask(self, battle: str, prompt: str = "안녕하세요?") -> list[Sent]:
        """Asks and listens to the end."""
        with self.http.stream("POST", f"/battles/{battle}/turns", json={"prompt": prompt}) as response:
            response.raise_for_status()
            return list(events(response))

    def vote(self, battle: str, winner: str = "model_a", **more: Any) -> httpx.Response:
        """Votes."""
        return self.http.post(f"/battles/{battle}/vote", json={"winner": winner, **more})

    def see(self, battle: str) -> dict[str, Any]:
        """The owner's view."""
        return self.http.get(f"/battles/{battle}").raise_for_status().json()


def shown(sent: list[Sent], side: str) -> tuple[str, str]:
    """What a browser would hold at the end, as HTML: `(finished blocks, the open block)`."""
    html, growing = "", ""
    for event in sent:
        if event.name == "delta" and side in event.data:
            piece = event.data[side]
            html += piece.get("html", "")
            growing = grown("" if "html" in piece else growing, piece["keep"], piece["tail"])
    return html, growing


def grown(before: str, keep: int, tail: str) -> str:
    """The open block as a browser has it, which counts in UTF-16 units."""
    assert 2 * keep <= len(before.encode("utf-16-le"))
    return before.encode("utf-16-le")[: 2 * keep].decode("utf-16-le") + tail
