"""Opens a stage's entrants once, keeps count of how each fares, and takes a failing one out of the draw until it answers again."""

import asyncio
import contextlib
import hashlib
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from models.base import Delta, Message, Model, Sampling
from models.errors import AnswerError, RosterError
from models.local import Checkpoint, LocalModels
from models.scripted import ScriptedModel

FAILURES_TO_OPEN = 3
COOL_DOWN_S = 20.0
WINDOW = 200


class _Specification(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TransformersSpecification(_Specification):
    """A checkpoint served on this machine."""

    backend: Literal["transformers"]
    path: str
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    device: str = "cpu"
    sha256: str | None = None
    """Of model.safetensors; checked at load."""


class ScriptedSpecification(_Specification):
    """Says what it is told."""

    backend: Literal["scripted"]
    answers: Annotated[tuple[str, ...], Field(min_length=1)]
    chars_per_s: float = 0
    first_token_s: float = 0
    fail_after_chars: int | None = None


Specification = Annotated[TransformersSpecification | ScriptedSpecification, Field(discriminator="backend")]
_adapter: TypeAdapter[TransformersSpecification | ScriptedSpecification] = TypeAdapter(Specification)


def parse_entrant(entrant_id: str, keys: Mapping[str, object]) -> TransformersSpecification | ScriptedSpecification:
    """Reads the keys that say where an entrant's model runs.

    Raises:
        RosterError: names the entrant, the key and the value.
    """
    try:
        return _adapter.validate_python(dict(keys))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][1:]) or "backend"
        raise RosterError(f"entrants.{entrant_id}.{key}: {first['msg']} (found {first['input']!r})") from None


@dataclass(slots=True)
class Health:
    """How one entrant has fared since the stage was served."""

    asked: int = 0
    answered: int = 0
    running: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_token_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    total_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    failures_in_a_row: int = 0
    out_since: float | None = None
    outage_s: float = 0.0


class Roster:
    """The stage's entrants, opened."""

    def __init__(self, models: Mapping[str, Model], clock: Callable[[], float] = time.monotonic) -> None:
        self._models = dict(models)
        self._clock = clock
        self._health = {entrant: Health() for entrant in models}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        specifications: Mapping[str, Mapping[str, object]],
        *,
        base_dir: Path,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> AsyncIterator["Roster"]:
        """Opens every entrant, checks its artifacts, and closes all of them at the end.

        Raises:
            RosterError: an entrant cannot be opened; names it, the key and the value.
        """
        parsed = {entrant: parse_entrant(entrant, keys) for entrant, keys in specifications.items()}
        checkpoints: dict[str, Checkpoint] = {}
        models: dict[str, Model] = {}
        for entrant, specification in parsed.items():
            match specification:
                case TransformersSpecification():
                    path = await asyncio.to_thread(_checked_path, entrant, specification, base_dir)
                    checkpoints[entrant] = Checkpoint(path, specification.dtype, specification.device)
                case ScriptedSpecification():
                    keys = specification.model_dump(exclude={"backend"})
                    models[entrant] = ScriptedModel(**keys)
        local = LocalModels(checkpoints)
        if checkpoints:
            progress(f"loading {len(checkpoints)} models: {', '.join(checkpoints)} …")
            await local.start()
            models |= {entrant: local.stream_of(entrant) for entrant in checkpoints}
        try:
            yield cls({entrant: models[entrant] for entrant in parsed})
        finally:
            await local.close()

    def available(self) -> frozenset[str]:
        """Who can be drawn now: everybody but those whose last answers failed, until their cool-down is over."""
        now = self._clock()
        return frozenset(
            entrant
            for entrant, health in self._health.items()
            if health.out_since is None or now - health.out_since >= COOL_DOWN_S
        )

    def health(self) -> Mapping[str, Health]:
        """How every entrant has fared."""
        return self._health

    async def stream(self, entrant_id: str, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """The entrant's answer as it is made, with its health kept.

        Raises:
            AnswerError: the answer failed.
        """
        health, began = self._health[entrant_id], self._clock()
        health.asked += 1
        health.running += 1
        first = True
        try:
            async with aclosing(self._models[entrant_id].stream(messages, sampling)) as deltas:
                async for delta in deltas:
                    if first and (delta.text or delta.reasoning):
                        first = False
                        health.first_token_s.append(self._clock() - began)
                    yield delta
        except AnswerError as error:
            health.errors[error.kind] += 1
            health.failures_in_a_row += 1
            if health.failures_in_a_row >= FAILURES_TO_OPEN:
                health.out_since = self._clock()
            raise
        else:
            health.answered += 1
            health.total_s.append(self._clock() - began)
            health.failures_in_a_row = 0
            if health.out_since is not None:
                health.outage_s += self._clock() - health.out_since
                health.out_since = None
        finally:
            health.running -= 1


def _checked_path(entrant: str, specification: TransformersSpecification, base_dir: Path) -> Path:
    path = base_dir / specification.path
    weights = path / "model.safetensors"
    if not weights.is_file():
        raise RosterError(
            f"entrants.{entrant}.path: {specification.path!r} holds no model.safetensors (looked in {path})"
        )
    if specification.sha256 is not None:
        with weights.open("rb") as file:
            found: Any = hashlib.file_digest(file, "sha256").hexdigest()
        if found != specification.sha256:
            raise RosterError(
                f"entrants.{entrant}.sha256: the stage file says {specification.sha256}, {weights} has {found}: not the sealed model"
            )
    return path
