"""The language model as the line uses it: completions are checked, counted and kept; asks once without numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from affectlm.contract import called, class_name, failure
from affectlm.errors import AffectlmError, ContractError
from affectlm.line.known import KnownAnswers
from affectlm.line.permission import OpenRequests, Permission
from affectlm.line.question import Asking, Question
from affectlm.line.reply import fault, replied, scored
from affectlm.line.workers import Notice, complete_all
from affectlm.types import BlindPrompt, ChoiceScorer, Completion, LLMAdapter, Record, Request


@attrs.define
class Model:
    """The language model, its known answers, and whether it may be asked."""

    asking: Asking
    known: KnownAnswers
    permission: Permission
    notice: Notice
    open: OpenRequests = attrs.field(
        init=False, default=attrs.Factory(lambda self: OpenRequests(self.permission), takes_self=True)
    )
    _blind: Mapping[str, float] | None = attrs.field(default=None, init=False)

    def completions(self, requests: Iterator[Request]) -> Iterator[Completion]:
        """The adapter's completions; an exception in the adapter becomes a ContractError that names it."""
        llm = self.asking.llm
        try:
            if self.asking.by_choices and isinstance(llm, ChoiceScorer):
                yield from llm.score_choices(requests)
            elif isinstance(llm, LLMAdapter):
                yield from llm.complete(requests)
            else:
                yield from complete_all(llm, requests, notice=self.notice, until=self.permission.budget.until)
        except (AffectlmError, GeneratorExit):
            raise
        except Exception as error:
            raise failure(f"{class_name(llm)}'s answer", error) from error

    def expected(self, request: Request) -> tuple[int, int]:
        """How many tokens the model will read for a request, and the most it may write."""
        return self.asking.expected_tokens(request)

    def accept(self, completion: Completion, request: Request, key: str) -> None:
        """Checks, counts and keeps the completion of a request that was asked."""
        if wrong := fault(completion, request, by_choices=self.asking.by_choices):
            raise ContractError(f"{class_name(self.asking.llm)}: {wrong} for '{completion.id}'")
        self.open.end(request.id, self.asking.used_tokens(completion, request))
        self.known.keep(key, completion)

    def record(self, question: Question, completion: Completion) -> Record:
        """The record of a face whose question has this completion."""
        if self.asking.by_choices and completion.error is None:
            return scored(question, completion, self._blind, self.asking.choice_score)
        return replied(question, completion, self.asking.prompt)

    def nothing_from(self, request_id: str) -> Completion:
        """A completion with an error, for a request that the adapter left unanswered."""
        return Completion(id=request_id, error=f"{class_name(self.asking.llm)} gave no completion")

    def learn_blind(self) -> str:
        """Asks the question without numbers, once; returns why it may not be asked, or an empty string."""
        prompt = self.asking.prompt
        if not self.asking.by_blind or self._blind is not None or not isinstance(prompt, BlindPrompt):
            return ""
        request = called(prompt.render_blind)
        key = self.asking.request_key(request)
        completion = self.known.find(key, request)
        if completion is None:
            if reason := self.permission.refusal():
                self.permission.estimate(key, self.expected(request))
                return reason
            self.open.begin(request.id, self.expected(request))
            completion = next(self.completions(iter([request])), self.nothing_from(request.id))
            if completion.error is not None:
                raise AffectlmError(f"the question without numbers failed: {completion.error}")
            self.accept(completion, request, key)
        self._blind = completion.choice_logprobs
        return ""

    def check_choices(self, request: Request) -> None:
        """Raises ContractError if the question without numbers had other choices."""
        if self._blind is not None and set(self._blind) != set(request.choices):
            raise ContractError(f"{class_name(self.asking.prompt)}.render_blind gave other choices than render")
