"""What an endpoint says when it will not or cannot answer: recognised by structure first, by words last."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

DETAIL = 500
PROMPT_STATUSES = frozenset({400, 413, 422})
"""About what was asked, not about who asks or how things are there."""
CAN_COMPLAIN = frozenset(("error", "errors", "error_code", "code", "type", "detail", "message", "msg"))
"""The keys of an event that `is_complaint` looks at; and `object`."""
_NESTED = ("error", "errors", "detail", "innererror", "inner_error", "data", "body")
_CODES = ("code", "type", "status", "status_code", "error_code", "error_type", "reason")
_OVERFLOW_CODES = re.compile(
    r"context.?(length|window|size)|exceed_?context|string_above_max_length|input_?too_?long|prompt_?too_?long|^40303$",
    re.IGNORECASE,
)
_OVERFLOW_WORDS = re.compile(
    r"context.{0,12}(length|window|size|limit)|(exceeds?|maximum|over).{0,40}(tokens|context)|(?<!max_)(?<!new_)tokens.{0,60}(exceeds?|must be|at most|limit|too many)"
    r"|(prompt|input|inputs|message|messages|conversation|request|question)\W.{0,40}(too long|too large|exceed)"
    r"|(too many|fewer|reduce).{0,40}tokens|reduce the length|(토큰|컨텍스트|입력|문맥|길이).{0,40}(초과|넘|너무|제한)",
    re.IGNORECASE,
)
_FILTER_CODES = re.compile(
    r"content.?(filter|policy|management)|responsible_?ai|moderation|data_?inspection|sensitive|guardrail|safety|prohibited_content",
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


def complaint(given: Mapping[str, Any] | bytes) -> Complaint:
    """Reads an error in whatever shape it comes."""
    try:
        body = orjson.loads(given) if isinstance(given, bytes) else given
        words = orjson.dumps(body).decode()  # \\u escapes are words too
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        body, words = None, bytes(given).decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
    codes = [str(code) for code in _codes(body)]
    statuses = [int(code) for code in codes if code.isdecimal() and len(code) == 3]
    return Complaint(
        words[:DETAIL],
        statuses[0] if statuses else None,
        any(map(_OVERFLOW_CODES.search, codes)) or _OVERFLOW_WORDS.search(words) is not None,
        any(map(_FILTER_CODES.search, codes)),
    )


def is_complaint(chunk: Mapping[str, Any]) -> bool:
    """Whether an event is an error: by itself, or because it has words of one and no choices."""
    if chunk.get("error") or chunk.get("errors") or chunk.get("object") == "error" or chunk.get("type") == "error":
        return True
    for key in ("error_code", "code"):
        code = chunk.get(key)
        if isinstance(code, int) and code not in (0, 200):
            return True
    return (
        not chunk.get("choices")
        and not chunk.get("usage")
        and any(chunk.get(key) for key in ("detail", "message", "msg", "error_code", "code"))
    )


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
