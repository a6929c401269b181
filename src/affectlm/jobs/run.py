"""One run: build the components, stream pictures through the line into a folder, score the records.

The folder is the run's memory: `records.jsonl` grows as answers come, and `report.json` says how it ended.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

import attrs

from affectlm.config.asking import asking_of, permission_of
from affectlm.config.components import Components, RunComponents, build_run
from affectlm.config.settings import RunSettings, settings
from affectlm.errors import AffectlmError, ConfigError, RunFolderError
from affectlm.jobs.stream import stream
from affectlm.jobs.versions import versions
from affectlm.line.ask import ask
from affectlm.line.budget import ESTIMATES, Ledger, Price, Tally
from affectlm.line.measure import unwatched
from affectlm.line.omissions import Counts, Seen, dataset_left_out, told
from affectlm.line.permission import Permission
from affectlm.line.question import Asking
from affectlm.line.workers import Notice, silent
from affectlm.registry import Registry
from affectlm.report.choices import measure_held
from affectlm.report.noise import measure_noise
from affectlm.report.questions import count_questions
from affectlm.scores.scores import score_all
from affectlm.store.cache import Store
from affectlm.store.records import RECORDS, REPORT, Report, read_records, read_report, to_line
from affectlm.store.run_folder import Earlier, finished_records, locked, refuse_another, writing
from affectlm.store.tables import write_table
from affectlm.types import AnyMetric, Outcome, Record, SamplingLLM, TextDataset, TruthMetric

LEDGER = "asked.json"  # in the run's folder while it runs, or if it was killed
SAME_REPLIES = (
    "with llm.temperature=0 a model repeats its likeliest reply, so repeats tell little; add llm.temperature=1"
)
NOTE_EVERY = 1.0  # seconds between two updates of the report
_FAILURES = (Outcome.UNREADABLE_IMAGE, Outcome.API_ERROR)
_NOT_ASKED = (Outcome.NO_FACE, Outcome.SKIPPED)

OnRecord = Callable[[Record], None]


def run(
    config: Mapping[str, object],
    folder: Path,
    *,
    registry: Registry | None = None,
    on_record: OnRecord = lambda _: None,
    on_notice: Notice = silent,
    command: Sequence[str] = (),
    on_success: Callable[[Report], None] = lambda _: None,
) -> Report:
    """The report of a run; a folder with the same configuration is continued.

    Args:
        config: the plain configuration, as `compose.to_plain` returns it.
        folder: created if it does not exist.
        registry: finds the components; the installed registry by default.
        on_record: called with each record, including those of an earlier attempt.
        on_notice: called with sentences for the user, such as why the run waits.
        command: the words that were typed, for the report.
        on_success: called with the finished report before it is saved as a success; if it raises, the run has failed.

    Raises:
        AffectlmError: see `build_run`; or the folder belongs to another configuration or cannot be written; or no
            record could be made.
        KeyboardInterrupt: after the report was marked as interrupted.
    """
    chosen = settings(config, RunSettings)
    with locked(folder):
        ledger = Ledger(folder / LEDGER)
        report = _report(config, folder, ledger, command)
        return _Run(
            chosen=chosen,
            components=Components.of(config, registry or Registry.installed(), chosen),
            folder=folder,
            report=report,
            ledger=ledger,
            on_record=on_record,
            on_notice=on_notice,
            on_success=on_success,
        ).carry_out()


@attrs.define(kw_only=True)
class _Run:
    """A run under way."""

    chosen: RunSettings
    components: Components
    folder: Path
    report: Report
    ledger: Ledger
    on_record: OnRecord
    on_notice: Notice
    on_success: Callable[[Report], None]
    _tally: Tally = attrs.field(init=False)
    _begin: float = attrs.field(init=False)
    _price: Price | None = attrs.field(init=False, default=None)

    @_tally.default
    def _earlier_tally(self) -> Tally:
        """What earlier attempts asked: limits hold for the whole run."""
        names = [each.name for each in attrs.fields(Tally) if each.name not in ESTIMATES]
        return Tally(**{name: int(self.report.usage.get(name, 0)) for name in names})

    @_begin.default
    def _earlier_begin(self) -> float:
        return time.monotonic() - self.report.usage.get("seconds", 0.0)

    def carry_out(self) -> Report:
        """The report of the whole run; however the run ends, the saved report says how."""
        report = self.report
        try:
            self._note()
            self._work()
            self._note()
            report.status = "success"
            with writing(self.folder):
                self.on_success(report)
        except KeyboardInterrupt:
            report.status = "interrupted"
            raise
        except Exception as error:
            report.status, report.error = "error", str(error)
            raise
        finally:
            self._note()
            self.ledger.remove()  # the report has its numbers now
        return report

    def _work(self) -> None:
        """From components to records, and from records to scores."""
        chosen, report = self.chosen, self.report
        parts = build_run(self.components, chosen)
        report.components = parts.summary(self.components)
        report.left_out = dataset_left_out(parts.dataset)
        if report.left_out:
            self.on_notice(f"the dataset left out {told(report.left_out)}")
        asking = asking_of(chosen, parts.prompt, parts.llm, key=self.components.identity("llm", parts.llm))
        asking.check()
        if chosen.repeats > 1 and isinstance(parts.llm, SamplingLLM) and parts.llm.temperature == 0:
            self.on_notice(SAME_REPLIES)
        permission = permission_of(chosen, parts.llm, tally=self._tally, before=self.ledger.write)
        self._price = permission.budget.price
        with writing(self.folder):
            try:
                self._stream(parts, asking, permission)
            finally:
                if not chosen.dry_run:
                    write_table(self.folder)
            records = [record.slim() for record in read_records(self.folder)]
        report.questions = count_questions(records)
        report.noise = measure_noise(records, chosen.va_sd)
        report.choice_mass = measure_held(records)
        report.human_text = _human_text(parts, records)
        report.left_out = _left_out(records, parts, chosen)
        _refuse_nothing(records)
        if not chosen.dry_run:
            _judge(report, records, parts.metrics, chosen.clustered_by)

    def _stream(self, parts: RunComponents, asking: Asking, permission: Permission) -> None:
        """Runs the line to its end; every record is on disk before the next is made."""
        outcomes: Counter[str] = Counter()
        earlier = Earlier(self.chosen.repeats)
        for record in finished_records(self.folder):
            earlier.add(record)
            outcomes[record.outcome.value] += 1
            self.on_record(record)
        noted = time.monotonic()
        with (self.folder / RECORDS).open("ab") as file:
            try:
                for record in self._answered(parts, earlier, asking, permission):
                    file.write(to_line(record))
                    file.flush()
                    if time.monotonic() - noted > NOTE_EVERY:
                        self._note()
                        noted = time.monotonic()
                    outcomes[record.outcome.value] += 1
                    self.on_record(record)
            finally:
                self.report.outcomes = dict(sorted(outcomes.items()))

    def _answered(
        self, parts: RunComponents, earlier: Earlier, asking: Asking, permission: Permission
    ) -> Iterator[Record]:
        """The records that an earlier attempt has not finished, as they are made."""
        chosen, estimator = self.chosen, parts.estimator
        key = self.components.identity("estimator", estimator) if estimator is not None else ""
        watch = unwatched
        if chosen.explain and estimator is not None:
            from affectlm.report.explain import Explainer  # loads matplotlib, which is slow

            watch = Explainer(estimator, self.folder, batch_size=chosen.batch_size)
        measured = stream(chosen, parts, earlier, key=key, watch=watch, notice=self.on_notice)
        store = Store("completions", chosen.cache)
        return ask(measured, asking, store=store, permission=permission, notice=self.on_notice)

    def _note(self) -> None:
        """Saves the report, so that the folder shows how far the run is."""
        self.report.usage = _usage(self._tally, time.monotonic() - self._begin, self._price)
        with writing(self.folder):
            self.report.save(self.folder)


def _left_out(records: Sequence[Record], parts: RunComponents, chosen: RunSettings) -> Counts:
    seen = Seen()
    for record in records:
        seen.add(record)
    return seen.left_out(parts.dataset, limit=chosen.limit, best_only=chosen.faces == "best")


def _judge(report: Report, records: Sequence[Record], metrics: Mapping[str, AnyMetric], by: str) -> None:
    """Adds the scores of the records to the report, and the metrics without a score."""
    unscored: list[AnyMetric] = []
    report.scores = score_all(records, metrics.values(), by=by, on_nothing=unscored.append)
    report.unscored = [name for name, metric in metrics.items() if any(metric is each for each in unscored)]


def _human_text(parts: RunComponents, records: Sequence[Record]) -> str:
    """What metrics of texts compare answers with; empty if no metric or no record has texts."""
    judges = any(isinstance(metric, TruthMetric) and metric.judges_by == "text" for metric in parts.metrics.values())
    if not judges or not any(record.truth.text for record in records):
        return ""
    return parts.dataset.human_text if isinstance(parts.dataset, TextDataset) else "the dataset's own texts"


def _refuse_nothing(records: Sequence[Record]) -> None:
    if not records:
        raise ConfigError("the dataset gave no items; check dataset.path, dataset.split and dataset.limit")
    if all(record.outcome is Outcome.SKIPPED and record.valence is None for record in records):
        raise ConfigError(
            "no item of the dataset has rated valence and arousal, which dataset.va=truth needs; give a table with "
            "both, or type dataset.va=estimated"
        )
    if all(record.outcome in _FAILURES for record in records):
        first = records[0]
        raise AffectlmError(f"all {len(records)} records failed; the first, '{first.id}': {first.reason}")
    failed = [record for record in records if record.outcome is Outcome.API_ERROR]
    if failed and all(record.outcome in (*_FAILURES, *_NOT_ASKED) for record in records):
        raise AffectlmError(f"all {len(failed)} requests failed; the first, about '{failed[0].id}': {failed[0].reason}")


def _earlier(folder: Path, config: Mapping[str, object], asked: Mapping[str, int]) -> Report | None:
    """The report of an earlier attempt; None if it had another configuration but left nothing worth keeping."""
    earlier = read_report(folder)
    try:
        refuse_another(folder, earlier.config, config, "run")
    except RunFolderError:
        if asked or earlier.usage.get("requests") or next(read_records(folder), None) is not None:
            raise
        return None
    return earlier


def _report(config: Mapping[str, object], folder: Path, ledger: Ledger, command: Sequence[str]) -> Report:
    """A report with status started, for a new folder or one with the same configuration."""
    usage: dict[str, float] = {}
    asked = ledger.read()
    if (folder / REPORT).exists() and (earlier := _earlier(folder, config, asked)):
        usage = {**earlier.usage, **{name: max(count, earlier.usage.get(name, 0)) for name, count in asked.items()}}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORDS).touch()
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return Report(
        started=now,
        command=list(command),
        config=dict(config),
        seed=cast("int", config["seed"]),
        versions=versions(),
        usage=usage,
        folder=folder,
    )


def _usage(tally: Tally, seconds: float, price: Price | None) -> dict[str, float]:
    found = {**attrs.asdict(tally), "tokens": tally.tokens, "seconds": round(seconds, 3)}
    if price is None:
        return found
    cost = price.cost(tally.prompt_tokens, tally.completion_tokens)
    estimated = price.cost(tally.estimated_prompt_tokens, tally.estimated_completion_tokens)
    return {**found, "cost": cost, "estimated_cost": estimated}
