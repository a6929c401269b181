"""What people wrote about pictures of EMOTIC: the captions of Yang et al. (2023, arXiv 2309.13136).

Their table names pictures (the file name, "_" and the number of people that EMOTIC annotated there), not persons. The
person a caption is about follows from the gender in it and the emotion in the table, or remains unknown.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import attrs

from affectlm_data.emotic.definitions import find_label
from affectlm_data.emotic.people import Person
from affectlm_data.tables import read_csv

_PICTURE, _EMOTION, _CAPTION = "image name", "human annotated emotion", "full caption"
_COUNT = re.compile(r"_\d+$")
_GENDER = re.compile(r"\bis an? (female|male)\b", re.IGNORECASE)


@attrs.frozen
class Caption:
    """A caption, with the categories that its writer saw."""

    text: str
    labels: tuple[str, ...]

    def find_person(self, people: Sequence[tuple[int, Person]]) -> int | None:
        """The number of the person that it is about, among those in its picture; None if that is unclear."""
        gender = _GENDER.search(self.text)
        fitting = [
            (n, person) for n, person in people if not gender or person.gender.lower() in ("", gender[1].lower())
        ]
        if len(fitting) > 1:
            fitting = [(n, person) for n, person in fitting if set(self.labels) & set(person.labels)]
        return fitting[0][0] if len(fitting) == 1 else None


def caption_people(path: Path, people: Sequence[Person]) -> tuple[Mapping[int, tuple[str, ...]], Mapping[str, int]]:
    """The captions of each person who has any, by number, and the counts of captions left out, by reason.

    Args:
        path: a table with the columns "Image name" and "Full caption", and optionally "Human annotated emotion",
            separated by commas or semicolons.
        people: of a split.

    Raises:
        ConfigError: the table cannot be read or lacks a column, or a line has too few or too many cells.
    """
    pictures: dict[str, list[tuple[int, Person]]] = defaultdict(list)
    for place, person in enumerate(people):
        pictures[PurePosixPath(person.file).stem].append((place, person))
    found: dict[int, tuple[str, ...]] = {}
    left_out = Counter({"captions_elsewhere": 0, "unclear_captions": 0})
    for stem, caption in _read_captions(path):
        candidates = pictures.get(stem) or pictures.get(_COUNT.sub("", stem))
        number = caption.find_person(candidates) if candidates else None
        if not candidates:
            left_out["captions_elsewhere"] += 1
        elif number is None:
            left_out["unclear_captions"] += 1
        elif caption.text not in found.get(number, ()):
            found[number] = (*found.get(number, ()), caption.text)
    return found, left_out


def _read_captions(path: Path) -> Iterator[tuple[str, Caption]]:
    """The name of each picture, without extension, and its caption."""
    for line in read_csv(path, (_PICTURE, _CAPTION)):
        name, text = line.cells[_PICTURE], line.cells[_CAPTION]
        if name and text:
            yield PurePosixPath(name).stem, Caption(text, _emotions(line.cells.get(_EMOTION, "")))


def _emotions(written: str) -> tuple[str, ...]:
    """The categories in a cell such as "Pain/Suffering - Emotional".

    >>> _emotions("Pain/Suffering - Emotional"), _emotions("Doubt/Confusion")
    (('pain', 'suffering'), ('doubt/confusion',))
    """
    found = [find_label(written), *map(find_label, re.split(r"[/-]", written))]
    return tuple(dict.fromkeys(label for label in found if label))
