"""Parts a model's words into what it thought and what it says, while they come.

A block is opened by a tag at the start of a line (an answer may speak of the tag inside a sentence), or by the prompt itself, as some chat templates do.
Then only the closing tag comes, and what stood before it looked like an answer until then. So where nobody knows whether the prompt
opens the block, nothing is shown until a closing tag, an opening tag at the very beginning, or the answer's end has decided it.
"""

import re

from models.base import Finish
from models.errors import AnswerError

PAIRS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<seed:think>": "</seed:think>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
}
"""Opening and closing tags, in lower case; models write them in any."""
OPENING, CLOSING = tuple(PAIRS), tuple(PAIRS.values())
LEFT_OVER = re.compile(
    r"</?\s*(?:seed:)?(?:think|thinking|thought|thoughts|reasoning|reflection|analysis)\b[^<>\n]{0,80}>|\[/?think\]|◁/?think▷"
    r"|<\|(?:channel|begin_of_thought|end_of_thought|/?think)\|>",
    re.IGNORECASE,
)
"""What looks like a tag of reasoning, known here or not: no answer should hold one."""
_OPEN, _CLOSE, _TAG = (
    re.compile("|".join(map(re.escape, tags)), re.IGNORECASE) for tags in (OPENING, CLOSING, (*OPENING, *CLOSING))
)
_MAY_BEGIN_TAG = re.compile(r"[<\[◁\n]").search
_LONGEST = max(map(len, CLOSING))
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)+")


Segment = tuple[str, str]
"""A stretch of the answer, or of reasoning: `(text, reasoning)`, one of them empty."""


class ReasoningSplitter:
    """Splits one answer; white space before the first visible word waits until something follows, for a block may.

    Whatever the pieces are, the parts are the same; each character is looked at a bounded number of times.
    """

    def __init__(self, opened: bool | None, *, cut_is_reasoning: bool = True) -> None:
        """Begin an answer.

        Args:
            opened: whether the prompt has already opened a block; None when nobody knows.
            cut_is_reasoning: what an undecided answer is that was cut before it ended: half a thought, or half an answer.
        """
        self.undecided = opened is None
        """Nothing of what came so far is shown, for it may all be reasoning."""
        self.lone_end = False
        """A block ended that only the prompt can have opened."""
        self.leak: AnswerError | None = None
        """A block ended after it had been shown as the answer; whoever bounds the answer decides whether it ended before that."""
        self.flowing = False
        """Whether words without the beginning of a tag or a line end are simply the answer's."""
        self._cut_is_reasoning = cut_is_reasoning
        self._closers: tuple[str, ...] = CLOSING if opened else ()  # what ends the block that is open now
        self._by_prompt = bool(opened)
        self._raw = ""  # may become a tag; while undecided, everything
        self._looked_at = 0  # of what is undecided
        self._blank_line = True
        self._begun = False
        self._said = False
        self._spoke_of_tag = False
        self._last = ""  # the character before what comes next
        self._lead = ""  # white space that nothing has followed yet

    @property
    def held(self) -> str:
        """What waits for what follows."""
        return self._raw

    def flows(self, words: str) -> bool:
        """Tell whether these words are simply the answer's, and note them if so: nearly all are."""
        if not self.flowing or _MAY_BEGIN_TAG(words):
            return False
        if words:
            self._last = words[-1]
            if self._blank_line:
                self._blank_line = not words.strip()
        return True

    def own_channel(self) -> list[Segment]:
        """Note that reasoning comes in a channel of its own, so that what comes here is the answer; give what was held back."""
        if self._by_prompt:
            self._by_prompt, self._closers = False, ()
        self.undecided = False
        held, self._raw = self._raw, ""
        return self._part(held, last=False)

    def split(self, raw: str) -> list[Segment]:
        """Give the text and the reasoning that are decided now, in the order in which they were written; nothing more after a `leak`."""
        return self._part(raw, last=False)

    def end(self, finish: Finish) -> list[Segment]:
        """Give the rest, once the model has ended. Undecided words are the answer when it ended by itself; when it was cut, they may be half a thought."""
        if self.undecided and finish == "length" and self._cut_is_reasoning:
            self.undecided, held, self._raw = False, self._raw, ""
            return [("", held)]
        return self._part("", last=True)

    def _part(self, raw: str, *, last: bool) -> list[Segment]:
        if self.leak is not None:
            return []
        data, self._raw = self._raw + raw, ""
        if self.undecided and not self._decided(data) and not last:
            self._raw = data
            return []
        self.undecided = False
        found: list[Segment] = []
        while data:
            if self._closers:
                data, thought = self._thought(data, last=last)
                found.append(("", thought))
            else:
                data, said = self._answered(data, last=last)
                found.append((said, ""))
        if last and not self._closers and self._said:
            found.append((self._lead, ""))
            self._lead = ""
        self.flowing = self._begun and not self._closers and not self._raw
        return found

    def _decided(self, data: str) -> bool:
        """Look for the tag that says what the beginning is; never twice at the same place."""
        if data.lstrip()[:_LONGEST].lower().startswith(OPENING):
            return True
        if self._spoke_of_tag:
            return False
        for found in _TAG.finditer(data, max(0, self._looked_at - _LONGEST)):
            if found[0].lower() in OPENING:
                self._spoke_of_tag = True  # so a closing tag after it is spoken of too
                return False
            if data[found.start() - 1 : found.start()] != "`":
                self._closers, self.lone_end = CLOSING, True
                return True
        self._looked_at = len(data)
        return False

    def _thought(self, data: str, *, last: bool) -> tuple[str, str]:
        """Reasoning up to its closing tag; gives what follows, and the reasoning."""
        found = next((each for each in _CLOSE.finditer(data) if each[0].lower() in self._closers), None)
        if found is None:
            data, self._raw = (data, "") if last else _held(data, self._closers)
            return "", data
        self._closers, self._by_prompt, self._blank_line, self._begun = (), False, True, False
        return data[found.end() :], data[: found.start()]

    def _answered(self, data: str, *, last: bool) -> tuple[str, str]:
        """Read the answer up to the next tag; give what follows, and the words."""
        found = _TAG.search(data)
        if found is None:
            data, self._raw = (data, "") if last else _held(data, (*OPENING, *CLOSING))
            return "", self._words(data)
        before, tag, after = data[: found.start()], found[0], data[found.end() :]
        if tag.lower() in OPENING:
            if self._blank_after(before):
                said = self._words(before)
                self._lead, self._closers = "", (PAIRS[tag.lower()],)
                return after, said
            self._spoke_of_tag = True
        elif not self._begun and not before.strip():
            self._lead = ""  # nothing was shown that it could end
            return after, ""
        elif not self._spoke_of_tag and (before[-1:] or self._last) != "`":
            self.leak = AnswerError("leaked", f"{tag} without a beginning: declare opens_reasoning for this entrant")
            return "", self._words(before)
        return after, self._words(before + tag)

    def _blank_after(self, text: str) -> bool:
        line = text.rpartition("\n")
        return line[2].strip() == "" and (bool(line[1]) or self._blank_line)

    def _words(self, text: str) -> str:
        """Visible words; white space at the start waits until something follows, and blank lines before the first word are none."""
        if not text:
            return ""
        self._blank_line, self._last = self._blank_after(text), text[-1]
        if self._begun:
            return text
        if not text.strip():
            self._lead += text
            return ""
        text, self._lead = self._lead + text, ""
        if not self._said:
            text = _BLANK_LINES.sub("", text, count=1) if _BLANK_LINES.match(text) else text
        self._begun = self._said = True
        return text


def ends_lone(answer: str) -> bool:
    """Tell whether a whole answer closes a reasoning block that only its prompt can have opened."""
    splitter = ReasoningSplitter(None)
    splitter.split(answer)
    splitter.end("stop")
    return splitter.lone_end


def _held(data: str, tags: tuple[str, ...]) -> tuple[str, str]:
    """Split off the end of the data that may be the beginning of a tag."""
    kept = overlap(data.lower() if len(data.lower()) == len(data) else data, tags)
    return (data[:-kept], data[-kept:]) if kept else (data, "")


def overlap(text: str, strings: tuple[str, ...]) -> int:
    """How many characters at the end of `text` may be the beginning of one of `strings`."""
    longest = max(len(s) for s in strings) - 1
    for n in range(min(len(text), longest), 0, -1):
        end = text[-n:]
        if any(s.startswith(end) for s in strings):
            return n
    return 0
