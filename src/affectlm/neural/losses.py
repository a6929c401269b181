"""The training loss, and the weight of each face in it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def concordance_loss(predicted: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """1 - CCC of each column, shape (2,), with moments over the batch and row weights (n,).

    See `affectlm.scores.agreement.concordance`.
    """
    weights = torch.ones_like(target[:, 0]) if weights is None else weights
    shares = (weights / weights.sum()).unsqueeze(1)
    mean_p, mean_t = (shares * predicted).sum(0), (shares * target).sum(0)
    from_p, from_t = predicted - mean_p, target - mean_t
    spread = (shares * (from_p**2 + from_t**2)).sum(0) + (mean_p - mean_t) ** 2
    return 1 - 2 * (shares * from_p * from_t).sum(0) / (spread + 1e-6)


def loss(affect: Tensor, logits: Tensor | None, target: Tensor, categories: Tensor, weights: Tensor) -> Tensor:
    """1 - CCC plus twice the squared error of valence and arousal, plus cross-entropy with the vote distribution.

    The weights apply to valence and arousal only; categories keep their frequencies. Without logits, or without
    categories (n, 0), the last term is left out; a face without votes adds nothing to it.
    """
    squared = (weights.unsqueeze(1) * (affect - target) ** 2).mean()
    total = concordance_loss(affect, target, weights).mean() + 2 * squared
    if logits is not None and categories.shape[1]:
        total = total + functional.cross_entropy(logits, categories)
    return total


def row_weights(categories: NDArray[np.float32], balance: float) -> NDArray[np.float32]:
    """Weight of each row (n,), with mean 1.

    The label of a row is its commonest vote. With `balance` 1 all labels have the same total weight, with 0 all rows
    have the same weight. No row weighs more than five times a row of the commonest label; rows without votes weigh as
    much as one of those.
    """
    weights = np.ones(len(categories), np.float32)
    voted = categories.any(axis=1)
    if voted.any():
        labels = categories[voted].argmax(1)
        counts = np.bincount(labels, minlength=categories.shape[1]).astype(np.float32)
        weights[voted] = np.minimum((counts.max() / np.maximum(counts, 1)) ** balance, 5)[labels]
    shares: NDArray[np.float32] = weights / weights.mean()
    return shares
