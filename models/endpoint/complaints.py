"""What an endpoint says when it will not or cannot answer: recognised by structure first, by words last."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

DETAIL = 500
WORDS = 2000
"""So much of a message is looked at: an endpoint's errors cost next to nothing, however long they are."""
PROMPT_STATUSES = frozenset({400, 413, 422})
"""About what was asked, not about who asks or how things are there."""
_NESTED = ("base_resp", "error", "errors", "detail", "details", "innererror", "inner_error", "data", "body")
_CODES = ("code", "type", "status", "status_code", "error_code", "error_type", "reason")
_MESSAGES = ("message", "msg", "detail", "error", "text", "title", "description")
_FINE = frozenset(("", "0", "200", "ok", "success", "succeeded", "none", "null", "true"))
_OVERFLOW_CODE = re.compile(
    r"context_?(length|window|size)|exceed_?context|string_above_max_length|(input|prompt)_?too_?(long|large)|^40303$",
    re.IGNORECASE,
)
_KOREAN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_OVERFLOW_WORDS = re.compile(
    r"context[ _-]?(length|window|size)|maximum (context|sequence|input|prompt|model)\b|reduce the length"
    r"|\b(prompt|inputs?|messages?|conversation|question)\b.{0,20}\b(is|are|was|were)? ?(too (long|large)|longer than)"
    r"|(?<!max_)(?<!new_)tokens.{0,60}(exceeds?|must be|must have|at most|longer than|limit)|(exceeds?|maximum|more than|fewer than).{0,40}\btokens"
    rf"|{_KOREAN['overflow']}",
    re.IGNORECASE,
)
_NOT_OVERFLOW = re.compile(
    r"quota|rate.?limit|per (minute|hour|day)|billing|credit|time.?out|timed out|deadline|overload|out of memory|capacity|queue",
    re.IGNORECASE,
)
_FILTER_CODE = re.compile(
    r"^(content_?filter(ed|_error)?|content_policy_violation|content_management_policy|responsible_?ai\w*|data_?inspection_?failed|moderation_blocked"
    r"|prohibited_content|sensitive(_\w+)?|safety|guardrail\w*)$",
    re.IGNORECASE,
)


class Complaint(NamedTuple):
    """What was said, and what it means."""

    detail: str
    status: int | None
    """An HTTP status that stands in it."""
    overflow: bool
    """The conversation is too long for the model."""
    filtered: bool
    """A content filter of the endpoint's."""


def complaint(given: Mapping[str, Any] | bytes, status: int | None = None) -> Complaint:
    """Read an error in whatever shape it comes; `status` is the response's own, where it is one of an error."""
    try:
        body = orjson.loads(given) if isinstance(given, bytes) else given
        said = orjson.dumps(body).decode()  # \\u escapes are words too
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        body = said = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
    codes = [str(code)[:80] for code in _codes(body)]
    words = "\n".join(_messages(body))[:WORDS]
    statuses = [status] if status else [int(code) for code in codes if code.isdecimal() and len(code) == 3]
    about_it = not statuses or statuses[0] in PROMPT_STATUSES or statuses[0] == 500
    vetoed = _NOT_OVERFLOW.search(words) or any(map(_NOT_OVERFLOW.search, codes))
    overflow = any(map(_OVERFLOW_CODE.search, codes)) or (_OVERFLOW_WORDS.search(words) is not None and not vetoed)
    return Complaint(
        said[:DETAIL],
        statuses[0] if statuses else None,
        about_it and overflow,
        any(map(_FILTER_CODE.search, codes)),
    )


def is_error(part: Mapping[str, Any]) -> bool:
    """Tell whether an event, a choice or a delta calls itself an error, or has the code of one."""
    if part.get("error") or part.get("errors"):
        return True
    if any(str(part.get(key)).lower() == "error" for key in ("object", "type")):
        return True
    if isinstance(base := part.get("base_resp"), Mapping) and is_error(base):  # MiniMax
        return True
    codes = [part[key] for key in ("error_code", "code", "status_code") if part.get(key) is not None]
    return any(isinstance(code, int | str) and str(code).lower() not in _FINE for code in codes)


def is_complaint(chunk: Mapping[str, Any]) -> bool:
    """Tell whether an event is an error: by itself, or because it has words of one and no choices."""
    if is_error(chunk):
        return True
    if chunk.get("choices"):
        return False
    if str(chunk.get("status", "")).lower() in ("error", "failed", "failure", "cancelled", "dead"):
        return True
    return any(
        str(chunk[key]).lower() not in _FINE for key in ("detail", "message", "msg") if chunk.get(key) is not None
    )


CAN_COMPLAIN = frozenset(
    ["error", "errors", "error_code", "code", "status_code", "status", "type", "detail", "message", "msg", "base_resp"]
)
"""The keys that `is_complaint` looks at; and `object`."""


def _codes(body: Any, depth: int = 4) -> Iterator[object]:
    if isinstance(body, list) and depth:
        for part in body[:4]:
            yield from _codes(part, depth - 1)
    if not isinstance(body, Mapping) or not depth:
        return
    for key in _CODES:
        if isinstance(code := body.get(key), str | int):
            yield code
    for key in _NESTED:
        yield from _codes(body.get(key), depth - 1)


def _messages(body: Any, depth: int = 4) -> Iterator[str]:
    """Find what is said for people; never what a server repeats of the question."""
    if isinstance(body, str):
        yield body[:WORDS]
    elif isinstance(body, list) and depth:
        for part in body[:4]:
            yield from _messages(part, depth - 1)
    elif isinstance(body, Mapping) and depth:
        for key in dict.fromkeys((*_MESSAGES, *_NESTED)):
            if key in body:
                yield from _messages(body[key], depth - 1)
