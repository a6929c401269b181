"""The FaceChannel graph as its authors released it (FaceChannelV1, June 2024), in torch.

Barros, Churamani, Sciutti 2020, doi 10.1007/s42979-020-00325-6. Written from a description of the graph;
`estimator.py` names the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectlm_facechannel.shape import BLOCKS, CATEGORIES, DECAY, EPSILON, SIDE


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    # Keras' batch norm keeps 0.99 of its running average.
    norm = nn.BatchNorm2d(outputs, eps=EPSILON, momentum=0.01)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), norm, nn.ReLU())


class ShuntingInhibition(nn.Module):
    """One convolution divided by another: relu(a) / (decay + relu(b)); (batch, channels, h, w) in and out."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.excitation = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.inhibition = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """The inhibited features."""
        return torch.relu(self.excitation(features)) / (DECAY + torch.relu(self.inhibition(features)))


class FaceChannel(nn.Module):
    """From grey faces (batch, 1, 64, 64) in [0, 1] to VA (batch, 2) in [-1, 1] and category logits (batch, 8).

    Ten 3x3 convolutions in blocks of 2-2-3-3, each block with a 2x2 maximum pool and dropout; the last convolution
    is divided by its inhibition; a dense layer of 200; two tanh units for valence and arousal. The second head for
    `CATEGORIES` is ours and not part of the 3,592,090 parameters that Keras counts for the released VA model.
    """

    def __init__(self, dropout: float = 0.25) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for block in BLOCKS:
            for width in block:
                layers.append(_convolution(channels, width))
                channels = width
            if block is BLOCKS[-1]:
                layers.append(ShuntingInhibition(channels, channels))
            layers += [nn.MaxPool2d(2), nn.Dropout(dropout)]
        self.trunk = nn.Sequential(*layers)
        self.dense = nn.Linear(256 * (SIDE // 16) ** 2, 200)
        self.affect = nn.Linear(200, 2)
        self.category = nn.Linear(200, len(CATEGORIES))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Valence and arousal, and category logits.

        For faces of another side (a multiple of 16, for cheaper training epochs) the last features are resized.
        """
        features = self.trunk(faces)
        if faces.shape[-1] != SIDE:
            features = functional.interpolate(features, size=(SIDE // 16,) * 2, mode="bilinear")
        return self.read(features)

    def read(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Valence and arousal, and category logits, from the trunk's features (batch, 256, 4, 4)."""
        features = torch.relu(self.dense(features.flatten(1)))
        return torch.tanh(self.affect(features)), self.category(features)

    def draw_out(self, factors: Sequence[float]) -> None:
        """Multiplies the inputs of the two tanh units, of valence and arousal, by the factors."""
        with torch.no_grad():
            scale = torch.tensor(factors)
            self.affect.weight.mul_(scale[:, None])
            self.affect.bias.mul_(scale)
