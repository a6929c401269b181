"""From words on a command line to a plain configuration: plus signs, paths, outside packages' YAML, Hydra's compose."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import glob
from threading import Lock

import attrs
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from affectlm.errors import ConfigError
from affectlm.registry import KINDS, OWN_CONFIG, Registry
from affectlm.settings import Settings

GROUPS = (*KINDS, "experiment")
_PLUS = re.compile(rf"^\+(?=({'|'.join(GROUPS)})(=|$))")
_THRESHOLD = re.compile(r"^\+*fail_under(?=[.=])")  # the contract writes no plus
_CHOICE = re.compile(rf"^({'|'.join(GROUPS)})=(.+)$")
_KEYS = ("hydra", "labels", "privacy", "perturb", "plan", *(field.name for field in attrs.fields(Settings)))
_FLAGS_WITH_VALUE = (
    *("--config-name", "-cn", "--config-path", "-cp", "--config-dir", "-cd", "--package", "-p", "--cfg", "-c"),
    *("--shell-completion", "-sc", "--experimental-rerun"),
)
_SENSITIVE = r"(api[_-]?key|key|token|secret|password)"
_SECRET = re.compile(rf"^[^=]*\b{_SENSITIVE}=|[{{,]\s*{_SENSITIVE}\s*:|=\W*https?://[^/\s]+@", re.IGNORECASE)


_composing = Lock()  # Hydra keeps one state for the whole process


class AffectlmSearchPath(SearchPathPlugin):
    """Adds the configuration packages of installed plugins, to affectlm's own applications only."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Appends each plugin's package after affectlm's own."""
        if not any(element.path == f"pkg://{OWN_CONFIG}" for element in search_path.get_path()):
            return
        for plugin, package in Registry.installed().config_packages.items():
            search_path.append(f"affectlm-{plugin}", f"pkg://{package}")


def prepare(words: Sequence[str]) -> list[str]:
    """Command-line words as Hydra wants them: no plus before a core group, paths as `dataset.path`, no secrets.

    Raises:
        ConfigError: a key was given on the command line, or a choice is not installed.
    """
    _register_search_path()
    flags: list[str] = []
    overrides: list[str] = []
    paths: list[str] = []
    for word, before in _with_previous(words):
        if _is_bare(word) and before not in _FLAGS_WITH_VALUE:
            paths.append(word)
            continue
        if _SECRET.search(word):
            name = word.split("=", 1)[0]
            raise ConfigError(
                f"'{name}' on the command line would be written to disk; set the variable OPENAI_API_KEY, HF_TOKEN or "
                "<PROVIDER>_API_KEY in the environment instead"
            )
        if word.startswith("-") or before in _FLAGS_WITH_VALUE:
            flags.append("--info=all" if word in ("--info", "-i") else word)
        else:
            overrides += _override(_THRESHOLD.sub("++fail_under", _PLUS.sub("", word)))
    if paths:
        overrides.append(f"dataset.path=[{','.join(_quoted(path) for path in paths)}]")
    return [*flags, *overrides]  # flags first: Hydra's parser takes its overrides in one piece


def _override(word: str) -> list[str]:
    """The override as Hydra can take it: nothing where there is nothing to choose, checked where there is."""
    group, _, value = word.partition("=")
    if group == "experiment" and value == "null":
        return []
    if word in ("metric=null", "~metric"):
        return ["metric=[]"]
    if group in KINDS and value == "null":
        raise ConfigError(f"a run needs a {group}; choices: {', '.join(Registry.installed().choices(group))}")
    _check_choice(word)
    return [word]


def bare_words(words: Sequence[str]) -> list[str]:
    """The words that are no override, no flag and no value of a flag: paths, if anything."""
    return [word for word, before in _with_previous(words) if _is_bare(word) and before not in _FLAGS_WITH_VALUE]


def _with_previous(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(words, ["", *words], strict=False)


def _is_bare(word: str) -> bool:
    """Whether a word is meant as a path: no flag, and no override unless it names a file and no key of ours."""
    if word.startswith("-"):
        return False
    if "=" not in word:
        return not word.startswith("~") or is_path(word)
    first = re.split(r"[.=]", word.lstrip("+~"), maxsplit=1)[0]
    return first not in (*GROUPS, *_KEYS) and is_path(word)


def is_path(word: str) -> bool:
    """Whether a word names something on disk, as a path or as a pattern."""
    return os.path.exists(os.path.expanduser(word)) or bool(set(word) & set("*?[") and glob(word, recursive=True))


def compose(words: Sequence[str], name: str = "affectlm") -> DictConfig:
    """The configuration that the command line would get, also inside another Hydra application.

    Raises:
        ConfigError: a choice, option or value cannot be used.
    """
    if flags := [word for word in words if word.startswith("-")]:
        raise ConfigError(f"'{flags[0]}' is a flag of the command line; expected overrides such as llm=circumplex")
    overrides = [word for word in prepare(words) if not word.startswith("hydra.")]
    with _composing, _no_global_hydra():
        try:
            with initialize_config_module(OWN_CONFIG, version_base="1.3"):
                return hydra_compose(name, overrides=overrides)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(" ".join(str(error).split())) from error


def to_plain(config: DictConfig) -> dict[str, object]:
    """The configuration as plain dicts and lists, everything resolved.

    Raises:
        ConfigError: a value is missing, refers to nothing or is no finite number.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(" ".join(str(error).split())) from error
    assert isinstance(plain, dict)  # noqa: S101  # a DictConfig gives a dict
    if name := _not_finite(plain):
        raise ConfigError(f"'{name}' is no finite number, which nothing here can be set to")
    return {str(key): value for key, value in plain.items()}


def _not_finite(value: object, name: str = "") -> str:
    """The first place below a value that holds infinity or no number, with dots; empty where there is none."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else name
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((found for key, held in pairs if (found := _not_finite(held, f"{name}.{key}".lstrip(".")))), "")


def _check_choice(word: str) -> None:
    match = _CHOICE.match(word)
    if not match:
        return
    group, value = match.groups()
    if value in ("null", "''") or not re.fullmatch(r"\[?[\w:, /-]+\]?", value):
        return
    known = Registry.installed().choices(group)
    for name in (part.strip() for part in value.strip("[]").split(",")):
        if name and name not in known:
            raise ConfigError(_unknown_choice(group, name, known))


def _unknown_choice(group: str, name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{group}={close[0]}'? " if close else ""
    registry = Registry.installed()
    if group in KINDS and name in registry.names(group):
        hint = f"a plugin offers it, but no YAML file '{group}/{name}.yaml' does; "
    return "; ".join([f"no {group} named '{name}'; {hint}installed: {', '.join(known) or 'none'}", *registry.absent])


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"'{escaped}'"


def _register_search_path() -> None:
    plugins = Plugins.instance()
    if AffectlmSearchPath not in plugins.discover(SearchPathPlugin):
        plugins.register(AffectlmSearchPath)


@contextmanager
def _no_global_hydra() -> Iterator[None]:
    """Puts another application's Hydra aside while we compose."""
    state = Singleton._instances.pop(GlobalHydra, None)
    try:
        yield
    finally:
        Singleton._instances.pop(GlobalHydra, None)
        if state is not None:
            Singleton._instances[GlobalHydra] = state
