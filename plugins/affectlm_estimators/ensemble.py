"""Several estimators at once: their mean and their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.errors import ConfigError, ContractError
from affectlm.registry import Registry
from affectlm.types import VA, Described, DetailedEstimator, Details, Pixels, Tunable, VAEstimator


def _check_members(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ConfigError(
            f"estimator.members is {value!r}; expected estimators and their options: "
            "'estimator.members=[{name: facechannel},{name: timm,weights: PATH}]'"
        )
    for member in value:
        if not isinstance(member, Mapping) or "name" not in member:
            raise ConfigError(f"estimator.members has {member!r}; expected a name and options: {{name: facechannel}}")


def _check_weights(ensemble: Any, attribute: Any, value: Any) -> None:
    if value is None:
        return
    listed = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    numbers = [number for number in listed if isinstance(number, int | float) and 0 <= number < np.inf]
    if not len(numbers) == len(listed) == len(ensemble.members) or not any(numbers):
        raise ConfigError(
            f"estimator.weights is {value} for {len(ensemble.members)} members; expected a number per member, "
            "0 or more, and at least one above 0"
        )


@attrs.define(kw_only=True, slots=False)
class Ensemble:
    """The (weighted) mean of other estimators' valence and arousal.

    Args:
        members: configurations of estimators: name and options.
        weights: of the members; None for equal weights.
        registry: builds the members.

    Raises:
        ConfigError: there are no members, a member cannot be built, or the weights do not fit the members.
    """

    members: Sequence[Mapping[str, object]] = attrs.field(default=(), validator=_check_members)
    weights: Sequence[float] | None = attrs.field(default=None, validator=_check_weights)
    registry: Registry = attrs.field(factory=Registry.installed, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _ = self._estimators  # errors in a member must show before the first picture

    def estimate(self, faces: Sequence[Pixels]) -> VA:
        """The mean valence and arousal, (batch, 2)."""
        return self.details(faces)[0]

    def details(self, faces: Sequence[Pixels]) -> tuple[VA, Details]:
        """The mean, the members' standard deviation (`valence_sd`, `arousal_sd`) and the means of shared details."""
        measured = [_measure(estimator, faces) for estimator in self._estimators]
        mean, spread = self._moments([affect for affect, _ in measured])
        shared = [name for name in measured[0][1] if all(name in details for _, details in measured)]
        found = {name: self._moments([details[name] for _, details in measured])[0] for name in shared}
        return mean, {**found, "valence_sd": spread[:, 0], "arousal_sd": spread[:, 1]}

    def describe(self) -> Mapping[str, str]:
        """The members' versions and descriptions, under their place in the list and their name."""
        found: dict[str, str] = {}
        for place, (member, estimator) in enumerate(zip(self.members, self._estimators, strict=True)):
            name = str(member["name"])
            own = estimator.describe() if isinstance(estimator, Described) else {}
            whole = {"version": self.registry.origin("estimator", name), **own}
            found |= {f"{place}.{name}.{key}": value for key, value in whole.items()}
        return found

    @property
    def speed_options(self) -> tuple[str, ...]:
        """The members' speed options, under the names they have in `members` and `describe`."""
        members = zip(self.members, self._estimators, strict=True)
        return tuple(
            f"{where}.{option}"
            for place, (member, estimator) in enumerate(members)
            if isinstance(estimator, Tunable)
            for option in estimator.speed_options
            for where in (f"members.{place}", f"{place}.{member['name']}")
        )

    @cached_property
    def _estimators(self) -> list[VAEstimator]:
        return [cast("VAEstimator", self.registry.build("estimator", member)) for member in self.members]

    def _moments(self, values: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weighted mean and standard deviation (divided by n) over the members, in the shape of one member's values."""
        stacked = np.stack(values).astype(np.float64)
        weights = np.ones(len(values)) if self.weights is None else np.array(self.weights, dtype=np.float64)
        shares = weights / weights.sum()
        mean = np.tensordot(shares, stacked, 1)
        spread = np.sqrt(np.tensordot(shares, (stacked - mean) ** 2, 1))
        return mean.astype(np.float32), spread.astype(np.float32)


def _measure(estimator: VAEstimator, faces: Sequence[Pixels]) -> tuple[VA, Details]:
    details: Details = {}
    if isinstance(estimator, DetailedEstimator):
        affect, details = estimator.details(faces)
    else:
        affect = estimator.estimate(faces)
    if np.shape(affect) != (len(faces), 2) or not np.isfinite(affect).all():
        raise ContractError(
            f"{type(estimator).__name__}, a member of the ensemble, returned shape {np.shape(affect)} or numbers "
            f"that are not finite; expected finite numbers ({len(faces)}, 2): valence, arousal"
        )
    return np.asarray(affect), details
