"""Validators for options and settings; their messages name the key and what it may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

_Check = Callable[[object, Any, Any], None]


def at_least(least: int) -> _Check:
    """A validator for whole numbers that are `least` or more."""

    def check(_: object, attribute: Any, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{_key(attribute)}={value} does not fit; expected a whole number, {least} or more")

    return check


def flag(_: object, attribute: Any, value: Any) -> None:
    """A validator for true and false."""
    if not isinstance(value, bool):
        raise ValueError(f"{_key(attribute)}={value} does not fit; expected true or false")


def one_of(*choices: object) -> _Check:
    """A validator for the given values."""

    def check(_: object, attribute: Any, value: Any) -> None:
        if value not in choices:
            raise ValueError(f"{_key(attribute)}={value} is unknown; expected {' or '.join(map(str, choices))}")

    return check


def deviation(_: object, attribute: Any, value: Any) -> None:
    """A validator for standard deviations."""
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{_key(attribute)}={value} is not a standard deviation; expected 0 or more")


def _key(attribute: Any) -> str:
    return str(attribute.metadata.get("key", attribute.name))


def amount(_: object, attribute: Any, value: Any) -> None:
    """A validator for finite numbers that are 0 or more."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ValueError(f"{_key(attribute)}={value} does not fit; expected a number, 0 or more")
