"""What `affectlm compare` found, as `compare.json` and as a self-contained page, `compare.html`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import attrs
import jinja2

from affectlm.errors import RunFolderError
from affectlm.store.cache import write_atomically
from affectlm.text import shortened

COMPARE_JSON, COMPARE_HTML = "compare.json", "compare.html"
TEMPLATE = files("affectlm.report") / "templates" / "compare.html"
_MOST_TEXT = 1000  # characters of a text


@attrs.frozen(kw_only=True)
class RunLine:
    """A run that was compared."""

    name: str
    folder: str
    status: str
    answered: int  # of the records that are compared


@attrs.frozen(kw_only=True)
class ScoreLine:
    """One score of all runs."""

    name: str
    values: Mapping[str, float]  # by run
    best: str | None  # the run that is significantly better than every other
    lower_is_better: bool


@attrs.frozen(kw_only=True)
class Pair:
    """One score of two runs; the fields that are not described are those of `affectlm.scores.paired.Difference`."""

    score: str
    first: str  # names of the runs
    second: str
    value_first: float
    value_second: float
    difference: float
    low: float | None
    high: float | None
    p: float
    p_holm: float = 1.0  # by Holm over all pairs and scores of the comparison
    count: int
    clusters: int
    h: float | None
    h_low: float | None
    h_high: float | None
    only_first: int | None
    only_second: int | None
    p_mcnemar: float | None


@attrs.frozen(kw_only=True)
class Comparison:
    """Runs over the same records, beside one another."""

    runs: Sequence[RunLine]
    records: int
    clusters: int
    by: str  # what clusters are
    seed: int
    draws: int  # at most so many exchanges per test
    scores: Sequence[ScoreLine]
    pairs: Sequence[Pair]
    notes: Sequence[str]
    schema_version: int = 1


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Writes `compare.json` and `compare.html`.

    Raises:
        RunFolderError: the folder cannot be made or written.
    """
    text = json.dumps(attrs.asdict(comparison), indent=2, allow_nan=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / COMPARE_JSON, text.encode() + b"\n")
        write_atomically(folder / COMPARE_HTML, page(comparison).encode(errors="backslashreplace"))
    except OSError as error:
        raise RunFolderError(
            f"'{folder}' cannot be written: {error.strerror or error}; choose another --out"
        ) from error


def page(comparison: Comparison) -> str:
    """The page; all text is escaped."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=_clean, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    scores, pairs = list(score_rows(comparison)), list(rows(comparison))
    return template.render(comparison=comparison, columns=list(COLUMNS), score_rows=scores, rows=pairs)


def _clean(value: object) -> object:
    return shortened(value, _MOST_TEXT) if type(value) is str else value


def score_rows(comparison: Comparison) -> Iterator[list[str]]:
    """One row per score: its name and its value in each run, with a star at one that is significantly best."""
    for score in comparison.scores:
        name = f"{score.name} (lower is better)" if score.lower_is_better else score.name
        yield [name, *(f"{value:.3f}{'*' if run == score.best else ''}" for run, value in score.values.items())]


COLUMNS = ("score", "first", "second", "difference", "95 % interval", "p", "p (Holm)", "Cohen's h", "McNemar", "n")


def rows(comparison: Comparison) -> Iterator[list[str]]:
    """One row per score and pair of runs, with the cells of `COLUMNS`."""
    for pair in comparison.pairs:
        mcnemar = (
            f"{pair.only_first} : {pair.only_second}, p {_chance(pair.p_mcnemar)}" if pair.p_mcnemar is not None else ""
        )
        effect = "" if pair.h is None else f"{pair.h:+.2f} {_interval(pair.h_low, pair.h_high, 2)}".strip()
        yield [
            *(pair.score, pair.first, pair.second, f"{pair.difference:+.3f}", _interval(pair.low, pair.high, 3)),
            *(_chance(pair.p), _chance(pair.p_holm), effect, mcnemar, str(pair.count)),
        ]


def _interval(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"[{low:+.{digits}f}, {high:+.{digits}f}]"


def _chance(p: float) -> str:
    return f"{p:.4f}" if p >= 0.0001 else f"{p:.0e}"
