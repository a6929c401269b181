"""Text that is safe and short enough to print, and the order in which people list names."""

from __future__ import annotations

import re
from collections.abc import Sequence


def printable(text: str) -> str:
    """Text with a space in place of each character that could control a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shortened(text: str, most: int) -> str:
    r"""The beginning of a text, on one line of at most `most` characters; an ellipsis shows that it goes on.

    >>> shortened("The person seems\ncalm.", 12)
    'The person…'
    """
    one_line = " ".join(printable(text[: 4 * most]).split())
    if len(one_line) <= most and len(text) <= 4 * most:
        return one_line
    return one_line[: most - 1].rstrip() + "…"


def shortened_path(name: str, most: int) -> str:
    """The end of a path, which tells files apart, in at most `most` characters.

    >>> shortened_path("photos/session 1/face.png", 16)
    '…sion 1/face.png'
    """
    name = printable(name)
    return name if len(name) <= most else "…" + name[1 - most :]


def plural(noun: str, count: object) -> str:
    """The noun, in the plural unless the count is 1.

    >>> plural("face", 1), plural("face", 2)
    ('face', 'faces')
    """
    return noun if count == 1 else f"{noun}s"


def natural(name: str) -> list[tuple[int, str]]:
    """A sorting key that treats numbers in names as numbers.

    >>> sorted(["10.jpg", "2.jpg"], key=natural)
    ['2.jpg', '10.jpg']
    """
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in re.split(r"(\d+)", name)]


def varied(lists: Sequence[Sequence[str]]) -> list[list[str]]:
    """The words of each list, such as the overrides of a sweep's runs, that not all lists share.

    >>> varied([["seed=1", "llm=a"], ["seed=1", "llm=b"]])
    [['llm=a'], ['llm=b']]
    """
    shared = set(lists[0]).intersection(*lists[1:])
    return [[word for word in words if word not in shared] for words in lists]
