"""What `stage check` proposes hides the entrants that it measured."""

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arena.battles.pacing import TICK_S, Metronome
from arena.battles.tempo import Tempo, proposed
from arena.domain.battle import SIDES, Side
from arena.domain.stage import Protocol

DECLARED = Protocol()


def written(first_s: float, per_s: float, characters: int, lump: int = 1) -> list[tuple[float, str]]:
    """An answer at a steady pace."""
    return [(first_s + n / per_s, "가" * min(lump, characters - n)) for n in range(0, characters, lump)]


def test_the_slow_ones_decide() -> None:
    """Of twenty answers the slowest is told: first token, what is in hand before anything is shown, and pace."""
    answers = [written(0.5, 100, 200)] * 19 + [written(2.0, 20, 200)]
    tempo = Tempo.of(answers, 50)
    assert tempo == pytest.approx((2.0, 2.0 + 50 / 20, 20), rel=0.01)
    assert Tempo.of(answers, "answer").bar_s == pytest.approx(2.0 + 199 / 20)


def test_a_short_answer_and_one_at_once_have_no_pace() -> None:
    """A greeting, and an answer that comes whole, ask for no slower pace than was declared."""
    for pieces in (written(0.4, 5, 8), [(0.4, "가" * 300)]):
        assert proposed([Tempo.of([pieces], 50)], DECLARED)[1] == DECLARED.pacing_graphemes_per_s


@given(
    st.lists(st.tuples(st.floats(0.05, 8), st.floats(5, 200), st.integers(1, 30)), min_size=2, max_size=6),
    st.integers(120, 400),
)
def test_what_is_proposed_hides_whom_it_was_made_for(entrants: list[tuple[float, float, int]], characters: int) -> None:
    """Any two of the entrants, as they were measured: shown from the first mark on, without a pause, so that nothing tells them from two others."""
    answers = [written(first_s, per_s, characters, lump) for first_s, per_s, lump in entrants]
    grid_s, rate = proposed([Tempo.of([answer], 50) for answer in answers], DECLARED)
    assume(grid_s < 60)
    expected = None
    for left, right in itertools.pairwise(answers):
        pacing, rest, seen = Metronome(rate, grid_s, 50), {"a": [*left], "b": [*right]}, []
        sides: dict[Side, list[tuple[float, str]]] = {side: rest[side] for side in SIDES}
        for tick in range(1, 100_000):
            for side, pieces in sides.items():
                ended = bool(pieces) and pieces[-1][0] <= tick * TICK_S
                while pieces and pieces[0][0] <= tick * TICK_S:
                    pacing.feed(side, pieces.pop(0)[1])
                if ended:
                    pacing.end(side)
            shown = pacing.tick(tick * TICK_S)
            seen.append((len(shown["a"]), len(shown["b"])))
            if all(pacing.drained(side) for side in SIDES):
                break
        assert seen == (expected or seen)
        expected = seen
