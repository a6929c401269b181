"""What a run did not look at, and how to say it.

Counted from the records, which a continued run has all of: what an earlier try counted is neither lost nor doubled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sized
from typing import TypeAlias

import attrs

from affectlm.contract import called
from affectlm.text import plural, printable
from affectlm.types import CountingDataset, Dataset, Record

Counts: TypeAlias = dict[str, int | None]  # by what was left out, a noun first; None where nobody can tell how many


@attrs.define
class _Picture:
    """The faces of a picture, whichever items of the dataset show it."""

    found: int = 0
    too_small: int = 0
    taken: set[int] = attrs.field(factory=set)  # their ranks


@attrs.define
class Seen:
    """What the records of a run show of items and faces."""

    _items: set[str] = attrs.field(factory=set)
    _pictures: dict[str, _Picture] = attrs.field(factory=lambda: defaultdict(_Picture))

    def add(self, record: Record) -> None:
        """Takes note of a record; of a run's records each is to be added once."""
        self._items.add(record.id if record.face is None else record.id.rpartition("#")[0])
        picture = self._pictures[record.image]
        picture.found = max(picture.found, record.others + (record.face is not None))
        picture.too_small = max(picture.too_small, record.too_small)
        if record.face is not None:
            picture.taken.add(record.face)

    def left_out(self, dataset: Dataset, *, limit: int | None, best_only: bool) -> Counts:
        """What the dataset, its limit and the choice of faces left out, of a run that came to its end.

        Args:
            dataset: what gave the items.
            limit: how many were taken at most.
            best_only: whether the best face of each picture was taken; else all, but where truth is about one person.
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
    """What a dataset passed over when it was built."""
    return dict(called(dataset.left_out)) if isinstance(dataset, CountingDataset) else {}


def told(counts: Mapping[str, int | None]) -> str:
    """Counts in words that are safe to print.

    >>> told({"file in .mov": 3, "face beside the best": 1, "item beyond dataset.limit=9": None})
    '3 files in .mov, 1 face beside the best, an unknown number of items beyond dataset.limit=9'
    """
    return printable(", ".join(counted(count, what) for what, count in counts.items()))


def counted(count: int | None, what: str) -> str:
    """So many of something whose first word is a noun.

    >>> counted(3, "value of 'subject'")
    "3 values of 'subject'"
    """
    noun, space, rest = what.partition(" ")
    number = "an unknown number of" if count is None else count
    return f"{number} {plural(noun, count)}{space}{rest}"
