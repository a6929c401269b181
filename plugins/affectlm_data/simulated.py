"""Simulated faces: valence and arousal drawn around published class means, to try out a study and estimate its power.

The means are those of AffectNetC25 (1,600 pictures of AffectNet's training set in two sets, each rated again by 25
people; class by majority). Only the ranges of deviations are published: 0.11 to 0.25 in valence, 0.11 to 0.35 in
arousal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np

from affectlm.affect.taxonomies import label_set
from affectlm.errors import ConfigError
from affectlm.types import Sample, Truth
from affectlm.validators import flag
from affectlm_data.options import takes_none

# Number of pictures, their mean valence and arousal.
_Means = Mapping[str, tuple[int, float, float]]
SOURCES: Mapping[str, _Means] = {
    "random": {
        "happiness": (156, 0.32, -0.05),
        "sadness": (96, -0.49, 0.14),
        "surprise": (126, -0.15, 0.25),
        "fear": (24, -0.53, 0.43),
        "disgust": (53, -0.44, 0.20),
        "anger": (100, -0.37, 0.15),
        "contempt": (31, -0.14, -0.19),
        "neutral": (214, -0.05, -0.35),
    },
    "confusing": {
        "happiness": (163, 0.27, -0.16),
        "sadness": (78, -0.34, -0.12),
        "surprise": (117, -0.16, 0.10),
        "fear": (29, -0.42, 0.08),
        "disgust": (20, -0.40, 0.04),
        "anger": (106, -0.38, 0.09),
        "contempt": (22, -0.20, -0.28),
        "neutral": (265, -0.07, -0.39),
    },
}
DEVIATION = (0.18, 0.23)  # the middle of the ranges above


def _pair(value: object) -> tuple[float, float]:
    match value:
        case [int() | float() as valence, int() | float() as arousal] if 0 <= valence <= 2 and 0 <= arousal <= 2:
            return float(valence), float(arousal)
    raise ConfigError(f"deviation is '{value}'; expected one for valence and one for arousal, as in [0.18,0.23]")


@attrs.frozen(kw_only=True)
class Simulated:
    """Samples from a normal distribution around the mean of their label, clipped to [-1, 1] and marked as simulated.

    Valence and arousal of a label are drawn independently. The same options give the same samples.

    Args:
        path: must be None.
        split: must be None.
        count: number of samples.
        seed: of the draws.
        source: `random` or `confusing`, the set of AffectNetC25 that the means come from.
        labels: a taxonomy's name or a list; None for all eight.
        balanced: whether labels alternate, or are as frequent as in the source.
        deviation: standard deviations of valence and arousal, the same for all labels.

    Raises:
        ConfigError: there is no such source, or it has no mean for a label.
    """

    path: None = attrs.field(default=None, validator=takes_none("simulated"))
    split: None = attrs.field(default=None, validator=takes_none("simulated"))
    count: int = attrs.field(default=400, validator=[attrs.validators.instance_of(int), attrs.validators.ge(1)])
    seed: int = attrs.field(default=0, validator=[attrs.validators.instance_of(int), attrs.validators.ge(0)])
    source: str = "random"
    labels: str | Sequence[str] | None = None
    balanced: bool = attrs.field(default=True, validator=flag)
    deviation: tuple[float, float] = attrs.field(default=DEVIATION, converter=_pair)
    _means: _Means = attrs.field(init=False, repr=False, eq=False)

    @_means.default
    def _choose(self) -> _Means:
        if self.source not in SOURCES:
            raise ConfigError(f"source '{self.source}' is unknown; expected {' or '.join(SOURCES)}")
        means = SOURCES[self.source]
        chosen = tuple(means) if self.labels is None else label_set(self.labels)
        if missing := [label for label in chosen if label not in means]:
            raise ConfigError(f"source '{self.source}' has no mean for '{missing[0]}'; it has {', '.join(means)}")
        return {label: means[label] for label in chosen}

    def items(self) -> Iterator[Sample]:
        """The samples; an id is "simulated/" and the number, from 0."""
        generator = np.random.default_rng(self.seed)
        labels, sizes = list(self._means), np.array([size for size, *_ in self._means.values()], dtype=np.float64)
        drawn = generator.choice(len(labels), self.count, p=sizes / sizes.sum())
        for number in range(self.count):
            label = labels[number % len(labels) if self.balanced else drawn[number]]
            point = generator.normal(self._means[label][1:], self.deviation)
            valence, arousal = np.clip(point, -1, 1).tolist()
            truth = Truth(labels=(label,), valence=valence, arousal=arousal, group={"simulated": "yes"})
            yield Sample(f"simulated/{number:05d}", valence, arousal, truth=truth)

    def __len__(self) -> int:
        """The number of samples."""
        return self.count

    def describe(self) -> Mapping[str, str]:
        """A mark that the samples are simulated, and where means and deviations come from."""
        return {
            "simulated": "yes",
            "means": f"AffectNetC25, {self.source} set, class means of the ratings of 25 people",
            "deviations": "one for all labels, not published by label",
        }
