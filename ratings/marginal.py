"""From a mixed model to a population: how often its people, with their own tastes and questions, prefer one entrant to another, and the strengths that say so.

A chance is not that of the average person (σ of a mean) but the average of the people's chances (mean of σ): over the cells of the population by their shares, within a
cell over voters' tastes and questions' effects by Gauss and Hermite's rule. Multilevel regression and poststratification poststratifies
predictions in the same way (Gelman & Little 1997; Park, Gelman & Bafumi 2004). The strengths are those of the plain fit to endless votes of that
population, every pair drawn alike: Σ_j σ(t_i − t_j) = Σ_j P_ij. So they are on the scale of all other ratings, and any transform
turns them into points; with `win_probability` the points are the mean of the people's chances itself.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ratings import bradley_terry
from ratings.clusters import laplacian
from ratings.mixed import SHIFT, Fitted, Mode, Model

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

Array = NDArray[np.float64]


def strengths(model: Model, fitted: Fitted, cells: Array, shares: Array) -> tuple[Array, Array]:
    """Give the populations' strengths and their covariance, that of how little is known of every σ included (Kass & Steffey 1989).

    Args:
        model: that was fitted.
        fitted: the fit.
        cells: (cells, blocks) which blocks of shared effects add up in each cell.
        shares: (populations, cells) what each cell is of each population; rows add up to 1.

    Returns:
        t, (populations, k), mean 0 in each; its covariance, (populations · k, populations · k).
    """
    found, gradient = population(model, fitted.mode, cells, shares)
    covariance = gradient @ fitted.mode.covariance @ gradient.T
    moves = [(population(model, other, cells, shares)[0] - found).ravel() / SHIFT for other in fitted.moved]
    if moves:
        moved = np.column_stack(moves)
        covariance = covariance + moved @ fitted.spread @ moved.T
    return found, (covariance + covariance.T) / 2


def population(model: Model, mode: Mode, cells: Array, shares: Array) -> tuple[Array, Array]:
    """Strengths of each population, (populations, k), and their derivative by the shared effects, (populations · k, blocks · k)."""
    k, populations = mode.shared.shape[1], len(shares)
    level = cells @ mode.shared
    nodes = _NODES * np.sqrt(2 * model.spread_of_people(mode.sd))
    gaps = level[:, :, None] - level[:, None, :]
    p, slope = np.zeros_like(gaps), np.zeros_like(gaps)
    for node, weight in zip(nodes, _WEIGHTS, strict=True):
        each = expit(gaps + node)
        p += weight * each
        slope += weight * each * (1 - each)
    p[:, np.arange(k), np.arange(k)] = 0
    found, gradient = np.empty((populations, k)), np.empty((populations, k, len(mode.shared), k))
    of_cell = np.stack([laplacian(each - np.diag(np.diag(each))) for each in slope])
    for n, share in enumerate(shares):
        theta = bradley_terry.fit(np.einsum("c,cij->ij", share, p), 0)
        q = bradley_terry.probabilities(theta)
        inverse = np.linalg.pinv(laplacian(q * (1 - q) * (1 - np.eye(k))), hermitian=True)
        moved = np.einsum("c,cm,cij->imj", share, cells, of_cell, optimize=True)
        found[n], gradient[n] = theta, np.tensordot(inverse, moved, 1)
    return found, gradient.reshape(populations * k, -1)
