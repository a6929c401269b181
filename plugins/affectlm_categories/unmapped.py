"""How often a model's answer to a closed question is not one of the choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.types import Outcome, Record


@attrs.frozen
class Unmapped:
    """Share of answers from which no label of the set could be read; refusals and errors do not count."""

    def score_names(self) -> tuple[str, ...]:
        """The name of its one score."""
        return ("unmapped",)

    def values(self, records: Sequence[Record]) -> Mapping[str, NDArray[np.float64]]:
        """1 per answer without a label of the set, 0 per answer with one, shape (n,); NaN if there is no answer.

        All are NaN if the question was open: its answers need no label.
        """
        is_open = any(record.outcome is Outcome.OK and not record.labels for record in records)
        values = [float("nan") if is_open else _unmapped(record) for record in records]
        return {"unmapped": np.array(values, dtype=np.float64)}


def _unmapped(record: Record) -> float:
    if record.outcome in (Outcome.UNPARSEABLE, Outcome.OUT_OF_SET):
        return 1.0
    return 0.0 if record.outcome is Outcome.OK else float("nan")
