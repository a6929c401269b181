"""Messages on stderr while files are downloaded."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Writes one line that begins with affectlm's name."""
    sys.stderr.write(f"affectlm: {text}\n")


def announce(name: str, source: object, size: int | None, licence: str) -> None:
    """Says what is about to be fetched, from where, its size (given in bytes) and its licence."""
    say(f"fetching '{name}' from {source}: {size_text(size)}, licence {licence}")


def size_text(size: int | None) -> str:
    """A number of bytes in MB, for messages.

    >>> size_text(98_362_432), size_text(None)
    ('98.4 MB', 'unknown size')
    """
    return "unknown size" if size is None else f"{size / 1e6:.1f} MB"
