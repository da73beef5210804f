"""Who is speaking: how much of it is found, and how seldom where nobody says so, over labelled sentences with invented names.

`tests/data/identity-leaks.jsonl`: `set` is `tuned` or `held` (written before the patterns, and no pattern was made after it); `where` an answer,
with its `author`, or a prompt; `label` what it does; `form` whether a name is written plainly.

`tests/data/identity-leaks-second.jsonl`: by another hand, with the `question` an answer is to. `second` was written before that hand saw the patterns,
`later` after it had, some of its innocent sentences against them; both were then tuned on, so these are floors, not what a new answer meets.

`tests/data/identity-leaks-third.jsonl`: by the hand that made the rule for distinctive names; `name` says whether the author has such a name. `third` was
written before that rule, `fresh` after it and before anything was tuned on it; of ordinary words and of `subject` (the author is one, though the question
has no word for it) both were then tuned on.
"""

import unicodedata
from pathlib import Path
from typing import Any

import orjson
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from arena.battles.folding import fold
from arena.battles.identity import Lexicon
from tests.battles.test_identity_marks import entrant

DATA = Path(__file__).parents[1] / "data"
SENTENCES, SECOND, THIRD = (
    [orjson.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]
    for name in ("identity-leaks.jsonl", "identity-leaks-second.jsonl", "identity-leaks-third.jsonl")
)
LEXICON = Lexicon(
    [
        entrant("garam", "가람팀", "Team Garam", "가람", "Garam-7B", "Garam"),
        entrant("narae", "나래팀", "Team Narae", "나래", "Narae"),
        entrant("maru", "마루팀", "Team Maru", "마루", "Maru"),
        entrant("hanbit", "한빛팀", "Team Hanbit", "한빛", "Hanbit"),
        entrant("daon", "다온AI연구원", "Daon AI Research", "다온", "Daon", "소나리", "SONARI"),
    ]
)
SECOND_LEXICON = Lexicon(
    [
        entrant("gaon", "누리랩", "NuriLab", "가온", "가온 1.5", "Gaon", "Gaon-1.5", "gaon.example"),
        entrant("haneul", "하늘에이아이", "Haneul AI", "Haneul-32B", "하늘-32B", "Haneul", "하늘", "haneul.example"),
        entrant("mir", "한빛전자", "Hanbit Electronics", "미르", "미르-2", "Mir-2", "hanbit-elec.example"),
        entrant("solmae", "파인윙", "Pinewing", "Solmae-X", "솔매", "솔매 X", "Solmae", "pinewing.example"),
        entrant("toki", "달무리소프트", "Dalmuri Soft", "Toki-8x7B-v0.2", "Toki", "토키", "dalmuri.example"),
        entrant("yeoul", "모두의두뇌", "Everymind", "여울", "여울 7B", "Yeoul", "Yeoul-7B", "yeoul.example"),
        entrant("kestrel", "노을연구소", "Noeul Institute", "Kestrel 3", "케스트럴", "Kestrel", "kestrel-ai.example"),
        entrant("danbi", "세종텔링", "Sejong Telling", "단비", "Danbi-Pro", "Danbi", "sejongtelling.example"),
        entrant("saebyeok", "온누리데이터", "Onnuri Data", "새벽", "새벽-13B", "Saebyeok", "onnuridata.example"),
        entrant("otter", "파도공방", "Wavecraft", "Otter-L2", "오터", "Otter", "wavecraft.example"),
    ]
)
THIRD_LEXICON = Lexicon(
    [
        entrant("byeol", "별나랩", "Byeolna Lab", "BYEOLNA", "별나LM"),
        entrant("cedar", "삼나무소프트", "Cedar Soft", "K-CEDAR", "케이시더"),
        entrant("sora", "소라고둥", "Conch AI", "HyperSORA X SEED", "하이퍼소라"),
        entrant("ondo", "온도지기", "Team Ondo", "O.D T2", "Ondo Open 80B"),
        entrant("pado", "물결연구소", "Wave Institute", "파도", "Pado"),
        entrant("noeul", "붉은저녁", "Redevening", "노을", "Noeul-13B"),
        entrant("aurora", "북극성", "Polestar", "오로라", "Aurora"),
        entrant("nurim", "누림전자", "Nurim Electronics", "Nurim3", "NurimChat", "누림챗봇"),
    ]
)
LEXICONS = {"second": SECOND_LEXICON, "later": SECOND_LEXICON, "third": THIRD_LEXICON, "fresh": THIRD_LEXICON}
SOUGHT = {"self": ("self:",), "own": ("self:", "own:"), "rival": ("posing:", "rival:"), "none": ("self:", "posing:")}
"""What is to be seen in an answer; in an innocent one, any claim."""


def found(sentence: dict[str, Any]) -> bool:
    """Whether what the label says, or the question for an identity, is seen in this sentence; in an innocent one, any claim."""
    lexicon = LEXICONS.get(sentence["set"], LEXICON)
    if sentence["where"] == "prompt":
        return bool(lexicon.mark_prompt(sentence["text"]))
    asked = [sentence["question"]] if "question" in sentence else []
    marks = lexicon.mark_answer(sentence["text"], sentence["author"], asked, asked=any(map(lexicon.mark_prompt, asked)))
    return any(mark.startswith(SOUGHT[sentence["label"]]) for mark in marks)


def rate(**of: str) -> tuple[float, list[str]]:
    """The share of these sentences in which something is found, and those in which nothing is."""
    chosen = [
        each for each in (*SENTENCES, *SECOND, *THIRD) if all(each.get(key) == value for key, value in of.items())
    ]
    missed = [each["text"] for each in chosen if not found(each)]
    return 1 - len(missed) / len(chosen), missed


def test_the_sentences_are_what_they_are_said_to_be() -> None:
    """At least 600, some half of them innocent, a good quarter of the self-namings disguised, and 200 held out; each stands once."""
    labels = [each["label"] for each in SENTENCES]
    named = [each["form"] for each in SENTENCES if each["label"] == "self"]

    assert len(SENTENCES) >= 600
    assert 0.4 <= labels.count("none") / len(labels) <= 0.6
    assert named.count("disguised") / len(named) > 0.25
    assert sum(each["set"] == "held" for each in SENTENCES) == 200
    assert len({(each.get("author"), each["text"]) for each in SENTENCES}) == len(SENTENCES)


@pytest.mark.parametrize("part", ["tuned", "held"])
def test_self_namings_are_found(part: str) -> None:
    """At least 95 in 100 that are written plainly, and 85 in 100 of those that are hidden; also among sentences that nothing was tuned on."""
    plain, missed = rate(set=part, label="self", form="plain")
    disguised, hidden = rate(set=part, label="self", form="disguised")

    assert plain >= 0.95, missed
    assert disguised >= 0.85, hidden


@pytest.mark.parametrize("part", ["tuned", "held"])
def test_questions_for_the_identity_are_found(part: str) -> None:
    """At least 9 in 10, in seven languages."""
    asked, missed = rate(set=part, where="prompt", label="asked")

    assert asked >= 0.9, missed


@pytest.mark.parametrize("part", ["tuned", "held"])
def test_innocent_sentences_stay_innocent(part: str) -> None:
    """At most 2 in 100: rivers, wings and floors, televisions, quotations, examples, fiction and denials name no author."""
    marked = [each["text"] for each in SENTENCES if each["set"] == part and each["label"] == "none" and found(each)]
    innocent = sum(each["set"] == part and each["label"] == "none" for each in SENTENCES)

    assert len(marked) / innocent <= 0.02, marked


@pytest.mark.parametrize(("part", "plainly", "falsely"), [("second", 0.95, 0.02), ("later", 0.7, 0.03)])
def test_another_hand_s_sentences_are_found(part: str, plainly: float, falsely: float) -> None:
    """Of plain self-namings and of innocent sentences as many as it says, 85 in 100 of the hidden, 80 of the questions."""
    plain, missed = rate(set=part, label="self", form="plain")
    disguised, hidden = rate(set=part, label="self", form="disguised")
    asked, unseen = rate(set=part, where="prompt", label="asked")
    innocent = [each for each in SECOND if each["set"] == part and each["label"] == "none"]
    marked = [each["text"] for each in innocent if found(each)]

    assert plain >= plainly, missed
    assert disguised >= 0.85, hidden
    assert asked >= 0.8, unseen
    assert len(marked) / len(innocent) <= falsely, marked


@pytest.mark.parametrize(("part", "words"), [("third", 0.9), ("fresh", 0.5)])
def test_a_distinctive_name_is_found_in_any_words(part: str, words: float) -> None:
    """At least 95 in 100, plain or hidden, in sentences that no pattern was made for; of ordinary words as many as it says, though tuned on."""
    plain, missed = rate(set=part, label="self", form="plain", name="distinctive")
    ordinary, unseen = rate(set=part, label="self", form="plain", name="ordinary")
    innocent = [each for each in THIRD if each["set"] == part and each["label"] == "none"]
    marked = [each["text"] for each in innocent if found(each)]

    assert plain >= 0.95, missed
    assert ordinary >= words, unseen
    assert len(marked) / len(innocent) <= 0.02, marked


def test_hidden_distinctive_names_are_found() -> None:
    """At least 85 in 100, of ordinary words too; and the questions."""
    hidden, missed = rate(set="third", label="self", form="disguised")
    asked, unseen = rate(set="third", where="prompt", label="asked")

    assert hidden >= 0.85, missed
    assert asked >= 0.8, unseen


@pytest.mark.parametrize("label", ["own", "rival"])
def test_a_name_that_claims_nothing_is_seen(label: str) -> None:
    """Every one, where the question had not brought it up."""
    assert rate(set="second", label=label) == (1, [])


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Z", "Cc", "Cf", "Co"]), max_size=60))
def test_any_text_folds_and_is_read(text: str) -> None:
    """Whatever a model writes, its folded form has no invisible character and one spelling, and marking gives marks."""
    folded = fold(text)

    assert unicodedata.is_normalized("NFC", folded)
    assert not regex.search(r"\p{Default_Ignorable_Code_Point}", folded)
    assert all(mark.count(":") <= 2 for mark in LEXICON.mark_answer(f"{text} 저는 가람 {text}", "garam", [text]))
