"""The versions that a job ran with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

# Distributions that results may depend on; the versions of plugins are in the identity of each component.
_VERSIONS = (
    *("affectlm", "numpy", "scipy", "scikit-learn", "pillow", "opencv-python-headless", "hydra-core"),
    *("torch", "timm", "onnxruntime", "transformers", "tokenizers", "sentence-transformers", "llama-cpp-python"),
    *("nltk", "rouge-score", "vaderSentiment"),
)


def versions() -> dict[str, str]:
    """The versions of Python, affectlm and the packages that results depend on, by name."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
