"""Prints the table that test/monitoring/statistics/ holds the statistics against: values of scipy on generated samples.

    python training/statistics_table.py > test/monitoring/statistics/table.json

A number as argument draws other samples, for a check that the committed table cannot satisfy by chance.

A sample is four whole numbers: its size, a seed, the number of its possible values, and what is added to each. The test
draws the same values.
"""

import json
import sys

import numpy as np
import scipy
from scipy import stats


def draw(size, seed, count, shift):
    """A linear congruential generator (Numerical Recipes), so that any language draws the same whole numbers."""
    values = []
    for _ in range(size):
        seed = (1664525 * seed + 1013904223) % 2**32
        values.append((seed >> 8) % count + shift)
    return np.array(values, dtype=float)


OTHER = int(sys.argv[1]) if len(sys.argv) > 1 else 0


def two_samples():
    sizes = [(2, 3), (5, 5), (7, 12), (20, 20), (30, 45), (50, 100), (100, 100), (99, 101), (200, 50), (150, 400), (500, 500), (300, 799)]
    for k, (n, m) in enumerate(sizes):
        for j, (count, shift) in enumerate([(1_000_000, 0), (1_000_000, 60_000), (1_000_000, 400_000), (5, 0), (5, 1), (40, 6), (1, 0)]):
            yield [n, 17 * k + j + 1 + OTHER, count, 0], [m, 1000 + 31 * k + j + OTHER, count, shift]


def ks_row(first, second):
    a, b = draw(*first), draw(*second)
    exact = stats.ks_2samp(a, b, method="exact")
    asymptotic = stats.ks_2samp(a, b, method="asymp")
    return {
        "first": first,
        "second": second,
        "statistic": float(exact.statistic),
        "exact": float(exact.pvalue),
        "asymptotic": float(asymptotic.pvalue),
        "wasserstein": float(stats.wasserstein_distance(a, b)),
    }


def one_sample_rows():
    for n in [1, 2, 5, 10, 50, 100, 140, 141, 200, 500, 1000, 1667, 5000, 20000]:
        for z in [0.3, 0.45, 0.6, 0.8, 0.86, 0.87, 1.0, 1.2, 1.36, 1.48, 1.49, 1.7, 2.0, 2.5, 4.0]:
            d = z / np.sqrt(n)
            if 0.5 / n < d < 1:
                yield {"n": n, "d": float(d), "tail": float(stats.kstwo.sf(d, n))}


def chi_rows():
    rng = np.random.default_rng(7 + OTHER)
    for size in [2, 3, 5, 12, 40]:
        for scale in [1, 1.02, 1.3]:
            expected = rng.integers(20, 400, size).astype(float)
            observed = np.round(expected * rng.uniform(2 - scale, scale, size))
            matched = expected * observed.sum() / expected.sum()
            one = stats.chisquare(observed, matched)
            two = stats.chi2_contingency([observed, expected])
            yield {
                "observed": observed.tolist(),
                "expected": matched.tolist(),
                "other": expected.tolist(),
                "goodness": [float(one.statistic), float(one.pvalue)],
                "homogeneity": [float(two.statistic), float(two.pvalue), int(two.dof)],
            }


def adjusted_rows():
    rng = np.random.default_rng(11 + OTHER)
    for size in [1, 2, 7, 30]:
        values = rng.uniform(0, 1, size) ** 3
        yield {"values": values.tolist(), "adjusted": stats.false_discovery_control(values).tolist()}


table = {
    "scipy": scipy.__version__,
    "samples": [ks_row(*it) for it in two_samples()],
    "tails": list(one_sample_rows()),
    "counts": list(chi_rows()),
    "adjusted": list(adjusted_rows()),
}
json.dump(table, sys.stdout, separators=(",", ":"))
print()
