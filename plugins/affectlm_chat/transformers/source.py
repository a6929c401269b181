"""Finds a transformers model within seconds, before the first picture is read."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from affectlm.errors import AccessError
from affectlm.store.cache import digest
from affectlm.weights.hub import announce_model, cached_folder, find_commit

_REMEDIES = "give a local folder with llm.model=FOLDER, or choose llm=smollm2 or llm=circumplex, which need neither"


@attrs.frozen
class ModelSource:
    """Where a model's files come from: a folder, or a hub repository at one commit."""

    model: str
    revision: str | None = None  # None for a folder
    here: bool = True  # False if the files are still to be fetched
    fingerprint: str = ""

    def announce(self) -> None:
        """Says on stderr what is about to be fetched, if anything."""
        if not self.here and self.revision is not None:
            announce_model(self.model, self.revision, ["model*.safetensors"])


def find_model(model: str, revision: str = "main") -> ModelSource:
    """The source of a local folder or a hub model; files on this machine come first.

    Raises:
        AccessError: there is no such folder, the model is behind a licence, or the hub cannot be reached.
    """
    folder = Path(model).expanduser()
    if folder.is_dir() or model.startswith((".", "/", "~")) or folder.is_absolute() or model.count("/") > 1:
        return _folder(folder)
    snapshot = cached_folder(model, revision)
    if snapshot is not None and _is_whole(snapshot):
        return ModelSource(model, snapshot.name, fingerprint=snapshot.name)
    commit = find_commit(model, revision, _REMEDIES)
    return ModelSource(model, commit, here=False, fingerprint=commit)


def _folder(folder: Path) -> ModelSource:
    if not (folder / "config.json").is_file():
        state = "has no config.json" if folder.is_dir() else "does not exist"
        raise AccessError(
            f"the model folder '{folder}' {state}; give llm.model= a folder with config.json, a tokenizer and "
            "safetensors files, or a model id of the Hugging Face hub"
        )
    if not any(path.is_file() for path in folder.glob("*.safetensors")):
        raise AccessError(f"the model folder '{folder}' has no .safetensors file; other formats are never loaded")
    files = [(path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
    print_ = digest([[name, stat.st_size, stat.st_mtime_ns] for name, stat in files])
    return ModelSource(str(folder), fingerprint=f"files {print_[:16]}")


def _is_whole(snapshot: Path) -> bool:
    """Whether a folder has a model's config.json and all its weights."""
    index = snapshot / "model.safetensors.index.json"
    try:
        shards = set(json.loads(index.read_bytes())["weight_map"].values()) if index.exists() else {"model.safetensors"}
    except (ValueError, KeyError, OSError):
        return False
    return all((snapshot / name).exists() for name in ("config.json", *shards))
