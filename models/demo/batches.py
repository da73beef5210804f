"""Conversations as token ids, and batches of them: packed row by row, so that no step is spent on padding."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from models.demo.corpus import Conversation
from models.demo.tokenizer import CONTEXT

ROWS, WIDTH = 12, 256
IGNORED = -100


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


def encode(made: Iterable[tuple[str, Conversation]], words: PreTrainedTokenizerFast) -> list[Encoded]:
    """The conversations as the chat template writes them; turns that no longer fit into a row are left out."""
    pieces: list[list[tuple[str, bool]]] = []
    for system, turns in made:
        pieces.append([(f"<|system|>{system}<|end|>", False)] if system else [])
        for turn in turns:
            pieces[-1] += [(f"<|user|>{turn.prompt}<|end|><|assistant|>", False), (f"{turn.answer}<|end|>", True)]
    flat = words([text for conversation in pieces for text, _ in conversation], add_special_tokens=False)["input_ids"]
    ids_of = iter(flat)
    encoded = []
    for conversation in pieces:
        whole = Encoded([], [])
        turn = Encoded([], [])
        for _, learnt in conversation:
            ids = next(ids_of)
            turn.ids.extend(ids)
            turn.labels.extend(ids if learnt else [IGNORED] * len(ids))
            if learnt:
                if len(whole.ids) + len(turn.ids) <= WIDTH:
                    whole = Encoded(whole.ids + turn.ids, whole.labels + turn.labels)
                turn = Encoded([], [])
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
