"""Finds the GGUF file of a model."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import attrs

from affectlm.errors import AccessError, ConfigError
from affectlm.store.cache import digest
from affectlm.store.files import open_file
from affectlm.weights.hub import cached_folder, fetch_file, look_up
from affectlm.weights.named import obtain
from affectlm_chat import affectlm_weights

MOST_BYTES = 2**40  # of a model's file
_REMEDIES = "give llm.model=/path/to/file.gguf, or choose llm=llamacpp_smollm2"


@attrs.frozen
class File:
    """A GGUF file on this machine, and its fingerprint."""

    fingerprint: str
    path: Path

    def fetch(self) -> Path:
        """The path of the file."""
        return self.path


@attrs.frozen
class HubFile:
    """A GGUF file in a repository of the Hugging Face hub, not fetched yet."""

    model: str
    commit: str
    name: str

    @property
    def fingerprint(self) -> str:
        """Commit and name of the file."""
        return f"{self.commit} {self.name}"

    def fetch(self) -> Path:
        """The path of the fetched file; the hub's client checks its digest."""
        return fetch_file(self.model, self.name, self.commit)


def find_file(model: str, file: str | None = None, revision: str = "main") -> File | HubFile:
    """The GGUF file of a model: named weights, a local file, or one file of a hub repository.

    Raises:
        AccessError: there is no such file, or it is not a GGUF file.
        ConfigError: `file` does not match exactly one file of the repository.
    """
    weights = next((entry for entry in affectlm_weights() if entry.name == model), None)
    if weights is not None:
        return File(weights.digest, obtain(weights))
    path = Path(model).expanduser()
    if path.suffix == ".gguf" or path.exists() or model.startswith((".", "/", "~")) or model.count("/") != 1:
        return _local(path)
    if file is None:
        raise ConfigError(
            f"'{model}' may have several files; give llm.file=NAME.gguf or a pattern like llm.file=*Q4_K_M.gguf"
        )
    return _cached(model, file, revision) or _on_hub(model, file, revision)


def _local(path: Path) -> File:
    try:
        with open_file(path, MOST_BYTES) as opened:
            begin = opened.read(4)
    except OSError as error:
        raise AccessError(
            f"'{path}' cannot be read ({error.strerror}); give llm.model= a GGUF file, or a repository of the "
            "Hugging Face hub and its file with llm.file="
        ) from error
    if begin != b"GGUF":
        raise AccessError(f"'{path}' is not a GGUF file; other formats are for llm=transformers")
    stat = path.stat()
    return File(f"file {digest([path.name, stat.st_size, stat.st_mtime_ns])[:16]}", path)


def _cached(model: str, pattern: str, revision: str) -> File | None:
    """A file that was fetched before, or None."""
    folder = cached_folder(model, revision)
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.gguf"))] if folder else []
    if folder is None or not any(fnmatch(name, pattern) for name in names):
        return None
    name = _only(model, pattern, names)
    return File(f"{folder.name} {name}", folder / name)


def _on_hub(model: str, pattern: str, revision: str) -> HubFile:
    """A file on the hub."""
    found = look_up(model, revision, _REMEDIES)
    return HubFile(model, found.commit, _only(model, pattern, [name for name in found.files if name.endswith(".gguf")]))


def _only(model: str, pattern: str, names: Sequence[str]) -> str:
    found = [name for name in names if fnmatch(name, pattern)]
    if len(found) != 1:
        raise ConfigError(
            f"llm.file='{pattern}' matches {len(found) or 'none'} of the GGUF files of '{model}', expected one of: "
            f"{', '.join(found or names) or 'it has none'}"
        )
    return found[0]
