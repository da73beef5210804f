"""Models of this machine, in their worker process: many answers at once, each its own; places freed at once; a crash is told and mended."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
import torch
from transformers import AutoModelForCausalLM, MambaConfig

from models.artifacts import digest
from models.base import Delta, Message, Sampling
from models.cause import Cause
from models.errors import AnswerError, RosterError
from models.local import client as local
from models.local.batch import Batch, Row, sample
from models.local.client import Checkpoint, LocalModels, _spelled
from models.local.worker import RefusedError, load
from tests.support.tiny_models import ARCHITECTURES, save, tokenizer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

QUESTIONS = ["안녕?", "대한민국의 수도는 어디입니까?", "The capital of Korea is", "개", "하늘은 " * 12, "a" * 40]
ENDLESS = Sampling(temperature=1, max_tokens=400, max_chars=100_000)
SHORT = Sampling(temperature=0, max_tokens=24)


def asked(text: str) -> list[Message]:
    return [Message("user", text)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A random checkpoint of each architecture."""
    made = tmp_path_factory.mktemp("models")
    return {name: save(made / name, name) for name in ARCHITECTURES}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models(folders: dict[str, Path]) -> AsyncIterator[LocalModels]:
    """One worker with two of them."""
    worker = LocalModels({name: Checkpoint(folders[name], dtype="float32") for name in ("llama", "gemma3")})
    await worker.start()
    yield worker
    await worker.close()


async def whole(models: LocalModels, text: str, sampling: Sampling = SHORT, entrant: str = "llama") -> Delta:
    """One answer, in one delta."""
    said, last = "", Delta()
    async with aclosing(models.stream(entrant, asked(text), sampling)) as deltas:
        async for last in deltas:
            said += last.text
    return last._replace(text=said)


async def began(models: LocalModels, entrant: str = "llama", sampling: Sampling = ENDLESS) -> asyncio.Task[Any]:
    """An answer that has begun and goes on."""
    first = asyncio.Event()

    async def read() -> str:
        text = ""
        async with aclosing(models.stream(entrant, asked("안녕?"), sampling)) as deltas:
            async for delta in deltas:
                text += delta.text
                first.set()
        return text

    task = asyncio.create_task(read())
    waiting = asyncio.create_task(first.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return task


@pytest.mark.parametrize("architecture", ARCHITECTURES)
async def test_in_a_batch_every_answer_is_the_models_own(folders: dict[str, Path], architecture: str) -> None:
    """Joining and leaving at any step, prompts of any length: token for token what `generate` says alone."""
    model: Any = AutoModelForCausalLM.from_pretrained(folders[architecture], dtype=torch.float32)
    model.eval()
    fast = tokenizer()
    prompts = [fast(f"<|user|>{q}<|end|><|assistant|>")["input_ids"] for q in QUESTIONS]
    tokens = 20
    with torch.inference_mode():
        batch = Batch(model, torch.device("cpu"), 1 << 30)
        batch.chunk = 32  # so that the longest prompt is read in pieces
        said: dict[int, list[int]] = {n: [] for n in range(len(prompts))}
        coming = list(enumerate(prompts))
        steps = 0
        while coming or batch.busy:
            if coming and steps % 3 == 0:  # one more joins at every third step
                n, prompt = coming.pop(0)
                batch.add(Row(n, prompt, tokens, 0, 1, 0))
            for n, token in batch.step():
                said[n].append(token)
            batch.remove({n for n, made in said.items() if len(made) >= tokens})
            steps += 1
        for n, prompt in enumerate(prompts):
            expected = model.generate(
                torch.tensor([prompt]), max_new_tokens=tokens, do_sample=False, eos_token_id=-1, pad_token_id=0
            )[0, len(prompt) :].tolist()
            assert said[n] == expected, QUESTIONS[n]


@pytest.mark.parametrize("top_p", [0.02, 0.5, 0.9, 1.0])
async def test_tokens_are_drawn_from_the_nucleus(top_p: float) -> None:
    """Each token of the smallest set that reaches top_p comes as often as its share of that set, no other comes at all, and 0 is greedy."""
    draws, temperature = 20_000, 0.8
    logits = torch.randn(50, generator=torch.Generator().manual_seed(1)) * 2
    rows = [Row(n, [0], 1, temperature, top_p, n) for n in range(draws)] + [Row(-1, [0], 1, 0, top_p, 0)]
    drawn = sample(logits.repeat(len(rows), 1), rows).tolist()
    mass, order = (logits / temperature).softmax(-1).sort(descending=True)
    size = int((mass.cumsum(-1) < top_p).sum()) + 1
    expected = dict(zip(order[:size].tolist(), (mass[:size] / mass[:size].sum()).tolist(), strict=True))
    counted = Counter(drawn[:draws])
    assert set(counted) <= set(expected)
    for token, share in expected.items():
        assert abs(counted[token] / draws - share) < 4.5 * (share * (1 - share) / draws) ** 0.5 + 1e-9
    assert drawn[-1] == int(logits.argmax())


async def test_many_answers_at_once_are_the_same_as_alone(models: LocalModels) -> None:
    """Greedy or drawn with a seed, an answer does not depend on who else is in the batch, and is no other model's."""
    drawn = replace(SHORT, temperature=0.9, seed=7)
    alone = [await whole(models, q, s) for q in QUESTIONS for s in (SHORT, drawn)]
    together = await asyncio.gather(
        *(whole(models, q, s) for q in QUESTIONS for s in (SHORT, drawn)),
        *(whole(models, q, ENDLESS, "gemma3") for q in QUESTIONS),
    )
    assert [a.text for a in together[: len(alone)]] == [a.text for a in alone]
    assert len({a.text for a in alone}) > 6
    written = [0 if a.usage is None else a.usage.completion_tokens for a in alone]
    assert all(0 < tokens <= 24 for tokens in written)
    assert [a.finish for a in alone] == ["length" if tokens == 24 else "stop" for tokens in written]


async def test_what_streams_is_whole_characters(models: LocalModels) -> None:
    """Random bytes of a random model: no delta holds half a character or a replacement mark."""
    async for delta in models.stream("llama", asked("안녕?"), replace(ENDLESS, seed=3)):
        delta.text.encode("utf-8")
        assert "\ufffd" not in delta.text


async def test_a_long_conversation_is_recorded_as_shortened(models: LocalModels) -> None:
    """By characters, the same for every entrant, or by this model's own context: the answer's record says how many turns were dropped."""
    turns = [m for n in range(30) for m in (Message("user", f"질문 {n} " * 4), Message("assistant", "답"))]
    for sampling in (SHORT, replace(SHORT, context_chars=100)):
        said = [delta async for delta in models.stream("llama", [*turns, Message("user", "끝?")], sampling)]
        last = said[-1]
        assert 0 < last.dropped_turns < 30
        assert last.usage
        assert last.usage.prompt_tokens <= 512 - 24


async def test_two_hundred_cancels_leave_nothing_behind(models: LocalModels) -> None:
    """Whoever leaves frees the place at once: no stream, task, socket or memory stays, here or in the worker."""
    us, worker = psutil.Process(), psutil.Process(models.pid)

    async def cancel_one() -> None:
        task = await began(models)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(30):
        await cancel_one()
    await whole(models, "안녕?")
    gc.collect()
    tasks, sockets = len(asyncio.all_tasks()), len(us.net_connections("all"))
    ours, theirs, files = us.memory_info().rss, worker.memory_info().rss, worker.num_fds()
    for _ in range(200):
        await cancel_one()
    answer = await asyncio.wait_for(whole(models, "안녕?"), 5)
    assert answer.text == (await whole(models, "안녕?")).text
    gc.collect()
    assert models.running == 0
    assert len(asyncio.all_tasks()) == tasks
    assert len(us.net_connections("all")) == sockets
    assert worker.num_fds() == files
    assert us.memory_info().rss - ours < 4_000_000
    assert worker.memory_info().rss - theirs < 8_000_000


async def test_first_come_first_served_and_no_model_waits_for_anothers_queue(models: LocalModels) -> None:
    """With every place of one model taken and more in line, the line moves in its order, and the other model answers at once."""
    order: list[int] = []

    async def queued(n: int) -> None:
        async with aclosing(models.stream("llama", asked(f"{n}"), replace(SHORT, max_tokens=40, seed=n))) as deltas:
            await anext(deltas)
            order.append(n)
            async for _ in deltas:
                pass

    line = [asyncio.create_task(queued(n)) for n in range(150)]
    await asyncio.sleep(0)
    await whole(models, "안녕?", entrant="gemma3")
    assert sum(not task.done() for task in line) > 40
    await asyncio.gather(*line)
    groups = [order[n : n + 32] for n in range(0, 150, 32)]
    assert all(abs(sum(group) / len(group) - (32 * n + len(group) / 2)) < 16 for n, group in enumerate(groups))


async def test_admission_is_bounded(models: LocalModels, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for so many answers; questions that were let in too late are told that we are busy, and nothing breaks."""
    monkeypatch.setattr(models, "_waiting", 3)
    monkeypatch.setattr(local, "LATE", 1)
    assert models.room == 3
    running = await asyncio.gather(*(began(models) for _ in range(4)))
    assert models.pid is not None
    os.kill(models.pid, signal.SIGSTOP)  # so that none of them ends meanwhile
    assert models.room == 0
    with pytest.raises(AnswerError, match="busy") as refused:
        await whole(models, "안녕?")
    os.kill(models.pid, signal.SIGCONT)
    assert (refused.value.kind, refused.value.retry_after_s) == ("busy", 5)
    running[0].cancel()
    await asyncio.gather(running[0], return_exceptions=True)
    assert (await whole(models, "안녕?")).finish
    for task in running[1:]:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_crash_fails_what_was_running_and_is_mended(models: LocalModels) -> None:
    """kill -9 in mid-answer: every running answer fails as `crashed`, the next are refused, and soon a new process answers as before."""
    before = (await whole(models, "안녕?")).text
    moved: asyncio.Queue[tuple[bool, Cause]] = asyncio.Queue()
    models._on_state = lambda up, cause: moved.put_nowait((up, cause))
    running = await asyncio.gather(*(began(models, entrant) for entrant in ("llama", "gemma3", "llama")))
    pid = models.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    ended = await asyncio.wait_for(asyncio.gather(*running, return_exceptions=True), 5)
    assert [isinstance(e, AnswerError) and e.kind for e in ended] == ["crashed"] * 3
    assert await moved.get() == (False, Cause("worker_killed", signal=9))
    with pytest.raises(AnswerError, match="being restarted"):
        await whole(models, "안녕?")
    assert (await asyncio.wait_for(moved.get(), 60))[0] is True
    assert models.pid != pid
    assert not psutil.pid_exists(pid)
    assert (await whole(models, "안녕?")).text == before


async def test_a_worker_that_hangs_is_replaced(models: LocalModels, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that lives and says nothing is worth no more than a dead one."""
    moved: asyncio.Queue[tuple[bool, Cause]] = asyncio.Queue()
    models._on_state = lambda up, cause: moved.put_nowait((up, cause))
    monkeypatch.setattr(models, "_stall_s", 0.5)
    running = await began(models)
    assert models.pid is not None
    os.kill(models.pid, signal.SIGSTOP)
    with pytest.raises(AnswerError, match="worker_silent seconds="):
        await asyncio.wait_for(running, 70)
    monkeypatch.setattr(models, "_stall_s", 60.0)
    assert (await asyncio.wait_for(moved.get(), 5))[0] is False
    assert (await asyncio.wait_for(moved.get(), 60))[0] is True
    assert (await whole(models, "안녕?")).finish


async def test_the_worker_never_outlives_the_arena(folders: dict[str, Path]) -> None:
    """kill -9 of the web process ends the worker too: nothing keeps a processor busy for nobody."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from models.local.client import Checkpoint, LocalModels\n"
        "async def main():\n"
        "    models = LocalModels({'m': Checkpoint(pathlib.Path(sys.argv[1]))})\n"
        "    await models.start()\n"
        "    print(models.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, str(folders["gpt2"])]
    arena = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert arena.stdout is not None
    worker = psutil.Process(int(await arena.stdout.readline()))
    arena.kill()
    await arena.wait()
    await asyncio.to_thread(psutil.wait_procs, [worker], 10)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def _no_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def _broken_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not a tensor")


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()


def _state_space(folder: Path) -> None:
    config = MambaConfig(vocab_size=512, hidden_size=32, state_size=4, num_hidden_layers=1)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)


async def test_what_cannot_be_served_is_refused_with_its_key(folders: dict[str, Path], tmp_path: Path) -> None:
    """Another model than the sealed one, a device that is not there, broken files, an architecture with more than keys and values."""
    sealed = digest(folders["llama"])
    cases: list[tuple[str, Any, dict[str, Any], str]] = [
        ("sha256", None, {"sha256": "0" * 64}, rf"the stage file says 0+, .*has {sealed}"),
        ("device", None, {"device": "cuda:7"}, "'cuda:7' is not there"),
        ("chat_template", _no_template, {}, "no chat template"),
        ("path", _broken_weights, {}, "cannot be loaded"),
        ("path", _no_tokenizer, {}, "cannot be loaded"),
        ("path", _state_space, {}, "use backend = 'openai'"),
    ]
    for n, (key, spoil, keys, message) in enumerate(cases):
        folder = save(tmp_path / str(n), "llama")
        if spoil:
            spoil(folder)
        with pytest.raises(RefusedError, match=message) as refused:
            load(_spelled(Checkpoint(folder, **keys)))
        assert refused.value.key == key
    worker = LocalModels({"garam": Checkpoint(folders["llama"], sha256="0" * 64)}, threads=1)
    with pytest.raises(RosterError, match=rf"entrants\.garam\.sha256: the stage file says 0+, .*has {sealed}"):
        await worker.start()
    assert worker.pid is None
