"""Points of categories, which turn their probabilities into expected valence and arousal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from affectlm.affect.labels import noun
from affectlm.affect.points import CLASS_MEANS, Anchor, find_anchor, known_labels
from affectlm.errors import ConfigError


def points(labels: Sequence[str], source: str) -> NDArray[np.float32]:
    """Valence and arousal of each label, (labels, 2), each in [-1, 1].

    Args:
        labels: in any case; adjectives ("happy") stand for their nouns.
        source: `affectnet` for the class means of AffectNet's public validation set (Mollahosseini et al. 2019, doi
            10.1109/TAFFC.2017.2740923), which cover eight labels; `words` for the points of Russell & Mehrabian
            1977 and Russell 1980, which cover more, but not contempt.

    Raises:
        ConfigError: the source has no point for a label.

    >>> points(["Happy"], "affectnet").round(2).tolist()
    [[0.6700000166893005, 0.07999999821186066]]
    """
    find, known = _SOURCES[source]
    found = [find(label) for label in labels]
    if missing := [label for label, point in zip(labels, found, strict=True) if point is None]:
        raise ConfigError(
            f"anchors '{source}' have no point for the label '{missing[0]}'; expected one of: {', '.join(known())}"
        )
    return np.array([(point.valence, point.arousal) for point in found if point], dtype=np.float32)


def _class_mean(label: str) -> Anchor | None:
    return _CLASS_MEANS.get(noun(label.strip().casefold()))


_CLASS_MEANS = {anchor.word: anchor for anchor in CLASS_MEANS}
_SOURCES: Mapping[str, tuple[Callable[[str], Anchor | None], Callable[[], Iterable[str]]]] = {
    "affectnet": (_class_mean, _CLASS_MEANS.keys),
    "words": (find_anchor, known_labels),
}
SOURCES = tuple(_SOURCES)
