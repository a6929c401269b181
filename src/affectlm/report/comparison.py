"""What `affectlm compare` found, as `compare.json` and as a self-contained page, `compare.html`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from affectlm.errors import RunFolderError
from affectlm.report.rendering import render
from affectlm.store.cache import write_atomically

COMPARE_JSON, COMPARE_HTML = "compare.json", "compare.html"


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
class Agreement:
    """Krippendorff's alpha (nominal) of the labels that runs gave."""

    alpha: float
    low: float | None
    high: float | None
    records: int  # that two or more runs gave a label


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
    agreement: Agreement | None
    variance: Mapping[str, Mapping[str, float]]  # by score, the share of its variance that each varied option explains
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
    return render(
        "compare.html",
        comparison=comparison,
        columns=list(COLUMNS),
        score_rows=list(score_rows(comparison)),
        rows=list(rows(comparison)),
        agreed=agreed(comparison),
        variance=variance_table(comparison),
    )


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


def agreed(comparison: Comparison) -> str:
    """A sentence on how well the labels of the runs agree; empty if that is undefined."""
    found = comparison.agreement
    if found is None:
        return ""
    around = f" {_interval(found.low, found.high, 3)}".rstrip()
    return (
        f"Agreement of the runs' labels: Krippendorff's alpha {found.alpha:.3f}{around} over {found.records} records."
    )


def variance_table(comparison: Comparison) -> list[list[str]]:
    """What share of a score's variance between runs each varied option explains; the first row has the names."""
    found = [[name, *(f"{share:.1%}" for share in shares.values())] for name, shares in comparison.variance.items()]
    names = next(iter(comparison.variance.values()), {})
    return [["score", *names], *found] if found else []


def _interval(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"[{low:+.{digits}f}, {high:+.{digits}f}]"


def _chance(p: float) -> str:
    return f"{p:.4f}" if p >= 0.0001 else f"{p:.0e}"
