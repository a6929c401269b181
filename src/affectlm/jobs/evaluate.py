"""`affectlm evaluate`: measures the rated faces of a dataset and writes how well measurements and ratings agree.

Pictures go through the same line as in a run, so crops, checks and stored values are the same.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import numpy as np

from affectlm.config.components import Components
from affectlm.config.settings import EvaluateSettings, settings
from affectlm.errors import AffectlmError, ConfigError
from affectlm.jobs.evaluation import PICTURE, Evaluation, RatedFaces, measure_agreement
from affectlm.jobs.versions import versions
from affectlm.line.faces import find_faces
from affectlm.line.measure import estimate
from affectlm.line.omissions import Counts, Seen, counted
from affectlm.line.source import items
from affectlm.registry import Registry
from affectlm.secrets import scrubbed
from affectlm.store.cache import Store, write_atomically
from affectlm.store.pictures import SCATTER
from affectlm.store.run_folder import locked, refuse_another_file, writing
from affectlm.store.tables import harmless
from affectlm.types import (
    Dataset,
    DerivedDataset,
    FaceDetector,
    Image,
    Outcome,
    Record,
    Sample,
    VAEstimator,
)

EVALUATION = "evaluation.json"
PAGE = "evaluation.md"
FACES = "faces.csv"
CLAIM = "config.json"  # the configuration that a folder is for; written first
NOTHING_TO_MEASURE = "this dataset holds ratings and no pictures, so there is nothing to measure"
_KINDS = ("dataset", "detector", "estimator")
_COLUMNS = ("id", "valence", "arousal", "rated_valence", "rated_arousal", "outcome")


@attrs.frozen(kw_only=True)
class EvaluateComponents:
    """The components of an evaluation."""

    dataset: Dataset
    detector: FaceDetector
    estimator: VAEstimator


def evaluate(
    config: Mapping[str, object],
    folder: Path,
    *,
    registry: Registry | None = None,
    on_record: Callable[[Record], None] = lambda _: None,
) -> Evaluation:
    """The evaluation of the rated faces that a configuration names; writes it to the four files in the folder.

    Args:
        config: the plain configuration, as `compose.to_plain` returns it for `conf/evaluate.yaml`.
        folder: created if it does not exist.
        registry: finds the components; the installed registry by default.
        on_record: called with each picture's record.

    Raises:
        AffectlmError: a setting or component is missing or wrong; no picture is rated or readable; no face was found;
            or the folder cannot be written, is being written by another process, or has another configuration.
    """
    chosen = settings(config, EvaluateSettings)
    components = Components.of(config, registry or Registry.installed(), chosen)
    with locked(folder), writing(folder):
        return _evaluated(components, chosen, folder, on_record)


def _evaluated(
    components: Components, chosen: EvaluateSettings, folder: Path, on_record: Callable[[Record], None]
) -> Evaluation:
    refuse_another_file(folder / CLAIM, components.config, "evaluation")
    built = components.build_all(_KINDS, no_pictures=NOTHING_TO_MEASURE)
    parts = EvaluateComponents(**{kind: each[0] for kind, each in built.items()})  # type: ignore[arg-type]
    write_atomically(folder / CLAIM, json.dumps(scrubbed(components.config), indent=2).encode())
    key = components.identity("estimator", parts.estimator)
    faces, seen = RatedFaces(), Seen()
    first_failure = ""
    (folder / EVALUATION).unlink(missing_ok=True)  # written last: if it exists, the whole folder belongs to it
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
    evaluation = _evaluation(components, chosen, parts, faces, left_out)
    _write(evaluation, faces, folder)
    return evaluation


def measured(parts: EvaluateComponents, chosen: EvaluateSettings, key: object = "") -> Iterator[Record]:
    """One record per picture: its best face measured, or no face, unreadable, or skipped if it has no rating.

    Args:
        parts: the dataset, detector and estimator.
        chosen: the settings.
        key: identifies the estimator in the store.
    """
    unrated: list[Record] = []

    def rated() -> Iterator[Image]:
        for item in items(parts.dataset, chosen.limit):
            if isinstance(item, Sample):
                raise ConfigError(NOTHING_TO_MEASURE)
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
        yield step if isinstance(step, Record) else step.record(Outcome.OK)
    yield from unrated


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
            f"give as path a CSV with the columns path, valence and arousal{found}; or choose another dataset"
        )
    if subset["unreadable"] == rated:
        raise AffectlmError(f"none of the {rated} rated pictures can be read; the first: {first_failure}")
    if not subset["faces"]:
        raise AffectlmError(
            f"no face was found in {subset['no_face']} rated pictures; if they are already cut to the face, add "
            "detector=whole, else try another detector"
        )


def _refuse_no_group(faces: RatedFaces, group: str | None) -> None:
    """Raises ConfigError if intervals are to be drawn by a group that no picture so far has."""
    if group and all(kind == PICTURE for kind, _ in faces.clusters):
        raise ConfigError(
            f"no rated picture of {len(faces.rated)} has a group '{group}'; groups: "
            f"{', '.join(faces.groups) or 'none'}; name one of these columns of the ratings, or leave it out"
        )


def _evaluation(
    components: Components, chosen: EvaluateSettings, parts: EvaluateComponents, faces: RatedFaces, left_out: Counts
) -> Evaluation:
    drawn = Counter(kind for kind, _ in set(faces.clusters))
    dataset = components.options("dataset")
    derived = parts.dataset.truth_is_derived if isinstance(parts.dataset, DerivedDataset) else ""
    return Evaluation(
        config=components.config,
        versions=versions(),
        components={kind: components.summary(kind, part) for kind, part in attrs.asdict(parts, recurse=False).items()},
        subset={
            "dataset": dataset["name"],
            "path": dataset.get("path"),
            "split": dataset.get("split"),
            "limit": chosen.limit,
            **faces.subset(),
        },
        left_out=left_out,
        truth_is_derived=derived,
        intervals={
            "level": 0.95,
            "method": "jackknife over clusters",
            "of": " and ".join(counted(count, kind) for kind, count in sorted(drawn.items())),
        },
        figures=measure_agreement(faces),
    )


def _write(evaluation: Evaluation, faces: RatedFaces, folder: Path) -> None:
    from affectlm.report.figures import draw_agreement

    found = np.array(faces.found)
    draw_agreement(np.array(faces.predicted)[found], np.array(faces.rated)[found], folder / SCATTER)
    page = f"{evaluation.page()}\n![predicted against rated valence and arousal]({SCATTER})\n"
    write_atomically(folder / PAGE, page.encode(errors="backslashreplace"))
    content = json.dumps(attrs.asdict(evaluation), indent=2, allow_nan=False)
    write_atomically(folder / EVALUATION, content.encode() + b"\n")
