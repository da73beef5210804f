"""The words of every page, in Korean and English: one file each, read by our pages here and by the browser."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

from arena.web.assets import FOLDER
from arena.web.language import Language

KST = timezone(timedelta(hours=9))


class Words:
    """One language's words."""

    def __init__(self, language: Language, texts: Mapping[str, str]) -> None:
        self.language: Language = language
        self._texts = texts

    def __call__(self, key: str, **values: Any) -> str:
        """The words of this key, the values filled in.

        Raises:
            KeyError: there is no such key: a mistake of ours, found by the tests.
        """
        text = self._texts[key]
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def pick(self, bilingual: Any) -> str:
        """The sentence of this language."""
        return bilingual.ko if self.language == "ko" else bilingual.en

    def say(self, ko: str, en: str) -> str:
        """The one of two sentences that is in this language: for pages that no browser has to know the words of."""
        return ko if self.language == "ko" else en

    def when(self, moment: datetime) -> str:
        """A time as people read it, in Korea's: `2026년 12월 1일 오전 9:05`, `1 Dec 2026, 09:05 KST`."""
        here = moment.astimezone(KST)
        if self.language == "en":
            return f"{here.day} {here:%b %Y, %H:%M} KST"
        half, hour = ("오전" if here.hour < 12 else "오후"), here.hour % 12 or 12
        return f"{here.year}년 {here.month}월 {here.day}일 {half} {hour}:{here:%M}"


@cache
def words(language: Language) -> Words:
    """The words of a language."""
    return Words(language, json.loads((FOLDER / f"{language}.json").read_text("utf-8")))
