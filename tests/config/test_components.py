"""Components of any job: built by the registry that was given, told apart by their options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import attrs
import pytest

from affectlm.config.components import Components
from affectlm.config.compose import compose, to_plain
from affectlm.config.settings import EvaluateSettings, RunSettings, settings
from affectlm.errors import ConfigError
from affectlm.jobs.run import run
from affectlm.offers import Component
from affectlm.registry import Registry
from affectlm.store.records import read_records
from affectlm.types import Sample, Truth


@attrs.frozen
class Outside:
    """An adapter of somebody else, whose provider answers."""

    provider: str = "a"
    timeout: float = 1.0

    def complete(self, requests: object) -> Iterator[object]:
        return iter(())


@attrs.frozen
class Told(Outside):
    """One that says what changes its speed only."""

    speed_options: ClassVar[tuple[str, ...]] = ("timeout",)


def registry_with(*components: Component) -> Registry:
    """The installed components, but for those of these kinds and names."""
    registry = Registry([])
    taken = {(each.kind, each.name) for each in components}
    installed = Registry.installed()
    registry.plugins = [*installed.plugins]
    registry.components = [*components, *(c for c in installed.components if (c.kind, c.name) not in taken)]
    return registry


def key(factory: Callable[..., object], **options: object) -> object:
    registry = registry_with(Component("llm", "outside", "other", factory))
    components = Components(config={"llm": {"name": "outside", **options}}, registry=registry)
    return components.identity("llm", components.build("llm"))


def test_every_option_tells_answers_apart_unless_its_component_says_otherwise() -> None:
    """Another provider's replies must not be taken for this one's."""
    assert key(Outside, provider="a") != key(Outside, provider="b")
    assert key(Outside, timeout=1.0) != key(Outside, timeout=2.0)
    assert key(Told, timeout=1.0) == key(Told, timeout=2.0)
    assert key(Told, provider="a") != key(Told, provider="b")


def test_what_lies_in_an_option_counts_whatever_it_is_called() -> None:
    """OpenRouter's extra_body.provider chooses who answers."""

    def build(**options: object) -> Told:
        return Told()

    assert key(build, extra_body={"timeout": 1}) != key(build, extra_body={"timeout": 2})


class OneExample:
    """A dataset of one happy face."""

    def items(self) -> Iterator[Sample]:
        yield Sample("mine", 0.5, 0.5, truth=Truth(labels=("happiness",), valence=0.5, arousal=0.5))


def test_a_run_builds_everything_by_the_registry_it_was_given(tmp_path: Path) -> None:
    """Examples of a prompt and members of an ensemble are components too."""
    registry = registry_with(
        Component("dataset", "mine", "other", OneExample),
        Component("estimator", "constant", "other", lambda **_: pytest.fail("another registry's was built")),
    )
    words = ["dataset=anchors", "llm=scripted", "prompt=categories", "prompt.shots=1", "prompt.examples={name: mine}"]

    run(to_plain(compose([*words, "dataset.va=truth"])), tmp_path, registry=registry)

    assert "happiness" in (next(read_records(tmp_path)).prompt or "")
    config = to_plain(compose(["estimator=ensemble", "estimator.members=[{name: constant}]"]))
    with pytest.raises(pytest.fail.Exception, match="another registry's"):
        Components(config=config, registry=registry).build("estimator")


def test_the_registry_is_no_option() -> None:
    """It is given by who builds, never by a configuration."""
    with pytest.raises(ConfigError, match="unexpected keyword argument 'registry'"):
        Registry.installed().build("estimator", {"name": "ensemble", "members": [{"name": "constant"}], "registry": 1})


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (["batch_size=0"], RunSettings, "batch_size=0 does not fit; expected a whole number, 1 or more"),
        (["dataset.limit=-1"], RunSettings, r"dataset\.limit=-1 does not fit; expected a whole number, 0 or more"),
        (["privacy.send_images=1"], RunSettings, r"privacy\.send_images=1 does not fit; expected true or false"),
        (["explain=true", "dataset.va=truth"], RunSettings, "explain=true needs faces, but dataset.va=truth"),
        (["dataset.va=truth"], EvaluateSettings, "dataset.va=truth leaves nothing to measure"),
        (["dataset.limit=0"], EvaluateSettings, r"dataset\.limit=0 does not fit; expected a whole number, 1 or more"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_by_its_key(words: list[str], kind: type, message: str) -> None:
    """As it is typed, dots included."""
    name = "evaluate" if kind is EvaluateSettings else "affectlm"

    with pytest.raises(ConfigError, match=message):
        settings(to_plain(compose(words, name)), kind)
