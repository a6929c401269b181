"""Several pieces of Python in one process of its own: it loads libraries once, and is ended if it never ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

Done = subprocess.CompletedProcess[str]


def command(words: Sequence[str]) -> str:
    """The code of `affectlm WORDS`."""
    return f"from affectlm.cli.main import main; main({list(words)!r})"


def run_each(codes: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout: float = 300) -> list[Done]:
    """How each of them ended and what it printed, also past Python; the later ones find libraries loaded.

    Raises:
        CalledProcessError: the process itself was ended by something.
        TimeoutExpired: they did not end within `timeout` seconds.
    """
    words = [sys.executable, __file__, json.dumps(codes)]
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=timeout
    )
    return [
        subprocess.CompletedProcess(code, *ended) for code, ended in zip(codes, json.loads(done.stdout), strict=True)
    ]


def _ended(code: str) -> tuple[object, str, str]:
    """Exit status, standard output and standard error of a piece of Python."""
    status: object = 0
    kept = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        for number, file in enumerate((output, errors), 1):
            os.dup2(file.fileno(), number)
        try:
            exec(code, {})  # noqa: S102
        except SystemExit as end:
            status = end.code
        except Exception:
            status = 1
            traceback.print_exc()
        for number, stream in enumerate((sys.stdout, sys.stderr), 1):
            stream.flush()
            os.dup2(kept[number - 1], number)
        output.seek(0), errors.seek(0)
        return status, output.read(), errors.read()


if __name__ == "__main__":
    sys.stdout.write(json.dumps([_ended(code) for code in json.loads(sys.argv[1])]))
