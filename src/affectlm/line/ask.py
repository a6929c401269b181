"""The last step of the line: measured faces to answered records, each question asked once.

What is stored or already under way, in this process or another, is not asked again; requests are drawn as the adapter
has room for them.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain

import attrs

from affectlm.contract import called, class_name, failure
from affectlm.errors import AffectlmError, ConfigError, ContractError
from affectlm.line.budget import Budget, Tally
from affectlm.line.faces import Finding, Step
from affectlm.line.likelihoods import SCORES
from affectlm.line.reply import fault, from_store, replied, scored, to_store
from affectlm.line.workers import Notice, complete_all, silent
from affectlm.store.cache import Claims, Store, digest
from affectlm.types import (
    BlindPrompt,
    ChoiceScorer,
    Completion,
    LLMAdapter,
    Message,
    PromptTemplate,
    Record,
    Request,
    Sample,
    SingleLLM,
    TokenCounter,
)

READY_LIMIT = 256  # cached answers that may wait while requests are under way
ASIDE_LIMIT = 256  # questions that may wait for another process
LOOK_AGAIN = 0.05  # seconds between two looks at what other processes ask
PATIENCE = 120.0  # seconds after which a question is asked here all the same: the other process may be stopped
KEPT = 4096  # answers of this run that are kept in memory where the cache keeps none
CHARACTERS_PER_TOKEN = 4  # of English, roughly; for estimates before anything is asked
TOKENS_PER_TURN = 16  # of a chat template around a message, roughly


@attrs.define(kw_only=True)
class Asking:
    """How a run asks: the template, the model, the store, and the limits."""

    prompt: PromptTemplate
    llm: LLMAdapter | SingleLLM
    store: Store
    key: object = ""  # identifies the model: name, options and weights
    answer: str = "generate"  # or choices
    choice_score: str = attrs.field(default="normalised", validator=attrs.validators.in_(SCORES))
    send_images: bool = False
    dry_run: bool = False
    tally: Tally = attrs.field(factory=Tally)
    budget: Budget = attrs.field(factory=Budget)
    notice: Notice = silent  # told what is waited for
    before: Callable[[int, int, int], None] = lambda *_: None  # told, before each request, what is asked with it

    def check(self) -> None:
        """Nothing, when the template and the model can do what is asked of them.

        Raises:
            ConfigError: they cannot.
        """
        if self.send_images and not getattr(self.llm, "takes_faces", False):
            raise ConfigError(
                f"privacy.send_images=true, but {class_name(self.llm)} takes no pictures; leave it out, or choose "
                "llm=openai with a model that can see"
            )
        if not self.by_choices:
            return
        if not isinstance(self.llm, ChoiceScorer):
            raise ConfigError(
                f"answer=choices needs the log-probabilities of given labels, and {class_name(self.llm)} has none; "
                "type answer=generate, or choose llm=smollm2, transformers, llamacpp or circumplex"
            )
        if not called(self.prompt.render, Sample("check", 0.0, 0.0)).choices:
            raise ConfigError(
                f"answer=choices, but {class_name(self.prompt)} asks an open question; choose prompt=categories"
            )
        if self.by_blind and not isinstance(self.prompt, BlindPrompt):
            raise ConfigError(
                f"choice_score=normalised asks once without numbers, and {class_name(self.prompt)} cannot; "
                "type choice_score=mean or choice_score=sum"
            )

    @property
    def by_choices(self) -> bool:
        """Whether the choices are scored, and no reply is written."""
        return self.answer == "choices"

    @property
    def by_blind(self) -> bool:
        """Whether the answers need the question without numbers."""
        return self.by_choices and self.choice_score == "normalised"

    @property
    def stores(self) -> bool:
        """Whether what is answered can be found by others."""
        return self.store.mode == "on" and getattr(self.llm, "repeatable", True) and not self.dry_run

    def stop(self) -> str:
        """Why nothing more may be asked, or nothing."""
        return "dry_run=true asks nothing" if self.dry_run else self.budget.spent(self.tally)

    def expected(self, request: Request) -> tuple[int, int]:
        """Tokens that a request will make the model read, and the most it may write."""
        if isinstance(self.llm, TokenCounter):
            prompt = called(self.llm.count_tokens, request)
        else:
            prompt = sum(len(message.text) // CHARACTERS_PER_TOKEN + TOKENS_PER_TURN for message in request.messages)
        written = 0 if self.by_choices else int(getattr(self.llm, "max_new_tokens", 0))
        return prompt, written


@attrs.frozen
class _Aside:
    """A question that another process asks now."""

    step: Step
    key: str
    since: float = attrs.field(factory=time.monotonic)


@attrs.define
class _Desk:
    """The requests under way: who waits for which, and what is ready to leave."""

    asking: Asking
    steps: Iterator[Step]
    claims: Claims
    ended: bool = False  # the line
    failed: Exception | None = None  # what the line raised; said when all that is under way has come in
    held: Step | None = None  # what waits until the budget is known again
    aside: deque[_Aside] = attrs.field(factory=deque)
    impatient: set[str] = attrs.field(factory=set)  # keys that are asked here although another process asks them
    sharing: int = 0  # records that wait for a request which another has made
    blind: Mapping[str, float] | None = None  # log-probabilities of the labels without numbers
    waiting: dict[str, list[tuple[Record, Request]]] = attrs.field(factory=dict)  # key -> who waits for this answer
    keys: dict[str, str] = attrs.field(factory=dict)  # id of a request under way -> key
    expected: dict[str, tuple[int, int]] = attrs.field(factory=dict)  # id of a request under way -> its tokens
    ready: deque[Record] = attrs.field(factory=deque)
    answers: dict[str, Mapping[str, object]] = attrs.field(factory=dict)  # of this run, where the store keeps none
    estimated: set[str] = attrs.field(factory=set)  # keys that a dry run has counted

    def requests(self) -> Iterator[Request]:
        """Requests nobody has the answer to yet; everything else becomes ready.

        Ends early when much is ready, when what is under way may use up the budget, or when others ask the rest.
        """
        while len(self.ready) + self.sharing < READY_LIMIT:
            step = self._next()
            if step is None:
                return
            if isinstance(step, Record):
                self.ready.append(step)
                continue
            record, request = _rendered(step, self.asking)
            key = _completion_key(request, self.asking)
            if self._has_answer(record, request, key):
                continue
            expected = self.asking.expected(request)
            if self.keys and not self._affordable(expected):
                self.held = step
                return
            if not self._claimed(key):
                self.aside.append(_Aside(step, key))
                continue
            if self.asking.stores and self._has_answer(record, request, key):  # since another process had it
                self.claims.release(key)
                continue
            self.asking.tally.requests += 1
            self.waiting[key] = [(record, request)]
            self.keys[request.id], self.expected[request.id] = key, expected
            self._tell()
            yield request

    @property
    def finished(self) -> bool:
        """Whether nothing is left to ask."""
        return self.ended and not self.aside

    def _next(self) -> Step | None:
        """The next step, of the line or of those put aside; None when there is none now."""
        if self.held is None and not self.ended and len(self.aside) < ASIDE_LIMIT:
            try:
                self.held = next(self.steps, None)
            except Exception as error:
                self.failed = error
            self.ended = self.held is None
        step, self.held = self.held or self._back(), None
        return step

    def _back(self) -> Step | None:
        """A step put aside that no other process asks now; waits for one where nothing else is to be done."""
        while self.aside:
            for _ in range(len(self.aside)):
                first = self.aside.popleft()
                if time.monotonic() > first.since + PATIENCE:
                    self.impatient.add(first.key)
                if self._free(first.key) or self.asking.stop():
                    return first.step
                self.aside.append(first)
            if self.keys or self.ready:
                return None
            time.sleep(LOOK_AGAIN)
        return None

    def _claimed(self, key: str) -> bool:
        """Whether no other process asks a question, or one has done so for too long; then others wait for this one."""
        return not self.asking.stores or key in self.impatient or self.claims.take(key)

    def _free(self, key: str) -> bool:
        if key in self.waiting:
            return True
        free = self._claimed(key)
        self.claims.release(key)
        return free

    def _has_answer(self, record: Record, request: Request, key: str) -> bool:
        """Whether a request need not or must not be asked; then its record is ready, or waits with another."""
        asking = self.asking
        reason = self._learn_blind() if asking.by_blind and self.blind is None else ""
        if self.blind is not None and set(self.blind) != set(request.choices):
            raise ContractError(f"{class_name(asking.prompt)}.render_blind gave other choices than render")
        stored = from_store(request, self.answers.get(key) or asking.store.load(key), by_choices=asking.by_choices)
        if stored is not None:
            asking.tally.cache_hits += 1
            if not asking.dry_run and not reason:
                self._answer(record, request, stored)
                return True
        elif key in self.waiting:
            asking.tally.cache_hits += 1
            self.waiting[key].append((record, request))
            self.sharing += 1
            return True
        if reason := reason or asking.stop():
            if asking.dry_run and stored is None:
                self._estimate(request, key)
            self.ready.append(attrs.evolve(record, reason=reason))
        return bool(reason)

    def _learn_blind(self) -> str:
        """Asks the question without numbers; why not, where nothing may be asked."""
        asking = self.asking
        assert isinstance(asking.prompt, BlindPrompt) and isinstance(asking.llm, ChoiceScorer)  # noqa: S101, PT018
        request = called(asking.prompt.render_blind)
        key = _completion_key(request, asking)
        stored = from_store(request, asking.store.load(key), by_choices=asking.by_choices)
        if stored is None and (reason := asking.stop()):
            if asking.dry_run:
                self._estimate(request, key)
            return reason
        if stored is None:
            asking.tally.requests += 1
            self._tell(asking.expected(request))
            none = Completion(id=request.id, error=f"{class_name(asking.llm)} gave no completion")
            stored = next(_completions(asking, iter([request])), none)
            if stored.error is not None:
                raise AffectlmError(f"the question without numbers failed: {stored.error}")
            self._count(stored, request, key)
        self.blind = stored.choice_logprobs
        return ""

    def _estimate(self, request: Request, key: str) -> None:
        """Counts what a dry run would ask, each question once."""
        if key not in self.estimated:
            self.estimated.add(key)
            prompt, written = self.asking.expected(request)
            self.asking.tally.estimated_requests += 1
            self.asking.tally.estimated_prompt_tokens += prompt
            self.asking.tally.estimated_completion_tokens += written

    def _tell(self, *further: tuple[int, int]) -> None:
        """Has what was asked, and what is under way at its most, written down."""
        tally, under_way = self.asking.tally, [*self.expected.values(), *further]
        read, written = (sum(column) for column in zip(*under_way, strict=True))
        self.asking.before(tally.requests, tally.prompt_tokens + read, tally.completion_tokens + written)

    def _affordable(self, expected: tuple[int, int]) -> bool:
        everything = [*self.expected.values(), expected]
        return self.asking.budget.holds(self.asking.tally, *(sum(column) for column in zip(*everything, strict=True)))

    def receive(self, completion: Completion) -> None:
        """Files a completion and answers everybody who waits for it."""
        if not isinstance(completion, Completion):
            raise ContractError(f"{class_name(self.asking.llm)} gave {completion!r}, expected a Completion")
        key = self.keys.pop(completion.id, None)
        if key is None:
            raise ContractError(
                f"{class_name(self.asking.llm)}: a completion for '{completion.id}', which was not asked"
            )
        del self.expected[completion.id]
        waiting = self.waiting.pop(key)
        self.sharing -= len(waiting) - 1
        self._count(completion, waiting[0][1], key)
        self.claims.release(key)
        for record, request in waiting:
            self._answer(record, request, attrs.evolve(completion, id=request.id))

    def _count(self, completion: Completion, request: Request, key: str) -> None:
        """Checks, counts and stores a completion that was paid for."""
        asking = self.asking
        if wrong := fault(completion, request, by_choices=asking.by_choices):
            raise ContractError(f"{class_name(asking.llm)}: {wrong} for '{completion.id}'")
        usage = completion.usage or self._assumed(completion, request)
        asking.tally.prompt_tokens += usage.get("prompt_tokens", 0)
        asking.tally.completion_tokens += usage.get("completion_tokens", 0)
        if completion.error is None and getattr(asking.llm, "repeatable", True):
            asking.store.save(key, to_store(completion))
            if asking.store.mode != "on":
                self.answers[key] = to_store(completion)
                if len(self.answers) > KEPT:
                    del self.answers[next(iter(self.answers))]

    def _assumed(self, completion: Completion, request: Request) -> Mapping[str, int]:
        """The usage of a completion whose service tells none, so that limits hold; nothing where nothing was asked."""
        if completion.error is not None or not isinstance(self.asking.llm, SingleLLM):
            return {}
        written = len(completion.text) // CHARACTERS_PER_TOKEN + 1
        return {"prompt_tokens": self.asking.expected(request)[0], "completion_tokens": written}

    def _answer(self, record: Record, request: Request, completion: Completion) -> None:
        asking = self.asking
        if asking.by_choices and completion.error is None:
            self.ready.append(scored(record, request, completion, self.blind, asking.choice_score))
        else:
            self.ready.append(replied(record, request, completion, asking.prompt))

    def drain(self) -> Iterator[Record]:
        while self.ready:
            yield self.ready.popleft()


def ask(steps: Iterable[Step], asking: Asking) -> Iterator[Record]:
    """Asks about every finding and yields its record as answers come; records pass through.

    A request whose answer is stored, or that is already under way, is not asked again. Errors are not stored.

    Raises:
        ConfigError: the template or the model cannot do what is asked of them.
    """
    asking.check()
    with closing(asking.store.claims) as claims:
        desk = _Desk(asking, iter(steps), claims)
        while not desk.finished:
            first = next(desk.requests(), None)
            yield from desk.drain()
            if first is None:
                continue
            for completion in _completions(asking, chain([first], desk.requests())):
                desk.receive(completion)
                yield from desk.drain()
            for request_id in list(desk.keys):
                desk.receive(Completion(id=request_id, error=f"{class_name(asking.llm)} gave no completion"))
            yield from desk.drain()
    if isinstance(desk.failed, AffectlmError):
        raise desk.failed
    if desk.failed is not None:
        raise failure("the dataset", desk.failed) from desk.failed


def _completions(asking: Asking, requests: Iterator[Request]) -> Iterator[Completion]:
    """What the adapter gives; a failure of its own is named as its own."""
    llm = asking.llm
    try:
        if asking.by_choices and isinstance(llm, ChoiceScorer):
            yield from llm.score_choices(requests)
        elif hasattr(llm, "complete"):
            yield from llm.complete(requests)
        else:
            yield from complete_all(llm, requests, notice=asking.notice, until=asking.budget.until)
    except (AffectlmError, GeneratorExit):
        raise
    except Exception as error:
        raise failure(f"{class_name(llm)}'s answer", error) from error


def _rendered(step: Finding, asking: Asking) -> tuple[Record, Request]:
    record = step.record
    if record.valence is None or record.arousal is None:
        raise ContractError(f"'{record.id}' has no valence and arousal to ask about")
    sample = Sample(record.id, record.valence, record.arousal, record.extra, record.truth)
    face = step.face.pixels if asking.send_images and step.face is not None else None
    request = attrs.evolve(called(asking.prompt.render, sample), sample=sample, face=face)
    if request.id != record.id:
        raise ContractError(f"{class_name(asking.prompt)}.render gave the id '{request.id}', expected '{record.id}'")
    text = "\n\n".join(f"[{message.role}]\n{message.text}" for message in request.messages)
    return attrs.evolve(record, prompt=text, prompt_sha256=prompt_hash(request.messages)), request


def prompt_hash(messages: Sequence[Message]) -> str:
    """SHA-256 of the messages, hexadecimal."""
    return hashlib.sha256(repr([(message.role, message.text) for message in messages]).encode()).hexdigest()


def _completion_key(request: Request, asking: Asking) -> str:
    messages = [[message.role, message.text] for message in request.messages]
    sample = request.sample
    affect = [sample.valence, sample.arousal] if sample and getattr(asking.llm, "reads_sample", False) else None
    face = None if request.face is None else hashlib.sha256(request.face.tobytes()).hexdigest()
    return digest([asking.key, asking.answer, messages, request.choices, affect, face])
