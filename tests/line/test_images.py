"""Every readable picture becomes RGB bytes, everything else one sentence; one rule cuts faces out."""

from __future__ import annotations

import hashlib
import os
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from affectlm.errors import ImageError
from affectlm.line import images
from affectlm.types import Box

# Eight by eight pixels of (200, 30, 30), written by pillow-heif 1.8.1.
HEIC = b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9j"
    "AAAAAERAAAEAAQAAAAABoAABAAAAAAAAADMAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/Glw"
    "cnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AA"
    "AAMAkAAAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABA"
    "AAAAQAAAAChjbGFwAAAACAAAAAEAAAAIAAAAAf///8gAAAAC////yAAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYEC"
    "AwWEAAAAO21kYXQAAAAvKAGvEyFkY0D1JyL//2q6n/rQWf9v9lhZ3K6AwVvy+sD2ZJvA86qRnoCHaacwFXg="
)


def encoded(picture: Pillow.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_a_file_gives_its_pixels_and_the_digest_of_its_bytes(tmp_path: Path) -> None:
    """Pixels are RGB; the digest is that of the file, not of the pixels."""
    path = tmp_path / "bild ä.png"
    path.write_bytes(encoded(Pillow.new("RGB", (3, 2), (10, 20, 30))))

    pixels, digest = images.read(path)

    assert pixels.shape == (2, 3, 3)
    assert pixels.dtype == np.uint8
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_digest_of_an_array_depends_on_its_shape() -> None:
    """Two arrays with the same bytes in other shapes are two pictures."""
    first, second = np.zeros((2, 8, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)

    assert images.read(first)[1] != images.read(second)[1]
    assert images.read(first)[1] == images.read(first.copy())[1]


@pytest.mark.parametrize("array", [np.zeros((2, 2, 3)), np.zeros((2, 2), np.uint8), np.zeros((0, 2, 3), np.uint8)])
def test_an_array_of_another_kind_is_refused(array: np.ndarray) -> None:
    """Only uint8 (height, width, 3) is taken."""
    with pytest.raises(ImageError, match=r"is not a picture; expected uint8 \(height, width, 3\)"):
        images.read(array)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int) -> None:
    """All eight orientations come out as Pillow's own transposition gives them."""
    from PIL import ImageOps

    picture = Pillow.fromarray(np.arange(18, dtype=np.uint8).reshape(2, 3, 3))
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    content = encoded(picture, exif=exif)

    pixels, _ = images.read(content)

    assert np.array_equal(pixels, np.asarray(ImageOps.exif_transpose(Pillow.open(BytesIO(content)))))


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (255, 0, 0, 0), [255, 255, 255]),
        ("RGBA", (0, 0, 0, 128), [127, 127, 127]),
        ("LA", (0, 0), [255, 255, 255]),
        ("L", 7, [7, 7, 7]),
        ("1", 1, [255, 255, 255]),
        ("I;16", 65535, [255, 255, 255]),
        ("I;16", 257, [1, 1, 1]),
    ],
)
def test_modes_become_rgb(mode: str, colour: float | tuple[float, ...], expected: list[int]) -> None:
    """Transparency shows white and 16 bits are scaled, not clipped."""
    pixels, _ = images.read(encoded(Pillow.new(mode, (2, 2), colour)))

    assert pixels[1, 1].tolist() == expected


def test_a_transparent_palette_colour_shows_white() -> None:
    """A palette's transparency counts like an alpha channel."""
    picture = Pillow.new("P", (2, 2), 0)
    picture.putpalette([0, 0, 0, 200, 100, 50])
    picture.putpixel((1, 1), 1)

    pixels, _ = images.read(encoded(picture, transparency=0))

    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[1, 1].tolist() == [200, 100, 50]


def test_float_and_cmyk_pictures_are_read() -> None:
    """Floats from 0 to 1 fill the range; CMYK without ink is white."""
    floats = encoded(Pillow.fromarray(np.array([[0, 0.5], [1, np.nan]], np.float32)), "TIFF")

    assert images.read(floats)[0][..., 0].tolist() == [[0, 128], [255, 0]]
    assert images.read(encoded(Pillow.new("CMYK", (2, 2)), "TIFF"))[0].min() == 255


def test_of_an_animation_the_first_frame_is_taken() -> None:
    """Later frames do not matter."""
    frames = [Pillow.new("RGB", (2, 2), colour) for colour in ("red", "blue")]

    pixels, _ = images.read(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))

    assert pixels[0, 0].tolist() == [255, 0, 0]


def test_a_pillow_image_is_read_and_left_as_it_is() -> None:
    """The caller's image keeps its mode."""
    picture = Pillow.new("LA", (4, 3), (9, 255))

    assert images.from_pil(picture)[0, 0].tolist() == [9, 9, 9]
    assert picture.mode == "LA"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"not a picture", "is not a readable picture; expected JPEG, PNG, "),
        (b"%PDF-1.7", "is a PDF document; expected JPEG"),
        (b"\n<!DOCTYPE HTML><title>403</title>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "type git lfs pull to fetch the picture"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "is a film"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "is a JPEG XL picture"),
        (b"\xff\xd8\xff\xe0", "is a damaged JPEG picture"),
        (encoded(Pillow.effect_noise((90, 90), 50))[:2000], "is a damaged PNG picture"),
        (encoded(Pillow.effect_noise((90, 90), 50), "JPEG")[:2000], "is a damaged JPEG picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "is a drawing of format EPS"),
    ],
)
def test_what_is_no_picture_is_told_by_name(tmp_path: Path, content: bytes, reason: str) -> None:
    """The sentence names the file and what was found."""
    path = tmp_path / "x.jpg"
    path.write_bytes(content)

    with pytest.raises(ImageError, match=reason) as caught:
        images.read(path)

    assert "x.jpg" in str(caught.value)


@pytest.mark.parametrize("side", [9_500, 10_001, 20_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(side: int) -> None:
    """The header decides; Pillow's own warning and error do not come through."""
    header = bytearray(encoded(Pillow.new("1", (8, 8)), "BMP"))
    header[18:26] = side.to_bytes(4, "little") * 2

    with pytest.raises(ImageError, match="damaged" if side * side < images.MAX_PIXELS else "megapixels"):
        images.read(bytes(header))


def test_a_missing_file_a_folder_and_what_cannot_be_opened_are_told_apart(tmp_path: Path) -> None:
    """Each has its own sentence."""
    ring = tmp_path / "ring.png"
    ring.symlink_to(ring)

    with pytest.raises(ImageError, match=r"there is no file '.*none.png'"):
        images.read(tmp_path / "none.png")
    with pytest.raises(ImageError, match="is a folder; expected a picture"):
        images.read(tmp_path)

    with pytest.raises(ImageError, match=r"ring.png' cannot be read: too many levels of symbolic links"):
        images.read(ring)


def test_nothing_of_what_an_unreadable_file_holds_is_told(tmp_path: Path) -> None:
    """A list of pictures may name any file of the machine, and the reason reaches the report."""
    path = tmp_path / "shadow"
    path.write_bytes(b"root:$6$secret:19000:0:99999:7:::\n" * 20)

    with pytest.raises(ImageError) as caught:
        images.read(path)

    assert str(caught.value).removeprefix(f"'{path}'") == (
        " is not a readable picture; expected JPEG, PNG, WebP, AVIF, TIFF, BMP or GIF"
    )


def test_a_heic_picture_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phones save so, and Pillow alone does not read it."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)

    with pytest.raises(ImageError, match=r"is a HEIC picture, .* type pip install pillow-heif; or save it as JPEG"):
        images.read(HEIC)


def test_a_heic_picture_is_read_where_pillow_heif_is_installed() -> None:
    """Nothing else has to be set."""
    pytest.importorskip("pillow_heif")

    pixels, _ = images.read(HEIC)

    assert pixels.shape == (8, 8, 3)
    np.testing.assert_allclose(pixels.mean(axis=(0, 1)), (200, 30, 30), atol=8)
    with pytest.raises(ImageError, match="is a damaged HEIC picture"):
        images.read(HEIC[:60])


def test_a_file_larger_than_any_picture_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A sparse file takes no room on the disk and all of the memory."""
    path = tmp_path / "x.jpg"
    path.touch()
    os.truncate(path, images.MAX_BYTES + 1)

    with pytest.raises(ImageError, match=r"has 1,000,000,001 bytes, expected at most 1,000,000,000"):
        images.read(path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no such kernel")
def test_a_file_that_says_it_is_empty_is_not_read(tmp_path: Path) -> None:
    """Files of the kernel say so, and reading some, /proc/kmsg, waits for ever."""
    path = tmp_path / "x.jpg"
    path.symlink_to("/proc/self/status")

    with pytest.raises(ImageError, match="is empty"):
        images.read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files")
def test_what_never_ends_is_no_picture(tmp_path: Path) -> None:
    """Neither a pipe that nobody writes to nor a device is opened."""
    pipe, device = tmp_path / "pipe.jpg", tmp_path / "zero.jpg"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")

    for path in (pipe, device):
        with pytest.raises(ImageError, match="is not an ordinary file; expected a picture"):
            images.read(path)


def test_a_crop_is_the_square_around_the_boxs_centre() -> None:
    """The longer side decides; the crop is a copy."""
    pixels = np.arange(20 * 30 * 3, dtype=np.uint32).astype(np.uint8).reshape(20, 30, 3)

    square = images.crop(pixels, Box(10, 4, 16, 14))

    assert np.array_equal(square, pixels[4:14, 8:18])
    assert not np.shares_memory(square, pixels)
    assert square.flags.c_contiguous


def repeated(pixels: np.ndarray, box: Box) -> np.ndarray:
    """The crop, each of its pixels looked up by its own row and column."""
    side = max(1, round(max(box.right - box.left, box.bottom - box.top)))
    rows, columns = (
        np.clip(np.arange(side) + round(centre - side / 2), 0, size - 1)
        for centre, size in zip(((box.top + box.bottom) / 2, (box.left + box.right) / 2), pixels.shape[:2], strict=True)
    )
    return pixels[rows[:, None], columns]


def test_any_valid_box_can_be_cut_out() -> None:
    """Inside, partly or completely outside, smaller than a pixel or larger than the picture: the border is repeated."""
    generator = np.random.default_rng(0)
    for _ in range(2000):
        height, width = generator.integers(1, 25, 2)
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        left, top = generator.uniform(-60, 60, 2)
        right, bottom = (left, top) + generator.choice([0.01, 0.4, 1, 2.5, 7, 22.5]) * generator.uniform(0.1, 1, 2)
        box = Box(left, top, right, bottom)
        expected = repeated(pixels, box)
        if expected.size > 16 * pixels.size:
            continue

        found = images.crop(pixels, box)

        np.testing.assert_array_equal(found, expected)
        assert found.flags.c_contiguous
        assert found.flags.writeable
        assert not np.shares_memory(found, pixels)


def test_a_crop_copies_no_more_than_the_picture_allows() -> None:
    """At most 16 times its pixels and 100 megapixels: the square around a line is no face, and takes all memory."""
    line, sheet = np.zeros((1, 17, 3), np.uint8), np.broadcast_to(np.uint8(0), (9_000, 9_000, 3))

    assert images.crop(line[:, :16], Box(0, 0, 16, 1)).shape == (16, 16, 3)
    with pytest.raises(ImageError, match=r"a face of 17x17 pixels does not fit a picture of 17x1; expected at most 16"):
        images.crop(line, Box(0, 0, 17, 1))
    with pytest.raises(ImageError, match=r"a face of 10001x10001 pixels .* at most 100 megapixels"):
        images.crop(sheet, Box(0, 0, 10_001, 1))
