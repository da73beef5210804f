"""The known answer of a tiny multilevel stage, by summing over grids: imports nothing of ours, and nothing but numpy.

    python tests/data/multilevel_tiny.py > tests/data/multilevel_tiny.json

Two entrants, 40 voters in two groups (30 and 10), 12 votes each. logit P(first wins) = x + d[group] + u[voter]; u is the difference of two tastes of
standard deviation τ, so normal with variance 2 τ², and d of two effects of σ, with variance 2 σ². τ and σ are half-normal(1); x = θ₁ − θ₂,
where a phantom opponent of strength 0 has won and lost half a game against each, over all levels (θ₁ + θ₂)/2. The population is half and half.
Integrals over u, d, x, the level, τ and σ are sums over fine grids: no mode, no curvature.
"""

import json

import numpy as np


def sigmoid(x):
    """1 / (1 + exp(−x))."""
    return 1 / (1 + np.exp(-x))


def simulated():
    """Each vote's voter, each voter's group, and who won."""
    rng = np.random.default_rng(2)
    group = np.repeat([0, 1], [30, 10])
    own = 0.6 * np.sqrt(2) * rng.standard_normal(40)
    wins = rng.binomial(12, sigmoid(0.3 + np.array([0.3, -0.4])[group] + own))
    return group, wins


def main():
    """Print the votes and the answer."""
    group, wins = simulated()
    logs = np.linspace(np.log(0.02), np.log(3.5), 61)
    grid = np.linspace(-4, 4, 401)
    normal = np.linspace(-6, 6, 241)
    weight = np.exp(-(normal**2) / 2)
    weight /= weight.sum()
    levels = np.linspace(-12, 12, 481)[:, None]
    phantom = np.zeros_like(grid)
    for sign in (0.5, -0.5):
        p = sigmoid(levels + sign * grid)
        phantom = phantom + 0.5 * np.log(p * (1 - p))
    phantom = np.log(np.exp(phantom).sum(axis=0))
    posterior, first, second = np.empty((61, 61)), np.empty((61, 61)), np.empty((61, 61))
    for i, tau in enumerate(np.exp(logs)):
        p = sigmoid(grid[:, None] + np.sqrt(2) * tau * normal)
        chance = p @ weight
        value = np.zeros((2, len(grid)))
        for g, w in zip(group, wins, strict=True):
            value[g] += np.log((p**w * (1 - p) ** (12 - w)) @ weight)
        for j, sigma in enumerate(np.exp(logs)):
            near = np.exp(-((grid[:, None] - grid) ** 2) / (4 * sigma**2)) / np.sqrt(4 * np.pi * sigma**2) * 0.02
            near /= np.maximum(near.sum(axis=1, keepdims=True), 1e-300)
            likely = [near @ np.exp(each - each.max()) for each in value]
            of_x = np.exp(phantom - phantom.max()) * likely[0] * likely[1]
            mean = [near @ (np.exp(v - v.max()) * chance) / q for v, q in zip(value, likely, strict=True)]
            square = [near @ (np.exp(v - v.max()) * chance**2) / q for v, q in zip(value, likely, strict=True)]
            of_all = (mean[0] + mean[1]) / 2
            of_squares = (square[0] + square[1] + 2 * mean[0] * mean[1]) / 4
            total = of_x.sum()
            # Densities of log τ and log σ: half-normals times τ and σ.
            scale = value[0].max() + value[1].max() - (tau**2 + sigma**2) / 2 + np.log(tau * sigma)
            posterior[i, j] = np.log(total) + scale
            first[i, j], second[i, j] = (of_x @ of_all) / total, (of_x @ of_squares) / total
    i, j = np.unravel_index(posterior.argmax(), posterior.shape)
    weights = np.exp(posterior - posterior.max())
    weights /= weights.sum()
    mean = float((weights * first).sum())
    answer = {
        "chance": mean,
        "chance_sd": float(np.sqrt((weights * second).sum() - mean**2)),
        "taste": float(np.exp(logs[i])),
        "group": float(np.exp(logs[j])),
    }
    print(json.dumps({"group": group.tolist(), "wins": wins.tolist(), "answer": answer}))


if __name__ == "__main__":
    main()
