"""Whether an answer sounds as pleasant as the face: VADER's compound score of the answer against valence.

Both are in [-1, 1], but only sign and order are comparable, because the compound is not linear. The valence is the one
in the question, measured or rated; texts by people are not needed.

Source: Hutto & Gilbert 2014, ICWSM; its lexicon comes with the package vaderSentiment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import compress

import attrs
import numpy as np
from numpy.typing import NDArray
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from affectlm.scores.agreement import pcc
from affectlm.types import Record, Statistic
from affectlm_descriptions.pairs import (
    Figures,
    Floats,
    Shuffling,
    answer_of,
    floor,
    shuffles,
    spread,
    with_floors,
    with_gain,
)

NEUTRAL_TEXT = 0.05  # VADER's own limit


@attrs.frozen(kw_only=True)
class Polarity(Shuffling):
    """Share of records whose answer is positive, neutral or negative like the valence.

    An answer is neutral if its compound is inside (-0.05, 0.05), a face if its valence is inside (-`neutral`,
    `neutral`). A missing answer does not agree. The floor uses the valence of another record.

    Args:
        neutral: the valence from which a face is positive or negative.
    """

    neutral: float = attrs.field(default=0.1, validator=[attrs.validators.ge(0), attrs.validators.lt(1)])

    def score_names(self) -> tuple[str, ...]:
        """The names of the share and its floor."""
        return with_floors(["polarity_agreement"])

    def values(self, records: Sequence[Record]) -> Figures:
        """`polarity_agreement`, 1 or 0, its floor and its gain, shape (n,); NaN if there is no valence."""
        valences = [record.valence for record in records]
        rows = sorted(
            (row for row, valence in enumerate(valences) if valence is not None), key=lambda row: records[row].id
        )
        if not rows:
            return {}
        asked = np.array([valences[row] for row in rows], dtype=np.float64)
        answers = [answer_of(records[row]) for row in rows]
        heard = _signs(compounds(answers), NEUTRAL_TEXT)
        said = np.array([bool(answer) for answer in answers])
        agreed = (said & (heard == _signs(asked, self.neutral))).astype(np.float64)
        varied = len(set(asked.tolist())) > 1
        partners = shuffles(len(rows), self.seed, self.floor_pairs if varied else 0, exact=True)
        others = (said & (heard == _signs(asked[partners], self.neutral))).astype(np.float64)
        found = with_gain("polarity_agreement", agreed, floor(others, partners) if len(others) else None)
        return {name: spread(figures, rows, len(records)) for name, figures in found.items()}


@attrs.frozen
class PolarityCorrelation:
    """Pearson's correlation of the compound with valence over the records with an answer, as VADER's authors report it.

    A missing answer has no place on the scale, so it is left out. There is no floor, because a correlation's is 0.
    """

    def score_names(self) -> tuple[str, ...]:
        """The name of its one score."""
        return ("polarity_correlation",)

    def statistics(self, records: Sequence[Record]) -> Sequence[tuple[NDArray[np.bool_], Statistic]]:
        """`polarity_correlation`; undefined if all answers or all valences are the same."""
        known = np.array([record.valence is not None and answer_of(record) != "" for record in records], np.bool_)
        chosen = list(compress(records, known))
        heard = compounds([answer_of(record) for record in chosen])
        asked = np.array([record.valence for record in chosen], dtype=np.float64)
        return [(known, lambda weights: {"polarity_correlation": pcc(heard, asked, weights)})]

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """-1 to 1."""
        return dict.fromkeys(self.score_names(), (-1.0, 1.0))


def compounds(texts: Sequence[str]) -> Floats:
    """VADER's compound of each text, from -1 to 1; 0 for a text without words in its lexicon."""
    judge = cache(SentimentIntensityAnalyzer().polarity_scores)
    return np.array([judge(text)["compound"] for text in texts], dtype=np.float64)


def _signs(values: Floats, neutral: float) -> Floats:
    """The sign of each value, -1, 0 or 1; values closer to 0 than `neutral` give 0."""
    return np.asarray(np.where(np.abs(values) < neutral, 0.0, np.sign(values)))
