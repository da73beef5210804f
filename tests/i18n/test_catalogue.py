"""The catalogue: what a translator may write between braces, and what comes of it."""

import pytest

from arena.domain.coded import Fault
from arena.domain.errors import Conflict, StageError
from arena.i18n.catalogue import Messages, in_both


@pytest.mark.parametrize(
    ("text", "values", "filled"),
    [
        ("{team}", {"team": "가람팀"}, "가람팀"),
        ("{share:.1%}, {votes:,}", {"share": 0.1234, "votes": 1200}, "12.3%, 1,200"),
        ("{votes:#vote|votes}", {"votes": 1}, "1 vote"),
        ("{votes:#vote|votes}", {"votes": 1200}, "1,200 votes"),
        ("{team:@을|를}", {"team": "가람팀"}, "가람팀을"),
        ("{team:@을|를}", {"team": "나래"}, "나래를"),
        ("{team:@을|를}", {"team": "GPT"}, "GPT을(를)"),
        ("{votes:#vote|votes}", {"votes": 0.4}, "0.4 votes"),
        ("{teams}: {n}", {"teams": ["가람팀", "나래"], "n": 2}, "가람팀, 나래: 2"),
        ("{teams}", {"teams": ()}, "없음"),
        ("{teams:*2}", {"teams": list("abc")}, "a, b, c"),
        ("{teams:*2}", {"teams": list("abcd")}, "a, b 외 2개"),
        ("{groups:*{each}}", {"groups": (tuple("abcd"), tuple("xy")), "each": 1}, "a 외 3개 | x, y"),
        ("{kind:=kind_}", {"kind": "card"}, "카드번호"),
        ("{kinds:=kind_}", {"kinds": ["card", "email"]}, "카드번호, 이메일 주소"),
        ("{cause}!", {"cause": Fault("leaf_missing", n=3)}, "3번째!"),
        ("{teams:@은|는}", {"teams": ["가람팀", "나래"]}, "가람팀, 나래는"),
        ("{{x}}", {}, "{x}"),
    ],
)
def test_a_sentence_is_filled_in(text: str, values: dict[str, object], filled: str) -> None:
    """Figures as Python writes them, counts with their noun, names with the particle that suits the last one, lists with commas or cut,
    codes with their words, and a sentence within a sentence."""
    others = {
        **{"listed_more": "{told} 외 {n:,}개", "listed_none": "없음", "fault_leaf_missing": "{n}번째"},
        **{"kind_card": "카드번호", "kind_email": "이메일 주소"},
    }
    assert Messages("ko", {"key": text, **others})("key", **values) == filled


def test_an_error_is_told_in_both_languages() -> None:
    """By its code and its parameters; in a log it is these two and nothing else."""
    error = Conflict("stage_status", stage="demo", status="draft", needed="open", wanted="frozen")
    assert in_both(error)["en"] == "Stage demo is draft; it has to be open to become frozen."
    assert "demo" in in_both(error)["ko"]
    assert str(error) == "stage_status stage='demo' status='draft' needed='open' wanted='frozen'"
    caused = StageError("stage_file", file="a.toml", cause=StageError("stage_tie_unknown", id="x"))
    assert in_both(caused)["en"] == "a.toml: ties: 'x' is not one of the components"
    assert str(caused) == "stage_file file='a.toml' cause=<stage_tie_unknown id='x'>"
