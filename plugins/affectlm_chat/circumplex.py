"""A baseline without a language model: answers from valence and arousal by a fixed rule.

What a language model adds shows in how much better it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import ClassVar

import attrs
import numpy as np

from affectlm.affect.nearness import SPREAD, FloatArray, distances, has_point, log_likelihoods
from affectlm.affect.points import known_labels, nearest_feeling
from affectlm.affect.wording import words
from affectlm.types import Completion, Request, Sample

MODEL = "circumplex baseline (no language model)"
HEDGES = ((0.35, "a little as if they might be"), (0.65, "as if they were"), (2.0, "very much as if they were"))


@attrs.frozen(kw_only=True)
class Circumplex:
    """Names the nearest published point, or describes the point in the plane in a sentence.

    Args:
        model: always the baseline's own name.
        spread: standard deviation of the normal distribution around each point, for `score_choices`.
    """

    reads_sample: ClassVar[bool] = True  # so valence and arousal are part of a request's identity
    model: str = attrs.field(default=MODEL)
    spread: float = attrs.field(default=SPREAD, validator=attrs.validators.ge(0.01))

    @model.validator
    def _check_model(self, _: object, value: str) -> None:
        if value != MODEL:
            raise ValueError(f"model is always '{MODEL}'; there is no language model to choose")

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """A completion for each request, without delay."""
        return map(self._answer, requests)

    def score_choices(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """The log-probability of each choice, normal around its point; all are equal if the request has no sample.

        A label without a point is as far away as the plane allows, so it is never the likeliest.
        """
        return map(self._score, requests)

    def _answer(self, request: Request) -> Completion:
        if request.sample is None:
            return self._error(request, "the baseline needs valence and arousal, and the request has no sample")
        if not request.choices:
            return Completion(id=request.id, model=self.model, text=describe_place(request.sample))
        if not has_point(request.choices):
            return self._error(request, _none_known(request.choices))
        [row] = distances(_place(request.sample), request.choices)
        return Completion(id=request.id, model=self.model, text=request.choices[int(row.argmin())])

    def _score(self, request: Request) -> Completion:
        choices = tuple(dict.fromkeys(request.choices))
        if not has_point(choices):
            return self._error(request, _none_known(choices))
        logprobs = [-math.log(len(choices))] * len(choices)
        if request.sample is not None:
            [logprobs] = log_likelihoods(_place(request.sample), choices, self.spread).tolist()
        return Completion(
            id=request.id,
            model=self.model,
            choice_logprobs=dict(zip(choices, logprobs, strict=True)),
            choice_tokens=dict.fromkeys(choices, 1),
        )

    def _error(self, request: Request, reason: str) -> Completion:
        return Completion(id=request.id, model=self.model, error=reason)


def _place(sample: Sample) -> FloatArray:
    return np.array([[sample.valence, sample.arousal]])


def _none_known(labels: Iterable[str]) -> str:
    return f"none of the labels {', '.join(labels)} has a published point; known: {', '.join(known_labels())}"


def describe_place(sample: Sample) -> str:
    """A sentence about a point of the plane; the farther from the middle, the more certain.

    >>> describe_place(Sample("a", 0.02, -0.01))
    'The person seems composed, with no clear feeling to be seen.'
    """
    valence, arousal = sample.valence, sample.arousal
    distance = math.hypot(valence, arousal)
    if distance < 0.12:
        return "The person seems composed, with no clear feeling to be seen."
    hedge = next(text for limit, text in HEDGES if distance < limit)
    return f"The person looks {words(valence, arousal)}. It seems {hedge} {nearest_feeling(valence, arousal)}."
