"""The runs that `affectlm compare` is given: their reports and records, and whether they asked the same questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import attrs
from omegaconf import OmegaConf

from affectlm.affect.taxonomies import label_set
from affectlm.errors import RunFolderError
from affectlm.store.records import HYDRA, RECORDS, REPORT, SCHEMA_VERSION, Report, read_records, read_report
from affectlm.text import natural, plural, varied
from affectlm.types import Record

_SHOWN = 3  # differences in a message


@attrs.frozen(kw_only=True)
class FinishedRun:
    """A run's folder, read."""

    name: str = ""  # tells it from the other runs
    folder: Path
    report: Report
    records: Mapping[str, Record]  # by id
    overrides: Sequence[str]  # the words of its command

    @property
    def varied(self) -> list[str]:
        """The words of its command that may tell it from other runs: all but folders and metrics."""
        return [word for word in self.overrides if not word.startswith(("hydra.", "metric"))]

    def option(self, *keys: str) -> object:
        """What the configuration has under these keys; None where an older run has nothing."""
        held: object = self.report.config
        for key in keys:
            held = held.get(key) if isinstance(held, Mapping) else None
        return held


def read_runs(folders: Sequence[Path]) -> list[FinishedRun]:
    """The runs in these folders, each with a name of its own; a sweep's folder counts as its runs.

    Raises:
        RunFolderError: fewer than two runs, or a folder is no run, or what is in it cannot be compared.
    """
    places = dict.fromkeys(each.resolve() for folder in folders for each in _runs_in(folder))
    if len(places) < 2:
        raise RunFolderError(f"found {len(places)} {plural('run', len(places))}, expected two or more folders of runs")
    runs = [_read(place) for place in places]
    return [attrs.evolve(run, name=name) for run, name in zip(runs, _names(runs), strict=True)]


def _runs_in(folder: Path) -> Iterator[Path]:
    """The folder itself if it is a run, else the runs of a sweep in it."""
    if (folder / REPORT).is_file():
        yield folder
        return
    inner = sorted(folder.glob(f"*/{REPORT}"), key=lambda path: natural(str(path)))
    if not inner:
        raise RunFolderError(f"'{folder}' is not the folder of a run or of a sweep: it has no {REPORT}")
    yield from (path.parent for path in inner)


def _read(folder: Path) -> FinishedRun:
    try:
        report = read_report(folder)
    except RunFolderError as error:
        raise RunFolderError(f"'{folder / REPORT}' is not a report of a run: {error.__cause__ or error}") from error
    if report.schema_version > SCHEMA_VERSION:
        raise RunFolderError(f"'{folder}' was written by a newer affectlm; update affectlm to compare it")
    if report.config.get("dry_run"):
        raise RunFolderError(f"'{folder}' was a dry run, which asked nothing; repeat it without dry_run=true")
    records = {each.id: each.slim() for each in read_records(folder)}
    if not records:
        raise RunFolderError(f"'{folder}' has no records in {RECORDS}; its status is {report.status}")
    return FinishedRun(folder=folder, report=report, records=records, overrides=_overrides(folder))


def _overrides(folder: Path) -> list[str]:
    try:
        return [str(word).lstrip("+") for word in OmegaConf.load(folder / HYDRA / "overrides.yaml")]
    except (OSError, ValueError, TypeError):  # no such file, as in a copy without hidden folders, or a broken one
        return []


def _names(runs: Sequence[FinishedRun]) -> list[str]:
    """The overrides that tell the runs apart, or else their folders."""
    names = [" ".join(each) for each in varied([run.varied for run in runs])]
    if not all(names) or len(set(names)) < len(names):
        names = [run.folder.name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in runs]


def differences(runs: Sequence[FinishedRun]) -> list[str]:
    """What keeps the runs from being compared as a whole, one clause each; empty if they asked the same."""
    first = runs[0]
    found = [clause for run in runs for clause in _unfinished(run)]
    for run in runs[1:]:
        options = _unequal(_plain(first, "dataset"), _plain(run, "dataset"))
        found += [
            f"dataset.{key} is {one} in '{first.name}' and {other} in '{run.name}'" for key, one, other in options
        ]
        if labels_of(first.option("labels")) != labels_of(run.option("labels")):
            found.append(
                f"labels are {first.option('labels')} in '{first.name}', {run.option('labels')} in '{run.name}'"
            )
        if unshared := set(first.records) ^ set(run.records):
            found.append(
                f"{len(unshared)} {plural('record', len(unshared))}, such as '{min(unshared)}', "
                f"{'is' if len(unshared) == 1 else 'are'} not in both '{first.name}' and '{run.name}'"
            )
        other = [name for name, each in first.records.items() if _another(each, run.records.get(name))]
        if other:
            found.append(f"the truth of '{other[0]}' is not the same in '{first.name}' and '{run.name}'")
    return [*found[:_SHOWN], *([f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])]


def shared_ids(runs: Sequence[FinishedRun]) -> list[str]:
    """The ids of the records that all runs have with the same truth, in order."""
    first, *others = runs
    return sorted(
        name
        for name, record in first.records.items()
        if all(name in run.records and not _another(record, run.records[name]) for run in others)
    )


def labels_of(value: object) -> object:
    """Labels without their order, which may be what the runs vary; any other value as it is."""
    try:
        return frozenset(label_set(cast("str | Sequence[str]", value)))
    except (ValueError, TypeError):
        return value


def _unfinished(run: FinishedRun) -> Iterator[str]:
    counted = sum(run.report.outcomes.values())
    if run.report.status != "success":
        yield f"'{run.name}' has the status {run.report.status}"
    elif counted != len(run.records):
        yield f"'{run.name}' has {len(run.records)} of the {counted} records that its report counts"


def _plain(run: FinishedRun, kind: str) -> Mapping[str, object]:
    held = run.option(kind)
    return held if isinstance(held, Mapping) else {}


def _unequal(one: Mapping[str, object], other: Mapping[str, object]) -> list[tuple[str, object, object]]:
    """Keys and both values; an option that an older run does not know says nothing."""
    return [(key, one[key], other[key]) for key in one if key in other and one[key] != other[key]]


def _another(one: Record, other: Record | None) -> bool:
    """Whether it is about another face; how many raters there were is unknown to older runs."""
    return other is not None and attrs.evolve(one.truth, raters=0) != attrs.evolve(other.truth, raters=0)
