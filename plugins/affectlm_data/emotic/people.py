"""The people of EMOTIC as they were annotated, checked and converted to our labels and scale.

`table.py` and `mat.py` read the files; both give the same people.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath

import attrs

from affectlm.errors import ConfigError
from affectlm.types import Box
from affectlm_data.emotic.definitions import find_label

LOW, HIGH = 1.0, 10.0  # ends of the scale of valence and arousal


@attrs.frozen
class Entry:
    """The annotations of one person, not checked yet."""

    place: str  # for messages
    folder: str
    file: str
    corners: Sequence[float]
    labels: Sequence[str]
    affect: Sequence[float]  # valence, arousal, dominance; empty if nobody rated
    gender: str
    age: str


@attrs.frozen
class Person:
    """One person of a picture; valence and arousal in [-1, 1]."""

    folder: str  # relative to the folder with all pictures, with slashes
    file: str
    box: Box  # of the body; may extend beyond the picture
    labels: tuple[str, ...]
    valence: float
    arousal: float
    gender: str
    age: str


@attrs.frozen
class People:
    """The people of a split, and the numbers of rows left out, by reason."""

    rows: int
    kept: tuple[Person, ...]
    left_out: Mapping[str, int]

    @property
    def repeated(self) -> int:
        """The number of exact repetitions among the people that were kept."""
        return len(self.kept) - len(set(self.kept))


def check_people(entries: Iterable[Entry]) -> People:
    """The people with labels, valence and arousal, in the given order; the others are only counted.

    Raises:
        ConfigError: a label is not one of the 26, a rating is off the scale, a box is invalid, or a picture is outside
            the pictures' folder.
    """
    kept, reasons = [], Counter({"without_labels": 0, "without_ratings": 0})
    for entry in entries:
        if not entry.labels:
            reasons["without_labels"] += 1
        elif not entry.affect or any(math.isnan(value) for value in entry.affect):
            reasons["without_ratings"] += 1
        else:
            kept.append(_person(entry))
    return People(len(kept) + reasons.total(), tuple(kept), reasons)


def _person(entry: Entry) -> Person:
    valence, arousal, *_ = entry.affect
    picture = _picture(entry)
    return Person(
        "/".join(picture.parts[:-1]),
        picture.name,
        _box(entry),
        _labels(entry),
        _unit(entry, "valence", valence),
        _unit(entry, "arousal", arousal),
        entry.gender,
        entry.age,
    )


def _picture(entry: Entry) -> PurePosixPath:
    """The path of the picture, relative to the folder with all pictures."""
    written = "/".join(filter(None, (entry.folder, entry.file)))
    path = PureWindowsPath(written)  # PureWindowsPath knows both slashes
    if not entry.file or path.anchor or ".." in path.parts:
        raise ConfigError(f"{entry.place}: the picture is '{written}'; expected a path inside the pictures' folder")
    return PurePosixPath(*path.parts)


def _labels(entry: Entry) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for written in entry.labels:
        if (label := find_label(written)) is None:
            raise ConfigError(f"{entry.place} has the label '{written}', not one of EMOTIC's 26; correct it")
        found[label] = None
    return tuple(found)


def _unit(entry: Entry, name: str, value: float) -> float:
    if not LOW <= value <= HIGH:
        raise ConfigError(f"{entry.place}: {name} is {value:g}; expected a number in [{LOW:g}, {HIGH:g}]")
    return (2 * value - LOW - HIGH) / (HIGH - LOW)


def _box(entry: Entry) -> Box:
    """The body's box, with its corners in order and at least a pixel apart."""
    if len(entry.corners) != 4 or not all(map(math.isfinite, entry.corners)):
        raise ConfigError(f"{entry.place}: the box is {list(entry.corners)}; expected left, top, right, bottom")
    x1, y1, x2, y2 = entry.corners
    left, top = min(x1, x2), min(y1, y2)
    return Box(left, top, max(x1, x2, left + 1), max(y1, y2, top + 1))
