"""Any timm backbone with heads for valence, arousal and categories, and an optional squeeze-and-excitation block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class SqueezeExcitation(nn.Module):
    """Weights each channel by the means of all channels (Hu, Shen, Sun 2018, doi 10.1109/CVPR.2018.00745).

    Features keep their shape: (batch, channels, h, w), (batch, h, w, channels) or (batch, tokens, channels).
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.channels = channels
        self.squeeze = nn.Linear(channels, max(1, channels // reduction))
        self.excite = nn.Linear(max(1, channels // reduction), channels)

    def forward(self, features: Tensor) -> Tensor:
        """The weighted features."""
        first = features.ndim == 4 and features.shape[1] == self.channels
        places = (2, 3) if first else tuple(range(1, features.ndim - 1))
        means = features.mean(dim=places)
        shares = torch.sigmoid(self.excite(torch.relu(self.squeeze(means))))
        for place in places:
            shares = shares.unsqueeze(place)
        return features * shares


class AffectNetwork(nn.Module):
    """Takes grey faces (batch, 1, side, side) in [0, 1]; returns VA (batch, 2) and category logits (batch, k) or None.

    VA is in [-1, 1].

    Args:
        architecture: a name that timm knows.
        side: pixels; networks with a fixed size are built for it.
        categories: number of categories; 0 for no such head.
        excitation: whether channels are weighted before the backbone's own pooling.
        dropout: share of pooled features set to zero while training.
        pretrained: tensors of the backbone to start from, with its publisher's names.
    """

    backbone: Any  # its methods have no types
    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        architecture: str,
        side: int,
        *,
        categories: int = 0,
        excitation: bool = False,
        dropout: float = 0.0,
        pretrained: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"img_size": side} if is_fixed(architecture) else {}
        if pretrained is not None:
            options |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": dict(pretrained)}}
        self.backbone = timm.create_model(architecture, num_classes=0, **options)
        self.excitation = SqueezeExcitation(self.backbone.num_features) if excitation else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.affect = nn.Linear(self.backbone.head_hidden_size, 2)
        self.category = nn.Linear(self.backbone.head_hidden_size, categories) if categories else None
        # These buffers are in no file: they belong to the architecture.
        self.register_buffer("mean", _channels(self.backbone.pretrained_cfg["mean"]), persistent=False)
        self.register_buffer("deviation", _channels(self.backbone.pretrained_cfg["std"]), persistent=False)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        """Valence and arousal, and category logits."""
        colour = (faces.expand(-1, 3, -1, -1) - self.mean) / self.deviation
        features = self.excitation(self.backbone.forward_features(colour))
        pooled = self.dropout(self.backbone.forward_head(features, pre_logits=True))
        return torch.tanh(self.affect(pooled)), None if self.category is None else self.category(pooled)


def is_fixed(architecture: str) -> bool:
    """Whether an architecture is built for one picture size."""
    found = timm.get_pretrained_cfg(architecture, allow_unregistered=True)
    return bool(found and found.fixed_input_size)


def own_side(architecture: str) -> int:
    """The picture size that an architecture was published with, or 224 if unknown."""
    found = timm.get_pretrained_cfg(architecture, allow_unregistered=True)
    return int(found.input_size[-1]) if found else 224


def _channels(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
