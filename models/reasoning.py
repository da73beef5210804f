"""Parts a model's words into what it thought and what it says, while they come.

A block is opened by a tag at the start of a line (an answer may speak of the tag inside a sentence), or by the prompt itself, as some chat templates do.
Then only the closing tag comes, and what stood before it looked like an answer until then. So where nobody knows whether the prompt
opens the block, nothing is shown until a closing tag, an opening tag at the very beginning, or the answer's end has decided it.
"""

import re
from contextlib import suppress

from models.base import Finish
from models.errors import AnswerError

OPENING = ("<think>", "<thinking>", "<thought>")
CLOSING = ("</think>", "</thinking>", "</thought>")
TAG = re.compile(r"</?(?:think|thinking|thought)>")
_OPEN, _CLOSE = (re.compile("|".join(map(re.escape, tags))) for tags in (OPENING, CLOSING))


class ReasoningSplitter:
    """Splits one answer; white space before the first visible word waits until something follows, for a block may."""

    def __init__(self, opened: bool | None, *, cut_is_reasoning: bool = True) -> None:
        """Begins an answer.

        Args:
            opened: whether the prompt has already opened a block; None when nobody knows.
            cut_is_reasoning: what an undecided answer is that was cut before it ended: half a thought, or half an answer.
        """
        self._cut_is_reasoning = cut_is_reasoning
        self.undecided = opened is None
        """Nothing of what came so far is shown, for it may all be reasoning."""
        self.lone_end = False
        """A block ended that only the prompt can have opened."""
        self._thinking = bool(opened)
        self._closable = False  # a tag of the model's own has opened the block
        self.flowing = False
        """Whether words without a tag or a line end are simply the answer's."""
        self._raw = ""  # may become a tag; while undecided, everything
        self._blank_line = True
        self._begun = False
        self._parted = False  # blank lines after a block are part of it
        self._spoke_of_tag = False
        self._lead = ""  # white space that nothing has followed yet

    @property
    def held(self) -> str:
        """What waits for what follows."""
        return self._raw

    def flow(self, words: str) -> None:
        """Notes words that were shown as they are, because everything is `flowing`."""
        if self._blank_line:
            self._blank_line = not words.strip()

    def own_channel(self) -> tuple[str, str]:
        """Notes that reasoning comes in a channel of its own, so that what comes here is the answer; gives what was held back."""
        self.undecided = False
        self._thinking = self._thinking and self._closable
        held, self._raw = self._raw, ""
        return self._part(held, last=False)

    def split(self, raw: str) -> tuple[str, str]:
        """Text and reasoning that are decided now.

        Raises:
            AnswerError: leaked.
        """
        return self._part(raw, last=False)

    def end(self, finish: Finish) -> tuple[str, str]:
        """The rest, once the model has ended. Undecided words are the answer when it ended by itself; when it was cut, they may be half a thought.

        Raises:
            AnswerError: leaked.
        """
        cut = finish == "length" and self._cut_is_reasoning
        if self.undecided and cut and not self._decided(self._raw, last=True):
            self.undecided, held, self._raw = False, self._raw, ""
            return "", held
        return self._part("", last=True)

    def _part(self, raw: str, *, last: bool) -> tuple[str, str]:
        data, self._raw = self._raw + raw, ""
        if self.undecided and not self._decided(data, last=last) and not last:
            self._raw = data
            return "", ""
        self.undecided = False
        text, reasoning = "", ""
        while data:
            if self._thinking:
                data, thought = self._thought(data, last=last)
                reasoning += thought
            else:
                data, said = self._answered(data, last=last)
                text += said
        if last and not self._thinking and not self._parted:
            text, self._lead = text + self._lead, ""
        self.flowing = self._begun and not self._thinking and not self._raw
        return text, reasoning

    def _decided(self, data: str, *, last: bool) -> bool:
        """Looks for the tag that says what the beginning is."""
        start = data.lstrip()
        if start.startswith(OPENING):
            return True
        for found in _CLOSE.finditer(data):
            if self._is_lone_end(data, found, last=last):
                self._thinking = self.lone_end = True
                return True
        return False

    def _thought(self, data: str, *, last: bool) -> tuple[str, str]:
        """Reasoning up to its closing tag; gives what follows, and the reasoning."""
        found = _CLOSE.search(data)
        if found is None:
            data, self._raw = (data, "") if last else _held(data, CLOSING)
            return "", data
        self._thinking, self._blank_line, self._begun, self._parted = False, True, False, True
        return data[found.end() :], data[: found.start()]

    def _answered(self, data: str, *, last: bool) -> tuple[str, str]:
        """The answer up to the next tag that opens a block; gives what follows, and the words."""
        found = TAG.search(data)
        if found is None:
            data, self._raw = (data, "") if last else _held(data, (*OPENING, *CLOSING))
            return "", self._words(data)
        before, tag, after = data[: found.start()], found[0], data[found.end() :]
        if tag in CLOSING:
            if not after and not last:  # whether it ends its line is not known yet
                self._raw = tag
                return "", self._words(before)
            if self._is_lone_end(data, found, last=last):
                raise AnswerError("leaked", f"{tag} without a beginning: declare opens_reasoning for this entrant")
        elif self._blank_after(before):
            said = self._words(before)
            self._lead, self._thinking, self._closable = "", True, True
            return after, said
        else:
            self._spoke_of_tag = True
        return after, self._words(before + tag)

    def _is_lone_end(self, data: str, found: re.Match[str], *, last: bool) -> bool:
        """A closing tag that begins or ends its line, in an answer that has not spoken of the opening one before."""
        if self._spoke_of_tag or _OPEN.search(data, 0, found.start()):
            return False
        after = data[found.end() : found.end() + 1]
        ends_line = after in "\r\n" if after else last
        return ends_line or self._blank_after(data[: found.start()])

    def _blank_after(self, text: str) -> bool:
        line = text.rpartition("\n")
        return line[2].strip() == "" and (bool(line[1]) or self._blank_line)

    def _words(self, text: str) -> str:
        """Visible words; white space at the start waits until something follows."""
        self._blank_line = self._blank_after(text)
        if self._begun or not text:
            return text
        if not text.strip():
            self._lead += text
            return ""
        self._begun = True
        text, self._lead = self._lead + text, ""
        return text.lstrip() if self._parted else text


def ends_lone(answer: str) -> bool:
    """Whether a whole answer closes a reasoning block that only its prompt can have opened."""
    splitter = ReasoningSplitter(None)
    with suppress(AnswerError):  # it closes another one after that
        splitter.split(answer)
        splitter.end("stop")
    return splitter.lone_end


def _held(data: str, tags: tuple[str, ...]) -> tuple[str, str]:
    """The data without an end that may be the beginning of a tag, and that end."""
    kept = overlap(data, tags)
    return (data[:-kept], data[-kept:]) if kept else (data, "")


def overlap(text: str, strings: tuple[str, ...]) -> int:
    """How many characters at the end of `text` may be the beginning of one of `strings`."""
    longest = max(len(s) for s in strings) - 1
    for n in range(min(len(text), longest), 0, -1):
        end = text[-n:]
        if any(s.startswith(end) for s in strings):
            return n
    return 0
