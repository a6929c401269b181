"""Chat models in GGUF files, run in this process by llama.cpp; one request after the other.

What the cache of keys and values already holds of a prompt is not read again, so prompts that begin alike, and labels
behind one prompt, cost only what is their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.errors import AccessError, ConfigError
from affectlm.store.cache import digest
from affectlm.store.files import open_file
from affectlm.types import Completion, Request
from affectlm.weights.hub import HUB, TIMEOUT, Source, announce
from affectlm.weights.named import hub_reachable, obtain
from affectlm_chat import affectlm_weights
from affectlm_chat.thoughts import without_thoughts
from affectlm_chat.transformers.local import Once, reason, turns, without_system

Tokens: TypeAlias = tuple[int, ...]
_at_least_one = attrs.validators.ge(1)

# llama.cpp rounds a token that is read alone in another way than one among others: SmolLM2's logits differ by 0.7.
# A prompt is read on only from a multiple of this, so that what is said about it does not depend on earlier ones.
BLOCK = 32
MOST_BYTES = 2**40  # of a model's file


@attrs.frozen
class File:
    """Where a GGUF file is, and what tells it from others."""

    fingerprint: str
    path: Path | None = None
    source: Source | None = None  # the hub repository it is still to be fetched from
    name: str = ""  # in that repository

    def fetch(self) -> Path:
        """The file on this machine."""
        if self.path is not None:
            return self.path
        if self.source is None:
            raise ValueError("a file without a path has a source")
        from huggingface_hub import hf_hub_download

        announce(self.source)
        return Path(hf_hub_download(self.source.model, self.name, revision=self.source.revision))


@attrs.define(kw_only=True, slots=False)
class LlamaCpp:
    """A GGUF file: a local one, one of the Hugging Face hub, or named weights."""

    speed_options: ClassVar[tuple[str, ...]] = ("threads",)
    model: str = attrs.field(validator=attrs.validators.min_len(1))
    file: str | None = None  # of a hub repository; may hold wildcards
    revision: str = "main"
    context_size: int = attrs.field(default=4096, validator=attrs.validators.ge(0))  # tokens; 0: as trained
    threads: int | None = attrs.field(default=None, validator=attrs.validators.optional(_at_least_one))
    gpu_layers: int = attrs.field(default=-1, validator=attrs.validators.ge(-1))  # -1: all
    max_new_tokens: int = attrs.field(default=128, validator=_at_least_one)
    temperature: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    top_p: float = attrs.field(default=1.0, validator=[attrs.validators.gt(0), attrs.validators.le(1)])
    seed: int = 0
    strip_reasoning: bool = True  # leaves out what a model writes between <think> and </think>
    _file: File = attrs.field(init=False, repr=False, eq=False)
    _model: Once[Model] = attrs.field(
        init=False, default=attrs.Factory(lambda self: Once(self.load), takes_self=True), repr=False, eq=False
    )
    _lock: Lock = attrs.field(init=False, factory=Lock, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Checks that llama.cpp is installed and the file can be had."""
        if find_spec("llama_cpp") is None:
            raise ConfigError("llm=llamacpp needs llama-cpp-python, which is missing: pip install 'affectlm[llamacpp]'")
        self._file = find_file(self.model, self.file, self.revision)

    def describe(self) -> Mapping[str, str]:
        """The file's digest, its commit and name on the hub, or a fingerprint of a local file."""
        return {"weights": self._file.fingerprint}

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """A completion for each request, one after the other."""
        return (self._asked(request, self._answer) for request in requests)

    def score_choices(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """As `complete`, with how likely the reply is to begin with each of the choices, and without a text."""
        return (self._asked(request, self._weigh) for request in requests)

    def load(self) -> Model:
        """The model in memory, fetched from the hub when it is not here yet."""
        return Model(self._file.fetch(), self.context_size, self.threads, self.gpu_layers)

    def _asked(self, request: Request, ask: Callable[[Model, Request], Completion]) -> Completion:
        with self._lock:
            try:
                model = self._model.ready()
            except AccessError as error:
                return Completion(id=request.id, model=self.model, error=str(error))
            try:
                return ask(model, request)
            except Exception as error:  # such as a prompt that is longer than the context
                return Completion(id=request.id, model=self.model, error=reason(error))

    def _answer(self, model: Model, request: Request) -> Completion:
        prompt = model.prompt(turns(request))
        # llama.cpp draws from a distribution whose likeliest tokens were chosen before the temperature is applied.
        reply = model.reply(
            prompt,
            max_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=_seed(prompt, self.seed),
        )
        [choice], usage = reply["choices"], reply["usage"]
        text = choice["text"].strip()
        return Completion(
            id=request.id,
            text=without_thoughts(text) if self.strip_reasoning else text,
            model=self.model,
            finish_reason=choice["finish_reason"],
            usage={name: usage[name] for name in ("prompt_tokens", "completion_tokens")},
        )

    def _weigh(self, model: Model, request: Request) -> Completion:
        if not request.choices:
            raise ValueError("the request has no choices whose probability could be told")
        prompt = model.prompt(turns(request))
        begin = model.tokens(prompt)
        labels = {label: model.tokens(prompt + label)[len(begin) :] for label in request.choices}
        return Completion(
            id=request.id,
            model=self.model,
            usage={"prompt_tokens": len(begin), "completion_tokens": 0},
            choice_logprobs=model.weigh(begin, labels),
            choice_tokens={label: len(tokens) for label, tokens in labels.items()},
        )


class Model:
    """A GGUF file in memory."""

    def __init__(self, path: Path, context_size: int, threads: int | None, gpu_layers: int) -> None:
        import llama_cpp
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self._low: Any = llama_cpp
        self._last = 0  # tokens of the last prompt; what the cache holds behind it was read one by one
        self._llama: Any = llama_cpp.Llama(
            str(path),
            n_ctx=context_size,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=gpu_layers,
            swa_full=True,  # without it the cache of a sliding window cannot be wound back
            verbose=False,
        )
        template = self._llama.metadata.get("tokenizer.chat_template")
        if template is None:
            raise ValueError(
                f"'{path.name}' has no chat template; choose a model that was trained to follow instructions"
            )
        begin, end = self._llama.token_bos(), self._llama.token_eos()
        self._template: Any = Jinja2ChatFormatter(template, bos_token=self._text(begin), eos_token=self._text(end))

    def _text(self, token: int) -> str:
        if token == -1:
            return ""
        return str(self._low.llama_vocab_get_text(self._low.llama_model_get_vocab(self._llama.model), token).decode())

    def prompt(self, conversation: Sequence[Mapping[str, str]]) -> str:
        """The text the model reads; a system message its template refuses goes in front of the first user's."""
        from jinja2 import TemplateError

        try:
            return str(self._template(messages=list(conversation)).prompt)
        except (TemplateError, ValueError):  # the formatter's raise_exception is a ValueError
            merged = without_system(conversation)
            if merged == list(conversation):
                raise
            return str(self._template(messages=merged).prompt)

    def tokens(self, text: str) -> Tokens:
        """The tokens of a text, which writes its special tokens itself."""
        return tuple(self._llama.tokenize(text.encode(), add_bos=False, special=True))

    def reply(self, prompt: str, **options: float) -> Any:
        """llama-cpp-python's own completion, without what it does to probabilities unasked."""
        tokens = self.tokens(prompt)
        self._wind_back(tokens)
        unchanged = {"top_k": 0, "min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0}
        return self._llama.create_completion(list(tokens), **unchanged, **options)

    def weigh(self, prompt: Tokens, labels: Mapping[str, Tokens]) -> dict[str, float]:
        """The natural logarithm of each label's probability behind the prompt, summed over its tokens."""
        for label, tokens in labels.items():
            if not tokens:
                raise ValueError(f"the choice '{label}' has no tokens behind this prompt")
        self._wind_back(prompt)
        # Sorted, every beginning follows those that it continues, and nothing is read twice.
        beginnings = sorted({tokens[:length] for tokens in labels.values() for length in range(len(tokens))})
        after = {beginning: self._logprobs(prompt + beginning) for beginning in beginnings}
        return {
            label: float(sum(after[tokens[:place]][token] for place, token in enumerate(tokens)))
            for label, tokens in labels.items()
        }

    def _wind_back(self, prompt: Tokens) -> None:
        """Forgets what is not to be kept for this prompt."""
        self._llama.n_tokens = min(self._known(prompt), self._last, len(prompt) - 1) // BLOCK * BLOCK
        self._last = len(prompt)

    def _known(self, tokens: Tokens) -> int:
        """How many tokens the cache begins with that these begin with too."""
        read = self._llama.input_ids[: self._llama.n_tokens].tolist()
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(read, tokens, strict=False)))

    def _logprobs(self, tokens: Tokens) -> NDArray[np.float64]:
        """Of every token behind these; what the cache holds of their beginning is kept."""
        llama, low = self._llama, self._low
        if len(tokens) > llama.n_ctx():
            raise ValueError(f"{len(tokens)} tokens do not fit into llm.context_size={llama.n_ctx()}")
        kept = min(self._known(tokens), len(tokens) - 1)
        if not low.llama_memory_seq_rm(low.llama_get_memory(llama.ctx), 0, kept, -1):
            llama.reset()  # recurrent models cannot be wound back to a place
            kept = 0
        llama.n_tokens = kept
        llama.eval(list(tokens[kept:]))
        row = low.llama_get_logits_ith(llama.ctx, -1)
        logits = np.ctypeslib.as_array(row, shape=(llama.n_vocab(),)).astype(np.float64)
        highest = logits.max()
        found: NDArray[np.float64] = logits - (highest + np.log(np.exp(logits - highest).sum()))
        return found


def find_file(model: str, file: str | None = None, revision: str = "main") -> File:
    """The GGUF file that is meant: named weights, a local file, or one file of a hub repository.

    Raises:
        AccessError: there is no such file, or it is none that llama.cpp can read.
        ConfigError: it is not said which file of a repository is meant.
    """
    weights = next((entry for entry in affectlm_weights() if entry.name == model), None)
    if weights is not None:
        return File(weights.digest, obtain(weights))
    path = Path(model).expanduser()
    if path.suffix == ".gguf" or path.exists() or model.startswith((".", "/", "~")) or model.count("/") != 1:
        return _local(path)
    if file is None:
        raise ConfigError(
            f"which file of '{model}' is meant? give llm.file=NAME.gguf or a pattern like llm.file=*Q4_K_M.gguf"
        )
    return _cached(model, file, revision) or _hub(model, file, revision)


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
        raise AccessError(f"'{path}' is no GGUF file; other formats are for llm=transformers")
    stat = path.stat()
    return File(f"file {digest([path.name, stat.st_size, stat.st_mtime_ns])[:16]}", path)


def _cached(model: str, pattern: str, revision: str) -> File | None:
    """A file that was fetched before."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, revision=revision, local_files_only=True))
    except HFValidationError as error:
        raise AccessError(
            f"'{model}' is neither a GGUF file nor a repository of the Hugging Face hub: {error}"
        ) from error
    except LocalEntryNotFoundError:
        return None
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.gguf"))]
    if not any(fnmatch(name, pattern) for name in names):
        return None
    name = _only(model, pattern, names)
    return File(f"{folder.name} {name}", folder / name)


def _hub(model: str, pattern: str, revision: str) -> File:
    """A file that the hub offers; the hub's client checks its digest when it is fetched."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    remedies = "give llm.model=/path/to/file.gguf, or choose llm=llamacpp_smollm2"
    if not hub_reachable():
        raise AccessError(f"'{model}' is not on this machine and the Hugging Face hub cannot be reached: {remedies}")
    try:
        info = HfApi().model_info(model, revision=revision, timeout=TIMEOUT)
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise AccessError(
            f"'{model}' does not exist on the hub, or is private or kept behind a licence: accept it at {HUB}/{model} "
            f"and set HF_TOKEN, or {remedies}"
        ) from error
    except RevisionNotFoundError as error:
        raise AccessError(f"'{model}' has no revision '{revision}' on the Hugging Face hub") from error
    except Exception as error:  # the hub client raises errors of several libraries
        raise AccessError(
            f"the Hugging Face hub does not say what '{model}' holds ({type(error).__name__}): {remedies}"
        ) from error
    name = _only(
        model, pattern, [entry.rfilename for entry in info.siblings or () if entry.rfilename.endswith(".gguf")]
    )
    commit = info.sha or revision
    return File(f"{commit} {name}", source=Source(model, commit, here=False), name=name)


def _only(model: str, pattern: str, names: Sequence[str]) -> str:
    found = [name for name in names if fnmatch(name, pattern)]
    if len(found) != 1:
        raise ConfigError(
            f"llm.file='{pattern}' is {len(found) or 'none'} of the GGUF files of '{model}', expected one of: "
            f"{', '.join(found or names) or 'it has none'}"
        )
    return found[0]


def _seed(prompt: str, seed: int) -> int:
    """A seed for each prompt, so that what is drawn does not depend on what was asked before."""
    mixed = hashlib.sha256(json.dumps([seed, prompt]).encode()).digest()[:4]
    return int.from_bytes(mixed, "big") >> 1  # llama.cpp takes the largest number as none
