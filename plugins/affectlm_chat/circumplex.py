"""A baseline without a language model: what valence and arousal say by themselves, by a fixed rule.

Whatever a language model adds shows in how far it does better than this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import ClassVar

import attrs

from affectlm.types import Completion, Request, Sample
from affectlm.wording import words
from affectlm_chat.anchors import find_anchor, known_labels, nearest_feeling

MODEL = "circumplex baseline (no language model)"
HEDGES = ((0.35, "a little as if they might be"), (0.65, "as if they were"), (2.0, "very much as if they were"))


@attrs.frozen(kw_only=True)
class Circumplex:
    """Names the nearest published point, or describes the place in the plane in a sentence."""

    reads_sample: ClassVar[bool] = True  # so valence and arousal belong to what identifies a request
    model: str = attrs.field(default=MODEL)

    @model.validator
    def _check_model(self, _: object, value: str) -> None:
        if value != MODEL:
            raise ValueError(f"model is always '{MODEL}', for there is no language model to choose")

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """A completion for each request, at once."""
        return map(self._answer, requests)

    def _answer(self, request: Request) -> Completion:
        if request.sample is None:
            return self._error(request, "the baseline needs valence and arousal, and the request has no sample")
        if not request.choices:
            return Completion(id=request.id, model=self.model, text=describe_place(request.sample))
        label = nearest_choice(request.sample, request.choices)
        if label is None:
            return self._error(
                request,
                f"no published point for any of the labels {', '.join(request.choices)}; "
                f"known: {', '.join(known_labels())}",
            )
        return Completion(id=request.id, model=self.model, text=label)

    def _error(self, request: Request, reason: str) -> Completion:
        return Completion(id=request.id, model=self.model, error=reason)


def nearest_choice(sample: Sample, choices: Iterable[str]) -> str | None:
    """The label whose published point is nearest; labels without one are passed over, None when none has one.

    >>> nearest_choice(Sample("a", -0.6, -0.3), ["anger", "sadness", "yearning"])
    'sadness'
    """
    points = [(choice, anchor) for choice in choices if (anchor := find_anchor(choice)) is not None]
    if not points:
        return None
    return min(points, key=lambda point: point[1].distance(sample.valence, sample.arousal))[0]


def describe_place(sample: Sample) -> str:
    """A sentence about a place in the plane; the farther from the middle, the surer.

    >>> describe_place(Sample("a", 0.02, -0.01))
    'The person seems composed, with no clear feeling to be seen.'
    """
    valence, arousal = sample.valence, sample.arousal
    distance = math.hypot(valence, arousal)
    if distance < 0.12:
        return "The person seems composed, with no clear feeling to be seen."
    hedge = next(text for limit, text in HEDGES if distance < limit)
    return f"The person looks {words(valence, arousal)}. It seems {hedge} {nearest_feeling(valence, arousal)}."
