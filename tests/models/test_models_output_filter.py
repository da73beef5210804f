"""What of a model's words becomes its answer: thoughts apart, cut at stop strings, bounded in characters; the same whatever the pieces."""

import time
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.base import Finish, Message, Sampling
from models.conversation import fit, within
from models.errors import AnswerError
from models.output_filter import REASONING_FACTOR, OutputFilter
from models.reasoning import ends_lone

THOUGHT = "<think>음, 보자.\n</think>\n\n답은 **<b>** 그리고 <think> 라는 말입니다. 끝."
SHOWN = "답은 **<b>** 그리고 <think> 라는 말입니다. 끝."


def shaped(
    *pieces: str, opened: bool | None = False, end: Finish = "stop", **bounds: object
) -> tuple[str, str, Finish | None]:
    """Text, reasoning, and why it ended."""
    shaper = OutputFilter(Sampling(**bounds), opened=opened)  # type: ignore[arg-type]
    text, reasoning = "", ""
    for piece in pieces:
        shown = shaper.feed(piece)
        text, reasoning = text + shown.text, reasoning + shown.reasoning
        if shown.finish:
            return text, reasoning, shown.finish
    last = shaper.end(end)
    return text + last.text, reasoning + last.reasoning, last.finish


def test_thoughts_stand_apart_wherever_a_tag_is_cut() -> None:
    """A reasoning block is set apart; a tag inside a sentence is part of the sentence."""
    for at in range(len(THOUGHT) + 1):
        text, reasoning, _ = shaped(THOUGHT[:at], THOUGHT[at:])
        assert (text, reasoning) == (SHOWN, "음, 보자.\n"), at
    assert shaped(*THOUGHT)[:2] == shaped(THOUGHT)[:2]


def test_a_prompt_may_have_opened_the_block() -> None:
    """Some templates write the opening tag themselves; a block that never closes shows nothing."""
    assert shaped("생각", "</think>답", opened=True)[:2] == ("답", "생각")
    assert shaped("생각만 하다가", opened=True)[:2] == ("", "생각만 하다가")


TAGGED = st.lists(
    st.sampled_from(["a", "끝", " ", "\n", "<", "<think>", "</think>", "<thought>", "</th", "가\u200b", "e\u0301"]),
    max_size=14,
)


@given(TAGGED.map("".join), st.sampled_from([("끝",), ()]), st.sampled_from([True, False, None]), st.data())
def test_pieces_do_not_matter(raw: str, stop: tuple[str, ...], opened: bool | None, data: st.DataObject) -> None:
    """However a stream cuts an answer, the same is shown, the same is thought, and it ends for the same reason, or fails for it."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    ends: list[object] = []
    for way in (pieces, [raw]):
        try:
            ends.append(shaped(*way, opened=opened, stop=stop))
        except AnswerError as error:
            ends.append(error.kind)
    assert ends[0] == ends[1]


@given(TAGGED.map("".join))
def test_an_answer_that_is_held_back_is_the_answer(raw: str) -> None:
    """Held back until its end, a plain answer is what it would have been, and one with a lone end what it would have been with a prompt that opens."""
    assume(raw.count("</think>") < 2)
    assert shaped(raw, opened=None) == shaped(raw, opened=ends_lone(raw))


def test_a_thousand_tags_cost_next_to_nothing() -> None:
    """Letter by letter, held back or not, an answer of closing tags is looked at once, so no endpoint stops the others."""
    for opened in (None, True, False):
        began = time.process_time()
        shaper = OutputFilter(Sampling(max_chars=4000), opened=opened)
        with suppress(AnswerError):
            for letter in "`a</think>b<thin" * 1000:
                if shaper.feed(letter).finish:
                    break
        assert time.process_time() - began < 2
    assert shaped(*["\n" * 1000] * 200, max_chars=100)[2] == "length"


@pytest.mark.parametrize("opened", [None, False])
@pytest.mark.parametrize(
    "hidden", ["\ufeff<think>", "\u200b<think>", "<th\u200bink>", "<THINK>", "[THINK]", "◁think▷", "\r<think>"]
)
def test_a_block_is_found_behind_what_nobody_sees(opened: bool | None, hidden: str) -> None:
    """An invisible character before or in a tag, capital letters, and the tags of other families hide nothing from the citizen's side."""
    closing = {"[": "[/THINK]", "◁": "◁/think▷"}.get(hidden[0], "</think>")
    assert shaped(f"{hidden}비밀", f"{closing}\n\n서울", opened=opened)[:2] == ("서울", "비밀")


def test_a_closing_tag_before_any_word_ends_nothing() -> None:
    """Where reasoning came in a field of its own, its tag may still come in the answer: it is dropped."""
    shaper = OutputFilter(Sampling())
    shaper.feed("", "생각")
    assert shaper.feed("</think>\n\n서울").text + shaper.end("stop").text == "서울"


def test_what_one_letter_may_hide_is_bounded() -> None:
    """Characters that nobody sees end somewhere; decomposed syllables have the same room as composed ones."""
    assert shaped(*["\u200b" * 100] * 100, max_chars=10) == ("", "", "length")
    assert shaped("", *["\u200b"] * 1000, max_chars=10)[2] == "length"
    assert shaped(*unicodedata.normalize("NFD", "각" * 9), max_chars=10) == ("각" * 9, "", "stop")
    assert shaped(*"생각" * 100, opened=None, max_chars=10)[0::2] == ("", "length")


@pytest.mark.parametrize("pieces", [("하나끝둘", "셋"), ("하나", "끝", "둘"), tuple("하나끝둘")])
def test_a_stop_string_ends_the_answer_and_is_not_shown(pieces: tuple[str, ...]) -> None:
    """Even when it comes in parts."""
    assert shaped(*pieces, stop=("끝",)) == ("하나", "", "stop")
    assert shaped("스톱은 없", "다", stop=("없어",)) == ("스톱은 없다", "", "stop")


def test_characters_bound_an_answer_and_cut_no_grapheme() -> None:
    """Tokenizers differ, characters do not; a family, a flag or a syllable of jamo is never cut in half."""
    assert shaped("가나다라마", max_chars=3) == ("가나다", "", "length")
    assert shaped("가👨‍👩‍👧나", max_chars=3) == ("가", "", "length")
    assert shaped("<think>" + "음" * 100, max_chars=10) == ("", "음" * 10 * REASONING_FACTOR, "length")


def conversation(turns: int, chars: int = 10) -> list[Message]:
    said = [m for n in range(turns) for m in (Message("user", f"{n}" * chars), Message("assistant", f"{n}" * chars))]
    return [Message("system", "짧게"), *said, Message("user", "?" * chars)]


def test_the_oldest_turns_are_dropped_first() -> None:
    """The system prompt and the last question always stay, whole turns go, and how many went is known."""
    kept, dropped = fit(conversation(5), within(50))
    assert dropped == 3
    assert [m.content[0] for m in kept] == ["짧", "3", "3", "4", "4", "?"]
    assert fit(conversation(5), within(10_000)) == (conversation(5), 0)


def test_a_question_too_long_by_itself_loses_its_beginning() -> None:
    """What was asked last stands at the end; the loss counts as a turn."""
    kept, dropped = fit([Message("user", "가나다라마바사")], within(3))
    assert (kept, dropped) == ([Message("user", "마바사")], 1)


@pytest.mark.parametrize("pieces", [["끝</think>a"], ["끝", "</think>a"], [*"끝</think>a"]])
def test_what_ends_an_answer_before_a_leak_keeps_it(pieces: list[str]) -> None:
    """A stop string before a lone closing tag ends the answer there, however the stream was cut; after the tag it is too late."""
    assert shaped(*pieces, stop=("끝",)) == ("", "", "stop")
    with pytest.raises(AnswerError, match="leaked"):
        shaped("말</think>끝", stop=("끝",))
