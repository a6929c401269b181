"""The eight expressions of posed and of found faces, as nouns, and what folders of them are called."""

from __future__ import annotations

from collections.abc import Mapping

# Only other forms of the same word: a synonym in somebody's folder names may be another class to them.
_FORMS: Mapping[str, tuple[str, ...]] = {
    "neutral": (),
    "happiness": ("happy", "joy"),
    "sadness": ("sad",),
    "surprise": ("surprised",),
    "fear": ("fearful", "afraid"),
    "disgust": ("disgusted",),
    "anger": ("angry",),
    "contempt": ("contemptuous",),
}

EXPRESSIONS = tuple(_FORMS)
"""In the order of AffectNet's numbers."""

_NAMES = {form: noun for noun, forms in _FORMS.items() for form in (noun, *forms)}


def find_expression(name: str) -> str | None:
    """The expression that a name stands for, whatever its case and whether noun or adjective; None for others.

    >>> find_expression("Angry"), find_expression("HAPPY"), find_expression("rage")
    ('anger', 'happiness', None)
    """
    return _NAMES.get(name.strip().casefold())
