"""Text that is safe and short enough to print, and the order in which people list names."""

from __future__ import annotations

import re


def printable(text: str) -> str:
    """Text without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shortened(text: str, most: int) -> str:
    r"""The beginning of a text in one line of at most `most` characters; an ellipsis says that it goes on.

    >>> shortened("The person seems\ncalm.", 12)
    'The person…'
    """
    one_line = " ".join(printable(text[: 4 * most]).split())
    if len(one_line) <= most and len(text) <= 4 * most:
        return one_line
    return one_line[: most - 1].rstrip() + "…"


def shortened_path(name: str, most: int) -> str:
    """The end of a path in at most `most` characters, for what tells files apart stands there.

    >>> shortened_path("photos/session 1/face.png", 16)
    '…sion 1/face.png'
    """
    name = printable(name)
    return name if len(name) <= most else "…" + name[1 - most :]


def plural(noun: str, count: object) -> str:
    """The noun for so many.

    >>> plural("face", 1), plural("face", 2)
    ('face', 'faces')
    """
    return noun if count == 1 else f"{noun}s"


def natural(name: str) -> list[tuple[int, str]]:
    """A sorting key under which numbers in names count as numbers.

    >>> sorted(["10.jpg", "2.jpg"], key=natural)
    ['2.jpg', '10.jpg']
    """
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in re.split(r"(\d+)", name)]
