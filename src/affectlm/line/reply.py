"""What happens to a completion: it is checked against its protocol, stored, and turned into a record."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs

from affectlm.contract import called
from affectlm.line.likelihoods import choose
from affectlm.line.question import Question
from affectlm.line.refusals import is_refusal
from affectlm.store.cache import is_finite
from affectlm.types import Answer, Completion, Outcome, PromptTemplate, Record, Request

_STORED = {each.name for each in attrs.fields(Completion)} - {"id", "error"}


def to_store(completion: Completion) -> dict[str, object]:
    """A completion as it is stored, without id and error."""
    content = attrs.asdict(completion)
    del content["id"], content["error"]
    return content


def from_store(request: Request, stored: Mapping[str, object] | None, *, by_choices: bool) -> Completion | None:
    """The stored completion, or None if there is none, it is damaged, or another version wrote it."""
    if stored is None or set(stored) != _STORED or not _is_completion(stored):
        return None
    completion = Completion(id=request.id, **stored)  # type: ignore[arg-type]
    return None if fault(completion, request, by_choices=by_choices) else completion


def _is_completion(stored: Mapping[str, object]) -> bool:
    """Whether each value has the type that `Completion` needs."""
    words = all(isinstance(stored[name], str) for name in ("text", "model", "finish_reason"))
    counts = all(_holds(stored[name], (int,)) for name in ("usage", "choice_tokens"))
    return words and counts and _holds(stored["choice_logprobs"], (int, float))


def _holds(values: object, types: tuple[type, ...]) -> bool:
    """Whether a value is None, or a dict whose values are finite numbers of these types."""
    if not isinstance(values, dict):
        return values is None
    return all(isinstance(value, types) and is_finite(value) for value in values.values())


def fault(completion: Completion, request: Request, *, by_choices: bool) -> str:
    """How a completion breaks its protocol; empty if it does not. With `by_choices` it must score every choice."""
    found = completion.choice_logprobs
    if found is not None and not all(math.isfinite(value) for value in found.values()):
        return "log-probabilities that are not finite"
    if by_choices and completion.error is None and set(found or ()) != set(request.choices):
        return f"log-probabilities of {len(found or ())} labels, expected those of the {len(request.choices)} choices"
    return ""


def replied(question: Question, completion: Completion, prompt: PromptTemplate) -> Record:
    """The record of a face for which the model wrote a reply or failed."""
    request = question.request
    answer = Answer() if completion.error else called(prompt.parse, completion)
    outcome, reason = outcome_of(request, completion, answer)
    return question.record(
        outcome,
        model=completion.model or None,
        reply=completion.text if completion.error is None else None,
        answer=", ".join(answer.labels) if request.choices else answer.text,
        labels=answer.labels,
        reason=reason,
        choice_logprobs=completion.choice_logprobs,
    )


def scored(question: Question, completion: Completion, blind: Mapping[str, float] | None, by: str) -> Record:
    """The record of a face for which the model scored the choices; see `likelihoods.choose`."""
    logprobs = completion.choice_logprobs or {}
    ordered = {label: logprobs[label] for label in question.request.choices}
    choice = choose(ordered, completion.choice_tokens or {}, blind, by)
    return question.record(
        Outcome.OK,
        model=completion.model or None,
        answer=choice.label,
        labels=(choice.label,),
        choice_logprobs=completion.choice_logprobs,
        choice_tokens=completion.choice_tokens,
        choice_means=choice.means,
        choice_normalised=choice.normalised,
        probabilities=choice.probabilities,
        entropy=choice.entropy,
        choice_mass=choice.mass,
    )


def outcome_of(request: Request, completion: Completion, answer: Answer) -> tuple[Outcome, str]:
    """The outcome of a reply and why it is not ok; the provider's finish reason counts before the text."""
    if completion.error is not None:
        return Outcome.API_ERROR, completion.error
    if completion.finish_reason in ("content_filter", "refusal"):
        return Outcome.REFUSED, f"the model stopped with '{completion.finish_reason}'"
    outside = [label for label in answer.labels if label not in request.choices]
    named = bool(request.choices and answer.labels and not outside)
    if completion.finish_reason == "length" and not (request.choices and answer.labels):
        return Outcome.TRUNCATED, "the reply reached the token limit"
    if not named and is_refusal(completion.text):
        return Outcome.REFUSED, "the reply declines to answer"
    if not request.choices:
        return (Outcome.OK, "") if answer.text else (Outcome.UNPARSEABLE, "the reply is empty")
    if not answer.labels:
        return Outcome.UNPARSEABLE, "no label was found in the reply"
    if outside:
        return Outcome.OUT_OF_SET, f"'{outside[0]}' is not among the labels asked for"
    return Outcome.OK, ""
