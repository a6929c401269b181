"""Samples without people: published points of words, and draws that say they are simulated."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectlm.affect.points import find_anchor
from affectlm.errors import ConfigError
from affectlm.jobs.run import run
from affectlm.offers import Component
from affectlm.registry import Registry
from affectlm.store.records import read_records
from affectlm.testing import check_dataset
from affectlm.types import Sample
from affectlm_data.anchors import Anchors
from affectlm_data.simulated import SOURCES, Simulated
from tests.conftest import Compose


def points(samples: list[Sample], label: str) -> np.ndarray:
    return np.array([(each.valence, each.arousal) for each in samples if each.truth.labels == (label,)])


def run_on(name: str, factory: type, config: dict[str, object], folder: Path, **options: object) -> Any:
    mine = Registry([])
    mine.components = [
        *(each for each in Registry.installed().components if each.kind != "dataset"),
        Component("dataset", name, "test", factory),
    ]
    dataset = {"name": name, "limit": None, "va": "truth", **options}
    return run(config | {"dataset": dataset}, folder, registry=mine)


def test_every_anchor_is_a_sample_with_its_citation() -> None:
    """The word is id and label, and the point is what was published."""
    samples = list(Anchors().items())

    check_dataset(Anchors())
    assert all(each.truth.labels == (each.id,) and each.truth.group["citation"] for each in samples)
    for each in samples:
        anchor = find_anchor(each.id)
        assert anchor is not None
        assert (
            (each.valence, each.arousal) == (each.truth.valence, each.truth.arousal) == (anchor.valence, anchor.arousal)
        )


def test_anchors_can_be_split_into_nouns_and_feelings() -> None:
    """Both together are all."""
    nouns, feelings = ([each.id for each in Anchors(split=name).items()] for name in ("emotions", "feelings"))

    assert ("happiness" in nouns, "happy" in feelings) == (True, True)
    assert nouns + feelings == [each.id for each in Anchors().items()]
    assert "Mehrabian" not in Anchors(split="feelings").describe()["citations"]


def test_the_baseline_names_the_anchors_rightly(compose: Compose, fresh_cache: Path, tmp_path: Path) -> None:
    """It goes by these very points; a run on them tells no circle, for the points are what is asked about."""
    config = compose("+experiment=basic", "llm=circumplex")

    report = run_on("anchors", Anchors, config, tmp_path / "run", split="emotions")

    assert report.outcomes == {"ok": 7}
    assert next(score for score in report.scores if score.name == "accuracy").value == 1.0


@pytest.mark.parametrize("source", SOURCES)
def test_draws_lie_around_the_published_means(source: str) -> None:
    """Within four standard errors, with the deviations that were asked for."""
    samples = list(Simulated(count=8000, source=source, deviation=[0.1, 0.15]).items())

    for label, (_, *mean) in SOURCES[source].items():
        drawn = points(samples, label)
        assert len(drawn) == 1000
        assert np.abs(drawn.mean(axis=0) - mean).max() < 4 * 0.15 / 1000**0.5
        assert drawn.std(axis=0) == pytest.approx([0.1, 0.15], rel=0.1)


@pytest.mark.parametrize("source", SOURCES)
def test_the_published_counts_are_those_of_800_pictures(source: str) -> None:
    """A misread figure would show."""
    assert sum(count for count, *_ in SOURCES[source].values()) == 800


def test_draws_can_follow_the_published_counts() -> None:
    """Unbalanced: 214 of 800 are neutral in the random set, 24 are fear."""
    counts = Counter(each.truth.labels[0] for each in Simulated(count=8000, balanced=False).items())

    assert counts["neutral"] == pytest.approx(2140, abs=4 * (8000 * 0.2675 * 0.7325) ** 0.5)
    assert counts["fear"] == pytest.approx(240, abs=4 * (8000 * 0.03 * 0.97) ** 0.5)


def test_draws_stay_in_range() -> None:
    """Cut at the borders."""
    samples = list(Simulated(deviation=[2, 2]).items())

    assert max(abs(each.valence) for each in samples) == 1.0
    check_dataset(Simulated(deviation=[2, 2]))


def test_the_seed_decides_the_draws() -> None:
    """The same again with the same seed, others with another."""
    assert list(Simulated(seed=1).items()) == list(Simulated(seed=1).items())
    assert list(Simulated(seed=1).items()) != list(Simulated(seed=2).items())


def test_labels_can_be_chosen() -> None:
    """By a taxonomy's name or as a list, in turn."""
    labels = [each.truth.labels[0] for each in Simulated(count=5, labels=["fear", "neutral"]).items()]

    assert labels == ["fear", "neutral", "fear", "neutral", "fear"]
    assert "contempt" not in {each.truth.labels[0] for each in Simulated(labels="basic7").items()}


def test_simulated_samples_cannot_pass_for_people(compose: Compose, fresh_cache: Path, tmp_path: Path) -> None:
    """Every record and the report say so."""
    config = compose("+experiment=basic", "llm=circumplex")

    report = run_on("simulated", Simulated, config, tmp_path / "run", count=14, labels="basic7")

    assert report.outcomes == {"ok": 14}
    assert report.components["dataset"]["simulated"] == "yes"
    assert all(each.truth.group["simulated"] == "yes" for each in read_records(tmp_path / "run"))
    assert all(each.id.startswith("simulated/") for each in read_records(tmp_path / "run"))


@pytest.mark.parametrize(
    ("factory", "options", "message"),
    [
        (Anchors, {"path": "x"}, "dataset 'anchors' takes no path, found 'x'; leave it out"),
        (Anchors, {"split": "verbs"}, "split 'verbs' is unknown; expected emotions, feelings or null"),
        (Simulated, {"split": "test"}, "dataset 'simulated' takes no split, found 'test'"),
        (Simulated, {"source": "mine"}, "source 'mine' is unknown; expected random or confusing"),
        (Simulated, {"labels": ["peace"]}, "source 'random' has no mean for 'peace'; it has happiness"),
        (Simulated, {"deviation": 0.2}, r"deviation is '0.2'; expected one for valence and one for arousal"),
        (Simulated, {"deviation": [-1, 0]}, "deviation is"),
    ],
)
def test_a_wrong_choice_is_told(factory: type, options: dict[str, Any], message: str) -> None:
    """In one sentence."""
    with pytest.raises(ConfigError, match=message):
        factory(**options)


@pytest.mark.parametrize("options", [{"count": 0}, {"seed": -1}, {"balanced": "yes"}, {"labels": "x"}])
def test_options_of_a_wrong_sort_are_refused(options: dict[str, Any]) -> None:
    """The registry tells which."""
    with pytest.raises((ValueError, TypeError)):
        Simulated(**options)
