"""From probabilities of categories to the valence and arousal that they lead one to expect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from affectlm.affect.labels import noun
from affectlm.affect.points import find_anchor, known_labels
from affectlm.errors import ConfigError
from affectlm_data.ferplus import ANCHORS, LABELS

_Point = tuple[float, float]


def points(labels: Sequence[str], source: str) -> NDArray[np.float32]:
    """Valence and arousal of each label, (labels, 2), each in [-1, 1].

    Args:
        labels: in any case; adjectives ("happy") stand for their nouns.
        source: `affectnet` for the class means of AffectNet's public validation set (Mollahosseini et al. 2019, doi
            10.1109/TAFFC.2017.2740923), which know eight labels; `words` for the points of Russell & Mehrabian
            1977 and Russell 1980, which know more, but no contempt.

    Raises:
        ConfigError: the source has no point for a label.

    >>> points(["Happy"], "affectnet").round(2).tolist()
    [[0.6700000166893005, 0.07999999821186066]]
    """
    find, known = _SOURCES[source]
    found = [find(label) for label in labels]
    if missing := [label for label, point in zip(labels, found, strict=True) if point is None]:
        raise ConfigError(
            f"anchors '{source}' have no point for the label '{missing[0]}'; they know {', '.join(known())}"
        )
    return np.array(found, dtype=np.float32)


def _affectnet(label: str) -> _Point | None:
    word = noun(label.strip().casefold())
    if word not in LABELS:
        return None
    valence, arousal = ANCHORS[LABELS.index(word)]
    return float(valence), float(arousal)


def _words(label: str) -> _Point | None:
    anchor = find_anchor(label)
    return None if anchor is None else (anchor.valence, anchor.arousal)


_SOURCES: Mapping[str, tuple[Callable[[str], _Point | None], Callable[[], Sequence[str]]]] = {
    "affectnet": (_affectnet, lambda: LABELS),
    "words": (_words, known_labels),
}
SOURCES = tuple(_SOURCES)
