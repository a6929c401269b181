"""A baseline without a language model: what valence and arousal say by themselves, by a fixed rule.

Whatever a language model adds shows in how far it does better than this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import attrs

from affectlm.affect.points import FARTHEST, Anchor, find_anchor, known_labels, nearest_feeling
from affectlm.affect.wording import words
from affectlm.types import Completion, Request, Sample

MODEL = "circumplex baseline (no language model)"
HEDGES = ((0.35, "a little as if they might be"), (0.65, "as if they were"), (2.0, "very much as if they were"))


@attrs.frozen(kw_only=True)
class Circumplex:
    """Names the nearest published point, or describes the place in the plane in a sentence.

    Args:
        model: always the baseline's own name.
        spread: standard deviation of the normal distribution that `score_choices` lays around each point.
    """

    reads_sample: ClassVar[bool] = True  # so valence and arousal belong to what identifies a request
    model: str = attrs.field(default=MODEL)
    spread: float = attrs.field(default=0.3, validator=attrs.validators.ge(0.01))  # about that of ratings of one label

    @model.validator
    def _check_model(self, _: object, value: str) -> None:
        if value != MODEL:
            raise ValueError(f"model is always '{MODEL}', for there is no language model to choose")

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """A completion for each request, at once."""
        return map(self._answer, requests)

    def score_choices(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """The log-probability of each choice, normal around its point; a request without numbers likes all the same.

        A label without a point counts as being as far away as the plane allows, so that it is never the likeliest.
        """
        return map(self._score, requests)

    def _answer(self, request: Request) -> Completion:
        if request.sample is None:
            return self._error(request, "the baseline needs valence and arousal, and the request has no sample")
        if not request.choices:
            return Completion(id=request.id, model=self.model, text=describe_place(request.sample))
        label = nearest_choice(request.sample, request.choices)
        if label is None:
            return self._error(request, _none_known(request.choices))
        return Completion(id=request.id, model=self.model, text=label)

    def _score(self, request: Request) -> Completion:
        anchors = {choice: find_anchor(choice) for choice in request.choices}
        if not any(anchors.values()):
            return self._error(request, _none_known(request.choices))
        distances = {choice: _distance(request.sample, anchor) for choice, anchor in anchors.items()}
        return Completion(
            id=request.id,
            model=self.model,
            choice_logprobs=log_likelihoods(distances, self.spread),
            choice_tokens=dict.fromkeys(anchors, 1),
        )

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


def log_likelihoods(distances: Mapping[str, float], spread: float) -> dict[str, float]:
    """Log-probabilities that add up to 1, from squared distances: log softmax of -distance / (2 spread^2).

    >>> log_likelihoods({"joy": 0.0, "fear": 0.18}, spread=0.3)
    {'joy': -0.31326168751822286, 'fear': -1.3132616875182228}
    """
    nearest = min(distances.values())
    scores = {label: (nearest - distance) / (2 * spread**2) for label, distance in distances.items()}
    whole = math.log(sum(map(math.exp, scores.values())))
    return {label: score - whole for label, score in scores.items()}


def _distance(sample: Sample | None, anchor: Anchor | None) -> float:
    if sample is None:
        return 0.0
    return FARTHEST if anchor is None else anchor.distance(sample.valence, sample.arousal)


def _none_known(labels: Iterable[str]) -> str:
    return f"no published point for any of the labels {', '.join(labels)}; known: {', '.join(known_labels())}"


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
