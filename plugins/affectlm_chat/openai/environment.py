"""Settings that belong to a person or a machine and into no configuration, such as keys."""

from __future__ import annotations

import os
from pathlib import Path

from affectlm.errors import ConfigError

ENVIRONMENT = "the environment"
DOTENV = ".env"  # in the working directory; a process's own environment comes first


def variable(name: str) -> str | None:
    """A variable's value without the blanks around it, or None where it is not set or empty.

    `AFFECTLM_DOTENV=0` leaves the file unread. Nothing is added to the environment of this process.

    Raises:
        ConfigError: the file cannot be read.
    """
    return variable_in(ENVIRONMENT if name in os.environ else DOTENV, name)


def variable_in(place: str, name: str) -> str | None:
    """As `variable`, but of one place alone: `ENVIRONMENT` or `DOTENV`."""
    if place == ENVIRONMENT:
        return os.environ.get(name, "").strip() or None
    if os.environ.get("AFFECTLM_DOTENV") == "0" or not Path(DOTENV).is_file():
        return None
    from dotenv import dotenv_values

    try:
        value = dotenv_values(DOTENV, interpolate=False, encoding="utf-8").get(name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"'{DOTENV}' in this folder cannot be read ({type(error).__name__}); mend it, or set AFFECTLM_DOTENV=0"
        ) from None
    return (value or "").strip() or None
