"""Asking: each question once, budgets, choices, outcomes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from affectlm.errors import AffectlmError, BusyError, ConfigError, ContractError
from affectlm.line.ask import ask
from affectlm.line.budget import Budget
from affectlm.line.likelihoods import choose, mass
from affectlm.line.measure import Measured
from affectlm.line.permission import Permission
from affectlm.line.question import Asking
from affectlm.line.reply import outcome_of
from affectlm.store.cache import Store
from affectlm.store.records import from_json, to_json
from affectlm.testing import PlainPrompt, ScriptedLLM
from affectlm.types import Answer, Completion, Message, Outcome, Record, Request, Sample

LIMITS = ("max_requests", "max_tokens_total", "max_cost", "max_seconds")


def found(count: int) -> list[Measured]:
    return [Measured(Sample(f"f{number}", number / 1000, 0.0)) for number in range(count)]


def asked(
    steps: Any, llm: Any, tmp_path: Path, prompt: Any = None, mode: str = "on", permission: Any = None, **options: Any
) -> Iterator[Record]:
    """The records of measured faces, asked about within limits."""
    limits = {name: options.pop(name) for name in list(options) if name in LIMITS}
    permission = permission or Permission(budget=Budget(**limits), dry_run=options.pop("dry_run", False))
    asking = Asking(prompt=prompt or PlainPrompt(), llm=llm, **options)
    return ask(steps, asking, store=Store("completions", mode, tmp_path), permission=permission)


def test_every_finding_is_answered_once_and_records_pass_through(tmp_path: Path) -> None:
    """The line ends with one record for each face and picture."""
    done = Record(id="done", outcome=Outcome.NO_FACE)

    records = list(asked([*found(3), done], ScriptedLLM(["a", "b", "c"]), tmp_path))

    assert {record.id: record.answer for record in records} == {"f0": "a", "f1": "b", "f2": "c", "done": ""}
    assert {record.prompt for record in records if record.prompt} >= {"[user]\nvalence 0.001, arousal 0.000"}


def test_a_stored_answer_is_not_asked_again(tmp_path: Path) -> None:
    """The second run asks nothing, however long it is."""
    list(asked(found(600), ScriptedLLM(), tmp_path))
    llm = ScriptedLLM(["never"])
    permission = Permission()

    records = list(asked(found(600), llm, tmp_path, permission=permission))

    assert (len(llm.asked), len(records), permission.tally.cache_hits) == (0, 600, 600)


def test_stored_and_new_answers_may_alternate(tmp_path: Path) -> None:
    """Whatever is known is answered at once, the rest is asked, nothing is lost."""
    list(asked(found(900)[::2], ScriptedLLM(), tmp_path))
    llm = ScriptedLLM()

    records = list(asked(found(900), llm, tmp_path))

    assert len({record.id for record in records}) == 900
    assert len(llm.asked) == 450


class Delayed:
    """Draws all requests before it answers the first, backwards."""

    def __init__(self) -> None:
        self.asked = 0

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        drawn = list(requests)
        self.asked += len(drawn)
        for request in reversed(drawn):
            yield Completion(id=request.id, text=request.messages[0].text)


def test_identical_requests_under_way_are_asked_once(tmp_path: Path) -> None:
    """Four faces, two prompts, two requests, also with the cache off."""
    twins = [Measured(Sample(f"t{number}", number % 2 / 2, 0.0)) for number in range(4)]
    llm = Delayed()

    records = list(asked(twins, llm, tmp_path, mode="off"))

    assert llm.asked == 2
    assert {record.id: record.answer for record in records}["t3"] == "valence 0.500, arousal 0.000"


class Failing:
    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for request in requests:
            yield Completion(id=request.id, error="HTTP 500")


def test_a_failed_request_is_an_outcome_and_never_stored(tmp_path: Path) -> None:
    """An error must be asked again."""
    records = list(asked(found(1), Failing(), tmp_path))
    again = list(asked(found(1), ScriptedLLM(["fine"]), tmp_path))

    assert (records[0].outcome, records[0].reason) == (Outcome.API_ERROR, "HTTP 500")
    assert again[0].answer == "fine"


class Silent:
    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        for _ in requests:
            yield from ()


def test_an_adapter_that_forgets_a_request_gives_an_error_outcome(tmp_path: Path) -> None:
    """Nothing is dropped silently."""
    records = list(asked(found(2), Silent(), tmp_path))

    assert [record.outcome for record in records] == [Outcome.API_ERROR] * 2
    assert "Silent gave no completion" in records[0].reason


class Inventing:
    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        list(requests)
        yield Completion(id="nobody", text="x")


def test_an_adapter_that_invents_a_completion_is_named(tmp_path: Path) -> None:
    """An answer belongs to a request."""
    with pytest.raises(ContractError, match="Inventing gave a completion for 'nobody'"):
        list(asked(found(1), Inventing(), tmp_path))


@pytest.mark.parametrize(
    ("limits", "count"), [({"max_requests": 2}, 2), ({"max_tokens_total": 4}, 2), ({"dry_run": True}, 0)]
)
def test_budgets_skip_what_they_do_not_allow(tmp_path: Path, limits: dict[str, Any], count: int) -> None:
    """A limit is kept exactly; what was not asked says why."""
    llm = ScriptedLLM()

    records = list(asked(found(5), llm, tmp_path, **limits))

    assert len(llm.asked) == count
    skipped = [record for record in records if record.outcome is Outcome.SKIPPED]
    assert len(skipped) == 5 - count
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
def test_outcomes_are_kept_apart(request_: Any, completion: dict[str, Any], answer: Any, outcome: Any) -> None:
    """Errors, refusals, unreadable and wrong answers are different things."""
    assert outcome_of(request_, Completion(id="f", **completion), answer)[0] is outcome


class Expensive:
    """Writes as much as it may, and keeps how many requests were under way."""

    max_new_tokens = 10

    def __init__(self) -> None:
        self.batches: list[int] = []

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        drawn = list(requests)
        self.batches.append(len(drawn))
        for request in drawn:
            yield Completion(id=request.id, text="x", usage={"prompt_tokens": 23, "completion_tokens": 10})


def test_what_is_under_way_counts_towards_the_budget(tmp_path: Path) -> None:
    """Many requests at once overshoot a limit by one request at most."""
    llm = Expensive()

    records = list(asked(found(50), llm, tmp_path, max_tokens_total=100))

    assert llm.batches == [3, 1]
    assert sum(record.outcome is Outcome.OK for record in records) == 4
    assert records[-1].reason == "max_tokens_total=100 was reached"


def test_a_dry_run_estimates_each_new_question_once(tmp_path: Path) -> None:
    """Stored answers and repeated questions cost nothing."""
    again = [attrs.evolve(each, sample=attrs.evolve(each.sample, id=f"again {each.sample.id}")) for each in found(4)]
    twice = [*found(4), *again]
    list(asked(found(1), Expensive(), tmp_path))
    dry = Permission(dry_run=True)

    records = list(asked(twice, Expensive(), tmp_path, permission=dry))

    assert {record.outcome for record in records} == {Outcome.SKIPPED}
    assert (dry.tally.estimated_requests, dry.tally.estimated_completion_tokens) == (3, 30)
    assert dry.tally.estimated_prompt_tokens == 3 * 23
    assert dry.tally.cache_hits == 2


class Scorer:
    """Likes long labels when the face is pleasant, and "fear" always."""

    def __init__(self, scores: Any = None) -> None:
        self.asked: list[Request] = []
        self.scores = scores

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        raise AssertionError("the reply was asked for, not the choices")

    def score_choices(self, requests: Iterable[Request]) -> Iterator[Any]:
        for request in requests:
            self.asked.append(request)
            blind = request.id == "blind"
            scores = self.scores or {"joy": -2.0 if blind else -1.5, "fear": -1.0}
            yield Completion(id=request.id, model="m", choice_logprobs=scores, choice_tokens={"joy": 1, "fear": 2})


class Blind(PlainPrompt):
    def render_blind(self) -> Request:
        return Request("blind", (Message("user", "?"),), choices=self.choices)


CHOICES = Blind(choices=("joy", "fear"))


@pytest.mark.parametrize(("by", "label"), [("normalised", "joy"), ("mean", "fear"), ("sum", "fear")])
def test_a_choice_is_made_by_the_score_that_is_asked_for(tmp_path: Path, by: str, label: str) -> None:
    """Log-probabilities favour what a model says anyway; the normalised ones do not."""
    llm = Scorer()

    records = list(asked(found(3), llm, tmp_path, CHOICES, answer="choices", choice_score=by))

    assert {record.labels for record in records} == {(label,)}
    assert len(llm.asked) == 3 + (by == "normalised")
    assert records[0].choice_logprobs == {"joy": -1.5, "fear": -1.0}
    assert records[0].choice_means == {"joy": -1.5, "fear": -0.5}
    assert records[0].choice_mass == pytest.approx(math.exp(-1.5) + math.exp(-1.0))
    assert sum((records[0].probabilities or {}).values()) == pytest.approx(1)
    assert from_json(to_json(records[0])) == records[0]


def test_choices_are_stored_with_the_question_without_numbers(tmp_path: Path) -> None:
    """A second run asks nothing at all, and generated replies are kept apart from choices."""
    list(asked(found(3), Scorer(), tmp_path, CHOICES, answer="choices"))
    again = Scorer()

    records = list(asked(found(3), again, tmp_path, CHOICES, answer="choices"))
    written = list(asked(found(3), ScriptedLLM(["joy"]), tmp_path, CHOICES))

    assert again.asked == []
    assert [record.answer for record in records] == ["joy"] * 3
    assert written[0].choice_logprobs is None


def test_another_beginning_of_the_reply_is_another_question(tmp_path: Path) -> None:
    """Log-probabilities that are stored for bare labels are not those of labels after a cue; replies are the same."""
    labels = Request("a", (Message("user", "?"),), choices=("joy",))
    cued = attrs.evolve(labels, messages=(*labels.messages, Message("assistant", "Emotion:")))
    by_choices = Asking(prompt=CHOICES, llm=Scorer(), answer="choices")
    written = Asking(prompt=CHOICES, llm=Scorer())

    assert labels.continuations() == (labels.messages, "", {"joy": "joy"})
    assert cued.continuations() == (labels.messages, "Emotion:", {"joy": " joy"})
    assert by_choices.request_key(cued) != by_choices.request_key(labels) != written.request_key(labels)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [({"joy": 0.2, "fear": 0.1}, 0.3), ({"joy": 0.2, "joyful": 0.1}, 0.2), ({"a": 0.7, "b": 0.7}, 1.0)],
)
def test_the_labels_share_counts_nothing_twice(shares: dict[str, float], expected: float) -> None:
    """What begins with one label may go on as another, and rounding may not make more than all."""
    assert mass({label: math.log(share) for label, share in shares.items()}) == pytest.approx(expected)


def test_probabilities_and_entropy_follow_the_deciding_score() -> None:
    """Softmax of the differences; entropy in nats."""
    choice = choose({"a": -1.0, "b": -2.0}, {"a": 1, "b": 1}, {"a": -1.0, "b": -2.0}, "normalised")

    assert choice.probabilities == pytest.approx({"a": 0.5, "b": 0.5})
    assert choice.entropy == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"joy": -1.0}, "log-probabilities of 1 labels, expected those of the 2 choices"),
        ({"joy": -1.0, "fear": float("-inf")}, "not finite"),
    ],
)
def test_scores_that_are_not_of_the_choices_are_refused(tmp_path: Path, scores: Any, message: str) -> None:
    """Each choice has one finite number."""
    with pytest.raises(ContractError, match=message):
        list(asked(found(1), Scorer(scores), tmp_path, CHOICES, answer="choices"))


@pytest.mark.parametrize(
    ("llm", "prompt", "options", "message"),
    [
        (ScriptedLLM(), CHOICES, {"answer": "choices"}, "ScriptedLLM gives none; type answer=generate"),
        (Scorer(), PlainPrompt(), {"answer": "choices"}, "asks an open question"),
        (Scorer(), PlainPrompt(choices=("a",)), {"answer": "choices"}, "type choice_score=sum"),
        (ScriptedLLM(), PlainPrompt(), {"send_images": True}, "ScriptedLLM takes no pictures"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is(
    tmp_path: Path, llm: Any, prompt: Any, options: dict[str, Any], message: str
) -> None:
    """A wrong run costs nothing."""
    with pytest.raises(ConfigError, match=message):
        list(asked(found(1), llm, tmp_path, prompt, **options))


class Seeing(ScriptedLLM):
    takes_faces = True


def test_a_face_reaches_only_who_may_see_it(tmp_path: Path) -> None:
    """Pictures leave the line by consent only; another face is another question."""
    faces = [Measured(Sample(f"f{value}", 0.0, 0.0), pixels=np.full((4, 4, 3), value, np.uint8)) for value in (1, 2)]
    seeing, blind = Seeing(), Seeing()

    list(asked(faces, seeing, tmp_path, send_images=True))
    list(asked(faces, blind, tmp_path))

    assert [request.face.max() for request in seeing.asked if request.face is not None] == [1, 2]
    assert [request.face for request in blind.asked] == [None]


class Unauthorised:
    concurrency = 4

    def complete_one(self, request: Request) -> Completion:
        raise AffectlmError("no key")


def test_what_stops_a_run_stops_it(tmp_path: Path) -> None:
    """A wrong key is found once, not once a face."""
    with pytest.raises(AffectlmError, match="no key"):
        list(asked(found(9), Unauthorised(), tmp_path))


@pytest.mark.parametrize(
    ("request_", "text", "answer"),
    [
        (FREE, "I'm sorry, but I can't help with that.", Answer(text="I'm sorry, but I can't help with that.")),
        (REQUEST, "I'm sorry, but I can't help with that.", Answer()),
    ],
)
def test_a_reply_that_declines_is_a_refusal(request_: Any, text: str, answer: Any) -> None:
    """Declining is neither a description nor an unreadable answer."""
    assert outcome_of(request_, Completion(id="f", text=text), answer)[0] is Outcome.REFUSED


class Single:
    """Takes one request at a time, keeps what it was asked, tells no usage."""

    concurrency = 4
    max_new_tokens = 5

    def __init__(self, latency: float = 0.0) -> None:
        self.asked: list[str] = []
        self.latency = latency

    def complete_one(self, request: Request) -> Completion:
        self.asked.append(request.id)
        time.sleep(self.latency)
        return Completion(id=request.id, text="x")


def alike(count: Any) -> Any:
    return (Measured(Sample(f"f{number}", 0.5, 0.0)) for number in range(count))


def test_many_faces_with_one_question_do_not_pile_up(tmp_path: Path) -> None:
    """While the first is under way, only so many of the same question are drawn."""
    drawn = []

    def line() -> Iterator[Any]:
        for each in alike(5000):
            drawn.append(each.sample.id)
            yield each

    llm = Single(latency=0.2)
    records = asked(line(), llm, tmp_path, mode="off")
    next(records)

    assert len(drawn) < 600
    assert len(list(records)) == 4999
    assert len(llm.asked) == 1


def test_limits_hold_for_a_service_that_tells_no_usage(tmp_path: Path) -> None:
    """What was not counted is estimated."""
    llm = Single()

    list(asked(found(200), llm, tmp_path, max_tokens_total=500))

    assert 15 <= len(llm.asked) <= 30


def test_a_dataset_that_breaks_off_costs_no_paid_reply(tmp_path: Path) -> None:
    """What is under way comes in first; then the dataset is named, not the model."""
    llm = Single(latency=0.05)
    records: list[Record] = []

    def line() -> Iterator[Any]:
        yield from found(10)
        raise OSError("ratings.csv is gone")

    with pytest.raises(ContractError, match=r"the dataset failed: OSError: ratings\.csv is gone"):
        records.extend(asked(line(), llm, tmp_path))
    again = list(asked(found(10), Single(), tmp_path))

    assert len(llm.asked) == 10
    assert [record.outcome for record in again] == [Outcome.OK] * 10


class Busy(Single):
    def complete_one(self, request: Request) -> Completion:
        super().complete_one(request)
        raise BusyError("HTTP 429", 60.0)


def test_nothing_is_asked_again_when_the_time_is_over(tmp_path: Path) -> None:
    """max_seconds is about the whole run, its waits included."""
    begin = time.monotonic()

    records = list(asked(found(6), Busy(), tmp_path, max_seconds=0.5))

    assert time.monotonic() - begin < 30
    assert {record.outcome for record in records} <= {Outcome.API_ERROR, Outcome.SKIPPED}
    assert "no time was left to ask again (HTTP 429" in records[0].reason


class Wrong(Single):
    def complete_one(self, request: Request) -> Any:
        if request.id == "f1":
            raise SystemExit(1)
        return {"text": "x"}


def test_an_adapter_that_breaks_its_promise_is_named(tmp_path: Path) -> None:
    """Neither a puzzle nor a run that never ends."""
    with pytest.raises((ContractError, SystemExit)):
        list(asked(found(2), Wrong(), tmp_path))
    with pytest.raises(ContractError, match="expected a Completion"):
        list(asked(found(1), Wrong(), tmp_path))


class Mute(Scorer):
    def score_choices(self, requests: Iterable[Request]) -> Iterator[Any]:
        return iter(())


def test_a_question_without_numbers_that_stays_unanswered_is_told(tmp_path: Path) -> None:
    """Nothing can be normalised by nothing."""
    with pytest.raises(AffectlmError, match="the question without numbers failed: Mute gave no completion"):
        list(asked(found(1), Mute(), tmp_path, CHOICES, answer="choices"))


class Lost(Expensive):
    """Takes requests and fails."""

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        next(iter(requests))
        raise OSError("the line is cut")


def test_a_reading_that_failed_leaves_nothing_open_for_the_next(tmp_path: Path) -> None:
    """Limits hold for several readings together; what one has lost must not keep another waiting for ever."""
    permission = Permission(budget=Budget(max_tokens_total=60))
    with pytest.raises(ContractError, match="the line is cut"):
        list(asked(found(2), Lost(), tmp_path, permission=permission))

    records = list(asked(found(2), Expensive(), tmp_path, permission=permission))

    assert [record.outcome for record in records] == [Outcome.OK] * 2


class Untold(Single):
    """Tells a usage without any numbers."""

    def complete_one(self, request: Request) -> Completion:
        return attrs.evolve(super().complete_one(request), usage={})


def test_limits_hold_for_an_adapter_whose_usage_is_empty(tmp_path: Path) -> None:
    """What was not counted is estimated, however it is left out."""
    llm = Untold()

    list(asked(found(200), llm, tmp_path, max_tokens_total=500))

    assert 15 <= len(llm.asked) <= 30
