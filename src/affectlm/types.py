"""The values that travel along the line, and what each kind of component must do.

Valence comes before arousal everywhere; both lie in [-1, 1]. Pictures and numbers travel as numpy arrays; whatever
touches a device or a network takes a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import attrs
import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]  # (height, width, 3), RGB
VA: TypeAlias = NDArray[np.float32]  # (batch, 2): valence, arousal, each in [-1, 1]
Details: TypeAlias = Mapping[str, NDArray[np.float32]]  # name -> (batch,)
Progress: TypeAlias = Callable[[float, float], None]  # share done, mean loss
Maps: TypeAlias = NDArray[np.float32]  # (batch, 2, rows, columns): what each part adds to valence and to arousal


class Outcome(StrEnum):
    """How one face, or one picture without a face, ended."""

    OK = "ok"
    NO_FACE = "no_face"
    UNREADABLE_IMAGE = "unreadable_image"
    REFUSED = "refused"
    UNPARSEABLE = "unparseable"
    OUT_OF_SET = "out_of_set"
    TRUNCATED = "truncated"
    API_ERROR = "api_error"
    SKIPPED = "skipped"


def _affect(_: object, attribute: Any, value: Any) -> None:
    if value is not None and not -1 <= value <= 1:
        raise ValueError(f"{attribute.name} must lie in [-1, 1], not {value}")


@attrs.frozen(kw_only=True)
class Truth:
    """What people say about a face; every part may be missing."""

    labels: tuple[str, ...] = ()
    valence: float | None = attrs.field(default=None, validator=_affect)
    arousal: float | None = attrs.field(default=None, validator=_affect)
    text: tuple[str, ...] = ()
    group: Mapping[str, str] = attrs.field(factory=dict)  # what intervals and slices group by: subject, age, ...
    votes: Mapping[str, float] = attrs.field(factory=dict)  # label -> share of the raters, adding up to 1


@attrs.frozen
class Box:
    """A rectangle in a picture, in pixels, right and bottom excluded; it may leave the picture.

    A detector's box holds the face from the hairline to the chin and from ear to ear; the same face gives nearly
    the same box whatever found it.
    """

    left: float
    top: float
    right: float = attrs.field()
    bottom: float = attrs.field()
    score: float = 1.0

    @right.validator
    def _check_right(self, _: object, value: float) -> None:
        if not value > self.left:
            raise ValueError(f"right {value} must exceed left {self.left}")

    @bottom.validator
    def _check_bottom(self, _: object, value: float) -> None:
        if not value > self.top:
            raise ValueError(f"bottom {value} must exceed top {self.top}")


@attrs.frozen
class Image:
    """A picture that has not been read yet; reading, hashing and decoding it are the core's business."""

    id: str
    source: Path | bytes | Pixels = attrs.field(eq=False, repr=False)
    truth: Truth = Truth()
    region: Box | None = None  # where in the picture the person asked about is


@attrs.frozen
class Face:
    """One face cut out of a picture."""

    id: str  # "<image id>#<rank>", rank 0 the best
    box: Box
    pixels: Pixels = attrs.field(eq=False, repr=False)  # the square crop
    truth: Truth = Truth()


@attrs.frozen
class Sample:
    """Valence and arousal of one face, with further named numbers."""

    id: str
    valence: float = attrs.field(validator=_affect)
    arousal: float = attrs.field(validator=_affect)
    extra: Mapping[str, float] = attrs.field(factory=dict)
    truth: Truth = Truth()


@attrs.frozen
class Message:
    """One turn of a conversation."""

    role: str = attrs.field(validator=attrs.validators.in_(("system", "user", "assistant")))
    text: str


@attrs.frozen
class Request:
    """What a language model is asked about one sample.

    `choices` are the labels it should choose from, empty for free text. The core adds `sample`, for baselines that
    answer from the numbers, and `face` only under `privacy.send_images=true`, to adapters with `takes_faces`.
    """

    id: str
    messages: tuple[Message, ...]
    choices: tuple[str, ...] = ()
    sample: Sample | None = None
    face: Pixels | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Completion:
    """A language model's reply to the request of the same id; a failed request has `error` and is no exception."""

    id: str
    text: str = ""
    model: str = ""
    finish_reason: str = "stop"  # stop, length, content_filter, ...
    usage: Mapping[str, int] | None = None  # prompt_tokens, completion_tokens
    choice_logprobs: Mapping[str, float] | None = None  # of each choice, summed over its tokens, natural logarithm
    choice_tokens: Mapping[str, int] | None = None  # how many tokens each choice has
    error: str | None = None


@attrs.frozen(kw_only=True)
class Answer:
    """What was read out of a reply: labels, text, or neither when it was unreadable."""

    labels: tuple[str, ...] = ()
    text: str = ""


@attrs.frozen(kw_only=True)
class Record:
    """Everything about one face, or about one picture that gave none."""

    id: str
    outcome: Outcome
    image: str = ""  # path or name of the picture, empty where ratings alone were used
    image_sha256: str | None = None
    face: int | None = None  # rank of the face in its picture, 0 the best
    box: Box | None = None
    others: int = 0  # how many other faces the picture has
    too_small: int = 0  # how many more the detector found and left out for their size
    valence: float | None = None
    arousal: float | None = None
    extra: Mapping[str, float] = attrs.field(factory=dict)
    prompt: str | None = None
    prompt_sha256: str | None = None
    model: str | None = None
    reply: str | None = None
    answer: str = ""
    labels: tuple[str, ...] = ()
    reason: str = ""  # why the outcome is not ok
    choice_logprobs: Mapping[str, float] | None = None  # with answer=choices, summed over the tokens of each label
    choice_tokens: Mapping[str, int] | None = None
    choice_means: Mapping[str, float] | None = None  # a token
    choice_normalised: Mapping[str, float] | None = None  # the sums less those of the question without numbers
    probabilities: Mapping[str, float] | None = None  # of the labels, by the score that decided
    entropy: float | None = None  # of the probabilities, in nats
    truth: Truth = attrs.field(factory=Truth)


@attrs.frozen
class Score:
    """A figure over `count` records, with its 95 % interval where one can be given."""

    name: str
    value: float
    count: int
    low: float | None = None
    high: float | None = None
    parts: Mapping[str, float] = attrs.field(factory=dict)


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


@attrs.frozen
class LabelledFaces:
    """Faces of one split; row i of each array belongs to face i."""

    pixels: NDArray[np.uint8]  # (n, h, w), grey
    affect: NDArray[np.float32]  # (n, 2), valence and arousal in [-1, 1]
    categories: NDArray[np.float32]  # (n, labels), shares of the raters; a row of zeros where nobody was asked
    labels: tuple[str, ...]  # none where the faces have valence and arousal only

    def __len__(self) -> int:
        return len(self.pixels)


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
    """Asks a language model.

    Attributes it may have: `repeatable`, False where the same question may get another reply, so that none is stored.
    """

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """One completion for each request, in any order, as they finish; requests are drawn as there is room."""
        ...


@runtime_checkable
class SingleLLM(Protocol):
    """A language model behind a network, in place of `LLMAdapter`: the core asks several requests at once and again.

    Attributes it may have: `concurrency`, the most requests under way (64 without it).
    """

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
    """Judges records.

    Attributes it may have: `judges_answers`, True where a missing answer counts as a wrong one; the core then scores
    the records with an answer once more. `judges_by`, the field of `Truth` it cannot do without; the core then tells
    before the first question when a dataset does not seem to have it.
    """

    def score(self, records: Sequence[Record]) -> list[Score]:
        """Scores over the records that have the truth this metric needs; an empty list when none has."""
        ...


@runtime_checkable
class ValuedMetric(Protocol):
    """A metric that is a mean over records; the core adds the interval."""

    def values(self, records: Sequence[Record]) -> Mapping[str, NDArray[np.float64]]:
        """For each name one value a record, shape (n,); NaN where the record has no such truth."""
        ...


@runtime_checkable
class WeightedMetric(Protocol):
    """A metric that is no mean, computed for many resamples at once; the core adds the interval."""

    def known(self, records: Sequence[Record]) -> NDArray[np.bool_]:
        """Which records have the truth this metric needs, shape (n,)."""
        ...

    def weighted(self, records: Sequence[Record], weights: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
        """Each figure of shape (draws,), NaN where undefined.

        Args:
            records: those that are known, n of them.
            weights: (draws, n), how often each draw has each record; ones for the figure itself.
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
