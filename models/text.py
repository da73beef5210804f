"""Text from outside in the one form in which it is bounded, marked, shown and kept: NFC, without what no reader sees."""

import re
import unicodedata

import regex

_IGNORABLE = regex.compile(
    # What an emoji is made of stays: a family, a heart in red, a digit on a key.
    r"((?<=\p{Extended_Pictographic}\uFE0F?|\p{Emoji_Modifier})\u200D(?=\p{Extended_Pictographic})"
    r"|(?<=\p{Extended_Pictographic})[\uFE0E\uFE0F]|(?<=[0-9#*])\uFE0F(?=\u20E3)"
    r"|(?<=\U0001F3F4)[\U000E0030-\U000E0039\U000E0061-\U000E007A]{1,6}\U000E007F)"
    r"|\p{Default_Ignorable_Code_Point}"
)
# Cc without tab and newline, and Cs: PostgreSQL refuses NUL, UTF-8 refuses surrogates, and no reader misses the rest.
_UNPRINTABLE = regex.compile(r"[\p{Cs}[\p{Cc}--[\t\n]]]", regex.V1)
_UNSTORABLE = regex.compile(r"[\p{Cs}\x00]")
_START = regex.compile(
    r"[\p{NFC_QC=Yes}&&\p{ccc=0}--[\p{M}\p{Default_Ignorable_Code_Point}\p{Cs}[\p{Cc}--[\t\n]]]]", regex.V1
)
"""What no character before it composes with: text may be cut in front of it (UAX #15, 9.1)."""
_INERT = frozenset(" \t\n!\"$%&'()+,-./:;?@[\\]^_`{|}~。、")
"""What composes with nothing after it: text that ends with one of these need not wait."""
_MARKS = regex.compile(r"([\p{M}[\p{NFC_QC=Maybe}]]{30})[\p{M}[\p{NFC_QC=Maybe}]]+", regex.V1)
"""Nothing that is written has more marks on one letter (UAX #15, Stream-Safe Text Format)."""
_SURE = re.compile(
    "[\t\n -~\u00a1-\u00ac\u00ae-\u00ff\u2010-\u2027\u3001-\u3029\u3030-\u3098\u309b-\u3163\u4e00-\u9fff\uac00-\ud7a3]*"
)
"""Characters that are in plain form whatever stands beside them: nearly all of an answer, and a tenth of the time."""
_BLANK = regex.compile(r"[\s\p{M}\p{Default_Ignorable_Code_Point}\p{C}\u2800\uFFFC\uFFFD]*", regex.V1)


def printable(text: str) -> str:
    """Drop control characters and lone surrogates; line ends become newlines."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def storable(text: str) -> str:
    """Return the text as it is, but for what no database takes: NUL and half surrogate pairs become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def plain(text: str) -> str:
    """Return the text as it is bounded, marked, shown and kept: printable, NFC, without default-ignorable characters outside of emoji."""
    if _SURE.fullmatch(text):
        return text
    text = _IGNORABLE.sub(r"\1", printable(text))
    return unicodedata.normalize("NFC", _MARKS.sub(r"\1", text))


def visible(text: str) -> bool:
    """Tell whether a reader sees anything of it."""
    return _BLANK.fullmatch(text) is None


class PlainText:
    """Brings a text that comes in pieces into its plain form: `"".join(feed(p) for p in pieces) + end()` is `plain("".join(pieces))`."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what is decided now: all but a last character that the next piece may still change."""
        if not piece:
            return ""
        text, last = self._held + piece if self._held else piece, piece[-1]
        if last in _INERT or (
            "\uac00" <= last <= "\ud7a3" and (ord(last) - 0xAC00) % 28
        ):  # a syllable takes one final consonant
            self._held = ""
            return text if _SURE.fullmatch(text) else plain(text)
        for cut in range(len(text) - 1, max(len(self._held), 1) - 1, -1):
            if ("\uac00" <= text[cut] <= "\ud7a3" or _START.match(text[cut])) and text[cut - 1] not in "\r\u200d":
                self._held = text[cut:]
                text = text[:cut]
                return text if _SURE.fullmatch(text) else plain(text)
        self._held = text
        return ""

    def end(self) -> str:
        """Return the rest."""
        held, self._held = self._held, ""
        return plain(held)
