"""A run's folder: who writes to it, which configuration it is for, and what an earlier try left there."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs
from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from affectlm.errors import RunFolderError
from affectlm.secrets import scrubbed
from affectlm.store.cache import parsed
from affectlm.store.fields import as_object
from affectlm.store.pictures import is_picture, is_run
from affectlm.store.records import HYDRA, RECORDS, read_records, to_line
from affectlm.types import Outcome, Record

# Settings that a run may be continued with otherwise: how much more it may cost, and what the user has agreed to.
MAY_CHANGE = ("accept_licence", "max_requests", "max_tokens_total", "max_cost", "max_seconds", "prices")
AGAIN = (Outcome.API_ERROR, Outcome.SKIPPED, Outcome.UNREADABLE_IMAGE)  # records of an earlier try that are made anew


@attrs.define
class Earlier:
    """What an interrupted try of the same run has finished."""

    ids: set[str] = attrs.field(factory=set)
    faces: Counter[str] = attrs.field(factory=Counter)  # picture -> faces recorded
    expected: dict[str, int] = attrs.field(factory=dict)  # picture -> faces it has

    def add(self, record: Record) -> None:
        """Takes note of a record."""
        self.ids.add(record.id)
        if record.face is not None:
            picture = record.id.rpartition("#")[0]
            self.faces[picture] += 1
            self.expected[picture] = record.others + 1

    def finished(self, picture: str, *, all_faces: bool) -> bool:
        """Whether nothing of a picture is left to do, so that it need not be opened again."""
        if picture in self.ids:
            return True
        expected = self.expected.get(picture)
        return expected is not None and self.faces[picture] >= (expected if all_faces else 1)


def _refuse_pictures(folder: Path) -> None:
    """Raises RunFolderError where a run would begin among pictures: they and what it writes belong apart."""
    if is_run(folder):
        return
    try:
        names = sorted(name for name in os.listdir(folder) if is_picture(Path(name)) and not name.startswith("."))
    except OSError:  # what is not there, or cannot be read, is told by who writes to it
        return
    if names:
        found = f"'{names[0]}'" if len(names) == 1 else f"{len(names)}, such as '{names[0]}'"
        raise RunFolderError(
            f"the folder '{folder}' holds pictures ({found}), so nothing is written there; choose another hydra.run.dir"
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing to a folder meanwhile; it is made when it is not there.

    Raises:
        RunFolderError: another process has it, or the folder cannot be written, or holds pictures and no run.
    """
    _refuse_pictures(folder)
    lock = FileLock(folder / ".lock")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunFolderError(f"another run is writing to '{folder}'; choose another hydra.run.dir") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Says in one sentence what keeps a folder from being written.

    Raises:
        RunFolderError: in place of an OSError, unless it is about a reader of our output who has gone.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(folder, error) from error


def save_composed(folder: Path, **contents: object) -> None:
    """Writes what was composed into a run's folder: a YAML file for each, named after it.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    with writing(folder):
        (folder / HYDRA).mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            OmegaConf.save(content, folder / HYDRA / f"{name}.yaml")


def unwritable(folder: Path, error: OSError) -> RunFolderError:
    """What to say of a folder that cannot be written."""
    return RunFolderError(f"the run folder '{folder}' cannot be written: {error.strerror or error}; set hydra.run.dir")


def refuse_another(folder: Path, earlier: Mapping[str, object], config: Mapping[str, object], sort: str) -> None:
    """Nothing, where a folder is for this configuration; settings of `MAY_CHANGE` may differ.

    Args:
        folder: for the message.
        earlier: the configuration that was read from the folder.
        config: the one that wants to use it.
        sort: what the folder holds, for the message.

    Raises:
        RunFolderError: it is for another.
    """
    now = json.loads(json.dumps(scrubbed(config)))  # as a file gives it back
    keys = {*earlier, *now} - set(MAY_CHANGE)
    if changed := sorted(key for key in keys if earlier.get(key) != now.get(key)):
        raise RunFolderError(
            f"'{folder}' holds the {sort} of another configuration ({', '.join(changed)} differ); choose another "
            f"hydra.run.dir, or repeat the settings of that {sort} to continue it"
        )


def refuse_another_file(path: Path, config: Mapping[str, object], sort: str) -> None:
    """As `refuse_another`, for a folder whose configuration is in a file of its own, if it is there yet."""
    try:
        earlier = as_object(parsed(path.read_bytes())) if path.exists() else config
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"'{path}' is no configuration: {error}; choose another hydra.run.dir, or delete this file if the folder "
            "is of the same settings"
        ) from error
    refuse_another(path.parent, earlier, config, sort)


def finished_records(folder: Path) -> Iterator[Record]:
    """The records of an earlier try; a torn last line, failed and skipped requests leave the file, to be repeated."""
    path = folder / RECORDS
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        for record in read_records(folder):
            if record.outcome not in AGAIN:
                file.write(to_line(record))
                yield record
    part.replace(path)
