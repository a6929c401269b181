"""How far the replies to the same question agree, with `repeats` above 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from affectlm.types import Outcome, Record

_NO_REPLY = (Outcome.API_ERROR, Outcome.SKIPPED)


class RepeatAgreement:
    """Share of the pairs of replies to the same question whose first label is the same.

    A reply without a label of the set agrees with none. Questions without a reply do not count.
    """

    def score_names(self) -> tuple[str, ...]:
        """The name of its one score."""
        return ("repeat_agreement",)

    def values(self, records: Sequence[Record]) -> Mapping[str, NDArray[np.float64]]:
        """The share of other repeats with the same first label, (n,); NaN without others or for an open question."""
        replied = [record.prompt_sha256 is not None and record.outcome not in _NO_REPLY for record in records]
        firsts = [record.labels[:1] if record.outcome is Outcome.OK else () for record in records]
        values = np.full(len(records), np.nan)
        if any(record.outcome is Outcome.OK and not record.labels for record in records):
            return {"repeat_agreement": values}
        known = [place for place, reply in enumerate(replied) if reply]
        asked = Counter(records[place].asked_about for place in known)
        alike = Counter((records[place].asked_about, firsts[place]) for place in known)
        for place in known:
            name = records[place].asked_about
            if asked[name] > 1:
                values[place] = (alike[name, firsts[place]] - 1) / (asked[name] - 1) if firsts[place] else 0.0
        return {"repeat_agreement": values}
