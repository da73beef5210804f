"""Personal data in prompts: what is found, what stops a prompt, what is taken out, and how well, on a labelled set."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.domain.errors import Unusable
from arena.domain.privacy import Kind, check, guard, mask
from tests.support.words import sentence

SENTENCES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "privacy-ko.jsonl").read_text("utf-8").splitlines()
]


def measured(rows: list[dict]) -> tuple[float, float, int]:
    """Recall and precision over (sentence, kind), and how many innocent sentences were flagged."""
    hits = missed = wrong = flagged = 0
    for row in rows:
        found, meant = {f.kind.value for f in check(row["text"])}, set(row["kinds"])
        hits, missed, wrong = hits + len(found & meant), missed + len(meant - found), wrong + len(found - meant)
        flagged += bool(found and not meant)
    return hits / (hits + missed), hits / (hits + wrong), flagged


def test_the_set_is_large_and_half_innocent():
    """At least 300 sentences, no two the same, about half of them look-alikes that hold nothing personal."""
    innocent = [row for row in SENTENCES if not row["kinds"]]

    assert len(SENTENCES) >= 300
    assert len({row["text"] for row in SENTENCES}) == len(SENTENCES)
    assert 0.4 <= len(innocent) / len(SENTENCES) <= 0.6
    assert {kind for row in SENTENCES for kind in row["kinds"]} == set(Kind)


def test_recall_and_precision_on_the_whole_set(record_property):
    """At least 98 % of the personal data is found, and at least 97 % of what is found is personal data."""
    recall, precision, flagged = measured(SENTENCES)
    record_property("recall", recall)
    record_property("precision", precision)

    assert recall >= 0.98
    assert precision >= 0.97
    assert flagged <= 5


def test_recall_on_sentences_the_patterns_were_not_tuned_on():
    """Sentences written after the patterns, which were then left alone, keep 85 % recall and 95 % precision."""
    recall, precision, _ = measured([row for row in SENTENCES if row["set"] == "unseen"])

    assert recall >= 0.85
    assert precision >= 0.95


def test_a_registration_number_is_never_missed_in_its_plain_forms():
    """Every labelled registration number, resident's or foreigner's, is found as one of the two: it may never be stored."""
    numbers = {"rrn", "foreigner"}  # as the sentences are labelled, whatever the code calls blocking
    labelled = [row for row in SENTENCES if numbers & set(row["kinds"])]
    assert len(labelled) >= 60
    assert [row["text"] for row in labelled if not numbers & {f.kind.value for f in check(row["text"])}] == []


@pytest.mark.parametrize("last_six", ["234567", "000000", "999999", "103847"])
def test_a_failed_checksum_clears_nobody(last_six):
    """Since October 2020 the last six digits are random: any six of them are a registration number."""
    assert [f.kind for f in check(f"제 번호는 240101-3{last_six}입니다")] == [Kind.RRN]


@pytest.mark.parametrize("policy", ["mask", "ask"])
def test_a_registration_number_stops_the_prompt_under_every_policy(policy):
    """The refusal says what to remove and never repeats it."""
    with pytest.raises(Unusable) as refused:
        guard("주민번호 901231-1234567로 조회해 줘", policy)

    assert refused.value.code == "registration_number"
    assert "주민등록번호" in sentence(refused.value, "ko")
    assert "1234567" not in sentence(refused.value, "ko") + sentence(refused.value)


def test_masking_leaves_the_question_and_takes_the_data():
    """Where the stage masks, the rest of the prompt is untouched and the marks say what was taken out."""
    prompt, marks = guard(
        "입금은 국민은행 987654-32-109876, 문자는 010-1112-2233으로. 메일 a.b@naver.com 맞죠?", "mask"
    )

    assert prompt == "입금은 국민은행 [계좌번호], 문자는 [전화번호]으로. 메일 [이메일 주소] 맞죠?"
    assert marks == ("masked:phone", "masked:account", "masked:email")


def test_where_the_stage_asks_the_citizen_reads_what_to_remove():
    """Where the stage asks, nothing is sent, and the sentence names the kind, not the number."""
    with pytest.raises(Unusable) as refused:
        guard("010-1112-2233으로 전화할 대본", "ask")

    assert refused.value.code == "personal_data"
    assert "전화번호" in sentence(refused.value, "ko")
    assert "1112" not in sentence(refused.value, "ko") + sentence(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        "901231-1234567",
        "９０１２３１－１２３４５６７",
        "901231−1234567",
        "90123​1-12345​67",
        "901231 - 1234567",
        "901231ㅡ1234567",
        "9012311234567",
    ],
)
def test_disguises_are_seen_through_and_spans_stay_true(written):
    """Full-width digits, odd hyphens, spaces and invisible characters hide nothing; the span covers what was written."""
    prompt = f"이 번호 {written}입니다"

    [found] = check(prompt)

    assert prompt[found.start : found.end] == written


@given(st.text(max_size=300))
def test_any_text_can_be_checked_and_masked(text):
    """No text breaks the check; spans are ordered, apart and inside; masking leaves nothing that stops a prompt."""
    found = check(text)

    assert all(0 <= f.start < f.end <= len(text) for f in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert not {Kind.RRN, Kind.FOREIGNER} & {f.kind for f in check(mask(text, found))}
