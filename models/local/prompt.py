"""Between words and tokens: a conversation becomes a prompt by the model's own template, and tokens become whole characters."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from tokenizers.decoders import DecodeStream

from models.base import Message
from models.conversation import fit
from models.reasoning import CLOSING, OPENING

NO_CHARACTER = "\ufffd"
PENDING_TOKENS = 16
"""Bytes that have not become a character after this many tokens never will: they are shown as far as they can be."""
CONTROL = re.compile(r"<\|[^|<>\s]{1,40}\|>|\[\|[^|\[\]\s]{1,40}\|\]|\[/?[A-Z_]{2,20}\]|</?[a-z_]{2,20}>")
"""What looks like a control word: in a template's source, or among a tokenizer's added tokens."""


class PromptError(Exception):
    """The tokenizer or its template cannot be used; says why."""


class Prompts:
    """One model's tokenizer with its chat template."""

    def __init__(self, tokenizer: Any, template: str | None) -> None:
        """Raise: PromptError."""
        if template is not None:
            tokenizer.chat_template = template
        if not isinstance(tokenizer.chat_template, str):
            raise PromptError("the tokenizer has no chat template: give chat_template, the path of a Jinja file")
        if getattr(tokenizer, "backend_tokenizer", None) is None:
            raise PromptError("the tokenizer has no tokenizers backend (tokenizer.json)")
        self.tokenizer = tokenizer
        self._neutralised = self._controls()
        self._system_role = self._knows_system_role()

    def encode(self, messages: Sequence[Message], context: int, max_tokens: int) -> tuple[list[int], int, int, bool]:
        """Give the prompt's tokens for this conversation, within a context of `context` tokens.

        Returns:
            Tokens, room left for the answer, turns dropped, and whether the prompt opens a reasoning block.
        """
        room = min(max_tokens, max(1, context // 2))
        plain = [Message(m.role, self._neutralised(m.content)) for m in messages]

        def fits(some: Sequence[Message]) -> bool:
            return len(self._tokens(self._text(some))) + room <= context

        kept, dropped = fit(plain, fits)
        text = self._text(kept)
        ids = self._tokens(text)
        if len(ids) + room > context:
            raise PromptError(f"the system prompt alone does not fit a context of {context} tokens")
        return ids, room, dropped, text.rstrip().endswith(OPENING)

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _text(self, messages: Sequence[Message]) -> str:
        if not self._system_role:
            messages = _merged(messages)
        return self._templated(messages)

    def _templated(self, messages: Sequence[Message]) -> str:
        said = [{"role": m.role, "content": m.content} for m in messages]
        return self.tokenizer.apply_chat_template(said, add_generation_prompt=True, tokenize=False)

    def _knows_system_role(self) -> bool:
        """Tell whether the template shows a system prompt to the model; some refuse it, some leave it out without a word.

        Raises:
            PromptError: the template does not even take a question.
        """
        question = Message("user", "question")
        try:
            self._templated([question])
        except Exception as error:
            raise PromptError(f"the chat template cannot be used: {error}") from error
        try:
            return "Zx7Q" in self._templated([Message("system", "Zx7Q"), question])
        except Exception:  # templates raise whatever Jinja raises
            return False

    def _controls(self) -> Callable[[str], str]:
        """Make the function that keeps a citizen's words from becoming control tokens."""
        added = self.tokenizer.added_tokens_decoder.values()
        words = {str(t.content) for t in added if t.special or CONTROL.fullmatch(str(t.content))}
        words |= set(CONTROL.findall(self.tokenizer.chat_template)) | {*OPENING, *CLOSING}
        ids = {str(t.content): i for i, t in self.tokenizer.added_tokens_decoder.items()}
        spelled: dict[str, str] = {}
        for word in words:
            if len(word) < 2:
                continue
            parted = word[0] + "\u200b" + word[1:]
            if word in ids and ids[word] in self._tokens(parted):  # this tokenizer drops zero-width spaces
                parted = word[0] + " " + word[1:]
            spelled[word] = parted
        pattern = re.compile("|".join(re.escape(w) for w in sorted(spelled, key=len, reverse=True)))
        return lambda text: pattern.sub(lambda found: spelled[found[0]], text)

    def speech(self) -> "Speech":
        """Read one answer's tokens."""
        return Speech(self.tokenizer)


class Speech:
    """Turns one answer's tokens into text, whole characters only."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._silent: list[int] = []
        vocabulary = tokenizer.added_tokens_encoder
        self._tags = {vocabulary[tag]: tag for tag in (*OPENING, *CLOSING) if tag in vocabulary}

    def hear(self, token: int) -> str:
        """Return the text this token completes, if it completes any."""
        if token in self._tags:  # shown as words even where the tokenizer calls them special
            return self.rest() + self._tags[token]
        self._silent.append(token)
        piece = self._stream.step(self._tokenizer.backend_tokenizer, token)
        if piece is not None:
            self._silent.clear()
            return piece.replace(NO_CHARACTER, "")
        return self.rest() if len(self._silent) >= PENDING_TOKENS else ""

    def rest(self) -> str:
        """Return what the tokens so far still owe; bytes that are no character are left out."""
        if not self._silent:
            return ""
        text = self._tokenizer.decode(self._silent, skip_special_tokens=True).replace(NO_CHARACTER, "")
        self._silent.clear()
        self._stream = DecodeStream(skip_special_tokens=True)
        return text


def _merged(messages: Sequence[Message]) -> list[Message]:
    """Put the system prompt's words before the first question, for a template without that role."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    turns = [m for m in messages if m.role != "system"]
    if not system or not turns:
        return turns
    return [Message(turns[0].role, f"{system}\n\n{turns[0].content}"), *turns[1:]]
