"""The command line's words: plus or no plus, paths, secrets, and YAML files that all compose."""

from __future__ import annotations

import inspect
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir

from affectlm.config import compose as config
from affectlm.errors import ConfigError, UnknownWordError
from affectlm.offers import KINDS
from affectlm.registry import Registry, check_options
from tests.conftest import Compose

NAMES = ("a b.png", "it's, [so].png", "größe{1}.png", "x${seed}=y.png", "tok_key=1.png")
EVERY_CHOICE = [(group, name) for group in config.GROUPS for name in Registry.installed().files(group)]


def test_a_core_group_may_be_written_with_and_without_plus(compose: Compose) -> None:
    """Users type both."""
    assert compose("+llm=circumplex") == compose("llm=circumplex")


def test_other_additions_keep_their_plus() -> None:
    """Only core groups are in the defaults list."""
    assert config.prepare(["+llm.note=1", "+llm=circumplex"]) == ["+llm.note=1", "llm=circumplex"]


def test_the_keys_of_a_users_own_primary_configuration_are_theirs(tmp_path: Path) -> None:
    """Whoever writes one may use keys of their own to refer to."""
    assert config.prepare(["--config-name", "mine", "photos_root=a"]) == ["--config-name", "mine", "photos_root=a"]


def test_a_plan_of_training_may_hold_an_estimators_own_keys() -> None:
    """Whether they fit is the estimator's to say."""
    assert config.prepare(["+plan.warm_start=1"], "train") == ["+plan.warm_start=1"]


@pytest.mark.parametrize("word", ["--experimental-rerun", "--exp", "--experimental-rerun=job.pickle"])
def test_a_pickled_job_is_not_loaded(word: str) -> None:
    """Nothing is ever unpickled."""
    with pytest.raises(ConfigError, match="pickled job"):
        config.prepare([word, "job.pickle"])


def test_a_group_that_is_put_elsewhere_is_known_by_its_place() -> None:
    """`group@package` sets the package's key."""
    with pytest.raises(UnknownWordError, match="no setting or group 'foo'"):
        config.prepare(["+llm@foo=circumplex"])


def test_words_that_exist_on_disk_become_the_dataset_path(tmp_path: Path, compose: Compose) -> None:
    """Spaces, quotes, commas and umlauts survive Hydra's grammar."""
    paths = [tmp_path / name for name in NAMES]
    for path in paths:
        path.touch()

    found = compose(*(str(path) for path in paths))["dataset"]

    assert found["path"] == [str(path) for path in paths]


def test_an_unknown_choice_names_the_nearest_and_all() -> None:
    """One sentence says what to type."""
    with pytest.raises(ConfigError, match=r"no estimator named 'facechanell'; did you mean 'estimator=facechannel'\?"):
        config.prepare(["+estimator=facechanell"])


def test_an_unknown_key_is_one_line(compose: Compose) -> None:
    """Hydra's own message, on one line."""
    with pytest.raises(ConfigError, match="nonsense") as caught:
        compose("nonsense=1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("group", "name"), EVERY_CHOICE)
def test_every_yaml_file_composes_and_its_options_bind(group: Any, name: Any, compose: Compose) -> None:
    """A file that names nothing, or an option nobody has, would fail at the user's."""
    words = [f"{group}={name}"] + (["dataset.path=x"] if name == "ferplus" else [])
    section = compose(*words)[group] if group != "experiment" else None
    if section is None:
        return
    registry = Registry.installed()
    for options in section.values() if group == "metric" else [section]:
        component = registry.find(group, options["name"])
        given = {key: value for key, value in options.items() if key not in ("name", "va", "limit")}
        check_options(component, component.resolve(), given)


@pytest.mark.parametrize("name", [name for group, name in EVERY_CHOICE if group == "llm"])
def test_every_option_of_a_language_model_stands_in_its_yaml_files(name: Any, compose: Compose) -> None:
    """Hydra takes no word for a key that is not there."""
    section = compose(f"llm={name}")["llm"]
    made = Registry.installed().find("llm", section["name"]).resolve()

    assert set(inspect.signature(made).parameters) <= set(section)


@pytest.mark.parametrize(("name", "body"), [("openai", {"top_k": 1}), ("llamacpp_server", {"repeat_penalty": 1.0})])
def test_further_parameters_of_a_service_may_be_typed(name: str, body: dict[str, Any], compose: Compose) -> None:
    """Where a preset has none, a mapping takes the place of null."""
    [(parameter, value)] = body.items()

    assert compose(f"llm={name}", f"llm.extra_body={{{parameter}: {value}}}")["llm"]["extra_body"] == body


def test_every_component_has_a_yaml_file() -> None:
    """What a plugin offers can be typed."""
    registry = Registry.installed()
    named = {(group, name) for group, name in EVERY_CHOICE}

    missing = [(kind, name) for kind in KINDS for name in registry.names(kind) if (kind, name) not in named]

    assert missing == []


def test_every_dataset_and_llm_file_has_the_keys_of_the_contract(compose: Compose) -> None:
    """Scripts rely on them."""
    for name in Registry.installed().files("dataset"):
        words = ["dataset.path=x"] if name == "ferplus" else []
        assert {"path", "split", "limit", "va"} <= set(compose(f"dataset={name}", *words)["dataset"])
    for name in Registry.installed().files("llm"):
        assert "model" in compose(f"llm={name}")["llm"]


def test_no_yaml_file_names_a_python_object() -> None:
    """A configuration is data."""
    texts = [path.read_text() for path in Path(str(files("affectlm.conf"))).rglob("*.yaml")]

    assert texts
    assert not [text for text in texts if "_target_" in text]


def test_composing_inside_another_hydra_application_leaves_it_alone(tmp_path: Path, compose: Compose) -> None:
    """An embedding program may use Hydra itself."""
    (tmp_path / "mine.yaml").write_text("a: 1")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        compose("llm=circumplex")

        assert hydra_compose("mine") == {"a": 1}


@pytest.mark.parametrize("word", ["experiment=null", "+experiment=null", "metric=null", "~metric", "metric=[]"])
def test_nothing_may_be_chosen_where_nothing_is_needed(compose: Compose, word: str) -> None:
    """Scripts set a group to null to switch it off."""
    assert bool(compose(word).get("metric")) == ("experiment" in word)


def test_a_needed_group_cannot_be_null() -> None:
    """One sentence instead of Hydra's."""
    with pytest.raises(ConfigError, match="a run needs a llm; choices: anthropic, circumplex"):
        config.prepare(["llm=null"])


def test_thresholds_may_be_written_one_by_one_or_together(compose: Compose) -> None:
    """As in the contract: fail_under: {accuracy: 0.4}."""
    assert compose("fail_under.accuracy=0.4")["fail_under"] == {"accuracy": 0.4}
    assert compose("fail_under={accuracy: 0.4}")["fail_under"] == {"accuracy": 0.4}


@pytest.mark.parametrize(
    ("words", "style"),
    [
        ([], "words"),
        (["style=both"], "both"),
        (["style=both", "prompt.style=numbers"], "numbers"),
        *(([f"+experiment={name}"], "numbers") for name in ("basic", "complex", "description")),
        (["+experiment=basic", "style=words"], "words"),
    ],
)
def test_the_study_asks_in_numbers_and_any_other_run_in_words(words: list[str], style: str, compose: Compose) -> None:
    """One key sets the style of the run's prompt; the prompt's own option is nearer to it."""
    assert compose(*words)["prompt"]["style"] == style


def test_the_basic_experiment_asks_for_seven_labels(compose: Compose) -> None:
    """A preset chooses groups and sets top-level keys."""
    plain = compose("+experiment=basic", "style=both")

    assert (plain["prompt"]["name"], plain["prompt"]["style"], plain["labels"]) == ("categories", "both", "basic7")
    assert set(plain["metric"]) == {"accuracy", "classification", "unmapped", "ccc"}


def test_the_complex_experiment_asks_for_what_it_scores(compose: Compose) -> None:
    """Its metric compares sets of labels."""
    plain = compose("+experiment=complex")

    assert (plain["prompt"]["name"], plain["prompt"]["several"]) == ("categories", True)
    assert "multilabel" in plain["metric"]
    assert compose("prompt=multilabel")["prompt"] == compose("prompt=categories")["prompt"] | {"several": True}


def test_info_needs_no_value() -> None:
    """Flags go first, for Hydra's parser."""
    assert config.prepare(["llm=circumplex", "--info"]) == ["--info=all", "llm=circumplex"]
