"""Checks what Hydra reads and composes before it writes it to disk or builds anything from it.

Hydra 1.3 has no hook for that: its callbacks cannot stop it and are themselves built from the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.sources_registry import SourcesRegistry
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf

from affectlm.errors import ConfigError
from affectlm.secrets import refuse_secrets
from affectlm.store.files import read_yaml

OBJECT = "_target_"  # Hydra's name for a Python object to be called
_SETS_OBJECT = re.compile(rf"^[^=]*\b{OBJECT}\b|[{{,]\s*[\"']?{OBJECT}[\"']?\s*:")
# Hydra's plugins that run a sweep; users choose them by name.
_OWN = re.compile(r"hydra\.(launcher|sweeper)(\..*)?")
_PLUGIN = re.compile(r"(hydra\._internal\.core_plugins|hydra_plugins)\.")


@contextmanager
def watched() -> Iterator[None]:
    """Makes Hydra refuse, while the block runs, YAML files that may never end and forbidden configurations.

    A configuration must not contain a secret or name a Python object.

    Raises:
        ConfigError: Hydra raises it for such a file or configuration.
    """
    source = SourcesRegistry.instance().types["file"]
    compose, read = ConfigLoaderImpl.load_configuration, source.load_config

    def load_configuration(self: ConfigLoaderImpl, *words: Any, **options: Any) -> DictConfig:
        try:
            config = compose(self, *words, **options)
        except RecursionError as error:
            raise ConfigError("the configuration is nested too deeply") from error
        plain = OmegaConf.to_container(config, resolve=False)
        refuse_secrets(plain)
        _refuse_objects(plain)
        return config

    def load_config(self: ConfigSource, config_path: str) -> ConfigResult:
        path = Path(self.path) / self._normalize_file_name(config_path)
        try:
            read_yaml(path)
        except OSError as error:
            raise ConfigError(f"'{path}' cannot be read: {error.strerror}") from error
        return read(self, config_path)

    ConfigLoaderImpl.load_configuration = load_configuration  # type: ignore[method-assign]
    source.load_config = load_config  # type: ignore[method-assign]
    try:
        yield
    finally:
        ConfigLoaderImpl.load_configuration = compose  # type: ignore[method-assign]
        source.load_config = read  # type: ignore[method-assign]


def refuse_object(word: str) -> None:
    """Raises ConfigError if a command-line word sets a Python object."""
    if _SETS_OBJECT.search(word):
        raise _refusal(word.partition("=")[0])


def _refuse_objects(value: object, name: str = "") -> None:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, held in pairs:
        if key == OBJECT and not (_OWN.fullmatch(name) and _PLUGIN.match(str(held))):
            raise _refusal(f"{name}.{key}".lstrip("."))
        _refuse_objects(held, f"{name}.{key}".lstrip("."))


def _refusal(name: str) -> ConfigError:
    return ConfigError(
        f"'{name}' names a Python object, which is not allowed here; choose a component by its name, as in "
        "llm=circumplex"
    )
