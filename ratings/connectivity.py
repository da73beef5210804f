"""Who was compared with whom, directly or through others, and who never lost to whom: looked at before any fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True, slots=True)
class Separation:
    """Within one group, `winners` took every comparison they had with `losers` (indices of models)."""

    winners: tuple[int, ...]
    losers: tuple[int, ...]


def groups(wins: NDArray[np.float64]) -> list[tuple[int, ...]]:
    """Group the models compared with each other, directly or through others: one tuple of indices for each such group.

    A model without comparisons is a group of its own. Groups come in the order of their first member.
    """
    if len(wins) and _all_won(wins > 0):
        return [tuple(range(len(wins)))]
    count, labels = connected_components(wins > 0, directed=True, connection="weak")
    found = [tuple(int(i) for i in np.flatnonzero(labels == label)) for label in range(count)]
    return sorted(found)


def separations(wins: NDArray[np.float64], group: tuple[int, ...]) -> list[Separation]:
    """Find the splits of a group across which all comparisons went one way (Ford 1957: then no finite estimate exists).

    The strongly connected parts are put in an order in which every win between parts points down; each cut between
    neighbours that no loss crosses upward is one separation.
    """
    members = np.array(group)
    inner = wins[np.ix_(members, members)] > 0
    if _all_won(inner):
        return []
    count, labels = connected_components(inner, directed=True, connection="strong")
    if count == 1:
        return []
    beats = np.zeros((count, count), bool)
    won, lost = np.nonzero(inner)
    beats[labels[won], labels[lost]] = True
    np.fill_diagonal(beats, False)
    order: list[int] = []
    beaten_by = beats.sum(axis=0)
    left = np.ones(count, bool)
    while (
        left.any()
    ):  # parts that no remaining part beats come first; the condensation has no cycle, so one always exists
        free = np.flatnonzero(left & (beaten_by == 0))
        order += free.tolist()
        left[free] = False
        beaten_by -= beats[free].sum(axis=0)
    cuts = []
    for cut in range(1, count):
        above = np.isin(labels, order[:cut])
        cuts.append(
            Separation(tuple(int(i) for i in members[above]), tuple(int(i) for i in members[~above])),
        )
    return cuts


def _all_won(won: NDArray[np.bool_]) -> bool:
    """Tell whether everybody has beaten everybody: the usual case, which needs no search."""
    return int(np.count_nonzero(won)) - int(np.count_nonzero(won.diagonal())) == len(won) * (len(won) - 1)
