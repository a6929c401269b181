"""Which records belong together, for intervals: records of one picture are not independent of one another."""

from __future__ import annotations

from collections.abc import Sequence

from affectlm.errors import ConfigError
from affectlm.types import Record

PICTURE, PERSON, PROMPT, GROUP = "picture", "person", "prompt", "group."
CHOICES = f"{PICTURE}, {PERSON}, {PROMPT} or {GROUP}NAME"


def check(by: object) -> None:
    """Raises ValueError unless `by` is picture, person, prompt or group.NAME."""
    named = isinstance(by, str) and by.startswith(GROUP) and by != GROUP
    if by not in (PICTURE, PERSON, PROMPT) and not named:
        raise ValueError(f"intervals.by is '{by}', expected {CHOICES}")


def of(records: Sequence[Record], by: str = PICTURE) -> list[str]:
    """What each record belongs to: its picture, person (a face, however often it is asked about), prompt or group.

    A record without the thing belongs to itself.

    Raises:
        ConfigError: no record has the group.
    """
    if by.startswith(GROUP):
        return _groups(records, by.removeprefix(GROUP))
    if by == PERSON:
        return [record.asked_about for record in records]
    if by == PROMPT:
        return [record.prompt_sha256 or record.asked_about for record in records]
    return [record.image or record.asked_about for record in records]


def _groups(records: Sequence[Record], name: str) -> list[str]:
    named = [{key.casefold(): value for key, value in record.truth.group.items()} for record in records]
    values = [each.get(name.casefold()) for each in named]
    if records and all(value is None for value in values):
        found = ", ".join(dict.fromkeys(key for each in named for key in each))
        raise ConfigError(
            f"no record has a group '{name}', which intervals.by={GROUP}{name} needs; groups: {found or 'none'}"
        )
    return [
        record.asked_about if value is None else f"value {value}" for record, value in zip(records, values, strict=True)
    ]
