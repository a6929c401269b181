"""The values that travel along the line; plugin authors import them from `affectlm.types`, with the protocols.

Valence comes before arousal everywhere; both lie in [-1, 1]. Pictures and numbers travel as numpy arrays; whatever
touches a device or a network takes a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]  # (height, width, 3), RGB
VA: TypeAlias = NDArray[np.float32]  # (batch, 2): valence, arousal, each in [-1, 1]
Details: TypeAlias = Mapping[str, NDArray[np.float32]]  # name -> (batch,)
Progress: TypeAlias = Callable[[float, float], None]  # share done, mean loss
Statistic: TypeAlias = Callable[[NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]  # (draws, n) -> (draws,) each
Maps: TypeAlias = NDArray[np.float32]  # (batch, 2, rows, columns): what each part adds to valence and to arousal


class Outcome(StrEnum):
    """How it ended for one face, or for one picture without a face."""

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
    """What people say about a face; every field may be empty."""

    labels: tuple[str, ...] = ()
    valence: float | None = attrs.field(default=None, validator=_affect)
    arousal: float | None = attrs.field(default=None, validator=_affect)
    derived: bool = False  # whether valence and arousal were computed from the labels, so neither confirms the other
    text: tuple[str, ...] = ()
    group: Mapping[str, str] = attrs.field(factory=dict)  # for grouping intervals and slices: subject, age, ...
    votes: Mapping[str, float] = attrs.field(factory=dict)  # label -> share of the raters; shares add up to 1
    raters: int = 0  # how many these are; 0 if unknown


@attrs.frozen
class Box:
    """A rectangle in a picture, in pixels; right and bottom are exclusive. It may extend beyond the picture.

    A detector's box spans the face from hairline to chin and from ear to ear, so that all detectors give nearly the
    same box for the same face.
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
    """A picture that has not been read yet; the core reads, hashes and decodes it."""

    id: str
    source: Path | bytes | Pixels = attrs.field(eq=False, repr=False)
    truth: Truth = Truth()
    region: Box | None = None  # where in the picture the person in question is


@attrs.frozen
class Face:
    """One face cut out of a picture."""

    id: str  # "<image id>#<rank>", rank 0 the best
    box: Box
    pixels: Pixels = attrs.field(eq=False, repr=False)  # the square crop
    truth: Truth = Truth()


@attrs.frozen
class Sample:
    """Valence and arousal of one face, with more numbers by name."""

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

    `choices` are the labels to choose from, empty for free text. A last message of the assistant is the beginning of
    the reply, after which `answer=choices` expects a space and a choice. The core adds `sample`, for baselines that
    answer from the numbers, and `repeat`, if it asks several times. It adds `face` only with
    `privacy.send_images=true` and for adapters with `takes_faces`.
    """

    id: str
    messages: tuple[Message, ...]
    choices: tuple[str, ...] = ()
    sample: Sample | None = None
    face: Pixels | None = attrs.field(default=None, eq=False, repr=False)
    repeat: int = 1  # 1 for the first time that the question is asked
    schema: Mapping[str, object] | None = None  # JSON schema of the reply, for a `StructuredLLM`

    def seeded(self, seed: int) -> int:
        """The seed with which to draw this reply, given that of the first."""
        return seed + (self.repeat - 1) * 1_000_003  # so that runs with seeds 0, 1, 2, ... share none

    def continuations(self) -> tuple[tuple[Message, ...], str, dict[str, str]]:
        """For `answer=choices`: the conversation, the beginning of the reply, and what each choice adds to it.

        >>> Request("a", (Message("user", "?"), Message("assistant", "Emotion:")), choices=("joy",)).continuations()[1:]
        ('Emotion:', {'joy': ' joy'})
        """
        if self.messages and self.messages[-1].role == "assistant":
            return self.messages[:-1], self.messages[-1].text, {label: f" {label}" for label in self.choices}
        return self.messages, "", {label: label for label in self.choices}


@attrs.frozen(kw_only=True)
class Completion:
    """A language model's reply to the request with the same id; a failed request has `error` instead of raising."""

    id: str
    text: str = ""
    model: str = ""
    finish_reason: str = "stop"  # stop, length, content_filter, ...
    usage: Mapping[str, int] | None = None  # prompt_tokens, completion_tokens
    choice_logprobs: Mapping[str, float] | None = None  # per choice, summed over its tokens, natural logarithm
    choice_tokens: Mapping[str, int] | None = None  # number of tokens per choice
    error: str | None = None


@attrs.frozen(kw_only=True)
class Answer:
    """What was read out of a reply: labels or text; neither if it was unreadable."""

    labels: tuple[str, ...] = ()
    text: str = ""


@attrs.frozen(kw_only=True)
class Record:
    """Everything about one face, or about one picture without a face."""

    id: str  # "<id of the face>~<repeat>" from the second repeat on
    outcome: Outcome
    repeat: int = 1
    image: str = ""  # path or name of the picture, empty if only ratings were used
    image_sha256: str | None = None
    face: int | None = None  # rank of the face in its picture, 0 the best
    box: Box | None = None
    others: int = 0  # how many other faces the picture has
    too_small: int = 0  # how many more faces the detector found but left out as too small
    valence: float | None = None  # as in the question
    arousal: float | None = None
    measured_valence: float | None = None  # before `perturb.va_sd` moved it; None without such noise
    measured_arousal: float | None = None
    extra: Mapping[str, float] = attrs.field(factory=dict)
    prompt: str | None = None
    prompt_sha256: str | None = None
    style: str | None = None  # how the prompt says valence and arousal: numbers, words, both
    structured: bool | None = None  # whether the reply was bound to a JSON schema; None if the prompt has none
    model: str | None = None
    reply: str | None = None
    answer: str = ""
    labels: tuple[str, ...] = ()
    reason: str = ""  # why the outcome is not ok
    choice_logprobs: Mapping[str, float] | None = None  # with answer=choices, summed over the tokens of each label
    choice_tokens: Mapping[str, int] | None = None
    choice_means: Mapping[str, float] | None = None  # per token
    choice_normalised: Mapping[str, float] | None = None  # the sums minus those of the question without numbers
    probabilities: Mapping[str, float] | None = None  # of the labels, from the deciding score
    entropy: float | None = None  # of the probabilities, in nats
    choice_mass: float | None = None  # the share of the model's probability that the labels hold together
    truth: Truth = attrs.field(factory=Truth)

    @property
    def asked_about(self) -> str:
        """The id of the face or sample, the same for all repeats."""
        return self.id.removesuffix(f"~{self.repeat}") if self.repeat > 1 else self.id

    def slim(self) -> Record:
        """The record without its large fields, which metrics and pages do not need."""
        left_out = ("prompt", "reply", "choice_logprobs", "choice_tokens", "choice_means", "choice_normalised")
        return attrs.evolve(self, **dict.fromkeys(left_out))  # type: ignore[arg-type]

    @property
    def measured(self) -> tuple[float | None, float | None]:
        """Valence and arousal without noise, for metrics that judge the estimator."""
        if self.measured_valence is None:
            return self.valence, self.arousal
        return self.measured_valence, self.measured_arousal


@attrs.frozen
class Score:
    """A number over `count` records, with its 95 % interval if it has one."""

    name: str
    value: float
    count: int
    low: float | None = None
    high: float | None = None
    parts: Mapping[str, float] = attrs.field(factory=dict)


@attrs.frozen
class LabelledFaces:
    """The faces of one split; row i of each array belongs to face i."""

    pixels: NDArray[np.uint8]  # (n, h, w), grey
    affect: NDArray[np.float32]  # (n, 2), valence and arousal in [-1, 1]
    categories: NDArray[np.float32]  # (n, labels), shares of the raters; a row of zeros if nobody was asked
    labels: tuple[str, ...]  # empty if the faces have only valence and arousal

    def __len__(self) -> int:
        return len(self.pixels)
