"""What each kind of component must do, and may do besides; with the values it is given and gives.

Valence comes before arousal everywhere; both lie in [-1, 1]. Pictures and numbers travel as numpy arrays; whatever
touches a device or a network takes a batch. What a component may do besides is a protocol of its own, which the core
asks for with `isinstance`; it looks at nothing that no protocol names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from affectlm.values import (
    VA,
    Answer,
    Box,
    Completion,
    Details,
    Face,
    Image,
    LabelledFaces,
    Maps,
    Message,
    Outcome,
    Pixels,
    Progress,
    Record,
    Request,
    Sample,
    Score,
    Statistic,
    Truth,
)  # fmt: skip

__all__ = [
    "VA", "Answer", "AnswerMetric", "BlindPrompt", "Box", "ChoiceScorer", "Completion", "ConcurrentLLM",
    "CountingDataset", "CountingDetector", "Dataset", "DerivedDataset", "Described", "DetailedEstimator", "Details",
    "ExplainableEstimator", "Face", "FaceDetector", "FaceReader", "GuardedLLM", "Image", "LLMAdapter",
    "LabelledFaces", "LimitedLLM", "Maps", "Message", "Metric", "NamedLLM", "NamedMetric", "Outcome",
    "PartedMetric", "Pixels", "Progress", "PromptTemplate", "RatingsDataset", "Record", "RepeatableLLM", "Request",
    "Sample", "SampleReader", "Score", "SingleLLM", "Statistic", "TokenCounter", "TrainableEstimator", "Truth",
    "TruthMetric", "Tunable", "VAEstimator", "ValuedMetric", "WeightedMetric",
]  # fmt: skip


class Dataset(Protocol):
    """Where faces come from.

    One that is `Sized` as well (`__len__`: how many items there are) lets a run count what `dataset.limit` cuts off.
    """

    def items(self) -> Iterator[Image | Sample]:
        """Pictures to look at, or samples where ratings are enough; ids are unique."""
        ...


@runtime_checkable
class CountingDataset(Protocol):
    """A dataset that passes over some of what it was pointed at, so that a run can say so."""

    def left_out(self) -> Mapping[str, int]:
        """How often something was passed over, by what it is: {"file in .mov": 3}, a noun in the singular first."""
        ...


@runtime_checkable
class RatingsDataset(Protocol):
    """A dataset that says whether it has pictures; without it, items are taken as they come."""

    has_pictures: bool


@runtime_checkable
class DerivedDataset(Protocol):
    """A dataset whose valence and arousal are made from something else, and how; empty where people rated them."""

    truth_is_derived: str


class FaceDetector(Protocol):
    """Finds faces."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        """For each picture its boxes, the best first; an empty list where there is no face."""
        ...


@runtime_checkable
class CountingDetector(Protocol):
    """A detector that finds faces and leaves them out for being small, so that a run can say so."""

    def detect_counting(self, images: Sequence[Pixels]) -> list[tuple[list[Box], int]]:
        """For each picture the boxes that `detect` gives, and how many faces it leaves out."""
        ...


class VAEstimator(Protocol):
    """Measures faces."""

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        """Valence and arousal (batch, 2) of square crops that differ in size; row i belongs to crop i."""
        ...


@runtime_checkable
class DetailedEstimator(Protocol):
    """An estimator that measures more than valence and arousal."""

    def details(self, faces: Sequence[Pixels]) -> tuple[VA, Details]:
        """`estimate(faces)` and further named numbers, each of shape (batch,)."""
        ...


@runtime_checkable
class ExplainableEstimator(Protocol):
    """An estimator that can say which parts of a face it goes by, for `explain=true`."""

    def saliency(self, faces: Sequence[Pixels]) -> Maps:
        """What each part of each crop adds to valence and to arousal: (batch, 2, rows, columns), in a unit of its own.

        Positive where the part raises the value, negative where it lowers it; the first row is the top of the crop.
        """
        ...


@runtime_checkable
class TrainableEstimator(Protocol):
    """An estimator that can be trained.

    It raises ConfigError, TypeError, ValueError or KeyError, before the first figures, for a plan that it cannot take.
    """

    def train(
        self,
        training: LabelledFaces,
        validation: LabelledFaces,
        plan: Mapping[str, object],
        folder: Path,
        progress: Progress,
    ) -> Iterator[Mapping[str, float]]:
        """Trains, continues what it finds in `folder`, writes its weights there, and yields each epoch's figures."""
        ...


class LLMAdapter(Protocol):
    """Asks a language model."""

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """One completion for each request, in any order, as they finish; requests are drawn as there is room."""
        ...


@runtime_checkable
class SingleLLM(Protocol):
    """A language model behind a network, in place of `LLMAdapter`: the core asks several requests at once and again."""

    def complete_one(self, request: Request) -> Completion:
        """The reply; called by several threads at once, each request possibly more than once.

        Raises:
            BusyError: the service had no time; the core waits, asks fewer at once, and asks again.
            TransientError: asking again may help; the core does, after a while.
            AffectlmError: any other stops the run.
        """
        ...


@runtime_checkable
class ChoiceScorer(Protocol):
    """A language model that can say how likely it is to give each of the choices, for `answer=choices`."""

    def score_choices(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """As `complete`, but with `choice_logprobs` and `choice_tokens` of every choice and without a text."""
        ...


@runtime_checkable
class GuardedLLM(Protocol):
    """A language model that not everybody may ask; checked before the first picture, but not in a dry run."""

    def check_access(self) -> None:
        """Nothing where the model may be asked.

        Raises:
            AccessError: a key, a licence or the model itself is missing.
        """
        ...


@runtime_checkable
class TokenCounter(Protocol):
    """A language model that knows how many tokens it would read."""

    def count_tokens(self, request: Request) -> int:
        """Tokens of the request, without asking anybody."""
        ...


@runtime_checkable
class NamedLLM(Protocol):
    """An adapter that says which language model it asks, as price lists name it."""

    model: str


@runtime_checkable
class LimitedLLM(Protocol):
    """A language model that writes at most so many tokens for each request."""

    max_new_tokens: int


@runtime_checkable
class ConcurrentLLM(Protocol):
    """A language model behind a network that takes at most so many requests at once, in place of 64."""

    concurrency: int


@runtime_checkable
class RepeatableLLM(Protocol):
    """A language model that says whether the same question gets the same reply; where not, no reply is stored."""

    repeatable: bool


@runtime_checkable
class SampleReader(Protocol):
    """A language model that says whether its replies depend on `Request.sample`; without it they do not."""

    reads_sample: bool


@runtime_checkable
class FaceReader(Protocol):
    """A language model that says whether it takes `Request.face`, for `privacy.send_images=true`."""

    takes_faces: bool


class PromptTemplate(Protocol):
    """Turns a sample into a request and the reply into an answer: who asks knows how to read the reply."""

    def render(self, sample: Sample) -> Request:
        """The request for a sample, under the sample's id."""
        ...

    def parse(self, completion: Completion) -> Answer:
        """What the reply says; an empty answer when it cannot be read, never an exception."""
        ...


@runtime_checkable
class BlindPrompt(Protocol):
    """A template that can ask its question without saying anything about a face, for `choice_score=normalised`."""

    def render_blind(self) -> Request:
        """The request with valence and arousal left out, and the same choices."""
        ...


class Metric(Protocol):
    """Judges records, unless it is a `ValuedMetric` or `WeightedMetric`, which need no `score`."""

    def score(self, records: Sequence[Record]) -> list[Score]:
        """Scores over the records that have the truth this metric needs; an empty list when none has."""
        ...


@runtime_checkable
class AnswerMetric(Protocol):
    """A metric that says whether a missing answer counts as a wrong one.

    Where it does, the core scores the records with an answer once more, as `NAME_answered`.
    """

    judges_answers: bool


@runtime_checkable
class TruthMetric(Protocol):
    """A metric that cannot do without one field of `Truth`.

    The core tells before the first question when a dataset does not seem to have it.
    """

    judges_by: str


@runtime_checkable
class ValuedMetric(Protocol):
    """A metric that is a mean over records; the core adds the interval."""

    def values(self, records: Sequence[Record]) -> Mapping[str, NDArray[np.float64]]:
        """For each name one value a record, shape (n,); NaN where the record has no such truth."""
        ...


@runtime_checkable
class WeightedMetric(Protocol):
    """A metric that is no mean, computed for many resamples at once; the core adds the interval."""

    def statistics(self, records: Sequence[Record]) -> Sequence[tuple[NDArray[np.bool_], Statistic]]:
        """Figures in groups that need the same truth: which records have it, shape (n,), and how the figures follow.

        A group's function takes weights (draws, records that have it), how often each draw has each record, ones for
        the figures themselves. It gives each figure of shape (draws,), NaN where undefined.
        """
        ...


@runtime_checkable
class PartedMetric(Protocol):
    """A metric whose scores have parts: figures by class, baselines beside it, ..."""

    def parts(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, float]]:
        """For each score's name its parts by name."""
        ...


@runtime_checkable
class NamedMetric(Protocol):
    """A metric that knows what its scores are called, so that `fail_under` is checked before the first question."""

    def score_names(self) -> tuple[str, ...]:
        """The names of all scores it may give."""
        ...


@runtime_checkable
class Described(Protocol):
    """A component that has more to say about itself than its options, such as weights' digests or what `auto` chose.

    What it says enters the report and the cache keys.
    """

    def describe(self) -> Mapping[str, str]:
        """Names and values that tell what this component really is."""
        ...


@runtime_checkable
class Tunable(Protocol):
    """A component with options that change how fast its answers come and not what they are.

    They are left out of what identifies its answers in the cache; without it, every option counts.
    """

    speed_options: tuple[str, ...]  # names of options; of what lies in one, with dots: "members.0.device"
