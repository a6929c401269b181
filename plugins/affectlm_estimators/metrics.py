"""How well measured valence and arousal agree with people's ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.scores.agreement import ccc
from affectlm.types import Record, Statistic

_Group = tuple[NDArray[np.bool_], Statistic]


@attrs.frozen
class Concordance:
    """Scores `ccc_valence` and `ccc_arousal` over all faces with a rating; see `affectlm.scores.agreement.ccc`."""

    def score_names(self) -> tuple[str, ...]:
        """The names of the two scores."""
        return ("ccc_valence", "ccc_arousal")

    def statistics(self, records: Sequence[Record]) -> Sequence[_Group]:
        """Each score over the measured faces that have the rating."""
        return [_agreement(records, place) for place in (0, 1)]

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """-1 to 1."""
        return dict.fromkeys(self.score_names(), (-1.0, 1.0))


def _agreement(records: Sequence[Record], place: int) -> _Group:
    name = ("valence", "arousal")[place]
    pairs = [(record.measured[place], getattr(record.truth, name)) for record in records]
    values = np.array(pairs, np.float64).reshape(-1, 2)  # None becomes NaN
    values[[record.box is None for record in records]] = np.nan  # not measured: the values are the ratings
    known = np.asarray(np.isfinite(values).all(axis=1))
    measured, rated = values[known].T
    return known, lambda weights: {f"ccc_{name}": ccc(measured, rated, weights)}
