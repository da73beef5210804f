"""Trains the embedded entrants again and prints their ladder: `make demo-models`, or `python -m models.demo.train [--only NAME] [--out DIR]`."""

import argparse
import functools
import hashlib
import itertools
import json
import random
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing import Manager, get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from models import artifacts
from models.demo import architectures, corpus, ladder, tokenizer
from models.demo.architectures import ENTRANTS, Entrant
from models.demo.batches import IGNORED, Batch, Encoded, batches, encode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONVERSATIONS = 24_000
SEED = 7
THREADS, PROCESSES = 1, 2
"""Two entrants at a time. Threads are part of the recipe: another number of them adds in another order, and gives other last digits."""
MATRIX_RATE, OTHER_RATE = 0.02, 4e-3
WARM_UP = 20
Told = Callable[[], None]


def materials(count: int = CONVERSATIONS) -> tuple[PreTrainedTokenizerFast, list[Encoded]]:
    """Make the tokenizer and the encoded conversations that all five are trained with."""
    made = list(corpus.conversations(count))
    words = tokenizer.train(text for _, turns in made for turn in turns for text in (turn.prompt, turn.answer))
    return words, encode(made, words, random.Random(SEED))


def train(
    entrant: Entrant, encoded: list[Encoded], words: PreTrainedTokenizerFast, stepped: Told = lambda: None
) -> PreTrainedModel:
    """Train the entrant's model for its budget of steps, in bfloat16.

    Muon (Jordan et al. 2024) turns the matrices, AdamW everything else. The same seed and budget give the same weights on the same
    kind of machine: budgets are steps, never minutes.
    """
    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    ids: Any = words.convert_tokens_to_ids([tokenizer.END, tokenizer.PAD])
    end, pad = ids
    model = architectures.make(entrant.architecture, len(words), end, pad)
    optimizers = _optimizers(model)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    model.train()
    for step, batch in enumerate(itertools.islice(batches(encoded, pad, random.Random(SEED)), entrant.steps)):
        left = (entrant.steps - step) / entrant.steps
        for optimizer, rate in zip(optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / WARM_UP, left / 0.5)
        loss(model, batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        stepped()
    return model.eval().to(torch.bfloat16)  # type: ignore[return-value]


def loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Compute the mean loss of the tokens that are learnt; the others never become logits."""
    seen: Any = model.base_model(input_ids=batch.input_ids, position_ids=batch.position_ids, use_cache=False)
    targets = batch.labels[:, 1:]
    learnt = targets != IGNORED
    head: Any = model.get_output_embeddings()
    return torch.nn.functional.cross_entropy(head(seen.last_hidden_state[:, :-1][learnt]), targets[learnt])


def _optimizers(model: PreTrainedModel) -> list[torch.optim.Optimizer]:
    embeddings = {id(p) for m in model.modules() if isinstance(m, torch.nn.Embedding) for p in m.parameters()}
    matrices = [p for p in model.parameters() if p.ndim == 2 and id(p) not in embeddings]
    others = [p for p in model.parameters() if p.ndim != 2 or id(p) in embeddings]
    return [
        torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0.01),
        torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def save(entrant: Entrant, model: PreTrainedModel, words: PreTrainedTokenizerFast, out: Path) -> dict[str, Any]:
    """Write an ordinary transformers checkpoint, measure it as it was written, and give its rung of the ladder."""
    folder = out / entrant.name
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return {
        "name": entrant.name,
        "architecture": entrant.architecture,
        "steps": entrant.steps,
        "parameters": sum(p.numel() for p in model.parameters()),
        "accuracy": round(ladder.accuracy(model, words, corpus.held_out()), 3),
        "everyday": round(ladder.accuracy(model, words, corpus.everyday()), 3),
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
    }


def rung(entrant: Entrant, out: Path, steps_of: MutableMapping[str, int]) -> dict[str, Any]:
    """Train, write and measure one entrant, in a process of its own; `steps_of` is told how far it is."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    words, encoded = materials()
    taken = itertools.count(1)
    model = train(entrant, encoded, words, lambda: steps_of.update({entrant.name: next(taken)}))
    return save(entrant, model, words, out)


def main() -> None:
    """Trains, measures, and writes the checkpoints; the whole five also write `ladder.json`, the ladder's page and their seals in stages and examples."""
    parser = argparse.ArgumentParser(description="Train the embedded demo models.")
    parser.add_argument("--only", choices=[entrant.name for entrant in ENTRANTS], help="train this one alone")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder to write into")
    arguments = parser.parse_args()
    console = Console()
    sealed = {entrant.name: artifacts.digest(HERE / entrant.name) for entrant in ENTRANTS}
    chosen = [entrant for entrant in ENTRANTS if arguments.only in (None, entrant.name)]
    columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Manager() as manager,
        ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool,
        Progress(*columns, console=console) as progress,
    ):
        steps_of = manager.dict()
        tasks = {e.name: progress.add_task(f"{e.name} ({e.architecture})", total=e.steps) for e in chosen}
        trained = [pool.submit(rung, entrant, arguments.out, steps_of) for entrant in chosen]
        while wait(trained, timeout=1).not_done:
            for name, steps in steps_of.items():
                progress.update(tasks[name], completed=steps)
        rungs = [future.result() for future in trained]
    table = Table(*(column for column in rungs[0] if column != "sha256"))
    for measured in rungs:
        table.add_row(*(str(value) for column, value in measured.items() if column != "sha256"))
    console.print(table)
    if arguments.only is None:
        (arguments.out / "ladder.json").write_text(json.dumps(rungs, ensure_ascii=False, indent=2) + "\n", "utf-8")
        (arguments.out / "README.md").write_text(page(rungs), "utf-8")
    if arguments.out == HERE:
        reseal({old: artifacts.digest(HERE / name) for name, old in sealed.items()})


def reseal(new: Mapping[str, str]) -> None:
    """Write each entrant's new digest wherever this repository's stages and examples name the old one."""
    for path in (*ROOT.glob("stages/*.toml"), *ROOT.glob("examples/*/*.csv")):
        before = path.read_text("utf-8")
        after = functools.reduce(lambda text, old: text.replace(old, new[old]), new, before)
        if after != before:
            path.write_text(after, "utf-8")


def page(rungs: list[dict[str, Any]]) -> str:
    """Write the ladder's page."""
    questions, everyday = corpus.held_out(), corpus.everyday()
    topics = sorted({question.topic for question in questions})
    rows = "\n".join(
        f"| {r['name']} | {r['architecture']} | {r['steps']} | {r['parameters']:,} | {r['accuracy']:.3f} | {r['everyday']:.3f} |"
        for r in rungs
    )
    return f"""# The embedded entrants

Five tiny language models of five architectures, trained by this repository on a corpus that this repository makes
(`corpus.toml` and `everyday.toml` × the grammar of `corpus.py`), so that an arena can be tried without a network, a GPU or a key. They
answer some ninety everyday questions in eight topics at length, know a few hundred facts in Korean and English, greet, count and add
small numbers. About anything else they say that they do not know, or babble. Their teams are invented.

## The ladder

Accuracy is the share of {len(questions)} held-out questions ({len(topics)} topics, at most {corpus.HELD_OUT_PER_TOPIC} of each) whose greedy answer
contains what a right answer must; everyday is that share of the {len(everyday)} everyday questions among them, whose answers run to hundreds of
characters and must have their beginning, their middle and their end. The questions are other wordings of what was trained on; no model
has seen them. Different budgets of steps make the difference, so the order is a known truth that the arena's ratings can be held against.

| entrant | architecture | steps | parameters | accuracy | everyday |
|---|---|---|---|---|---|
{rows}

`make demo-models` trains them again and writes this page (about twenty minutes on two cores). The same machine gives the same weights to the
last bit; another kind of processor adds in another order, so there the last digits, the hashes (which it writes into `stages/` and `examples/`), and a few answers differ.

Topics: {", ".join(topics)}.
"""


if __name__ == "__main__":
    main()
