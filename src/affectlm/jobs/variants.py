"""How much the way of asking matters in a sweep: agreement of the runs' labels, and what varied options explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from affectlm.jobs.matching import FinishedRun
from affectlm.report.comparison import Agreement, ScoreLine
from affectlm.scores.intervals import SIGNED, Clusters
from affectlm.scores.wording import balanced, explained, factors_of, nominal_alpha
from affectlm.types import Outcome, Record

_NAME = "alpha"


def agreement(rows: Sequence[Sequence[Record]], together: Sequence[str]) -> Agreement | None:
    """Krippendorff's alpha of the runs' first labels; None if it is undefined, as where all labels are the same."""
    labels = [[_first_label(record) for record in records] for records in rows]
    if not any(any(each) for each in labels):
        return None
    [alpha] = nominal_alpha(labels)
    if np.isnan(alpha):
        return None
    around = Clusters.of(together).intervals(lambda weights: {_NAME: nominal_alpha(labels, weights)}, {_NAME: SIGNED})
    low, high = around[_NAME] or (None, None)
    several = sum(sum(label is not None for label in unit) > 1 for unit in zip(*labels, strict=True))
    return Agreement(alpha=float(alpha), low=low, high=high, records=several)


def _first_label(record: Record) -> str | None:
    return record.labels[0].casefold() if record.outcome is Outcome.OK and record.labels else None


def variance_shares(
    runs: Sequence[FinishedRun], scores: Sequence[ScoreLine], notes: list[str]
) -> Mapping[str, Mapping[str, float]]:
    """The share of each score's variance between the runs that each varied option explains, by score.

    Empty unless the runs vary an option and there is something else that they could differ in: a second option, or
    several runs with the same value. Without every combination equally often there are none, and a note says so.
    """
    factors = factors_of([run.varied for run in runs])
    if not factors or all(len(set(each)) == len(runs) for each in factors.values()):
        return {}
    if not balanced(factors):
        notes.append(
            f"What {', '.join(factors)} explain is left out: the runs do not have all combinations equally often."
        )
        return {}
    found = {score.name: explained(np.array([score.values[run.name] for run in runs]), factors) for score in scores}
    return {name: shares for name, shares in found.items() if shares}
