"""The line: windows, contracts, caching, outcomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from affectlm.asking import Asking, ask, judge
from affectlm.cache import Store
from affectlm.errors import ContractError
from affectlm.pipeline import Finding, estimate, find_faces
from affectlm.records import Record
from affectlm.testing import BrightnessEstimator, PlainPrompt, ScriptedLLM, WholeDetector
from affectlm.types import Answer, Box, Completion, Image, Message, Outcome, Request, Truth


def picture(value: int, side: int = 16) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def images(count: int) -> list[Image]:
    return [Image(f"i{number}", picture(number % 250)) for number in range(count)]


def found(count: int) -> list[Finding]:
    return [
        Finding(Record(id=f"f{number}", outcome=Outcome.SKIPPED, valence=number / 1000, arousal=0.0))
        for number in range(count)
    ]


class TwoFaces:
    """Two boxes in every picture: left and right half."""

    def detect(self, pictures):
        return [[Box(0, 0, p.shape[1] / 2, 16, 0.9), Box(p.shape[1] / 2, 0, p.shape[1], 16, 0.8)] for p in pictures]


def test_every_face_of_a_picture_without_truth_is_kept():
    """faces=all is about pictures nobody labelled."""
    steps = list(find_faces([Image("a", picture(1))], TwoFaces()))

    assert [step.record.id for step in steps] == ["a#0", "a#1"]
    assert [step.record.others for step in steps] == [1, 1]


def test_a_labelled_picture_gives_its_best_face_only():
    """The label is about one person."""
    steps = list(find_faces([Image("a", picture(1), Truth(labels=("anger",)))], TwoFaces()))

    assert [step.record.id for step in steps] == ["a#0"]


def test_a_region_chooses_the_face_inside_it():
    """The best face of the picture may be another person's."""
    steps = list(find_faces([Image("a", picture(1), region=Box(9, 0, 16, 16))], TwoFaces()))

    assert [step.record.id for step in steps] == ["a#1"]


def test_what_cannot_be_read_and_what_has_no_face_are_outcomes():
    """Neither stops the pictures around them."""
    steps = list(
        find_faces(
            [Image("bad", b"no picture"), Image("tiny", picture(1, 1)), Image("gone", Path("none.png")), *images(1)],
            WholeDetector(),
        )
    )

    outcomes = {step.id: step.outcome for step in steps if isinstance(step, Record)}
    assert outcomes == {
        "bad": Outcome.UNREADABLE_IMAGE,
        "gone": Outcome.UNREADABLE_IMAGE,
        "tiny": Outcome.NO_FACE,
    }
    assert [step.record.id for step in steps if isinstance(step, Finding)] == ["i0#0"]


def test_only_a_window_of_pictures_is_drawn_ahead():
    """Pixels never accumulate."""
    drawn = []

    def source():
        for image in images(100):
            drawn.append(image.id)
            yield image

    steps = estimate(find_faces(source(), WholeDetector(), batch_size=4), BrightnessEstimator(), batch_size=4)
    next(steps)

    assert len(drawn) <= 8


def test_measured_faces_carry_no_pixels():
    """What waits for an answer is numbers."""
    steps = list(estimate(find_faces(images(3), WholeDetector()), BrightnessEstimator()))

    assert [step.face for step in steps] == [None] * 3


class Returns:
    def __init__(self, value):
        self.value = value

    def estimate(self, faces):
        return np.array(self.value, dtype=np.float32)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[0, 0, 0]], r"Returns: bad returned shape \(1, 3\), expected \(1, 2\): valence, arousal"),
        ([[0, float("nan")]], r"Returns: returned \[0.0, nan\] for 'i0#0', expected finite numbers"),
        ([[0, 1.5]], r"expected \[-1, 1\]"),
        ([[0, 0], [0, 0]], r"bad returned shape \(2, 2\)"),
    ],
)
def test_an_estimator_that_breaks_its_contract_is_named(value, message):
    """A plugin's mistake is told as the plugin's."""
    with pytest.raises(ContractError, match=message):
        list(estimate(find_faces(images(1), WholeDetector()), Returns(value)))


def test_a_face_measured_before_is_not_measured_again(tmp_path):
    """The key holds picture, box and estimator."""
    store = Store("affect", root=tmp_path)
    first, second, other = BrightnessEstimator(), BrightnessEstimator(), BrightnessEstimator()

    values = [step.record.valence for step in estimate(find_faces(images(3), WholeDetector()), first, store=store)]
    again = [step.record.valence for step in estimate(find_faces(images(4), WholeDetector()), second, store=store)]
    list(estimate(find_faces(images(3), WholeDetector()), other, store=store, key="another estimator"))

    assert again[:3] == values
    assert (first.batches, second.batches, other.batches) == ([3], [1], [3])


def asking(llm, tmp_path, prompt=None, mode="on", **limits) -> Asking:
    return Asking(prompt=prompt or PlainPrompt(), llm=llm, store=Store("completions", mode, tmp_path), **limits)


def test_every_finding_is_answered_once_and_records_pass_through(tmp_path):
    """The line ends with one record for each face and picture."""
    done = Record(id="done", outcome=Outcome.NO_FACE)

    records = list(ask([*found(3), done], asking(ScriptedLLM(["a", "b", "c"]), tmp_path)))

    assert {record.id: record.answer for record in records} == {"f0": "a", "f1": "b", "f2": "c", "done": ""}
    assert {record.prompt for record in records if record.prompt} >= {"[user]\nvalence 0.001, arousal 0.000"}


def test_a_stored_answer_is_not_asked_again(tmp_path):
    """The second run asks nothing, however long it is."""
    list(ask(found(600), asking(ScriptedLLM(), tmp_path)))
    llm = ScriptedLLM(["never"])
    second = asking(llm, tmp_path)

    records = list(ask(found(600), second))

    assert (len(llm.asked), len(records), second.tally.cache_hits) == (0, 600, 600)


def test_stored_and_new_answers_may_alternate(tmp_path):
    """Whatever is known is answered at once, the rest is asked, nothing is lost."""
    list(ask(found(900)[::2], asking(ScriptedLLM(), tmp_path)))
    llm = ScriptedLLM()

    records = list(ask(found(900), asking(llm, tmp_path)))

    assert len({record.id for record in records}) == 900
    assert len(llm.asked) == 450


class Delayed:
    """Draws all requests before it answers the first, backwards."""

    def __init__(self):
        self.asked = 0

    def complete(self, requests):
        drawn = list(requests)
        self.asked += len(drawn)
        for request in reversed(drawn):
            yield Completion(id=request.id, text=request.messages[0].text)


def test_identical_requests_under_way_are_asked_once(tmp_path):
    """Four faces, two prompts, two requests, also with the cache off."""
    twins = [
        Finding(Record(id=f"t{number}", outcome=Outcome.SKIPPED, valence=number % 2 / 2, arousal=0.0))
        for number in range(4)
    ]
    llm = Delayed()

    records = list(ask(twins, asking(llm, tmp_path, mode="off")))

    assert llm.asked == 2
    assert {record.id: record.answer for record in records}["t3"] == "valence 0.500, arousal 0.000"


class Failing:
    def complete(self, requests):
        for request in requests:
            yield Completion(id=request.id, error="HTTP 500")


def test_a_failed_request_is_an_outcome_and_never_stored(tmp_path):
    """An error must be asked again."""
    records = list(ask(found(1), asking(Failing(), tmp_path)))
    again = list(ask(found(1), asking(ScriptedLLM(["fine"]), tmp_path)))

    assert (records[0].outcome, records[0].reason) == (Outcome.API_ERROR, "HTTP 500")
    assert again[0].answer == "fine"


class Silent:
    def complete(self, requests):
        for _ in requests:
            yield from ()


def test_an_adapter_that_forgets_a_request_gives_an_error_outcome(tmp_path):
    """Nothing is dropped silently."""
    records = list(ask(found(2), asking(Silent(), tmp_path)))

    assert [record.outcome for record in records] == [Outcome.API_ERROR] * 2
    assert "Silent gave no completion" in records[0].reason


class Inventing:
    def complete(self, requests):
        list(requests)
        yield Completion(id="nobody", text="x")


def test_an_adapter_that_invents_a_completion_is_named(tmp_path):
    """An answer belongs to a request."""
    with pytest.raises(ContractError, match="Inventing: a completion for 'nobody'"):
        list(ask(found(1), asking(Inventing(), tmp_path)))


@pytest.mark.parametrize(
    ("limits", "asked"), [({"max_requests": 2}, 2), ({"max_tokens_total": 4}, 2), ({"dry_run": True}, 0)]
)
def test_budgets_skip_what_they_do_not_allow(tmp_path, limits, asked):
    """A limit is kept exactly; what was not asked says why."""
    llm = ScriptedLLM()

    records = list(ask(found(5), asking(llm, tmp_path, **limits)))

    assert len(llm.asked) == asked
    skipped = [record for record in records if record.outcome is Outcome.SKIPPED]
    assert len(skipped) == 5 - asked
    assert all(next(iter(limits)) in record.reason and record.prompt for record in skipped)


REQUEST = Request("f", (Message("user", "?"),), choices=("anger", "fear"))
FREE = Request("f", (Message("user", "?"),))


@pytest.mark.parametrize(
    ("request_", "completion", "answer", "outcome"),
    [
        (REQUEST, {}, Answer(labels=("anger",)), Outcome.OK),
        (REQUEST, {}, Answer(labels=("joy",)), Outcome.OUT_OF_SET),
        (REQUEST, {}, Answer(), Outcome.UNPARSEABLE),
        (REQUEST, {"finish_reason": "length"}, Answer(labels=("anger",)), Outcome.OK),
        (REQUEST, {"finish_reason": "length"}, Answer(), Outcome.TRUNCATED),
        (REQUEST, {"finish_reason": "content_filter"}, Answer(), Outcome.REFUSED),
        (REQUEST, {"error": "HTTP 400"}, Answer(), Outcome.API_ERROR),
        (FREE, {}, Answer(text="I'm sorry to hear that."), Outcome.OK),
        (FREE, {}, Answer(), Outcome.UNPARSEABLE),
        (FREE, {"finish_reason": "length"}, Answer(text="It"), Outcome.TRUNCATED),
    ],
)
def test_outcomes_are_kept_apart(request_, completion, answer, outcome):
    """Errors, refusals, unreadable and wrong answers are different things."""
    assert judge(request_, Completion(id="f", **completion), answer)[0] is outcome
