"""Says what it is told: for tests, load tests and simulated stages."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from models.base import Delta, Message, Sampling, Usage
from models.conversation import fit, within
from models.errors import AnswerError
from models.output_filter import OutputFilter
from models.reasoning import ends_lone
from models.text import plain

Failure = Literal["error", "hang"]


@dataclass(frozen=True, slots=True)
class ScriptedModel:
    """Answers from a list, chosen by the conversation, at a given pace; fails where it is told to. Its tokens are characters.

    Attributes:
        answers: The same conversation gets the same answer; a function is given the conversation and says the answer.
        chars_per_s: 0 is as fast as the loop turns.
        first_token_s: The wait before the first character.
        fail_after_chars: Fails after so many characters, at 0 before the first one.
        failure: How it fails: with an error, or by saying nothing more for ever.
    """

    answers: Sequence[str] | Callable[[Sequence[Message]], str]
    chars_per_s: float = 0
    first_token_s: float = 0
    fail_after_chars: int | None = None
    failure: Failure = "error"

    async def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Delta]:
        """Give the answer for this conversation.

        Raises:
            AnswerError: it was told to fail, or ends a reasoning block twice.
        """
        given, dropped_turns = fit(messages, within(sampling.context_chars))
        whole = self._answer(given)
        shaper = OutputFilter(sampling, opened=ends_lone(plain(whole)))
        prompt_tokens = sum(len(m.content) for m in given)
        await asyncio.sleep(self.first_token_s)
        made = 0
        for made, character in enumerate(whole[: sampling.max_tokens], start=1):
            await self._fail_at(made - 1)
            piece = shaper.feed(character)
            if piece.finish:
                usage = Usage(prompt_tokens, made)
                yield Delta(piece.text, piece.reasoning, usage, dropped_turns, piece.finish, shaper.sent)
                return
            if piece.text or piece.reasoning:
                yield Delta(piece.text, piece.reasoning)
            await asyncio.sleep(1 / self.chars_per_s if self.chars_per_s else 0)
        await self._fail_at(made)
        last = shaper.end("length" if len(whole) > sampling.max_tokens else "stop")
        usage = Usage(prompt_tokens, made)
        yield Delta(last.text, last.reasoning, usage, dropped_turns, last.finish, shaper.sent)

    def _answer(self, messages: Sequence[Message]) -> str:
        if callable(self.answers):
            return self.answers(messages)
        prompt = "\n".join(m.content for m in messages)
        digest = hashlib.sha256(prompt.encode("utf-8")).digest()
        return self.answers[int.from_bytes(digest[:8], "big") % len(self.answers)]

    async def _fail_at(self, said: int) -> None:
        if said != self.fail_after_chars:
            return
        if self.failure == "hang":
            await asyncio.Event().wait()
        raise AnswerError("upstream", f"scripted to fail after {said} characters")
