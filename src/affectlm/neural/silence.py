"""Keeping what libraries say of their own accord from the terminal. Imports transformers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import transformers

# Annotations of transformers differ between its versions, so what is only passed on is left unchecked.
_hf: Any = transformers


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps transformers' notes and progress bars from the terminal for a while."""
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
