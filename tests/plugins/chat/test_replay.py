"""Replies given again from an earlier run's records, and replies prepared for a line that is tried."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import affectlm
from affectlm.errors import ConfigError, RunFolderError
from affectlm.line.question import prompt_hash
from affectlm.line.reply import outcome_of
from affectlm.registry import Registry
from affectlm.store.records import RECORDS, read_records, to_line
from affectlm.testing import PlainPrompt, check_llm, record, samples
from affectlm.types import Answer, Completion, Message, Outcome, Record, Request, Sample
from affectlm_chat.replay import Replay
from affectlm_chat.scripted import Scripted

REPLIES = "['Happiness.','I cannot say how a person feels.','bla','contempt','anger','']"
RATED = """valence,arousal,label
0.8,0.5,happiness
-0.6,-0.3,sadness
0,0,neutral
0.1,0.9,surprise
-0.5,0.6,anger
0,-1,
"""


def run_folder(root: Path, *records: Record) -> Path:
    root.mkdir(exist_ok=True)
    (root / RECORDS).write_bytes(b"".join(map(to_line, records)))
    return root


def ask(text: str, request_id: str = "a", *choices: str) -> Request:
    return Request(request_id, (Message("user", text),), choices=choices, sample=Sample(request_id, 0.0, 0.0))


def said(reply: str | None, text: str = "?", **fields: object) -> Record:
    digest = prompt_hash((Message("user", text),))
    return record(**{"id": "a", "reply": reply, "prompt_sha256": digest, "model": "tiny", **fields})


def replayed(folder: Path, request: Request, **options: object) -> Completion:
    return next(Replay(path=folder, **options).complete([request]))


def asked_on_ratings(root: Path, name: str, *words: str) -> list[Record]:
    (root / "ratings.csv").write_text(RATED)
    base = ("+experiment=basic", "dataset=manifest", f"dataset.path={root / 'ratings.csv'}")
    affectlm.run(*base, *words, f"hydra.run.dir={root / name}")
    return list(read_records(root / name))


def test_a_replayed_run_ends_as_the_run_did(tmp_path: Path) -> None:
    """Labels, refusals, gibberish and silence are judged as they were, under the model's name."""
    first = asked_on_ratings(tmp_path, "first", "llm=scripted", f"llm.replies={REPLIES}")

    again = asked_on_ratings(tmp_path, "again", "llm=replay", f"llm.path={tmp_path / 'first'}")

    assert again == first
    assert len({record.outcome for record in again}) >= 3
    assert {record.model for record in again} == {"scripted"}


def test_replayed_log_probabilities_end_as_the_run_did(tmp_path: Path) -> None:
    """answer=choices is judged again by another score without asking again."""
    words = ("answer=choices", "choice_score=sum")
    first = asked_on_ratings(tmp_path, "first", "llm=circumplex", *words)
    path = tmp_path / "first" / RECORDS

    assert asked_on_ratings(tmp_path, "again", "llm=replay", f"llm.path={path}", *words) == first
    assert first[0].choice_logprobs is not None


def test_replayed_normalised_scores_end_as_the_run_did(tmp_path: Path) -> None:
    """Though the question without numbers has no record of its own."""
    first = asked_on_ratings(tmp_path, "first", "llm=circumplex", "answer=choices")
    again = asked_on_ratings(tmp_path, "again", "llm=replay", f"llm.path={tmp_path / 'first'}", "answer=choices")

    assert [record.labels for record in again] == [record.labels for record in first]
    for ours, theirs in zip(again, first, strict=True):
        assert ours.choice_normalised == pytest.approx(theirs.choice_normalised)
        assert ours.choice_normalised is not None


def test_a_replay_keeps_the_protocol_of_language_models(tmp_path: Path) -> None:
    """One completion a request, the same again."""
    requests = [PlainPrompt().render(sample) for sample in samples()]
    records = [said(f"reply {each.id}", each.messages[0].text, id=each.id) for each in requests]

    check_llm(Replay(path=run_folder(tmp_path / "run", *records)), requests)


def test_the_same_prompt_has_the_same_reply_under_any_id(tmp_path: Path) -> None:
    """What was said does not depend on what a picture is called."""
    folder = run_folder(tmp_path, said("joy"), said("joy", id="b"))

    assert replayed(folder, ask("?", "new")) == Completion(id="new", text="joy", model="tiny")


def test_of_several_replies_to_a_prompt_the_id_decides(tmp_path: Path) -> None:
    """A model with a temperature says different things; whose reply it is must be known."""
    folder = run_folder(tmp_path, said("joy"), said("fear", id="b"), said("fear", id="c"))

    assert [replayed(folder, ask("?", name)).text for name in "abc"] == ["joy", "fear", "fear"]
    assert "stored replies to 'new' differ" in str(replayed(folder, ask("?", "new")).error)


def test_another_prompt_has_no_reply(tmp_path: Path) -> None:
    """A reply to another question is none, even under the same id."""
    folder = run_folder(tmp_path, said("joy"), said(None, id="b", outcome=Outcome.API_ERROR, text="!"))

    assert replayed(folder, ask("??")).error == "no stored reply for 'a'"
    assert replayed(folder, ask("!", "b")).error == "no stored reply for 'b'"


def test_a_record_without_a_prompt_counts_for_its_id(tmp_path: Path) -> None:
    """Records from elsewhere may not say what was asked."""
    folder = run_folder(tmp_path, said("joy", prompt_sha256=None))

    assert replayed(folder, ask("anything")).text == "joy"
    assert replayed(folder, ask("anything", "b")).error == "no stored reply for 'b'"


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        (Completion(id="a", text="It is a", finish_reason="length"), Outcome.TRUNCATED),
        (Completion(id="a", text="", finish_reason="content_filter"), Outcome.REFUSED),
        (Completion(id="a", text="No.", finish_reason="refusal"), Outcome.REFUSED),
        (Completion(id="a", text="joy"), Outcome.OK),
    ],
)
def test_why_a_reply_ended_is_told_by_its_outcome(tmp_path: Path, completion: Completion, outcome: Outcome) -> None:
    """So that a replay is judged like the reply was."""
    found, reason = outcome_of(ask("?"), completion, Answer(text=completion.text))
    folder = run_folder(tmp_path, said(completion.text, outcome=found, reason=reason, model=None))

    assert found is outcome
    assert replayed(folder, ask("?")) == completion


@pytest.mark.parametrize(
    ("reason", "finish"), [("the reply declines to answer", "stop"), ("for reasons of its own", "content_filter")]
)
def test_a_refusal_in_words_was_no_stop_by_the_provider(tmp_path: Path, reason: str, finish: str) -> None:
    """What the text says is judged anew; a refusal of unknown kind stays one."""
    folder = run_folder(tmp_path, said("I'd rather not.", outcome=Outcome.REFUSED, reason=reason))

    assert replayed(folder, ask("?")).finish_reason == finish


def test_one_model_of_several_can_be_chosen(tmp_path: Path) -> None:
    """A file may hold the records of several runs."""
    folder = run_folder(tmp_path, said("joy"), said("fear", model="huge"))

    assert "differ; llm.model=NAME" in str(replayed(folder, ask("?")).error)
    assert replayed(folder, ask("?"), model="huge") == Completion(id="a", text="fear", model="huge")
    with pytest.raises(ConfigError, match=r"has no replies of 'gpt'; models: huge, tiny"):
        Replay(path=folder, model="gpt")


def score(folder: Path, request: Request) -> Completion:
    return next(Replay(path=folder).score_choices([request]))


def weighed(name: str = "a", normalised: dict[str, float] | None = None) -> Record:
    sums, tokens = {"joy": -1.0, "fear": -2.5}, {"joy": 1, "fear": 2}
    return said(None, id=name, choice_logprobs=sums, choice_tokens=tokens, choice_normalised=normalised)


def test_stored_log_probabilities_come_with_their_tokens(tmp_path: Path) -> None:
    """The mean a token needs both; labels of another set are no answer."""
    folder = run_folder(tmp_path, weighed())

    found = score(folder, ask("?", "a", "fear", "joy"))

    assert (found.choice_logprobs, found.choice_tokens) == ({"joy": -1.0, "fear": -2.5}, {"joy": 1, "fear": 2})
    assert found.error is None
    assert (
        score(folder, ask("?", "a", "joy", "rage")).error == "the stored reply for 'a' is about other labels: joy, fear"
    )
    assert replayed(folder, ask("?", "a", "fear", "joy")).error == "no stored reply for 'a'"


def test_the_question_without_numbers_is_answered_by_the_difference_it_made(tmp_path: Path) -> None:
    """Records tell the sums and the normalised sums; what was taken away is the rest."""
    blind = Request("blind", (Message("user", "no numbers"),), choices=("joy", "fear"))
    normalised = {"joy": 0.3, "fear": -0.9}
    folder = run_folder(tmp_path, weighed("a", normalised), weighed("b", normalised))

    assert score(folder, blind).choice_logprobs == pytest.approx({"joy": -1.3, "fear": -1.6})


@pytest.mark.parametrize("other", [None, {"joy": 0.5, "fear": -0.9}])
def test_the_question_without_numbers_may_have_no_stored_answer(tmp_path: Path, other: dict[str, float] | None) -> None:
    """It was not asked, or two runs disagree: then nothing is made up."""
    blind = Request("blind", (Message("user", "no numbers"),), choices=("joy", "fear"))
    known = {"joy": 0.3, "fear": -0.9} if other else None
    folder = run_folder(tmp_path, weighed("a", known), weighed("b", other))

    assert "type choice_score=sum" in str(score(folder, blind).error)


def test_the_report_and_the_cache_know_the_file_by_its_digest(tmp_path: Path) -> None:
    """Other records are other replies."""
    folder = run_folder(tmp_path, said("joy"))

    digest = hashlib.sha256((folder / RECORDS).read_bytes()).hexdigest()

    assert Replay(path=folder / RECORDS).describe() == {"records": digest}


def test_a_file_that_cannot_be_replayed_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    """Missing, of another kind, without replies: one sentence each."""
    empty = run_folder(tmp_path / "empty", record(outcome=Outcome.NO_FACE))
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / RECORDS).write_text('{"a": 1}\n')
    (tmp_path / "picture.png").touch()

    with pytest.raises(ConfigError, match=r"has no path; .* as in llm.path=outputs/run"):
        Registry.installed().build("llm", {"name": "replay", "path": None})
    with pytest.raises(ConfigError, match=r"'.*none' is not a file; expected the folder of a run or its records.jsonl"):
        Replay(path=tmp_path / "none")
    with pytest.raises(ConfigError, match=r"'.*records.jsonl' is not a file; expected"):
        Replay(path=tmp_path)
    with pytest.raises(ConfigError, match=r"picture.png' has no replies; expected"):
        Replay(path=tmp_path / "picture.png")
    with pytest.raises(ConfigError, match=r"'.*records.jsonl' has no replies; expected"):
        Replay(path=empty)
    with pytest.raises(RunFolderError, match=r"line 1 of '.*records.jsonl' is not a record"):
        Replay(path=tmp_path / "wrong")


def test_prepared_replies_come_in_turn_and_the_last_stays() -> None:
    """However the requests are handed over."""
    llm = Scripted(replies=["joy", 7])

    texts = [completion.text for name in "abc" for completion in llm.complete([ask("?", name)])]

    assert texts == ["joy", "7", "7"]
    check_llm(Scripted(replies="joy"), [ask("?", "a"), ask("!", "b")])


def test_prepared_replies_are_never_stored(tmp_path: Path, fresh_cache: Path) -> None:
    """The same question has another reply at another time, in this run and in the next."""
    words = ("llm=scripted", "llm.replies=[joy,fear,anger]", "style=words")
    (tmp_path / "same.csv").write_text("valence,arousal\n0.5,0.5\n0.5,0.5\n0.5,0.5\n")
    path = f"dataset.path={tmp_path / 'same.csv'}"

    for name in ("one", "two"):
        affectlm.run("+experiment=basic", "dataset=manifest", path, *words, f"hydra.run.dir={tmp_path / name}")
        assert [each.reply for each in read_records(tmp_path / name)] == ["joy", "fear", "anger"]
    assert not list(fresh_cache.glob("completions/**/*.json"))


def test_wrong_prepared_replies_are_told() -> None:
    """At least one is needed, and the name cannot pass for a model's."""
    with pytest.raises(ConfigError, match=r"llm 'scripted': replies are empty; expected at least one"):
        Registry.installed().build("llm", {"name": "scripted", "replies": []})
    with pytest.raises(ConfigError, match="model is always 'scripted'"):
        Registry.installed().build("llm", {"name": "scripted", "replies": ["joy"], "model": "gpt"})
