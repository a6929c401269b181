"""What is loaded calls nobody and leaves nothing in the home folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from affectlm.weights.named import obtain
from affectlm_chat.transformers.smollm2 import _weights
from tests.sealed import can_seal

HERE = Path(__file__).parent
needs_seal = pytest.mark.skipif(not can_seal(), reason="system calls can be filtered on Linux, x86_64 and aarch64 only")


def sealed(script: Path, *words: str, environment: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    """A script without an internet, in a process of its own."""
    command = [sys.executable, str(HERE / "sealed.py"), str(script), *words]
    variables = {**environment, "PYTHONPATH": str(HERE.parent)}  # where a script finds tests.artefacts
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=600)


@needs_seal
def test_native_code_that_looks_up_a_name_does_not_survive(tmp_path: Path) -> None:
    """The seal holds for what Python does not see, in any thread; otherwise the next test would prove nothing."""
    script = tmp_path / "look_up.py"
    script.write_text(
        "import ctypes, threading\n"
        "found = ctypes.byref(ctypes.c_void_p())\n"
        "call = threading.Thread(target=ctypes.CDLL(None).getaddrinfo, args=(b'example.org', b'443', None, found))\n"
        "call.start(), call.join(), print('survived')\n"
    )

    done = sealed(script)

    assert done.returncode == -signal.SIGSYS
    assert "most recent call first" in done.stderr


@needs_seal
def test_engines_and_libraries_call_nobody_and_write_nothing_at_home(tmp_path: Path) -> None:
    """Not one internet socket in half a minute, and files in the run's folder and the cache alone."""
    pytest.importorskip("onnxruntime")
    obtain(_weights())  # before there is no internet
    places = {name: tmp_path / name for name in ("HOME", "TMPDIR", "MPLCONFIGDIR")}  # the last: matplotlib's own cache
    for folder in (*places.values(), tmp_path / "work"):
        folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "HF_", "ORT_"))}
    environment |= {name: str(folder) for name, folder in places.items()} | {"AFFECTLM_OFFLINE": "1"}

    done = sealed(HERE / "quiet_work.py", str(tmp_path / "work"), environment=environment)

    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("quiet\n")
    assert [path for name in ("HOME", "TMPDIR") for path in places[name].rglob("*") if path.is_file()] == []
