"""Which files are pictures by their names, and which pictures a run drew; no file is opened here."""

from __future__ import annotations

import os
import re
from pathlib import Path

from affectlm.store.records import EXPLANATIONS, HYDRA, RECORDS, REPORT

EXTENSIONS = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif", "tif", "tiff", "webp", "avif", "heic", "heif", "jp2"),
    *("ppm", "pgm", "pbm", "pnm"),
)
# Photographs, drawings and films that are not read; a run says that it leaves them out.
UNREAD = (
    *("3fr", "arw", "cr2", "cr3", "dng", "erf", "iiq", "kdc", "mrw", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2"),
    *("rwl", "sr2", "srf", "srw", "x3f", "apng", "dds", "exr", "hdr", "ico", "jxl", "psd", "svg", "tga", "xcf"),
    *("3gp", "avi", "flv", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "webm", "wmv"),
)
SCATTER = "scatter.svg"  # the figure of an evaluation
_DRAWN = {"faces": re.compile(r".+_\d+\.png"), EXPLANATIONS: re.compile(r".+-[0-9a-f]{16}\.png")}


def extension(path: Path) -> str:
    """The extension of a file's name in lower case, without the dot."""
    return path.suffix.lower().removeprefix(".")


def is_picture(path: Path) -> bool:
    """Whether a file's name is that of a picture that can be read."""
    return extension(path) in EXTENSIONS


def is_run(folder: Path) -> bool:
    """Whether a folder contains a run, whatever else it contains."""
    names = (RECORDS, REPORT)
    return os.path.isdir(folder / HYDRA) or all(os.path.isfile(folder / name) for name in names)


def is_drawn(path: Path) -> bool:
    """Whether a file is a figure that a run drew into its folder."""
    if path.name == SCATTER:
        return is_run(path.parent)
    name = _DRAWN.get(path.parent.name)
    return bool(name and name.fullmatch(path.name)) and is_run(path.parent.parent)
