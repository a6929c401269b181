"""How to train: the options under `plan` in `conf/train.yaml`."""

from __future__ import annotations

from typing import Any

import attrs
from attrs.validators import ge, gt, in_, instance_of, matches_re, optional

from affectlm_estimators.devices import DEVICES


def _whole(_: object, attribute: Any, value: object) -> None:
    least = 0 if attribute.name in ("patience", "seed") else 1
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"plan.{attribute.name} is {value!r}; expected a whole number, {least} or more")


def _within(_: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"plan.{attribute.name} is {value!r}; expected a number from 0 to 1")


@attrs.frozen(kw_only=True)
class Plan:
    """How to train; the defaults are those of `conf/train.yaml`.

    Args:
        epochs: at most so many.
        batch_size: faces a step; what is left over at the end of an epoch waits for the next, which has another order.
        learning_rate, weight_decay: AdamW's; the rate rises for `warmup` epochs and falls along half a cosine.
        averaging: share that the running average of the weights keeps at each step, less at first. The averaged
            weights are judged and written.
        dropout: share of features set to zero.
        device: auto, cpu, cuda, cuda:1, mps.
        precision: float32, bf16, or auto: bf16 where the hardware has it.
        augmentation: strength of random changes; at 0 faces are only mirrored.
        mixup: parameter of the Beta distribution from which the share of a second face is drawn (Zhang et al. 2018,
            arXiv 1710.09412); 0 for none.
        side: pixels at which to train; None for the network's own.
        balance: how much rare labels count for valence and arousal, from 0 to 1.
        patience: epochs without a better mean of accuracy and both CCCs after which to stop; 0 for never.
        keep: which averaged weights are written, those of the `last` epoch or of the `best`.
        start: weights to begin from, a file that `affectlm train` wrote.
        seed: of everything that is drawn.
    """

    epochs: int = attrs.field(default=14, validator=_whole)
    batch_size: int = attrs.field(default=64, validator=_whole)
    learning_rate: float = attrs.field(default=1.5e-3, validator=gt(0))
    weight_decay: float = attrs.field(default=0.02, validator=ge(0))
    warmup: float = attrs.field(default=1.0, validator=ge(0))
    averaging: float = attrs.field(default=0.999, validator=_within)
    dropout: float = attrs.field(default=0.25, validator=_within)
    device: str = attrs.field(default="auto", validator=matches_re(DEVICES))
    precision: str = attrs.field(default="auto", validator=in_(("auto", "float32", "bf16")))
    augmentation: float = attrs.field(default=1.0, validator=_within)
    mixup: float = attrs.field(default=0.0, validator=ge(0))
    side: int | None = attrs.field(default=None, validator=optional([instance_of(int), ge(16)]))
    balance: float = attrs.field(default=0.5, validator=_within)
    patience: int = attrs.field(default=0, validator=_whole)
    keep: str = attrs.field(default="last", validator=in_(("last", "best")))
    start: str | None = None
    seed: int = attrs.field(default=0, validator=_whole)
