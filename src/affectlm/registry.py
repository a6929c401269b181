"""Finds plugins by their entry points and builds the components they offer.

A plugin that cannot be loaded is kept with the reason and the others work; nothing depends on the loading order.
"""

from __future__ import annotations

import difflib
import inspect
import os
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from typing import TYPE_CHECKING

import attrs

from affectlm.errors import AffectlmError, AffectlmWarning, ConfigError, PluginError, UnknownComponentError
from affectlm.offers import Component, ask

if TYPE_CHECKING:
    from affectlm.weights.named import Weights

OWN_CONFIG = "affectlm.conf"  # the package with affectlm's own YAML files
# Keys of a section that the core reads; the others are the component's options.
CORE_KEYS: Mapping[str, tuple[str, ...]] = {"dataset": ("va", "limit")}
_REGISTRY = "registry"  # a factory with a parameter of this name gets the registry that builds


@attrs.frozen
class Plugin:
    """One entry point in the group `affectlm`, loaded or not."""

    name: str
    distribution: str
    version: str
    status: str = "ok"  # ok, broken, disabled
    error: str = ""


class Registry:
    """The plugins of this environment and the components they offer."""

    def __init__(self, points: Sequence[EntryPoint]) -> None:
        self.plugins: list[Plugin] = []
        self.components: list[Component] = []
        self.config_packages: dict[str, str] = {}  # plugin -> package
        self.weights: dict[str, Weights] = {}
        disabled = {name.strip() for name in os.environ.get("AFFECTLM_DISABLED", "").split(",")}
        # If a name is taken twice, affectlm's own plugin keeps it.
        for point in sorted(points, key=lambda point: (_distribution(point) != "affectlm", point.name, point.value)):
            self._load(point, disabled=point.name in disabled)

    @classmethod
    def installed(cls) -> Registry:
        """The registry of the installed plugins, built once."""
        return _installed()

    @property
    def broken(self) -> list[Plugin]:
        """The plugins that could not be loaded, with the reason in `error`."""
        return [plugin for plugin in self.plugins if plugin.status == "broken"]

    @property
    def absent(self) -> list[str]:
        """A sentence per broken or disabled plugin, for messages about what cannot be found."""
        return [
            f"plugin '{plugin.name}' is {plugin.status} ({plugin.error})"
            for plugin in self.plugins
            if plugin.status != "ok"
        ]

    def names(self, kind: str) -> list[str]:
        """The names of all components of a kind, sorted."""
        return sorted({component.name for component in self.components if component.kind == kind})

    def files(self, group: str) -> list[str]:
        """The names of a group's YAML files, affectlm's own and those of plugins, sorted."""
        found = set()
        for package in (OWN_CONFIG, *self.config_packages.values()):
            folder = files(package) / group
            if folder.is_dir():
                found |= {
                    entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
                }
        return sorted(found)

    def find(self, kind: str, name: str) -> Component:
        """The component of a kind by `name` or `plugin:name`.

        Raises:
            UnknownComponentError: nothing has that name, or two plugins offer it.
        """
        plugin, _, bare = name.rpartition(":")
        found = [
            component
            for component in self.components
            if component.kind == kind and component.name == bare and plugin in ("", component.plugin)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            ways = " or ".join(f"'{component.plugin}:{component.name}'" for component in found)
            raise UnknownComponentError(f"{len(found)} plugins offer the {kind} '{name}'; write {ways}")
        raise UnknownComponentError(f"no {kind} named '{name}'; {self._suggest(kind, bare)}")

    def origin(self, kind: str, name: str) -> str:
        """Distribution and version of the plugin that offers a component: "affectlm 1.0.0"; raises like `find`."""
        plugin = self.find(kind, name).plugin
        return ", ".join(f"{each.distribution} {each.version}" for each in self.plugins if each.name == plugin)

    def build(self, kind: str, config: Mapping[str, object]) -> object:
        """A component built from its configuration, `name` and options; keys that the core reads are left out.

        A factory with a parameter `registry` gets this registry, to build other components with.

        Raises:
            UnknownComponentError: there is no such component, or two plugins offer it.
            ConfigError: an option is unknown, missing or has a wrong value.
        """
        options = {key: value for key, value in config.items() if key not in ("name", *CORE_KEYS.get(kind, ()))}
        if "name" not in config:
            raise ConfigError(f"{kind} needs a 'name'; installed: {', '.join(self.names(kind))}")
        component = self.find(kind, str(config["name"]))
        factory = component.resolve()
        parameters = check_options(component, factory, options)
        given = {_REGISTRY: self} if _REGISTRY in parameters else {}
        try:
            return factory(**options, **given)
        except AffectlmError:
            raise
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{kind} '{component.name}': {error.args[0] if error.args else error}") from error
        except Exception as error:  # a failing plugin must end in one sentence that names it
            raise ConfigError(f"{kind} '{component.name}' cannot be built: {type(error).__name__}: {error}") from error

    def _suggest(self, kind: str, name: str) -> str:
        names = self.names(kind)
        hint = closest(name, names).removeprefix("; ")
        return "; ".join([*([hint] if hint else []), f"installed: {', '.join(names) or 'none'}", *self.absent])

    def _load(self, point: EntryPoint, *, disabled: bool) -> None:
        dist = point.dist
        known = (point.name, dist.name if dist else "", dist.version if dist else "")
        if disabled:
            self.plugins.append(Plugin(*known, status="disabled", error="named in AFFECTLM_DISABLED"))
            return
        try:
            for plugin in self.plugins:
                if plugin.name == point.name and plugin.status == "ok":
                    raise PluginError(
                        f"'{plugin.distribution}' has a plugin of that name; rename the entry point, or uninstall one"
                    )
            offer = ask(point)
            if taken := [weights.name for weights in offer.weights if weights.name in self.weights]:
                raise PluginError(f"another plugin already has weights named '{taken[0]}'")
        except Exception as error:  # an error in one plugin must not stop the others
            reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            if os.environ.get("AFFECTLM_STRICT") == "1":
                raise PluginError(f"plugin '{point.name}' ({known[1]}) cannot be loaded: {reason}") from error
            warnings.warn(f"plugin '{point.name}' ({known[1]}) is left out: {reason}", AffectlmWarning, stacklevel=2)
            self.plugins.append(Plugin(*known, status="broken", error=reason))
            return
        self.plugins.append(Plugin(*known))
        self.components += offer.components
        if offer.config:
            self.config_packages[point.name] = offer.config
        self.weights |= {weights.name: weights for weights in offer.weights}


def check_options(
    component: Component, factory: Callable[..., object], options: Mapping[str, object]
) -> Collection[str]:
    """The names of a factory's parameters; raises ConfigError unless the options fit them."""
    signature = inspect.signature(factory)
    known = [name for name in signature.parameters if not name.startswith("_") and name != _REGISTRY]
    try:
        if _REGISTRY in options:
            raise TypeError(f"got an unexpected keyword argument '{_REGISTRY}'")
        signature.bind(**options)
    except TypeError as error:
        wrong = [name for name in options if name not in known]
        hint = closest(wrong[0], known) if wrong else ""
        raise ConfigError(
            f"{component.kind} '{component.name}': {error}{hint}; options: {', '.join(known) or 'none'}"
        ) from error
    return signature.parameters


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""


@cache
def _installed() -> Registry:
    return Registry(list(entry_points(group="affectlm")))


def closest(name: str, names: Sequence[str]) -> str:
    """A hint for the end of a message, "; did you mean 'X'?"; empty if no name is similar."""
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
