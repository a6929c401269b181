"""From measured faces with ratings to measures of agreement with intervals, as JSON and as a page.

`evaluate.py` reads and measures the faces; `scores/agreement.py` has the formulas.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.line.omissions import told
from affectlm.scores.agreement import CONVENTIONS, MEASURES, RANGES, measures, number
from affectlm.scores.intervals import LEAST, Clusters, Interval
from affectlm.types import Outcome, Record

SCHEMA_VERSION = 1
PICTURE = "picture"  # the kind of cluster if no group is known
FOUND, ALL = "found", "not_found_as_zero"  # the two sets of faces that are evaluated

_NAMES = {
    "ccc": "CCC",
    "pcc": "PCC",
    "rmse": "RMSE",
    "mae": "MAE",
    "sagr": "SAGR",
    "spread_ratio": "spread ratio",
    "mean_offset": "mean offset",
    "sd_predicted": "SD, predicted",
    "sd_rated": "SD, rated",
}


@attrs.frozen
class Result:
    """One measure over `count` faces with its 95 % interval; None if it is undefined."""

    value: float | None
    count: int
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        bounds = "" if self.low is None or self.high is None else f" ({self.low:.3f} to {self.high:.3f})"
        return f"{self.value:.3f}{bounds}"


Results: TypeAlias = Mapping[str, Result]


@attrs.define
class RatedFaces:
    """What an evaluation keeps of its pictures; the lists have one entry per rated and readable picture."""

    predicted: list[tuple[float, float]] = attrs.field(factory=list)  # (0, 0) if no face was found
    rated: list[tuple[float, float]] = attrs.field(factory=list)
    found: list[bool] = attrs.field(factory=list)
    clusters: list[tuple[str, str]] = attrs.field(factory=list)  # what each picture belongs to: kind and name
    right: list[float] = attrs.field(factory=list)  # 1 or 0; NaN without votes or probabilities
    commonest: list[tuple[str, ...]] = attrs.field(factory=list)  # labels with the most votes
    outcomes: Counter[Outcome] = attrs.field(factory=Counter)  # of all pictures
    groups: dict[str, None] = attrs.field(factory=dict)  # names of the groups of all pictures, in order

    def add(self, record: Record, group: str) -> None:
        """Keeps a picture's best face, or that it has none; faces with the same value of `group` belong together.

        The case of `group` does not matter because tables of ratings have lower-cased names.
        """
        self.outcomes[record.outcome] += 1
        truth = record.truth
        self.groups.update(dict.fromkeys(truth.group))
        if truth.valence is None or truth.arousal is None or record.outcome not in (Outcome.OK, Outcome.NO_FACE):
            return
        self.predicted.append((record.valence or 0.0, record.arousal or 0.0))
        self.rated.append((truth.valence, truth.arousal))
        self.found.append(record.outcome is Outcome.OK)
        value = {name.casefold(): value for name, value in truth.group.items()}.get(group.casefold())
        self.clusters.append((PICTURE, record.image) if value is None else (f"value of '{group}'", value))
        self.right.append(_right(record))
        most = max(truth.votes.values(), default=0.0)
        self.commonest.append(tuple(label for label, share in truth.votes.items() if _is_most(share, most)))

    def subset(self) -> dict[str, int]:
        """How many pictures there are, and how many ended in which way."""
        return {
            "pictures": self.outcomes.total(),
            "without_rating": self.outcomes[Outcome.SKIPPED],
            "unreadable": self.outcomes[Outcome.UNREADABLE_IMAGE],
            "no_face": self.outcomes[Outcome.NO_FACE],
            "faces": self.outcomes[Outcome.OK],
        }


def _right(record: Record) -> float:
    votes, chances = record.truth.votes, record.extra
    if record.outcome is Outcome.NO_FACE and votes:
        return 0.0
    if not votes or not set(votes) <= set(chances):
        return math.nan
    chosen = max(votes, key=lambda label: chances[label])
    return float(_is_most(votes[chosen], max(votes.values())))


def _is_most(share: float, most: float) -> bool:
    return share >= most - 1e-6  # shares are quotients


def measure_agreement(faces: RatedFaces) -> dict[str, Results]:
    """The measures over the faces found, and over all faces with (0, 0) for those not found; see `agreement.measures`.

    If the faces have votes and the estimator a probability for each of their labels, there are two more: `accuracy`
    against the commonest vote, where a tie counts for each label, and `accuracy_of_commonest`, the accuracy of always
    naming the commonest label.

    Args:
        faces: at least one of them found.
    """
    found = np.array(faces.found, dtype=bool)
    over_found = _results(faces, found)
    return {FOUND: over_found, ALL: over_found if found.all() else _results(faces, np.ones_like(found))}


def _results(faces: RatedFaces, chosen: NDArray[np.bool_]) -> Results:
    predicted, rated = np.array(faces.predicted)[chosen], np.array(faces.rated)[chosen]
    clusters = Clusters.of(faces.clusters)
    bounds = clusters.intervals(lambda weights: measures(predicted, rated, weights), RANGES, np.flatnonzero(chosen))
    results = {
        name: _result(number(value), len(predicted), bounds[name]) for name, value in measures(predicted, rated).items()
    }
    right = np.array(faces.right)
    if not np.isfinite(right[np.array(faces.found)]).any():  # no probabilities, so no answer is right or wrong
        return results
    known = chosen & np.isfinite(right)
    voted = np.flatnonzero(known).tolist()
    results["accuracy"] = _result(float(right[known].mean()), len(voted), clusters.mean(np.where(known, right, np.nan)))
    (_, times), *_ = Counter(label for index in voted for label in faces.commonest[index]).most_common(1)
    results["accuracy_of_commonest"] = Result(times / len(voted), len(voted))
    return results


def _result(value: float | None, count: int, bounds: Interval) -> Result:
    return Result(value, count, *(bounds or (None, None))) if value is not None else Result(None, count)


@attrs.frozen(kw_only=True)
class Evaluation:
    """The content of `evaluation.json`."""

    config: Mapping[str, object]
    versions: Mapping[str, str]
    components: Mapping[str, object]
    subset: Mapping[str, object]  # dataset, split, limit, and the counts
    left_out: Mapping[str, int | None]  # what was left out -> how many; None if unknown
    truth_is_derived: str  # how the ratings were derived; empty if people gave them
    intervals: Mapping[str, object]
    figures: Mapping[str, Results]
    conventions: tuple[str, ...] = CONVENTIONS
    schema_version: int = SCHEMA_VERSION

    def page(self) -> str:
        """The evaluation as a Markdown page: what was measured on which subset, tables, conventions."""
        subset = self.subset
        lines = ["# Agreement with rated valence and arousal", ""]
        lines += [f"- {kind}: {_options(self.components[kind])}" for kind in ("estimator", "detector")]
        lines += ["", self._subset_sentence()]
        if self.left_out:
            lines += ["", f"Left out: {told(self.left_out)}."]
        if self.truth_is_derived:
            lines += ["", f"These are not ratings by people: {self.truth_is_derived}."]
        lines += ["", f"## Faces found ({subset['faces']})", "", *_table(self.figures[FOUND])]
        if subset["no_face"]:
            every = self.figures[ALL]["ccc_mean"].count
            lines += ["", f"## Faces not found counted as (0, 0) ({every} in all)", "", *_table(self.figures[ALL])]
        else:
            lines += ["", "No face was missed, so counting missed faces as (0, 0) changes nothing."]
        lines += [
            "",
            self._intervals_sentence(),
            "",
            *(f"- {convention}" for convention in self.conventions),
            "",
        ]
        return "\n".join(lines)

    def _subset_sentence(self) -> str:
        subset = self.subset
        split = f", split {subset['split']}" if subset["split"] else ""
        limit = f", limit {subset['limit']}" if subset["limit"] is not None else ""
        return (
            f"Subset: dataset {subset['dataset']}{split}{limit}; pictures: {subset['pictures']}, "
            f"of them without a rating: {subset['without_rating']}, unreadable: {subset['unreadable']}, "
            f"face found: {subset['faces']}, face not found: {subset['no_face']}."
        )

    def _intervals_sentence(self) -> str:
        drawn = self.intervals
        if all(result.low is None for result in self.figures[ALL].values()):
            return f"No intervals: all faces belong to {drawn['of']}, and fewer than {LEAST} say too little."
        return f"In parentheses 95 % intervals: {drawn['method']}, {drawn['of']}."


def _options(component: object) -> str:
    if not isinstance(component, Mapping):
        return str(component)
    return ", ".join(f"{key}={value}" for key, value in component.items())


def _table(results: Results) -> list[str]:
    rows = [f"| {_NAMES[name]} | {results[f'{name}_valence']} | {results[f'{name}_arousal']} |" for name in MEASURES]
    lines = [
        "| measure | valence | arousal |",
        "|---|---|---|",
        *rows,
        "",
        f"Mean of both CCCs: {results['ccc_mean']}.",
    ]
    if "accuracy" in results:
        accuracy, baseline = results["accuracy"], results["accuracy_of_commonest"]
        lines.append(
            f"Accuracy against the commonest vote (a tie counts for each), {accuracy.count} faces: {accuracy}; "
            f"always naming the commonest label is right for {baseline}."
        )
    return lines
