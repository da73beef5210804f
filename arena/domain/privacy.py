"""Korean personal data in a prompt, found before anything is stored or sent to a model.

A resident or foreigner registration number always stops the prompt (PIPA art. 24-2: it may not be collected at all). Since October 2020 its last six digits
are random, so a failed checksum never clears one. Everything else is masked or asked about, as the stage declares.

Not found here: names, addresses, and numbers written so that only a person would see them.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from arena.domain.errors import Unusable


class Kind(StrEnum):
    """What was found. The order is the order of precedence where two overlap."""

    RRN = "rrn"
    FOREIGNER = "foreigner"
    DRIVER = "driver"
    CARD = "card"
    PHONE = "phone"
    PASSPORT = "passport"
    ACCOUNT = "account"
    EMAIL = "email"


_WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
BLOCKING = frozenset({Kind.RRN, Kind.FOREIGNER})


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of personal data: where it stands in the prompt, and what may stand there instead."""

    kind: Kind
    start: int
    end: int

    @property
    def masked(self) -> str:
        """What stands in its place."""
        return f"[{_WORDS['masks'][self.kind]}]"


def check(prompt: str) -> list[Finding]:
    """All personal data in a prompt, in order and without overlaps."""
    folded, origin = _fold(prompt)
    candidates = [*_search(folded), *_search_spelled(folded)]
    rank = {kind: n for n, kind in enumerate(Kind)}
    taken: list[Finding] = []
    for found in sorted(candidates, key=lambda f: (rank[f.kind], f.start, -f.end)):
        if all(found.end <= other.start or other.end <= found.start for other in taken):
            taken.append(found)
    return [Finding(f.kind, origin[f.start], origin[f.end - 1] + 1) for f in sorted(taken, key=lambda f: f.start)]


def mask(text: str, findings: Sequence[Finding]) -> str:
    """Replace every finding in the text by its name in brackets."""
    for found in reversed(findings):
        text = text[: found.start] + found.masked + text[found.end :]
    return text


def guard(prompt: str, policy: Literal["mask", "ask"]) -> tuple[str, tuple[str, ...]]:
    """Return the prompt as it may be stored and sent, and a mark for each kind of data taken out.

    Raises:
        Unusable: a registration number; or, when the stage asks, any personal data. The message never repeats it.
    """
    findings = check(prompt)
    kinds = sorted({f.kind for f in findings}, key=list(Kind).index)
    forbidden = [kind for kind in kinds if kind in BLOCKING]
    if forbidden:
        raise Unusable("registration_number", kind=forbidden[0])
    if findings and policy == "ask":
        raise Unusable("personal_data", kinds=kinds)
    return mask(prompt, findings), tuple(f"masked:{kind}" for kind in kinds)


# --- one alphabet -----------------------------------------------------------------------------------------------------

_DASHES = frozenset("−\u3161ー_‧")
_SPELLED = str.maketrans(_WORDS["digits"], "001234566789")


def _fold(text: str) -> tuple[str, list[int]]:
    """Digits, hyphens and spaces of every script as ASCII, invisible characters gone; and where each character came from."""
    folded: list[str] = []
    origin: list[int] = []
    for position, character in enumerate(text):
        category = unicodedata.category(character)
        if category in ("Cf", "Mn", "Me"):
            continue
        if character.isascii():
            plain = " " if character.isspace() else character
        elif (digit := unicodedata.digit(character, None)) is not None:
            plain = str(digit)
        elif category == "Pd" or character in _DASHES:
            plain = "-"
        elif category.startswith("Z"):
            plain = " "
        elif "！" <= character <= "～":
            plain = chr(ord(character) - 0xFEE0)
        else:
            plain = character
        folded.append("-" if plain == "_" else plain)
        origin.append(position)
    return "".join(folded), origin


# --- the patterns, on folded text -------------------------------------------------------------------------------------
# \b fails before a Korean particle, so digits are fenced by look-arounds. Every repetition is bounded.

_SEP = r"[ ]?[-./)·]?[ ]?"
_DATE = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_REGISTRATION = re.compile(
    rf"(?<!\d)(?<!\d[-.]){_DATE}[ ]{{0,3}}[-./·:,]?[ ]{{0,3}}(?P<seventh>\d) ?\d{{6}}(?!\d)(?!-\d)"
)
_REGISTRATION_SPACED = re.compile(r"(?<!\d)(?<!\d )(?:\d[ .-]){6}[ -]{0,2}(?P<seventh>\d)(?:[ .-]\d){6}(?! ?\d)")
_REGISTRATION_TAIL = re.compile(_WORDS["registration_tail"])
_CORPORATE = re.compile(_WORDS["corporate"])
_BARCODE = re.compile(_WORDS["barcode"], re.IGNORECASE)
_MOBILE = re.compile(rf"(?<![\d.])0 ?1 ?[016789]{_SEP}\d{{3,4}}{_SEP}\d{{4}}(?!\d)(?!\.\d)(?!-\d)")
_MOBILE_GROUPS = re.compile(r"(?<![\d.])01[016789][- .](?=(?:[- .]?\d){8}(?![- .]?\d))\d{2,4}(?:[- .]\d{2,4}){1,3}")
_MOBILE_SPACED = re.compile(r"(?<!\d)(?<!\d )0 1 [016789](?: ?[- ] ?\d){7,8}(?! ?\d)")
_MOBILE_LETTERS = re.compile(r"(?<![0-9A-Za-z])[0Oo][1lI][016789Oo][- .]\d{3,4}[- .]\d{4}(?!\d)")
_ABROAD = re.compile(
    r"(?<![\d.])\(?\+?82\)?[ -]{0,2}(?:\(0\)|0)?[ -]?(?:1[016789]|2|[3-6][1-5]|70)[ -]?\d{3,4}[ -]?\d{4}(?!\d)"
)
_AREA = r"0(?:2|3[1-3]|4[1-4]|5[1-5]|6[1-4]|70|50\d?)"
_LANDLINE = re.compile(rf"(?<![\d.-])\(?{_AREA}(?:\)[ ]?|[- .])[ ]?\d{{3,4}}[- .][ ]?\d{{4}}(?!\d)(?!-\d)")
_LANDLINE_BARE = re.compile(rf"(?<![\d.-]){_AREA}\d{{7,8}}(?!\d)")
_CALL = re.compile(_WORDS["call"], re.IGNORECASE)
_CARD = re.compile(
    r"(?<!\d)(?<!\d[-.])(?:\d{4}[ -]?){3}\d{4}(?!\d)(?!-\d)|(?<!\d)(?<!\d[-.])3[47]\d{2}[ -]?\d{6}[ -]?\d{5}(?!\d)(?!-\d)"
)
_CARD_WORD = re.compile(_WORDS["card"], re.IGNORECASE)
_DRIVER = re.compile(r"(?<![\d-])(?:1[1-9]|2[0-8])[- ]\d{2}[- ]\d{6}[- ]\d{2}(?![\d-])")
_DRIVER_REGION = re.compile(_WORDS["driver_region"])
_DRIVER_BARE = re.compile(r"(?<!\d)(?:1[1-9]|2[0-8])\d{10}(?!\d)")
_DRIVER_WORD = re.compile(_WORDS["driver"])
_PASSPORT = re.compile(r"(?<![0-9A-Za-z])[MSRODGP][ ]?(?:\d{8}|\d{3}[A-Z]\d{4})(?![0-9A-Za-z])", re.IGNORECASE)
_PASSPORT_WORD = re.compile(_WORDS["passport"], re.IGNORECASE)
_ACCOUNT = re.compile(
    r"(?<![\d.,-])\d{2,6}(?:(?:-\d{1,8}){1,4}|(?: \d{1,8}){1,4})(?![\d-])|(?<![\d.,-])\d{10,14}(?![\d-])"
)
_ACCOUNT_WORD = re.compile(_WORDS["account"])
_BANK_BEFORE = re.compile(_WORDS["bank_before"])
_ACCOUNT_NOT = re.compile(_WORDS["account_not"])
_AMOUNT = re.compile(_WORDS["amount"])
_EMAIL = re.compile(
    r"(?<![\w.+-])(?P<local>[A-Za-z0-9][\w.+%-]{0,63})@(?P<domain>(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24})(?![\w@]*[/:]\w)",
    re.ASCII,
)
_EMAIL_SPELLED = re.compile(_WORDS["email_spelled"], re.IGNORECASE | re.ASCII)
_RESERVED = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org|kr)|test|invalid|localhost)$", re.IGNORECASE)


def _search(text: str) -> Iterator[Finding]:
    yield from _registrations(text)
    for pattern in (_DRIVER, _DRIVER_REGION):
        yield from (Finding(Kind.DRIVER, *m.span()) for m in pattern.finditer(text))
    yield from (
        Finding(Kind.DRIVER, *m.span()) for m in _DRIVER_BARE.finditer(text) if _near(_DRIVER_WORD, text, m, 20, 10)
    )
    for m in _CARD.finditer(text):
        digits = re.sub(r"\D", "", m[0])
        issued = digits[0] in "34569" or "2221" <= digits[:4] <= "2720"
        if (issued and _luhn(digits)) or (len(set(digits)) > 1 and _near(_CARD_WORD, text, m, 15, 12)):
            yield Finding(Kind.CARD, *m.span())
    yield from _phones(text)
    for m in _PASSPORT.finditer(text):
        if _near(_PASSPORT_WORD, text, m, 30, 15):
            yield Finding(Kind.PASSPORT, *m.span())
    for m in _ACCOUNT.finditer(text):
        if (
            10 <= sum(c.isdigit() for c in m[0]) <= 14
            and (_near(_ACCOUNT_WORD, text, m, 32, 12) or _BANK_BEFORE.search(text, max(0, m.start() - 4), m.start()))
            and not _near(_ACCOUNT_NOT, text, m, 12, 0)
            and not _AMOUNT.match(text, m.end())
        ):
            yield Finding(Kind.ACCOUNT, *m.span())
    for m in _EMAIL.finditer(text):
        if m["local"].lower() not in ("git", "noreply", "no-reply") and not _RESERVED.search(m["domain"]):
            yield Finding(Kind.EMAIL, *m.span())
    yield from (Finding(Kind.EMAIL, *m.span()) for m in _EMAIL_SPELLED.finditer(text))


def _registrations(text: str) -> Iterator[Finding]:
    for pattern in (_REGISTRATION, _REGISTRATION_SPACED):
        for m in pattern.finditer(text):
            digits = re.sub(r"\D", "", m[0])
            if not re.fullmatch(_DATE + r"\d{7}", digits):
                continue
            # A company's number and a barcode can have the same shape: their name and their own check digit, together, clear them.
            before = (text, max(0, m.start() - 20), m.start())
            if (_CORPORATE.search(*before) and _corporate(digits)) or (_BARCODE.search(*before) and _ean(digits)):
                continue
            yield Finding(Kind.FOREIGNER if m["seventh"] in "5678" else Kind.RRN, *m.span())
    for m in _REGISTRATION_TAIL.finditer(text):
        yield Finding(Kind.RRN, *m.span("tail"))


def _phones(text: str) -> Iterator[Finding]:
    for pattern in (_MOBILE, _MOBILE_GROUPS, _MOBILE_SPACED, _MOBILE_LETTERS, _ABROAD, _LANDLINE):
        yield from (Finding(Kind.PHONE, *m.span()) for m in pattern.finditer(text))
    for m in _LANDLINE_BARE.finditer(text):
        if _near(_CALL, text, m, 15, 10):
            yield Finding(Kind.PHONE, *m.span())


_SPELLED_SEP = _WORDS["spelled_separator"]
_MOBILE_SPELLED = re.compile(rf"(?<!\d)01[016789]{_SPELLED_SEP}\d{{3,4}}{_SPELLED_SEP}\d{{4}}")
_REGISTRATION_SPELLED = re.compile(rf"(?<!\d){_DATE}{_SPELLED_SEP}(?P<seventh>\d)\d{{6}}")


def _search_spelled(text: str) -> Iterator[Finding]:
    """Numbers said in Korean syllables, as people read a phone number out."""
    spelled = text.translate(_SPELLED)
    for pattern in (_MOBILE_SPELLED, _REGISTRATION_SPELLED):
        for m in pattern.finditer(spelled):
            if sum(a != b for a, b in zip(text[m.start() : m.end()], m[0], strict=True)) >= 3:
                seventh = m.groupdict().get("seventh")
                kind = Kind.PHONE if seventh is None else Kind.FOREIGNER if seventh in "5678" else Kind.RRN
                yield Finding(kind, *m.span())


def _near(word: re.Pattern[str], text: str, m: re.Match[str], before: int, after: int) -> bool:
    return bool(
        word.search(text, max(0, m.start() - before), m.start())
        or word.search(text, m.end(), min(len(text), m.end() + after))
    )


def _luhn(digits: str) -> bool:
    doubled = (int(d) * 2 if n % 2 else int(d) for n, d in enumerate(reversed(digits)))
    return len(set(digits)) > 1 and sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _corporate(digits: str) -> bool:
    """Verify the check digit of a corporate registration number: weights 1 and 2 in turn over the first twelve."""
    return (10 - sum(int(d) * (1 + n % 2) for n, d in enumerate(digits[:12])) % 10) % 10 == int(digits[12])


def _ean(digits: str) -> bool:
    """Verify the check digit of an EAN-13: weights 1 and 3 in turn over the first twelve."""
    return (10 - sum(int(d) * (1 + 2 * (n % 2)) for n, d in enumerate(digits[:12])) % 10) % 10 == int(digits[12])
