"""Keeps unasked output of libraries off the terminal. Imports transformers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import transformers

# The annotations of transformers differ between versions, so values that are only passed on are not checked.
_hf: Any = transformers


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps transformers' notes and progress bars off the terminal inside the block."""
    logging = _hf.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
