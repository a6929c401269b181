"""The line from pictures to answered records: find_faces -> estimate -> ask, each a generator over bounded windows.

What is finished travels as a Record, what is still under way as a Finding; nothing here knows files or settings.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TypeAlias, TypeVar

import attrs
import numpy as np

from affectlm import images
from affectlm.cache import Store, digest
from affectlm.errors import AffectlmError, ContractError, ImageError
from affectlm.records import Record
from affectlm.types import (
    VA,
    Answer,
    Box,
    Completion,
    DetailedEstimator,
    Details,
    Face,
    FaceDetector,
    Image,
    LLMAdapter,
    Message,
    Outcome,
    Pixels,
    PromptTemplate,
    Request,
    Sample,
    Truth,
    VAEstimator,
)

_A = TypeVar("_A")
_T = TypeVar("_T")

_STORED = {each.name for each in attrs.fields(Completion)} - {"id", "error"}
READY_LIMIT = 256  # cached answers that may wait while requests are under way


@attrs.frozen
class Finding:
    """A face on its way down the line: what is known of it so far, and its pixels until it is measured."""

    record: Record
    face: Face | None = None


Step: TypeAlias = Finding | Record


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


# ---- faces -------------------------------------------------------------------------------------------------


def find_faces(
    items: Iterable[Image], detector: FaceDetector, *, best_only: bool = False, batch_size: int = 8
) -> Iterator[Step]:
    """The faces of pictures, cut out; a record where there is none or the picture cannot be read.

    A picture with truth gives its best face only (inside `region` when it has one): the truth is about one person.
    """
    for window in _windows(items, batch_size):
        read: list[tuple[Image, Pixels, str]] = []
        for image in window:
            try:
                read.append((image, *images.read(image.source)))
            except ImageError as error:
                reason = str(error)
                yield Record(
                    id=image.id, image=_name(image), outcome=Outcome.UNREADABLE_IMAGE, reason=reason, truth=image.truth
                )
        found = _detect(detector, [pixels for _, pixels, _ in read])
        for (image, pixels, sha256), boxes in zip(read, found, strict=True):
            yield from _faces(image, pixels, sha256, boxes, best_only=best_only)


def _detect(detector: FaceDetector, pictures: Sequence[Pixels]) -> list[list[Box]]:
    if not pictures:
        return []
    found = called(detector.detect, pictures)
    if len(found) != len(pictures):
        raise ContractError(
            f"{_class(detector)}.detect returned {len(found)} lists of boxes for {len(pictures)} pictures"
        )
    for pixels, boxes in zip(pictures, found, strict=True):
        for box in boxes:
            if not _fits(box, pixels):
                raise ContractError(f"{_class(detector)}.detect returned {box!r}, expected a Box about the picture")
    return found


def _fits(box: object, pixels: Pixels) -> bool:
    if not isinstance(box, Box):
        return False
    corners, longest = [box.left, box.top, box.right, box.bottom, box.score], max(pixels.shape)
    return all(math.isfinite(value) and abs(value) <= 8 * longest for value in corners)


def _faces(image: Image, pixels: Pixels, sha256: str, boxes: Sequence[Box], *, best_only: bool) -> Iterator[Step]:
    base = Record(id=image.id, image=_name(image), image_sha256=sha256, outcome=Outcome.NO_FACE, truth=image.truth)
    chosen = [(rank, box) for rank, box in enumerate(boxes) if image.region is None or _inside(box, image.region)]
    if best_only or about_one(image):
        chosen = chosen[:1]
    if not chosen:
        where = " inside the given region" if boxes else ""
        yield attrs.evolve(base, others=len(boxes), reason=f"no face was found{where}")
    for rank, box in chosen:
        face = Face(f"{image.id}#{rank}", box, images.crop(pixels, box), image.truth)
        yield Finding(
            attrs.evolve(base, id=face.id, face=rank, box=box, others=len(boxes) - 1, outcome=Outcome.SKIPPED), face
        )


def about_one(image: Image) -> bool:
    """Whether what is known of a picture is known of one person in it."""
    return image.region is not None or image.truth != Truth(group=image.truth.group)


def _inside(box: Box, region: Box) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return region.left <= x < region.right and region.top <= y < region.bottom


def _name(image: Image) -> str:
    return str(image.source) if not isinstance(image.source, bytes | np.ndarray) else image.id


# ---- valence and arousal -----------------------------------------------------------------------------------


def estimate(
    steps: Iterable[Step], estimator: VAEstimator, *, batch_size: int = 32, store: Store | None = None, key: object = ""
) -> Iterator[Step]:
    """Measures the faces that pass; the estimator sees batches, and never a face whose value is in the store.

    Args:
        steps: what `find_faces` gives.
        estimator: what measures.
        batch_size: faces measured at once.
        store: where measured values are kept, under the picture's hash, the box and `key`.
        key: what identifies the estimator: its name, options and weights.
    """
    for window in _windows(steps, batch_size):
        waiting = [step for step in window if isinstance(step, Finding) and step.face is not None]
        keys = [digest([step.record.image_sha256, _corners(step.record.box), key]) for step in waiting]
        known: dict[str, Mapping[str, object]] = {}
        for each in keys if store else ():
            if _is_affect(value := store.load(each)):  # type: ignore[union-attr]
                known[each] = value  # type: ignore[assignment]
        missing = [(each, step) for each, step in zip(keys, waiting, strict=True) if each not in known]
        measured = _measure(estimator, [step.face for _, step in missing if step.face is not None])
        for (each, _), value in zip(missing, measured, strict=True):
            known[each] = value
            if store:
                store.save(each, value)
        values = dict(zip((step.record.id for step in waiting), (known[each] for each in keys), strict=True))
        for step in window:
            if isinstance(step, Finding) and step.record.id in values:
                yield Finding(attrs.evolve(step.record, **values[step.record.id]))  # type: ignore[arg-type]
            else:
                yield step


def _is_affect(value: Mapping[str, object] | None) -> bool:
    """Whether a stored value is what `_measure` stores, whoever wrote it."""
    if value is None or set(value) != {"valence", "arousal", "extra"} or not isinstance(value["extra"], dict):
        return False
    numbers = [value["valence"], value["arousal"]]
    return all(isinstance(number, float) and -1 <= number <= 1 for number in numbers)


def _measure(estimator: VAEstimator, faces: Sequence[Face]) -> list[Mapping[str, object]]:
    """Valence, arousal and extra of each face, checked."""
    if not faces:
        return []
    crops = [face.pixels for face in faces]
    details: Details = {}
    if isinstance(estimator, DetailedEstimator):
        affect, details = called(estimator.details, crops)
    else:
        affect = called(estimator.estimate, crops)
    name = _class(estimator)
    affect = _checked(name, np.asarray(affect), faces)
    for key, column in details.items():
        if np.shape(column) != (len(faces),) or not np.all(np.isfinite(column)):
            raise ContractError(f"{name}: bad detail '{key}', expected {len(faces)} finite numbers")
    return [
        {
            "valence": float(valence),
            "arousal": float(arousal),
            "extra": {key: float(column[row]) for key, column in details.items()},
        }
        for row, (valence, arousal) in enumerate(affect.tolist())
    ]


def _checked(name: str, affect: VA, faces: Sequence[Face]) -> VA:
    if affect.shape != (len(faces), 2):
        raise ContractError(f"{name}: bad returned shape {affect.shape}, expected ({len(faces)}, 2): valence, arousal")
    for row, face in enumerate(faces):
        if not np.all(np.isfinite(affect[row])):
            raise ContractError(f"{name}: returned {affect[row].tolist()} for '{face.id}', expected finite numbers")
        if np.any(np.abs(affect[row]) > 1):
            raise ContractError(
                f"{name}: returned valence, arousal {affect[row].tolist()} for face '{face.id}', expected [-1, 1]"
            )
    return affect


# ---- answers -----------------------------------------------------------------------------------------------


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
            raise ContractError(f"{_class(self.asking.llm)}: a completion for '{completion.id}', which was not asked")
        if not all(math.isfinite(value) for value in (completion.choice_logprobs or {}).values()):
            raise ContractError(
                f"{_class(self.asking.llm)}: log-probabilities that are not finite for '{completion.id}'"
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
            desk.receive(Completion(id=request_id, error=f"{_class(asking.llm)} gave no completion"))
        yield from desk.drain()


def _completions(llm: LLMAdapter, requests: Iterator[Request]) -> Iterator[Completion]:
    """What the adapter gives; a failure of its own, not of what it draws from, is named as its own."""
    try:
        yield from llm.complete(requests)
    except (AffectlmError, GeneratorExit):
        raise
    except Exception as error:
        raise _failure(f"{_class(llm)}.complete", error) from error


def _rendered(record: Record, prompt: PromptTemplate) -> tuple[Record, Request]:
    if record.valence is None or record.arousal is None:
        raise ContractError(f"'{record.id}' has no valence and arousal to ask about")
    sample = Sample(record.id, record.valence, record.arousal, record.extra, record.truth)
    request = attrs.evolve(called(prompt.render, sample), sample=sample)
    if request.id != record.id:
        raise ContractError(f"{_class(prompt)}.render gave the id '{request.id}', expected '{record.id}'")
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


# ---- the stream --------------------------------------------------------------------------------------------


def _windows(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while window := list(islice(iterator, size)):
        yield window


def _corners(box: Box | None) -> list[float] | None:
    return None if box is None else [box.left, box.top, box.right, box.bottom]


def called(method: Callable[[_A], _T], argument: _A) -> _T:
    """What a component's method returns; what it raises becomes a ContractError that names class and method."""
    try:
        return method(argument)
    except AffectlmError:
        raise
    except Exception as error:
        raise _failure(
            f"{_class(getattr(method, '__self__', method))}.{getattr(method, '__name__', '')}", error
        ) from error


def _failure(where: str, error: Exception) -> ContractError:
    return ContractError(f"{where} failed: {type(error).__name__}: {error}")


def _class(component: object) -> str:
    return type(component).__name__
