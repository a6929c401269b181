"""How much valence and arousal vary over views of the same face, or over parts of the network.

Every face gets the same views and the same masks, so that its values depend only on itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectlm_facechannel.network import FaceChannel

_ZOOM, _SHIFT = 0.1, 0.06  # about half of the variation in training, and the difference between two detectors


def deviation(network: nn.Module, faces: Tensor, method: str, draws: int) -> Tensor:
    """Standard deviation of valence and arousal (batch, 2) over `draws` (n - 1 in the denominator).

    Args:
        network: in evaluation mode, which is kept.
        faces: (batch, channels, side, side) in [0, 1].
        method: "augment" for views of the face, "dropout" for parts of the network, which must be `FaceChannel`.
        draws: 2 or more.
    """
    if method == "augment":
        return torch.stack(list(augmented(network, faces, draws))).std(0)
    return torch.stack(list(thinned(cast(FaceChannel, network), faces, draws))).std(0)


def augmented(network: nn.Module, faces: Tensor, draws: int) -> Iterator[Tensor]:
    """Valence and arousal (batch, 2) of each fixed view: every second mirrored, all slightly shifted and zoomed."""
    generator = torch.Generator().manual_seed(0)
    for draw in range(draws):
        zoom, right, down = (torch.rand(3, generator=generator) * 2 - 1).tolist()
        scale = 1 + _ZOOM * zoom
        mirror = -1 if draw % 2 else 1
        view = torch.tensor([[mirror * scale, 0, 2 * _SHIFT * right], [0, scale, 2 * _SHIFT * down]])
        grid = functional.affine_grid(view.expand(len(faces), 2, 3), list(faces.shape), align_corners=False)
        seen = functional.grid_sample(faces, grid.to(faces), padding_mode="border", align_corners=False)
        yield network(seen)[0]


def thinned(network: FaceChannel, faces: Tensor, draws: int) -> Iterator[Tensor]:
    """Valence and arousal (batch, 2) of each draw with dropout as in training, but not batch norm: Monte-Carlo dropout.

    Gal & Ghahramani 2016, arXiv 1506.02142.
    """
    for draw in range(draws):
        generator = torch.Generator().manual_seed(draw)
        features = faces
        for layer in network.trunk:
            features = dropped(features, layer.p, generator) if isinstance(layer, nn.Dropout) else layer(features)
        yield network.read(features)[0]


def dropped(features: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """The features with a share set to 0, the same for each face, and the rest scaled up so that the mean stays."""
    kept = torch.rand(features.shape[1:], generator=generator) >= share
    return features * kept.to(features) / (1 - share)
