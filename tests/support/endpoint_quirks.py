"""Quirks of endpoints as people have reported them of real servers, each with what has to become of the answer."""

import asyncio
import json
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from models.endpoint.quirks import Quirk
from models.errors import AnswerErrorKind
from tests.support.endpoint_wire import ANSWER, DONE, PIECES, SECRET, SPOKEN, Talk, chunk, usage

Behaviour = Callable[[Talk], Awaitable[None]]
Status = Literal["complete", "truncated", "failed"]


@dataclass(frozen=True)
class Case:
    """What an endpoint does, and what has to become of it."""

    behave: Behaviour
    status: Status = "complete"
    kind: AnswerErrorKind | None = None
    """Of a failed answer: in the record and in the health figures."""
    quirk: Quirk | None = None
    """What `stage check` says of it."""
    text: str = ANSWER
    reasoning: str = ""
    sent: str | None = None
    declared: Mapping[str, Any] = field(default_factory=dict)
    """What the entrant says of its endpoint in the stage file; by default that its template opens no reasoning."""

    @property
    def healthy(self) -> str:
        """The quirk with which such an endpoint answers well: one that is said to think does."""
        return "lone-end-declared" if self.declared.get("opens_reasoning") else "plain"


def event(body: object) -> bytes:
    """One event with this JSON."""
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def says(*pieces: bytes) -> Behaviour:
    """A whole response of these pieces."""
    return lambda talk: talk.events(*pieces)


def refuses(status: str, body: object) -> Behaviour:
    """An HTTP error with this JSON."""
    return lambda talk: talk.refuse(status, json.dumps(body))


def in_two_segments(status: str, body: object) -> Behaviour:
    """An HTTP error whose JSON comes in two pieces, a moment apart."""

    async def behave(talk: Talk) -> None:
        text = json.dumps(body).encode()
        talk.head(status, "application/json")
        await talk.send(text[:20])
        await asyncio.sleep(0.05)
        await talk.send(text[20:])
        await talk.end()

    return behave


def finishes(reason: Any) -> Behaviour:
    """The answer, then this finish reason."""
    return says(SPOKEN, chunk(finish=reason), DONE)


def fails(*pieces: bytes) -> Behaviour:
    """Half an answer, then these pieces, then an end as if all were well."""
    return says(chunk(PIECES[0]), *pieces, chunk(finish="stop"), DONE)


def words(text: str) -> bytes:
    """The text in pieces of three characters."""
    return b"".join(chunk(text[n : n + 3]) for n in range(0, len(text), 3))


def answers(text: str) -> Behaviour:
    """A whole answer with this text."""
    return says(words(text), chunk(finish="stop"), DONE)


def choice(**more: Any) -> bytes:
    """A chunk whose only choice is this."""
    return event({"object": "chat.completion.chunk", "choices": [{"index": 0, **more}]})


def needs_a_short(*, but_says: Behaviour) -> Behaviour:
    """Takes the question alone, and says this to a longer conversation."""

    async def behave(talk: Talk) -> None:
        alone = len([m for m in talk.asked["messages"] if m["role"] != "system"]) == 1
        await (says(SPOKEN, chunk(finish="stop"), DONE) if alone else but_says)(talk)

    return behave


async def _cut_after_finish(talk: Talk) -> None:
    talk.head()
    await talk.send(SPOKEN + chunk(finish="stop"))
    talk.reset()


async def _cut_before_any_end(talk: Talk) -> None:
    talk.head()
    await talk.send(SPOKEN)
    talk.writer.close()


NFD = unicodedata.normalize("NFD", ANSWER)
HIDDEN = "가\u200b람\u2060팀의 \u00ad모\ufeff델\u3164입니다"
LLAMA_CPP = {
    "error": {
        "code": 400,
        "message": "the request exceeds the available context size",
        "type": "exceed_context_size_error",
    }
}
TGI = {
    "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 512. Given: 400 and 160",
    "error_type": "validation",
}
VLLM = {
    "object": "error",
    "message": "This model's maximum context length is 512 tokens.",
    "type": "BadRequestError",
    "code": 400,
}
FASTCHAT = {"object": "error", "message": "too much", "code": 40303}
UNHEARD_OF = {"detail": "Das geht so nicht."}
THOUGHT = "음, 수도를 묻는다.\n"
MARK = b"\xef\xbb\xbf"

_FINISHES: dict[str, Case] = {
    **{
        f"finish-{r}": Case(finishes(r), quirk="finish_alias")
        for r in ("eos", "end_turn", "STOP", "stop_sequence", "COMPLETE")
    },
    **{
        f"finish-{r}": Case(finishes(r), "truncated", quirk="finish_alias")
        for r in ("max_tokens", "MAX_TOKENS", "model_length", "max-tokens", "model_context_window_exceeded")
    },
    "finish-length": Case(finishes("length"), "truncated"),
    "length-then-stop": Case(says(SPOKEN, chunk(finish="length"), chunk(finish="stop"), DONE), "truncated"),
    "stop-at-the-bound": Case(
        says(SPOKEN, chunk(finish="stop"), usage(completion_tokens=512), DONE), "truncated", quirk="stop_at_the_bound"
    ),
    **{
        f"finish-{r}": Case(finishes(r), "failed", "filtered")
        for r in ("content_filter", "SAFETY", "sensitive", "guardrail_intervened")
    },
    **{
        f"finish-{r}": Case(finishes(r), "failed", "aborted")
        for r in ("abort", "cancelled", "error", "insufficient_system_resource", "network_error")
    },
    **{f"finish-{r}": Case(finishes(r), "failed", "unfinished") for r in ("tool_calls", "whatever", 7, True)},
    **{f"finish-{r!r}": Case(finishes(r), "failed", "unfinished") for r in ("", "null", " ")},
    "empty-finish-in-every-chunk": Case(
        says(*(chunk(piece, finish="") for piece in PIECES), chunk(finish="stop"), DONE), quirk="empty_finish"
    ),
    "finish-taken-back": Case(
        says(chunk(PIECES[0], finish="stop"), *map(chunk, PIECES[1:]), chunk(finish="stop"), DONE),
        quirk="text_after_finish",
    ),
    "words-after-the-finish": Case(
        says(chunk(PIECES[0], finish="stop"), *map(chunk, PIECES[1:]), DONE), "failed", "unfinished"
    ),
    "words-after-done": Case(says(SPOKEN + chunk(finish="stop") + DONE + chunk("더")), "failed", "protocol"),
    "finish-with-the-last-words": Case(says(*map(chunk, PIECES[:-1]), chunk(PIECES[-1], finish="stop"), DONE)),
    "no-done": Case(says(SPOKEN, chunk(finish="stop")), quirk="no_done"),
    "done-only": Case(says(SPOKEN, DONE), "failed", "unfinished", quirk="done_only"),
    "done-only-with-space": Case(says(SPOKEN, b"data:  [DONE] \n\n"), "failed", "unfinished", quirk="done_only"),
    "done-only-declared": Case(says(SPOKEN, DONE), declared={"finish": "done_only"}),
    "done-only-declared-and-no-done": Case(says(SPOKEN), "failed", "unfinished", declared={"finish": "done_only"}),
    "no-end-at-all": Case(says(SPOKEN), "failed", "unfinished"),
    "cut-after-the-finish": Case(_cut_after_finish, "failed", "upstream"),
    "cut-before-any-end": Case(_cut_before_any_end, "failed", "upstream"),
}
_ERRORS: dict[str, Case] = {
    name: Case(fails(piece), "failed", "upstream")
    for name, piece in {
        "event-error": b'event: error\ndata: {"message":"engine dead"}\n\n',
        "event-error-without-data": b"event: error\n\n",
        "error-line": b'error: {"message":"engine dead"}\n\n',
        "error-object": event({"error": {"message": f"{SECRET} exploded"}}),
        "error-string": event({"error": "engine dead"}),
        "error-list": event({"errors": ["engine dead"]}),
        "error-in-the-choice": choice(delta={}, error={"code": 502, "message": "engine dead"}, finish_reason=None),
        "error-beside-choices": event({"error": {"code": 502}, "choices": [{"delta": {"content": "?"}, "finish_reason": None}]}),
        "error-code-beside-choices": event({"code": 50001, "choices": [{"delta": {"content": "?"}, "finish_reason": None}]}),
        "error-fastchat": event({"text": "**NETWORK ERROR DUE TO HIGH TRAFFIC.**", "error_code": 50001}),
        "error-code-message": event({"code": 500, "message": "engine dead"}),
        "error-code-as-text": event({"code": "InternalError", "message": "engine dead"}),
        "error-detail": event({"detail": "engine dead"}),
        "error-object-error": event({"object": "error", "message": "engine dead"}),
        "error-ping-with-an-error": b'event: ping\ndata: {"error":"engine dead"}\n\n',
        "error-named-done": b"event: error\ndata: [DONE]\n\n",
        "error-in-capitals": b"event: ERROR\ndata: {}\n\n",
        "error-without-data-field": b'{"error": "engine dead"}\n\n',
        "error-in-plain-words": b"Internal Server Error\n\n",
        "error-code-in-the-choice": choice(delta={}, text="", error_code=50001, finish_reason=None),
        "error-code-in-the-delta": choice(delta={"content": "", "code": 500, "message": "engine dead"}, finish_reason=None),
        "error-string-code-beside-choices": event({"error_code": "50001", "choices": [{"delta": {"content": "**NETWORK ERROR**"}}]}),
        "error-with-usage": event({"usage": {"prompt_tokens": 1, "completion_tokens": 1}, "detail": "engine dead"}),
        "error-base-resp": event({"choices": [{"delta": {}}], "base_resp": {"status_code": 1002, "status_msg": "engine dead"}}),
        "error-status": event({"choices": [], "status": "failed"}),
        "error-status-code": event({"choices": [], "status_code": 500}),
        "error-type-error": event({"type": "error", "error": {"type": "overloaded_error"}}),
    }.items()
} | {
    name: Case(fails(piece), "failed", "protocol")
    for name, piece in {
        "unknown-event": event({"status": "thinking"}),
        "null-choices": event({"choices": None}),
        "choices-no-list": event({"choices": {}}),
        "usage-of-nothing": event({"usage": {}}),
        "ping-with-more": event({"type": "ping", "status": "dead-ish"}),
        "message-beside-a-delta": choice(delta={"role": "assistant"}, message={"content": "더"}, finish_reason=None),
        "text-part-without-words": choice(delta={"content": [{"type": "text", "words": "더"}]}, finish_reason=None),
        "not-json": b"data: narae is not JSON\n\n",
        "json-list": b"data: []\n\n",
        "deep-json": b"data: " + b"[" * 100_000 + b"\n\n",
        "completion-instead-of-chat": choice(text="더", finish_reason=None),
        "message-instead-of-delta": choice(message={"content": "더"}, finish_reason=None),
        "second-choice": event({"choices": [{"index": 1, "delta": {"content": "?"}, "finish_reason": None}]}),
        "content-of-bare-strings": choice(delta={"content": ["더"]}, finish_reason=None),
        "content-of-unknown-parts": choice(delta={"content": [{"type": "image_url", "image_url": {}}]}, finish_reason=None),
        "content-is-a-number": choice(delta={"content": 7}, finish_reason=None),
    }.items()
} | {
    "filter-as-an-error": Case(fails(event({"error": {"code": "content_filter", "message": "no"}})), "failed", "filtered"),
    "filter-as-a-refusal": Case(refuses("400 Bad Request", {"error": {"code": "content_filter", "message": "no"}}), "failed", "filtered"),
    "error-as-json-with-200": Case(refuses("200 OK", {"error": {"message": "engine dead"}}), "failed", "upstream"),
}  # fmt: skip
_CONTENT: dict[str, Case] = {
    "byte-order-mark": Case(says(MARK + SPOKEN, chunk(finish="stop"), DONE), quirk="byte_order_mark"),
    "byte-order-mark-in-pieces": Case(says(MARK[:1], MARK[1:2], MARK[2:] + SPOKEN, chunk(finish="stop"), DONE), quirk="byte_order_mark"),
    "parts": Case(
        says(*(choice(delta={"content": [{"type": "text", "text": piece}]}, finish_reason=None) for piece in PIECES), chunk(finish="stop"), DONE),
        quirk="content_parts",
    ),
    "thinking-parts": Case(
        says(
            choice(delta={"content": [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]}, finish_reason=None),
            SPOKEN, chunk(finish="stop"), DONE,
        ),
        reasoning=THOUGHT,
        quirk="content_parts",
    ),
    "parts-of-another-shape": Case(
        says(
            choice(delta={"content": [{"type": "text", "text": {"value": ANSWER}}, {"type": "reference", "ids": [1]}]}, finish_reason=None),
            choice(delta={"content": [{"thinking": THOUGHT}, {"type": "redacted_thinking", "data": "…"}]}, finish_reason=None),
            chunk(finish="stop"), DONE,
        ),
        reasoning=THOUGHT,
        quirk="content_parts",
    ),
    "usage-beyond-numbers": Case(
        says(SPOKEN, chunk(finish="stop"), *(b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":%b}}\n\n' % n
                                               for n in (b"Infinity", b"1e400", b"1" + b"0" * 30, b"-5", b'"many"')), DONE)
    ),
    "surrogates": Case(
        says(*(b'data: {"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % h for h in (b"\\ud83d", b"\\ude00")),
             chunk(finish="stop"), DONE),
        text="😀",
        quirk="split_surrogates",
    ),
    "half-a-surrogate": Case(
        says(chunk("가"), b'data: {"choices":[{"delta":{"content":"\\ud83d"},"finish_reason":null}]}\n\n', chunk(finish="stop"), DONE), text="가"
    ),
    "nan": Case(says('data: {"choices":[{"delta":{"content":"가"},"logprobs":NaN,"finish_reason":null}]}\n\n'.encode(), chunk(finish="stop"), DONE), text="가"),
    "decomposed": Case(answers(NFD), sent=NFD, quirk="invisible_characters"),
    "jamo-by-jamo": Case(says(*map(chunk, NFD), chunk(finish="stop"), DONE), sent=NFD, quirk="invisible_characters"),
    "invisible-characters": Case(answers(HIDDEN), text="가람팀의 모델입니다", sent=HIDDEN, quirk="invisible_characters"),
    "emoji": Case(answers("❤️ 👨‍👩‍👧 1️⃣"), text="❤️ 👨‍👩‍👧 1️⃣"),
    "only-invisible": Case(answers("\u200b\u3164 \u2800"), "failed", "empty"),
    "only-white-space": Case(answers(" \n\n"), "failed", "empty"),
    "crlf-without-spaces": Case(says((b": ping\n\nevent: message\n" + SPOKEN + chunk(finish="stop") + DONE).replace(b"data: ", b"data:").replace(b"\n", b"\r\n"))),
    "keep-alive-events": Case(
        says(b"data:\n\ndata: {}\n\n", *(chunk(p) + b'event: ping\ndata: {"type":"ping"}\n\n' for p in PIECES), chunk(finish="stop"), DONE),
        quirk="keep_alive_events",
    ),
    "azure": Case(
        says(event({"choices": [], "prompt_filter_results": []}), choice(delta=None, finish_reason=None), SPOKEN,
             choice(content_filter_offsets={}, finish_reason=None), chunk(finish="stop"), DONE)
    ),
    "refusal-field": Case(says(choice(delta={"refusal": "그건 답할 수 없어요."}, finish_reason=None), chunk(finish="stop"), DONE), text="그건 답할 수 없어요."),
}  # fmt: skip
_REASONING: dict[str, Case] = {
    "plain-undeclared": Case(says(SPOKEN, chunk(finish="stop"), DONE), quirk="undeclared_reasoning", declared={"opens_reasoning": None}),
    "cut-undeclared": Case(finishes("length"), "truncated", quirk="undecided_reasoning", declared={"opens_reasoning": None}),
    "lone-end-undeclared": Case(
        says(words(THOUGHT + "</think>\n\n"), SPOKEN, chunk(finish="stop"), DONE),
        reasoning=THOUGHT, quirk="lone_reasoning_end", declared={"opens_reasoning": None},
    ),
    "lone-end-in-its-line": Case(
        says(words(THOUGHT.strip() + "</think>\n\n"), SPOKEN, chunk(finish="stop"), DONE),
        reasoning=THOUGHT, quirk="lone_reasoning_end", declared={"opens_reasoning": None},
    ),
    "lone-end-in-a-line": Case(
        says(words("비밀이다.</think>"), SPOKEN, chunk(finish="stop"), DONE),
        reasoning="비밀이다.", quirk="lone_reasoning_end", declared={"opens_reasoning": None},
    ),
    "invisible-before-the-tag": Case(
        says(words("\ufeff<think>" + THOUGHT + "</think>\n"), SPOKEN, chunk(finish="stop"), DONE),
        reasoning=THOUGHT, sent="\ufeff<think>" + THOUGHT + "</think>\n" + ANSWER, quirk="invisible_characters",
    ),
    "lone-end-declared": Case(
        says(words(THOUGHT + "</think>\n\n"), SPOKEN, chunk(finish="stop"), DONE), reasoning=THOUGHT, declared={"opens_reasoning": True}
    ),
    "lone-end-wrongly-declared": Case(says(words(THOUGHT + "</think>\n\n"), SPOKEN, chunk(finish="stop"), DONE), "failed", "leaked"),
    "opened-twice": Case(
        says(words("<thought>" + THOUGHT + "</thought>"), SPOKEN, chunk(finish="stop"), DONE),
        reasoning=THOUGHT, declared={"opens_reasoning": None},
    ),
    "own-field-undeclared": Case(
        says(chunk(reasoning_content=THOUGHT), SPOKEN, chunk(finish="stop"), DONE), reasoning=THOUGHT, declared={"opens_reasoning": None}
    ),
    "own-field-declared": Case(
        says(chunk(reasoning=THOUGHT), SPOKEN, chunk(finish="stop"), DONE), reasoning=THOUGHT, declared={"opens_reasoning": True}
    ),
    "speaks-of-the-tag": Case(
        answers("답은 <think> 로 열고 </think>\n로 닫습니다."), text="답은 <think> 로 열고 </think>\n로 닫습니다.", declared={"opens_reasoning": None}
    ),
    "all-thought": Case(says(chunk(reasoning_content=THOUGHT), chunk(finish="length"), DONE), "failed", "empty"),
    "all-thought-and-stopped": Case(says(chunk(reasoning_content=THOUGHT), chunk(finish="stop"), DONE), "failed", "empty"),
    "all-thought-declared": Case(says(words(THOUGHT), chunk(finish="length"), DONE), "failed", "empty", declared={"opens_reasoning": True}),
}  # fmt: skip
_TOO_LONG: dict[str, Case] = {
    "too-long-llama-cpp": Case(refuses("400 Bad Request", LLAMA_CPP), "failed", "too_long"),
    "too-long-tgi": Case(refuses("422 Unprocessable Entity", TGI), "failed", "too_long"),
    "too-long-vllm": Case(refuses("400 Bad Request", VLLM), "failed", "too_long"),
    "too-long-fastchat": Case(refuses("400 Bad Request", FASTCHAT), "failed", "too_long"),
    "too-long-500": Case(refuses("500 Internal Server Error", LLAMA_CPP), "failed", "too_long"),
    "too-long-first-event": Case(says(event({"error": VLLM}), DONE), "failed", "too_long"),
    "too-long-korean": Case(
        refuses("400 Bad Request", {"message": "입력 토큰 수가 최대 길이를 초과했습니다."}), "failed", "too_long"
    ),
    "quota-is-no-length": Case(
        refuses("400 Bad Request", {"error": {"message": "You exceeded your current quota of tokens"}}),
        "failed",
        "rejected",
    ),
    "deadline-is-no-length": Case(
        refuses("500 Internal Server Error", {"error": {"message": "context deadline exceeded"}}), "failed", "upstream"
    ),
    "rate-is-no-length": Case(
        refuses("503 Service Unavailable", {"message": "Rate limit exceeded: too many tokens per minute"}),
        "failed",
        "upstream",
    ),
    "echo-is-no-length": Case(
        refuses("422 Unprocessable Entity", {"detail": [{"msg": "extra fields", "input": "is this prompt too long?"}]}),
        "failed",
        "rejected",
    ),
    "json-answer-instead-of-a-stream": Case(
        refuses("200 OK", {"choices": [{"message": {"content": "the prompt is too long"}}]}), "failed", "protocol"
    ),
    "guard-dislikes-the-words": Case(
        refuses("403 Forbidden", {"message": "blocked by the firewall"}), "failed", "rejected"
    ),
    "too-long-in-two-segments": Case(in_two_segments("400 Bad Request", LLAMA_CPP), "failed", "too_long"),
    "too-long-in-no-known-words": Case(refuses("400 Bad Request", UNHEARD_OF), "failed", "rejected"),
}
QUIRKS: dict[str, Case] = _FINISHES | _ERRORS | _CONTENT | _REASONING | _TOO_LONG
LIMITED: dict[str, Behaviour] = {
    name: needs_a_short(but_says=behave)
    for name, behave in {
        "llama-cpp": refuses("400 Bad Request", LLAMA_CPP),
        "tgi": refuses("422 Unprocessable Entity", TGI),
        "vllm": refuses("400 Bad Request", VLLM),
        "413": refuses("413 Payload Too Large", {}),
        "no-known-words": refuses("422 Unprocessable Entity", UNHEARD_OF),
        "500": refuses("500 Internal Server Error", VLLM),
        "first-event": says(event({"error": "no"}), DONE),
        "first-event-named": says(b"event: error\ndata: no\n\n"),
        "json-with-200": refuses("200 OK", VLLM),
    }.items()
}
"""Endpoints that take a question alone, and say in their own way that more is too much."""
