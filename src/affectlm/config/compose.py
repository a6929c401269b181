"""From command-line words to a plain configuration: plus signs, paths, YAML files of plugins, Hydra's compose."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from glob import glob
from importlib.resources import files
from threading import Lock

import yaml
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

from affectlm.config.watched import refuse_object, watched
from affectlm.errors import ConfigError, UnknownWordError
from affectlm.offers import KINDS
from affectlm.registry import OWN_CONFIG, Registry
from affectlm.secrets import refuse_secrets, refuse_word

GROUPS = (*KINDS, "experiment")
PRIMARIES = ("affectlm", "evaluate", "train")  # names of the primary configurations
_PLUS = re.compile(rf"^\+(?=({'|'.join(GROUPS)})(=|$))")
_THRESHOLD = re.compile(r"^\+*fail_under(?=[.=])")  # users may leave out the plus
_CHOICE = re.compile(rf"^({'|'.join(GROUPS)})=(.+)$")
_KEY = re.compile(r"^[+~]*(?:[^=@]*@)?([^=.@/:]+)(?:\.([^=.@/]+))?")  # of group@package, the package is the key
_CLOSED = ("privacy", "perturb")  # sections that allow no other keys; the estimator checks those of `plan`
_OWN_PRIMARY = ("--config-name", "-cn", "--config-path", "-cp")  # flags with which users add their own keys
_FLAGS_WITH_VALUE = (
    *("--config-name", "-cn", "--config-path", "-cp", "--config-dir", "-cd", "--package", "-p", "--cfg", "-c"),
    *("--shell-completion", "-sc"),
)

_composing = Lock()  # Hydra keeps one state for the whole process


class AffectlmSearchPath(SearchPathPlugin):
    """Adds the configuration packages of installed plugins, to affectlm's own applications only."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Appends each plugin's package after affectlm's own."""
        if not any(element.path == f"pkg://{OWN_CONFIG}" for element in search_path.get_path()):
            return
        for plugin, package in Registry.installed().config_packages.items():
            search_path.append(f"affectlm-{plugin}", f"pkg://{package}")


@cache
def keys(name: str = "affectlm") -> Mapping[str, tuple[str, ...]]:
    """The top-level keys of the primary configuration `name`, each with its allowed keys; empty if any is allowed."""
    primary = yaml.safe_load((files(OWN_CONFIG) / f"{name}.yaml").read_text(encoding="utf-8"))
    groups = [key for choice in primary.pop("defaults") if isinstance(choice, dict) for key in choice if "/" not in key]
    del primary["hydra"]
    sections = {key: tuple(held) if key in _CLOSED else () for key, held in primary.items()}
    return {**dict.fromkeys((*groups, "hydra"), ()), **sections}


def prepare(words: Sequence[str], name: str = "affectlm") -> list[str]:
    """Command-line words as Hydra needs them: no plus before a core group, paths as `dataset.path`, no secrets.

    Args:
        words: as typed.
        name: the primary configuration, whose keys may be set.

    Raises:
        UnknownWordError: a word sets a key that does not exist.
        ConfigError: a word contains a secret, or a chosen component is not installed.
    """
    _register_search_path()
    own_keys = any(word.partition("=")[0] in _OWN_PRIMARY for word in words)
    flags: list[str] = []
    overrides: list[str] = []
    paths: list[str] = []
    for word, before in _with_previous(words):
        if _is_bare(word) and before not in _FLAGS_WITH_VALUE:
            paths.append(word)
            continue
        refuse_word(word)
        refuse_object(word)
        if word.startswith("--exp"):  # argparse takes any beginning of --experimental-rerun
            raise ConfigError(f"'{word}' would load a pickled job, which may hold any code; repeat its words")
        if word.startswith("-") or before in _FLAGS_WITH_VALUE:
            flags.append("--info=all" if word in ("--info", "-i") else word)
        else:
            if not own_keys:
                _refuse_unknown_key(word, name)
            overrides += _override(_THRESHOLD.sub("++fail_under", _PLUS.sub("", word)))
    if paths:
        overrides.append(f"dataset.path=[{','.join(_quoted(path) for path in paths)}]")
    return [*flags, *overrides]  # flags first: Hydra's parser needs all overrides together


def _refuse_unknown_key(word: str, name: str) -> None:
    """Raises UnknownWordError if a word sets a key that nothing reads."""
    found = _KEY.match(word)
    if found is None:
        return
    key, held = found.groups()
    known = keys(name)
    if key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        hint = (
            f"did you mean '{close[0]}{word[found.start(1) + len(key) :]}'?" if close else f"known: {', '.join(known)}"
        )
        raise UnknownWordError(f"there is no setting or group '{key}'; {hint}")
    if held and known[key] and held not in known[key]:
        raise UnknownWordError(f"'{key}' has no setting '{held}'; known: {', '.join(known[key])}")


def _override(word: str) -> list[str]:
    """The override as Hydra needs it, checked; empty if it chooses nothing."""
    group, _, value = word.partition("=")
    if group == "experiment" and value == "null":
        return []
    if word in ("metric=null", "~metric"):
        return ["metric=[]"]
    if group in KINDS and value == "null":
        raise ConfigError(f"a run needs a {group}; choices: {', '.join(Registry.installed().files(group))}")
    _check_choice(word)
    return [word]


def bare_words(words: Sequence[str]) -> list[str]:
    """The words that are not an override, a flag or the value of a flag, so they should be paths."""
    return [word for word, before in _with_previous(words) if _is_bare(word) and before not in _FLAGS_WITH_VALUE]


def _with_previous(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(words, ["", *words], strict=False)


def _is_bare(word: str) -> bool:
    """Whether a word is meant as a path: not a flag, and not an override unless it names a file and no key of ours."""
    if word.startswith("-"):
        return False
    if "=" not in word:
        return not word.startswith("~") or is_path(word)
    first = re.split(r"[.=]", word.lstrip("+~"), maxsplit=1)[0]
    return not any(first in keys(name) for name in PRIMARIES) and is_path(word)


def is_path(word: str) -> bool:
    """Whether a word names an existing file or folder, as a path or a pattern."""
    return os.path.exists(os.path.expanduser(word)) or bool(set(word) & set("*?[") and glob(word, recursive=True))


def compose(words: Sequence[str], name: str = "affectlm") -> DictConfig:
    """The configuration that the command line would use; works inside another Hydra application too.

    Raises:
        ConfigError: a choice, option or value cannot be used.
    """
    if flags := [word for word in words if word.startswith("-")]:
        raise ConfigError(f"'{flags[0]}' is a flag of the command line; expected overrides such as llm=circumplex")
    overrides = [word for word in prepare(words, name) if not word.startswith("hydra.")]
    with _composing, _no_global_hydra(), watched():
        try:
            with initialize_config_module(OWN_CONFIG, version_base="1.3"):
                return hydra_compose(name, overrides=overrides)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(" ".join(str(error).split())) from error


def to_plain(config: DictConfig) -> dict[str, object]:
    """The configuration as plain dicts and lists with all references resolved.

    Raises:
        ConfigError: a value is missing, refers to nothing, is not a finite number, or is a secret.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(" ".join(str(error).split())) from error
    assert isinstance(plain, dict)  # noqa: S101  # a DictConfig gives a dict
    refuse_secrets(plain)
    if name := _not_finite(plain):
        raise ConfigError(f"'{name}' is not a finite number; expected one")
    return {str(key): value for key, value in plain.items()}


def _not_finite(value: object, name: str = "") -> str:
    """The place of the first infinity or NaN in a value, with dots; empty if there is none."""
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
    known = Registry.installed().files(group)
    for name in (part.strip() for part in value.strip("[]").split(",")):
        if name and name not in known:
            raise ConfigError(_unknown_choice(group, name, known))


def _unknown_choice(group: str, name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{group}={close[0]}'? " if close else ""
    registry = Registry.installed()
    if group in KINDS and name in registry.names(group):
        hint = f"a plugin offers it, but there is no YAML file '{group}/{name}.yaml'; "
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
    """Puts another application's Hydra state aside while the block runs."""
    state = Singleton._instances.pop(GlobalHydra, None)
    try:
        yield
    finally:
        Singleton._instances.pop(GlobalHydra, None)
        if state is not None:
            Singleton._instances[GlobalHydra] = state
