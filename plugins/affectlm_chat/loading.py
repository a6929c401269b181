"""Models that are loaded into this process when they are first asked."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

import attrs

from affectlm.errors import AccessError

_M = TypeVar("_M")


@attrs.define
class Once(Generic[_M]):
    """A model that is loaded on first use; if that fails, it is not tried again."""

    load: Callable[[], _M]
    _loaded: _M | None = attrs.field(init=False, default=None)
    _failure: str | None = attrs.field(init=False, default=None)
    _lock: Lock = attrs.field(init=False, factory=Lock)

    def ready(self) -> _M:
        """The model.

        Raises:
            AccessError: it cannot be loaded, or could not at the first try.
        """
        with self._lock:
            if self._loaded is None and self._failure is None:
                try:
                    self._loaded = self.load()
                except Exception as error:  # whatever goes wrong, the run still gets its records
                    self._failure = f"the model cannot be loaded: {reason(error)}"
            if self._loaded is None:
                raise AccessError(self._failure)
            return self._loaded


def reason(error: Exception) -> str:
    """The kind of an error and the first line of its message."""
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0]}" if first else type(error).__name__
