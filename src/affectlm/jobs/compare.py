"""`affectlm compare`: paired tests of the scores that several runs over the same records share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import cast

import attrs

from affectlm.config.components import Components
from affectlm.errors import AffectlmError, ConfigError, RunFolderError
from affectlm.jobs.matching import FinishedRun, differences, labels_of, read_runs, shared_ids
from affectlm.jobs.variants import agreement, variance_shares
from affectlm.registry import Registry
from affectlm.report.comparison import Comparison, Pair, RunLine, ScoreLine, write_comparison
from affectlm.scores import clusters
from affectlm.scores.paired import Difference, compare_pair
from affectlm.scores.scores import judges_answers
from affectlm.scores.tests import DRAWS, holm
from affectlm.types import AnyMetric, Outcome, RangedMetric, Record

ALPHA = 0.05  # a run is best only if Holm's p is below this against every other
_DRAWS_PER_TEST = 40  # so that the smallest p stays below ALPHA in a table of many tests
_NO_MATTER = ("seed", "device", "batch_size")  # options of metrics that leave scores what they are

Rows = list[list[Record]]  # one list per run, about the same faces


def compare(
    folders: Sequence[Path],
    out: Path,
    *,
    common: bool = False,
    by: str | None = None,
    registry: Registry | None = None,
    on_pair: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """The comparison of runs, also written to `compare.json` and `compare.html` in the folder `out`.

    Args:
        folders: of runs or sweeps.
        out: created if it does not exist.
        common: compare the records that all runs have; by default runs that differ in records or questions are refused.
        by: the clusters, as in `intervals.by`; by default those of the first run.
        registry: finds the metrics; the installed registry by default.
        on_pair: called with the names of two runs before they are compared, once per metric.

    Raises:
        AffectlmError: a folder is no finished run, the runs did not ask the same, or they share no score.
    """
    runs = read_runs(folders)
    found = differences(runs)
    if found and not common:
        raise RunFolderError(
            f"the runs cannot be compared as a whole: {'; '.join(found)}; --common compares the "
            f"{len(shared_ids(runs))} records that all of them have"
        )
    ids = shared_ids(runs)
    if not ids:
        raise RunFolderError("the runs have no record with the same id and the same truth in common")
    by = by or _clusters(runs[0])
    try:
        clusters.check(by)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    comparison = _compared(runs, ids, by, found, registry or Registry.installed(), on_pair)
    write_comparison(comparison, out)
    return comparison


def _clusters(run: FinishedRun) -> str:
    """What the run's intervals were drawn by."""
    group, by = run.option("group"), run.option("intervals", "by")
    return f"{clusters.GROUP}{group}" if group else str(by or clusters.PICTURE)


def _compared(
    runs: Sequence[FinishedRun],
    ids: Sequence[str],
    by: str,
    found: Sequence[str],
    registry: Registry,
    on_pair: Callable[[str], None],
) -> Comparison:
    rows = [[run.records[name] for name in ids] for run in runs]
    together = clusters.of(rows[0], by)
    notes = [f"Only what all runs have is compared: {'; '.join(found)}."] if found else []
    metrics = _metrics(runs, registry, notes)
    seed = runs[0].report.seed
    tests = _Tests(rows, together, seed, max(DRAWS, _DRAWS_PER_TEST * _at_most(runs)), on_pair)
    pairs, lowest = tests.all(runs, metrics, notes)
    raised = holm([pair.p for pair in pairs])
    pairs = [attrs.evolve(pair, p_holm=p) for pair, p in zip(pairs, raised, strict=True)]
    if not pairs:
        notes.append("No score: no record has what the metrics that all runs have need.")
    elif any(len(set(together)) < len(each) for each in rows):
        notes.append(f"McNemar's test is left out, because several records belong to one {by}.")
    scores = [_score(name, pairs, [run.name for run in runs], lowest) for name in _names(pairs)]
    return Comparison(
        runs=[_line(run, each) for run, each in zip(runs, rows, strict=True)],
        records=len(ids),
        clusters=len(set(together)),
        by=by,
        seed=seed,
        draws=tests.draws,
        scores=scores,
        pairs=pairs,
        agreement=agreement(rows, together),
        variance=variance_shares(runs, scores, notes),
        notes=notes,
    )


def _at_most(runs: Sequence[FinishedRun]) -> int:
    """About how many tests there will be."""
    return math.comb(len(runs), 2) * max(len(run.report.scores) for run in runs)


@attrs.frozen
class _Tests:
    """All tests of a comparison."""

    rows: Rows
    together: Sequence[str]
    seed: int
    draws: int
    on_pair: Callable[[str], None]

    def all(
        self, runs: Sequence[FinishedRun], metrics: Mapping[str, AnyMetric], notes: list[str]
    ) -> tuple[list[Pair], set[str]]:
        """The pairs of runs for each score that all of them have, and the scores of which less is better."""
        found: list[Pair] = []
        lowest: set[str] = set()
        for key, metric in metrics.items():
            ranges = metric.ranges() if isinstance(metric, RangedMetric) else {}
            try:
                pairs = [*self._pairs(runs, metric, "")]
                if judges_answers(metric):
                    pairs += self._answered(runs, metric)
            except AffectlmError as error:
                notes.append(f"{key} is left out: {error}.")
                continue
            expected = len(runs) * (len(runs) - 1) // 2
            names = [pair.score for pair in pairs]
            missing = [name for name in dict.fromkeys(names) if names.count(name) < expected]
            if missing or not pairs:
                notes.append(f"{', '.join(missing) or key}: left out, because not all runs have this score.")
            order = {name: place for place, name in enumerate(names)}
            found += sorted((pair for pair in pairs if pair.score not in missing), key=lambda pair: order[pair.score])
            lowest |= {
                each for name, (worst, best) in ranges.items() if worst > best for each in (name, f"{name}_answered")
            }
        return found, lowest

    def _pairs(self, runs: Sequence[FinishedRun], metric: AnyMetric, suffix: str) -> Iterator[Pair]:
        for one, other in combinations(range(len(runs)), 2):
            self.on_pair(f"{runs[one].name} and {runs[other].name}")
            for each in compare_pair(
                metric, self.rows[one], self.rows[other], self.together, seed=self.seed, draws=self.draws
            ):
                yield _pair(each, runs[one].name, runs[other].name, suffix)

    def _answered(self, runs: Sequence[FinishedRun], metric: AnyMetric) -> Iterator[Pair]:
        """The scores over the records that all runs answered, if these are some but not all."""
        kept = [place for place, each in enumerate(zip(*self.rows, strict=True)) if _all_ok(each)]
        if 0 < len(kept) < len(self.together):
            rows = [[records[place] for place in kept] for records in self.rows]
            part = attrs.evolve(self, rows=rows, together=[self.together[place] for place in kept])
            yield from part._pairs(runs, metric, "_answered")


def _all_ok(records: Sequence[Record]) -> bool:
    return all(record.outcome is Outcome.OK for record in records)


def _metrics(runs: Sequence[FinishedRun], registry: Registry, notes: list[str]) -> dict[str, AnyMetric]:
    """The metrics that all runs have with the same options; what is left out is noted."""
    configs = [run.option("metric") or {} for run in runs]
    chosen = [
        {key: each for key, each in dict(cast("Mapping[str, object]", config)).items() if each} for config in configs
    ]
    found: dict[str, AnyMetric] = {}
    for key in dict.fromkeys(key for each in chosen for key in each):
        given = [each.get(key) for each in chosen]
        if not all(given):
            notes.append(f"{key} is left out: not all runs have this metric.")
        elif any(_essence(each) != _essence(given[0]) for each in given):
            notes.append(f"{key} is left out: its options differ between the runs.")
        else:
            try:
                found[key] = _build(cast("Mapping[str, object]", given[0]), runs[0], registry)
            except AffectlmError as error:
                notes.append(f"{key} is left out: {error}.")
    return found


def _build(options: Mapping[str, object], run: FinishedRun, registry: Registry) -> AnyMetric:
    components = Components(config=run.report.config, registry=registry, asks=False)
    return cast("AnyMetric", components.build("metric", options))


def _essence(options: object) -> object:
    """The options of a metric that its scores depend on."""
    if not isinstance(options, Mapping):
        return options
    return {
        key: labels_of(value) if key == "labels" else value for key, value in options.items() if key not in _NO_MATTER
    }


def _pair(found: Difference, first: str, second: str, suffix: str) -> Pair:
    return Pair(
        **{
            **attrs.asdict(found),
            "score": f"{found.score}{suffix}",
            "value_first": found.first,
            "value_second": found.second,
            "first": first,
            "second": second,
        }
    )


def _names(pairs: Sequence[Pair]) -> list[str]:
    return list(dict.fromkeys(pair.score for pair in pairs))


def _score(name: str, pairs: Sequence[Pair], runs: Sequence[str], lowest: set[str]) -> ScoreLine:
    """The values of a score by run, and the run that is significantly better than every other, if any."""
    own = [pair for pair in pairs if pair.score == name]
    values = {pair.first: pair.value_first for pair in own} | {pair.second: pair.value_second for pair in own}
    best = (min if name in lowest else max)(runs, key=lambda run: values[run])
    clear = all(pair.p_holm < ALPHA for pair in own if best in (pair.first, pair.second))
    return ScoreLine(
        name=name,
        values={run: values[run] for run in runs},
        best=best if clear else None,
        lower_is_better=name in lowest,
    )


def _line(run: FinishedRun, records: Sequence[Record]) -> RunLine:
    answered = sum(record.outcome is Outcome.OK for record in records)
    return RunLine(name=run.name, folder=str(run.folder), status=run.report.status, answered=answered)
