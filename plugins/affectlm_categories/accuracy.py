"""How often the first label of an answer is a true one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.records import Record
from affectlm.types import Score


@attrs.frozen
class Accuracy:
    """Share of records whose first label is among the true labels; an unreadable answer is a wrong one."""

    def values(self, records: Sequence[Record]) -> Mapping[str, NDArray[np.float64]]:
        """1 for a right and 0 for a wrong record, shape (n,); NaN where no label is true."""
        return {"accuracy": np.array([_right(record) for record in records], dtype=np.float64)}

    def score(self, records: Sequence[Record]) -> list[Score]:
        """The mean over the records with true labels."""
        values = self.values(records)["accuracy"]
        judged = values[~np.isnan(values)]
        return [Score("accuracy", float(judged.mean()), count=len(judged))] if len(judged) else []


def _right(record: Record) -> float:
    if not record.truth.labels:
        return float("nan")
    true = {label.casefold() for label in record.truth.labels}
    return float(bool(record.labels) and record.labels[0].casefold() in true)
