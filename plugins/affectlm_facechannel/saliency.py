"""What each place of a FaceChannel's features adds to valence and arousal, ours or the authors'."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from threading import get_ident

import torch
from torch import Tensor, nn
from torch.nn import functional

_STEPS = 12  # maps of 46 faces missed their sums by 0.03 on average (8: 0.06, 16: 0.02)


def attributions(network: nn.Module, faces: Tensor) -> Tensor:
    """Maps of faces (batch, channels, 64, 64): (batch, 2, 8, 8), positive where a place raises the value.

    Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) of what the last pooling layer but one is given,
    on the straight way from a blank face, which has the mean colour of the face, to the face: a map sums up to what
    valence or arousal is more than that of the blank face. What a blank face brings forth as well counts for nothing,
    such as the zeros around the picture. The last pooling layer is too late: its places have seen most of the face.
    """
    with torch.inference_mode(False), torch.enable_grad():
        faces = faces.detach().clone()
        layer = _layer(network, faces[:1])
        blanks = faces.mean(dim=(2, 3), keepdim=True).expand_as(faces)
        face, blank = _given(network, torch.cat([faces, blanks]), layer).chunk(2)
        shares = [(step + 0.5) / _STEPS for step in range(_STEPS)]
        way = torch.cat([torch.lerp(blank, face, share) for share in shares]).requires_grad_()
        affect = _hooked(network, faces[:1], lambda each, _: way if each is layer else None)
        gradients = [torch.autograd.grad(column.sum(), way, retain_graph=True)[0] for column in affect.T]
    means = [gradient.reshape(_STEPS, *face.shape).mean(0) for gradient in gradients]
    maps = torch.stack([(mean * (face - blank)).sum(1) for mean in means], dim=1)
    # Of each window a maximum pool hears one place: what its places add is told together.
    return functional.avg_pool2d(maps, layer.kernel_size, divisor_override=1)


def _layer(network: nn.Module, face: Tensor) -> nn.MaxPool2d:
    """The last pooling layer but one that valence and arousal go through; the last where there is but one."""
    given: list[tuple[nn.MaxPool2d, Tensor]] = []
    affect = _hooked(network, face.clone().requires_grad_(), lambda layer, features: given.append((layer, features)))
    gradients = torch.autograd.grad(affect.sum(), [features for _, features in given], allow_unused=True)
    # The categorical network that the authors' weights bring along is no part of valence and arousal.
    return [layer for (layer, _), gradient in zip(given, gradients, strict=True) if gradient is not None][-2:][0]


def _given(network: nn.Module, faces: Tensor, layer: nn.MaxPool2d) -> Tensor:
    """What a layer is given for faces."""
    given: list[Tensor] = []
    with torch.no_grad():
        _hooked(network, faces, lambda each, features: given.append(features) if each is layer else None)
    return given[0]


def _hooked(network: nn.Module, faces: Tensor, hook: Callable[[nn.MaxPool2d, Tensor], Tensor | None]) -> Tensor:
    """Valence and arousal of faces; `hook` sees each pooling layer with its features, and may return others."""
    caller = get_ident()  # another thread may be measuring with the same network

    def called(layer: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor | None:
        return hook(layer, inputs[0]) if get_ident() == caller and isinstance(layer, nn.MaxPool2d) else None

    with ExitStack() as hooks:
        for layer in network.modules():
            if isinstance(layer, nn.MaxPool2d):
                hooks.callback(layer.register_forward_pre_hook(called).remove)
        affect, _ = network(faces)
    return torch.as_tensor(affect)
