"""The scales that hang on who is first or last: bias and coverage of their points near ties.

    python -m benchmarks.ties [--stages 600] [--only TEXT]

Simulated stages of voters with a personal taste of sd 0.7 logits, seeded; 25 points. Bias and published bias are those of the first
three entrants, on average; `all` is the coverage over all entrants, `worst` that of the entrant that is covered least, `draws` what the percentiles of
draws around the estimate would cover. Of 600 stages with five entrants 95 % is good to 0.6 points over all, and to 0.9 for one.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from ratings import extremes, intervals
from ratings.fit import rate
from tests.support.ratings_votes import population_strengths, votes

TASTE, MAXIMUM = 0.7, 25.0
DESIGNS = {
    "three equal leaders, two equal": np.array([0.3, 0.3, 0.3, 0.0, 0.0]),
    "three equal leaders, two apart": np.array([0.5, 0.5, 0.5, -0.3, -1.2]),
    "all equal": np.zeros(5),
    "two leaders 0.1 apart": np.array([0.5, 0.4, 0.0, -0.2, -0.7]),
    "0.1 apart": np.arange(5) * -0.1,
    "0.3 apart": np.arange(5) * -0.3,
    "a clear leader and last": np.array([1.2, 0.4, 0.0, -0.4, -1.2]),
    "twelve, three equal leaders": np.array([0.4, 0.4, 0.4, 0.2, 0.1, 0.0, -0.1, -0.2, -0.3, -0.4, -0.5, -0.9]),
}
SIZES = ((300, 20), (49, 10))
SCALES = {
    "top_normalised": (extremes.top_normalised, extremes.of_top),
    "min_max": (extremes.min_max, extremes.of_min_max),
}


def stages(theta: NDArray[np.float64], voters: int, each: int, scale: str, seeds: range) -> NDArray[np.float64]:
    """Simulate stages: (stages, 5, k) of error, published bias, covered, covered by draws alone, width."""
    plain, with_interval = SCALES[scale]
    truth = plain(np.round(population_strengths(theta, taste=TASTE), 9))
    found = []
    for seed in seeds:
        fit = rate(votes(theta, voters, each, seed, taste=TASTE))
        sample = intervals.draws_by_strength(fit.theta, fit.covariance, fit.n_eff_clusters, fit.seed)
        made = with_interval(fit.theta, intervals.difference_errors(fit.covariance), sample)
        low, high = np.quantile(plain(fit.theta + sample), [0.025, 0.975], axis=0)
        covered = [
            (a <= truth + 1e-9) & (b >= truth - 1e-9)
            for a, b in ((made.low, made.high), (np.minimum(low, made.share), np.maximum(high, made.share)))
        ]
        bias = np.full(len(theta), np.nan) if made.bias is None else made.bias
        found.append([made.share - truth, bias, *covered, made.high - made.low])
    return np.array(found, dtype=float)


def row(found: NDArray[np.float64]) -> str:
    """Write one line of the table."""
    error, bias, covered, drawn, width = np.moveaxis(found, 1, 0)
    told = "–" if np.isnan(bias).all() else f"{MAXIMUM * np.nanmean(bias[:, :3]):.2f}"
    each, before = covered.mean(axis=0), drawn.mean(axis=0)
    return (
        f"{MAXIMUM * error[:, :3].mean():8.2f}{told:>11}{each.mean():8.1%}{each.min():8.1%}"
        f"{before.mean():8.1%}{before.min():8.1%}{MAXIMUM * width.mean():8.2f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, default=600)
    parser.add_argument("--only", default="", help="designs whose name holds this")
    asked = parser.parse_args()
    heads = ["bias", "published", "all", "worst", "draws", "worst", "width"]
    print(f"{'':60}{heads[0]:>8}{heads[1]:>11}" + "".join(f"{head:>8}" for head in heads[2:]))
    for name, theta in DESIGNS.items():
        for voters, each in SIZES:
            for scale in SCALES:
                if asked.only in name:
                    found = stages(theta, voters, each, scale, range(asked.stages))
                    print(f"{f'{name}, {voters} × {each}':44}{scale:16}{row(found)}", flush=True)


if __name__ == "__main__":
    main()
