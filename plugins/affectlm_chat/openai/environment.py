"""Settings of a person or a machine that do not belong in a configuration, such as keys."""

from __future__ import annotations

import os
from pathlib import Path

from affectlm.errors import ConfigError

ENVIRONMENT = "the environment"
DOTENV = ".env"  # in the working directory; the environment of the process comes first


def variable(name: str) -> str | None:
    """The value of a variable without surrounding blanks, or None if it is unset or empty.

    With `AFFECTLM_DOTENV=0` the file is not read. Nothing is added to the environment of this process.

    Raises:
        ConfigError: the file cannot be read.
    """
    return variable_in(ENVIRONMENT if name in os.environ else DOTENV, name)


def variable_in(place: str, name: str) -> str | None:
    """As `variable`, but from one place only: `ENVIRONMENT` or `DOTENV`."""
    if place == ENVIRONMENT:
        return os.environ.get(name, "").strip() or None
    if os.environ.get("AFFECTLM_DOTENV") == "0" or not Path(DOTENV).is_file():
        return None
    from dotenv import dotenv_values

    try:
        value = dotenv_values(DOTENV, interpolate=False, encoding="utf-8").get(name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"'{DOTENV}' in this folder cannot be read ({type(error).__name__}); correct it, or set AFFECTLM_DOTENV=0"
        ) from None
    return (value or "").strip() or None


def openai_headers() -> dict[str, str]:
    """The headers that the environment adds to requests to OpenAI, as in its SDK; names in lower case.

    `OPENAI_CUSTOM_HEADERS` has one "name: value" per line.
    """
    named = {"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"}
    headers = {header: os.environ[name].strip() for header, name in named.items() if os.environ.get(name)}
    lines = (line.partition(":") for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines())
    return headers | {name.strip().lower(): value.strip() for name, colon, value in lines if colon}
