"""What the options of several datasets have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from affectlm.errors import ConfigError

SPLITS = {"train": "train", "val": "val", "validation": "val", "test": "test"}
"""What splits are called, and their short names."""


def one_path(value: object) -> Path:
    """The path of an option that names one file or folder.

    Raises:
        ConfigError: it names none, or several.
    """
    # A bare word of the command line arrives as a list of one.
    paths = value if isinstance(value, list) else [value]
    if paths in ([], [None]):
        raise ConfigError("the dataset got no path; set dataset.path to its file or folder")
    if len(paths) > 1:
        raise ConfigError(f"the dataset got {len(paths)} paths, {', '.join(map(str, paths))}; expected one")
    return Path(str(paths[0])).expanduser()


def split_name(value: object) -> str:
    """The short name of a split: train, val or test.

    >>> split_name("Validation")
    'val'

    Raises:
        ConfigError: it is no split.
    """
    found = SPLITS.get(str(value).lower())
    if found is None:
        raise ConfigError(f"split '{value}' is unknown; expected {', '.join(SPLITS)}")
    return found


def takes_none(dataset: str) -> Callable[[object, attrs.Attribute[None], object], None]:
    """A validator of options that a dataset without files has no use for."""

    def check(_: object, attribute: attrs.Attribute[None], value: object) -> None:
        if value is not None:
            raise ConfigError(f"dataset '{dataset}' takes no {attribute.name}, found '{value}'; leave it out")

    return check
