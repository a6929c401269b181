"""What a score is worth between its floor, what is possible without a model, and its ceiling.

A metric gives both as parts; the core adds what follows from them, over the same draws of records:

- `gain`: how much better the score is than its floor; where less is better, floor minus score.
- `covered`: the gain as a share of the room between floor and ceiling. It is said only if the room's 95 % interval is
  above 0, since else it would be a quotient of noise, and if that of the gain is not below 0: a score that is worse
  than its floor is no part of the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from affectlm.types import Statistic

_ROOM = "room"
_UNBOUNDED = ("gain", "covered", _ROOM)


def bounded(statistic: Statistic, ranges: Mapping[str, tuple[float, float]]) -> Statistic:
    """The statistic with `gain`, and with `covered` and the room, for each score that has a floor and a ceiling.

    Args:
        statistic: see `WeightedMetric.statistics`.
        ranges: the worst and the best value of scores; more is better without an entry.
    """

    def with_bounds(weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        found = dict(statistic(weights))
        for name in [name for name in found if f"{name}: floor" in found]:
            worst, best = ranges.get(name, (0.0, 1.0))
            floor, way = found[f"{name}: floor"], 1.0 if worst < best else -1.0
            gain = found[f"{name}: gain"] = way * (found[name] - floor)
            if f"{name}: ceiling" in found:
                room = found[f"{name}: {_ROOM}"] = way * (found[f"{name}: ceiling"] - floor)
                found[f"{name}: covered"] = np.divide(gain, room, out=np.full_like(gain, np.nan), where=room > 0)
        return found

    return with_bounds


def ends(names: Iterable[str], ranges: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """The ends of each score and each part; gain, room and what is covered have none."""
    whole = {name: name.partition(": ") for name in names}
    return {
        name: ranges[score] for name, (score, _, part) in whole.items() if score in ranges and part not in _UNBOUNDED
    }


def shown(parts: Mapping[str, float]) -> dict[str, float]:
    """The parts without the room, and without `covered` unless it can be said."""
    clear = parts.get(f"{_ROOM}_low", 0.0) > 0 and parts.get("gain_high", -1.0) >= 0
    hidden = {_ROOM, f"{_ROOM}_low", f"{_ROOM}_high"}
    hidden |= set() if clear else {"covered", "covered_low", "covered_high"}
    return {name: value for name, value in parts.items() if name not in hidden}
