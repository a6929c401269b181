"""What a run writes: one flat record per face as a JSON line, and one report."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import attrs

from affectlm.errors import RunFolderError
from affectlm.secrets import scrubbed
from affectlm.store.cache import parsed, write_atomically
from affectlm.store.fields import (
    AFFECT,
    AMOUNT,
    COUNT,
    FLAG,
    NUMBER,
    OBJECT,
    TEXT,
    as_object,
    check,
    listed,
    named,
    one_of,
    optional,
)
from affectlm.types import Box, Outcome, Record, Score, Truth

SCHEMA_VERSION = 1
RECORDS = "records.jsonl"
REPORT = "report.json"
PAGE = "report.html"
HYDRA = ".hydra"  # folder with the composed configuration
_SCRUBBED = ("command", "config", "components", "error")
_BY_LABEL = ("choice_logprobs", "choice_tokens", "choice_means", "choice_normalised", "probabilities")
EXPLANATIONS = "explain"  # folder with the pictures from `explain=true`


def to_json(record: Record) -> dict[str, object]:
    """The record as one flat JSON object; the box becomes left, top, right, bottom, score."""
    box = record.box
    return {
        "id": record.id,
        "repeat": record.repeat,
        "image": record.image,
        "image_sha256": record.image_sha256,
        "face": record.face,
        "left": box and box.left,
        "top": box and box.top,
        "right": box and box.right,
        "bottom": box and box.bottom,
        "score": box and box.score,
        "others": record.others,
        "too_small": record.too_small,
        "valence": record.valence,
        "arousal": record.arousal,
        "measured_valence": record.measured_valence,
        "measured_arousal": record.measured_arousal,
        "extra": dict(record.extra),
        "prompt": record.prompt,
        "prompt_sha256": record.prompt_sha256,
        "style": record.style,
        "structured": record.structured,
        "model": record.model,
        "reply": record.reply,
        "answer": record.answer,
        "labels": list(record.labels),
        "outcome": record.outcome.value,
        "reason": record.reason,
        **{name: _plain(getattr(record, name)) for name in _BY_LABEL},
        "entropy": record.entropy,
        "choice_mass": record.choice_mass,
        "truth": attrs.asdict(record.truth),
    }


def _plain(values: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if values is None else dict(values)


_CORNERS = ("left", "top", "right", "bottom")
_NEEDED = ("id", "outcome", "labels", "truth", *_CORNERS)
_FIELDS = {
    **dict.fromkeys(("id", "image", "answer", "reason"), TEXT),
    **dict.fromkeys(("image_sha256", "prompt", "prompt_sha256", "style", "model", "reply"), optional(TEXT)),
    **dict.fromkeys(("valence", "arousal", "measured_valence", "measured_arousal"), optional(AFFECT)),
    **dict.fromkeys((*_CORNERS, "score", "entropy", "choice_mass"), optional(NUMBER)),
    **dict.fromkeys(_BY_LABEL, optional(named(NUMBER))),
    "choice_tokens": optional(named(COUNT)),
    "structured": optional(FLAG),
    "outcome": one_of([each.value for each in Outcome]),
    "face": optional(COUNT),
    "repeat": COUNT,
    "others": COUNT,
    "too_small": COUNT,
    "extra": named(NUMBER),
    "labels": listed(TEXT),
    "truth": OBJECT,
}
_TRUTH = {
    **dict.fromkeys(("valence", "arousal"), optional(AFFECT)),
    **dict.fromkeys(("labels", "text"), listed(TEXT)),
    "derived": FLAG,
    "group": named(TEXT),
    "votes": named(NUMBER),
    "raters": COUNT,
}


def from_json(line: object) -> Record:
    """The record from an object that `to_json` made.

    Raises:
        TypeError, ValueError: it is not such an object.
    """
    fields = as_object(line, *_NEEDED)
    check(fields, _FIELDS)
    for name in ("choice_means", "choice_normalised", "probabilities"):
        _refuse_other_labels(fields, name)
    corners = [fields.pop(name) for name in _CORNERS]
    score = fields.pop("score", None)  # older records have none
    if len({corner is None for corner in corners}) > 1:
        raise ValueError(f"some of {', '.join(_CORNERS)} are null; expected all or none")
    truth: dict[str, Any] = as_object(fields.pop("truth"))
    check(truth, _TRUTH)
    truth["labels"], truth["text"] = tuple(truth.get("labels", ())), tuple(truth.get("text", ()))
    fields["labels"] = tuple(fields["labels"])  # type: ignore[arg-type]
    fields["outcome"] = Outcome(str(fields["outcome"]))
    box = None if corners[0] is None else Box(*corners, *(() if score is None else (score,)))  # type: ignore[arg-type]
    return Record(**fields, box=box, truth=Truth(**truth))  # type: ignore[arg-type]


def _refuse_other_labels(fields: Mapping[str, object], name: str) -> None:
    scores, others = fields.get("choice_logprobs"), fields.get(name)
    if isinstance(scores, dict) and isinstance(others, dict) and scores.keys() != others.keys():
        raise ValueError(f"'{name}' has other labels than 'choice_logprobs'")


def to_line(record: Record) -> bytes:
    """The record as a JSON line in UTF-8; what UTF-8 cannot hold (lone surrogates) is escaped."""
    return json.dumps(to_json(record), ensure_ascii=True, allow_nan=False).encode() + b"\n"


def read_records(folder: Path, *, ids_repeat: bool = False) -> Iterator[Record]:
    """The records in a run's folder or in such a file, in the order written; an incomplete last line is left out.

    Args:
        folder: the folder or file; there are no records if it does not exist.
        ids_repeat: an id may occur twice, as in a file with several runs.

    Raises:
        RunFolderError: the file cannot be read, or a line is not a record or repeats an id.
    """
    path = folder if folder.is_file() else folder / RECORDS
    if not path.exists():
        return
    seen: set[str] = set()
    for number, line in enumerate(_whole_lines(path), 1):
        try:
            record = from_json(parsed(line))
            if record.id in seen:
                raise ValueError(f"an earlier line has the same id '{record.id}'")
        except (TypeError, ValueError) as error:
            raise RunFolderError(
                f"line {number} of '{path}' is not a record: {error}; delete that line to go on without it"
            ) from error
        if not ids_repeat:
            seen.add(record.id)
        yield record


def _whole_lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))  # only the last line may be incomplete
    except OSError as error:
        raise RunFolderError(f"'{path}' cannot be read: {error.strerror}; choose another hydra.run.dir") from error


def explanation(record_id: str) -> str:
    """The path, inside the run's folder, of the picture that explains a face; safe and unique for any id.

    >>> explanation("../a b.png#0")
    'explain/a_b.png_0-7767b82882bb2861.png'
    """
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", record_id).strip("._-")[:60]
    return f"{EXPLANATIONS}/{readable}-{hashlib.sha256(repr(record_id).encode()).hexdigest()[:16]}.png"


@attrs.define(kw_only=True)
class Report:
    """What one run did and found; `report.json` is this object."""

    status: str = "started"  # started, success, error, interrupted
    command: list[str] = attrs.field(factory=list)  # the words that were typed
    started: str = ""  # time, as in 2026-11-24T14:05:00+01:00
    config: dict[str, object] = attrs.field(factory=dict)
    seed: int = 0
    versions: dict[str, str] = attrs.field(factory=dict)
    components: dict[str, object] = attrs.field(factory=dict)
    outcomes: dict[str, int] = attrs.field(factory=dict)
    left_out: dict[str, int | None] = attrs.field(factory=dict)  # what was left out -> how many; None if unknown
    scores: list[Score] = attrs.field(factory=list)
    unscored: list[str] = attrs.field(factory=list)  # metrics without a score: no record has the truth they need
    questions: dict[str, object] = attrs.field(factory=dict)  # distinct and effective prompts, faces, style
    choice_mass: dict[str, float] = attrs.field(factory=dict)  # median and mean share of probability of the labels
    noise: dict[str, float] = attrs.field(factory=dict)  # deviation asked for by perturb.va_sd, and what became of it
    human_text: str = ""  # what metrics of texts compared answers with; empty without such metrics
    usage: dict[str, float] = attrs.field(factory=dict)
    error: str | None = None
    schema_version: int = SCHEMA_VERSION
    folder: Path | None = None  # not in the file

    def score(self, name: str) -> Score:
        """The score with this name; raises KeyError if there is none."""
        found = next((score for score in self.scores if score.name == name), None)
        if found is None:
            raise KeyError(f"no score '{name}'; scores: {', '.join(score.name for score in self.scores) or 'none'}")
        return found

    def save(self, folder: Path) -> None:
        """Writes `report.json`, replacing an older one, with stars in place of what looks like a secret.

        On a full disk, only the status of the older file changes.

        Raises:
            OSError: the file could not be replaced.
        """
        content = attrs.asdict(self, filter=lambda attribute, _: attribute.name != "folder")
        content |= {name: scrubbed(content[name]) for name in _SCRUBBED}
        try:
            write_atomically(folder / REPORT, json.dumps(content, indent=2, allow_nan=False).encode() + b"\n")
        except OSError:
            with suppress(OSError):
                _overwrite_status(folder / REPORT, self.status)
            raise


def _overwrite_status(path: Path, status: str) -> None:
    """Changes the status in a written report if the new one is not longer."""
    with path.open("r+b") as file:
        found = re.match(rb'(\{\s*"status": )("\w+" *)', file.read(100))
        if found and len(new := json.dumps(status).encode()) <= len(found[2]):
            file.seek(len(found[1]))
            file.write(new.ljust(len(found[2])))


_REPORT = {
    **dict.fromkeys(("config", "versions", "components"), OBJECT),
    **dict.fromkeys(("seed", "schema_version"), COUNT),
    "status": TEXT,
    "outcomes": named(COUNT),
    "scores": listed(OBJECT),
    "unscored": listed(TEXT),
    "command": listed(TEXT),
    "started": TEXT,
    "human_text": TEXT,
    "questions": OBJECT,
    "left_out": named(optional(COUNT)),
    "choice_mass": named(AMOUNT),
    "noise": named(AMOUNT),
    "usage": named(AMOUNT),
    "error": optional(TEXT),
}
_SCORE = {
    "name": TEXT,
    "value": NUMBER,
    "count": COUNT,
    "low": optional(NUMBER),
    "high": optional(NUMBER),
    "parts": named(NUMBER),
}


def read_report(folder: Path, *, lenient: bool = False) -> Report:
    """The report in a run's folder; `lenient` leaves out unknown fields and takes missing ones as empty.

    Raises:
        RunFolderError: there is no report, or it cannot be read.
    """
    path = folder / REPORT
    try:
        content = as_object(parsed(path.read_bytes()), *([] if lenient else ("status", "config", "scores", "usage")))
        if lenient:
            content = {"scores": []} | {name: content[name] for name in _REPORT if name in content}
        check(content, _REPORT)
        scores = cast("list[dict[str, Any]]", content["scores"])
        for score in scores:
            check(score, _SCORE)
        return Report(**{**content, "scores": [Score(**score) for score in scores]}, folder=folder)  # type: ignore[arg-type]
    except (OSError, TypeError, ValueError) as error:
        raise RunFolderError(
            f"'{path}' is not a report of a run: {error}; choose another hydra.run.dir, or delete this file to go on "
            "with the records beside it, if they have the same settings"
        ) from error
