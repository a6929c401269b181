"""EMOTIC's own Annotations.mat: pictures with people, each annotated by one person in train and by several elsewhere.

Fields are found by name, because their order differs between releases; the position counts only if a file has no names
(cells instead of structures).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from affectlm.errors import ConfigError
from affectlm_data.emotic.people import Entry

_Value: TypeAlias = NDArray[Any]  # a MATLAB array: numbers, letters, cells (objects) or structures (with field names)
_Fields: TypeAlias = Mapping[str, _Value]

_PICTURE = (("filename", "folder", "image_size", "original_database", "person"),)
_PERSON = (
    ("bbox", "annotations_categories", "annotations_continuous", "gender", "age"),
    (
        "bbox",
        "annotations_categories",
        "combined_categories",
        "annotations_continuous",
        "combined_continuous",
        "gender",
        "age",
    ),
)
_AFFECT = (("valence", "arousal", "dominance"),)


def mat_entries(path: Path, split: str) -> Iterator[Entry]:
    """The entry of each person of a split: train, val or test.

    Raises:
        ConfigError: the file cannot be read, has no such split, or lacks a field.
    """
    for number, picture in enumerate(_variable(path, split).flat, 1):
        place = f"picture {number} of '{split}' in '{path}'"
        fields = _fields(picture, _PICTURE, place)
        file, folder = (_text(_field(fields, place, name)) for name in ("filename", "folder"))
        for person in _field(fields, place, "person").flat:
            yield _entry(f"{place}, '{file}'", folder, file, _fields(person, _PERSON, place))


def _variable(path: Path, split: str) -> _Value:
    from scipy.io import loadmat, whosmat

    try:
        held = loadmat(path, variable_names=[split])
        names = ", ".join(name for name, *_ in whosmat(path)) or "none"
    except NotImplementedError as error:
        raise ConfigError(f"'{path}' is in MATLAB's format 7.3; save it again with -v7, or use the tables") from error
    except Exception as error:  # the reader raises errors of many kinds on damaged files
        raise ConfigError(f"'{path}' cannot be read as a .mat file: {str(error).lower()}") from error
    if split not in held:
        raise ConfigError(f"'{path}' has the variables {names}; expected '{split}' among them")
    return np.asarray(held[split])


def _entry(place: str, folder: str, file: str, fields: _Fields) -> Entry:
    """The entry of a person: the combined annotations, or those of all annotators if there are none."""
    labels = _labels(fields.get("combined_categories"), place)
    ratings = _ratings(fields.get("combined_continuous"), place)
    labels = labels or _labels(_field(fields, place, "annotations_categories", "categories"), place)
    ratings = ratings or _ratings(_field(fields, place, "annotations_continuous", "continuous"), place)
    return Entry(
        place,
        folder,
        file,
        _corners(_field(fields, place, "bbox", "body_bbox")),
        labels,
        [sum(values) / len(ratings) for values in zip(*ratings, strict=True)],
        _text(_field(fields, place, "gender", "annotations_gender"), "gender"),
        _text(_field(fields, place, "age", "annotations_age"), "age"),
    )


def _fields(value: object, orders: Sequence[Sequence[str]], place: str) -> _Fields:
    """The values of a structure by name; for cells without names, the position decides the name."""
    if isinstance(value, np.void) and value.dtype.names:
        return {name.lower(): np.asarray(value[name]) for name in value.dtype.names}
    parts = list(value.flat) if isinstance(value, np.ndarray) else []
    for order in orders:
        if len(order) == len(parts):
            return dict(zip(order, map(np.asarray, parts), strict=True))
    counts = " or ".join(str(len(order)) for order in orders)
    raise ConfigError(f"{place} has {len(parts)} values without names; expected {counts}, or a structure")


def _field(fields: _Fields, place: str, *names: str) -> _Value:
    for name in names:
        if name in fields:
            return fields[name]
    raise ConfigError(f"{place} has the fields {', '.join(fields)}; expected '{names[0]}' among them")


def _text(value: object, name: str = "") -> str:
    """The word in nested cells, or under a name in a structure; empty if there is none."""
    while not isinstance(value, str):
        if isinstance(value, np.void) and value.dtype.names and name in value.dtype.names:
            value = value[name]
        elif isinstance(value, np.ndarray) and value.size:
            value = value.flat[0]
        else:
            return ""
    return value.strip()


def _labels(value: object, place: str) -> list[str]:
    """The labels of all annotators."""
    if isinstance(value, np.void):
        return _labels(_field(_fields(value, (), place), place, "categories"), place)
    if isinstance(value, np.ndarray):
        return [label for part in value.flat for label in _labels(part, place)]
    return [str(value)] if value is not None else []


def _ratings(value: object, place: str) -> list[tuple[float, float, float]]:
    """Valence, arousal and dominance by each annotator."""
    if isinstance(value, np.void):
        fields = _fields(value, _AFFECT, place)
        valence, arousal, dominance = (_number(_field(fields, place, name)) for name in _AFFECT[0])
        return [(valence, arousal, dominance)]
    if not isinstance(value, np.ndarray):
        return []
    if value.dtype.kind in "iuf":
        if value.size % 3:
            raise ConfigError(f"{place} has {value.size} ratings; expected valence, arousal and dominance")
        return [(float(v), float(a), float(d)) for v, a, d in value.reshape(-1, 3)]
    return [rating for part in value.flat for rating in _ratings(part, place)]


def _corners(value: _Value) -> list[float]:
    """The numbers of an array; empty if it holds something else."""
    return value.ravel().astype(float).tolist() if value.dtype.kind in "iuf" else []


def _number(value: _Value) -> float:
    """The first number of an array, or NaN if there is none."""
    return float(value.flat[0]) if value.size and value.dtype.kind in "iuf" else float("nan")
