"""The components that a configuration names, built and checked in the same way for every job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import attrs

from affectlm.config.settings import EvaluateSettings, RunSettings, TrainSettings
from affectlm.errors import AffectlmError, ConfigError
from affectlm.registry import Registry
from affectlm.scores.repeats import RepeatAgreement
from affectlm.scores.scores import check_thresholds
from affectlm.types import DerivedDataset, Described, GuardedLLM, RatingsDataset, Tunable
from affectlm.weights.named import accepting

if TYPE_CHECKING:
    from affectlm.types import AnyMetric, Dataset, FaceDetector, LLMAdapter, PromptTemplate, SingleLLM, VAEstimator

NO_PICTURES = "this dataset holds ratings and no pictures; add dataset.va=truth"


@attrs.frozen(kw_only=True)
class Components:
    """The components that a configuration names, and how to build them."""

    config: Mapping[str, object]
    registry: Registry
    accept_licence: bool = False  # whether the user agrees to the terms of weights, so that they may be fetched
    asks: bool = True  # whether a language model will be asked; a dry run needs no access to it

    @classmethod
    def of(
        cls,
        config: Mapping[str, object],
        registry: Registry,
        chosen: RunSettings | EvaluateSettings | TrainSettings,
    ) -> Components:
        """The components of a job with these settings."""
        asks = isinstance(chosen, RunSettings) and not chosen.dry_run
        return cls(config=config, registry=registry, accept_licence=chosen.accept_licence, asks=asks)

    def options(self, kind: str) -> dict[str, object]:
        """The section of a kind: the component's name and its options."""
        return dict(cast("Mapping[str, object]", self.config.get(kind) or {}))

    def metrics(self) -> dict[str, Mapping[str, object]]:
        """The options of each metric, by its key in the configuration; a metric set to null is left out."""
        chosen = self.options("metric").items()
        return {key: cast("Mapping[str, object]", options) for key, options in chosen if options}

    def wanted(self, kinds: Sequence[str]) -> list[tuple[str, Mapping[str, object]]]:
        """Kind and options of every component of these kinds; there may be several metrics."""
        found: list[tuple[str, Mapping[str, object]]] = []
        for kind in kinds:
            each = self.metrics().values() if kind == "metric" else [self.options(kind)]
            found += [(kind, options) for options in each]
        return found

    def build(self, kind: str, options: Mapping[str, object] | None = None) -> object:
        """A component, ready to use.

        Args:
            kind: the kind of component.
            options: its name and options; by default those of the configuration.

        Raises:
            AffectlmError: like `Registry.build`; or there is no access to a language model.
        """
        with accepting(terms=self.accept_licence):
            component = self.registry.build(kind, self.options(kind) if options is None else options)
        if isinstance(component, GuardedLLM) and self.asks:
            component.check_access()
        return component

    def build_all(self, kinds: Sequence[str], *, no_pictures: str = "") -> dict[str, list[object]]:
        """The components that `wanted` lists, by kind.

        Args:
            kinds: the kinds to build, the dataset first.
            no_pictures: the error message if the dataset has no pictures; by default it needs none.

        Raises:
            AffectlmError: a name, option, file, key or weight is missing or wrong; one error lists all problems.
        """
        built: dict[str, list[object]] = {kind: [] for kind in kinds}
        problems: list[AffectlmError] = []
        for kind, options in self.wanted(kinds):
            try:
                built[kind].append(self.build(kind, options))
            except AffectlmError as error:
                problems.append(error)
            if no_pictures and kind == "dataset" and any(map(_has_no_pictures, built[kind])):
                raise ConfigError(no_pictures)  # before detectors fetch their weights
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise ConfigError("; also: ".join(str(problem) for problem in problems)) from problems[0]
        return built

    def summary(self, kind: str, component: object) -> dict[str, object]:
        """A component's options and its description of itself, for reports."""
        return {**self.options(kind), **described(component)}

    def identity(self, kind: str, component: object) -> dict[str, object]:
        """What a component's results depend on: plugin, name, options, weights; no options that only change speed."""
        name = str(self.options(kind)["name"])
        origin = {
            "plugin": self.registry.find(kind, name).plugin,
            "versions": [self.registry.origin(kind, name)],
        }
        speed = component.speed_options if isinstance(component, Tunable) else ()
        return cast("dict[str, object]", _without(self.summary(kind, component) | origin, frozenset(speed)))


def described(component: object) -> Mapping[str, str]:
    """A component's description of itself; empty if it has none."""
    return component.describe() if isinstance(component, Described) else {}


def _without(value: object, names: frozenset[str], place: str = "") -> object:
    """A value without what is at these places in it, which are written with dots."""
    if isinstance(value, Mapping):
        kept = {key: held for key, held in value.items() if f"{place}{key}" not in names}
        return {key: _without(held, names, f"{place}{key}.") for key, held in kept.items()}
    if isinstance(value, list | tuple):
        return [_without(held, names, f"{place}{index}.") for index, held in enumerate(value)]
    return value


def _has_no_pictures(dataset: object) -> bool:
    return isinstance(dataset, RatingsDataset) and not dataset.has_pictures


@attrs.frozen(kw_only=True)
class RunComponents:
    """The components of a run, built and checked."""

    dataset: Dataset
    prompt: PromptTemplate
    llm: LLMAdapter | SingleLLM
    metrics: Mapping[str, AnyMetric]
    detector: FaceDetector | None = None  # None if ratings are used instead of pictures
    estimator: VAEstimator | None = None

    def summary(self, components: Components) -> dict[str, object]:
        """What report.json says about the components, by kind."""
        used = {"dataset": self.dataset, "prompt": self.prompt, "llm": self.llm}
        if self.detector is not None:
            used |= {"detector": self.detector, "estimator": self.estimator}
        found = {kind: components.summary(kind, component) for kind, component in used.items()}
        return {**found, "metric": components.options("metric")}


def run_kinds(chosen: RunSettings) -> list[str]:
    """The kinds of components that a run needs; with ratings it needs no detector and no estimator."""
    return ["dataset", "metric", "prompt", "llm", *(("detector", "estimator") if chosen.va == "estimated" else ())]


def build_run(components: Components, chosen: RunSettings) -> RunComponents:
    """The components of a run; everything missing or wrong is found here, before the first picture is read.

    Raises:
        AffectlmError: see `Components.build_all`; or the components do not fit together or do not fit the settings.
    """
    no_pictures = NO_PICTURES if chosen.va == "estimated" else ""
    return assemble_run(components, chosen, components.build_all(run_kinds(chosen), no_pictures=no_pictures))


def assemble_run(components: Components, chosen: RunSettings, built: Mapping[str, Sequence[object]]) -> RunComponents:
    """The components of a run from those of each kind; raises ConfigError unless they fit together and the settings."""
    single = {kind: each[0] for kind, each in built.items() if kind != "metric"}
    metrics = dict(zip(components.metrics(), built["metric"], strict=True))
    if chosen.repeats > 1:
        metrics["repeat_agreement"] = RepeatAgreement()
    parts = RunComponents(**single, metrics=metrics)  # type: ignore[arg-type]
    dataset = parts.dataset
    if parts.detector is not None and _has_no_pictures(dataset):
        raise ConfigError(NO_PICTURES)
    if parts.detector is None and isinstance(dataset, DerivedDataset) and dataset.truth_is_derived:
        raise ConfigError(f"dataset.va=truth would be circular: {dataset.truth_is_derived}")
    check_thresholds(chosen.fail_under, parts.metrics.values())
    return parts
