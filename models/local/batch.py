"""One model and the batch of answers it writes: prompts join and leave at any step, and every step gives each answer one token."""

import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from models.local.cache import RowCache, room_for

MAX_ROWS = 64
CHUNK_TOKENS = {"cpu": 256, "cuda": 4096}
"""A long prompt is read in pieces of this many tokens, so that running answers wait for a piece and not for all of it."""
REDRAWS = 8
"""So often a token outside the nucleus is drawn again before the vocabulary is sorted after all; with top_p = 0.95 once in 10^10 tokens."""


@dataclass(eq=False)
class Row:
    """One answer in the batch."""

    id: int
    prompt: list[int]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    draw: Callable[[], float] = field(init=False)
    """The next uniform number of this answer, whoever else is in the batch."""

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed).random  # noqa: S311


@dataclass
class Reading:
    """Prompts that are being read together, padded on the left to one length."""

    rows: list[Row]
    cache: RowCache
    ids: torch.Tensor
    positions: torch.Tensor
    dropped: set[int] = field(default_factory=set)


class Batch:
    """The answers one model is writing. It knows token ids only; text is its caller's business."""

    def __init__(self, model: Any, device: torch.device, memory_bytes: int) -> None:
        """`memory_bytes`: what keys and values of all answers together may take.

        Raises:
            UnsupportedState: the architecture remembers more than keys and values.
        """
        self.model = model
        self.device = device
        self.memory_bytes = memory_bytes
        self.chunk = CHUNK_TOKENS.get(device.type, CHUNK_TOKENS["cpu"])
        self.waiting: deque[Row] = deque()
        self.reading: Reading | None = None
        self.rows: list[Row] = []
        self.cache = self._cache()
        self._last = torch.zeros(0, dtype=torch.long, device=device)
        self._bytes_per_token = self._try_out()

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.rows or self.waiting or self.reading)

    def add(self, row: Row) -> None:
        """Queue an answer: first come, first served."""
        self.waiting.append(row)

    def remove(self, ids: set[int]) -> None:
        """Take answers out at once, wherever they are."""
        self.waiting = deque(row for row in self.waiting if row.id not in ids)
        if self.reading:
            self.reading.dropped |= ids
            if all(row.id in self.reading.dropped for row in self.reading.rows):
                self.reading = None
        self._leave([i for i, row in enumerate(self.rows) if row.id in ids])

    def clear(self) -> list[int]:
        """Forget everything; give the ids of the answers that were there."""
        reading = self.reading.rows if self.reading else []
        ids = [row.id for row in itertools.chain(self.rows, reading, self.waiting)]
        self.waiting.clear()
        self.reading = None
        self.rows = []
        self.cache = self._cache()
        self._last = self._last[:0]
        return ids

    def step(self) -> list[tuple[int, int]]:
        """One piece of reading and one step of writing; gives `(id, token)` for every answer that got one."""
        said: list[tuple[int, int]] = []
        if self.reading is None and self.waiting and len(self.rows) < MAX_ROWS:
            self._begin_reading()
        if self.rows:
            said = self._write()
        if self.reading is not None:
            said += self._read()
        return said

    def _begin_reading(self) -> None:
        """Take as many waiting prompts as may join now; a group costs one pass over its padded length."""
        rows: list[Row] = []
        while self.waiting and len(self.rows) + len(rows) < MAX_ROWS:
            group = [*rows, self.waiting[0]]
            together = [*self.rows, *group]
            widest = max(len(row.prompt) + row.max_tokens for row in together)
            if len(together) > 1 and room_for(len(together), widest) * self._bytes_per_token > self.memory_bytes:
                break
            padded = len(group) * max(len(row.prompt) for row in group)
            if rows and padded > max(self.chunk, 2 * sum(len(row.prompt) for row in group)):
                break
            rows.append(self.waiting.popleft())
        if not rows:
            return
        cache = self._cache(rows=len(rows), columns=max(len(row.prompt) for row in rows))
        cache.begin([len(row.prompt) for row in rows])
        widest = max(len(row.prompt) for row in rows)
        ids = torch.tensor([[0] * (widest - len(row.prompt)) + row.prompt for row in rows], device=self.device)
        positions = (cache.mask[: len(rows), :widest].long().cumsum(1) - 1).clamp(min=0)
        self.reading = Reading(rows, cache, ids, positions)

    def _read(self) -> list[tuple[int, int]]:
        """Read one more piece of the prompts; after the last one they join, with their first token."""
        reading = self.reading
        assert reading is not None  # noqa: S101
        cache, widest = reading.cache, reading.ids.shape[1]
        end = min(widest, cache.width + max(1, self.chunk // len(reading.rows)))
        piece = slice(cache.width, end)
        out = self.model(
            input_ids=reading.ids[:, piece],
            attention_mask=cache.mask[: cache.rows, :end],
            position_ids=reading.positions[:, piece],
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache.width = end
        if end < widest:
            return []
        self.reading = None
        stay = [i for i, row in enumerate(reading.rows) if row.id not in reading.dropped]
        rows = [reading.rows[i] for i in stay]
        if not rows:
            return []
        self.cache.join(cache, stay)
        tokens = sample(out.logits[stay, -1], rows)
        self.rows += rows
        self._last = torch.cat([self._last, tokens])
        return [(row.id, token) for row, token in zip(rows, tokens.tolist(), strict=True)]

    def _write(self) -> list[tuple[int, int]]:
        """One token for every running answer."""
        cache = self.cache
        mask = cache.next_column()
        positions = cache.width - torch.tensor(cache.starts, device=self.device)
        out = self.model(
            input_ids=self._last[:, None],
            attention_mask=mask,
            position_ids=positions[:, None],
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache.width += 1
        self._last = sample(out.logits[:, -1], self.rows)
        return [(row.id, token) for row, token in zip(self.rows, self._last.tolist(), strict=True)]

    def _leave(self, places: list[int]) -> None:
        if not places:
            return
        self.cache.leave(places)
        kept = list(range(len(self.rows)))
        for place in sorted(places, reverse=True):  # as the cache does: the last one moves into the free place
            kept[place] = kept[-1]
            kept.pop()
        self.rows = [self.rows[i] for i in kept]
        self._last = self._last[torch.tensor(kept, dtype=torch.long, device=self.device)]

    def _cache(self, rows: int = 4, columns: int = 256) -> RowCache:
        return RowCache(self.model.config, self.device, rows, columns)

    def _try_out(self) -> int:
        """One token through the model: it runs at all, and says how large a token's keys and values are."""
        self.add(Row(-1, [0], 1, 0, 1, 0))
        self._bytes_per_token = 0
        self.step()
        size = self.cache.bytes_per_token()
        self.clear()
        return size


def sample(logits: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """Choose the next token of each row, `[rows]`: the likeliest at temperature 0, else drawn from the nucleus.

    The nucleus is the smallest set of likeliest tokens whose mass reaches top_p. A token drawn from all of them is in it if those likelier
    than it weigh less than top_p; one that is not is drawn again. That is the same distribution, and nothing has to be sorted.
    """
    drawn = [i for i, row in enumerate(rows) if row.temperature > 0]
    if len(drawn) < len(rows):
        chosen = logits.argmax(-1)
        if drawn:
            chosen[drawn] = sample(logits[drawn], [rows[i] for i in drawn])
        return chosen
    some = logits.float()
    mass = (some / some.new_tensor([row.temperature for row in rows])[:, None]).softmax(-1)
    top_p = some.new_tensor([row.top_p for row in rows])
    tokens = torch.zeros(len(rows), dtype=torch.long, device=logits.device)
    missing, upto = list(range(len(rows))), mass.cumsum(-1)
    for _ in range(REDRAWS):
        at = slice(None) if len(missing) == len(rows) else missing
        uniform = some.new_tensor([rows[i].draw() for i in missing])[:, None]
        picked = torch.searchsorted(upto[at], uniform * upto[at][:, -1:], right=True).clamp_(max=mass.shape[1] - 1)
        weight = mass[at].gather(1, picked)
        likelier = torch.where(mass[at] > weight, mass[at], 0).sum(-1)
        tokens[at] = picked[:, 0]
        within = ((likelier < top_p[at]) & (weight[:, 0] > 0)).tolist()
        missing = [i for i, good in zip(missing, within, strict=True) if not good]
        if not missing:
            break
    else:
        uniform = some.new_tensor([rows[i].draw() for i in missing])[:, None]
        tokens[missing] = _from_sorted(mass[missing], top_p[missing, None], uniform)
    return tokens


def _from_sorted(mass: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """One token of each row's nucleus, the long way: for a nucleus so small that it is hard to hit."""
    best, order = mass.sort(dim=-1, descending=True)
    upto = best.cumsum(-1)
    size = torch.searchsorted(upto, top_p).clamp_(max=upto.shape[1] - 1)
    pick = torch.searchsorted(upto, uniform * upto.gather(1, size), right=True).minimum(size)
    return order.gather(1, pick)[:, 0]
