"""The settings of a run that are no component's, checked before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs

from affectlm.errors import ConfigError
from affectlm.line.likelihoods import SCORES
from affectlm.store.cache import MODES
from affectlm.validators import amount, at_least, deviation, flag, one_of

DATASET_KEYS = ("va", "limit")  # what the core reads of a dataset's configuration; the rest is the dataset's own


def _thresholds(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(least, int | float) for least in value.values()):
        raise ValueError(f"fail_under={value} is no threshold; expected a score and a number: fail_under.accuracy=0.4")


_limit = attrs.validators.optional(amount)
_count = attrs.validators.optional(at_least(0))


@attrs.frozen(kw_only=True)
class Settings:
    """Field names are the keys of `conf/affectlm.yaml`, but for those of a group, which metadata names."""

    answer: str = attrs.field(validator=one_of("generate", "choices"))
    choice_score: str = attrs.field(validator=one_of(*SCORES))
    faces: str = attrs.field(validator=one_of("all", "best"))
    cache: str = attrs.field(validator=one_of(*MODES))
    batch_size: int = attrs.field(validator=at_least(1))
    seed: int = attrs.field(validator=at_least(0))
    dry_run: bool = attrs.field(validator=flag)
    explain: bool = attrs.field(validator=flag)
    accept_licence: bool = attrs.field(validator=flag)
    max_requests: int | None = attrs.field(validator=_count)
    max_tokens_total: int | None = attrs.field(validator=_count)
    max_cost: float | None = attrs.field(validator=_limit)
    max_seconds: float | None = attrs.field(validator=_limit)
    prices: str | None = attrs.field(converter=attrs.converters.optional(str))
    fail_under: Mapping[str, float] = attrs.field(validator=_thresholds)
    va: str = attrs.field(validator=one_of("estimated", "truth"), metadata={"key": "dataset.va"})
    limit: int | None = attrs.field(validator=_count, metadata={"key": "dataset.limit"})
    send_images: bool = attrs.field(validator=flag, metadata={"key": "privacy.send_images"})
    va_sd: float = attrs.field(validator=deviation, metadata={"key": "perturb.va_sd"})


def settings(config: Mapping[str, object]) -> Settings:
    """The settings of a configuration.

    Raises:
        ConfigError: one has no such value.
    """
    dataset = cast("Mapping[str, object]", config.get("dataset") or {})
    privacy = cast("Mapping[str, object]", config.get("privacy") or {})
    noise = cast("Mapping[str, object]", config.get("perturb") or {})
    values = {field.name: config.get(field.name) for field in attrs.fields(Settings)}
    values |= {"va": dataset.get("va", "estimated"), "limit": dataset.get("limit"), "va_sd": noise.get("va_sd", 0.0)}
    values |= {"fail_under": config.get("fail_under") or {}, "accept_licence": config.get("accept_licence", False)}
    values |= {"explain": config.get("explain", False), "choice_score": config.get("choice_score", SCORES[0])}
    values["send_images"] = privacy.get("send_images", False)
    try:
        return Settings(**cast("dict[str, Any]", values))
    except ValueError as error:
        raise ConfigError(str(error)) from error
