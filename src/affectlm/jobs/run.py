"""One run: build the parts, stream pictures through the line into a folder, judge what came out.

The folder is the run's memory: `records.jsonl` grows as answers come, `report.json` says how it ended.
The module is not called `run`, because `affectlm.run` is a function.
"""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

from affectlm.config.components import Parts, build, components, identity
from affectlm.config.settings import Settings, settings
from affectlm.errors import AffectlmError, ConfigError, RunFolderError
from affectlm.line.ask import Asking, ask
from affectlm.line.budget import ESTIMATES, EXAMPLE, Budget, Ledger, Tally, find_price
from affectlm.line.faces import Step
from affectlm.line.omissions import Counts, Seen, dataset_left_out, told
from affectlm.line.source import steps
from affectlm.line.workers import Notice, silent
from affectlm.registry import Registry
from affectlm.scores.scores import judge
from affectlm.store.cache import Store
from affectlm.store.records import RECORDS, REPORT, Report, read_records, read_report, to_line
from affectlm.store.run_folder import Earlier, finished_records, locked, refuse_another, writing
from affectlm.store.tables import write_table
from affectlm.types import Outcome, Record

if TYPE_CHECKING:
    from affectlm.types import LLMAdapter, Metric, PromptTemplate, SingleLLM

# Distributions that figures may depend on; of plugins, each component's `origin` is in its identity.
_VERSIONS = (
    *("affectlm", "numpy", "scipy", "scikit-learn", "pillow", "opencv-python-headless", "hydra-core"),
    *("torch", "timm", "onnxruntime", "transformers", "tokenizers", "sentence-transformers", "llama-cpp-python"),
    *("nltk", "rouge-score", "vaderSentiment", "openai"),
)
LEDGER = "asked.json"  # in the run's folder while it runs, and where it was killed
NOTE_EVERY = 1.0  # seconds between two notes of what was asked
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
    """Runs a configuration into a folder and returns the report; a folder with the same configuration is continued.

    Args:
        config: the plain configuration, as `config.to_plain` gives it.
        folder: made when it is not there.
        registry: where components are found; the installed one by default.
        on_record: called with each record, those of an earlier try included.
        on_notice: told, in a sentence, what a language model is waited for.
        command: the words that were typed, for the report.
        on_success: called with the finished report before the folder says so; where it fails, the run has failed.

    Raises:
        AffectlmError: see `build`; or the folder belongs to another configuration or cannot be written; or no record
            could be made.
        KeyboardInterrupt: after the report was marked interrupted.
    """
    chosen, registry = settings(config), registry or Registry.installed()
    with locked(folder):
        ledger = Ledger(folder / LEDGER)
        report = _report(config, folder, ledger)
        report.command = list(command)
        begin = time.monotonic() - report.usage.get("seconds", 0.0)
        tally = _earlier_tally(report)
        asking: Asking | None = None

        def note() -> None:
            """Tells who looks into the folder how far the run is."""
            report.usage = _usage(tally, time.monotonic() - begin, asking.budget if asking else None)
            with writing(folder):
                report.save(folder)

        try:
            with writing(folder):
                report.save(folder)
            parts = build(config, registry)
            report.components = components(config, parts)
            report.left_out = dataset_left_out(parts.dataset)
            if report.left_out:
                on_notice(f"the dataset left out {told(report.left_out)}")
            store = Store("completions", chosen.cache)
            asking = asking_of(chosen, parts.prompt, parts.llm, store=store, tally=tally, notice=on_notice)
            asking.check()
            asking.before = ledger.write
            asking.key = identity(config, "llm", parts.llm, registry)
            key = identity(config, "estimator", parts.estimator, registry) if parts.estimator else ""
            line = partial(steps, chosen, parts, key=key, folder=folder, notice=on_notice)
            with writing(folder):
                try:
                    _stream(folder, line, asking, report, on_record, note)
                finally:
                    if not chosen.dry_run:
                        write_table(folder)
                records = [_slim(record) for record in read_records(folder)]
            report.questions = _questions(config, records)
            report.left_out = _left_out(records, parts, chosen)
            _refuse_nothing(records)
            if not chosen.dry_run:
                _judge(report, records, parts.metrics)
            note()
            report.status = "success"
            with writing(folder):
                on_success(report)
        except KeyboardInterrupt:
            report.status = "interrupted"
            raise
        except Exception as error:
            report.status, report.error = "error", str(error)
            raise
        finally:
            note()
            ledger.remove()  # for now the report says it
    return report


def _left_out(records: Sequence[Record], parts: Parts, chosen: Settings) -> Counts:
    seen = Seen()
    for record in records:
        seen.add(record)
    return seen.left_out(parts.dataset, limit=chosen.limit, best_only=chosen.faces == "best")


def _judge(report: Report, records: Sequence[Record], metrics: Mapping[str, Metric]) -> None:
    """Scores the records, and notes which metrics found nothing to judge by."""
    unscored: list[Metric] = []
    report.scores = judge(records, metrics.values(), seed=report.seed, on_nothing=unscored.append)
    report.unscored = [name for name, metric in metrics.items() if any(metric is each for each in unscored)]


def _questions(config: Mapping[str, object], records: Sequence[Record]) -> dict[str, object]:
    """How many prompts differ, about how many faces, and how they say valence and arousal; empty without a prompt."""
    prompts = [record.prompt_sha256 for record in records if record.prompt_sha256 is not None]
    style = cast("Mapping[str, object]", config["prompt"]).get("style")
    found = {"distinct": len(set(prompts)), "faces": len(prompts), **({"style": style} if style else {})}
    return found if prompts else {}


def _stream(
    folder: Path,
    line: Callable[[Earlier], Iterator[Step]],
    asking: Asking,
    report: Report,
    on_record: OnRecord,
    note: Callable[[], None],
) -> None:
    """Draws the line to its end; every record is on disk before the next is asked for."""
    outcomes: Counter[str] = Counter()
    earlier = Earlier()
    for record in finished_records(folder):
        earlier.add(record)
        outcomes[record.outcome.value] += 1
        on_record(record)
    noted = time.monotonic()
    with (folder / RECORDS).open("ab") as file:
        try:
            for record in ask(line(earlier), asking):
                file.write(to_line(record))
                file.flush()
                if time.monotonic() - noted > NOTE_EVERY:
                    note()
                    noted = time.monotonic()
                outcomes[record.outcome.value] += 1
                on_record(record)
        finally:
            report.outcomes = dict(sorted(outcomes.items()))


def _slim(record: Record) -> Record:
    """A record as metrics see it: without what takes much memory and what they can do without."""
    left_out = ("prompt", "reply", "choice_logprobs", "choice_tokens", "choice_means", "choice_normalised")
    return attrs.evolve(record, **dict.fromkeys(left_out))  # type: ignore[arg-type]


def _refuse_nothing(records: Sequence[Record]) -> None:
    if not records:
        raise ConfigError("the dataset gave nothing to look at; check dataset.path, dataset.split and dataset.limit")
    if all(record.outcome is Outcome.SKIPPED and record.valence is None for record in records):
        raise ConfigError(
            "nobody in the dataset has rated valence and arousal, which dataset.va=truth needs; give a table with "
            "both, or type dataset.va=estimated"
        )
    if all(record.outcome in _FAILURES for record in records):
        first = records[0]
        raise AffectlmError(f"all {len(records)} records failed; the first, '{first.id}': {first.reason}")
    failed = [record for record in records if record.outcome is Outcome.API_ERROR]
    if failed and all(record.outcome in (*_FAILURES, *_NOT_ASKED) for record in records):
        raise AffectlmError(f"all {len(failed)} requests failed; the first, about '{failed[0].id}': {failed[0].reason}")


def _earlier(folder: Path, config: Mapping[str, object], asked: Mapping[str, int]) -> Report | None:
    """The report of an earlier try; None where another configuration's start failed and left nothing to keep."""
    earlier = read_report(folder)
    try:
        refuse_another(folder, earlier.config, config, "run")
    except RunFolderError:
        if asked or earlier.usage.get("requests") or next(read_records(folder), None) is not None:
            raise
        return None
    return earlier


def _report(config: Mapping[str, object], folder: Path, ledger: Ledger) -> Report:
    """A report marked started, for a new folder or one that holds the same configuration."""
    usage: dict[str, float] = {}
    asked = ledger.read()
    if (folder / REPORT).exists() and (earlier := _earlier(folder, config, asked)):
        usage = {**earlier.usage, **{name: max(count, earlier.usage.get(name, 0)) for name, count in asked.items()}}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORDS).touch()
    seed = cast("int", config["seed"])
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return Report(started=now, config=dict(config), seed=seed, versions=versions(), usage=usage, folder=folder)


def asking_of(
    chosen: Settings,
    prompt: PromptTemplate,
    llm: LLMAdapter | SingleLLM,
    *,
    store: Store,
    tally: Tally | None = None,
    notice: Notice = silent,
) -> Asking:
    """How a run with these settings asks.

    Raises:
        ConfigError: a limit of cost was set, but the model's price is not known.
    """
    if chosen.max_cost is not None and chosen.prices is None:
        raise ConfigError(f"max_cost needs prices: write a file with lines such as {EXAMPLE}, and add prices=FILE")
    price = find_price(Path(chosen.prices).expanduser(), str(getattr(llm, "model", ""))) if chosen.prices else None
    return Asking(
        prompt=prompt,
        llm=llm,
        store=store,
        answer=chosen.answer,
        choice_score=chosen.choice_score,
        send_images=chosen.send_images,
        dry_run=chosen.dry_run,
        tally=tally or Tally(),
        budget=Budget(
            max_requests=chosen.max_requests,
            max_tokens_total=chosen.max_tokens_total,
            max_cost=chosen.max_cost,
            max_seconds=chosen.max_seconds,
            price=price,
        ),
        notice=notice,
    )


def _earlier_tally(report: Report) -> Tally:
    """What earlier tries of a run have cost: limits hold for the whole run."""
    return Tally(
        **{each.name: int(report.usage.get(each.name, 0)) for each in attrs.fields(Tally) if each.name not in ESTIMATES}
    )


def _usage(tally: Tally, seconds: float, budget: Budget | None) -> dict[str, float]:
    found = {**attrs.asdict(tally), "tokens": tally.tokens, "seconds": round(seconds, 3)}
    if budget is None or budget.price is None:
        return found
    estimated = budget.price.cost(tally.estimated_prompt_tokens, tally.estimated_completion_tokens)
    return {**found, "cost": budget.cost(tally), "estimated_cost": estimated}


def versions() -> dict[str, str]:
    """The versions of Python, affectlm and what figures depend on, by name."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
