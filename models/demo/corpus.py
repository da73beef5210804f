"""The corpus: every fact of corpus.toml and everyday.toml × the ways to ask for it, split into what is trained on and what is held out."""

import hashlib
import itertools
import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SEED = 20261123
EURO, RIEUL = "\N{HANGUL SYLLABLE EU}\N{HANGUL SYLLABLE RO}", "\N{HANGUL LETTER RIEUL}"
"""The particle that takes its short form after this consonant too."""
HELD_OUT = 0.15
HELD_OUT_PER_TOPIC = 50
"""So that no topic outweighs the others in the ladder."""
TURNS = (0.62, 0.22, 0.1, 0.06)
"""Shares of the conversations with one, two, three and four turns."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer; `keys` are what a right answer must contain."""

    topic: str
    prompt: str
    answer: str
    keys: tuple[str, ...]


Conversation = tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One fact of one topic, in all the ways to ask and to say it; the asks are already split."""

    topic: str
    language: str
    asks: tuple[str, ...]
    held_out: tuple[str, ...]
    says: tuple[str, ...]
    keys: tuple[str, ...]
    follows: tuple[str, ...]
    english: str
    weight: float


class Word(str):
    """A word that knows which Korean particle follows it: `:A/B` writes it with A after a consonant and B after a vowel, `:+A/B` the particle alone."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        closed, open_ = spec.lstrip("+").split("/")
        final = self.final()
        particle = closed if final and not (closed == EURO and final == RIEUL) else open_
        return particle if spec.startswith("+") else self + particle

    def final(self) -> str:
        """`""` after a vowel, `RIEUL`, or `"*"` for any other final consonant; digits as they are read aloud."""
        last = ord(self[-1]) - 0xAC00
        if 0 <= last < 11172:
            return {0: "", 8: RIEUL}.get(last % 28, "*")
        return {"0": "*", "1": RIEUL, "3": "*", "6": "*", "7": RIEUL, "8": RIEUL}.get(self[-1], "")


@cache
def source() -> dict[str, Any]:
    """corpus.toml, everyday.toml, and the tables that are computed rather than written: sums, products, counting and the days of the week."""
    data, everyday = (
        tomllib.loads((Path(__file__).parent / name).read_text("utf-8")) for name in ("corpus.toml", "everyday.toml")
    )
    data["facts"] |= everyday["facts"]
    data["everyday"] = everyday["topics"]
    days = data["week"]["days"]
    one_to_nine = range(1, 10)
    data["facts"] |= {
        "days": {
            "fields": ["day", "after", "before"],
            "rows": [[day, days[(i + 1) % 7], days[i - 1]] for i, day in enumerate(days)],
        },
        "sums": {"fields": ["a", "b", "c"], "rows": [[a, b, a + b] for a in one_to_nine for b in one_to_nine]},
        "products": {"fields": ["a", "b", "c"], "rows": [[a, b, a * b] for a in range(2, 10) for b in one_to_nine]},
        "counts": {
            "fields": ["n", "numbers"],
            "rows": [[n, ", ".join(str(i + 1) for i in range(n))] for n in range(3, 13)],
        },
    }
    return data


def rows(name: str) -> Iterator[dict[str, Word]]:
    """Give the rows of a table of facts, by field; a table marked `both_ways` is read backwards too."""
    table = source()["facts"][name]
    for row in table["rows"]:
        for values in (row, row[::-1]) if table.get("both_ways") else (row,):
            yield {field: Word(value) for field, value in zip(table["fields"], values, strict=True)}


def core(prompt: str) -> str:
    """Strip a question of its dress, so that a question and the same one in another dress are on one side of the split."""
    for before in (*source()["decor"]["before"], *source()["decor"]["before_en"]):
        prompt = prompt.removeprefix(before)
    return re.sub(r"[\s?.!']", "", prompt).lower()


def is_held_out(prompt: str) -> bool:
    """By the question's own hash: the split depends neither on an order nor on a library's random numbers."""
    digest = hashlib.sha256(f"{SEED}|{core(prompt)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < HELD_OUT


@cache
def cases() -> tuple[Case, ...]:
    """Every fact with its questions split; at least one question about each fact is trained on."""
    made = []
    for topic in source()["topics"] + source()["talk"] + source()["everyday"]:
        for row in rows(topic["facts"]) if "facts" in topic else [{}]:
            asks = list(dict.fromkeys(ask.format(**row) for ask in topic["ask"]))
            kept = [ask for ask in asks if not is_held_out(ask)] or asks[:1]
            made.append(
                Case(
                    topic=topic["name"],
                    language=topic.get("language", "ko"),
                    asks=tuple(kept),
                    held_out=tuple(ask for ask in asks if core(ask) not in {core(ask) for ask in kept}),
                    says=tuple(say.format(**row) for say in topic["say"]),
                    keys=tuple(key.format(**row) for key in topic["keys"]),
                    follows=tuple(follow.format(**row) for follow in topic.get("follow", [])),
                    english=topic.get("english", "").format(**row),
                    weight=topic.get("weight", 8.0 if "facts" not in topic else 1.0),
                )
            )
    return tuple(made)


def decorated(core: str, language: str, dice: random.Random) -> str:
    """Write the question as people type it: with an opening, without its mark, without spaces."""
    decor = source()["decor"]
    if dice.random() < 0.25:
        core = dice.choice(decor["before_en" if language == "en" else "before"]) + core
    chance = dice.random()
    if chance < 0.25:
        return core.rstrip("?.!")
    if chance < 0.32:
        return core.replace(" ", "") if language == "ko" else core.lower()
    return core


def said(case: Case, dice: random.Random) -> str:
    """Give an answer, sometimes with a friendly word before or after it."""
    decor, suffix = source()["decor"], "_en" if case.language == "en" else ""
    answer = dice.choice(case.says)
    if "?" in answer or "!" in answer or "\n" in answer:
        return answer
    if dice.random() < 0.15:
        answer = dice.choice(decor["lead" + suffix]) + answer
    if dice.random() < 0.15:
        answer += dice.choice(decor["close" + suffix])
    return answer


def asked(case: Case, dice: random.Random) -> Exchange:
    """One training exchange about this fact."""
    return Exchange(case.topic, decorated(dice.choice(case.asks), case.language, dice), said(case, dice), case.keys)


def followed(case: Case, last: Exchange, dice: random.Random) -> tuple[Case, Exchange]:
    """Make a turn after `last`, which was about `case`, and what it is about: some only make sense there, the others are any exchange."""
    decor, chance = source()["decor"], dice.random()
    if chance < 0.15:
        lead = decor["again_lead"] + ("\n\n" if "\n" in last.answer else " ")
        return case, Exchange("again", dice.choice(decor["again"]), lead + last.answer, case.keys)
    if chance < 0.4 and case.english:
        return case, Exchange("english", dice.choice(decor["in_english"]), case.english, (case.english,))
    if chance < 0.65 and case.follows:
        other = dice.choice([other for other in cases() if other.topic == case.topic])
        return other, Exchange("follow", dice.choice(other.follows), said(other, dice), other.keys)
    other = drawn(dice)
    return other, asked(other, dice)


def drawn(dice: random.Random) -> Case:
    """Any case, by weight."""
    return dice.choices(cases(), cum_weights=cumulative())[0]


@cache
def cumulative() -> list[float]:
    """Compute the running total of the cases' weights."""
    return list(itertools.accumulate(case.weight for case in cases()))


def conversations(count: int, seed: int = SEED) -> Iterator[tuple[str, Conversation]]:
    """Training conversations, each with its system prompt (mostly none)."""
    dice = random.Random(seed)
    for _ in range(count):
        case = drawn(dice)
        turns = [asked(case, dice)]
        for _ in range(dice.choices(range(len(TURNS)), TURNS)[0]):
            case, turn = followed(case, turns[-1], dice)
            turns.append(turn)
        yield dice.choice(source()["decor"]["system"]) if dice.random() < 0.06 else "", tuple(turns)


def held_out() -> list[Exchange]:
    """List the questions nobody was trained on, at most `HELD_OUT_PER_TOPIC` of a topic, in a fixed order."""
    dice = random.Random(SEED + 1)
    by_topic: dict[str, list[Exchange]] = {}
    for case in cases():
        for core in case.held_out:
            exchange = Exchange(case.topic, decorated(core, case.language, dice), case.says[0], case.keys)
            by_topic.setdefault(case.topic, []).append(exchange)
    return [
        exchange
        for exchanges in by_topic.values()
        for exchange in dice.sample(exchanges, min(len(exchanges), HELD_OUT_PER_TOPIC))
    ]


def everyday() -> list[Exchange]:
    """List those of the held-out questions that people ask real assistants."""
    topics = {topic["name"] for topic in source()["everyday"]}
    return [exchange for exchange in held_out() if exchange.topic in topics]
