"""The hooks a plugin may implement. Each is called once, without arguments, when the registry is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import pluggy

if TYPE_CHECKING:
    from affectlm.weights.named import Weights

Factory: TypeAlias = str | Callable[..., object]
"""Builds a component from keyword options: a callable, or "package.module:Class" imported on first use."""

hookspec = pluggy.HookspecMarker("affectlm")
hookimpl = pluggy.HookimplMarker("affectlm")


@hookspec
def affectlm_datasets() -> Mapping[str, Factory]:  # type: ignore[empty-body]
    """Datasets by name."""


@hookspec
def affectlm_detectors() -> Mapping[str, Factory]:  # type: ignore[empty-body]
    """Face detectors by name."""


@hookspec
def affectlm_estimators() -> Mapping[str, Factory]:  # type: ignore[empty-body]
    """Valence/arousal estimators by name."""


@hookspec
def affectlm_llms() -> Mapping[str, Factory]:  # type: ignore[empty-body]
    """Language-model adapters by name."""


@hookspec
def affectlm_prompts() -> Mapping[str, Factory]:  # type: ignore[empty-body]
    """Prompt templates by name."""


@hookspec
def affectlm_metrics() -> Mapping[str, Factory]:  # type: ignore[empty-body]
    """Metrics by name."""


@hookspec
def affectlm_config() -> str:  # type: ignore[empty-body]
    """Import name of the package that holds the plugin's YAML files, in folders named after the groups."""


@hookspec
def affectlm_weights() -> Sequence[Weights]:  # type: ignore[empty-body]
    """The named weights this plugin can fetch."""
