"""A run's folder: its lock, the configuration it belongs to, and what an earlier attempt left there."""

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

# Settings that may change when a run is continued: what it may cost, and what the user has agreed to.
MAY_CHANGE = ("accept_licence", "max_requests", "max_tokens_total", "max_cost", "max_seconds", "prices")
AGAIN = (Outcome.API_ERROR, Outcome.SKIPPED, Outcome.UNREADABLE_IMAGE)  # outcomes that a continued run tries again


@attrs.define
class Earlier:
    """What an interrupted attempt at the same run has finished."""

    repeats: int = 1  # how often each question is asked
    records: set[str] = attrs.field(factory=set)  # ids
    ids: set[str] = attrs.field(factory=set)  # of faces and items of which all repeats are recorded
    faces: Counter[str] = attrs.field(factory=Counter)  # picture -> faces recorded
    expected: dict[str, int] = attrs.field(factory=dict)  # picture -> faces it has
    _asked: Counter[str] = attrs.field(factory=Counter)  # face or item -> repeats recorded

    def add(self, record: Record) -> None:
        """Adds a finished record."""
        self.records.add(record.id)
        self._asked[record.asked_about] += 1
        if record.prompt_sha256 is not None and self._asked[record.asked_about] < self.repeats:
            return
        self.ids.add(record.asked_about)
        if record.face is not None:
            picture = record.id.rpartition("#")[0]
            self.faces[picture] += 1
            self.expected[picture] = record.others + 1

    def finished(self, picture: str, *, all_faces: bool) -> bool:
        """Whether a picture is done and need not be opened again."""
        if picture in self.ids:
            return True
        expected = self.expected.get(picture)
        return expected is not None and self.faces[picture] >= (expected if all_faces else 1)


def _refuse_pictures(folder: Path) -> None:
    """Raises RunFolderError if a new run would write into a folder with pictures."""
    if is_run(folder):
        return
    try:
        names = sorted(name for name in os.listdir(folder) if is_picture(Path(name)) and not name.startswith("."))
    except OSError:  # if the folder is missing or unreadable, writing to it reports that
        return
    if names:
        found = f"'{names[0]}'" if len(names) == 1 else f"{len(names)}, such as '{names[0]}'"
        raise RunFolderError(
            f"the folder '{folder}' holds pictures ({found}), so nothing is written there; choose another hydra.run.dir"
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing to a folder while the block runs; makes the folder if it is missing.

    Raises:
        RunFolderError: another process has locked it, it cannot be written, or it holds pictures and no run.
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
    """Turns an OSError in the block into one sentence about the folder.

    Raises:
        RunFolderError: instead of an OSError, except BrokenPipeError, which is about our output.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(folder, error) from error


def save_composed(folder: Path, **contents: object) -> None:
    """Writes the composed configuration into a run's folder, one YAML file per argument, named after it.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    with writing(folder):
        (folder / HYDRA).mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            OmegaConf.save(content, folder / HYDRA / f"{name}.yaml")


def unwritable(folder: Path, error: OSError) -> RunFolderError:
    """The error for a folder that cannot be written."""
    return RunFolderError(f"the run folder '{folder}' cannot be written: {error.strerror or error}; set hydra.run.dir")


def refuse_another(folder: Path, earlier: Mapping[str, object], config: Mapping[str, object], what: str) -> None:
    """Raises RunFolderError unless the folder belongs to this configuration; `MAY_CHANGE` settings may differ.

    Args:
        folder: for the message.
        earlier: the configuration found in the folder.
        config: the configuration of the job that is to use it.
        what: what the folder holds, such as "run", for the message.
    """
    now = json.loads(json.dumps(scrubbed(config)))  # as it would be read from a file
    keys = {*earlier, *now} - set(MAY_CHANGE)
    if changed := sorted(key for key in keys if earlier.get(key) != now.get(key)):
        raise RunFolderError(
            f"'{folder}' holds the {what} of another configuration ({', '.join(changed)} differ); choose another "
            f"hydra.run.dir, or repeat the settings of that {what} to continue it"
        )


def refuse_another_file(path: Path, config: Mapping[str, object], what: str) -> None:
    """Like `refuse_another`, for a folder with its configuration in the file `path`, which may not exist yet."""
    try:
        earlier = as_object(parsed(path.read_bytes())) if path.exists() else config
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"'{path}' is not a configuration: {error}; choose another hydra.run.dir, or delete this file if the "
            "folder has the same settings"
        ) from error
    refuse_another(path.parent, earlier, config, what)


def finished_records(folder: Path) -> Iterator[Record]:
    """The finished records of an earlier attempt; removes an incomplete last line and all records to try again."""
    path = folder / RECORDS
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        for record in read_records(folder):
            if record.outcome not in AGAIN:
                file.write(to_line(record))
                yield record
    part.replace(path)
