"""Scores of emotion words if no choices were offered; words of the same meaning count as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import ClassVar

import attrs

from affectlm.affect.labels import folded, noun
from affectlm.types import Record
from affectlm_categories.classes import BoolArray, Classes, FloatArray, Replies
from affectlm_categories.judging import CategoryMetric
from affectlm_categories.multilabel import means, overlap

# Words of much the same meaning; their inflections and the undisputed synonyms are in `labels.FORMS`.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "affection": ("love", "loving", "fondness", "tenderness"),
    "anger": ("outrage", "outraged", "wrath"),
    "annoyance": ("frustration",),
    "confusion": ("doubt", "doubt/confusion", "puzzlement", "puzzled", "bewilderment", "bewildered"),
    "disgust": ("aversion", "repulsion"),
    "disquietment": ("anxiety", "anxious", "nervous", "nervousness", "worry", "worried", "unease", "uneasy", "stress"),
    "embarrassment": ("shame", "ashamed", "guilt", "guilty"),
    "excitement": ("enthusiasm", "enthusiastic", "thrilled"),
    "fatigue": ("tiredness", "tired"),
    "fear": ("dread", "horror"),
    "happiness": ("delight", "delighted", "gladness", "glad", "elation", "elated"),
    "peace": ("calm", "calmness", "serenity", "serene", "relaxed", "relaxation", "contentment"),
    "sadness": ("grief", "melancholy", "unhappy", "unhappiness", "depression", "depressed", "misery", "miserable"),
    "surprise": ("amazement", "amazed"),
    "sympathy": ("compassion", "compassionate", "empathy"),
}


def group_of(label: str, groups: Mapping[str, Sequence[str]] = GROUPS) -> str | None:
    """The name of the group that a word or one of its forms belongs to, or None.

    >>> group_of("sorrow"), group_of("joyful"), group_of("scared"), group_of("pride")
    ('sadness', 'happiness', 'fear', None)
    """
    words = {label, noun(label)}
    return next((name for name, members in groups.items() if words & {name, *members}), None)


def _lowered(groups: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    if wrong := next((words for words in groups.values() if isinstance(words, str)), None):
        raise ValueError(f"the words of a group are '{wrong}'; expected a list, as in {{sadness: [blue, gloomy]}}")
    return {folded(name): tuple(map(folded, words)) for name, words in groups.items()}


@attrs.frozen(kw_only=True)
class OpenSet(CategoryMetric):
    """Scores `open_precision`, `open_recall`, `open_f1`: the overlap of named and true groups of words.

    The measures of open-vocabulary emotion recognition (Lian et al. 2024, arXiv 2410.01495), as means over records,
    with groups from a fixed table instead of a language model. Chance draws from all groups that are true or named.

    Args:
        groups: further words by group name, as in `{sadness: [blue, gloomy]}`; they take precedence over the table.
    """

    by_effort: ClassVar[tuple[str, ...]] = ("open_recall",)
    takes_open: ClassVar[bool] = True
    labels: tuple[str, ...] = attrs.field(default=(), init=False)
    crosswalk: bool = attrs.field(default=False, init=False)
    groups: Mapping[str, Sequence[str]] = attrs.field(factory=dict, converter=_lowered)

    def classes(self, records: Sequence[Record]) -> Classes:
        """The groups that are true or named in any record."""
        found = set(chain.from_iterable((*record.truth.labels, *record.labels) for record in records))
        words = {folded(word) for word in found}
        groups = {word: group_of(word, self.groups) or group_of(word) or noun(word) for word in sorted(words)}
        names = tuple(dict.fromkeys(groups.values()))
        return Classes(names, {word: names.index(group) for word, group in groups.items()})

    def over(self, truth: BoolArray, replies: Replies, weights: FloatArray) -> Mapping[str, FloatArray]:
        """The means over records of the precision, recall and F1 of named and true groups."""
        found = overlap(truth, replies.named)
        return means({f"open_{name}": found[name] for name in ("precision", "recall", "f1")}, weights)
