"""The settings of each job that do not belong to a component, checked before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from affectlm.affect.wording import STYLES
from affectlm.errors import ConfigError
from affectlm.line.likelihoods import SCORES
from affectlm.scores import clusters
from affectlm.store.cache import MODES
from affectlm.validators import amount, at_least, deviation, flag, one_of

_limit = attrs.validators.optional(amount)
_count = attrs.validators.optional(at_least(0))
_some = attrs.validators.optional(at_least(1))


def _key(name: str) -> dict[str, str]:
    """Metadata for a setting whose key contains dots."""
    return {"key": name}


def _or_none(value: Any) -> Any:
    return {} if value is None else value


def _thresholds(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(least, int | float) for least in value.values()):
        raise ValueError(
            f"fail_under={value} is not a threshold; expected a score and a number, fail_under.accuracy=0.4"
        )


@attrs.frozen(kw_only=True)
class RunSettings:
    """The settings of a run; field names are keys of `conf/affectlm.yaml`, and keys with dots are in the metadata."""

    answer: str = attrs.field(validator=one_of("generate", "choices"))
    style: str = attrs.field(default="words", validator=one_of(*STYLES))
    repeats: int = attrs.field(default=1, validator=at_least(1))
    choice_score: str = attrs.field(default=SCORES[0], validator=one_of(*SCORES))
    faces: str = attrs.field(validator=one_of("all", "best"))
    cache: str = attrs.field(validator=one_of(*MODES))
    batch_size: int = attrs.field(validator=at_least(1))
    seed: int = attrs.field(validator=at_least(0))
    dry_run: bool = attrs.field(validator=flag)
    explain: bool = attrs.field(default=False, validator=flag)
    accept_licence: bool = attrs.field(default=False, validator=flag)
    max_requests: int | None = attrs.field(validator=_count)
    max_tokens_total: int | None = attrs.field(validator=_count)
    max_cost: float | None = attrs.field(validator=_limit)
    max_seconds: float | None = attrs.field(validator=_limit)
    prices: str | None = attrs.field(converter=attrs.converters.optional(str))
    fail_under: Mapping[str, float] = attrs.field(converter=_or_none, validator=_thresholds)
    va: str = attrs.field(default="estimated", validator=one_of("estimated", "truth"), metadata=_key("dataset.va"))
    limit: int | None = attrs.field(default=None, validator=_count, metadata=_key("dataset.limit"))
    send_images: bool = attrs.field(default=False, validator=flag, metadata=_key("privacy.send_images"))
    va_sd: float = attrs.field(default=0.0, validator=deviation, metadata=_key("perturb.va_sd"))
    intervals_by: str = attrs.field(default=clusters.PICTURE, metadata=_key("intervals.by"))
    group: str | None = attrs.field(default=None, converter=attrs.converters.optional(str))

    @intervals_by.validator
    def _check_intervals_by(self, _: object, value: str) -> None:
        clusters.check(value)

    @property
    def clustered_by(self) -> str:
        """What intervals are drawn by; `group=NAME` is short for `intervals.by=group.NAME`."""
        return self.intervals_by if self.group is None else f"{clusters.GROUP}{self.group}"

    def __attrs_post_init__(self) -> None:
        """Raises ValueError if settings exclude each other."""
        if self.repeats > 1 and self.answer == "choices":
            raise ValueError(
                f"repeats={self.repeats} shows how replies vary, but answer=choices gives the same probabilities each "
                "time; type repeats=1 or answer=generate"
            )
        for chosen, key in ((self.explain, "explain"), (self.send_images, "privacy.send_images")):
            if chosen and self.va == "truth":
                raise ValueError(
                    f"{key}=true needs faces, but dataset.va=truth opens no picture; leave one of them out"
                )


@attrs.frozen(kw_only=True)
class EvaluateSettings:
    """The settings of an evaluation, with the keys of `conf/evaluate.yaml`."""

    batch_size: int = attrs.field(validator=at_least(1))
    cache: str = attrs.field(validator=one_of(*MODES))
    seed: int = attrs.field(validator=at_least(0))
    accept_licence: bool = attrs.field(validator=flag)
    group: str | None = attrs.field(converter=attrs.converters.optional(str))
    va: str = attrs.field(default="estimated", metadata=_key("dataset.va"))
    limit: int | None = attrs.field(default=None, validator=_some, metadata=_key("dataset.limit"))

    @va.validator
    def _check_va(self, _: object, value: str) -> None:
        if value == "truth":
            raise ValueError("dataset.va=truth leaves nothing to measure; leave it out")


@attrs.frozen(kw_only=True)
class TrainSettings:
    """The settings of a training, with the keys of `conf/train.yaml`."""

    accept_licence: bool = attrs.field(validator=flag)
    plan: Mapping[str, object]
    limit: int | None = attrs.field(default=None, validator=_some, metadata=_key("dataset.limit"))


_T = TypeVar("_T", RunSettings, EvaluateSettings, TrainSettings)


def settings(config: Mapping[str, object], kind: type[_T]) -> _T:
    """The settings of a job from a configuration.

    Raises:
        ConfigError: a setting has a wrong value, or settings exclude each other.
    """
    values: dict[str, Any] = {}
    for field in attrs.fields(kind):
        *sections, name = str(field.metadata.get("key", field.name)).split(".")
        held: Any = config
        for section in sections:
            held = held.get(section) or {}
        if name in held or field.default is attrs.NOTHING:
            values[field.name] = held.get(name)
    try:
        return kind(**values)
    except ValueError as error:
        raise ConfigError(str(error)) from error
