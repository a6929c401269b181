"""What each kind of component must do and what it may do, with the values it receives and returns.

Valence comes before arousal everywhere; both lie in [-1, 1]. Pictures and numbers travel as numpy arrays; whatever
touches a device or a network takes a batch. Each optional ability is a protocol of its own. The core checks for it
with `isinstance` and uses nothing that no protocol names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

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
    "VA", "Answer", "AnswerMetric", "AnyMetric", "BareMetric", "BlindPrompt", "Box", "ChoiceScorer",
    "Completion", "ConcurrentLLM", "CountingDataset", "CountingDetector", "Dataset", "DerivedDataset",
    "Described", "DetailedEstimator", "Details", "ExplainableEstimator", "Face", "FaceDetector", "FaceReader",
    "GuardedLLM", "Image", "LLMAdapter", "LabelledFaces", "LimitedLLM", "Maps", "Message", "Metric", "NamedLLM",
    "NamedMetric", "Outcome", "PartedMetric", "Pixels", "Progress", "PromptTemplate", "RangedMetric",
    "RatingsDataset", "Record", "RepeatableLLM", "Request", "Sample", "SampleReader", "SamplingLLM", "Score",
    "SingleLLM", "Statistic", "StructuredLLM", "StyledPrompt", "TextDataset", "TokenCounter",
    "TrainableEstimator", "Truth", "TruthMetric", "Tunable", "VAEstimator", "ValuedMetric", "WeightedMetric",
]  # fmt: skip


class Dataset(Protocol):
    """Where faces come from.

    If it is also `Sized` (`__len__`: the number of items), a run can count what `dataset.limit` cuts off.
    """

    def items(self) -> Iterator[Image | Sample]:
        """Pictures, or samples where ratings are enough; ids are unique."""
        ...


@runtime_checkable
class CountingDataset(Protocol):
    """A dataset that skips some of what it was pointed at and counts it, so that a run can report it."""

    def left_out(self) -> Mapping[str, int]:
        """How many things were skipped, by what they are: {"file in .mov": 3}; each key starts with a singular noun."""
        ...


@runtime_checkable
class RatingsDataset(Protocol):
    """A dataset that says whether it has pictures; any other dataset's items are taken as they come."""

    has_pictures: bool


@runtime_checkable
class DerivedDataset(Protocol):
    """A dataset that says how its valence and arousal were derived; empty if people rated them."""

    truth_is_derived: str


@runtime_checkable
class TextDataset(Protocol):
    """A dataset that says what the texts of its truth are, so that a report can say what answers are compared with."""

    human_text: str  # "the captions that ..."


class FaceDetector(Protocol):
    """Finds faces."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Box]]:
        """The boxes of each picture, the best first; an empty list for a picture without a face."""
        ...


@runtime_checkable
class CountingDetector(Protocol):
    """A detector that counts the faces it leaves out because they are too small, so that a run can report them."""

    def detect_counting(self, images: Sequence[Pixels]) -> list[tuple[list[Box], int]]:
        """For each picture, the boxes that `detect` returns and how many faces were left out."""
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
        """`estimate(faces)` and more numbers by name, each of shape (batch,)."""
        ...


@runtime_checkable
class ExplainableEstimator(Protocol):
    """An estimator that can say which parts of a face drive its values, for `explain=true`."""

    def saliency(self, faces: Sequence[Pixels]) -> Maps:
        """What each part of each crop adds to valence and arousal: (batch, 2, rows, columns), in the method's own unit.

        Positive where the part raises the value, negative where it lowers it; the first row is the top of the crop.
        """
        ...


@runtime_checkable
class TrainableEstimator(Protocol):
    """An estimator that can be trained.

    For a plan it cannot use, `train` raises ConfigError, TypeError, ValueError or KeyError before the first epoch's
    measures.
    """

    def train(
        self,
        training: LabelledFaces,
        validation: LabelledFaces,
        plan: Mapping[str, object],
        folder: Path,
        progress: Progress,
    ) -> Iterator[Mapping[str, float]]:
        """Yields the measures of each epoch; continues the training found in `folder` and writes the weights there."""
        ...


@runtime_checkable
class LLMAdapter(Protocol):
    """Asks a language model."""

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """One completion per request, in any order, as they finish; takes the next request when there is room."""
        ...


@runtime_checkable
class SingleLLM(Protocol):
    """A language model behind a network, instead of `LLMAdapter`: the core sends requests in parallel and retries."""

    def complete_one(self, request: Request) -> Completion:
        """The reply; called from several threads at once, possibly more than once per request.

        Raises:
            BusyError: the service is overloaded; the core waits, sends fewer requests at once, and retries.
            TransientError: a retry may help; the core retries after a wait.
            AffectlmError: any other error stops the run.
        """
        ...


@runtime_checkable
class ChoiceScorer(Protocol):
    """A language model that can say how likely each choice is as its answer, for `answer=choices`."""

    def score_choices(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Like `complete`, but with `choice_logprobs` and `choice_tokens` of every choice and without text.

        `request.continuations()` says what to score: the reply begins with a given text, and each choice adds its own.
        """
        ...


@runtime_checkable
class GuardedLLM(Protocol):
    """A language model with restricted access; the core checks it before the first picture, but not in a dry run."""

    def check_access(self) -> None:
        """Raises AccessError if a key, a licence or the model itself is missing."""
        ...


@runtime_checkable
class TokenCounter(Protocol):
    """A language model that can count the tokens of a request in advance."""

    def count_tokens(self, request: Request) -> int:
        """Tokens of the request, without calling a service."""
        ...


@runtime_checkable
class NamedLLM(Protocol):
    """An adapter that names its language model as price lists do."""

    model: str


@runtime_checkable
class LimitedLLM(Protocol):
    """A language model with a limit on the tokens it writes per request."""

    max_new_tokens: int


@runtime_checkable
class ConcurrentLLM(Protocol):
    """A language model behind a network with its own limit on parallel requests, instead of 64."""

    concurrency: int


@runtime_checkable
class RepeatableLLM(Protocol):
    """A language model that says whether the same question gets the same reply; if not, no reply is stored."""

    repeatable: bool


@runtime_checkable
class SamplingLLM(Protocol):
    """A language model that draws its replies, for a notice if `repeats` would all be the same."""

    temperature: float | None  # 0: the likeliest words, always the same


@runtime_checkable
class SampleReader(Protocol):
    """A language model that says whether its replies depend on `Request.sample`; by default they do not."""

    reads_sample: bool


@runtime_checkable
class StructuredLLM(Protocol):
    """A language model that says whether it can bind its replies to `Request.schema`; any other gets no schema."""

    takes_schema: bool


@runtime_checkable
class FaceReader(Protocol):
    """A language model that says whether it takes `Request.face`, for `privacy.send_images=true`."""

    takes_faces: bool


class PromptTemplate(Protocol):
    """Turns a sample into a request, and the reply into an answer."""

    def render(self, sample: Sample) -> Request:
        """The request for a sample, with the sample's id."""
        ...

    def parse(self, completion: Completion) -> Answer:
        """What the reply says; an empty answer if it cannot be read. Never raises."""
        ...


@runtime_checkable
class BlindPrompt(Protocol):
    """A template that can ask its question without describing a face, for `choice_score=normalised`."""

    def render_blind(self) -> Request:
        """The request without valence and arousal, with the same choices."""
        ...


@runtime_checkable
class StyledPrompt(Protocol):
    """A template that says in which style it gives valence and arousal, so that records and report can say it."""

    style: str  # numbers, words, both


class Metric(Protocol):
    """Scores records; a `ValuedMetric` or `WeightedMetric` needs no `score` and gets intervals."""

    def score(self, records: Sequence[Record]) -> list[Score]:
        """Scores over the records that have the truth this metric needs; an empty list if none has."""
        ...


@runtime_checkable
class AnswerMetric(Protocol):
    """A metric that says whether a missing answer counts as wrong.

    If it does, the core also scores only the records with an answer, as `NAME_answered`.
    """

    judges_answers: bool


@runtime_checkable
class TruthMetric(Protocol):
    """A metric that needs one field of `Truth`.

    The core warns before the first question if the dataset does not seem to have it.
    """

    judges_by: str


@runtime_checkable
class ValuedMetric(Protocol):
    """A metric that is a mean over records; the core adds the interval."""

    def values(self, records: Sequence[Record]) -> Mapping[str, NDArray[np.float64]]:
        """One value per record under each score's name, shape (n,); NaN where the record has no such truth."""
        ...


@runtime_checkable
class WeightedMetric(Protocol):
    """A metric that is not a mean, computed for many draws of records at once; the core adds the interval."""

    def statistics(self, records: Sequence[Record]) -> Sequence[tuple[NDArray[np.bool_], Statistic]]:
        """Scores in groups that need the same truth: which records have it, shape (n,), and how the scores follow.

        A group's function takes weights (draws, records that have it): how often each draw contains each record, all
        ones for the scores themselves. It gives one value per draw under each score's name, NaN where undefined. A name
        "SCORE: PART" is a part of that score with an interval of its own. If there are the parts `floor` and `ceiling`,
        the core adds `gain` and `covered` (see `scores.bounds`).
        """
        ...


@runtime_checkable
class BareMetric(Protocol):
    """A `WeightedMetric` whose parts take time: it also gives its scores without them, for `affectlm compare`."""

    def bare_statistics(self, records: Sequence[Record]) -> Sequence[tuple[NDArray[np.bool_], Statistic]]:
        """The same as `statistics`, without names of parts."""
        ...


AnyMetric: TypeAlias = Metric | ValuedMetric | WeightedMetric


@runtime_checkable
class RangedMetric(Protocol):
    """A metric that says between which values its scores lie; their intervals then stay between them.

    Without it, values of a `ValuedMetric` that all lie in [0, 1] or [-1, 1] have a mean that lies there too.
    """

    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """The worst and the best possible value of each score that has them: (2, 0) for a Brier score."""
        ...


@runtime_checkable
class PartedMetric(Protocol):
    """A metric whose scores have parts: values per class, baselines, ..."""

    def parts(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, float]]:
        """The parts of each score, by the score's name and the part's name."""
        ...


@runtime_checkable
class NamedMetric(Protocol):
    """A metric that lists the names of its scores, so that `fail_under` is checked before the first question."""

    def score_names(self) -> tuple[str, ...]:
        """The names of all scores it may return."""
        ...


@runtime_checkable
class Described(Protocol):
    """A component that describes itself beyond its options: digests of weights, what `auto` chose, ...

    The description enters the report and the cache keys.
    """

    def describe(self) -> Mapping[str, str]:
        """Names and values that identify this component."""
        ...


@runtime_checkable
class Tunable(Protocol):
    """A component with options that change its speed but not its results.

    These options stay out of its cache keys; for any other component every option counts.
    """

    speed_options: tuple[str, ...]  # names of options, with dots for nested ones: "members.0.device"
