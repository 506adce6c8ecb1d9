"""Compares answers with scikit-learn's own, and says how far apart they are."""

from dataclasses import dataclass

import numpy as np

MAX_PROBABILITY_DIFFERENCE = 1e-5
MAX_RELATIVE_DIFFERENCE = 1e-4


@dataclass
class Parity:
    rows: int = 0
    labels: int = 0  # rows that have a label to compare
    labels_equal: int = 0
    probability_difference: float = 0.0
    relative_difference: float = 0.0

    def add(self, expected: dict, got: dict) -> None:
        self.rows += 1
        if "outputs" in expected:
            self._add_outputs(expected["outputs"], got["outputs"])
        elif "probabilities" in expected:
            self._add_label(expected["prediction"], got["prediction"])
            if expected["probabilities"].keys() != got["probabilities"].keys():
                raise ValueError(f"classes differ: {sorted(got['probabilities'])}")
            for name, value in expected["probabilities"].items():
                self._add_probability(value, got["probabilities"][name])
            if "probability" in got:
                self._add_probability(expected["probability"], got["probability"])
        elif isinstance(expected["prediction"], dict):
            for name, value in expected["prediction"].items():
                self._add_number(value, got["prediction"][name])
        elif isinstance(expected["prediction"], float):
            self._add_number(expected["prediction"], got["prediction"])
        else:
            self._add_label(expected["prediction"], got["prediction"])

    def _add_outputs(self, expected: dict, got: dict) -> None:
        if expected.keys() != got.keys():
            raise ValueError(f"outputs differ: {sorted(got)}")
        for name, values in expected.items():
            wanted, seen = np.asarray(values), np.asarray(got[name])
            if wanted.shape != seen.shape:
                raise ValueError(f"{name} has shape {seen.shape}, not {wanted.shape}")
            if np.issubdtype(wanted.dtype, np.integer):
                self._add_label(wanted.tolist(), seen.tolist())
            else:
                self._add_probability(0.0, float(np.abs(wanted - seen).max()))

    def _add_label(self, wanted: object, seen: object) -> None:
        self.labels += 1
        # The type counts too: 1 is not True, and not "1".
        self.labels_equal += type(wanted) is type(seen) and wanted == seen

    def _add_number(self, wanted: float, seen: float) -> None:
        difference = abs(wanted - seen) / max(1.0, abs(wanted))
        self.relative_difference = worst(self.relative_difference, difference)

    def _add_probability(self, wanted: float, seen: float) -> None:
        self.probability_difference = worst(self.probability_difference, abs(wanted - seen))

    @property
    def holds(self) -> bool:
        return (
            self.rows > 0
            and self.labels_equal == self.labels
            and self.probability_difference <= MAX_PROBABILITY_DIFFERENCE
            and self.relative_difference <= MAX_RELATIVE_DIFFERENCE
        )


def worst(so_far: float, difference: float) -> float:
    """The larger one; a NaN is the worst of all, and max() would drop it."""
    return max(so_far, difference) if difference == difference else float("inf")


HEADER = f"{'model':<15} {'version':<16} {'rows':>6} {'labels equal':>14} {'probability':>12} {'regression':>11}"


def line(name: str, version: str, parity: Parity) -> str:
    labels = f"{parity.labels_equal}/{parity.labels}" if parity.labels else "-"
    probability = f"{parity.probability_difference:.1e}" if parity.labels else "-"
    regression = "-" if parity.labels else f"{parity.relative_difference:.1e}"
    mark = "" if parity.holds else "  MISS"
    return f"{name:<15} {version:<16} {parity.rows:>6} {labels:>14} {probability:>12} {regression:>11}{mark}"
