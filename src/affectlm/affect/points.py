"""Published points of emotion words in the plane of valence and arousal; every row cites its source.

Word norms whose licences forbid redistribution (NRC-VAD, Warriner) are left out on purpose, and so are words for which
only the direction is published. 14 of EMOTIC's 26 categories have a point here.
"""

from __future__ import annotations

import attrs

RUSSELL_MEHRABIAN = "Russell & Mehrabian (1977), J. Research in Personality 11, 273-294"
RUSSELL = "Russell (1980), J. Personality and Social Psychology 39, 1161-1178, Figure 4, digitised"
AFFECTNET = "Mollahosseini et al. (2019), doi 10.1109/TAFFC.2017.2740923, class means of the public validation set"
ORIGIN = "the middle of both scales"


@attrs.frozen
class Anchor:
    """An emotion word with its valence and arousal, each in [-1, 1]."""

    word: str
    valence: float
    arousal: float
    citation: str
    forms: tuple[str, ...] = ()  # other words for the same point

    def distance(self, valence: float, arousal: float) -> float:
        """Squared distance to a point."""
        return (self.valence - valence) ** 2 + (self.arousal - arousal) ** 2


EMOTIONS = (
    Anchor("happiness", 0.81, 0.51, RUSSELL_MEHRABIAN, ("happy", "joy", "joyful")),
    Anchor("anger", -0.51, 0.59, RUSSELL_MEHRABIAN, ("angry",)),
    Anchor("sadness", -0.63, -0.27, RUSSELL_MEHRABIAN, ("sad",)),
    Anchor("fear", -0.64, 0.60, RUSSELL_MEHRABIAN, ("afraid", "fearful")),
    Anchor("disgust", -0.60, 0.35, RUSSELL_MEHRABIAN, ("disgusted", "aversion")),
    Anchor("surprise", 0.40, 0.67, RUSSELL_MEHRABIAN, ("surprised",)),
    Anchor("neutral", 0.0, 0.0, ORIGIN, ("neutrality",)),
)
"""Nouns of the usual taxonomies."""

FEELINGS = (
    Anchor("happy", 0.83, 0.53, RUSSELL),
    Anchor("excited", 0.62, 0.76, RUSSELL, ("excitement",)),
    Anchor("astonished", 0.16, 0.89, RUSSELL, ("astonishment", "amazement")),
    Anchor("pleased", 0.77, 0.19, RUSSELL, ("pleasure",)),
    Anchor("relaxed", 0.69, -0.45, RUSSELL, ("relaxation", "peace")),
    Anchor("calm", 0.56, -0.31, RUSSELL, ("calmness",)),
    Anchor("sleepy", 0.28, -0.67, RUSSELL, ("sleepiness",)),
    Anchor("tired", 0.04, -0.63, RUSSELL, ("tiredness", "fatigue")),
    Anchor("bored", -0.66, -0.63, RUSSELL, ("boredom", "disconnection")),
    Anchor("sad", -0.65, -0.27, RUSSELL),
    Anchor("miserable", -0.70, -0.08, RUSSELL, ("misery", "suffering")),
    Anchor("nervous", -0.63, 0.27, RUSSELL, ("nervousness", "disquietment", "anxiety")),
    Anchor("frustrated", -0.65, 0.51, RUSSELL, ("frustration",)),
    Anchor("annoyed", -0.55, 0.41, RUSSELL, ("annoyance",)),
    Anchor("angry", -0.52, 0.58, RUSSELL),
    Anchor("afraid", -0.34, 0.64, RUSSELL),
)
"""Words for how a person feels."""

CLASS_MEANS = (
    Anchor("neutral", -0.03, -0.02, AFFECTNET),
    Anchor("happiness", 0.67, 0.08, AFFECTNET),
    Anchor("surprise", 0.18, 0.70, AFFECTNET),
    Anchor("sadness", -0.63, -0.27, AFFECTNET),
    Anchor("anger", -0.43, 0.55, AFFECTNET),
    Anchor("disgust", -0.68, 0.45, AFFECTNET),
    Anchor("fear", -0.12, 0.76, AFFECTNET),
    Anchor("contempt", -0.51, 0.58, AFFECTNET),
)
"""Mean ratings of faces with an expression; they differ from the point of its word."""


def find_anchor(label: str) -> Anchor | None:
    """The point of a label as a word, in any case, or None; `EMOTIONS` come before `FEELINGS`.

    >>> find_anchor("Fatigue").word
    'tired'
    >>> find_anchor("esteem") is None
    True
    """
    wanted = label.strip().lower()
    anchors = (*EMOTIONS, *FEELINGS)
    exact = (anchor for anchor in anchors if anchor.word == wanted)
    return next(exact, None) or next((anchor for anchor in anchors if wanted in anchor.forms), None)


def nearest_feeling(valence: float, arousal: float) -> str:
    """The feeling whose point is nearest.

    >>> nearest_feeling(-0.6, -0.3)
    'sad'
    """
    return min(FEELINGS, key=lambda anchor: anchor.distance(valence, arousal)).word


def known_labels() -> list[str]:
    """Every label that `find_anchor` knows, sorted."""
    anchors = (*EMOTIONS, *FEELINGS)
    return sorted({word for anchor in anchors for word in (anchor.word, *anchor.forms)})
