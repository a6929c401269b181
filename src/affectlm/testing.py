"""For plugin authors: a scripted language model, simple stand-ins, and checks of what each protocol promises.

A failed check raises AssertionError with a sentence; no test framework is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized

import attrs
import numpy as np

from affectlm.types import (
    VA,
    Answer,
    AnyMetric,
    Box,
    Completion,
    CountingDataset,
    CountingDetector,
    Dataset,
    DetailedEstimator,
    FaceDetector,
    Image,
    LLMAdapter,
    Message,
    Outcome,
    Pixels,
    PromptTemplate,
    Record,
    Request,
    Sample,
    Score,
    Truth,
    TruthMetric,
    VAEstimator,
    ValuedMetric,
    WeightedMetric,
)


@attrs.define
class ScriptedLLM:
    """A language model that gives prepared replies in turn and repeats the last; it keeps the requests in `asked`."""

    replies: Sequence[str] = ("It looks calm.",)
    asked: list[Request] = attrs.field(factory=list)

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """One prepared reply per request, in order."""
        for request in requests:
            reply = self.replies[min(len(self.asked), len(self.replies) - 1)]
            self.asked.append(request)
            yield Completion(
                id=request.id, text=reply, model="scripted", usage={"prompt_tokens": 1, "completion_tokens": 1}
            )


@attrs.define
class BrightnessEstimator:
    """An estimator without a network: bright faces are pleasant, high-contrast ones aroused."""

    batches: list[int] = attrs.field(factory=list)  # number of faces per call

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        """Mean and standard deviation of the pixels, scaled to [-1, 1]; shape (batch, 2)."""
        self.batches.append(len(faces))
        rows = [(face.mean() / 127.5 - 1, face.std() / 127.5 - 1) for face in faces]
        return np.array(rows, dtype=np.float32).reshape(-1, 2)


@attrs.define
class WholeDetector:
    """A detector for which every picture of at least 8x8 pixels is one face."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        """One box as large as the picture; none for a smaller picture."""
        return [
            [Box(0, 0, pixels.shape[1], pixels.shape[0])] if min(pixels.shape[:2]) >= 8 else [] for pixels in images
        ]


@attrs.define
class PlainPrompt:
    """A template that asks with the two numbers and takes the whole reply."""

    choices: tuple[str, ...] = ()

    def render(self, sample: Sample) -> Request:
        """The request for a sample, with both numbers."""
        text = f"valence {sample.valence:.3f}, arousal {sample.arousal:.3f}"
        return Request(sample.id, (Message("user", text),), choices=self.choices)

    def parse(self, completion: Completion) -> Answer:
        """The reply, as a label if the template has choices."""
        if not self.choices:
            return Answer(text=completion.text)
        return Answer(labels=(completion.text,) if completion.text else ())


def record(**fields: object) -> Record:
    """A record for tests: every field has a default, and `label` and `truth` may be plain words."""
    label, truth = fields.pop("label", None), fields.pop("truth", None)
    values: dict[str, object] = {"id": "face", "outcome": Outcome.OK, **fields}
    if label is not None:
        values["labels"], values["answer"] = (label,), label
    values["truth"] = Truth(labels=(truth,)) if isinstance(truth, str) else truth or Truth()
    return Record(**values)  # type: ignore[arg-type]


def faces(count: int, seed: int = 0) -> list[Pixels]:
    """Square crops of noise in several sizes, for checks that need pixels but no faces."""
    generator = np.random.default_rng(seed)
    return [
        generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
        for side in (int(generator.integers(24, 160)) for _ in range(count))
    ]


def samples() -> list[Sample]:
    """Samples in every quadrant, at the centre and at the corners."""
    points = [(0.0, 0.0), (0.7, 0.3), (-0.6, 0.6), (-0.5, -0.4), (0.5, -0.5), (1.0, 1.0), (-1.0, -1.0)]
    return [Sample(f"face{number}", *point) for number, point in enumerate(points)]


def check_estimator(estimator: VAEstimator, crops: Sequence[Pixels] | None = None) -> None:
    """Checks length, shape, range, order, repeatability and independence from the batch."""
    crops = faces(5) if crops is None else crops
    whole = np.asarray(estimator.estimate(crops))
    _require(whole.shape == (len(crops), 2), f"shape {whole.shape}, expected ({len(crops)}, 2): valence, arousal")
    _require(bool(np.isfinite(whole).all() and (np.abs(whole) <= 1).all()), "expected finite numbers in [-1, 1]")
    _require(np.allclose(whole, estimator.estimate(crops), atol=1e-5), "the same crops gave other numbers")
    parts = np.concatenate([np.asarray(estimator.estimate([crop])) for crop in crops])
    _require(np.allclose(whole, parts, atol=1e-3), "one crop at a time gave other numbers; row i must belong to crop i")
    _require(np.asarray(estimator.estimate([])).shape == (0, 2), "an empty batch must give shape (0, 2)")
    if isinstance(estimator, DetailedEstimator):
        affect, details = estimator.details(crops)
        _require(np.allclose(affect, whole, atol=1e-5), "details gave other valence and arousal than estimate")
        for name, column in details.items():
            _require(np.shape(column) == (len(crops),), f"detail '{name}' has shape {np.shape(column)}")


def check_detector(detector: FaceDetector, pictures: Sequence[Pixels]) -> None:
    """Checks that there is one list of boxes per picture, the best first, and that the batch does not change them."""
    found = detector.detect(pictures)
    _require(len(found) == len(pictures), f"{len(found)} lists of boxes for {len(pictures)} pictures")
    for boxes in found:
        scores = [box.score for box in boxes]
        _require(scores == sorted(scores, reverse=True), "the best box must come first")
    _require([detector.detect([picture])[0] for picture in pictures] == found, "one picture at a time gave other boxes")
    if isinstance(detector, CountingDetector):
        counting = detector.detect_counting(pictures)
        _require([boxes for boxes, _ in counting] == found, "detect_counting gave other boxes than detect")
        _require(all(count >= 0 for _, count in counting), "the number of faces left out must be 0 or more")
    _require(detector.detect([]) == [], "no pictures must give no lists")
    _require(detector.detect([np.zeros((1, 1, 3), np.uint8)]) is not None, "a picture of one pixel must not fail")


def check_llm(llm: LLMAdapter, requests: Sequence[Request]) -> None:
    """Checks that there is one completion per request, with its id, and the same one when asked again."""
    first = {completion.id: completion for completion in llm.complete(iter(requests))}
    _require(sorted(first) == sorted(request.id for request in requests), "expected one completion per request")
    again = {completion.id: completion.text for completion in llm.complete(iter(requests))}
    _require(again == {name: each.text for name, each in first.items()}, "the same requests gave other replies")
    _require(list(llm.complete(iter(()))) == [], "no requests must give no completions")


def check_prompt(prompt: PromptTemplate) -> None:
    """Checks that requests keep the sample's id and are repeatable, and that no reply makes parsing fail."""
    for sample in samples():
        request = prompt.render(sample)
        _require(request.id == sample.id, f"the request has the id '{request.id}', expected '{sample.id}'")
        _require(bool(request.messages), "a request needs a message")
        _require(prompt.render(sample) == request, "the same sample gave another request")
    for text in ("", " ", "\n", "{", '{"a": [', "happiness", "\ud800", "\x00", "a" * 100_000, "🙂" * 50):
        answer = prompt.parse(Completion(id="face", text=text))
        _require(isinstance(answer, Answer), f"parsing {text[:20]!r} gave {type(answer).__name__}")
    _require(prompt.parse(Completion(id="face", text="")) == Answer(), "an empty reply must give an empty answer")


def check_dataset(dataset: Dataset) -> None:
    """Checks that items are pictures or samples with unique ids, and that a second pass gives the same ones."""
    items = list(dataset.items())
    _require(all(isinstance(item, Image | Sample) for item in items), "expected Image or Sample")
    ids = [item.id for item in items]
    _require(len(ids) == len(set(ids)), "ids must be unique")
    _require([item.id for item in dataset.items()] == ids, "a second pass gave other items")
    if isinstance(dataset, Sized):
        _require(len(dataset) == len(items), f"{len(items)} items, but a length of {len(dataset)}")
    if isinstance(dataset, CountingDataset):
        counts = dataset.left_out()
        _require(all(count > 0 for count in counts.values()), f"left_out must count above 0, found {dict(counts)}")


def check_metric(metric: AnyMetric, records: Sequence[Record]) -> None:
    """Checks shapes, that scores are finite and have a count, and that no records give no scores."""
    size = len(records)
    if isinstance(metric, TruthMetric):
        fields = [field.name for field in attrs.fields(Truth)]
        _require(metric.judges_by in fields, f"judges_by is '{metric.judges_by}', expected one of {', '.join(fields)}")
    if isinstance(metric, ValuedMetric):
        for name, values in metric.values(records).items():
            _require(np.shape(values) == (size,), f"'{name}' has shape {np.shape(values)}, expected ({size},)")
            _require(not np.isinf(values).any(), f"'{name}' is infinite; NaN where a record has no such truth")
    elif isinstance(metric, WeightedMetric):
        for known, statistic in metric.statistics(records):
            _require(np.shape(known) == (size,), f"which records are known has shape {np.shape(known)}")
            for name, values in statistic(np.ones((3, int(np.sum(known))))).items() if np.any(known) else ():
                _require(np.shape(values) == (3,), f"'{name}' of three draws has shape {np.shape(values)}, not (3,)")
    else:
        for score in metric.score(records):
            _require(isinstance(score, Score) and bool(np.isfinite(score.value)), f"bad score {score}")
            _require(0 < score.count <= size, f"score '{score.name}' counts {score.count} of {size} records")
        _require(list(metric.score([])) == [], "no records must give no scores")


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)
