"""Checks of the fields of JSON objects, for files that a person or a failing disk may have changed."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection, Mapping

import attrs

from affectlm.store.cache import is_finite

_MOST = 2**63  # above any count


@attrs.frozen
class Field:
    """What a field may hold, as words and as a check."""

    expected: str
    holds: Callable[[object], bool]


def check(values: Mapping[str, object], fields: Mapping[str, Field]) -> None:
    """Raises ValueError if a field of `values` does not hold what `fields` allows; other fields may hold anything."""
    for name, field in fields.items():
        if name in values and not field.holds(values[name]):
            raise ValueError(f"'{name}' is {reprlib.repr(values[name])}, expected {field.expected}")


def as_object(value: object, *names: str) -> dict[str, object]:
    """A copy of the value, which must be an object with at least these fields.

    Raises:
        ValueError: it is not an object, or a field is missing.
    """
    if not isinstance(value, dict):
        raise ValueError(f"found {reprlib.repr(value)}, expected an object")
    if missing := [name for name in names if name not in value]:
        raise ValueError(f"it has no '{missing[0]}'")
    return dict(value)


def optional(field: Field) -> Field:
    """The same field, which may also be null."""
    return Field(f"{field.expected} or null", lambda value: value is None or field.holds(value))


def listed(field: Field) -> Field:
    """A list of such values."""
    return Field(
        f"a list whose items are each {field.expected}",
        lambda value: isinstance(value, list | tuple) and all(map(field.holds, value)),
    )


def named(field: Field) -> Field:
    """An object with such values under any keys."""
    return Field(
        f"an object whose values are each {field.expected}",
        lambda value: isinstance(value, dict) and all(map(field.holds, value.values())),
    )


def one_of(words: Collection[str]) -> Field:
    """One of these words."""
    return Field(f"one of {', '.join(words)}", lambda value: isinstance(value, str) and value in words)


TEXT = Field("a text", lambda value: isinstance(value, str))
NUMBER = Field("a number", is_finite)
AMOUNT = Field("a number, 0 or more", lambda value: is_finite(value) and 0 <= value < _MOST)
COUNT = Field("a whole number, 0 or more", lambda value: isinstance(value, int) and AMOUNT.holds(value))
AFFECT = Field("a number from -1 to 1", lambda value: is_finite(value) and -1 <= value <= 1)
FLAG = Field("true or false", lambda value: isinstance(value, bool))
OBJECT = Field("an object", lambda value: isinstance(value, dict))
