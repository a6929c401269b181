"""How often a model answers a closed question with something that is no label of the set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.types import Outcome, Record, Score


@attrs.frozen
class Unmapped:
    """Share of answers out of which no label of the set could be read; refusals and errors are no answers."""

    def score_names(self) -> tuple[str, ...]:
        """Its one score."""
        return ("unmapped",)

    def values(self, records: Sequence[Record]) -> Mapping[str, NDArray[np.float64]]:
        """1 for an answer without a label of the set and 0 for one with, shape (n,); NaN where there is no answer.

        All are NaN where the question was an open one: an answer to it is good without a label.
        """
        is_open = any(record.outcome is Outcome.OK and not record.labels for record in records)
        values = [float("nan") if is_open else _unmapped(record) for record in records]
        return {"unmapped": np.array(values, dtype=np.float64)}

    def score(self, records: Sequence[Record]) -> list[Score]:
        """The mean over the answers; nothing where there are none."""
        values = self.values(records)["unmapped"]
        answers = values[~np.isnan(values)]
        return [Score("unmapped", float(answers.mean()), count=len(answers))] if len(answers) else []


def _unmapped(record: Record) -> float:
    if record.outcome in (Outcome.UNPARSEABLE, Outcome.OUT_OF_SET):
        return 1.0
    return 0.0 if record.outcome is Outcome.OK else float("nan")
