"""Reads the reply of a service: a completion, an error of this request, or a failure of the whole run."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

import attrs

from affectlm.errors import AccessError, AffectlmError, BusyError, ConfigError, TransientError
from affectlm.line.thoughts import without_thoughts
from affectlm.secrets import starred
from affectlm.text import printable
from affectlm.types import Completion
from affectlm_chat.openai.environment import DOTENV

MOST_TEXT = 2**20  # characters of a reply that are kept
MOST_MESSAGE = 300  # characters of a service's error message that are kept
_FILTERED = {"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"}
_UNPAID = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_NO_MODEL = {"model_not_found", "invalid_model", "model_decommissioned"}
_UNSUPPORTED = {"unsupported_parameter", "unsupported_value"}
_OPTIONS = {
    "max_tokens": "limit_parameter=max_completion_tokens",
    "max_completion_tokens": "limit_parameter=max_tokens",
}
_NO_KEY = re.compile(r"api.?key (is )?(not valid|invalid|expired)|(invalid|incorrect) api.?key", re.IGNORECASE)

_SCHEMA = re.compile(r"response[_ ]format|json[_ ]schema|structured|grammar", re.IGNORECASE)


@attrs.frozen
class Asked:
    """The request and its service, for messages, and how to read the text."""

    id: str
    model: str
    endpoint: str
    key_names: tuple[str, ...]
    strip_reasoning: bool = attrs.field(kw_only=True, default=True)
    structured: bool = attrs.field(kw_only=True, default=False)  # whether the reply is bound to a schema

    def error(self, reason: str) -> Completion:
        """A completion that says why there is no reply."""
        return Completion(id=self.id, model=self.model, error=reason)


@attrs.frozen
class _Trouble:
    """A service's report of an error."""

    status: int
    words: frozenset[str]  # its codes and types
    message: str
    parameter: str
    retry_after: float | None

    def __str__(self) -> str:
        return f"HTTP {self.status}: {self.message}" if self.message else f"HTTP {self.status}"


def read_reply(status: int, headers: Mapping[str, str], content: bytes, asked: Asked) -> Completion:
    """The completion in a reply.

    Raises:
        TransientError: the reply is not a completion, or the service failed; asking again may help.
        AffectlmError: every further request would fail in the same way.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if status >= 300:
        return _troubled(_trouble(status, headers, found), headers, asked)
    match found:
        case {"choices": [{"message": dict(message), **choice}, *_]} if choice.get("finish_reason") != "error":
            return _completion(found, message, str(choice.get("finish_reason") or "stop"), asked)
        case {"error": dict() | str()}:  # OpenRouter reports failures of a model with a success status
            error = found["error"]
            code = error.get("code") if isinstance(error, dict) else None
            status = code if isinstance(code, int) and 400 <= code < 600 else 500
            return _troubled(_trouble(status, headers, found), headers, asked)
        case dict():
            raise TransientError(f"the reply from '{asked.endpoint}' has no message")
    raise TransientError(f"the reply from '{asked.endpoint}' is not a JSON object")


def _completion(found: Mapping[str, Any], message: Mapping[str, Any], finish: str, asked: Asked) -> Completion:
    text, refusal = _text(message.get("content")), message.get("refusal")
    if isinstance(refusal, str) and refusal.strip():
        text, finish = refusal, "refusal"
    elif finish in ("tool_calls", "function_call"):
        text = ""
    elif asked.strip_reasoning:
        text = without_thoughts(text)
    if len(text) > MOST_TEXT:
        text, finish = text[:MOST_TEXT], "length"
    model = found.get("model")
    return Completion(
        id=asked.id,
        text=text,
        model=model if isinstance(model, str) and model else asked.model,
        finish_reason=finish,
        usage=_usage(found.get("usage")),
    )


def _text(content: object) -> str:
    """The text of a message, which may have several parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(found: object) -> dict[str, int] | None:
    if not isinstance(found, dict):
        return None
    names = ("prompt_tokens", "completion_tokens")
    return {name: found[name] for name in names if type(found.get(name)) is int and found[name] >= 0} or None


def _troubled(trouble: _Trouble, headers: Mapping[str, str], asked: Asked) -> Completion:
    """A completion with `error`, or one that was filtered.

    Raises:
        AffectlmError: the problem is not limited to this request.
    """
    if trouble.words & _FILTERED:
        return Completion(id=asked.id, model=asked.model, finish_reason="content_filter")
    if trouble.status == 402 or (trouble.words & _UNPAID):
        raise AccessError(f"the quota at '{asked.endpoint}' is used up ({trouble}); check its billing")
    if trouble.status in (429, 503, 529):
        raise BusyError(f"'{asked.endpoint}' is busy ({trouble})", trouble.retry_after)
    if trouble.status in (408, 409, 425) or trouble.status >= 500:
        raise TransientError(f"'{asked.endpoint}' failed ({trouble})", trouble.retry_after)
    if trouble.status < 400:
        raise _redirected(trouble, headers, asked)
    if trouble.status in (401, 403) or _NO_KEY.search(trouble.message):
        _refuse_key(trouble, asked)
    if trouble.status in (404, 405, 410) or trouble.words & _NO_MODEL:
        raise AccessError(
            f"'{asked.endpoint}' has no model '{asked.model}', or is not the right address ({trouble}); check "
            "llm.model and llm.base_url"
        )
    if asked.structured and trouble.status in (400, 422) and _SCHEMA.search(trouble.message):
        raise ConfigError(
            f"'{asked.model}' at '{asked.endpoint}' cannot bind a reply to a JSON schema ({trouble}); type "
            "prompt.structured=off"
        )
    if trouble.words & _UNSUPPORTED and trouble.parameter:
        option = _OPTIONS.get(trouble.parameter, f"{trouble.parameter}=null")
        raise ConfigError(f"'{asked.model}' does not support an option ({trouble}); type llm.{option}")
    return asked.error(str(trouble))


def _refuse_key(trouble: _Trouble, asked: Asked) -> NoReturn:
    names = " or ".join(asked.key_names)
    raise AccessError(
        f"'{asked.endpoint}' refuses access ({trouble}); check {names} in the environment or in '{DOTENV}', and that "
        f"the key may use '{asked.model}'"
    )


def _redirected(trouble: _Trouble, headers: Mapping[str, str], asked: Asked) -> AffectlmError:
    # Only the host of the new address is shown, because the service may write anything into the rest.
    host = _one_line(urlsplit(headers.get("location", "")).hostname or "elsewhere")
    return AccessError(
        f"'{asked.endpoint}' redirects to {host} (HTTP {trouble.status}), where no key is sent; give that address with "
        "llm.base_url"
    )


def _trouble(status: int, headers: Mapping[str, str], found: object) -> _Trouble:
    if isinstance(found, list) and found:  # Gemini wraps its errors
        found = found[0]
    error = found.get("error", found) if isinstance(found, dict) else None
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, dict):
        error = {}
    inner = error.get("innererror")
    codes = (error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None)
    message = error.get("message") or error.get("detail") or ""
    parameter = error.get("param")
    return _Trouble(
        status=status,
        words=frozenset(code for code in codes if isinstance(code, str)),
        message=_one_line(message if isinstance(message, str) else json.dumps(message)),
        parameter=parameter if isinstance(parameter, str) and parameter.isidentifier() else "",
        retry_after=_retry_after(headers),
    )


def _one_line(text: str) -> str:
    """A service's text, safe to print on one line; anything like a key becomes stars."""
    return starred(" ".join(printable(text[: 4 * MOST_MESSAGE]).split()))[:MOST_MESSAGE]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from a number of seconds or milliseconds or a date; or None."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, until.timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, OSError):
        return None
