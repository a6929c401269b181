"""What a run left out, counted and put into words.

The counts come from the records. A continued run has all of them, so nothing that it counted before is lost or doubled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sized
from typing import TypeAlias

import attrs

from affectlm.contract import called
from affectlm.text import plural, printable
from affectlm.types import CountingDataset, Dataset, Record

Counts: TypeAlias = dict[str, int | None]  # what was left out, with a noun first -> how many; None if unknown


@attrs.define
class _Picture:
    """The faces of a picture, which several items of the dataset may share."""

    found: int = 0
    too_small: int = 0
    taken: set[int] = attrs.field(factory=set)  # ranks of the faces that were taken


@attrs.define
class Seen:
    """The items and faces that appear in the records of a run."""

    _items: set[str] = attrs.field(factory=set)
    _pictures: dict[str, _Picture] = attrs.field(factory=lambda: defaultdict(_Picture))

    def add(self, record: Record) -> None:
        """Counts a record; add each record of a run once."""
        self._items.add(record.asked_about if record.face is None else record.id.rpartition("#")[0])
        picture = self._pictures[record.image]
        picture.found = max(picture.found, record.others + (record.face is not None))
        picture.too_small = max(picture.too_small, record.too_small)
        if record.face is not None:
            picture.taken.add(record.face)

    def left_out(self, dataset: Dataset, *, limit: int | None, best_only: bool) -> Counts:
        """What the dataset, its limit and the choice of faces left out, once the run has ended.

        Args:
            dataset: gave the items.
            limit: the most items that were taken.
            best_only: only the best face of a picture was taken; otherwise all, unless the truth is about one person.
        """
        beside = "face beside the best" if best_only else "face beside the person that the truth is about"
        pictures = self._pictures.values()
        counts = {
            **dataset_left_out(dataset),
            "face smaller than detector.min_size": sum(picture.too_small for picture in pictures),
            beside: sum(picture.found - len(picture.taken) for picture in pictures),
            f"item beyond dataset.limit={limit}": self._beyond(dataset, limit),
        }
        return {what: count for what, count in counts.items() if count != 0}

    def _beyond(self, dataset: Dataset, limit: int | None) -> int | None:
        if limit is None or len(self._items) < limit:
            return 0
        return max(0, len(dataset) - limit) if isinstance(dataset, Sized) else None


def dataset_left_out(dataset: Dataset) -> Counts:
    """What a dataset skipped when it was built."""
    return dict(called(dataset.left_out)) if isinstance(dataset, CountingDataset) else {}


def told(counts: Mapping[str, int | None]) -> str:
    """The counts in words that are safe to print.

    >>> told({"file in .mov": 3, "face beside the best": 1, "item beyond dataset.limit=9": None})
    '3 files in .mov, 1 face beside the best, an unknown number of items beyond dataset.limit=9'
    """
    return printable(", ".join(counted(count, what) for what, count in counts.items()))


def counted(count: int | None, what: str) -> str:
    """A count and what is counted, with its first word, a noun, in the plural if needed.

    >>> counted(3, "value of 'subject'")
    "3 values of 'subject'"
    """
    noun, space, rest = what.partition(" ")
    number = "an unknown number of" if count is None else count
    return f"{number} {plural(noun, count)}{space}{rest}"
