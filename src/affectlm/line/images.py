"""Reads pictures from files, bytes and arrays, and cuts faces out of them by one rule.

Any file ends as RGB in uint8 or as an `ImageError` of one sentence.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import re
import stat
import sys
import threading
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from affectlm.errors import ImageError
from affectlm.types import Box, Pixels

MARGIN = 0.0  # share of the box added on each side; the estimators were trained on boxes as detectors give them
MAX_PIXELS = 100_000_000
MAX_BYTES = 10 * MAX_PIXELS  # uncompressed red, green, blue and alpha in 16 bits take 8 bytes per pixel
_MOST_REPEATED = 16  # a square with this many times the pixels of the picture is mostly repeated border, not a face
_FOREIGN = ("EPS", "WMF")  # drawings that Pillow passes to another program
_ORIENTATION = 0x0112  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_HEIC = re.compile(rb".{4}ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL)  # from iPhones; Pillow needs pillow-heif
_SIGNS = (  # first bytes of files that are often given as pictures
    (rb"\xff\xd8\xff", "a damaged JPEG picture"),
    (rb"\x89PNG\r\n", "a damaged PNG picture"),
    (rb"GIF8", "a damaged GIF picture"),
    (rb"RIFF.{4}WEBP", "a damaged WebP picture"),
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", "a damaged TIFF picture, or a raw picture from a camera"),
    (rb".{4}ftypavi[fs]", "a damaged AVIF picture"),
    (_HEIC.pattern, "a damaged HEIC picture"),
    (rb".{4}ftypcrx |FUJIFILM", "a raw picture from a camera"),
    (rb".{4}ftyp|.{4}moov|\x1aE\xdf\xa3|RIFF.{4}AVI ", "a film"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (rb"%PDF", "a PDF document"),
    (rb"\s*(?:<!doctype html|<html)", "a web page (HTML)"),
    (rb"\s*(?:<\?xml|<svg)", "an SVG drawing or other XML"),
    (rb"PK\x03\x04", "a ZIP archive or an office document"),
    (rb"version https://git-lfs", "a Git LFS pointer, type git lfs pull to fetch the picture"),
)
_quiet = threading.Lock()  # `warnings.catch_warnings` changes the whole process


def read(source: Path | bytes | Pixels) -> tuple[Pixels, str]:
    """RGB pixels (height, width, 3), and the SHA-256 of the encoded bytes, or of shape and pixels of an array.

    EXIF orientation is applied, transparency becomes white, and an animation gives its first frame.

    Raises:
        ImageError: the source cannot be read, is not a picture, or has more than 100 megapixels.
    """
    if isinstance(source, np.ndarray):
        pixels = _checked(source)
        digest = hashlib.sha256(f"{pixels.shape}".encode())
        digest.update(np.ascontiguousarray(pixels).data)
        return pixels, digest.hexdigest()
    if isinstance(source, Path):
        name, content = f"'{source}'", _content(source)
    else:
        name, content = "the picture given as bytes", bytes(source)
    if not content:
        raise ImageError(f"{name} is empty; expected a picture")
    return _decode(name, content), hashlib.sha256(content).hexdigest()


def from_pil(picture: Image.Image) -> Pixels:
    """RGB pixels (height, width, 3) of a Pillow image, which is not changed.

    Raises:
        ImageError: it cannot be decoded, or has more than 100 megapixels.
    """
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _convert("the Pillow image", picture)


def crop(pixels: Pixels, box: Box) -> Pixels:
    """A copy of the square (side, side, 3) around the centre of a box, as large as its longer side plus `MARGIN`.

    Outside the picture its border is repeated. The square has at least one pixel.

    Raises:
        ImageError: the square has more than 16 times as many pixels as the picture, or more than 100 megapixels.

    >>> crop(np.zeros((10, 20, 3), np.uint8), Box(15, 2, 25, 8)).shape
    (10, 10, 3)
    """
    height, width = pixels.shape[:2]
    side = max(1, round(max(box.right - box.left, box.bottom - box.top) * (1 + 2 * MARGIN)))
    check_fits(pixels, side)
    rows, above_below = _span((box.top + box.bottom) / 2, side, height)
    columns, left_right = _span((box.left + box.right) / 2, side, width)
    inside = pixels[rows, columns]
    if inside.shape[:2] == (side, side):
        return inside.copy()
    return np.pad(inside, (above_below, left_right, (0, 0)), mode="edge")


def check_fits(pixels: Pixels, side: int) -> None:
    """Raises ImageError if the square of a face has far more pixels than the picture, or too many to copy."""
    height, width = pixels.shape[:2]
    if side * side > min(_MOST_REPEATED * height * width, MAX_PIXELS):
        raise ImageError(
            f"a face of {side}x{side} pixels does not fit a picture of {width}x{height}; expected at most "
            f"{_MOST_REPEATED} times its pixels and at most {MAX_PIXELS // 1_000_000} megapixels"
        )


def _span(centre: float, side: int, size: int) -> tuple[slice, tuple[int, int]]:
    """Which of `side` pixels around a centre lie inside (at least one), and how many lie before and after."""
    first = round(centre - side / 2)
    start = min(max(first, 0), size - 1)
    stop = min(max(first + side, start + 1), size)
    outside = side - (stop - start)
    before = min(max(-first, 0), outside)
    return slice(start, stop), (before, outside - before)


def _checked(pixels: Pixels) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ImageError(
            f"an array of {pixels.dtype} with shape {pixels.shape} is not a picture; "
            "expected uint8 (height, width, 3), RGB"
        )
    return pixels


def _content(path: Path) -> bytes:
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise ImageError(f"'{path}' is a folder; expected a picture")
        if not stat.S_ISREG(found.st_mode):
            raise ImageError(f"'{path}' is not an ordinary file; expected a picture")
        if found.st_size > MAX_BYTES:
            raise _too_long(path, found.st_size)
        if not found.st_size:  # some kernel files report size 0, and reading them never ends
            return b""
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ImageError(f"there is no file '{path}'") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(f"'{path}' cannot be read: {reason.lower()}") from error
    if len(content) > MAX_BYTES:  # it has grown meanwhile
        raise _too_long(path, len(content))
    return content


def _too_long(path: Path, size: int) -> ImageError:
    return ImageError(f"'{path}' has {size:,} bytes, expected at most {MAX_BYTES:,}: no picture needs more")


def _decode(name: str, content: bytes) -> Pixels:
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = _open(content)
        except Image.DecompressionBombError as error:
            raise _too_large(name) from error
        except Exception as error:  # decoders raise errors of many kinds on damaged headers
            raise ImageError(f"{name} is {_kind(content)}") from error
        with picture:
            return _convert(name, picture)


def _open(content: bytes) -> Image.Image:
    if _HEIC.match(content):
        with contextlib.suppress(ImportError):
            importlib.import_module("pillow_heif").register_heif_opener()
    return Image.open(BytesIO(content))


def _kind(content: bytes) -> str:
    """What kind of file it is if no decoder can read it; unknown content is not quoted, as it may be a secret."""
    if _HEIC.match(content) and sys.modules.get("pillow_heif") is None:
        return "a HEIC picture, to read it type pip install pillow-heif; or save it as JPEG"
    name = next((name for sign, name in _SIGNS if re.match(sign, content, re.DOTALL | re.IGNORECASE)), None)
    return f"{name or 'not a readable picture'}; expected JPEG, PNG, WebP, AVIF, TIFF, BMP or GIF"


def _convert(name: str, picture: Image.Image) -> Pixels:
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_large(name, f"{picture.width}x{picture.height} pixels, ")
    if not picture.width * picture.height:
        raise ImageError(f"{name} has no pixels: {picture.width}x{picture.height}")
    if picture.format in _FOREIGN:
        raise ImageError(f"{name} is a drawing of format {picture.format}; expected a picture made of pixels")
    try:
        picture.load()
        turn = _TURNS.get(_orientation(picture))
        return np.array(_rgb(picture if turn is None else picture.transpose(turn)))
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except Exception as error:  # decoders raise errors of many kinds on damaged content
        kind = f"{picture.format} picture" if picture.format else "picture"
        raise ImageError(f"{name} is a damaged {kind}: {str(error) or type(error).__name__}") from error


def _too_large(name: str, found: str = "") -> ImageError:
    return ImageError(f"{name} has {found}more than {MAX_PIXELS // 1_000_000} megapixels; save it smaller")


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data does not make the picture unreadable
        return 1


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return Image.fromarray(_to_bytes(np.asarray(picture), deep=picture.mode != "F")).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("LA") if picture.mode == "La" else picture
        opaque = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque).convert("RGB")
    return picture.convert("RGB")


def _to_bytes(values: NDArray[np.generic], *, deep: bool) -> NDArray[np.uint8]:
    """Grey values (height, width) scaled to 0..255: 16 bits linearly, floats from 0..1, 0..255 or 0..maximum."""
    grey = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0).clip(min=0)
    highest = float(grey.max())
    if deep:
        white = 65535.0 if values.dtype.itemsize == 2 or 255 < highest <= 65535 else max(255.0, highest)
    else:
        white = next((limit for limit in (1.0, 255.0) if highest <= limit), highest)
    return np.rint(grey * (255 / white)).astype(np.uint8)
