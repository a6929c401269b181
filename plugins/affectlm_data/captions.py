"""What people wrote about pictures of EMOTIC: the captions of Yang et al. (2023, arXiv 2309.13136).

Their table names pictures (the file's name, "_" and how many people EMOTIC annotated there), not persons; whom a
caption is about follows from the gender that it states and from the emotion in the table, or stays open.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import attrs

from affectlm.errors import ConfigError
from affectlm_data.definitions import find_label
from affectlm_data.people import Person

_PICTURE, _EMOTION, _CAPTION = "image name", "human annotated emotion", "full caption"
_COUNT = re.compile(r"_\d+(?=(\.\w+)?$)")
_GENDER = re.compile(r"\bis an? (female|male)\b", re.IGNORECASE)


@attrs.frozen
class Caption:
    """A caption, and the categories that its writer saw."""

    text: str
    labels: tuple[str, ...]

    def find_person(self, people: Sequence[tuple[int, Person]]) -> int | None:
        """The number of the person it is about, of those in its picture; None where that stays open."""
        gender = _GENDER.search(self.text)
        fitting = [
            (n, person) for n, person in people if not gender or person.gender.lower() in ("", gender[1].lower())
        ]
        if len(fitting) > 1:
            fitting = [(n, person) for n, person in fitting if set(self.labels) & set(person.labels)]
        return fitting[0][0] if len(fitting) == 1 else None


def caption_people(path: Path, people: Sequence[Person]) -> tuple[Mapping[int, tuple[str, ...]], int]:
    """The captions of each person who has any, by number, and how many captions of these pictures stayed open.

    Args:
        path: a table with the columns "Image name" and "Full caption" and, if wanted, "Human annotated emotion",
            between commas or semicolons.
        people: of a split.

    Raises:
        ConfigError: the table cannot be read or lacks a column.
    """
    pictures: dict[str, list[tuple[int, Person]]] = defaultdict(list)
    for place, person in enumerate(people):
        pictures[PurePosixPath(person.file).stem].append((place, person))
    found: dict[int, tuple[str, ...]] = {}
    unclear = 0
    for stem, caption in _read_captions(path):
        if stem not in pictures:
            continue
        number = caption.find_person(pictures[stem])
        if number is None:
            unclear += 1
        elif caption.text not in found.get(number, ()):
            found[number] = (*found.get(number, ()), caption.text)
    return found, unclear


def _read_captions(path: Path) -> list[tuple[str, Caption]]:
    """The name, without extension, of each picture, and what was written of it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;", key=header.count))
            rows = [{(key or "").strip().lower(): cell for key, cell in row.items()} for row in reader]
    except OSError as error:
        raise ConfigError(f"captions '{path}' cannot be read: {(error.strerror or str(error)).lower()}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"captions '{path}' are no table in UTF-8: {error}") from error
    if not rows or not {_PICTURE, _CAPTION} <= set(rows[0]):
        columns = ", ".join(rows[0]) if rows else "no rows"
        raise ConfigError(f"captions '{path}' have {columns}; expected the columns '{_PICTURE}' and '{_CAPTION}'")
    return [
        (_stem(row[_PICTURE]), Caption(row[_CAPTION].strip(), _emotions(row.get(_EMOTION) or "")))
        for row in rows
        if row[_PICTURE] and row[_CAPTION]
    ]


def _stem(name: str) -> str:
    """The picture's own name.

    >>> _stem("02lk53bcfgyk89o8fl_1.jpg"), _stem("02lk53bcfgyk89o8fl.jpg_1")
    ('02lk53bcfgyk89o8fl', '02lk53bcfgyk89o8fl')
    """
    return PurePosixPath(_COUNT.sub("", name.strip())).stem


def _emotions(written: str) -> tuple[str, ...]:
    """The categories in a cell such as "Pain/Suffering - Emotional".

    >>> _emotions("Pain/Suffering - Emotional"), _emotions("Doubt/Confusion")
    (('pain', 'suffering'), ('doubt/confusion',))
    """
    found = [find_label(written), *map(find_label, re.split(r"[/-]", written))]
    return tuple(dict.fromkeys(label for label in found if label))
