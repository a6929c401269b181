"""What one plugin offers: its hooks are called once, and what they return is checked."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from typing import TYPE_CHECKING

import attrs
import pluggy

from affectlm import hooks
from affectlm.errors import PluginError

if TYPE_CHECKING:
    from affectlm.hooks import Factory
    from affectlm.weights import Weights

KINDS = {
    "dataset": "affectlm_datasets",
    "detector": "affectlm_detectors",
    "estimator": "affectlm_estimators",
    "llm": "affectlm_llms",
    "prompt": "affectlm_prompts",
    "metric": "affectlm_metrics",
}


@attrs.frozen
class Component:
    """Something a plugin offers."""

    kind: str
    name: str
    plugin: str
    factory: Factory = attrs.field(repr=False)

    def resolve(self) -> Callable[..., object]:
        """The callable that builds it, imported now.

        Raises:
            PluginError: its module cannot be imported, or has no such name.
        """
        if not isinstance(self.factory, str):
            return self.factory
        module, _, attribute = self.factory.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except Exception as error:
            raise PluginError(
                f"{self.kind} '{self.name}' of plugin '{self.plugin}' cannot be imported from '{self.factory}': "
                f"{type(error).__name__}: {error}"
            ) from error
        if not callable(found):
            raise PluginError(f"{self.kind} '{self.name}' of plugin '{self.plugin}': '{self.factory}' is not callable")
        return found  # type: ignore[no-any-return]


@attrs.define
class Offer:
    """What one plugin's hooks returned."""

    components: list[Component] = attrs.field(factory=list)
    config: str | None = None
    weights: list[Weights] = attrs.field(factory=list)


def ask(point: EntryPoint) -> Offer:
    """What the hooks of one plugin return; a manager of its own keeps its mistakes to itself."""
    manager = pluggy.PluginManager("affectlm")
    manager.add_hookspecs(hooks)
    module = point.load()
    manager.register(module, name=point.name)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{error.args[-1] if error.args else error}; hooks: {', '.join(_hook_names())}") from error
    if not manager.get_hookcallers(module):
        raise PluginError(f"it implements no hook; hooks: {', '.join(_hook_names())}")
    offer = Offer()
    for kind, hook in KINDS.items():
        for factories in getattr(manager.hook, hook)():
            offer.components += [_component(kind, name, point.name, factory) for name, factory in factories.items()]
    for package in manager.hook.affectlm_config():
        offer.config = _checked_package(package)
    for weights in manager.hook.affectlm_weights():
        offer.weights += weights
    return offer


def _component(kind: str, name: object, plugin: str, factory: object) -> Component:
    if not isinstance(name, str) or not name.replace("_", "").replace("-", "").isalnum():
        raise PluginError(f"a {kind} is named {name!r}; expected letters, digits, '_' and '-'")
    if not callable(factory) and not (isinstance(factory, str) and factory.count(":") == 1):
        raise PluginError(f"{kind} '{name}' is {factory!r}; expected a callable or 'package.module:Class'")
    return Component(kind, name, plugin, factory)


def _checked_package(package: object) -> str:
    # Hydra ignores a missing package silently and crashes on one without __init__.py.
    if not isinstance(package, str):
        raise PluginError(f"affectlm_config returned {package!r}; expected the name of a package")
    spec = find_spec(package)
    if spec is None:
        raise PluginError(f"its configuration package '{package}' cannot be found")
    if spec.origin is None:
        raise PluginError(f"its configuration package '{package}' has no __init__.py")
    return package


def _hook_names() -> list[str]:
    return sorted(name for name in vars(hooks) if name.startswith("affectlm_"))
