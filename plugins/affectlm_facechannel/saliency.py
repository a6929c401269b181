"""What each place of a FaceChannel's last convolution adds to valence and arousal, ours or the authors'."""

from __future__ import annotations

from contextlib import ExitStack
from threading import get_ident

import torch
from torch import Tensor, nn


def class_activation(network: nn.Module, faces: Tensor) -> Tensor:
    """Grad-CAM of faces (batch, channels, 64, 64): (batch, 2, 8, 8), positive where a place raises the value.

    Gradient times activation of the last convolution, summed over channels. Grad-CAM (Selvaraju et al. 2017, arXiv
    1610.02391) averages the gradient over places first; that suits networks that pool before they decide. FaceChannel
    gives every place weights of its own, so the gradient stays where it is (HiResCAM: Draelos et al. 2020, arXiv
    2011.08891). Both signs are kept, since there is no class to be for or against.
    """
    with torch.inference_mode(False), torch.enable_grad():
        affect, pooled = _forward(network, faces.detach().clone().requires_grad_())
        maps = []
        for column in affect.T:
            gradients = torch.autograd.grad(column.sum(), pooled, retain_graph=True, allow_unused=True)
            # The categorical network that the authors' weights bring along is no part of valence and arousal.
            features, gradient = [pair for pair in zip(pooled, gradients, strict=True) if pair[1] is not None][-1]
            maps.append((gradient * features).sum(1))
    return torch.stack(maps, dim=1).detach()


def _forward(network: nn.Module, faces: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Valence and arousal, and what each pooling layer was given, in order: the features of the convolutions."""
    pooled: list[Tensor] = []
    caller = get_ident()  # another thread may be measuring with the same network

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if get_ident() == caller:
            pooled.append(inputs[0])

    with ExitStack() as hooks:
        for layer in network.modules():
            if isinstance(layer, nn.MaxPool2d):
                hooks.callback(layer.register_forward_pre_hook(keep).remove)
        affect, _ = network(faces)
    return affect, pooled
