"""What some endpoints do that others do not, and that is understood all the same: an organizer should know, the team may mend it."""

from collections.abc import Callable
from typing import Literal

Quirk = Literal[
    "byte_order_mark",
    "content_parts",
    "done_only",
    "empty_finish",
    "finish_alias",
    "invisible_characters",
    "keep_alive_events",
    "lone_reasoning_end",
    "no_done",
    "no_stream_options",
    "stop_at_the_bound",
    "split_surrogates",
    "text_after_finish",
    "undeclared_reasoning",
    "undecided_reasoning",
]
OnQuirk = Callable[[Quirk], None]
