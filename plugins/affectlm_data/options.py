"""Converters and validators of options that several datasets have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from affectlm.errors import ConfigError

SPLITS = {"train": "train", "val": "val", "validation": "val", "test": "test"}
"""The names of splits, and their short names."""


def one_path(value: object) -> Path:
    """The path from an option that names one file or folder.

    Raises:
        ConfigError: it names none, or several.
    """
    # A bare word of the command line arrives as a list with one item.
    paths = value if isinstance(value, list) else [value]
    if paths in ([], [None]):
        raise ConfigError("the dataset has no path; set dataset.path to its file or folder")
    if len(paths) > 1:
        raise ConfigError(f"the dataset has {len(paths)} paths, {', '.join(map(str, paths))}; expected one")
    return Path(str(paths[0])).expanduser()


def split_name(value: object) -> str:
    """The short name of a split: train, val or test.

    >>> split_name("Validation")
    'val'

    Raises:
        ConfigError: there is no such split.
    """
    found = SPLITS.get(str(value).lower())
    if found is None:
        raise ConfigError(f"split '{value}' is unknown; expected {', '.join(SPLITS)}")
    return found


def takes_none(dataset: str) -> Callable[[object, attrs.Attribute[None], object], None]:
    """A validator that raises ConfigError if an option is set that a dataset without files does not use."""

    def check(_: object, attribute: attrs.Attribute[None], value: object) -> None:
        if value is not None:
            raise ConfigError(f"dataset '{dataset}' takes no {attribute.name}, found '{value}'; leave it out")

    return check
