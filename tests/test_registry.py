"""Plugins: found, isolated, built; every message says what to type."""

from __future__ import annotations

import sys
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from affectlm.errors import ConfigError, PluginError, UnknownComponentError
from affectlm.offers import KINDS
from affectlm.registry import Registry

GOOD = """
    from affectlm import hookimpl

    @hookimpl
    def affectlm_estimators():
        return {"half": lambda *, scale=0.5: scale, "typed": "NAME.inner:Missing"}
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a plugin module and gives its entry point."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, source: str, entry: str | None = None) -> EntryPoint:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source).replace("NAME", name))
        sys.modules.pop(name, None)
        return EntryPoint(entry or name, name, "affectlm")

    return write


def test_a_component_is_built_by_name_with_its_options(plugin: Any) -> None:
    """A name and options are all a configuration needs."""
    registry = Registry([plugin("plug_good", GOOD)])

    assert registry.build("estimator", {"name": "half", "scale": 0.25}) == 0.25


def test_an_unknown_name_lists_what_is_installed(plugin: Any) -> None:
    """A misspelt name is answered with the nearest one."""
    registry = Registry([plugin("plug_names", GOOD)])

    with pytest.raises(
        UnknownComponentError, match=r"no estimator named 'hulf'; did you mean 'half'\?; installed: half"
    ):
        registry.build("estimator", {"name": "hulf"})


def test_a_wrong_option_lists_the_right_ones(plugin: Any) -> None:
    """A misspelt option is answered with the nearest one."""
    registry = Registry([plugin("plug_options", GOOD)])

    with pytest.raises(ConfigError, match=r"'sclae'; did you mean 'scale'\?; options: scale"):
        registry.build("estimator", {"name": "half", "sclae": 1})


def test_two_plugins_may_offer_one_name_until_it_is_asked_for(plugin: Any) -> None:
    """A clash breaks nothing but the ambiguous name."""
    registry = Registry([plugin("plug_a", GOOD), plugin("plug_b", GOOD.replace("0.5", "0.7"))])

    with pytest.raises(
        UnknownComponentError, match="2 plugins offer the estimator 'half'; write 'plug_a:half' or 'plug_b"
    ):
        registry.build("estimator", {"name": "half"})
    assert registry.build("estimator", {"name": "plug_b:half"}) == 0.7


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_package", "No module named 'no_such_package'"),
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        (GOOD.replace("affectlm_estimators", "affectlm_estimator"), "affectlm_estimators"),
        ("x = 1", "implements no hook"),
        (GOOD.replace('"typed": "NAME.inner:Missing"', '"typed": 3'), "expected a callable or"),
        (GOOD.replace('{"half"', '{"ha lf"'), "expected letters"),
        (
            "from affectlm import hookimpl\n@hookimpl\ndef affectlm_config():\n    return 'no_such_conf'",
            "cannot be found",
        ),
    ],
)
def test_a_broken_plugin_is_kept_with_its_reason_and_the_rest_works(plugin: Any, source: Any, reason: str) -> None:
    """No mistake of one plugin reaches another."""
    points = [plugin("plug_bad", source), plugin("plug_well", GOOD)]

    with pytest.warns(RuntimeWarning, match="plugin 'plug_bad'"):
        registry = Registry(points)

    assert reason in registry.broken[0].error
    assert registry.build("estimator", {"name": "half"}) == 0.5


def test_strict_mode_raises_for_a_broken_plugin(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Developers see the first mistake at once."""
    monkeypatch.setenv("AFFECTLM_STRICT", "1")

    with pytest.raises(PluginError, match="'plug_strict'"):
        Registry([plugin("plug_strict", "1 / 0")])


def test_a_disabled_plugin_is_not_imported(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """AFFECTLM_DISABLED keeps a plugin's code from running."""
    monkeypatch.setenv("AFFECTLM_DISABLED", "other, plug_off")

    registry = Registry([plugin("plug_off", "1 / 0")])

    assert [entry.status for entry in registry.plugins] == ["disabled"]


def test_a_factory_that_cannot_be_imported_is_named_when_asked_for(plugin: Any) -> None:
    """Heavy code is imported late, so its failure names component and string."""
    registry = Registry([plugin("plug_late", GOOD)])

    with pytest.raises(PluginError, match=r"'typed' of plugin 'plug_late' cannot be imported from 'plug_late\.inner"):
        registry.build("estimator", {"name": "typed"})


def test_every_built_in_component_can_be_imported() -> None:
    """No entry of a built-in plugin leads nowhere."""
    registry = Registry.installed()

    assert not registry.broken
    assert all(callable(component.resolve()) for component in registry.components)
    assert {component.kind for component in registry.components} == set(KINDS)


def test_the_hooks_of_readme_and_code_are_the_same() -> None:
    """A hook that nobody documents does not exist for authors."""
    text = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")

    assert [hook for hook in [*KINDS.values(), "affectlm_config", "affectlm_weights"] if f"`{hook}`" not in text] == []


def test_a_plugin_whose_name_is_taken_is_left_out_and_told(plugin: Any) -> None:
    """The first keeps working; the sentence says what to do."""
    first, second = plugin("plug_one", GOOD, entry="same"), plugin("plug_two", GOOD.replace("0.5", "0.9"), entry="same")

    with pytest.warns(RuntimeWarning, match="has a plugin of that name; rename the entry point"):
        registry = Registry([first, second])

    assert registry.build("estimator", {"name": "half"}) == 0.5


def test_a_constructor_that_fails_is_named(plugin: Any) -> None:
    """Whatever it raises, the user reads one sentence."""
    source = GOOD.replace("lambda *, scale=0.5: scale", "lambda: open('/no/such/file')")

    with pytest.raises(ConfigError, match="estimator 'half' cannot be built: FileNotFoundError"):
        Registry([plugin("plug_fail", source)]).build("estimator", {"name": "half"})
