"""What a run leaves behind: one flat record a face as a JSON line, and one report."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import attrs

from affectlm.cache import write_atomically
from affectlm.errors import RunFolderError
from affectlm.types import Box, Outcome, Score, Truth

SCHEMA_VERSION = 1
RECORDS = "records.jsonl"
REPORT = "report.json"
_BY_LABEL = ("choice_logprobs", "choice_tokens", "choice_means", "choice_normalised", "probabilities")
EXPLANATIONS = "explain"  # folder of the pictures that `explain=true` makes


@attrs.frozen(kw_only=True)
class Record:
    """Everything about one face, or about one picture that gave none."""

    id: str
    outcome: Outcome
    image: str = ""  # path or name of the picture, empty where ratings alone were used
    image_sha256: str | None = None
    face: int | None = None  # rank of the face in its picture, 0 the best
    box: Box | None = None
    others: int = 0  # how many other faces the picture has
    valence: float | None = None
    arousal: float | None = None
    extra: Mapping[str, float] = attrs.field(factory=dict)
    prompt: str | None = None
    prompt_sha256: str | None = None
    model: str | None = None
    reply: str | None = None
    answer: str = ""
    labels: tuple[str, ...] = ()
    reason: str = ""  # why the outcome is not ok
    choice_logprobs: Mapping[str, float] | None = None  # with answer=choices, summed over the tokens of each label
    choice_tokens: Mapping[str, int] | None = None
    choice_means: Mapping[str, float] | None = None  # a token
    choice_normalised: Mapping[str, float] | None = None  # the sums less those of the question without numbers
    probabilities: Mapping[str, float] | None = None  # of the labels, by the score that decided
    entropy: float | None = None  # of the probabilities, in nats
    truth: Truth = attrs.field(factory=Truth)


def to_json(record: Record) -> dict[str, object]:
    """The record as one flat JSON object; the box becomes left, top, right, bottom."""
    box = record.box
    return {
        "id": record.id,
        "image": record.image,
        "image_sha256": record.image_sha256,
        "face": record.face,
        "left": box and box.left,
        "top": box and box.top,
        "right": box and box.right,
        "bottom": box and box.bottom,
        "others": record.others,
        "valence": record.valence,
        "arousal": record.arousal,
        "extra": dict(record.extra),
        "prompt": record.prompt,
        "prompt_sha256": record.prompt_sha256,
        "model": record.model,
        "reply": record.reply,
        "answer": record.answer,
        "labels": list(record.labels),
        "outcome": record.outcome.value,
        "reason": record.reason,
        **{name: _plain(getattr(record, name)) for name in _BY_LABEL},
        "entropy": record.entropy,
        "truth": attrs.asdict(record.truth),
    }


def _plain(values: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if values is None else dict(values)


def from_json(line: Mapping[str, object]) -> Record:
    """The record that `to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is no such object.
    """
    fields = dict(line)
    corners = [fields.pop(name) for name in ("left", "top", "right", "bottom")]
    truth = dict(fields.pop("truth"))  # type: ignore[call-overload]
    truth["labels"], truth["text"] = tuple(truth.get("labels", ())), tuple(truth.get("text", ()))
    fields["labels"] = tuple(fields["labels"])  # type: ignore[arg-type]
    fields["outcome"] = Outcome(str(fields["outcome"]))
    box = None if corners[0] is None else Box(*corners)  # type: ignore[arg-type]
    return Record(**fields, box=box, truth=Truth(**truth))  # type: ignore[arg-type]


def to_line(record: Record) -> bytes:
    """The record as a JSON line in UTF-8; what UTF-8 cannot hold (lone surrogates) is escaped."""
    return json.dumps(to_json(record), ensure_ascii=True, allow_nan=False).encode() + b"\n"


def read_records(folder: Path) -> Iterator[Record]:
    """The records of a run's folder, or of such a file, in the order they were written; a torn last line is left out.

    Raises:
        RunFolderError: a line is no record.
    """
    path = folder if folder.is_file() else folder / RECORDS
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield from_json(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                raise RunFolderError(f"line {number} of '{path}' is no record: {error}") from error


def explanation(record_id: str) -> str:
    """The path, inside the run's folder, of the picture that explains a face; safe and unique whatever the id holds.

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
    started: str = ""  # when, as 2026-11-24T14:05:00+01:00
    config: dict[str, object] = attrs.field(factory=dict)
    seed: int = 0
    versions: dict[str, str] = attrs.field(factory=dict)
    components: dict[str, object] = attrs.field(factory=dict)
    outcomes: dict[str, int] = attrs.field(factory=dict)
    scores: list[Score] = attrs.field(factory=list)
    unscored: list[str] = attrs.field(factory=list)  # metrics without a score: no record has what they judge by
    questions: dict[str, object] = attrs.field(factory=dict)  # distinct prompts, faces asked about, style
    usage: dict[str, float] = attrs.field(factory=dict)
    error: str | None = None
    schema_version: int = SCHEMA_VERSION
    folder: Path | None = None  # not in the file

    def score(self, name: str) -> Score:
        """The score of that name; KeyError when there is none."""
        found = next((score for score in self.scores if score.name == name), None)
        if found is None:
            raise KeyError(f"no score '{name}'; scores: {', '.join(score.name for score in self.scores) or 'none'}")
        return found

    def save(self, folder: Path) -> None:
        """Writes `report.json`, replacing an older one; of an older one on a full disk it changes the status only.

        Raises:
            OSError: it could not be replaced.
        """
        content = attrs.asdict(self, filter=lambda attribute, _: attribute.name != "folder")
        try:
            write_atomically(folder / REPORT, json.dumps(content, indent=2, allow_nan=False).encode() + b"\n")
        except OSError:
            with suppress(OSError):
                _overwrite_status(folder / REPORT, self.status)
            raise


def _overwrite_status(path: Path, status: str) -> None:
    """Changes the status of a written report where that takes no more room."""
    with path.open("r+b") as file:
        found = re.match(rb'(\{\s*"status": )("\w+" *)', file.read(100))
        if found and len(new := json.dumps(status).encode()) <= len(found[2]):
            file.seek(len(found[1]))
            file.write(new.ljust(len(found[2])))


def read_report(folder: Path) -> Report:
    """The report of a run's folder.

    Raises:
        RunFolderError: there is none, or it cannot be read.
    """
    path = folder / REPORT
    try:
        content = json.loads(path.read_bytes())
        content["scores"] = [Score(**score) for score in content["scores"]]
        return Report(**content, folder=folder)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunFolderError(f"'{path}' is no report of a run: {error}") from error
