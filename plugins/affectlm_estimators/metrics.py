"""How well measured valence and arousal agree with what people rated."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from affectlm.scores.agreement import ccc, number
from affectlm.types import Record, Score


@attrs.frozen
class Concordance:
    """Scores `ccc_valence` and `ccc_arousal` over all faces with a rating; see `affectlm.scores.agreement.ccc`."""

    def score_names(self) -> tuple[str, ...]:
        """Valence's and arousal's."""
        return ("ccc_valence", "ccc_arousal")

    def score(self, records: Sequence[Record]) -> list[Score]:
        """One score for each of the two that at least two measured faces have and that is defined."""
        scores = []
        measured = [record for record in records if record.box is not None]  # the others' values are the ratings
        for name in ("valence", "arousal"):
            pairs = [(getattr(record, name), getattr(record.truth, name)) for record in measured]
            known = np.array([pair for pair in pairs if None not in pair], dtype=np.float64).reshape(-1, 2)
            if len(known) >= 2 and (value := number(ccc(known[:, 0], known[:, 1]))) is not None:
                scores.append(Score(f"ccc_{name}", value, len(known)))
        return scores
