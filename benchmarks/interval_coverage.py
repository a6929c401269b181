"""How often 95 % intervals hold: `python benchmarks/interval_coverage.py [REPEATS]` prints a table of docs/metrics.md.

Each row draws many small studies of a known truth, and counts how many intervals contain it (and how many lie below).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from affectlm.scores import agreement
from affectlm.scores.intervals import SIGNED, UNIT, Clusters, Interval

Study = Callable[[np.random.Generator], Interval]
PRIOR = np.array([0.30, 0.20, 0.15, 0.12, 0.10, 0.08, 0.05])  # of seven classes


def share(rate: float, size: int) -> Study:
    """Independent right and wrong answers."""
    return lambda generator: Clusters.of(range(size)).mean((generator.random(size) < rate).astype(np.float64))


def skewed(a: float, b: float, size: int) -> Study:
    """Independent values of a beta distribution, as similarities of texts are."""
    return lambda generator: Clusters.of(range(size)).mean(generator.beta(a, b, size))


def clustered(rate: float, clusters: int, likeness: float = 0.3) -> Study:
    """Right and wrong answers about people of pictures that hold a geometric number of them."""
    scale = (1 - likeness) / likeness

    def draw(generator: np.random.Generator) -> Interval:
        member = np.repeat(np.arange(clusters), generator.geometric(0.3, clusters))
        rates = generator.beta(rate * scale, (1 - rate) * scale, clusters)
        return Clusters.of(member.tolist()).mean((generator.random(len(member)) < rates[member]).astype(np.float64))

    return draw


def f1_macro(accuracy: float, size: int) -> tuple[Study, float]:
    """Macro F1 of seven classes, errors spread evenly."""
    classes = len(PRIOR)
    joint = PRIOR[:, None] * np.where(np.eye(classes, dtype=bool), accuracy, (1 - accuracy) / (classes - 1))
    truth = float((2 * np.diag(joint) / (joint.sum(axis=0) + joint.sum(axis=1))).mean())

    def draw(generator: np.random.Generator) -> Interval:
        cells = generator.choice(classes**2, size, p=joint.ravel())
        true, named = np.eye(classes)[cells // classes], np.eye(classes)[cells % classes]

        def statistic(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
            with np.errstate(invalid="ignore"):
                scores = 2 * (weights @ (true * named)) / (weights @ true + weights @ named)
            return {"f1": np.nanmean(np.where(weights @ true > 0, scores, np.nan), axis=1)}

        return Clusters.of(range(size)).intervals(statistic, {"f1": UNIT})["f1"]

    return draw, truth


def concordance(correlation: float, size: int) -> tuple[Study, float]:
    """CCC of predictions that are correlated with ratings, a little flat and shifted."""
    truth = 2 * 0.8 * correlation / (0.64 + 1 + 0.01)

    def draw(generator: np.random.Generator) -> Interval:
        rated = generator.normal(size=size)
        noise = generator.normal(size=size) * np.sqrt(1 - correlation**2)
        predicted = 0.8 * (correlation * rated + noise) + 0.1
        statistic = lambda weights: {"ccc": agreement.ccc(predicted, rated, weights)}  # noqa: E731
        return Clusters.of(range(size)).intervals(statistic, {"ccc": SIGNED})["ccc"]

    return draw, truth


def rows() -> Iterator[tuple[str, Study, float]]:
    """Each study with its name and truth."""
    for size, rate in ((10, 0.5), (20, 0.9), (59, 0.95), (200, 0.98)):
        yield f"share {rate}, {size} records", share(rate, size), rate
    for size, a, b in ((10, 8, 0.5), (10, 5, 2), (50, 8, 0.5)):
        yield f"mean {a / (a + b):.2f} of beta({a}, {b}), {size} records", skewed(a, b, size), a / (a + b)
    for clusters, rate in ((10, 0.5), (10, 0.95), (30, 0.05), (30, 0.5), (100, 0.05), (100, 0.5), (600, 0.3)):
        yield f"share {rate}, {clusters} clusters", clustered(rate, clusters), rate
    for size, accuracy in ((59, 0.6), (59, 0.95), (300, 0.95)):
        study, truth = f1_macro(accuracy, size)
        yield f"macro F1 {truth:.2f}, {size} records", study, truth
    for size, correlation in ((10, 0.8), (20, 0.3), (50, 0.97), (200, 0.8)):
        study, truth = concordance(correlation, size)
        yield f"CCC {truth:.2f}, {size} records", study, truth


def main() -> None:
    """Prints the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"| study ({repeats} repeats) | holds | below the truth | mean width |\n|---|---|---|---|")
    for name, study, truth in rows():
        found = [study(np.random.default_rng([number, len(name)])) for number in range(repeats)]
        given = np.array([each for each in found if each is not None])
        holds = (given[:, 0] <= truth) & (truth <= given[:, 1])
        below, width = (given[:, 1] < truth).mean(), (given[:, 1] - given[:, 0]).mean()
        print(f"| {name} | {holds.mean():.3f} | {below:.3f} | {width:.3f} |")


if __name__ == "__main__":
    main()
