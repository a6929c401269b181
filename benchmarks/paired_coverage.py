"""How often intervals of paired differences hold, and how often the exchange test calls two runs different.

    python benchmarks/paired_coverage.py 500

Each line is a study of two simulated runs: the share that each has right, over so many records.
"""

from __future__ import annotations

import sys

import numpy as np

from affectlm.scores.paired import compare_pair
from affectlm.testing import record
from affectlm.types import Record
from affectlm_categories.accuracy import Accuracy

STUDIES = ((30, 0.5, 0.5, 0.5), (30, 0.8, 0.6, 0.5), (59, 0.9, 0.8, 0.5), (200, 0.5, 0.45, 0.7), (200, 0.95, 0.9, 0.3))


def run_of(right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[Record]:
    """A record per entry, with the true label where it is True."""
    labels = ["fear" if each else "joy" for each in right.tolist()]
    return [record(id=f"{place:04}", truth="fear", label=label) for place, label in enumerate(labels)]


def study(size: int, first: float, second: float, shared: float, times: int) -> str:
    """One line of the table."""
    generator, holds, told, rejected = np.random.default_rng(0), 0, 0, 0
    for _ in range(times):
        hard, other = generator.random((2, size))
        one = run_of(hard < first)
        two = run_of(np.where(generator.random(size) < shared, hard, other) < second)
        for found in compare_pair(Accuracy(), one, two, [each.id for each in one], draws=199):
            rejected += found.p <= 0.05
            if found.low is not None and found.high is not None:
                told, holds = told + 1, holds + (found.low <= first - second <= found.high)
    return f"| {first} against {second}, {size} records | {holds / max(1, told):.3f} | {rejected / times:.3f} |"


if __name__ == "__main__":
    sys.stdout.write("| study | interval holds | p at most 0.05 |\n|---|---|---|\n")
    for each in STUDIES:
        sys.stdout.write(study(*each, times=int(sys.argv[1])) + "\n")
        sys.stdout.flush()
