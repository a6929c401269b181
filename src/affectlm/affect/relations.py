"""How the labels of different sets are related, by Parrott's tree of emotions and Plutchik's wheel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import takewhile

from affectlm.affect.labels import folded, noun, spellings
from affectlm.affect.taxonomies import OPPOSITES, PARROTT, PLUTCHIK

Place = tuple[str, ...]

FARTHEST = 6
"""Steps between two words of different primary emotions."""

# Ours, not Parrott's: labels of other sets, placed beside the words that say what their authors mean. Happiness is
# another name for joy; neutral is a branch of its own.
OURS: Mapping[str, Place] = {
    "happiness": ("joy",),
    "neutral": ("neutral",),
    "aversion": ("anger", "disgust"),
    "disquietment": ("fear", "nervousness"),
    "pain": ("sadness", "suffering"),
    "peace": ("joy", "contentment"),
    "yearning": ("love", "longing"),
}


@cache
def _places() -> Mapping[str, Place]:
    """The path from the root to each word; a name on several levels gets its highest place."""
    found: dict[str, Place] = {primary: (primary,) for primary in PARROTT}
    for primary, branch in PARROTT.items():
        for secondary in branch:
            found.setdefault(secondary, (primary, secondary))
    for primary, branch in PARROTT.items():
        for secondary, words in branch.items():
            for word in words:
                found.setdefault(word, (primary, secondary, word))
    return {**found, **OURS}


def place(label: str) -> Place:
    """The path from the root of the tree to a label, or to the word it is a form of; () if it is not in the tree.

    >>> place("amused"), place("Happiness"), place("trust")
    (('joy', 'cheerfulness', 'amusement'), ('joy',), ())
    """
    word = folded(label)
    return _places().get(word) or _places().get(noun(word), ())


def tree_distance(one: str, other: str) -> int | None:
    """Steps along the tree from one label to another, from 0 to 6; None if one of them is not in the tree.

    >>> tree_distance("annoyance", "anger"), tree_distance("annoyance", "happiness"), tree_distance("trust", "joy")
    (2, 4, None)
    """
    here, there = place(one), place(other)
    if not here or not there:
        return None
    shared = sum(1 for _ in takewhile(lambda level: level[0] == level[1], zip(here, there, strict=False)))
    return len(here) + len(there) - 2 * shared


@lru_cache(maxsize=4096)
def crosswalk(label: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels that a label of another set is a form or, by the tree, a kind of; () if there are none.

    A compound gets the labels of both its words, if both have one.

    >>> crosswalk("annoyance", ("anger", "joy")), crosswalk("contempt", ("anger", "disgust"))
    (('anger',), ('disgust',))
    >>> crosswalk("happily surprised", ("happiness", "surprise")), crosswalk("trust", ("anger", "joy"))
    (('happiness', 'surprise'), ())
    """
    forms = spellings(labels)
    whole = folded(label)
    if whole in forms:
        return (forms[whole],)
    at = {place(each): each for each in reversed(labels)}
    kinds = [[_kind(word, forms, at) for word in part.split(" ")] for part in whole.split("/")]
    return tuple(dict.fromkeys(kind for found in kinds if None not in found for kind in found if kind))


def _kind(word: str, forms: Mapping[str, str], at: Mapping[Place, str]) -> str | None:
    """The nearest label above a word in the tree."""
    if word in forms:
        return forms[word]
    way = place(word)
    return next((at[way[:level]] for level in range(len(way), 0, -1) if way[:level] in at), None)


def opposites(label: str) -> frozenset[str]:
    """The labels across Plutchik's wheel from a label, or from the emotion it is a kind of.

    >>> sorted(opposites("cheerful")), sorted(opposites("neutral"))
    (['sadness'], [])
    """
    return frozenset(OPPOSITES[kind] for kind in crosswalk(label, PLUTCHIK))
