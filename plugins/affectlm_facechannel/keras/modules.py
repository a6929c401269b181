"""Layers of the authors' graph that torch lacks: shunting inhibition, channels last, Keras' flattening."""

from __future__ import annotations

from torch import Tensor, nn


class Shunting(nn.Module):
    """One feature map divided by another of the same shape: excitation / (decay + inhibition)."""

    decay: Tensor

    def __init__(self, decay: Tensor) -> None:
        super().__init__()
        self.register_buffer("decay", decay)

    def forward(self, excitation: Tensor, inhibition: Tensor) -> Tensor:
        """The inhibited features."""
        return excitation / (self.decay + inhibition)


class ChannelsLast(nn.Module):
    """A layer for (batch, channels, h, w) applied to (batch, h, w, channels)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: Tensor) -> Tensor:
        """The layer's output, (batch, h, w, channels)."""
        return self.layer(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # type: ignore[no-any-return]


class Flatten(nn.Module):
    """From (batch, ...) to (batch, n); like Keras, in the order of channels last if the layer has a data format."""

    def __init__(self, *, channels_first: bool) -> None:
        super().__init__()
        self.channels_first = channels_first

    def forward(self, features: Tensor) -> Tensor:
        """The flat features."""
        return (features.movedim(1, -1) if self.channels_first else features).flatten(1)
