"""Keys and values of many answers side by side: one row per answer, padded on the left, so that all of them write the same column."""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import Cache, CacheLayerMixin, DummyLayer, DynamicLayer, DynamicSlidingWindowLayer

COLUMNS = 256
"""Buffers grow by doubling, from this many columns."""


class UnsupportedState(Exception):
    """The architecture remembers more than keys and values, which cannot be padded and joined."""


class RowLayer(CacheLayerMixin):
    """One layer's keys and values, `[rows, heads, columns, dim]`, in buffers larger than what is used of them."""

    def __init__(self, owner: "RowCache", *, is_sliding: bool) -> None:
        super().__init__()
        self.owner = owner
        self.is_sliding = is_sliding

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make the buffers in the shapes and types the model uses."""
        rows, columns = self.owner.capacity
        self.keys, self.values = (
            x.new_zeros(rows, x.shape[1], columns, x.shape[3]) for x in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new columns and give all columns in use."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None  # noqa: S101
        assert self.values is not None  # noqa: S101
        rows, width = key_states.shape[0], self.owner.width
        end = width + key_states.shape[2]
        self.keys[:rows, :, width:end] = key_states
        self.values[:rows, :, width:end] = value_states
        return self.keys[:rows, :, :end], self.values[:rows, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Every layer keeps every column: a sliding window is the mask's business."""
        return self.owner.width + query_length, 0

    def get_seq_length(self) -> int:
        """Columns in use."""
        return self.owner.width

    def get_max_length(self) -> int:
        """No bound of its own."""
        return -1

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Refuse: rows are moved by their owner."""
        raise NotImplementedError

    def tensors(self) -> list[torch.Tensor]:
        """Keys and values, once there are any."""
        return [x for x in (self.keys, self.values) if x is not None]


class RowCache(Cache):
    """The rows of one model, with the mask that says which columns of a row are its own."""

    def __init__(self, config: Any, device: torch.device, rows: int = 4, columns: int = COLUMNS) -> None:
        """Raise: UnsupportedState."""
        self.capacity = (rows, columns)
        self.width = 0
        self.rows = 0
        self.starts: list[int] = []
        self.mask = torch.zeros(rows, columns, dtype=torch.bool, device=device)
        super().__init__(layers=[self._layer(layer) for layer in DynamicCache(config=config).layers])

    def _layer(self, layer: Any) -> Any:
        if type(layer) in (DynamicLayer, DynamicSlidingWindowLayer):
            return RowLayer(self, is_sliding=type(layer) is DynamicSlidingWindowLayer)
        if isinstance(layer, DummyLayer):
            return layer
        raise UnsupportedState(type(layer).__name__)

    def kept(self) -> list[RowLayer]:
        """List the layers that hold something."""
        return [layer for layer in self.layers if isinstance(layer, RowLayer)]

    def bytes_per_token(self) -> int:
        """Compute what one token of one answer takes, after the first one was written."""
        return sum(x.shape[1] * x.shape[3] * x.element_size() for layer in self.kept() for x in layer.tensors())

    def begin(self, lengths: list[int]) -> None:
        """Begin new rows for prompts of these lengths, padded on the left to the longest: their columns are written next."""
        self.rows, widest = len(lengths), max(lengths)
        self.starts = [widest - n for n in lengths]
        self._grow(self.rows, widest)
        columns = torch.arange(widest, device=self.mask.device)
        starts = torch.tensor(self.starts, device=self.mask.device)
        self.mask[: self.rows, :widest] = columns >= starts[:, None]

    def next_column(self) -> torch.Tensor:
        """Make room for one token per row; give the mask that includes it."""
        if self.width + 1 > self.capacity[1]:
            self.trim()
            self._grow(self.rows, self.width + 1)
        self.mask[: self.rows, self.width] = True
        return self.mask[: self.rows, : self.width + 1]

    def join(self, other: "RowCache", rows: list[int]) -> None:
        """Take rows of another cache over, behind the rows that are here."""
        lengths = [other.width - other.starts[row] for row in rows]
        width = max(self.width, *lengths)
        self._grow(self.rows + len(rows), width)
        if self.rows and width > self.width:
            self._shift(width - self.width)
        self.width = width
        for row, length in zip(rows, lengths, strict=True):
            start, here = width - length, self.rows
            for mine, theirs in zip(self.kept(), other.kept(), strict=True):
                if not mine.is_initialized:
                    mine.lazy_initialization(*theirs.tensors())
                for x, y in zip(mine.tensors(), theirs.tensors(), strict=True):
                    x[here, :, start:width] = y[row, :, other.starts[row] : other.width]
                    x[here, :, :start] = 0
            self.mask[here, :start] = False
            self.mask[here, start:width] = True
            self.starts.append(start)
            self.rows += 1

    def leave(self, rows: list[int]) -> None:
        """Free rows: the last row moves into each free place, so that rows stay side by side."""
        for row in sorted(rows, reverse=True):
            last = self.rows - 1
            if row != last:
                for layer in self.kept():
                    for x in layer.tensors():
                        x[row, :, : self.width] = x[last, :, : self.width]
                self.mask[row] = self.mask[last]
                self.starts[row] = self.starts[last]
            self.starts.pop()
            self.rows = last
        if not self.rows:
            self.width = 0
        elif min(self.starts) > self.width // 4:
            self.trim()

    def trim(self) -> None:
        """Drop the columns on the left that no row uses any more."""
        if first := min(self.starts):
            self._shift(-first)

    def _shift(self, by: int) -> None:
        """Move every row's columns to the right, or to the left."""
        source = slice(max(0, -by), self.width)
        target = slice(max(0, by), self.width + by)
        for layer in self.kept():
            for x in layer.tensors():
                x[: self.rows, :, target] = x[: self.rows, :, source].clone()
                if by > 0:
                    x[: self.rows, :, :by] = 0
        self.mask[: self.rows, target] = self.mask[: self.rows, source].clone()
        self.mask[: self.rows, : max(0, by)] = False
        self.width += by
        self.starts = [start + by for start in self.starts]

    def _grow(self, rows: int, columns: int) -> None:
        had_rows, had_columns = self.capacity
        if rows <= had_rows and columns <= had_columns:
            return
        want_rows, want_columns = max(had_rows, _doubled(rows)), max(had_columns, _doubled(columns))
        self.capacity = (want_rows, want_columns)
        for layer in self.kept():
            if layer.is_initialized:
                layer.keys, layer.values = (
                    _padded(x, (want_rows, x.shape[1], want_columns, x.shape[3])) for x in layer.tensors()
                )
        self.mask = _padded(self.mask, (want_rows, want_columns))


def room_for(rows: int, columns: int) -> int:
    """How many tokens the buffers have room for when they must hold this many rows and columns."""
    return _doubled(rows) * _doubled(columns)


def _doubled(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _padded(x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    larger = x.new_zeros(shape)
    larger[tuple(slice(n) for n in x.shape)] = x
    return larger
