"""affectlm: what do language models understand of a face from its valence and arousal?

`import affectlm` loads nothing heavy; the names below are imported when they are first used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from affectlm.hooks import hookimpl

if TYPE_CHECKING:
    from affectlm.api import Reader, load, run
    from affectlm.registry import Registry
    from affectlm.store.records import read_records

__version__ = "0.1.0"
__all__ = ["Reader", "Registry", "__version__", "hookimpl", "load", "read_records", "run"]

# ONNX Runtime 1.32 writes a device id under the home folder and calls its maker's host; the hub's client reports what
# is installed here. Both read these variables on import, which none of our modules does before this one.
os.environ |= {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

_HOMES = {
    "Reader": "affectlm.api",
    "Registry": "affectlm.registry",
    "load": "affectlm.api",
    "read_records": "affectlm.store.records",
    "run": "affectlm.api",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'affectlm' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
