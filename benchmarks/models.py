"""How fast answers come, side by side with what else could give them: `make bench-models`, or one part of it with `--part`.

`demo` and `30m`: a random Llama of the embedded entrants' size and one of 30 million parameters, at 1, 4, 16 and 64 streams that each ask again
as soon as they are answered: our worker process, a thread per request with `generate` and a streamer, `ContinuousBatchingManager`, and
`transformers serve`. Every token is one word with its space, so that all of them are counted alike, and nobody waits for a space.
`remote`: 1, 50 and 200 streams of 40 tokens a second from an endpoint in another process, read by our client, bare aiohttp and the openai SDK.

Everybody gets the same prompt, sampling, threads and time. Figures of a shared machine wander: what counts are the ratios of one run.
"""

import argparse
import asyncio
import contextlib
import gc
import itertools
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import aiohttp
import openai
import orjson
import psutil
import torch
import transformers
import uvloop
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.decoders import DecodeStream
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, TextStreamer
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from models.base import Message, Sampling
from models.endpoint.openai_compatible import OpenAIModel, open_session
from models.local.client import Checkpoint, LocalModels
from models.local.worker import NICENESS
from tests.support.model_endpoint import endpoint
from tests.support.serving import free_port

ANSWER_TOKENS = 64
WARM_S, WINDOW_S = 1.5, 5.0
THREADS = max(1, (os.cpu_count() or 2) // 2)
SIZES = {"demo": (128, 3, 2048), "30m": (512, 8, 8192), "gpu": (2048, 22, 32000)}
QUESTION = "aaa " + " ".join(f"a{chr(97 + n % 26)}" for n in range(23))
SAMPLING = Sampling(temperature=0.7, top_p=0.95, max_tokens=ANSWER_TOKENS, max_chars=10_000)

Ask = Callable[[], AsyncGenerator[int]]
"""One answer: how many tokens came, each time some do."""


@dataclass
class Seen:
    """What the streams of one run have seen."""

    tokens: int = 0
    first_s: list[float] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)
    cpu_s: float = 0
    window_s: float = 0

    def line(self, name: str, streams: int) -> str:
        """One row of the table."""
        per_token = f"{1000 * self.cpu_s / self.tokens:.2f}" if self.tokens else "–"
        cells = [_ms(self.first_s, 0.5), _ms(self.first_s, 0.99), _ms(self.gaps_s, 0.99), _ms(self.lags_s, 0.99)]
        return f"| {streams} | {name} | {self.tokens / self.window_s:,.0f} | {per_token} | {' | '.join(cells)} |"


def _ms(seconds: list[float], q: float) -> str:
    if not seconds:
        return "–"
    return f"{1000 * sorted(seconds)[min(len(seconds) - 1, int(q * len(seconds)))]:,.0f}"


HEAD = (
    "| streams | engine | tokens/s | CPU ms/token | first token p50 ms | p99 ms | gap p99 ms | loop lag p99 ms |\n"
    "|---|---|---|---|---|---|---|---|"
)


def cpu_s() -> float:
    """Processor time of this process and its children."""
    us = psutil.Process()
    return sum(sum(p.cpu_times()[:2]) for p in (us, *us.children(recursive=True)) if p.is_running())


def own_cpu_s() -> float:
    """Processor time of this process."""
    return time.process_time()


async def measure(ask: Ask, streams: int, window_s: float = WINDOW_S, cpu_s: Callable[[], float] = cpu_s) -> Seen:
    """Keeps so many streams asking, and looks at them for a while once they run."""
    seen, counting = Seen(), False

    async def stream() -> None:
        while True:
            asked, last = time.perf_counter(), 0.0
            async with aclosing(ask()) as pieces:
                async for tokens in pieces:
                    now = time.perf_counter()
                    if counting:
                        seen.tokens += tokens
                        if last:
                            seen.gaps_s.append(now - last)
                    if not last:
                        seen.first_s.append(now - asked)
                    last = now

    async def look_at_the_loop() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            if counting:
                seen.lags_s.append(max(0.0, time.perf_counter() - before - 0.005))

    tasks = [asyncio.create_task(stream()) for _ in range(streams)] + [asyncio.create_task(look_at_the_loop())]
    await asyncio.sleep(WARM_S)
    began, before, counting = time.perf_counter(), cpu_s(), True
    await asyncio.sleep(window_s)
    counting = False
    seen.window_s, seen.cpu_s = time.perf_counter() - began, cpu_s() - before
    failed = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in failed:
        task.result()
    return seen


# --- engines of this machine -------------------------------------------------------------------------------------------


def save(folder: Path, size: str) -> Path:
    """A random Llama whose every token is a word of two or three letters and a space."""
    width, layers, vocabulary = SIZES[size]
    letters = [chr(97 + n) for n in range(26)] + [chr(65 + n) for n in range(26)] + [str(n) for n in range(10)]
    pairs = ["".join(pair) for pair in itertools.product(letters, letters)]
    longer = ["".join(t) for t in itertools.islice(itertools.product(letters, letters, letters), vocabulary)]
    words = (pairs + longer)[: vocabulary - 4]
    special = ["<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"]
    vocab = {word: n for n, word in enumerate([*special, *(w + " " for w in words)])}
    made = Tokenizer(models.WordLevel(vocab, unk_token="<|pad|>"))
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|end|>", additional_special_tokens=special[1:3],
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    fast.chat_template = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }} <|end|>{% endfor %}<|assistant|>"
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers,
        num_attention_heads=width // 64 if width > 128 else 4, num_key_value_heads=max(2, width // 128),
        max_position_embeddings=1024, bos_token_id=None, eos_token_id=3, pad_token_id=0, tie_word_embeddings=True,
    )  # fmt: skip
    model: Any = AutoModelForCausalLM.from_config(config)
    model.get_input_embeddings().weight.data[3] = 0  # so that an answer hardly ever ends before its bound
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    print(f"{size}: {model.num_parameters() / 1e6:.1f} M parameters", flush=True)
    return folder


@contextlib.asynccontextmanager
async def ours(folder: Path, device: str) -> AsyncIterator[Ask]:
    """Our worker process."""
    worker = LocalModels({"m": Checkpoint(folder, dtype=DTYPE, device=device)}, threads=THREADS)
    await worker.start()

    async def ask() -> AsyncGenerator[int]:
        async with aclosing(worker.stream("m", [Message("user", QUESTION)], SAMPLING)) as deltas:
            async for delta in deltas:
                if delta.text:
                    yield delta.text.count(" ")

    yield ask
    await worker.close()


def _opened(folder: Path, device: str) -> tuple[Any, Any, list[int]]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, DTYPE))
    model.to(device).eval()
    messages = [{"role": "user", "content": QUESTION}]
    ids = tokenizer(tokenizer.apply_chat_template(messages, tokenize=False), add_special_tokens=False)["input_ids"]
    return tokenizer, model, ids


class _Streamer(TextStreamer):
    """Hands text to the loop; raises in the thread once nobody reads any more, which is the only way to stop `generate`."""

    def __init__(self, tokenizer: Any, loop: asyncio.AbstractEventLoop, inbox: "asyncio.Queue[str | None]") -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.loop, self.inbox, self.left = loop, inbox, threading.Event()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """More of the answer."""
        if self.left.is_set():
            raise InterruptedError
        if text:
            self.loop.call_soon_threadsafe(self.inbox.put_nowait, text)
        if stream_end:
            self.loop.call_soon_threadsafe(self.inbox.put_nowait, None)


@contextlib.asynccontextmanager
async def threads(folder: Path, device: str) -> AsyncIterator[Ask]:
    """A thread per request in this process, with `generate` and a streamer."""
    tokenizer, model, ids = _opened(folder, device)
    running: set[threading.Thread] = set()

    async def ask() -> AsyncGenerator[int]:
        inbox: asyncio.Queue[str | None] = asyncio.Queue()
        streamer = _Streamer(tokenizer, asyncio.get_running_loop(), inbox)

        def generate() -> None:
            prompt = torch.tensor([ids], device=device)
            with contextlib.suppress(InterruptedError, RuntimeError), torch.inference_mode():
                model.generate(
                    prompt, attention_mask=torch.ones_like(prompt), streamer=streamer, max_new_tokens=ANSWER_TOKENS,
                    do_sample=True, temperature=0.7, top_p=0.95, top_k=0,
                )  # fmt: skip

        thread = threading.Thread(target=generate, daemon=True)
        running.add(thread)
        thread.start()
        try:
            while (text := await inbox.get()) is not None:
                yield text.count(" ")
        finally:
            streamer.left.set()

    yield ask
    for thread in running:
        await asyncio.to_thread(thread.join, 20)


@contextlib.asynccontextmanager
async def batching(folder: Path, device: str) -> AsyncIterator[Ask]:
    """transformers' own continuous batching in a thread of this process, its cache sized so that it starts at all on a CPU."""
    tokenizer, model, ids = _opened(folder, device)
    generation = transformers.GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_p=0.95,
        top_k=0,
        max_new_tokens=ANSWER_TOKENS,
        eos_token_id=3,
        pad_token_id=0,
    )
    manager = model.init_continuous_batching(
        generation_config=generation,
        continuous_batching_config=ContinuousBatchingConfig(num_blocks=256, max_batch_tokens=512),
    )
    manager.start()
    numbers = itertools.count()

    async def ask() -> AsyncGenerator[int]:
        inbox: asyncio.Queue[Any] = asyncio.Queue()
        number, stream, heard = f"r{next(numbers)}", DecodeStream(skip_special_tokens=True), 0
        manager.register_result_handler(number, inbox.put_nowait)
        manager.add_request(list(ids), request_id=number, max_new_tokens=ANSWER_TOKENS, streaming=True)
        over = False
        try:
            while not over:
                output = await inbox.get()
                over = output.is_finished()
                fresh = output.generated_tokens[heard:]
                heard += len(fresh)
                text = "".join(stream.step(tokenizer.backend_tokenizer, token) or "" for token in fresh)
                if text:
                    yield text.count(" ")
        finally:
            if not over:
                manager.cancel_request(number)

    yield ask
    await asyncio.to_thread(manager.stop, block=True, timeout=10)


@contextlib.asynccontextmanager
async def serve(folder: Path, device: str) -> AsyncIterator[Ask]:
    """`transformers serve` with continuous batching, asked by our client."""
    port = free_port()
    command: list[str | Path] = [
        Path(sys.executable).with_name("transformers"), "serve", folder, "--host", "127.0.0.1", "--port", str(port), "--device", device,
        "--dtype", DTYPE, "--continuous-batching", "--cb-num-blocks", "256", "--cb-max-batch-tokens", "512", "--attn-implementation", "sdpa",
    ]  # fmt: skip
    with subprocess.Popen(  # noqa: ASYNC220
        command,
        env={**os.environ, "OMP_NUM_THREADS": str(THREADS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            async with open_session() as session:
                model = OpenAIModel(session, f"http://127.0.0.1:{port}/v1", str(folder))

                async def ask() -> AsyncGenerator[int]:
                    async with aclosing(model.stream([Message("user", QUESTION)], SAMPLING)) as deltas:
                        async for delta in deltas:
                            if delta.text:
                                yield delta.text.count(" ")

                async with asyncio.timeout(90):
                    while True:
                        try:
                            async with session.get(f"http://127.0.0.1:{port}/health"):
                                break
                        except aiohttp.ClientError:
                            await asyncio.sleep(0.2)
                async with aclosing(ask()) as first:
                    async for _ in first:
                        pass
                yield ask
        finally:
            process.kill()


ENGINES = {
    "K-AI Arena": ours,
    "thread per request": threads,
    "ContinuousBatchingManager": batching,
    "transformers serve": serve,
}


async def local(size: str, device: str, streams: list[int], engines: list[str]) -> None:
    """Every engine at every number of streams."""
    torch.set_num_threads(THREADS)
    found: dict[tuple[int, str], Seen] = {}
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), size)
        for name in engines:
            async with ENGINES[name](Path(folder), device) as ask:
                for n in streams:
                    found[n, name] = await measure(ask, n)
                    print(found[n, name].line(name, n), file=sys.stderr, flush=True)
    print(f"\n{size}, {DTYPE} on {device}, answers of {ANSWER_TOKENS} tokens, {THREADS} thread(s) a process\n\n{HEAD}")
    for n in streams:
        for name in engines:
            print(found[n, name].line(name, n))
        rest = [found[n, name].tokens / found[n, name].window_s for name in engines if name != "K-AI Arena"]
        if len(rest) == len(ENGINES) - 1:
            us, thread = found[n, "K-AI Arena"], found[n, "thread per request"]
            speed = us.tokens / us.window_s
            by_thread = f"{speed / (thread.tokens / thread.window_s):.1f}" if thread.tokens else "∞"
            print(
                f"| {n} | *ratio* | {by_thread} × thread per request, {speed / max(rest):.2f} × the best other | | | | | |"
            )


# --- clients of an endpoint --------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def our_client(url: str) -> AsyncIterator[Ask]:
    """Our client, as the roster uses it."""
    async with open_session() as session:
        model = OpenAIModel(session, url, "rate-40")

        async def ask() -> AsyncGenerator[int]:
            async with aclosing(model.stream([Message("user", QUESTION)], LONG)) as deltas:
                async for delta in deltas:
                    if delta.text:
                        yield delta.text.count(" ")

        yield ask


@contextlib.asynccontextmanager
async def bare(url: str) -> AsyncIterator[Ask]:
    """aiohttp with nothing around it: bytes split by hand, one JSON document a chunk."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        body = {
            "model": "rate-40",
            "messages": [{"role": "user", "content": QUESTION}],
            "stream": True,
            "max_tokens": LONG.max_tokens,
        }

        async def ask() -> AsyncGenerator[int]:
            async with session.post(f"{url}/chat/completions", json=body) as response:
                rest = b""
                while piece := await response.content.readany():
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in lines:
                        if line.startswith(b"data: ") and line != b"data: [DONE]":
                            choices = orjson.loads(line[6:])["choices"]
                            if choices and (text := choices[0]["delta"].get("content")):
                                yield text.count(" ")

        yield ask


@contextlib.asynccontextmanager
async def sdk(url: str) -> AsyncIterator[Ask]:
    """The openai SDK."""
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def ask() -> AsyncGenerator[int]:
            stream = await client.chat.completions.create(
                model="rate-40",
                messages=[{"role": "user", "content": QUESTION}],
                stream=True,
                max_tokens=LONG.max_tokens,
            )
            async with stream:
                async for chunk in stream:
                    if chunk.choices and (text := chunk.choices[0].delta.content):
                        yield text.count(" ")

        yield ask


LONG = Sampling(max_tokens=400, max_chars=10_000)
CLIENTS = {"K-AI Arena": our_client, "bare aiohttp": bare, "openai SDK": sdk}


async def remote(streams: list[int], rounds: int) -> None:
    """Every client at every number of streams, in turns, so that a busy minute hits all of them."""
    print(f"\n40 tokens/s a stream, medians of {rounds} rounds\n")
    print(
        "| streams | client | tokens/s | CPU-s per 1,000 tokens | × bare aiohttp | first token p99 ms | loop lag p99 ms |\n|---|---|---|---|---|---|---|"
    )
    with endpoint() as there:
        for n in streams:
            found: dict[str, list[Seen]] = {name: [] for name in CLIENTS}
            for _ in range(rounds):
                for name, client in CLIENTS.items():
                    async with client(there.base_url) as ask:
                        gc.collect()
                        found[name].append(await measure(ask, n, 3.0, own_cpu_s))
            cost = {name: statistics.median(s.cpu_s / s.tokens * 1000 for s in seen) for name, seen in found.items()}
            for name, seen in found.items():
                speed = statistics.median(s.tokens / s.window_s for s in seen)
                first = [x for s in seen for x in s.first_s]
                lags = [x for s in seen for x in s.lags_s]
                print(
                    f"| {n} | {name} | {speed:,.0f} | {cost[name]:.4f} | {cost[name] / cost['bare aiohttp']:.2f} | {_ms(first, 0.99)} | {_ms(lags, 0.99)} |",
                    flush=True,
                )


DTYPE = "float32"


def main() -> None:
    """Runs one part, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["demo", "30m", "gpu", "remote", "all"], default="all")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default=None, help="float32 on a CPU, bfloat16 on CUDA unless given")
    parser.add_argument("--streams", type=int, nargs="*")
    parser.add_argument("--engines", nargs="*", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    global DTYPE
    DTYPE = chosen.dtype or ("bfloat16" if chosen.device.startswith("cuda") else "float32")
    os.nice(max(0, NICENESS - os.nice(0)))  # as our worker, so that a busy machine treats everybody alike
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}, "
        f"transformers {transformers.__version__}, aiohttp {aiohttp.__version__}, openai {openai.__version__}",
        flush=True,
    )
    parts: list[Awaitable[None]] = []
    sizes = ["demo", "30m", *(["gpu"] if chosen.device.startswith("cuda") else [])]
    for size in sizes if chosen.part == "all" else [chosen.part]:
        if size in SIZES:
            parts.append(local(size, chosen.device, chosen.streams or [1, 4, 16, 64], chosen.engines))
    if chosen.part in ("remote", "all"):
        parts.append(remote(chosen.streams or [1, 50, 200], chosen.rounds))

    async def run() -> None:
        for part in parts:
            await part

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


if __name__ == "__main__":
    main()
