"""How to train: the options under `plan` in `conf/train.yaml`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs
from attrs.validators import in_, matches_re, optional

from affectlm.neural.devices import DEVICES

_LEAST = {"patience": 0, "seed": 0, "side": 16}  # for whole numbers; 1 for the others


def _whole(_: object, attribute: Any, value: Any) -> None:
    least = _LEAST.get(attribute.name, 1)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"plan.{attribute.name} is {value!r}; expected a whole number, {least} or more")


def _number(expected: str, fits: Callable[[float], bool]) -> Callable[[object, Any, Any], None]:
    """A validator that raises ValueError unless the number fits."""

    def check(_: object, attribute: Any, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not fits(value):
            raise ValueError(f"plan.{attribute.name} is {value!r}; expected a number {expected}")

    return check


_positive = _number("above 0", lambda value: 0 < value < math.inf)
_not_negative = _number("of 0 or more", lambda value: 0 <= value < math.inf)
_within = _number("from 0 to 1", lambda value: 0 <= value <= 1)
_below_one = _number("from 0 to less than 1", lambda value: 0 <= value < 1)


@attrs.frozen(kw_only=True)
class Plan:
    """How to train; the defaults are those of `conf/train.yaml`.

    Args:
        epochs: at most this many.
        batch_size: faces per step; an incomplete batch at the end of an epoch is skipped, and the order changes.
        learning_rate, weight_decay: of AdamW; the rate rises for `warmup` epochs and falls along half a cosine.
        averaging: share that the running average of the weights keeps at each step, less at first. The averaged
            weights are validated and written.
        dropout: share of features set to zero.
        device: auto, cpu, cuda, cuda:1, mps.
        precision: float32, bf16, or auto: bf16 if the hardware has it.
        augmentation: strength of random changes; at 0 faces are only mirrored.
        mixup: parameter of the Beta distribution of the share of a second face (Zhang et al. 2018, arXiv 1710.09412);
            0 for none.
        side: side of the training faces in pixels; None for the network's own.
        balance: how much rare labels count for valence and arousal, from 0 to 1.
        patience: stops after this many epochs without a better mean of accuracy and both CCCs; 0 for never.
        keep: whether the averaged weights of the `last` or the `best` epoch are written.
        start: weights to start from, a file that `affectlm train` wrote.
        seed: of all random numbers.
    """

    epochs: int = attrs.field(default=14, validator=_whole)
    batch_size: int = attrs.field(default=64, validator=_whole)
    learning_rate: float = attrs.field(default=1.5e-3, validator=_positive)
    weight_decay: float = attrs.field(default=0.02, validator=_not_negative)
    warmup: float = attrs.field(default=1.0, validator=_not_negative)
    averaging: float = attrs.field(default=0.999, validator=_within)
    dropout: float = attrs.field(default=0.25, validator=_below_one)
    device: str = attrs.field(default="auto", validator=matches_re(DEVICES))
    precision: str = attrs.field(default="auto", validator=in_(("auto", "float32", "bf16")))
    augmentation: float = attrs.field(default=1.0, validator=_within)
    mixup: float = attrs.field(default=0.0, validator=_not_negative)
    side: int | None = attrs.field(default=None, validator=optional(_whole))
    balance: float = attrs.field(default=0.5, validator=_within)
    patience: int = attrs.field(default=0, validator=_whole)
    keep: str = attrs.field(default="last", validator=in_(("last", "best")))
    start: str | None = None
    seed: int = attrs.field(default=0, validator=_whole)
