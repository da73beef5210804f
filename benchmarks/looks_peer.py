"""The boundaries of `ratings.anytime` beside those of the package `expectation`, which has them from Howard and others' ConfSeq; in an environment of its own.

    build/looks/bin/python -m benchmarks.looks_peer

Its mixtures know s, the sum, and v, its variance, where ours know z = s/√v and the clock x = v/ρ. `upwards alone` is the half normal that theirs is, ours
with a lean of 0; `its width at the plan` is what its approximate choice of ρ costs beside ours. Nothing of it is in this project.
"""

import importlib
from math import log, sqrt

import numpy as np

from ratings import anytime

ERRORS = (0.05, 0.01, 0.05 / 6, 0.05 / 190)


def main() -> None:
    """Print the largest differences over errors, plans and votes."""
    mixtures = importlib.import_module("expectation.modules.martingales")  # not in our environment
    off = {"both ways": 0.0, "upwards alone": 0.0, "evidence": 0.0, "its width at the plan": 0.0}
    for error in ERRORS:
        for plan in (50.0, 6000.0):
            both, above = mixtures.TwoSidedNormalMixture(plan, error), mixtures.OneSidedNormalMixture(plan, error)
            at_plan = anytime.boundary(plan / both.rho, error) / anytime.boundary(anytime.tightest(error), error)
            off["its width at the plan"] = max(off["its width at the plan"], at_plan - 1)
            for v in plan * np.geomspace(0.02, 20, 25):
                ours = anytime.boundary(v / both.rho, error)
                off["both ways"] = max(off["both ways"], abs(both.bound(v, -log(error)) / sqrt(v) / ours - 1))
                ours = anytime.one_sided(v / above.rho, error, lean=0)
                off["upwards alone"] = max(off["upwards alone"], abs(above.bound(v, -log(error)) / sqrt(v) / ours - 1))
                for z in (-2.0, 0.0, 1.0, 4.0):
                    gap = above.log_superMG(z * sqrt(v), v) - float(anytime.log_evidence(z, v / above.rho, lean=0))
                    off["evidence"] = max(off["evidence"], abs(gap))
    for name, gap in off.items():
        print(f"{name:24}{gap:.1e}")


if __name__ == "__main__":
    main()
