"""Chat models at any endpoint with OpenAI's chat completions: OpenAI itself, other providers, local servers.

Each request is sent once; the core sends several at once, and repeats them. Nothing is sent, and no network library is
loaded, before the first request.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import attrs

from affectlm.errors import AccessError, ConfigError
from affectlm.types import Completion, Pixels, Request
from affectlm.validators import flag
from affectlm_chat.openai.address import is_local
from affectlm_chat.openai.environment import DOTENV, ENVIRONMENT, openai_headers, variable, variable_in
from affectlm_chat.openai.replies import Asked, read_reply

if TYPE_CHECKING:
    from affectlm_chat.openai.connection import Line

ENDPOINTS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "llamacpp_server": "http://localhost:8080/v1",
    "mistral": "https://api.mistral.ai/v1",
    "ollama": "http://localhost:11434/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together": "https://api.together.xyz/v1",
    "vllm": "http://localhost:8000/v1",
}
KEYS = {"gemini": ("GOOGLE_API_KEY", "GEMINI_API_KEY")}  # for all others, <PROVIDER>_API_KEY
STARTED_BY = {"llamacpp_server": "llama-server -m FILE.gguf", "ollama": "ollama serve", "vllm": "vllm serve {}"}
_OTHER = {ENVIRONMENT: DOTENV, DOTENV: ENVIRONMENT}
LIMITS = ("max_completion_tokens", "max_tokens")
OWN = ("model", "messages", "stream", "n")  # parts of a request that `extra_body` may not set

_optional = attrs.validators.optional
_at_least_one = attrs.validators.ge(1)
_not_negative: Callable[[object, Any, Any], None] = _optional(attrs.validators.ge(0))
_share = attrs.validators.and_(attrs.validators.gt(0), attrs.validators.le(1))


@attrs.define(kw_only=True, slots=False)
class OpenAIChat:
    """A chat model of a service; the key comes from the environment or from `.env`, never from an option."""

    takes_faces: ClassVar[bool] = True
    takes_schema: ClassVar[bool] = True
    speed_options: ClassVar[tuple[str, ...]] = ("concurrency", "timeout", "provider", "key_needed")  # address: describe
    model: str = attrs.field(validator=attrs.validators.min_len(1))
    provider: str = attrs.field(default="openai", validator=attrs.validators.matches_re(r"[a-z][a-z0-9_-]*"))
    base_url: str | None = None  # None: <PROVIDER>_BASE_URL, else the provider's published address
    key_needed: bool = attrs.field(default=True, validator=flag)
    concurrency: int = attrs.field(default=64, validator=_at_least_one)
    timeout: float = attrs.field(default=120, validator=attrs.validators.gt(0))  # seconds for a whole request
    max_new_tokens: int = attrs.field(default=128, validator=_at_least_one)
    limit_parameter: str | None = attrs.field(default=None, validator=_optional(attrs.validators.in_(LIMITS)))
    temperature: float | None = attrs.field(default=0.0, validator=_not_negative)
    top_p: float | None = attrs.field(default=None, validator=_optional(_share))
    seed: int | None = None
    reasoning_effort: str | None = None  # none, low, ... for models that think before they answer
    extra_body: Mapping[str, Any] | None = attrs.field(default=None)  # further parameters, with the service's names
    strip_reasoning: bool = True  # leaves out what a model writes between <think> and </think>
    _place: str | None = attrs.field(init=False, default=None, repr=False, eq=False)  # where the address comes from
    _endpoint: str = attrs.field(init=False, repr=False, eq=False)
    _line: Line | None = attrs.field(init=False, default=None, repr=False, eq=False)
    _lock: Lock = attrs.field(init=False, factory=Lock, repr=False, eq=False)

    @extra_body.validator
    def _check_extra_body(self, _: object, value: Mapping[str, Any] | None) -> None:
        if not isinstance(value, Mapping | None):
            raise ValueError(f"extra_body is {value!r}; expected names and values, as in {{top_k: 1}}")
        if taken := sorted(set(OWN) & set(value or ())):
            raise ValueError(f"extra_body sets {', '.join(taken)}, which only affectlm may set")

    def __attrs_post_init__(self) -> None:
        """Checks the address and the key, without sending anything."""
        self._endpoint = _checked_address(self.base_url or self._default_address())
        self._key()

    def check_access(self) -> None:
        """Raises AccessError if the service needs a key and there is none."""
        if self._key() is None and self.key_needed and not self._local:
            name = self._key_names()[0]
            raise AccessError(
                f"'{self.model}' at '{self._endpoint}' needs a key; type `export {name}=...`, or write {name}=... into "
                f"the file '{DOTENV}' in this folder; no key is needed for llm=smollm2, for a dry run, or for a server "
                "with llm.key_needed=false"
            )

    def describe(self) -> Mapping[str, str]:
        """The address of the service."""
        return {"base_url": self._endpoint}

    def complete_one(self, request: Request) -> Completion:
        """The reply of the service, or a completion with `error` if it does not answer this request.

        Raises:
            BusyError: the service is busy.
            TransientError: the connection or the service failed; asking again may help.
            AccessError: the key or model is wrong, the quota is used up, or the certificate cannot be trusted.
            ConfigError: the model does not support one of the options.
        """
        from affectlm_chat.openai.connection import OversizeError

        content = json.dumps(self._body(request), separators=(",", ":")).encode()
        asked = Asked(
            request.id,
            self.model,
            self._endpoint,
            self._key_names(),
            strip_reasoning=self.strip_reasoning,
            structured=request.schema is not None,
        )
        try:
            reply = self._connected().post("/chat/completions", content)
        except OversizeError as error:
            return Completion(id=request.id, model=self.model, error=str(error))
        return read_reply(reply.status, reply.headers, reply.content, asked)

    def _connected(self) -> Line:
        if self._line is None:
            from affectlm_chat.openai.connection import Line

            with self._lock:
                if self._line is None:
                    if self._endpoint != ENDPOINTS.get(self.provider):
                        sys.stderr.write(f"affectlm: asking {self._endpoint!r}\n")
                    self._line = Line(
                        self._endpoint,
                        self._key(),
                        timeout=float(self.timeout),
                        connections=self.concurrency,
                        headers=openai_headers() if self._endpoint == ENDPOINTS["openai"] else {},
                        remedy=_remedy(self.provider, self.model),
                    )
        return self._line

    def _body(self, request: Request) -> dict[str, object]:
        messages: list[dict[str, object]] = [
            {"role": message.role, "content": message.text} for message in request.messages
        ]
        if request.face is not None:
            _show(request.face, messages)
        given = {
            self._limit_parameter(): self.max_new_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": None if self.seed is None else request.seeded(self.seed),
            "reasoning_effort": self.reasoning_effort,
            "response_format": request.schema and _format(request.schema),
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        further = dict(self.extra_body or {})
        if isinstance(seed := further.get("random_seed"), int):  # Mistral's name for the seed
            further["random_seed"] = request.seeded(seed)
        return {"model": self.model, "messages": messages, **chosen, **further}

    def _limit_parameter(self) -> str:
        # OpenAI's newer models reject max_tokens; many compatible servers support nothing else.
        at_openai = (urlsplit(self._endpoint).hostname or "").endswith("openai.com")
        return self.limit_parameter or LIMITS[0 if at_openai else 1]

    def _variable(self, what: str) -> str:
        return f"{self.provider.upper().replace('-', '_')}_{what}"

    def _default_address(self) -> str:
        name = self._variable("BASE_URL")
        if address := variable(name):
            self._place = ENVIRONMENT if name in os.environ else DOTENV
            return address
        if self.provider not in ENDPOINTS:
            raise ConfigError(
                f"no address is known for the provider '{self.provider}'; give llm.base_url=URL, set "
                f"{self._variable('BASE_URL')}, or choose {', '.join(ENDPOINTS)}"
            )
        return ENDPOINTS[self.provider]

    def _key_names(self) -> tuple[str, ...]:
        return KEYS.get(self.provider, (self._variable("API_KEY"),))

    @property
    def _local(self) -> bool:
        """Whether the service is on this machine."""
        return is_local(urlsplit(self._endpoint).hostname or "")

    def _key(self) -> str | None:
        """The key, or None; only the connection keeps it.

        If the address comes from the environment or from `.env`, only keys from the same place are sent to it.
        """
        names = self._key_names()
        read = variable if self._place is None else partial(variable_in, self._place)
        name, key = next(((name, value) for name in names if (value := read(name))), (names[0], None))
        if key is None and self._place and (elsewhere := next(filter(variable, names), None)):
            raise AccessError(
                f"{self._variable('BASE_URL')} is set in {self._place} and {elsewhere} in {_OTHER[self._place]}, so "
                f"the key is not sent to '{self._endpoint}'; set both in one place, or give the address as llm.base_url"
            )
        if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
            raise AccessError(f"{name} has blanks or characters that no key has; copy the key again")
        if key is not None and self._endpoint.startswith("http:") and not self._local:
            raise AccessError(
                f"the key in {name} would go unencrypted to '{self._endpoint}'; give llm.base_url an https address, or "
                "choose a provider without a key, such as llm=vllm"
            )
        return key


def _format(schema: Mapping[str, object]) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": dict(schema)}}


def _remedy(provider: str, model: str) -> str:
    """What to do if a server on this machine does not answer."""
    command = STARTED_BY.get(provider)
    return (f"start it with `{command.format(model)}`" if command else "start the server") + ", or correct llm.base_url"


def _checked_address(address: str) -> str:
    """The address without a slash at its end; messages do not repeat an address that may contain a secret."""
    expected = "expected an address such as https://api.openai.com/v1"
    try:
        parts = urlsplit(str(address).strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"llm.base_url is not an address; {expected}") from None
    if "@" in parts.netloc:
        raise ConfigError(f"llm.base_url has a name or password; keys belong in the environment; {expected}")
    if parts.query or parts.fragment:
        raise ConfigError(f"llm.base_url has '?' or '#'; {expected}")
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"llm.base_url is '{address}'; {expected}")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _show(face: Pixels, messages: list[dict[str, object]]) -> None:
    """Adds a picture to the last user message."""
    picture = {"type": "image_url", "image_url": {"url": _data_url(face)}}
    last = next((message for message in reversed(messages) if message["role"] == "user"), None)
    if last is None:
        messages.append({"role": "user", "content": [picture]})
    else:
        last["content"] = [{"type": "text", "text": last["content"]}, picture]


def _data_url(face: Pixels) -> str:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(face).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
