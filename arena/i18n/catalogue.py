"""The catalogue: sentences by key, in Korean and English, filled in with the values of a moment.

The sentences stand in the JSON files beside this module; README.md there tells a translator how places for values are written.
A value may be a sentence of its own: whatever has a `key` and `params`, such as the error that was the cause of another one.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any, Final, Literal, Protocol, get_args, runtime_checkable

from arena.domain.clock import KST

Language = Literal["ko", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
_FIRST, _LAST, _FINALS = 0xAC00, 0xD7A3, 28
"""The Hangul syllables of Unicode; every 28th has no final consonant."""


class InBoth(Protocol):
    """A text of the stage's own, in both languages."""

    @property
    def ko(self) -> str:
        """The Korean text."""
        ...

    @property
    def en(self) -> str:
        """The English text."""
        ...


@runtime_checkable
class Told(Protocol):
    """What is told by a sentence of the catalogue: an error, a notice, a finding."""

    @property
    def key(self) -> str:
        """Its sentence's key."""
        ...

    @property
    def params(self) -> Mapping[str, Any]:
        """The values that the sentence is filled in with."""
        ...


class Messages(Formatter):
    """One language's sentences."""

    def __init__(self, language: Language, texts: dict[str, str]) -> None:
        self.language: Language = language
        self._texts = texts

    def __contains__(self, key: str) -> bool:
        """Say whether there is a sentence of this key."""
        return key in self._texts

    def __call__(self, key: str, **values: Any) -> str:
        """Fill in the sentence of this key.

        Raises:
            KeyError: no such key, or no such value: a mistake of ours, found by the tests.
        """
        text = self._texts[key]
        return self.vformat(text, (), values) if "{" in text else text

    def of(self, told: Told) -> str:
        """Say what has a key and parameters."""
        return self(told.key, **told.params)

    def pick(self, text: InBoth) -> str:
        """Choose this language's of a text that the stage gives in both."""
        return text.ko if self.language == "ko" else text.en

    def when(self, moment: datetime) -> str:
        """Write a time as people read it, in Korea's: `1 Dec 2026, 09:05 KST`."""
        here = moment.astimezone(KST)
        half, hour = self("before_noon" if here.hour < 12 else "after_noon"), here.hour % 12 or 12
        return self("moment", at=here, half=half, hour=hour)

    def listed(self, names: Sequence[Any], most: int | None = None) -> str:
        """Name up to `most` (or one more), and count the rest; name all of them unless `most` is given, and say that there are none."""
        if any(isinstance(name, list | tuple) for name in names):
            return " | ".join(self.listed(group, most) for group in names)
        words = [self._word(name) for name in names]
        if not words:
            return self("listed_none")
        if most is None or len(words) <= most + 1:
            return ", ".join(words)
        return self("listed_more", told=", ".join(words[:most]), n=len(words) - most)

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Find a value by its name; a place without a name is a mistake."""
        if isinstance(key, int):
            raise KeyError(f"place {key} has no name")
        return kwargs[key]

    def format_field(self, value: Any, format_spec: str) -> str:
        """Write a value as the sentence asks for it."""
        kind, rest = format_spec[:1], format_spec[1:]
        match kind:
            case "#":
                one, more = rest.split("|")
                return f"{figure(value)} {one if value == 1 else more}"
            case "@":
                return with_particle(self._word(value), *rest.split("|"))
            case "*":
                return self.listed(value, int(rest))
            case "=":
                return ", ".join(
                    self(rest + str(each)) for each in (value if isinstance(value, list | tuple) else (value,))
                )
            case _:
                return format(value, format_spec) if format_spec else self._word(value)

    def _word(self, value: Any) -> str:
        if isinstance(value, list | tuple):
            return self.listed(value)
        return value if isinstance(value, str) else self.of(value) if isinstance(value, Told) else str(value)


def with_particle(word: str, closed: str, opened: str) -> str:
    """Append the particle that suits the word's last sound: `closed` after a consonant, `opened` after a vowel; both where that is unknown."""
    last = ord(word[-1:] or " ")
    if not _FIRST <= last <= _LAST:
        return f"{word}{closed}({opened})"
    return word + (closed if (last - _FIRST) % _FINALS else opened)


def figure(count: float) -> str:
    """Write a count for the eye: whole where it is whole, two decimals otherwise, and three digits where those show nothing."""
    if isinstance(count, int):
        return f"{count:,}"
    return f"{count:.3g}" if 0 < abs(count) < 0.01 else f"{count:,.2f}".rstrip("0").rstrip(".")


def both(key: str, **values: Any) -> dict[str, str]:
    """Fill in the sentence of this key in both languages, for a document or an answer: `{"ko": …, "en": …}`."""
    return {language: messages(language)(key, **values) for language in LANGUAGES}


def in_both(told: Told) -> dict[str, str]:
    """Say what has a key and parameters in both languages."""
    return both(told.key, **told.params)


@cache
def messages(language: Language) -> Messages:
    """Read the sentences of a language, once.

    Raises:
        ValueError: two files have the same key.
    """
    texts: dict[str, str] = {}
    for file in sorted(files("arena.i18n").joinpath(language).iterdir(), key=lambda each: each.name):
        found: dict[str, str] = json.loads(file.read_text("utf-8"))
        if twice := texts.keys() & found.keys():
            raise ValueError(f"{language}/{file.name}: {min(twice)} stands in another file already")
        texts |= found
    return Messages(language, texts)
