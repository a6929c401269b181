"""Whether a model can be had, asked before the first picture is read and answered within seconds."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import attrs

from affectlm.errors import AccessError
from affectlm.store.cache import digest
from affectlm.weights.named import hub_reachable

HUB = "https://huggingface.co"
TIMEOUT = 5.0  # seconds


@attrs.frozen
class Source:
    """Where a model's files come from: a folder, or a hub repository at one commit."""

    model: str
    revision: str | None = None  # None for a folder
    here: bool = True  # False when the files are still to be fetched
    fingerprint: str = ""


def find_model(model: str, revision: str = "main") -> Source:
    """The source of a local folder or a hub model; what is on this machine is looked at first.

    Raises:
        AccessError: there is no such folder, the hub keeps the model behind a licence, or it cannot be reached.
    """
    folder = Path(model).expanduser()
    if folder.is_dir() or model.startswith((".", "/", "~")) or folder.is_absolute() or model.count("/") > 1:
        return _folder(folder)
    commit = _cached_commit(model, revision)
    if commit is not None:
        return Source(model, commit, fingerprint=commit)
    commit = _hub_commit(model, revision)
    return Source(model, commit, here=False, fingerprint=commit)


def announce(source: Source) -> None:
    """Says on stderr what is about to be fetched from the hub."""
    from huggingface_hub import HfApi

    size, licence = "size unknown", "unknown"
    try:
        info = HfApi().model_info(source.model, revision=source.revision, files_metadata=True, timeout=TIMEOUT)
    except Exception as error:  # the fetch that follows says what is wrong, in more words
        licence = f"unknown ({type(error).__name__})"
    else:
        licence = next((tag.removeprefix("license:") for tag in info.tags or () if tag.startswith("license:")), licence)
        sizes = [file.size or 0 for file in info.siblings or () if _is_loaded(file.rfilename)]
        size = f"{sum(sizes) / 1e6:.1f} MB"
    sys.stderr.write(f"affectlm: fetching '{source.model}' from the Hugging Face hub: {size}, licence {licence}\n")


def _is_loaded(file: str) -> bool:
    return file.endswith(".safetensors") and file.startswith("model")


def _folder(folder: Path) -> Source:
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
    return Source(str(folder), fingerprint=f"files {print_[:16]}")


def _cached_commit(model: str, revision: str) -> str | None:
    """The commit of a snapshot whose weights are all in the hub's local cache, or None."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(model, "config.json", revision=revision)
    except HFValidationError as error:
        raise AccessError(f"'{model}' is neither a folder nor a model id of the Hugging Face hub: {error}") from error
    if not isinstance(config, str):
        return None
    snapshot = Path(config).parent
    index = snapshot / "model.safetensors.index.json"
    try:
        shards = set(json.loads(index.read_bytes())["weight_map"].values()) if index.exists() else {"model.safetensors"}
    except (ValueError, KeyError, OSError):
        return None
    return snapshot.name if all((snapshot / shard).exists() for shard in shards) else None


def _hub_commit(model: str, revision: str) -> str:
    """The commit the hub serves, after one request that also shows whether this user may read the model."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if not hub_reachable():
        raise AccessError(_unreachable(model, _offline()))
    url = hf_hub_url(model, "config.json", revision=revision, endpoint=constants.ENDPOINT)
    try:
        found = get_hf_file_metadata(url, timeout=TIMEOUT)
    except GatedRepoError as error:
        raise AccessError(f"'{model}' is kept behind a licence: {_remedies(model)}") from error
    except RevisionNotFoundError as error:
        raise AccessError(f"'{model}' has no revision '{revision}' on the Hugging Face hub") from error
    except RepositoryNotFoundError as error:
        raise AccessError(f"'{model}' does not exist on the hub, or is private: {_remedies(model)}") from error
    except EntryNotFoundError as error:
        raise AccessError(f"'{model}' has no config.json on the hub, so it is no transformers model") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status in (401, 403):
            raise AccessError(f"'{model}' is kept behind a licence: {_remedies(model)}") from error
        raise AccessError(_unreachable(model, f"it answers with status {status}")) from error
    except Exception as error:  # the hub client raises errors of several libraries
        raise AccessError(_unreachable(model, type(error).__name__)) from error
    return found.commit_hash or revision


def _offline() -> str:
    for name in ("AFFECTLM_OFFLINE", "HF_HUB_OFFLINE"):
        if os.environ.get(name, "") not in ("", "0"):
            return f"{name} forbids asking it"
    return "no connection"


def _unreachable(model: str, why: str) -> str:
    return f"'{model}' is not on this machine and the Hugging Face hub cannot be reached ({why}): {_remedies(model)}"


def _remedies(model: str) -> str:
    return (
        f"accept the licence at {HUB}/{model} and set HF_TOKEN, or give a local folder with llm.model=FOLDER, "
        "or choose llm=smollm2 or llm=circumplex, which need neither"
    )
