"""Failing and naming oneself are vetoes: who uses them more than the others is found, and nobody is accused by chance."""

import numpy as np
import pytest

from arena.results.publish.vetoes import vetoes


def test_who_fails_more_than_the_others_is_found() -> None:
    """Three in a hundred against one in a hundred, of a thousand battles each: that entrant, and no other; numbers are told as they are."""
    found = vetoes({"garam": (10, 1000), "narae": (30, 1000), "dasom": (9, 1000), "maru": (11, 1000)})
    assert [(each.times, each.of) for each in found.values()] == [(10, 1000), (30, 1000), (9, 1000), (11, 1000)]
    p = {entrant: each.p for entrant, each in found.items()}
    assert p["narae"] is not None
    assert p["narae"] < 0.01
    assert [p[each] for each in ("garam", "dasom", "maru")] == [1.0, 1.0, 1.0]


def test_a_known_answer() -> None:
    """The tea tasting of Fisher (1935), 3 of 4 against 1 of 4: p = 17/70, twice that for two who are asked about."""
    found = vetoes({"garam": (3, 4), "narae": (1, 4)})
    assert found["garam"].p == pytest.approx(2 * 17 / 70)
    assert found["narae"].p == 1.0


def test_the_innocent_are_seldom_named() -> None:
    """Of five equal entrants one is below .05 in at most one stage of twenty."""
    rng = np.random.default_rng(7)
    stages = [vetoes({f"e{n}": (int(rng.binomial(400, 0.02)), 400) for n in range(5)}) for _ in range(400)]
    named = sum(any(each.p is not None and each.p < 0.05 for each in stage.values()) for stage in stages)
    assert named <= 0.05 * len(stages) + 2 * (0.05 * 0.95 * len(stages)) ** 0.5


@pytest.mark.parametrize(
    "counts", [{}, {"a": (0, 0)}, {"a": (0, 5), "b": (0, 5)}, {"a": (2, 5)}, {"a": (2, 5), "b": (0, 0)}]
)
def test_where_nobody_can_tell_nothing_is_said(counts: dict[str, tuple[int, int]]) -> None:
    """Without others, or without a case, there is no p."""
    assert [each.p for each in vetoes(counts).values()] == [None] * len(counts)
