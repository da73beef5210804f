"""Conversations as token ids, and batches of them: packed row by row, so that no step is spent on padding."""

import itertools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from models.demo.corpus import Conversation
from models.demo.tokenizer import CONTEXT

ROWS, WIDTH = 6, 512
IGNORED = -100
CUT, LONG, OPENING = 0.8, 64, 24
"""In this share of the conversations an answer of more than LONG tokens is cut after its OPENING, and nothing follows.

Which answer to begin is much harder to learn than how it goes on, and so many more questions fit into a step.
"""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One conversation: its token ids, and which of them are learnt (the answers and their ends)."""

    ids: list[int]
    labels: list[int]


@dataclass(frozen=True, slots=True)
class Batch:
    """`ROWS` rows of whole conversations, each (rows, WIDTH); a position that does not go on from the last one begins a conversation."""

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor


def encode(
    made: Iterable[tuple[str, Conversation]], words: PreTrainedTokenizerFast, dice: random.Random
) -> list[Encoded]:
    """Encode the conversations as the chat template writes them; turns that no longer fit into a row are left out."""
    written: list[list[str]] = []
    for system, turns in made:
        written.append([])
        for turn in turns:
            written[-1] += [f"<|user|>{turn.prompt}<|end|><|assistant|>", f"{turn.answer}<|end|>"]
        if system:
            written[-1][0] = f"<|system|>{system}<|end|>{written[-1][0]}"
    flat: Any = words([text for texts in written for text in texts], add_special_tokens=False)["input_ids"]
    ids = iter(flat)
    encoded = []
    for texts in written:
        whole = Encoded([], [])
        pieces = list(itertools.islice(ids, len(texts)))
        longest = LONG if dice.random() < CUT else WIDTH
        for asked, answered in zip(pieces[::2], pieces[1::2], strict=True):
            said = answered if len(answered) <= longest else answered[:OPENING]
            if len(whole.ids) + len(asked) + len(said) <= WIDTH:
                whole.ids.extend(asked + said)
                whole.labels.extend([IGNORED] * len(asked) + said)
            if said is not answered:
                break
        encoded.append(whole)
    return encoded


def batches(encoded: list[Encoded], pad: int, dice: random.Random) -> Iterator[Batch]:
    """Batches without end, in a new order each time round.

    Half of the conversations begin at a random position, so that a model whose positions are learnt one by one has met all of them.
    """
    stream = _shuffled(encoded, dice)
    waiting = next(stream)
    while True:
        input_ids = torch.full((ROWS, WIDTH), pad)
        labels = torch.full((ROWS, WIDTH), IGNORED)
        position_ids = torch.zeros((ROWS, WIDTH), dtype=torch.long)
        for row in range(ROWS):
            at = 0
            while at + len(waiting.ids) <= WIDTH:
                size = len(waiting.ids)
                first = dice.randrange(CONTEXT - size) if dice.random() < 0.5 else 0
                input_ids[row, at : at + size] = torch.tensor(waiting.ids)
                labels[row, at : at + size] = torch.tensor(waiting.labels)
                position_ids[row, at : at + size] = torch.arange(first, first + size)
                at, waiting = at + size, next(stream)
        yield Batch(input_ids, position_ids, labels)


def _shuffled(encoded: list[Encoded], dice: random.Random) -> Iterator[Encoded]:
    order = list(range(len(encoded)))
    while True:
        dice.shuffle(order)
        yield from (encoded[i] for i in order)
