"""Random changes to a batch of grey faces, so that colour photographs cut by any detector look familiar.

Crop jitter, mirror, tone, blur and sharpening, lost resolution, sensor noise, an occluding patch. Everything is drawn
per face from one generator.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

_COARSE_SIDES = (22, 28, 36)


def augment(faces: Tensor, side: int, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Faces (batch, 1, h, w) in [0, 1] to changed faces (batch, 1, side, side) in [0, 1].

    With `strength` 0 they are mirrored and no more; 1 is what the full training uses.
    """
    faces = _coarsen(faces, generator, strength)
    faces = _warp(faces, side, generator, strength)
    faces = _focus(faces, generator, strength)
    faces = _tone(faces, generator, strength)
    return _occlude(faces, generator, strength).clamp_(0, 1)


def _uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return torch.empty(count).uniform_(low, high, generator=generator)


def _column(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return _uniform(low, high, count, generator).view(-1, 1, 1, 1)


def _coarsen(faces: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """A quarter of the faces loses resolution, as small faces in large pictures do."""
    faces = faces.clone()
    drawn = (torch.rand(len(faces), generator=generator) * 4 * len(_COARSE_SIDES) / max(strength, 1e-6)).long()
    for index, side in enumerate(_COARSE_SIDES):
        chosen = drawn == index
        if chosen.any():
            small = functional.interpolate(faces[chosen], size=(side, side), mode="area")
            faces[chosen] = functional.interpolate(small, size=faces.shape[-2:], mode="bilinear", align_corners=False)
    return faces


def _warp(faces: Tensor, side: int, generator: torch.Generator, strength: float) -> Tensor:
    """Mirrors, turns, scales, stretches and shifts; what lies outside repeats the border."""
    count = len(faces)
    angle = strength * _uniform(-12, 12, count, generator) * math.pi / 180
    zoom = torch.exp(strength * _uniform(math.log(0.85), math.log(1.2), count, generator))
    stretch = torch.exp(strength * _uniform(-0.08, 0.08, count, generator))
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    shift_x, shift_y = (strength * _uniform(-0.12, 0.12, count, generator) for _ in "xy")
    rows = torch.stack(
        [
            torch.stack([mirror * cosine * zoom * stretch, -sine * zoom, shift_x], dim=1),
            torch.stack([mirror * sine * zoom, cosine * zoom / stretch, shift_y], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(rows, [count, 1, side, side], align_corners=False)
    return functional.grid_sample(faces, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _focus(faces: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """Blurs or sharpens: a step towards or away from the blurred face."""
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
    kernel = (line[:, None] * line[None, :] / 256).view(1, 1, 5, 5)
    blurred = functional.conv2d(functional.pad(faces, (2, 2, 2, 2), mode="replicate"), kernel)
    return faces + (faces - blurred) * strength * _column(-0.8, 1.2, len(faces), generator)


def _tone(faces: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """Changes gamma, contrast and brightness and adds noise."""
    count = len(faces)
    faces = faces.clamp(1e-3, 1) ** torch.exp(strength * _column(-0.4, 0.4, count, generator))
    mean = faces.mean(dim=(1, 2, 3), keepdim=True)
    contrast = 1 + strength * _column(-0.3, 0.3, count, generator)
    faces = (faces - mean) * contrast + mean + strength * _column(-0.1, 0.1, count, generator)
    noise = torch.empty_like(faces).normal_(generator=generator)
    return faces + noise * strength * _column(0, 0.03, count, generator)


def _occlude(faces: Tensor, generator: torch.Generator, strength: float) -> Tensor:
    """A quarter of the faces is hidden in part behind a flat patch."""
    side = faces.shape[-1]
    faces = faces.clone()
    for index in torch.nonzero(torch.rand(len(faces), generator=generator) < 0.25 * strength).flatten().tolist():
        height, width = (int(side * value) for value in _uniform(0.12, 0.4, 2, generator))
        top, left = (int(value) for value in _uniform(0, 1, 2, generator) * torch.tensor([side - height, side - width]))
        faces[index, :, top : top + height, left : left + width] = torch.rand(1, generator=generator).item()
    return faces
