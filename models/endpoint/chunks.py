"""Reads one event of a chat-completions stream: its words, its finish reason, its usage, or the error that it is."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from models.base import Usage
from models.endpoint.complaints import CAN_COMPLAIN, DETAIL, Complaint, complaint, is_complaint, is_error
from models.endpoint.quirks import OnQuirk
from models.endpoint.sse import ERROR, Event
from models.errors import AnswerError

MOST_TOKENS = 1 << 31
KEEP_ALIVE = frozenset({b"ping", b"keepalive", b"keep-alive", b"heartbeat"})
PING_KEYS = frozenset({"type", "time", "timestamp", "ts", "id"})
_TEXT_PARTS = frozenset({"text", "text_delta", "output_text", "refusal"})
_SILENT_PARTS = frozenset({"redacted_thinking", "reference"})
"""They hold no words of the model's."""
_PART_KEYS = ("text", "thinking", "reasoning", "refusal", "content", "value")
_REASONING_PARTS = frozenset(
    {"thinking", "thinking_delta", "reasoning", "reasoning.text", "reasoning_text", "reasoning_content"}
)


_VERSION_CHARS = 120

Chunk = tuple[str, str, object, Usage | None]
"""What one event says: text, reasoning, the finish reason as it stands there, and usage."""


class ComplaintError(Exception):
    """The event is an error."""

    def __init__(self, said: Complaint) -> None:
        super().__init__(said.detail)
        self.complaint = said


class ChunkReader:
    """Reads the events of one answer, in their order."""

    def __init__(self, on_quirk: OnQuirk) -> None:
        self._on_quirk = on_quirk
        self.version: str | None = None
        """What answers, as the events say: the model, and the fingerprint of its system where there is one."""
        self._text, self._reasoning = _Halves(), _Halves()
        self._odd = False
        self._usual: tuple[str, ...] = ()
        self._usual_choice: tuple[str, ...] = ()

    def read(self, event: Event) -> Chunk | None:
        """Read what the event says; nothing where it only keeps the connection alive.

        Raises:
            AnswerError: protocol: nothing that is not understood is taken for silence.
            ComplaintError: the endpoint has failed.
        """
        data, name = event
        if name or data[:1] != b"{":
            if name.lower() == ERROR:
                raise ComplaintError(complaint(data))
            if not data.strip():
                return None
            if data.strip() in KEEP_ALIVE:
                self._on_quirk("keep_alive_events")
                return None
        chunk = self._parsed(data)
        if (keys := tuple(chunk)) != self._usual or chunk.get("object") in ("error", "Error"):
            if is_complaint(chunk):
                raise ComplaintError(complaint(data))
            if not CAN_COMPLAIN.intersection(keys):  # the next chunk with the same keys need not be looked at
                self._usual = keys
        if self.version is None:
            self.version = _version(chunk)
        choices, usage = chunk.get("choices"), chunk.get("usage")
        if choices and not usage and (usual := self._usual_words(choices)) is not None:
            return usual
        if choices is None and not usage:
            self._expect_keep_alive(chunk, name, data)
            return None
        try:
            text, reasoning, reason = self._said(choices if choices is not None else [])
        except (TypeError, AttributeError, KeyError, RecursionError) as error:
            raise AnswerError("protocol", f"a chunk of another shape: {error}: {_shown(data)}") from None
        if self._odd:
            text, reasoning = self._text.joined(text), self._reasoning.joined(reasoning)
        return text, reasoning, reason, _usage(usage) if usage else None

    def _usual_words(self, choices: Any) -> Chunk | None:
        """Nearly every chunk: one choice of the shape of the last one, whose delta is a piece of text and nothing else."""
        if not self._usual_choice or self._odd or type(choices) is not list or len(choices) != 1:
            return None
        choice = choices[0]
        if type(choice) is not dict or tuple(choice) != self._usual_choice or choice.get("index"):
            return None
        delta = choice.get("delta")
        if type(delta) is not dict or len(delta) != 1 or type(text := delta.get("content")) is not str:
            return None
        return text, "", choice.get("finish_reason"), None

    def _expect_keep_alive(self, chunk: dict[str, Any], name: bytes, data: bytes) -> None:
        """Raise AnswerError unless this says nothing but that the connection lives."""
        named = name.lower() in KEEP_ALIVE or str(chunk.get("type")).encode() in KEEP_ALIVE
        if chunk and not (named and set(chunk) <= PING_KEYS):
            raise AnswerError("protocol", f"an event of another kind: {_shown(data)}")
        self._on_quirk("keep_alive_events")

    def _parsed(self, data: bytes) -> dict[str, Any]:
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            try:
                chunk = json.loads(data)  # takes half a surrogate pair, and the NaN of somebody's log-probabilities
            except (ValueError, RecursionError):
                raise AnswerError("protocol", f"not JSON: {_shown(data)}") from None
            self._odd = True
            if b"\\ud" in data.lower():
                self._on_quirk("split_surrogates")
        if not isinstance(chunk, dict):
            raise AnswerError("protocol", f"not a chunk: {_shown(data)}")
        return chunk

    def _said(self, choices: list[dict[str, Any]]) -> tuple[str, str, object]:
        if not isinstance(choices, list):
            raise TypeError("choices that are no list")
        text, reasoning, reason = "", "", None
        for choice in choices:
            if choice.get("index"):
                raise TypeError("a second choice, though one was asked for")
            delta = choice.get("delta")
            if CAN_COMPLAIN.isdisjoint(choice):
                self._usual_choice = () if "text" in choice else tuple(choice)
            elif is_error(choice):
                raise ComplaintError(complaint(choice))
            if (ended := choice.get("finish_reason")) is not None:
                reason = ended
            content = delta.get("content") if delta else None
            if not content and (choice.get("text") or _content(choice.get("message"))):
                raise TypeError("words beside the delta")
            if not delta:
                continue
            if not CAN_COMPLAIN.isdisjoint(delta) and is_error(delta):
                raise ComplaintError(complaint(delta))
            said, thought = self._words(content)
            own = delta.get("reasoning_content") or delta.get("reasoning") or delta.get("thinking")
            text += said + (delta.get("refusal") or "")
            reasoning += thought + "".join(self._words(own))
        return text, reasoning, reason

    def _words(self, content: Any) -> tuple[str, str]:
        """Text and reasoning of a content: a string, or typed parts."""
        if isinstance(content, str):
            return content, ""
        if not content:
            return "", ""
        self._on_quirk("content_parts")
        text, reasoning = "", ""
        for part in [content] if isinstance(content, Mapping) else content:
            key = next((key for key in _PART_KEYS if part.get(key) is not None), None)
            kind = part.get("type") or ("thinking" if key in ("thinking", "reasoning") else "text")
            if kind in _SILENT_PARTS:
                continue
            if key is None:
                raise TypeError(f"a part of the kind {str(kind)[:40]!r} without words")
            said, thought = self._words(part[key])
            if kind in _TEXT_PARTS:
                text, reasoning = text + said, reasoning + thought
            elif kind in _REASONING_PARTS:
                reasoning += said + thought
            elif kind not in _SILENT_PARTS:
                raise TypeError(f"a part of the kind {str(kind)[:40]!r}")
        return text, reasoning


class _Halves:
    """Joins the halves of characters outside the BMP that a server has escaped into two chunks; half a one alone is none."""

    def __init__(self) -> None:
        self._half = ""

    def joined(self, text: str) -> str:
        """Join the halves in the text; one at its end waits for the next text."""
        if not text:
            return ""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _content(message: Any) -> object:
    return message.get("content") if isinstance(message, Mapping) else message


def _version(chunk: dict[str, Any]) -> str | None:
    """Read OpenAI's `model` and `system_fingerprint`, where they are words of a line."""
    told = [chunk.get(name) for name in ("model", "system_fingerprint")]
    words = [word for word in told if isinstance(word, str) and word and len(word) <= _VERSION_CHARS]
    return " ".join(words) if words and all(word.isprintable() for word in words) else None


def _usage(given: Any) -> Usage | None:
    """Read what it cost, where the numbers are numbers of tokens."""
    try:
        counted = Usage(int(given["prompt_tokens"]), int(given["completion_tokens"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return counted if all(0 <= n < MOST_TOKENS for n in (counted.prompt_tokens, counted.completion_tokens)) else None


def _shown(data: bytes) -> str:
    return data[:DETAIL].decode("utf-8", "replace")
