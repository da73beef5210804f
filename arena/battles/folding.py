"""A text as a reader takes it in, for comparing it with names: nothing that hides a name from a program is left in it."""

import html
import re
import tomllib
import unicodedata
from pathlib import Path

import regex

from models.text import plain

_HTML = re.compile(
    r"<!--[^\n]{0,200}?-->"
    r"|</?(?:a|b|big|br|code|del|div|em|font|h[1-6]|i|ins|mark|p|s|small|span|strong|sub|sup|u|wbr)(?:[\s/][^<>\n]{0,200})?>",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\([^()\n]{0,500}\)")
_EMPHASIS = re.compile(r"\*+|~~|`+|(?<![^\W_])_+|_+(?![^\W_])")
_LINE_MARKS = re.compile(r"^[ \t]*(?:#{1,6}|>+)[ \t]+", re.MULTILINE)
_COLUMN = re.compile(r"(?<=(?<!\w)\w)\n(?=\w$)", re.MULTILINE)
"""Between letters that stand one to a line."""
_LAUGHTER = re.compile(r"[\u314b\u314e\u3160\u315c]{2,}|(?<=[\uac00-\ud7a3])[\u314b\u314e](?![\u314f-\u3163])")
"""Not a letter of the syllable before it, which it would become part of."""
_UNSEEN = regex.compile(r"[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}--[\u3099\u309a]]+", regex.V1)
"""Accents too, which no name has here; but the two that make a kana voiced are letters of their own."""
_PRIVATE = regex.compile(r"\p{Co}")
_FINALS = dict(
    zip(
        "\u1100\u1101\u1102\u1103\u1105\u1106\u1107\u1109\u110a\u110b\u110c\u110e\u110f\u1110\u1111\u1112",
        "\u11a8\u11a9\u11ab\u11ae\u11af\u11b7\u11b8\u11ba\u11bb\u11bc\u11bd\u11be\u11bf\u11c0\u11c1\u11c2",
        strict=True,
    )
)
_LONE_CONSONANT = re.compile(r"(?<=[\u1161-\u1175])([\u1100-\u1112])(?![\u1161-\u1175])")
_DRAWN = {
    ord(other): letter
    for letter, others in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["alike"].items()
    for other in others
}
# Letters in boxes and flags, which no normal form knows.
_DRAWN |= {first + n: chr(65 + n) for first in (0x1F150, 0x1F170, 0x1F1E6) for n in range(26)}
_DRAWN |= dict.fromkeys(map(ord, "\u00b4\u02bc\u2032\uff07"), "'")
_SURE = re.compile("[\t\n -%'-;=?-Z^a-z{|}\u00b7\u2010-\u201f\u3001-\u3015\u4e00-\u9fff\uac00-\ud7a3]*")
"""What folds to itself but for Markdown: nearly all of an answer."""


def fold(text: str) -> str:
    """Return the text without invisible characters, accents, Markdown and HTML; look-alikes and compatibility forms as Latin and Hangul; NFC.

    Links leave their words, case and line ends stay. Characters of private use become spaces.
    """
    text = plain(html.unescape(text))
    text = _COLUMN.sub("", _LINE_MARKS.sub("", _EMPHASIS.sub("", _LINK.sub(r"\1", text))))
    if _SURE.fullmatch(text):
        return text
    text = _LINK.sub(r"\1", _HTML.sub("", _LAUGHTER.sub("!", text)))
    text = unicodedata.normalize("NFKD", _PRIVATE.sub(" ", text).translate(_DRAWN))
    # NFKD takes every consonant that is written alone for the first of a syllable: where no vowel follows, it is the last.
    text = _LONE_CONSONANT.sub(lambda found: _FINALS.get(found[1], found[1]), _UNSEEN.sub("", text))
    return unicodedata.normalize("NFC", text.translate(_DRAWN))
