"""Why endpoints say that an answer ended. Only a reason that is known to end a whole answer makes one complete.

The words are those of OpenAI, vLLM, SGLang, TGI, llama.cpp, TensorRT-LLM, Anthropic, Bedrock, Gemini, Cohere, Mistral, DeepSeek, Zhipu, Baidu and
CLOVA Studio, as they come through endpoints that speak the OpenAI protocol. Case, hyphens and spaces do not matter.
"""

from typing import Literal

from models.base import Finish

Failed = Literal["filtered", "aborted", "unfinished"]

# fmt: off
COMPLETE = (
    "stop", "eos", "eos_token", "end_turn", "end_token", "end_id", "stop_sequence", "stop_words",
    "stop_before", "complete", "normal",
)
TRUNCATED = (
    "length", "max_tokens", "max_length", "max_token", "max_output_tokens", "max_completion_tokens",
    "max_new_tokens", "max_tokens_reached", "token_limit", "limit", "model_length", "context_length",
    "model_context_window_exceeded", "error_limit",
)
FILTERED = (
    "content_filter", "content_filtered", "filter", "filtered", "safety", "image_safety", "recitation",
    "blocklist", "prohibited_content", "spii", "sensitive", "refusal", "guardrail_intervened", "error_toxic",
    "moderation",
)
ABORTED = (
    "abort", "aborted", "cancel", "cancelled", "canceled", "user_cancel", "error", "internal_error",
    "server_error", "network_error", "connection_error", "timeout", "timed_out",
    "insufficient_system_resource", "resource_exhausted", "overloaded", "not_finished", "load", "unload",
    "interrupted",
)
# fmt: on
ENDINGS: dict[str, Finish | Failed | None] = {
    **dict.fromkeys(COMPLETE, "stop"),
    **dict.fromkeys(TRUNCATED, "length"),
    **dict.fromkeys(FILTERED, "filtered"),
    **dict.fromkeys(ABORTED, "aborted"),
    **dict.fromkeys(("", "null", "none"), None),
}
"""By the reason in lower case, with underscores; what does not stand here ends no whole answer."""


def ending(reason: object) -> Finish | Failed | None:
    """Read what a finish reason says; nothing where it is none."""
    if reason is None:
        return None
    if reason == "stop":  # nearly always: not worth a look at the table
        return "stop"
    if not isinstance(reason, str):
        return "unfinished"
    return ENDINGS.get(reason.strip().casefold().replace("-", "_").replace(" ", "_"), "unfinished")
