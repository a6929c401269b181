"""Chooses an answer by the log-probabilities of the labels, for `answer=choices`.

There are three scores: `normalised`, the sum over a label's tokens minus the same label's sum when the question leaves
out the numbers, which does not favour labels that the model prefers anyway (the pointwise mutual information of
Holtzman et al. 2021, arXiv 2104.08315); the `sum` itself; and the `mean` per token, which favours labels of several
tokens, since a model is sure of the later tokens of a word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs

SCORES = ("normalised", "sum", "mean")


@attrs.frozen
class Choice:
    """The scores of the labels, and what follows from the deciding score."""

    label: str  # the best; the first of equals
    means: Mapping[str, float]
    normalised: Mapping[str, float] | None  # None if the question was not asked without numbers
    probabilities: Mapping[str, float]  # softmax of the deciding score
    entropy: float  # of the probabilities, in nats
    mass: float  # of the model's probability that the labels hold together


def choose(
    logprobs: Mapping[str, float], tokens: Mapping[str, int], blind: Mapping[str, float] | None, by: str
) -> Choice:
    """The label that a model prefers, with all scores.

    Args:
        logprobs: per label, summed over its tokens.
        tokens: number of tokens per label.
        blind: `logprobs` of the same labels for the question without the numbers.
        by: the deciding score, one of `SCORES`.

    >>> choose({"joy": -1.0, "fear": -1.5}, {"joy": 1, "fear": 1}, {"joy": -0.5, "fear": -3.0}, "normalised").label
    'fear'
    """
    means = {label: value / max(1, tokens.get(label, 1)) for label, value in logprobs.items()}
    normalised = None if blind is None else {label: value - blind[label] for label, value in logprobs.items()}
    deciding = {"sum": logprobs, "mean": means}.get(by, normalised or logprobs)
    probabilities = softmax(deciding)
    return Choice(
        label=max(deciding, key=lambda label: deciding[label]),
        means=means,
        normalised=normalised,
        probabilities=probabilities,
        entropy=-sum(value * math.log(value) for value in probabilities.values() if value > 0),
        mass=mass(logprobs),
    )


def mass(logprobs: Mapping[str, float]) -> float:
    """The share of the model's probability that the labels hold together, from 0 to 1.

    A label that begins with another label lies within the share of that label and is not counted again.

    >>> round(mass({"joy": math.log(0.2), "joyful": math.log(0.1), "fear": math.log(0.05)}), 9)
    0.25
    """
    others = {label: [other for other in logprobs if other != label] for label in logprobs}
    found = (logprobs[label] for label, rest in others.items() if not label.startswith(tuple(rest)))
    return min(1.0, math.fsum(math.exp(min(0.0, value)) for value in found))


def softmax(scores: Mapping[str, float]) -> dict[str, float]:
    """Probabilities in proportion to the exponential of the scores.

    >>> softmax({"a": 0.0, "b": 0.0})
    {'a': 0.5, 'b': 0.5}
    """
    highest = max(scores.values())
    weights = {label: math.exp(value - highest) for label, value in scores.items()}
    whole = sum(weights.values())
    return {label: weight / whole for label, weight in weights.items()}
