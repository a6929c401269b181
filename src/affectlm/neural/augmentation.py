"""Random changes to a batch of grey faces, so that a network knows colour photographs cropped by any detector.

Lost resolution, compression, crop jitter, mirror, blur and sharpening, tone, sensor noise, an occluding patch.
Every face gets its own random values, from one generator on the device of the faces, without a loop over faces.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_COARSE_SIDES = (22, 28, 36)
_BLOCK = 8
# Quantisation of luminance at quality 50: ITU-T T.81, table K.1.
_QUANTISATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def resize(faces: Tensor, side: int) -> Tensor:
    """Faces (batch, 1, h, w) resized to (batch, 1, side, side): averaged if they shrink, else bilinear."""
    if faces.shape[-2:] == (side, side):
        return faces
    if min(faces.shape[-2:]) > side:
        return functional.interpolate(faces, size=(side, side), mode="area")
    return functional.interpolate(faces, size=(side, side), mode="bilinear", align_corners=False)


class Augmentation(nn.Module):
    """Turns faces (batch, 1, height, width) in [0, 1] into changed faces (batch, 1, side, side) in [0, 1].

    With `strength` 0 faces are only mirrored; 1 is what the full training uses.
    """

    down_height: Tensor
    down_width: Tensor
    blur: Tensor

    def __init__(self, size: tuple[int, int], side: int, strength: float = 1.0) -> None:
        super().__init__()
        height, width = size
        self.side, self.strength = side, strength
        self.compression = Compression(height, width)
        self.register_buffer("down_height", _coarsening(height))
        self.register_buffer("down_width", _coarsening(width))
        line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
        self.register_buffer("blur", (line[:, None] * line[None, :] / 256).view(1, 1, 5, 5))

    @torch.no_grad()
    def forward(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """The faces, each changed in its own way; the generator must be on their device."""
        if not self.strength:
            return self._warp(faces, generator)
        faces = self._compress(self._coarsen(faces, generator), generator)
        faces = self._focus(self._warp(faces, generator), generator)
        return self._occlude(self._tone(faces, generator), generator).clamp_(0, 1)

    def _coarsen(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """The faces; a quarter of them has lost resolution, like small faces in large pictures."""
        sides = len(_COARSE_SIDES)
        drawn = _uniform(0, 4 * sides / self.strength, len(faces), generator).long()
        which = torch.where(drawn < sides, drawn + 1, 0)
        return self.down_height[which].unsqueeze(1) @ faces @ self.down_width[which].unsqueeze(1).mT

    def _compress(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """The faces; a quarter of them has the blocks of JPEG compression."""
        quality = _column(20, 90, len(faces), generator)
        chosen = _column(0, 1, len(faces), generator) < 0.25 * self.strength
        return torch.where(chosen, self.compression(faces, quality), faces)

    def _warp(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """The faces mirrored, turned, scaled, stretched and shifted; outside, the border is repeated."""
        count, strength = len(faces), self.strength
        angle = strength * _uniform(-12, 12, count, generator) * math.pi / 180
        zoom = torch.exp(strength * _uniform(math.log(0.85), math.log(1.2), count, generator))
        stretch = torch.exp(strength * _uniform(-0.08, 0.08, count, generator))
        mirror = torch.where(_uniform(0, 1, count, generator) < 0.5, -1.0, 1.0)
        cosine, sine = torch.cos(angle), torch.sin(angle)
        shift_x, shift_y = (strength * _uniform(-0.12, 0.12, count, generator) for _ in "xy")
        rows = torch.stack(
            [
                torch.stack([mirror * cosine * zoom * stretch, -sine * zoom, shift_x], dim=1),
                torch.stack([mirror * sine * zoom, cosine * zoom / stretch, shift_y], dim=1),
            ],
            dim=1,
        )
        if min(faces.shape[-2:]) > self.side:  # sampling alone would skip pixels
            faces = resize(faces, self.side)
        grid = functional.affine_grid(rows, [count, 1, self.side, self.side], align_corners=False)
        return functional.grid_sample(faces, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def _focus(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """The faces blurred or sharpened: a step towards or away from the blurred face."""
        blurred = functional.conv2d(functional.pad(faces, (2, 2, 2, 2), mode="replicate"), self.blur)
        return faces + (faces - blurred) * self.strength * _column(-0.8, 1.2, len(faces), generator)

    def _tone(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """The faces with other gamma, contrast and brightness, and with noise."""
        count, strength = len(faces), self.strength
        faces = faces.clamp(1e-3, 1) ** torch.exp(strength * _column(-0.4, 0.4, count, generator))
        mean = faces.mean(dim=(1, 2, 3), keepdim=True)
        contrast = 1 + strength * _column(-0.3, 0.3, count, generator)
        faces = (faces - mean) * contrast + mean + strength * _column(-0.1, 0.1, count, generator)
        noise = torch.empty_like(faces).normal_(generator=generator)
        return faces + noise * strength * _column(0, 0.03, count, generator)

    def _occlude(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """The faces; a quarter of them is partly hidden by a flat patch."""
        count, side = len(faces), self.side
        rows, columns = (self._stripe(count, generator) for _ in "yx")
        hidden = _column(0, 1, count, generator) < 0.25 * self.strength
        patch = rows.view(count, 1, side, 1) & columns.view(count, 1, 1, side) & hidden
        return torch.where(patch, _column(0, 1, count, generator), faces)

    def _stripe(self, count: int, generator: torch.Generator) -> Tensor:
        """Which pixels of a line a patch covers, (count, side): from an eighth to two fifths of them."""
        length = (self.side * _uniform(0.12, 0.4, count, generator)).floor()
        first = (_uniform(0, 1, count, generator) * (self.side - length)).floor()
        places = torch.arange(self.side, device=first.device)
        return (places >= first[:, None]) & (places < (first + length)[:, None])


class Compression(nn.Module):
    """JPEG compression of grey faces: 8x8 blocks, discrete cosine transform, rounding to multiples of a table."""

    cosines_height: Tensor
    cosines_width: Tensor
    table: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        blocks = [math.ceil(length / _BLOCK) for length in (height, width)]
        self.register_buffer("cosines_height", _repeated(_cosines(), blocks[0]))
        self.register_buffer("cosines_width", _repeated(_cosines(), blocks[1]))
        self.register_buffer("table", torch.tensor(_QUANTISATION, dtype=torch.float32).repeat(*blocks))

    def forward(self, faces: Tensor, quality: Tensor) -> Tensor:
        """Faces (batch, 1, height, width) in [0, 1] after compression at a quality (batch, 1, 1, 1) from 1 to 100.

        The table is scaled as in libjpeg.
        """
        scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
        steps = ((self.table * scale + 50) / 100).floor().clamp(1, 255)
        rest = (0, self.table.shape[1] - self.width, 0, self.table.shape[0] - self.height)
        levels = functional.pad(faces, rest, mode="replicate") * 255 - 128
        coefficients = self.cosines_height @ levels @ self.cosines_width.mT
        rounded = (coefficients / steps).round() * steps
        levels = self.cosines_height.mT @ rounded @ self.cosines_width + 128
        return (levels[..., : self.height, : self.width] / 255).clamp(0, 1)


def _cosines() -> Tensor:
    """The orthonormal discrete cosine transform of eight values, (8, 8)."""
    places = torch.arange(_BLOCK, dtype=torch.float32)
    rows = torch.cos((2 * places[None, :] + 1) * places[:, None] * math.pi / (2 * _BLOCK)) * math.sqrt(2 / _BLOCK)
    rows[0] /= math.sqrt(2)
    return rows


def _repeated(matrix: Tensor, times: int) -> Tensor:
    """A block-diagonal matrix of `times` copies."""
    return torch.kron(torch.eye(times), matrix)


def _coarsening(length: int) -> Tensor:
    """Matrices that average a line to fewer pixels and enlarge it bilinearly; the first is the identity."""
    line = torch.eye(length).unsqueeze(0)
    matrices = [line]
    for side in _COARSE_SIDES:
        small = functional.interpolate(line, size=side, mode="area")
        matrices.append(functional.interpolate(small, size=length, mode="linear", align_corners=False))
    return torch.cat(matrices).mT.contiguous()


def _uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def _column(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return _uniform(low, high, count, generator).view(-1, 1, 1, 1)
