"""From measured faces to answered records; each question is asked once.

Known answers are used at once, questions that may not be asked are skipped, and the rest goes to the adapter when it
has room.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain

import attrs

from affectlm.contract import class_name, failure
from affectlm.errors import AffectlmError, ContractError
from affectlm.line.known import KnownAnswers
from affectlm.line.measure import Step
from affectlm.line.model import Model
from affectlm.line.permission import Permission
from affectlm.line.question import Asking, Question
from affectlm.line.workers import Notice, silent
from affectlm.store.cache import Store
from affectlm.types import Completion, Outcome, Record, Request

READY_LIMIT = 256  # answered records that may wait while requests are under way
ASIDE_LIMIT = 256  # questions that may wait for another process
LOOK_AGAIN = 0.05  # seconds between two checks of what other processes ask
LOOKS_PER_NOTICE = 40  # checks before each notice about the wait


def ask(
    steps: Iterable[Step],
    asking: Asking,
    *,
    store: Store,
    permission: Permission | None = None,
    notice: Notice = silent,
) -> Iterator[Record]:
    """One record per step, as answers come: measured faces are asked about, records pass through.

    Args:
        steps: the output of `estimate`.
        asking: the template, the language model, and the way it is to answer.
        store: keeps completions; stored ones are not requested again, and errors are not stored.
        permission: the limits; none by default.
        notice: called with a sentence that says why the run waits.

    Raises:
        ConfigError: the template or the model cannot do what is asked.
        AffectlmError: `steps` raised it, after all open requests were answered; or the language model had to stop.
    """
    asking.check()
    permission = permission or Permission()
    shared = store.mode == "on" and asking.repeatable and not permission.dry_run
    known = KnownAnswers(store, by_choices=asking.by_choices, repeatable=asking.repeatable, shared=shared)
    model = Model(asking, known, permission, notice)
    with closing(known.claims):
        pending = _PendingRequests(iter(steps), model)
        while not pending.finished:
            first = next(pending.requests(), None)
            yield from pending.drain()
            if first is None:
                continue
            for completion in model.completions(chain([first], pending.requests())):
                pending.receive(completion)
                yield from pending.drain()
            pending.give_up()
            yield from pending.drain()
    pending.raise_failure()


@attrs.define
class _PendingRequests:
    """The open requests, the questions that wait for them, and the records that are ready."""

    steps: Iterator[Step]
    model: Model
    failed: Exception | None = None  # what `steps` raised; raised again when all open requests are answered
    _ended: bool = False  # whether `steps` has ended
    _held: Step | None = None  # waits until open requests show what is left of the budget
    _aside: deque[tuple[Step, str]] = attrs.field(factory=deque)  # steps that another process asks about now, and keys
    _waiting: dict[str, list[Question]] = attrs.field(factory=dict)  # key -> questions that wait for this answer
    _keys: dict[str, str] = attrs.field(factory=dict)  # id of an open request -> key
    _sharing: int = 0  # questions that wait for the request of an equal question
    _ready: deque[Record] = attrs.field(factory=deque)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to ask."""
        return self._ended and not self._aside

    def requests(self) -> Iterator[Request]:
        """The requests that have to be asked; records of all other steps become ready.

        Ends early if many records are ready, if open requests may use up the budget, or if others ask the rest.
        """
        known, opened = self.model.known, self.model.open
        while len(self._ready) + self._sharing < READY_LIMIT and (step := self._next()) is not None:
            if isinstance(step, Record):
                self._ready.append(step)
                continue
            question = self.model.asking.question(step)
            if self._is_settled(question):
                continue
            tokens = self.model.expected(question.request)
            if opened.must_wait(tokens):
                self._held = step
                return
            if not known.claim(question.key):
                self._aside.append((step, question.key))
            elif known.shared and self._is_settled(question):  # another process has just stored the answer
                known.release(question.key)
            else:
                self._waiting[question.key] = [question]
                self._keys[question.request.id] = question.key
                opened.begin(question.request.id, tokens)
                yield question.request

    def _is_settled(self, question: Question) -> bool:
        """Whether a question need not or must not be asked; its record is then ready, or it waits for an equal one."""
        model = self.model
        refusal = model.learn_blind()
        model.check_choices(question.request)
        completion = model.known.find(question.key, question.request)
        if completion is not None or question.key in self._waiting:
            model.permission.tally.cache_hits += 1
        if completion is None and question.key in self._waiting:
            self._waiting[question.key].append(question)
            self._sharing += 1
            return True
        if completion is None or model.permission.dry_run:
            refusal = refusal or model.permission.refusal()
        if refusal:
            if completion is None:
                model.permission.estimate(question.key, model.expected(question.request))
            self._ready.append(question.record(Outcome.SKIPPED, reason=refusal))
        elif completion is not None:
            self._ready.append(model.record(question, completion))
        return bool(refusal) or completion is not None

    def _next(self) -> Step | None:
        """The next step, from `steps` or from those put aside; None if there is none now."""
        if self._held is None and not self._ended and len(self._aside) < ASIDE_LIMIT:
            try:
                self._held = next(self.steps, None)
            except Exception as error:
                self.failed = error
            self._ended = self._held is None
        step, self._held = self._held or self._take_back(), None
        return step

    def _take_back(self) -> Step | None:
        """A step put aside that no other process asks about now; waits for one if there is nothing else to do."""
        looks = 0
        while self._aside:
            for _ in range(len(self._aside)):
                step, key = self._aside.popleft()
                if self._is_free(key) or self.model.permission.refusal():
                    return step
                self._aside.append((step, key))
            if self._keys or self._ready:
                return None
            time.sleep(LOOK_AGAIN)
            looks += 1
            if looks % LOOKS_PER_NOTICE == 0:
                self.model.notice(f"waiting for another process that asks {len(self._aside)} of the same questions")
        return None

    def _is_free(self, key: str) -> bool:
        """Whether no other process asks a question now."""
        if key in self._waiting:
            return True
        free = self.model.known.claim(key)
        self.model.known.release(key)
        return free

    def receive(self, completion: Completion) -> None:
        """Makes the records of all questions that wait for a completion ready."""
        name = class_name(self.model.asking.llm)
        if not isinstance(completion, Completion):
            raise ContractError(f"{name} gave {completion!r}, expected a Completion")
        key = self._keys.pop(completion.id, None)
        if key is None:
            raise ContractError(f"{name} gave a completion for '{completion.id}', which was not asked")
        waiting = self._waiting.pop(key)
        self._sharing -= len(waiting) - 1
        self.model.accept(completion, waiting[0].request, key)
        self.model.known.release(key)
        for question in waiting:
            self._ready.append(self.model.record(question, attrs.evolve(completion, id=question.request.id)))

    def give_up(self) -> None:
        """Answers the open requests for which the adapter gave no completion, with an error."""
        for request_id in list(self._keys):
            self.receive(self.model.nothing_from(request_id))

    def raise_failure(self) -> None:
        """Raises what the line raised, if anything."""
        if isinstance(self.failed, AffectlmError):
            raise self.failed
        if self.failed is not None:
            raise failure("the dataset", self.failed) from self.failed

    def drain(self) -> Iterator[Record]:
        """The records that are ready."""
        while self._ready:
            yield self._ready.popleft()
