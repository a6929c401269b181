"""All engines and libraries that affectlm loads, and then half a minute of nothing: for `tests/test_telemetry.py`.

ONNX Runtime called its maker 14 to 23 s after it was loaded. Words: the folder to work in.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

from affectlm.cli.main import main
from affectlm.registry import Registry
from affectlm.testing import faces
from tests.artefacts import save_onnx

IDLE = 30.0  # seconds from the first engine on
folder = Path(sys.argv[-1])


def run(name: str, *words: str) -> None:
    """One run of the demo, in a folder of that name."""
    try:
        main(["demo", "cache=off", f"hydra.run.dir={folder / name}", *words])
    except SystemExit as end:
        if end.code:
            raise


def libraries() -> list[str]:
    """What our distribution depends on and is installed, by the names of import; pip is started, not imported."""
    given = map(Requirement, requires("affectlm") or ())
    wanted = {each.name for each in given if not (each.marker and each.marker.evaluate({"extra": "test"}))} - {"pip"}
    return [name for name, owners in packages_distributions().items() if wanted & set(owners) and name.isidentifier()]


build = Registry.installed().build
build("estimator", {"name": "onnx", "weights": str(save_onnx(folder)), "columns": [0, 1]}).estimate(faces(2))  # type: ignore[attr-defined]
loaded = time.monotonic()
for engine in ("onnxruntime", "float32", "bf16"):
    run(engine, "llm=circumplex", f"estimator.engine={engine}")
run("smollm2", "llm.max_new_tokens=8")
for library in libraries():
    import_module(library)
time.sleep(max(0.0, loaded + IDLE - time.monotonic()))
print("quiet")
