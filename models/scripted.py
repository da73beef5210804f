"""Says what it is told: for tests, load tests and simulated stages."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from models.base import Delta, Message, Sampling, Usage
from models.errors import AnswerError


@dataclass(frozen=True, slots=True)
class ScriptedModel:
    """Answers from a list, chosen by the prompt, at a given pace; fails where it is told to."""

    answers: tuple[str, ...]
    chars_per_s: float = 0
    """0: as fast as the loop turns."""
    first_token_s: float = 0
    fail_after_chars: int | None = None

    async def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """The answer for this conversation: the same conversation, the same answer."""
        prompt = "\n".join(m.content for m in messages)
        digest = hashlib.sha256(prompt.encode("utf-8")).digest()
        whole = self.answers[int.from_bytes(digest[:8], "big") % len(self.answers)]
        text = whole[: sampling.max_chars]
        await asyncio.sleep(self.first_token_s)
        for n, character in enumerate(text):
            if self.fail_after_chars is not None and n >= self.fail_after_chars:
                raise AnswerError("upstream", f"scripted to fail after {self.fail_after_chars} characters")
            yield Delta(text=character)
            await asyncio.sleep(1 / self.chars_per_s if self.chars_per_s else 0)
        yield Delta(usage=Usage(len(prompt), len(text)), finish="length" if len(text) < len(whole) else "stop")
