"""Scores of a network on validation faces while it trains."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from affectlm.errors import ConfigError
from affectlm.neural.augmentation import resize
from affectlm.scores.agreement import concordance
from affectlm.types import LabelledFaces


def predict(
    network: nn.Module, pixels: NDArray[np.uint8], side: int, batch_size: int = 256
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Valence and arousal (n, 2) and category probabilities (n, labels), or None, of grey faces (n, h, w)."""
    network.eval()
    device = next(network.parameters()).device
    affects, chances = [], []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            part = torch.from_numpy(pixels[start : start + batch_size])
            faces = resize(part.to(device).unsqueeze(1).float() / 255, side)
            affect, logits = network(faces.contiguous(memory_format=torch.channels_last))
            affects.append(affect)
            if logits is not None:
                chances.append(logits.softmax(1))
        return torch.cat(affects).cpu().numpy(), torch.cat(chances).cpu().numpy() if chances else None


def judge(network: nn.Module, faces: LabelledFaces, side: int) -> dict[str, float]:
    """Accuracy against the commonest vote (a tie counts for each), and CCC of valence and arousal over all faces.

    Accuracy covers the faces with votes; it is left out if the network or the faces have no categories.

    Raises:
        ConfigError: the network's outputs are not finite.
    """
    affect, chances = predict(network, faces.pixels, side)
    if not np.isfinite(affect).all():
        raise ConfigError(
            "the network's outputs are not finite; lower plan.learning_rate or set plan.precision=float32"
        )
    voted = faces.categories.any(axis=1)
    scores = {}
    if chances is not None and voted.any():
        chosen, votes = chances[voted].argmax(1), faces.categories[voted]
        scores["accuracy"] = float((votes[np.arange(len(votes)), chosen] >= votes.max(1) - 1e-6).mean())
    for column, name in enumerate(("ccc_valence", "ccc_arousal")):
        scores[name] = concordance(affect[:, column].astype(np.float64), faces.affect[:, column].astype(np.float64))
    return scores
