"""Reads the outputs of a foreign model: which are valence and arousal, on which scale, which are categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from affectlm.errors import ConfigError, ContractError
from affectlm.types import VA, Details
from affectlm_estimators.anchors import points

Floats = NDArray[np.float32]
Reference = str | int  # an output's name or its place


@attrs.frozen(kw_only=True)
class Reading:
    """How to read valence, arousal and categories from a model's outputs; fields as in `OnnxEstimator`."""

    affect: tuple[Reference, ...]  # one output for both, two outputs, or none: computed from the categories
    columns: tuple[int, int] | None
    order: str
    scale: tuple[float, float]
    classes: Reference | None
    labels: tuple[str, ...]
    logits: bool
    anchors: str

    def read(self, outputs: Mapping[str, Floats], count: int) -> tuple[VA, Details]:
        """Valence and arousal (count, 2), clipped to [-1, 1], and the probability of each category.

        Args:
            outputs: each of shape (count, ...), in the model's order.
            count: number of faces that the model was given.

        Raises:
            ConfigError: an output is missing, or does not have the shape that the options say.
            ContractError: the model's numbers are not finite.
        """
        chances = None if self.classes is None else self._chances(outputs, self.classes, count)
        details = {} if chances is None else dict(zip(self.labels, chances.T, strict=True))
        if self.affect:
            affect = self._affect(outputs, count)
        elif chances is not None:
            affect = chances @ points(self.labels, self.anchors)
        else:
            raise ConfigError("estimator 'onnx' needs estimator.affect or estimator.classes: outputs that give VA")
        return affect.clip(-1, 1).astype(np.float32), details

    def _affect(self, outputs: Mapping[str, Floats], count: int) -> Floats:
        if len(self.affect) == 2:
            if len({_find(outputs, reference)[0] for reference in self.affect}) < 2:
                raise ConfigError(f"estimator.affect is {list(self.affect)}, one output twice; {_listed(outputs)}")
            both = [_table(outputs, reference, count, 1) for reference in self.affect]
            found = np.concatenate(both, axis=1)
        elif self.columns is None:
            found = _table(outputs, self.affect[0], count, 2)
        else:
            found = _columns(outputs, self.affect[0], count, self.columns)
        low, high = self.scale
        scaled: Floats = 2 * (found - low) / (high - low) - 1
        return scaled if self.order == "va" else scaled[:, ::-1]

    def _chances(self, outputs: Mapping[str, Floats], reference: Reference, count: int) -> Floats:
        name, _ = _find(outputs, reference)
        if name in [_find(outputs, each)[0] for each in self.affect]:
            scores = self._beside_affect(outputs, name, count)
        else:
            scores = _table(outputs, name, count, len(self.labels))
        if self.logits:
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        total = scores.sum(axis=1, keepdims=True)
        if (scores < 0).any() or (total <= 0).any():
            raise ContractError(f"output '{name}' is not probabilities; set estimator.logits=true for raw scores")
        return np.asarray(scores / total, dtype=np.float32)

    def _beside_affect(self, outputs: Mapping[str, Floats], name: str, count: int) -> Floats:
        """The columns of an output except those of valence and arousal, one per label."""
        table = _table(outputs, name, count)
        width = table.shape[1]
        taken = {column % width for column in self.columns} if self.columns else {*range(width)}
        rest = [column for column in range(width) if column not in taken]
        if len(rest) != len(self.labels):
            raise ConfigError(
                f"output '{name}' of the model has shape {table.shape} and {len(rest)} columns besides valence and "
                f"arousal, expected {len(self.labels)}, one for each of estimator.labels; set estimator.columns"
            )
        return table[:, rest]


def _columns(outputs: Mapping[str, Floats], reference: Reference, count: int, columns: Sequence[int]) -> Floats:
    """The given columns of an output; negative numbers count from the end."""
    table = _table(outputs, reference, count)
    if any(not -table.shape[1] <= column < table.shape[1] for column in columns):
        name, shape = _find(outputs, reference)
        raise ConfigError(
            f"output '{name}' of the model has shape {shape}, expected ({count}, columns) with columns {list(columns)}"
        )
    if len({column % table.shape[1] for column in columns}) < len(columns):
        raise ConfigError(f"estimator.columns is {list(columns)}, one column twice; expected those of valence, arousal")
    return table[:, list(columns)]


def _table(outputs: Mapping[str, Floats], reference: Reference, count: int, width: int | None = None) -> Floats:
    """An output as (count, width), without further axes of length one."""
    name, shape = _find(outputs, reference)
    expected = f"({count}, {'columns' if width is None else width})"
    if not shape or shape[0] != count or (width is not None and np.prod(shape) != count * width):
        raise ConfigError(f"output '{name}' of the model has shape {shape}, expected {expected}; {_listed(outputs)}")
    if not np.isfinite(outputs[name]).all():
        raise ContractError(f"output '{name}' of the model has numbers that are not finite")
    return outputs[name].astype(np.float32).reshape(count, -1)


def _find(outputs: Mapping[str, Floats], reference: Reference) -> tuple[str, tuple[int, ...]]:
    """Name and shape of an output."""
    names = list(outputs)
    if isinstance(reference, int) and -len(names) <= reference < len(names):
        reference = names[reference]
    if not isinstance(reference, str) or reference not in outputs:
        raise ConfigError(f"the model has no output {reference!r}; {_listed(outputs)}")
    return reference, outputs[reference].shape


def _listed(outputs: Mapping[str, Floats]) -> str:
    return "its outputs: " + ", ".join(f"'{name}' {array.shape}" for name, array in outputs.items())
