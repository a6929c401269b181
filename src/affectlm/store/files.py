"""Opens files that a user names, if they are ordinary and not too large: reading a pipe or device may never end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

import yaml

from affectlm.errors import ConfigError

MOST_WEIGHTS = 16 * 2**30  # bytes
MOST_TABLE = 2**30
MOST_YAML = 2**20
MOST_VALUES, MOST_DEPTH = 100_000, 40  # of a YAML file with its aliases expanded
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # opening a pipe must not block


def open_file(path: Path, limit: int) -> BufferedReader:
    """An ordinary file of at most `limit` bytes, open for reading.

    Raises:
        OSError: it cannot be opened, is a pipe, device or folder, or is larger; `strerror` says which.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        _check(os.fstat(descriptor), path, limit)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def check_file(path: Path, limit: int) -> None:
    """Raises OSError like `open_file`; for libraries that open a file themselves."""
    open_file(path, limit).close()


def _check(found: os.stat_result, path: Path, limit: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or device, expected an ordinary file", str(path))
    if found.st_size > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit / 1e6:,.0f} MB", str(path))


def read_yaml(path: Path) -> object:
    """The content of a YAML or JSON file: mappings, lists and strings; numbers and dates stay strings.

    Raises:
        OSError: like `open_file`.
        ConfigError: it is neither YAML nor JSON, is nested too deeply, or has too many values.
    """
    with open_file(path, MOST_YAML) as file:
        content = file.read(MOST_YAML)
    try:
        return _Loader(content).get_single_data()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"'{path}' cannot be read as YAML or JSON: {' '.join(str(error).split())[:200]}") from error
    except RecursionError as error:
        raise ConfigError(f"'{path}' cannot be read as YAML or JSON: it is nested too deeply") from error


class _Loader(yaml.BaseLoader):  # type: ignore[misc]  # PyYAML has no types
    """Counts the values with aliases expanded: aliases of lists of aliases soon stand for more than memory holds."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._measures: dict[int, tuple[int, int]] = {}  # values and depth of finished nodes; the root keeps them alive

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node:
        """The next node, as PyYAML asks for it."""
        is_alias = self.check_event(yaml.AliasEvent)
        node: yaml.Node = super().compose_node(parent, index)
        if not is_alias:
            below = [self._measures[id(child)] for child in _children(node)]
            values, depth = 1 + sum(values for values, _ in below), 1 + max((depth for _, depth in below), default=0)
            if values > MOST_VALUES or depth > MOST_DEPTH:
                raise yaml.YAMLError(f"it expands to more than {MOST_VALUES:,} values or {MOST_DEPTH} levels")
            self._measures[id(node)] = values, depth
        elif id(node) not in self._measures:
            raise yaml.YAMLError("a list or mapping is part of itself")
        return node


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
