"""Which versions a job ran with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

# Distributions that figures may depend on; of plugins, each component's `origin` is in its identity.
_VERSIONS = (
    *("affectlm", "numpy", "scipy", "scikit-learn", "pillow", "opencv-python-headless", "hydra-core"),
    *("torch", "timm", "onnxruntime", "transformers", "tokenizers", "sentence-transformers", "llama-cpp-python"),
    *("nltk", "rouge-score", "vaderSentiment"),
)


def versions() -> dict[str, str]:
    """The versions of Python, affectlm and what figures depend on, by name."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
