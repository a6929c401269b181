"""The components of a run: which a configuration wants, built and checked, and what makes their answers their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import attrs

from affectlm.config.settings import DATASET_KEYS, Settings, settings
from affectlm.errors import AffectlmError, ConfigError
from affectlm.registry import KINDS, Registry
from affectlm.scores.scores import check_thresholds
from affectlm.types import Described, GuardedLLM
from affectlm.weights.named import accepting

if TYPE_CHECKING:
    from affectlm.types import Dataset, FaceDetector, LLMAdapter, Metric, PromptTemplate, SingleLLM, VAEstimator

NO_PICTURES = "this dataset holds ratings and no pictures; add dataset.va=truth"
# Options that change how fast an answer comes, not what it says.
_HOW = ("batch_size", "device", "device_map", "concurrency", "timeout", "threads", "provider", "key_needed")


@attrs.frozen(kw_only=True)
class Parts:
    """The components of a run, built and checked."""

    dataset: Dataset
    prompt: PromptTemplate
    llm: LLMAdapter | SingleLLM
    metrics: Mapping[str, Metric]
    detector: FaceDetector | None = None  # None where ratings take the place of pictures
    estimator: VAEstimator | None = None

    def described(self) -> dict[str, Mapping[str, str]]:
        """What the parts say about themselves, by kind."""
        named: dict[str, object] = {
            "detector": self.detector,
            "estimator": self.estimator,
            "llm": self.llm,
            "dataset": self.dataset,
        }
        return {kind: part.describe() for kind, part in named.items() if isinstance(part, Described)}


def wanted(config: Mapping[str, object]) -> list[tuple[str, dict[str, object]]]:
    """Kind, name and options of every component a run needs; with ratings it needs neither detector nor estimator.

    Raises:
        ConfigError: a setting has no such value.
    """
    dataset = {key: value for key, value in _section(config, "dataset").items() if key not in DATASET_KEYS}
    measured = settings(config).va == "estimated"
    for wish, key in ((settings(config).explain, "explain"), (settings(config).send_images, "privacy.send_images")):
        if wish and not measured:
            raise ConfigError(f"{key}=true needs faces, but dataset.va=truth opens no picture; leave one of them out")
    kinds = ["prompt", "llm", *(("detector", "estimator") if measured else ())]
    return [
        ("dataset", dataset),
        *(("metric", metric) for metric in _metrics(config).values()),
        *((kind, _section(config, kind)) for kind in kinds),
    ]


def make(kind: str, options: Mapping[str, object], registry: Registry, chosen: Settings) -> object:
    """A component, ready to be used; a dry run, which asks nothing, needs no access to a language model.

    Raises:
        AffectlmError: as `Registry.build`; or a language model may not be asked.
    """
    with accepting(terms=chosen.accept_licence):
        component = registry.build(kind, options)
    if isinstance(component, GuardedLLM) and not chosen.dry_run:
        component.check_access()
    return component


def build(config: Mapping[str, object], registry: Registry) -> Parts:
    """The parts of a run; all that is missing or wrong is found here, before the first picture is read.

    Raises:
        AffectlmError: a name, option, file, key or weight is not there or not right.
    """
    built: dict[str, list[object]] = {kind: [] for kind in KINDS}
    problems: list[AffectlmError] = []
    for kind, options in wanted(config):
        try:
            built[kind].append(make(kind, options, registry, settings(config)))
        except AffectlmError as error:
            problems.append(error)
        if kind == "dataset" and settings(config).va == "estimated":
            _refuse_ratings(*built[kind])
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ConfigError("; also: ".join(str(problem) for problem in problems)) from problems[0]
    parts = Parts(
        dataset=cast("Dataset", built["dataset"][0]),
        prompt=cast("PromptTemplate", built["prompt"][0]),
        llm=cast("LLMAdapter", built["llm"][0]),
        metrics=dict(zip(_metrics(config), cast("list[Metric]", built["metric"]), strict=True)),
        detector=cast("FaceDetector", next(iter(built["detector"]), None)),
        estimator=cast("VAEstimator", next(iter(built["estimator"]), None)),
    )
    if parts.detector is None and (derived := getattr(parts.dataset, "truth_is_derived", "")):
        raise ConfigError(f"dataset.va=truth would go in a circle: {derived}")
    check_thresholds(settings(config).fail_under, parts.metrics.values())
    return parts


def _metrics(config: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """The options of the metrics, by the key they are chosen by; null leaves one out."""
    return {key: cast("dict[str, object]", options) for key, options in _section(config, "metric").items() if options}


def _refuse_ratings(dataset: object = None) -> None:
    """Raises where faces are to be measured and a dataset has none, before detectors fetch their weights."""
    if not getattr(dataset, "has_pictures", True):
        raise ConfigError(NO_PICTURES)


def components(config: Mapping[str, object], parts: Parts) -> dict[str, object]:
    """What report.json holds of the components: their options and what they say about themselves, by kind."""
    described = parts.described()
    used = ["dataset", "prompt", "llm", *(("detector", "estimator") if parts.detector is not None else ())]
    found: dict[str, object] = {kind: {**_section(config, kind), **described.get(kind, {})} for kind in used}
    return {**found, "metric": _section(config, "metric")}


def identity(config: Mapping[str, object], kind: str, part: object, registry: Registry) -> dict[str, object]:
    """What makes a component's answers its own: plugin, name, options, weights, without what only changes its speed."""
    options = _section(config, kind)
    name = str(options["name"])
    said = part.describe() if isinstance(part, Described) else {}
    whole = {**options, **said, "plugin": registry.find(kind, name).plugin, "versions": [registry.origin(kind, name)]}
    return {key: _without_how(value) for key, value in whole.items() if _tells(key)}


def _without_how(value: object) -> object:
    """An option's value; what holds other components, as an ensemble does, without their options of `_HOW`."""
    if isinstance(value, Mapping):
        return {key: _without_how(held) for key, held in value.items() if _tells(key)}
    return [_without_how(held) for held in value] if isinstance(value, list | tuple) else value


def _tells(key: object) -> bool:
    return str(key).rpartition(".")[2] not in _HOW


def _section(config: Mapping[str, object], key: str) -> dict[str, object]:
    return dict(cast("Mapping[str, object]", config.get(key) or {}))
