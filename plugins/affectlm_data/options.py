"""What the options of several datasets have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from affectlm.errors import ConfigError

_SPLITS = {"train": "train", "val": "val", "validation": "val", "test": "test"}


def one_path(value: object) -> Path:
    """The path of an option that names one file or folder.

    Raises:
        ConfigError: it names none.
    """
    if value is None:
        raise ConfigError("the dataset got no path; set dataset.path to its file or folder")
    # A bare word of the command line arrives as a list of one.
    return Path(str(value[0] if isinstance(value, list) and len(value) == 1 else value)).expanduser()


def split_name(value: object) -> str:
    """The short name of a split: train, val or test.

    >>> split_name("Validation")
    'val'

    Raises:
        ConfigError: it is no split.
    """
    found = _SPLITS.get(str(value).lower())
    if found is None:
        raise ConfigError(f"split '{value}' is unknown; expected {', '.join(_SPLITS)}")
    return found


def takes_none(dataset: str) -> Callable[[object, attrs.Attribute[None], object], None]:
    """A validator of options that a dataset without files has no use for."""

    def check(_: object, attribute: attrs.Attribute[None], value: object) -> None:
        if value is not None:
            raise ConfigError(f"dataset '{dataset}' takes no {attribute.name}, found '{value}'; leave it out")

    return check
