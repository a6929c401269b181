"""The `affectlm` command: chooses the subcommand and the exit status.

A subcommand is a module with `USAGE` and `HELP` for the list of commands, and `run`, from words to the exit status. It
imports heavy modules only inside `run`, so that other subcommands start quickly.
"""

from __future__ import annotations

import difflib
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from affectlm import __version__
from affectlm.cli import cache, compare, demo, doctor, evaluate, plugins, report, run, train, weights
from affectlm.errors import AffectlmError, AffectlmWarning, UnknownWordError
from affectlm.text import printable

_MODULES = (demo, train, evaluate, report, compare, plugins, weights, cache, doctor)
SUBCOMMANDS: dict[str, ModuleType] = {module.__name__.rpartition(".")[2]: module for module in _MODULES}
_HELP = """\
affectlm: what do language models understand of a face from its valence and arousal?

{commands}

Choices (group=choice):
{choices}

Settings (key=value), with their defaults:
{settings}

`affectlm llm=llama3 --cfg job` shows every option of a run, `affectlm --hydra-help` explains sweeps and overrides.
Exit status: 0 done, 1 error, 2 unknown argument, 3 a fail_under threshold was missed, 130 interrupted.
"""
# Libraries that print without Python's loggers; each reads its variable on import.
_QUIET = {
    "HF_HUB_VERBOSITY": "error",
    "OPENCV_LOG_LEVEL": "ERROR",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "TRANSFORMERS_VERBOSITY": "error",
}


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Runs the command and exits: 0 done, 1 error, 2 unknown argument, 3 a threshold missed, 130 interrupted."""
    words = list(sys.argv[1:] if words is None else words)
    _end_as_by_ctrl_c()
    _silence_libraries()
    try:
        status = _dispatch(words)
    except AffectlmError as error:
        sys.stderr.write(f"affectlm: {printable(str(error))}\n")
        status = 2 if isinstance(error, UnknownWordError) else 1
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def _end_as_by_ctrl_c() -> None:
    """Makes signals from a batch system or a closed terminal end a run as Ctrl-C does, unless they are ignored."""
    for name in ("SIGTERM", "SIGHUP"):  # Windows has only SIGTERM
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else ""
    if first in ("--version", "-V"):
        sys.stdout.write(f"affectlm {__version__}\n")
        return 0
    if first in ("--help", "-h"):
        return _help()
    if first in SUBCOMMANDS:
        status: int = SUBCOMMANDS[first].run(words[1:])
        return status
    _refuse_unknown(words)
    return run.run_job(words)


def _refuse_unknown(words: Sequence[str]) -> None:
    """Raises UnknownWordError if a bare word is neither a subcommand nor a file."""
    from affectlm.config.compose import bare_words, is_path

    for word in bare_words(words):
        if not is_path(word):
            close = difflib.get_close_matches(word, SUBCOMMANDS, n=1)
            hint = f"did you mean 'affectlm {close[0]}'? " if close else ""
            raise UnknownWordError(
                f"'{word}' is not a subcommand or a file; {hint}"
                f"subcommands: {', '.join(sorted(SUBCOMMANDS))}; overrides look like llm=smollm2"
            )


def _help() -> int:
    """Prints commands, choices and settings; Hydra's own help takes twice as long, as it copies every configuration."""
    from importlib.resources import files

    from affectlm.offers import KINDS
    from affectlm.registry import OWN_CONFIG, Registry

    registry = Registry.installed()
    choices = "\n".join(f"  {group}: {', '.join(registry.files(group))}" for group in (*KINDS, "experiment"))
    main = (files(OWN_CONFIG) / "affectlm.yaml").read_text(encoding="utf-8")
    own = main.partition("\n\n")[2].partition("\nhydra:")[0]
    settings = "\n".join(f"  {line}" for line in own.strip().splitlines())
    sys.stdout.write(_HELP.format(commands=_commands(), choices=choices, settings=settings))
    return 0


def _commands() -> str:
    """One line per way to type a command."""
    modules = SUBCOMMANDS.values()
    usages = {**run.USAGES, **{module.USAGE: module.HELP for module in modules}}
    width = max(map(len, usages))
    return "\n".join(f"  affectlm {usage.ljust(width)}  {text}" for usage, text in usages.items())


def _silence_libraries() -> None:
    """Keeps warnings and logs of libraries from the terminal; their exceptions are still errors.

    `PYTHONWARNINGS=default` shows the warnings; setting a variable of `_QUIET` shows that library's log.
    """
    warnings.showwarning = _warn  # type: ignore[assignment]
    logging.getLogger().addHandler(logging.NullHandler())  # without any handler Python prints warnings and errors
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def _warn(message: Warning | str, category: type[Warning], *rest: object) -> None:
    if sys.warnoptions or issubclass(category, AffectlmWarning):
        sys.stderr.write(f"affectlm: warning: {message}\n")
