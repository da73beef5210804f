"""Answers are released so that their rhythm does not name a model."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.battles.pacing import Lockstep, Natural, pacer
from arena.domain.battle import SIDES


def drain(pacing: Lockstep | Natural, *, ticks: int = 10_000) -> dict[str, list[str]]:
    """Ticks until both sides are drained; what each side showed, tick by tick."""
    shown: dict[str, list[str]] = {side: [] for side in SIDES}
    for _ in range(ticks):
        if all(pacing.drained(side) for side in SIDES):
            return shown
        for side, text in pacing.tick(0.1).items():
            shown[side].append(text)
    pytest.fail("the pacer never drained")


def test_nothing_is_shown_before_both_sides_have_begun() -> None:
    """A quick model does not show that it is quick: the start gate opens for both at once."""
    pacing = Lockstep(40)
    pacing.feed("a", "빠른 답변입니다. 이만큼이나 벌써 썼어요.")
    assert [pacing.tick(0.1) for _ in range(20)] == [{"a": "", "b": ""}] * 20
    pacing.feed("b", "느린 답변")
    assert pacing.tick(0.1) == {"a": "빠른 답", "b": "느린 답"}


def test_both_sides_show_the_same_number_at_every_tick() -> None:
    """While both are writing, a tick never shows more of one side than of the other, and never more than the stage's pace."""
    pacing = Lockstep(40)
    dice = random.Random(1)
    for _ in range(300):
        for side in SIDES:
            pacing.feed(side, "가" * dice.choice([0, 0, 1, 2, 9]))
        tick = pacing.tick(0.1)
        assert len(tick["a"]) == len(tick["b"]) <= 5


def test_a_slow_side_holds_the_quick_one() -> None:
    """The emptier buffer sets the pace, so the quicker side cannot be told."""
    pacing = Lockstep(400)
    pacing.feed("a", "x" * 200)
    pacing.feed("b", "yyy")
    assert pacing.tick(1.0) == {"a": "xx", "b": "yy"}
    assert pacing.tick(1.0) == {"a": "", "b": ""}


def test_ends_are_shown_together() -> None:
    """A short answer does not end before the long one does."""
    pacing = Lockstep(40)
    pacing.feed("a", "짧다")
    pacing.end("a")
    pacing.feed("b", "길" * 50)
    while pacing.tick(0.1)["b"]:
        assert not pacing.drained("a")
    pacing.end("b")
    shown = drain(pacing)
    assert "".join(shown["b"]) == "길"
    assert pacing.drained("a")
    assert pacing.drained("b")


def test_waiting_gives_no_burst() -> None:
    """After a stall a side does not catch up in one tick, which would show that it had stalled."""
    pacing = Lockstep(40)
    for side in SIDES:
        pacing.feed(side, "가")
    for _ in range(50):
        pacing.tick(0.1)
    for side in SIDES:
        pacing.feed(side, "나" * 100)
    assert len(pacing.tick(0.1)["a"]) <= 5


@given(
    st.lists(st.tuples(st.sampled_from(SIDES), st.text(max_size=20)), max_size=40),
    st.sampled_from(["lockstep", "natural"]),
)
def test_every_character_arrives_in_order(pieces: list[tuple[str, str]], kind: str) -> None:
    """Pacing loses nothing and reorders nothing, whatever the pieces: emoji, jamo, accents, nothing at all."""
    pacing = pacer(kind, 100)  # type: ignore[arg-type]
    for side, piece in pieces:
        pacing.feed(side, piece)  # type: ignore[arg-type]
    for side in SIDES:
        pacing.end(side)
    shown = drain(pacing)  # type: ignore[arg-type]
    for side in SIDES:
        assert "".join(shown[side]) == "".join(piece for s, piece in pieces if s == side)


@pytest.mark.parametrize("cluster", ["👨‍👩‍👧‍👦", "é", "각", "🇰🇷"])
def test_a_cluster_is_never_shown_in_parts(cluster: str) -> None:
    """A family emoji, an accent, a syllable of jamo or a flag is one thing to the eye, however it was cut on the way."""
    pacing = Natural()
    seen = []
    for character in cluster + "!":
        pacing.feed("a", character)
        seen.append(pacing.tick(0.1)["a"])
    assert [piece for piece in seen if piece] == [cluster]
