"""The `affectlm` command: small subcommands here, runs by way of Hydra in `job.py`, imported only when needed."""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import math
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from affectlm import __version__
from affectlm.errors import AffectlmError, AffectlmWarning, UnknownWordError
from affectlm.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from affectlm.weights.named import Weights

_HELP = """\
affectlm: what do language models understand of a face from its valence and arousal?

  affectlm demo                                        the whole line on sample portraits
  affectlm PATH [PATH...] [group=choice] [key=value]   on your pictures
  affectlm +estimator=facechannel +llm=llama3          on the pictures of this folder (plus or no plus)
  affectlm -m llm=smollm2,circumplex                   one run for each choice
  affectlm train [key=value]                           train an estimator
  affectlm evaluate [PATH] [key=value]                 measure an estimator against ratings
  affectlm plugins | weights | cache | doctor          what is installed, fetched, stored, missing

Choices (group=choice):
{choices}

Settings (key=value), with their defaults:
{settings}

`affectlm llm=llama3 --cfg job` shows every option of a run, `affectlm --hydra-help` more about sweeps and overrides.
Exit status: 0 done, 1 error, 2 unknown argument, 3 a fail_under threshold was missed, 130 interrupted.
"""
# Libraries that print by themselves, past Python's loggers; each reads its variable when it is imported.
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
    """Lets what a batch system or a closed terminal sends end a run as Ctrl-C does, unless it is to be ignored."""
    for name in ("SIGTERM", "SIGHUP"):  # Windows has one of them
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
    if first in _COMMANDS:
        return _COMMANDS[first](words[1:])
    _refuse_unknown(words)
    from affectlm.cli.hydra import run_job

    return run_job(words)


def _refuse_unknown(words: Sequence[str]) -> None:
    """Raises UnknownWordError for a bare word that is no subcommand and no file."""
    from affectlm.config.compose import bare_words, is_path

    for word in bare_words(words):
        if not is_path(word):
            close = difflib.get_close_matches(word, _COMMANDS, n=1)
            hint = f"did you mean 'affectlm {close[0]}'? " if close else ""
            raise UnknownWordError(
                f"'{word}' is no subcommand and no file; {hint}"
                f"subcommands: {', '.join(sorted(_COMMANDS))}; overrides look like llm=smollm2"
            )


def _help() -> int:
    """Commands, choices and settings; Hydra's own page would take twice as long to copy every configuration."""
    from importlib.resources import files

    from affectlm.registry import KINDS, OWN_CONFIG, Registry

    registry = Registry.installed()
    choices = "\n".join(f"  {group}: {', '.join(registry.choices(group))}" for group in (*KINDS, "experiment"))
    main = (files(OWN_CONFIG) / "affectlm.yaml").read_text(encoding="utf-8")
    own = main.partition("\n\n")[2].partition("\nhydra:")[0]
    settings = "\n".join(f"  {line}" for line in own.strip().splitlines())
    sys.stdout.write(_HELP.format(choices=choices, settings=settings))
    return 0


def _demo(words: Sequence[str]) -> int:
    from affectlm.cli.hydra import run_job

    return run_job(["dataset=samples", *words], demo=True)


def _train(words: Sequence[str]) -> int:
    from affectlm.jobs.train import train_job

    return train_job(words)


def _evaluate(words: Sequence[str]) -> int:
    from affectlm.jobs.evaluate import evaluate_job

    return evaluate_job(words)


def _plugins(words: Sequence[str]) -> int:
    parser = _parser("plugins", "Every component with its plugin, and plugins that cannot be loaded.")
    as_json = parser.parse_args(words).json
    from affectlm.registry import Registry

    registry = Registry.installed()
    rows = []
    for plugin in registry.plugins:
        base = {"plugin": plugin.name, "distribution": plugin.distribution, "version": plugin.version}
        tail = {"status": plugin.status, "error": plugin.error}
        offered = [component for component in registry.components if component.plugin == plugin.name]
        rows += [{"name": each.name, "kind": each.kind, **base, **tail} for each in offered]
        if not offered:
            rows.append({"name": "", "kind": "", **base, **tail})
    rows.sort(key=lambda row: (row["kind"], row["name"]))
    _show(rows, as_json=as_json)
    return 0


def _weights(words: Sequence[str]) -> int:
    parser = _parser("weights", "Named weights: list them, fetch one, or check the digests of those that are here.")
    parser.add_argument("action", choices=("list", "pull", "verify"), nargs="?", default="list")
    parser.add_argument("name", nargs="?", help="which weights; all of them by default")
    parser.add_argument("--accept-licence", action="store_true", help="pull: you agree to the terms of the weights")
    given = parser.parse_args(words)
    from affectlm.errors import WeightsError
    from affectlm.registry import Registry
    from affectlm.weights.named import locate

    known = Registry.installed().weights
    if given.name and given.name not in known:
        raise WeightsError(f"no weights named '{given.name}'; known: {', '.join(sorted(known)) or 'none'}")
    rows, failed = [], False
    for weights in [known[given.name]] if given.name else [known[name] for name in sorted(known)]:
        try:
            status, path = _act(weights, given.action, named=bool(given.name), accept=given.accept_licence)
        except WeightsError as error:
            status, path, failed = f"error: {error}", locate(weights), True
        rows.append(
            {
                "name": weights.name,
                "size": weights.size_text,
                "licence": weights.licence,
                "source": ", then ".join(str(source) for source in weights.sources),
                "digest": weights.digest if given.json else weights.digest[:12],
                "status": status,
                "path": str(path or ""),
                **({"terms": weights.terms, "citation": weights.citation} if given.json else {}),
            }
        )
    _show(rows, as_json=given.json)
    return 1 if failed else 0


def _act(weights: Weights, action: str, *, named: bool, accept: bool) -> tuple[str, Path | None]:
    """How weights stand after the action, and where they are."""
    from affectlm.weights.named import accepting, locate, locate_unpacked, obtain, verify

    path = locate(weights)
    if path is None and (content := locate_unpacked(weights)):
        return "unpacked", content  # nothing to verify: the digest is the archive's
    if action == "pull":
        if path is None and weights.terms and not (named or accept):
            return "absent, wants --accept-licence", None
        with accepting(terms=accept):
            return "verified", obtain(weights)
    if path is None:
        return "absent", None
    if action == "verify":
        verify(weights, path)
        return "verified", path
    return "present", path


def _cache(words: Sequence[str]) -> int:
    parser = _parser("cache", "What is stored of answers, measurements, converted models and weights.")
    parser.add_argument("action", choices=("info", "prune", "clear"), nargs="?", default="info")
    parser.add_argument("--days", type=_days, default=30.0, help="prune: keep what was written in the last DAYS (30)")
    given = parser.parse_args(words)
    from affectlm.store import cache

    if given.action == "info":
        rows = [
            {"content": entry.sort, "files": str(entry.files), "size": f"{entry.bytes / 1e6:.1f} MB"}
            for entry in cache.usage()
        ]
        if not given.json:
            sys.stdout.write(f"{cache.cache_folder()}\n")
        _show(rows, as_json=given.json)
        return 0
    removed = cache.prune(given.days) if given.action == "prune" else cache.clear()
    _show([{"removed": str(removed), "folder": str(cache.cache_folder())}], as_json=given.json)
    return 0


def _days(word: str) -> float:
    """A number of days from the command line."""
    try:
        days = float(word)
    except ValueError:
        days = math.nan
    if not 0 <= days < math.inf:
        raise argparse.ArgumentTypeError(f"found '{word}', expected a number of days, 0 or more")
    return days


def _doctor(words: Sequence[str]) -> int:
    parser = _parser("doctor", "What is missing for the run that the overrides name; nothing is fetched.")
    parser.add_argument("overrides", nargs="*", help="as for a run: a path, llm=llama3, ...")
    given = parser.parse_intermixed_args(words)
    from affectlm.jobs.doctor import examine

    rows = examine(given.overrides)
    _show(rows, as_json=given.json)
    return 1 if any(row["status"] == "missing" for row in rows) else 0


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": _demo,
    "train": _train,
    "evaluate": _evaluate,
    "plugins": _plugins,
    "weights": _weights,
    "cache": _cache,
    "doctor": _doctor,
}


def _parser(command: str, text: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"affectlm {command}", description=text)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _show(rows: Sequence[dict[str, str]], *, as_json: bool) -> None:
    """Rows as JSON, or as a table of plain columns."""
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    if not rows:
        return
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in names]
    for line in [dict(zip(names, names, strict=True)), *rows]:
        cells = (line[name].ljust(width) for name, width in zip(names, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _silence_libraries() -> None:
    """Keeps what libraries warn of and log from the terminal; what they raise is an error as ever.

    `PYTHONWARNINGS=default` shows the warnings, a variable's own value the library's log.
    """
    warnings.showwarning = _warn  # type: ignore[assignment]
    logging.getLogger().addHandler(logging.NullHandler())  # without any handler Python prints warnings and errors
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def _warn(message: Warning | str, category: type[Warning], *rest: object) -> None:
    if sys.warnoptions or issubclass(category, AffectlmWarning):
        sys.stderr.write(f"affectlm: warning: {message}\n")
