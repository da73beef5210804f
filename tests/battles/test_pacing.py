"""Answers are released so that their rhythm does not name a model."""

import math
import random
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.battles.pacing import TICK_S, Lockstep, Metronome, Natural, Pacer, pacer
from arena.domain.battle import SIDES, Side
from arena.domain.stage import Protocol

Writing = dict[Side, tuple[list[tuple[float, str]], float]]
"""What each side writes: `(seconds, text)`, and when it ends."""
Shown = tuple[float, str, str]
"""One tick that shows something: seconds, text of A, text of B."""


def play(pacing: Pacer, writing: Writing, *, ticks: int = 20_000) -> list[Shown]:
    """Ticks until both sides are drained, text coming in when it was written; what was shown when."""
    rest = {side: list(pieces) for side, (pieces, _) in writing.items()}
    open_ = set(writing)
    shown = []
    for tick in range(1, ticks):
        now = tick * TICK_S
        for side, (_, end) in writing.items():
            while rest[side] and rest[side][0][0] <= now:
                pacing.feed(side, rest[side].pop(0)[1])
            if side in open_ and end <= now:
                pacing.end(side)
                open_.remove(side)
        a, b = pacing.tick(now).values()
        if a or b:
            shown.append((round(now, 3), a, b))
        if all(pacing.drained(side) for side in SIDES):
            return shown
    pytest.fail("the pacer never drained")


def steady(text: str, *, first_s: float = 0.0, per_s: float = 1e6) -> tuple[list[tuple[float, str]], float]:
    """Text that is written one character after the other."""
    return [(first_s + n / per_s, character) for n, character in enumerate(text)], first_s + len(text) / per_s


# --- the metronome ----------------------------------------------------------------------------------------------------


@st.composite
def writings(draw: st.DrawFn) -> Writing:
    """Two answers of any length and any rhythm: at once, in lumps, with pauses, slow."""
    found: Writing = {}
    for side in SIDES:
        gaps = st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 9))
        pieces = draw(st.lists(st.tuples(gaps, st.integers(1, 60)), min_size=1, max_size=12))
        at, written = 0.0, []
        for gap, n in pieces:
            at += gap
            written.append((at, "가" * n))
        found[side] = written, at + draw(gaps)
    return found


def rounded_up(writing: Writing, step_s: float) -> Writing:
    """The same text, all of it only when the next of these moments comes."""

    def up(at: float) -> float:
        return math.ceil(round(at / step_s, 6)) * step_s

    return {side: ([(up(at), text) for at, text in pieces], up(end)) for side, (pieces, end) in writing.items()}


@given(writings())
def test_the_metronome_knows_no_time_but_its_grid(writing: Writing) -> None:
    """Bars of 2 s on a grid of 4 s: whatever comes anywhere between two of those moments, the same is shown at the same ticks."""
    shown = play(Metronome(25, 4, 50), writing)
    assert shown == play(Metronome(25, 4, 50), rounded_up(writing, 2))
    assert {side: "".join(part) for side, part in zip(SIDES, list(zip(*shown, strict=True))[1:], strict=True)} == {
        side: "".join(text for _, text in pieces) for side, (pieces, _) in writing.items()
    }


@given(writings(), writings())
def test_who_is_ready_is_no_time_of_its_own(writing: Writing, other: Writing) -> None:
    """Two battles with the same words of which all comes before the first mark look the same to the tick, whoever wrote them and how."""
    hasty: Writing = {
        side: ([(at / 1e3, text) for at, text in pieces], end / 1e3) for side, (pieces, end) in writing.items()
    }
    words = {side: "".join(text for _, text in pieces) for side, (pieces, _) in writing.items()}
    rhythm = {side: end / 1e3 for side, (_, end) in other.items()}
    again: Writing = {side: ([(rhythm[side], words[side])], rhythm[side]) for side in SIDES}
    assert play(Metronome(25, 4, 50), hasty) == play(Metronome(25, 4, 50), again)


@given(writings(), st.sampled_from([(25, 4.0, 50), (400, 0.1, 60), (10, 1.0, 7), (25, 4.0, None)]))
def test_both_sides_are_shown_by_one_declared_clock(writing: Writing, declared: tuple[int, float, int | None]) -> None:
    """A tick shows as much of one side as of the other, until it has no more; a pause ends on a mark; no tick is above the pace."""
    rate, grid_s, bar = declared
    shown = play(Metronome(rate, grid_s, bar), writing)
    left = {side: sum(len(text) for _, text in pieces) for side, (pieces, _) in writing.items()}
    last_s, run_s = 0.0, 0.0
    so_far = 0
    for now, a, b in shown:
        due = max(len(a), len(b))
        assert (len(a), len(b)) == (min(due, left["a"]), min(due, left["b"]))
        left["a"] -= len(a)
        left["b"] -= len(b)
        if now - last_s > max(TICK_S, 1 / rate) + TICK_S * 1.5 or not last_s:
            run_s, so_far = math.floor((now - 1e-6) / grid_s) * grid_s, 0
            assert now - run_s <= 1 / rate + 2 * TICK_S
        so_far += due
        assert so_far <= (now - run_s) * rate + 1e-6
        last_s = now


def test_a_word_and_a_page_begin_alike() -> None:
    """Answers of a word are shown at the first mark, and both ends of a word and a page come together, when the page has been shown."""
    page = "긴 답변입니다. " * 20
    word = play(Metronome(25, 4, 50), {"a": steady("네"), "b": steady("예", first_s=1.9)})
    assert word == [(4.1, "네", "예")]
    both = play(Metronome(25, 4, 50), {"a": steady("네"), "b": steady(page, per_s=30)})
    assert both[0][0] == 4.1
    assert both[-1][0] == pytest.approx(4 + len(page) / 25, abs=TICK_S)


def test_an_end_that_is_late_waits_for_a_mark() -> None:
    """A side that has written all and does not say so is seen to end on the grid, not when it says so."""
    text = "가" * 50
    ends = {}
    for end_s in (4.3, 5.9, 7.9):
        pacing = Metronome(25, 4, 49)
        ends[end_s] = play(pacing, {"a": steady(text), "b": (steady(text)[0], end_s)})[-1][0]
    assert ends == {4.3: 6.0, 5.9: 6.0, 7.9: 8.1}


def test_whole_answers_wait_for_both() -> None:
    """With `pacing_bar = "answer"` nothing is shown before both have ended, and then there is no pause."""
    text = "가" * 100
    shown = play(Metronome(25, 4, None), {"a": steady(text, per_s=11), "b": steady(text)})
    assert (shown[0][0], shown[-1][0]) == (12.1, 16.0)


def test_a_side_slower_than_the_pace_pauses_both_on_the_grid() -> None:
    """15 graphemes a second against a pace of 25: bars of 2 s, and after each pause a mark."""
    shown = play(Metronome(25, 4, 50), {"a": steady("가" * 200), "b": steady("나" * 200, per_s=15)})
    began = [now for (before, *_), (now, *_) in zip([(0, "", ""), *shown], shown, strict=False) if now - before > 0.15]
    assert began == [4.1, 8.1, 16.1]
    assert all(len(a) == len(b) for _, a, b in shown)


@pytest.mark.parametrize("late_s", [0.3, 2.0, 17.0])
def test_a_tick_that_comes_late_loses_nothing(late_s: float) -> None:
    """After a moment in which the process could not tick, all that is due is shown at once, and the clock goes on as declared."""
    pacing, text = Metronome(25, 4, 50), "가" * 300
    for side in SIDES:
        pacing.feed(side, text)
        pacing.end(side)
    assert pacing.tick(4.0)["a"] == ""
    assert len(pacing.tick(5.0 + late_s)["a"]) == min(300, round((1 + late_s) * 25))


# --- lockstep ---------------------------------------------------------------------------------------------------------


def test_nothing_is_shown_before_both_sides_have_begun() -> None:
    """A quick model does not show that it is quick: the start gate opens for both at once."""
    pacing = Lockstep(40)
    pacing.feed("a", "빠른 답변입니다. 이만큼이나 벌써 썼어요.")
    assert [pacing.tick(tick / 10) for tick in range(1, 21)] == [{"a": "", "b": ""}] * 20
    pacing.feed("b", "느린 답변")
    assert pacing.tick(2.1) == {"a": "빠른 답", "b": "느린 답"}


def test_both_sides_show_the_same_number_at_every_tick() -> None:
    """While both are writing, a tick never shows more of one side than of the other, and never more than the stage's pace."""
    pacing = Lockstep(40)
    dice = random.Random(1)
    for tick in range(1, 301):
        for side in SIDES:
            pacing.feed(side, "가" * dice.choice([0, 0, 1, 2, 9]))
        shown = pacing.tick(tick / 10)
        assert len(shown["a"]) == len(shown["b"]) <= 5


def test_a_slow_side_holds_the_quick_one() -> None:
    """The emptier buffer sets the pace, so the quicker side cannot be told."""
    pacing = Lockstep(400)
    pacing.feed("a", "x" * 200)
    pacing.feed("b", "yyy")
    assert pacing.tick(1.0) == {"a": "xx", "b": "yy"}
    assert pacing.tick(2.0) == {"a": "", "b": ""}


@pytest.mark.parametrize("make", [lambda: Lockstep(40), lambda: Metronome(40, 0.1, 5)])
def test_ends_are_shown_together(make: Callable[[], Pacer]) -> None:
    """A short answer does not end before the long one does."""
    pacing = make()
    pacing.feed("a", "짧다")
    pacing.end("a")
    pacing.feed("b", "길" * 50)
    shown = ""
    for tick in range(1, 30):
        shown += pacing.tick(tick / 10)["b"]
        assert not pacing.drained("a")
    pacing.end("b")
    for tick in range(30, 60):
        shown += pacing.tick(tick / 10)["b"]
    assert shown == "길" * 50
    assert pacing.drained("a")
    assert pacing.drained("b")


def test_waiting_gives_no_burst() -> None:
    """After a stall a side does not catch up in one tick, which would show that it had stalled."""
    pacing = Lockstep(40)
    for side in SIDES:
        pacing.feed(side, "가")
    for tick in range(1, 51):
        pacing.tick(tick / 10)
    for side in SIDES:
        pacing.feed(side, "나" * 100)
    assert len(pacing.tick(5.1)["a"]) <= 5


# --- all of them ------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from(SIDES), st.text(max_size=20)), max_size=40),
    st.sampled_from(get_args(Protocol.model_fields["pacing"].annotation)),
    st.sampled_from([1, 7, "answer"]),
)
def test_every_character_arrives_in_order(pieces: list[tuple[Side, str]], kind: Any, bar: Any) -> None:
    """Pacing loses nothing and reorders nothing, whatever the pieces: emoji, jamo, accents, nothing at all."""
    pacing = pacer(Protocol(pacing=kind, pacing_bar=bar, pacing_grid_s=0.3, pacing_graphemes_per_s=100))
    shown = dict.fromkeys(SIDES, "")
    for tick in range(1, 2000):
        for side, piece in pieces[tick - 1 : tick]:
            pacing.feed(side, piece)
        if tick == len(pieces) + 1:
            for side in SIDES:
                pacing.end(side)
        for side, text in pacing.tick(tick * TICK_S).items():
            shown[side] += text
        if tick > len(pieces) and all(pacing.drained(side) for side in SIDES):
            break
    assert shown == {side: "".join(piece for s, piece in pieces if s == side) for side in SIDES}


@pytest.mark.parametrize("cluster", ["👨‍👩‍👧‍👦", "é", "각", "🇰🇷"])
def test_a_cluster_is_never_shown_in_parts(cluster: str) -> None:
    """A family emoji, an accent, a syllable of jamo or a flag is one thing to the eye, however it was cut on the way."""
    pacing = Natural()
    seen = []
    for tick, character in enumerate(cluster + "!", start=1):
        pacing.feed("a", character)
        seen.append(pacing.tick(tick)["a"])
    assert [piece for piece in seen if piece] == [cluster]
