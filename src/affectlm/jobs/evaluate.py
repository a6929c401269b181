"""`affectlm evaluate`: measures the rated faces of a dataset and writes how well the two agree.

Pictures stream through the same line as in a run, so that crops, checks and stored values are the same.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np
from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress

from affectlm.cli.hydra import start
from affectlm.config.components import identity
from affectlm.config.compose import to_plain
from affectlm.config.settings import DATASET_KEYS
from affectlm.contract import class_name, failure
from affectlm.errors import AffectlmError, ConfigError
from affectlm.jobs.evaluation import DRAWS, PICTURE, Evaluation, RatedFaces, judge
from affectlm.jobs.run import versions
from affectlm.line.faces import estimate, find_faces
from affectlm.line.omissions import Counts, Seen, counted
from affectlm.line.source import unique
from affectlm.registry import Registry
from affectlm.secrets import scrubbed
from affectlm.store.cache import MODES, Store, write_atomically
from affectlm.store.pictures import SCATTER
from affectlm.store.run_folder import locked, refuse_another_file, writing
from affectlm.store.tables import harmless
from affectlm.types import Dataset, Described, FaceDetector, Image, Outcome, Record, Sample, VAEstimator
from affectlm.validators import at_least, flag, one_of
from affectlm.weights.named import accepting

EVALUATION = "evaluation.json"
PAGE = "evaluation.md"
FACES = "faces.csv"
CLAIM = "config.json"  # written first: the configuration that a folder is for
_KINDS = ("dataset", "detector", "estimator")
_COLUMNS = ("id", "valence", "arousal", "rated_valence", "rated_arousal", "outcome")


@attrs.frozen(kw_only=True)
class Choices:
    """The settings of an evaluation that are no component's; field names are the keys of `conf/evaluate.yaml`."""

    batch_size: int = attrs.field(validator=at_least(1))
    cache: str = attrs.field(validator=one_of(*MODES))
    seed: int = attrs.field(validator=at_least(0))
    accept_licence: bool = attrs.field(validator=flag)
    group: str | None = attrs.field(converter=attrs.converters.optional(str))
    limit: int | None = attrs.field(validator=attrs.validators.optional(at_least(1)), metadata={"key": "dataset.limit"})


@attrs.frozen(kw_only=True)
class Parts:
    """The components of an evaluation."""

    dataset: Dataset
    detector: FaceDetector
    estimator: VAEstimator


def evaluate_job(words: Sequence[str]) -> int:
    """Evaluates what the words name in Hydra's folder, or each point of a sweep; returns the exit status."""
    start(words, _job, name="evaluate")
    return 0


def _job(config: DictConfig, folder: Path) -> None:
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("faces", total=None)
        evaluation = evaluate(to_plain(config), folder, on_record=lambda _: bar.advance(task))
    sys.stdout.write(f"{evaluation.page()}\n{EVALUATION}, {PAGE}, {FACES} and {SCATTER} are in {folder}\n")


def evaluate(
    config: Mapping[str, object],
    folder: Path,
    *,
    registry: Registry | None = None,
    on_record: Callable[[Record], None] = lambda _: None,
) -> Evaluation:
    """Measures the rated faces that a configuration names, writes the four files and returns the figures.

    Args:
        config: the plain configuration, as `config.to_plain` gives it for `conf/evaluate.yaml`.
        folder: made when it is not there.
        registry: where components are found; the installed one by default.
        on_record: called with each picture's record.

    Raises:
        AffectlmError: a setting or part is missing or wrong, no picture is rated or can be read, or no face was found;
            or another evaluation is writing to the folder, or it is one of another configuration or cannot be written.
    """
    chosen = _choices(config)
    with locked(folder), writing(folder):
        return _evaluated(config, chosen, folder, registry or Registry.installed(), on_record)


def _evaluated(
    config: Mapping[str, object],
    chosen: Choices,
    folder: Path,
    registry: Registry,
    on_record: Callable[[Record], None],
) -> Evaluation:
    refuse_another_file(folder / CLAIM, config, "evaluation")
    parts = _build(config, chosen, registry)
    write_atomically(folder / CLAIM, json.dumps(scrubbed(config), indent=2).encode())
    key = identity(config, "estimator", parts.estimator, registry)
    faces, seen = RatedFaces(), Seen()
    first_failure = ""
    (folder / EVALUATION).unlink(missing_ok=True)  # written last: while it is there, all of the folder belongs to it
    with (folder / FACES).open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        for record in measured(parts, chosen, key):
            faces.add(record, chosen.group or "group")
            seen.add(record)
            if len(faces.rated) == chosen.batch_size:
                _refuse_no_group(faces, chosen.group)
            table.writerow(map(harmless, _row(record)))
            first_failure = first_failure or (record.reason if record.outcome is Outcome.UNREADABLE_IMAGE else "")
            on_record(record)
    _refuse_nothing(faces, first_failure)
    _refuse_no_group(faces, chosen.group)
    left_out = seen.left_out(parts.dataset, limit=chosen.limit, best_only=True)
    evaluation = _evaluation(config, chosen, parts, faces, left_out)
    _write(evaluation, faces, folder)
    return evaluation


def measured(parts: Parts, chosen: Choices, key: object = "") -> Iterator[Record]:
    """One record a picture: its best face measured, or no face, unreadable, or skipped when it has no rating.

    Args:
        parts: what gives, finds and measures.
        chosen: the settings.
        key: what identifies the estimator in the store.
    """
    unrated: list[Record] = []

    def rated() -> Iterator[Image]:
        for item in unique(islice(_items(parts.dataset), chosen.limit)):
            if isinstance(item, Sample):
                raise ConfigError("this dataset holds ratings and no pictures, so that there is nothing to measure")
            if item.truth.valence is None or item.truth.arousal is None:
                reason = "it has no rated valence and arousal"
                unrated.append(Record(id=item.id, outcome=Outcome.SKIPPED, reason=reason, truth=item.truth))
            else:
                yield item

    found = find_faces(rated(), parts.detector, best_only=True, batch_size=chosen.batch_size)
    store = Store("affect", chosen.cache)
    for step in estimate(found, parts.estimator, batch_size=chosen.batch_size, store=store, key=key):
        yield from unrated
        unrated.clear()
        yield step if isinstance(step, Record) else attrs.evolve(step.record, outcome=Outcome.OK)
    yield from unrated


def _items(dataset: Dataset) -> Iterator[Image | Sample]:
    try:
        yield from dataset.items()
    except AffectlmError:
        raise
    except Exception as error:  # such as a rating that Truth refuses
        raise failure(f"{class_name(dataset)}.items", error) from error


def _choices(config: Mapping[str, object]) -> Choices:
    dataset = _section(config, "dataset")
    if dataset.get("va") == "truth":
        raise ConfigError("dataset.va=truth leaves nothing to measure; leave it out")
    own = {field.name: config.get(field.name) for field in attrs.fields(Choices)}
    try:
        return Choices(**cast("dict[str, Any]", {**own, "limit": dataset.get("limit")}))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _build(config: Mapping[str, object], chosen: Choices, registry: Registry) -> Parts:
    sections = {kind: _section(config, kind) for kind in _KINDS}
    for key in DATASET_KEYS:
        sections["dataset"].pop(key, None)
    with accepting(terms=chosen.accept_licence):
        built: dict[str, Any] = {kind: registry.build(kind, options) for kind, options in sections.items()}
    return Parts(**built)


def _section(config: Mapping[str, object], key: str) -> dict[str, object]:
    return dict(cast("Mapping[str, object]", config.get(key) or {}))


def _row(record: Record) -> list[object]:
    values = (record.valence, record.arousal, record.truth.valence, record.truth.arousal)
    return [record.id, *("" if value is None else round(value, 6) for value in values), record.outcome.value]


def _refuse_nothing(faces: RatedFaces, first_failure: str) -> None:
    subset = faces.subset()
    pictures, rated = subset["pictures"], subset["pictures"] - subset["without_rating"]
    if not rated:
        found = f"; found {', '.join(faces.groups)}" if faces.groups else ""
        raise ConfigError(
            f"none of {pictures} pictures has a rating of both valence and arousal; "
            f"give as path a CSV with the columns path, valence and arousal{found}; or give another dataset"
        )
    if subset["unreadable"] == rated:
        raise AffectlmError(f"none of the {rated} rated pictures can be read; the first: {first_failure}")
    if not subset["faces"]:
        raise AffectlmError(
            f"no face was found in {subset['no_face']} rated pictures; where pictures are cut to the face add "
            "detector=whole, else try another detector"
        )


def _refuse_no_group(faces: RatedFaces, group: str | None) -> None:
    """Raises where intervals are to be drawn by a group and no picture so far is in one."""
    if group and all(sort == PICTURE for sort, _ in faces.clusters):
        raise ConfigError(
            f"no rated picture of {len(faces.rated)} has a group '{group}'; groups: "
            f"{', '.join(faces.groups) or 'none'}; name one of these columns of the ratings, or leave it out"
        )


def _evaluation(
    config: Mapping[str, object], chosen: Choices, parts: Parts, faces: RatedFaces, left_out: Counts
) -> Evaluation:
    drawn = Counter(sort for sort, _ in set(faces.clusters))
    dataset = _section(config, "dataset")
    return Evaluation(
        config=config,
        versions=versions(),
        components={kind: {**_section(config, kind), **_said(getattr(parts, kind))} for kind in _KINDS},
        subset={
            "dataset": dataset["name"],
            "path": dataset.get("path"),
            "split": dataset.get("split"),
            "limit": chosen.limit,
            **faces.subset(),
        },
        left_out=left_out,
        truth_is_derived=str(getattr(parts.dataset, "truth_is_derived", "")),
        intervals={
            "level": 0.95,
            "method": "percentile bootstrap",
            "resamples": DRAWS,
            "of": " and ".join(counted(count, sort) for sort, count in sorted(drawn.items())),
        },
        figures=judge(faces, chosen.seed),
    )


def _said(part: object) -> Mapping[str, str]:
    return part.describe() if isinstance(part, Described) else {}


def _write(evaluation: Evaluation, faces: RatedFaces, folder: Path) -> None:
    from affectlm.report.figures import draw_agreement

    found = np.array(faces.found)
    draw_agreement(np.array(faces.predicted)[found], np.array(faces.rated)[found], folder / SCATTER)
    page = f"{evaluation.page()}\n![predicted against rated valence and arousal]({SCATTER})\n"
    write_atomically(folder / PAGE, page.encode(errors="backslashreplace"))
    content = json.dumps(attrs.asdict(evaluation), indent=2, allow_nan=False)
    write_atomically(folder / EVALUATION, content.encode() + b"\n")
