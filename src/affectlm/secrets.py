"""Finds what looks like a secret: names of keys, values that are keys, addresses that contain one.

Configurations are written to disk, so nothing that looks like a secret may enter one; what is written is scrubbed
again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from affectlm.errors import ConfigError

STARS = "***"
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")  # of camelCase, snake_case and dash-case
# The next three match such words joined by dashes.
_ANYWHERE = re.compile(
    r"\b(password|passwd|passphrase|pwd|secret|credential|authorization|bearer|(api|access|secret|private|signing)-?key"
    r"|(api|access|auth|bearer|refresh)-?token)s?\b"
)
_AT_THE_END = re.compile(r"\b(key|token|auth|jwt|cookie|creds?)$")  # the last word says what a name is about
_HARMLESS = re.compile(  # tokens of text, and keys of tables
    r"\b((bos|eos|pad|unk|sep|cls|mask|stop|start|end|per|image|special|first|next|last)-token"
    r"|(sort|group|row|primary|foreign)-key)$"
)

# How keys begin: OpenAI and others, GitLab, Slack; Groq, Hugging Face, Replicate, GitHub; Google, AWS.
_DASHED = r"(?:sk|xai|pplx|nvapi|glpat|xox[abprs])-"
_JOINED = r"(?:gsk|hf|r8|gh[ops]|github_pat)_"
_GOOGLE, _AMAZON = r"AIza[\w-]{4,}", r"AKIA[A-Z0-9]{12,}"
_SIGNED = r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
# In a configuration, the model 'hf-internal-testing/tiny' and the folder 'hf_faces' are not keys: a key is long and has
# digits.
_KEY = re.compile(
    rf"(?<![\w./-])sk-[\w-]{{4,}}|(?<![\w.-])(?:(?=[\w-]*\d)(?:{_DASHED}[\w-]{{16,}}|{_JOINED}[A-Za-z0-9]{{16,}})"
    rf"|{_GOOGLE}|{_AMAZON}|{_SIGNED})|\bBearer\s+[\w.~+/=-]{{4,}}|-----BEGIN [A-Z ]*PRIVATE KEY"
)
# In messages of services, hiding a harmless word does no damage; services also repeat keys with stars inside.
_KEY_LIKE = re.compile(
    rf"\b(?:{_DASHED}|{_JOINED}|(?:sk|gsk|hf|xai)[-_*])[\w*.-]{{4,}}|\b(?:{_GOOGLE}|{_AMAZON}|{_SIGNED})"
    r"|[\w.-]*\*{3,}[\w*.-]*"
)
_USER = re.compile(r"\w://[^/\s?#@]*@")  # in an address: what comes before the host
_PARAMETER = re.compile(r"[?&#;]([\w.-]+)=[^&\s]")
_HELD = re.compile(r"[{,]\s*[\"']?([\w.-]+)[\"']?\s*:")  # a key of a mapping in Hydra's grammar
_GIVEN = re.compile(r"(?<![\w.-])([\w.-]+)=[^\s=]")
_VARIABLE = re.compile(r"\benv:\s*[\"']?(\w+)")  # ${oc.env:NAME}
_FOLDERS = ("PWD", "OLDPWD")  # the shell's current and last folder; elsewhere 'pwd' is a password
LEAST = 16  # shorter values of variables are not searched for: 'ollama' and 'lm-studio' are placeholders, not keys


def names_secret(name: str) -> bool:
    """Whether a name is that of a key, token or password.

    >>> names_secret("OPENAI_API_KEY"), names_secret("llm.accessToken"), names_secret("max_tokens_total")
    (True, True, False)
    """
    parts = re.split(r"[./@:]", name)
    return any(_says_key(part) or _ends_with_key(part) for part in parts)


def _dashed(part: str) -> str:
    return "-".join(_WORDS.findall(part)).lower()


def _says_key(part: str) -> bool:
    return bool(_ANYWHERE.search(_dashed(part)))


def _ends_with_key(part: str) -> bool:
    words = _dashed(part)
    return bool(_AT_THE_END.search(words)) and not _HARMLESS.search(words)


def holds_secret(text: str) -> bool:
    """Whether a text contains a key, an address with one, or an environment variable that holds one.

    >>> holds_secret("https://me:word@example.org/v1"), holds_secret("${oc.env:HF_TOKEN}"), holds_secret("hf_faces")
    (True, True, False)
    """
    names = [
        *(name for name in _VARIABLE.findall(text) if name not in _FOLDERS),
        *(_PARAMETER.findall(text) if "://" in text else ()),
    ]
    given = [name for name in _GIVEN.findall(text) if name.isupper() or _says_key(name)]
    found = _KEY.search(text) or _USER.search(text) or any(map(names_secret, [*names, *given]))
    return bool(found) or any(value in text for value in _known())


def _known() -> list[str]:
    """The values of environment variables that are named like secrets, unless the value is a path."""
    named = {name: value for name, value in os.environ.items() if len(value) >= LEAST and names_secret(name)}
    return [value for name, value in named.items() if name not in _FOLDERS and not os.path.exists(value)]


def starred(text: str) -> str:
    """Text from a service with stars in place of possible keys; stricter than `holds_secret`.

    >>> starred("Incorrect API key provided: sk-ab*****yz")
    'Incorrect API key provided: ***'
    """
    return _KEY_LIKE.sub(STARS, text)


def refuse_word(word: str) -> None:
    """Raises ConfigError if a command-line word contains a secret; the message does not repeat it."""
    name, equals, value = word.partition("=")
    held = [] if value[:1] in ("'", '"') else _HELD.findall(value)  # a quoted text is not a mapping
    if (equals and names_secret(name)) or holds_secret(word) or any(map(names_secret, held)):
        raise _refusal(starred(name))


def refuse_secrets(config: object) -> None:
    """Raises ConfigError if a configuration contains a secret; the message does not repeat it."""
    if name := next((name for name, _ in _secrets(config)), None):
        raise _refusal(starred(name))


def scrubbed(config: object) -> object:
    """A configuration with stars in place of secrets: the last resort after `refuse_secrets`.

    >>> scrubbed({"llm": {"headers": {"Authorization": "Basic me"}, "max_new_tokens": 8}})
    {'llm': {'headers': {'Authorization': '***'}, 'max_new_tokens': 8}}
    """
    return _scrubbed(config, secret=False)


def _scrubbed(value: object, *, secret: bool) -> object:
    if isinstance(value, Mapping):
        return {key: _scrubbed(held, secret=secret or names_secret(str(key))) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(held, secret=secret) for held in value]
    return STARS if _is_secret(value, secret=secret) else value


def _secrets(value: object, name: str = "", *, secret: bool = False) -> Iterator[tuple[str, object]]:
    """The name, with dots, and the value of each secret in a configuration."""
    if isinstance(value, Mapping):
        for key, held in value.items():
            place = f"{name}.{key}" if name else str(key)
            yield from _secrets(held, place, secret=secret or names_secret(str(key)))
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _secrets(held, name, secret=secret)
    elif _is_secret(value, secret=secret):
        yield name, value


def _is_secret(value: object, *, secret: bool) -> bool:
    if isinstance(value, str):
        return (secret and value != "") or holds_secret(value)
    return secret and value is not None and not isinstance(value, bool)


def _refusal(name: str) -> ConfigError:
    return ConfigError(
        f"'{name}' holds a key or password, or is named like one, and would be written to disk; set the variable "
        "OPENAI_API_KEY, HF_TOKEN or <PROVIDER>_API_KEY in the environment instead"
    )
