"""The same question several times: ids, keys, seeds, agreement, and a run that goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import affectlm
from affectlm.errors import ConfigError
from affectlm.jobs.run import SAME_REPLIES, run
from affectlm.store.records import RECORDS, Report, read_records
from tests.conftest import Compose

Asked = Callable[..., Report]
REPLIES = "llm.replies=[joy,joy,fear,fear,fear,fear]"


@pytest.fixture
def asked(tmp_path: Path, fresh_cache: Path) -> Asked:
    """A run about two faces with prepared replies, each question asked three times."""
    (tmp_path / "two.csv").write_text("id,valence,arousal,label\na,0.5,0.5,joy\nb,-0.5,0.5,fear\n")
    words = ("+experiment=basic", "labels=[joy,fear]", "dataset=manifest", f"dataset.path={tmp_path / 'two.csv'}")
    return lambda *more: affectlm.run(
        *words, "llm=scripted", REPLIES, "metric=accuracy", "repeats=3", f"hydra.run.dir={tmp_path / 'run'}", *more
    )


def test_each_repeat_has_a_record_with_an_id_of_its_own(asked: Asked, tmp_path: Path) -> None:
    """The first keeps the id of the face, so that a run without repeats is not another one."""
    report = asked()
    records = list(read_records(tmp_path / "run"))

    assert [each.id for each in records] == ["a", "a~2", "a~3", "b", "b~2", "b~3"]
    assert [each.repeat for each in records] == [1, 2, 3, 1, 2, 3]
    assert [each.asked_about for each in records] == ["a"] * 3 + ["b"] * 3
    assert (report.questions["faces"], report.questions["repeats"], report.usage["requests"]) == (2, 3, 6)


def test_the_agreement_of_repeats_is_the_share_of_equal_pairs(asked: Asked) -> None:
    """joy, joy, fear: one pair of three; fear, fear, fear: all; scores count every repeat."""
    report = asked()

    assert report.score("repeat_agreement").value == pytest.approx((1 / 3 + 1) / 2)
    assert report.score("repeat_agreement").count == 6
    assert report.score("accuracy").value == pytest.approx(5 / 6)
    assert report.score("accuracy").parts["clusters"] == 2


def test_a_reply_without_a_label_agrees_with_none(asked: Asked) -> None:
    """Two replies that nobody can read are not the same answer."""
    report = asked("llm.replies=[hm,hm,hm,fear,fear,hm]")

    assert report.score("repeat_agreement").value == pytest.approx((0 + 1 / 3) / 2)


def test_open_questions_have_no_agreement_of_labels(asked: Asked) -> None:
    """A sentence has no first label."""
    assert asked("prompt=description", "metric=[]").unscored == ["repeat_agreement"]


def test_a_continued_run_asks_only_the_repeats_that_are_missing(asked: Asked, tmp_path: Path) -> None:
    """A face is finished when all its repeats are."""
    asked()
    lines = (tmp_path / "run" / RECORDS).read_bytes().splitlines(keepends=True)
    (tmp_path / "run" / RECORDS).write_bytes(b"".join(lines[:2]))

    report = asked()

    assert sorted(each.id for each in read_records(tmp_path / "run")) == ["a", "a~2", "a~3", "b", "b~2", "b~3"]
    assert report.usage["requests"] == 6 + 4


def test_repeats_are_stored_apart(asked: Asked, tmp_path: Path) -> None:
    """The second reply is not the first, and a run without repeats finds the first; the baseline is stored."""
    path = f"dataset.path={tmp_path / 'two.csv'}"

    def requests(*more: str) -> float:
        return affectlm.run("dataset=manifest", path, "llm=circumplex", "metric=[]", *more).usage["requests"]

    assert requests("repeats=2", f"hydra.run.dir={tmp_path / 'twice'}") == 4
    assert requests(f"hydra.run.dir={tmp_path / 'once'}") == 0
    assert requests("repeats=3", f"hydra.run.dir={tmp_path / 'thrice'}") == 2


def test_probabilities_are_not_asked_for_again(asked: Asked) -> None:
    """They are the same each time."""
    with pytest.raises(ConfigError, match="repeats=3 shows how replies vary, but answer=choices gives the same"):
        asked("answer=choices")


def test_an_example_is_not_shown_in_a_repeat_about_itself(asked: Asked, tmp_path: Path) -> None:
    """The prompt of each repeat is the same, to the letter."""
    asked("prompt.shots=1", f"prompt.examples={tmp_path / 'two.csv'}")

    pairs = {(each.asked_about, each.prompt_sha256) for each in read_records(tmp_path / "run")}
    assert len(pairs) == 2


@pytest.mark.parametrize(("words", "told"), [((), 1), (("llm.temperature=0.7",), 0), (("repeats=1",), 0)])
def test_repeats_of_the_likeliest_reply_are_told(
    compose: Compose, tmp_path: Path, fresh_cache: Path, words: tuple[str, ...], told: int
) -> None:
    """Whoever pays for them should know."""
    (tmp_path / "two.csv").write_text("valence,arousal\n0.5,0.5\n")
    path = f"dataset.path={tmp_path / 'two.csv'}"
    notices: list[str] = []

    config = compose("dataset=manifest", path, "llm=gpt4o_mini", "dry_run=true", "repeats=2", *words)
    run(config, tmp_path / "run", on_notice=notices.append)

    assert notices.count(SAME_REPLIES) == told
