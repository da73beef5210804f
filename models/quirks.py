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

SENTENCES: dict[Quirk, str] = {
    "byte_order_mark": "its stream begins with a byte-order mark, which is dropped",
    "content_parts": "its content comes as typed parts; text parts are the answer, thinking parts are reasoning",
    "done_only": 'it ends answers with [DONE] and no finish reason, so they fail: declare finish = "done_only" if that is how it ends whole answers',
    "empty_finish": 'it writes a finish reason that is none ("", "null") before the end; only a real one counts',
    "finish_alias": "its finish reasons are not the protocol's (stop, length); they are known all the same",
    "invisible_characters": "its text is not in NFC or has characters nobody sees; it is shown in NFC without them, and kept as it was sent",
    "keep_alive_events": "it keeps the connection alive with events in place of comments",
    "lone_reasoning_end": "its template opens a reasoning block, of which only the end comes: declare opens_reasoning = true",
    "no_done": "it closes the stream without [DONE]",
    "no_stream_options": "it does not know stream_options, so it counts no tokens",
    "stop_at_the_bound": "it says that answers ended by themselves that have all the tokens they may have; they count as truncated",
    "split_surrogates": "it cuts characters outside the BMP in two escapes; they are joined",
    "text_after_finish": "words come after a finish reason; the answer ends with the last reason",
    "undeclared_reasoning": "nobody knows whether its template opens a reasoning block, so its answers are shown only once they are whole: "
    "if it opens none, declare opens_reasoning = false to show them while they are written",
    "undecided_reasoning": "an answer was cut before it was clear whether it was reasoning: declare opens_reasoning, true if its template opens a block",
}
