"""The last step of the line: measured faces to answered records, each question asked once.

What is stored or already under way is not asked again; requests are drawn as the adapter has room for them.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import attrs

from affectlm.cache import Store, digest
from affectlm.errors import AffectlmError, ContractError
from affectlm.pipeline import Step, called, class_name, failure
from affectlm.records import Record
from affectlm.types import (
    Answer,
    Completion,
    LLMAdapter,
    Message,
    Outcome,
    PromptTemplate,
    Request,
    Sample,
)

_STORED = {each.name for each in attrs.fields(Completion)} - {"id", "error"}
READY_LIMIT = 256  # cached answers that may wait while requests are under way


@attrs.define
class Tally:
    """What asking has cost so far."""

    requests: int = 0
    cache_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.completion_tokens


@attrs.define(kw_only=True)
class Asking:
    """How a run asks: the template, the model, the store, and the limits."""

    prompt: PromptTemplate
    llm: LLMAdapter
    store: Store
    key: object = ""  # identifies the model: name, options and weights
    tally: Tally = attrs.field(factory=Tally)
    max_requests: int | None = None
    max_tokens_total: int | None = None
    dry_run: bool = False

    def stop(self) -> str:
        """Why nothing more may be asked, or nothing."""
        if self.dry_run:
            return "dry_run=true asks nothing"
        if self.max_requests is not None and self.tally.requests >= self.max_requests:
            return f"max_requests={self.max_requests} was reached"
        if self.max_tokens_total is not None and self.tally.tokens >= self.max_tokens_total:
            return f"max_tokens_total={self.max_tokens_total} was reached"
        return ""


@attrs.define
class _Desk:
    """The requests under way: who waits for which, and what is ready to leave."""

    asking: Asking
    waiting: dict[str, list[tuple[Record, Request]]] = attrs.field(factory=dict)  # key -> who waits for this answer
    keys: dict[str, str] = attrs.field(factory=dict)  # id of a request under way -> key
    ready: deque[Record] = attrs.field(factory=deque)

    def requests(self, steps: Iterator[Step]) -> Iterator[Request]:
        """Requests nobody has the answer to yet; everything else becomes ready. Ends early when much is ready."""
        asking = self.asking
        while len(self.ready) < READY_LIMIT:
            step = next(steps, None)
            if step is None:
                return
            if isinstance(step, Record):
                self.ready.append(step)
                continue
            record, request = _rendered(step.record, asking.prompt)
            key = _completion_key(request, asking)
            stored = _from_store(request.id, asking.store.load(key))
            if stored is not None:
                asking.tally.cache_hits += 1
                self.ready.append(_answered(record, request, stored, asking.prompt))
            elif key in self.waiting:
                asking.tally.cache_hits += 1
                self.waiting[key].append((record, request))
            elif reason := asking.stop():
                self.ready.append(attrs.evolve(record, reason=reason))
            else:
                asking.tally.requests += 1
                self.waiting[key] = [(record, request)]
                self.keys[request.id] = key
                yield request

    def receive(self, completion: Completion) -> None:
        """Files a completion and answers everybody who waits for it."""
        key = self.keys.pop(completion.id, None)
        if key is None:
            raise ContractError(
                f"{class_name(self.asking.llm)}: a completion for '{completion.id}', which was not asked"
            )
        if not all(math.isfinite(value) for value in (completion.choice_logprobs or {}).values()):
            raise ContractError(
                f"{class_name(self.asking.llm)}: log-probabilities that are not finite for '{completion.id}'"
            )
        usage = completion.usage or {}
        self.asking.tally.prompt_tokens += usage.get("prompt_tokens", 0)
        self.asking.tally.completion_tokens += usage.get("completion_tokens", 0)
        if completion.error is None:
            self.asking.store.save(key, _to_store(completion))
        for record, request in self.waiting.pop(key):
            mine = attrs.evolve(completion, id=request.id)
            self.ready.append(_answered(record, request, mine, self.asking.prompt))

    def drain(self) -> Iterator[Record]:
        while self.ready:
            yield self.ready.popleft()


def ask(steps: Iterable[Step], asking: Asking) -> Iterator[Record]:
    """Asks about every finding and yields its record as answers come; records pass through.

    A request whose answer is stored, or that is already under way, is not asked again. Errors are not stored.
    """
    steps = iter(steps)
    desk = _Desk(asking)
    while True:
        first = next(desk.requests(steps), None)
        yield from desk.drain()
        if first is None:
            step = next(steps, None)
            if step is None:
                return
            steps = chain([step], steps)
            continue
        for completion in _completions(asking.llm, chain([first], desk.requests(steps))):
            desk.receive(completion)
            yield from desk.drain()
        for request_id in list(desk.keys):
            desk.receive(Completion(id=request_id, error=f"{class_name(asking.llm)} gave no completion"))
        yield from desk.drain()


def _completions(llm: LLMAdapter, requests: Iterator[Request]) -> Iterator[Completion]:
    """What the adapter gives; a failure of its own, not of what it draws from, is named as its own."""
    try:
        yield from llm.complete(requests)
    except (AffectlmError, GeneratorExit):
        raise
    except Exception as error:
        raise failure(f"{class_name(llm)}.complete", error) from error


def _rendered(record: Record, prompt: PromptTemplate) -> tuple[Record, Request]:
    if record.valence is None or record.arousal is None:
        raise ContractError(f"'{record.id}' has no valence and arousal to ask about")
    sample = Sample(record.id, record.valence, record.arousal, record.extra, record.truth)
    request = attrs.evolve(called(prompt.render, sample), sample=sample)
    if request.id != record.id:
        raise ContractError(f"{class_name(prompt)}.render gave the id '{request.id}', expected '{record.id}'")
    text = "\n\n".join(f"[{message.role}]\n{message.text}" for message in request.messages)
    return attrs.evolve(record, prompt=text, prompt_sha256=prompt_hash(request.messages)), request


def prompt_hash(messages: Sequence[Message]) -> str:
    """SHA-256 of the messages, hexadecimal."""
    return hashlib.sha256(repr([(message.role, message.text) for message in messages]).encode()).hexdigest()


def _completion_key(request: Request, asking: Asking) -> str:
    messages = [[message.role, message.text] for message in request.messages]
    sample = request.sample
    affect = [sample.valence, sample.arousal] if sample and getattr(asking.llm, "reads_sample", False) else None
    return digest([asking.key, messages, request.choices, affect])


def _to_store(completion: Completion) -> dict[str, object]:
    content = attrs.asdict(completion)
    del content["id"], content["error"]
    return content


def _from_store(request_id: str, stored: Mapping[str, object] | None) -> Completion | None:
    """The stored completion, or None where there is none or another version wrote it."""
    if stored is None or set(stored) != _STORED or not isinstance(stored["text"], str):
        return None
    return Completion(id=request_id, **stored)  # type: ignore[arg-type]


def _answered(record: Record, request: Request, completion: Completion, prompt: PromptTemplate) -> Record:
    answer = Answer() if completion.error else called(prompt.parse, completion)
    outcome, reason = judge(request, completion, answer)
    return attrs.evolve(
        record,
        model=completion.model or None,
        reply=completion.text if completion.error is None else None,
        answer=", ".join(answer.labels) if request.choices else answer.text,
        labels=answer.labels,
        outcome=outcome,
        reason=reason,
        choice_logprobs=completion.choice_logprobs,
    )


def judge(request: Request, completion: Completion, answer: Answer) -> tuple[Outcome, str]:
    """The outcome of a reply and why it is not ok."""
    if completion.error is not None:
        return Outcome.API_ERROR, completion.error
    if completion.finish_reason in ("content_filter", "refusal"):
        return Outcome.REFUSED, f"the model stopped with '{completion.finish_reason}'"
    if completion.finish_reason == "length" and not (request.choices and answer.labels):
        return Outcome.TRUNCATED, "the reply reached the token limit"
    if not request.choices:
        return (Outcome.OK, "") if answer.text else (Outcome.UNPARSEABLE, "the reply is empty")
    if not answer.labels:
        return Outcome.UNPARSEABLE, "no label was found in the reply"
    outside = [label for label in answer.labels if label not in request.choices]
    if outside:
        return Outcome.OUT_OF_SET, f"'{outside[0]}' is not among the labels asked for"
    return Outcome.OK, ""
