"""A demo model behind `transformers serve`, asked through the OpenAI protocol as any team's endpoint."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from models.base import Message, Sampling
from models.roster import Roster
from models.smoke_test import ask
from tests.support.serving import free_port

ROOT = Path(__file__).resolve().parents[2]
MODEL = "models/demo/garam"
ASKED = (Message("user", "대한민국의 수도는 어디예요?"),)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """`transformers serve` from a local folder, without a network; its base URL."""
    port = free_port()
    program = Path(sys.executable).with_name("transformers")
    command = [program, "serve", MODEL, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL
    ) as process:
        yield f"http://127.0.0.1:{port}/v1"
        process.kill()


async def test_transformers_serve_is_an_endpoint_like_any_other(served: str) -> None:
    """Out of the draw while it loads, in it once it answers; whole answers with their usage; a reader who leaves frees it for the next."""
    ready = asyncio.Event()
    keys = {
        "served": {"backend": "openai", "base_url": served, "model": MODEL, "opens_reasoning": False},
        "script": {"backend": "scripted", "answers": ["하나"]},
    }
    began = time.monotonic()
    async with Roster.open(
        keys, base_dir=ROOT, on_change=lambda change: ready.set() if change.state == "closed" else None
    ) as roster:
        if "served" not in roster.available():
            await asyncio.wait_for(ready.wait(), 90)
        assert roster.available() == {"served", "script"}
        trial = await ask(roster, "served", ASKED, Sampling(temperature=0, max_tokens=40))
        assert (trial.finish, trial.error) == ("stop", None)
        assert "서울" in trial.text
        assert trial.usage is not None
        assert 0 < trial.usage.completion_tokens < 40
        cut = await ask(roster, "served", ASKED, Sampling(temperature=0, max_tokens=3))
        assert cut.finish == "length"
        async with aclosing(roster.stream("served", ASKED, Sampling(max_tokens=150))) as deltas:
            while not (await anext(deltas)).text:  # it sends an empty piece where a word is not whole yet
                pass
        again = await ask(roster, "served", ASKED, Sampling(temperature=0, max_tokens=40))
        assert again.text == trial.text
        assert roster.health()["served"].outage_s <= time.monotonic() - began
