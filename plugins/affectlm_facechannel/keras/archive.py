"""The archive of trained networks in the authors' repository, and its files, unpacked once.

Barros, Churamani, Sciutti 2020, doi 10.1007/s42979-020-00325-6. Its terms forbid shipping any of it with affectlm.
Other modules read its files.
"""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from uuid import uuid4

from affectlm.errors import WeightsError
from affectlm.weights.named import GitFile, Weights, cached_path, obtain

FOLDER = "TrainedNetworks"  # the top folder of the archive
DIMENSIONAL = "DimensionalFaceChannel.h5"
CATEGORICAL = "CategoricalFaceChannel.h5"
DETECTOR = "faceDetector/res10_300x300_ssd_iter_140000.caffemodel"
DETECTOR_GRAPH = "faceDetector/deploy.prototxt"

_SUFFIXES = (".h5", ".prototxt", ".caffemodel")
_MAX_MEMBERS = 1000
_MAX_BYTES = 500_000_000

ORIGINAL = Weights(
    name="facechannel-original",
    sources=(
        GitFile(
            "https://github.com/pablovin/FaceChannel/raw/master/src/FaceChannel/FaceChannelV1/trainedNetworks.tar.xz"
        ),
    ),
    digest="git:226f5e5e7355a193e2682e7d26a83f72020bb78b",
    size=None,
    licence="non-commercial research use",
    citation="Barros, Churamani, Sciutti 2020, The FaceChannel, doi 10.1007/s42979-020-00325-6",
    terms=(
        "the authors allow research use only, nothing commercial, want their papers cited in publications, and forbid "
        "passing the files on"
    ),
    contents=tuple(f"{FOLDER}/{file}" for file in (DIMENSIONAL, CATEGORICAL, DETECTOR, DETECTOR_GRAPH)),
)


def original_folder(holding: str = DIMENSIONAL) -> Path:
    """The folder with the authors' unpacked files: the .h5 files, and the detector in its folder `faceDetector`.

    It is in `AFFECTLM_WEIGHTS_DIR`, or in the cache, where the archive is unpacked after it was fetched.

    Args:
        holding: a file that has to be in it, such as `CATEGORICAL` or `DETECTOR`.

    Raises:
        WeightsError: the archive is not here and cannot be fetched, its terms were not accepted, or its content is
            wrong.
    """
    return unpacked_folder(ORIGINAL, holding)


def unpacked_folder(archive: Weights, holding: str) -> Path:
    """The unpacked folder of any archive with the same layout; see `original_folder`."""
    given = os.environ.get("AFFECTLM_WEIGHTS_DIR")
    if given and (folder := _folder_with(holding, Path(given).expanduser())):
        return folder
    kept = cached_path(archive).with_name("unpacked")
    if not kept.is_dir():
        unpack(obtain(archive), kept)
    if folder := _folder_with(holding, kept):
        return folder
    raise WeightsError(f"the archive of '{archive.name}', unpacked in '{kept}', has no '{FOLDER}/{holding}'")


def unpack(archive: Path, target: Path) -> None:
    """Unpacks the wanted files of a tar.xz archive into a new folder, which appears complete or not at all.

    Only names and contents are used: no links, owners or permissions. So extraction filters, which the first releases
    of Python 3.11 lack, are not needed.

    Raises:
        WeightsError: the archive cannot be read; or a member is a link, a device or outside the folder; or there are
            more than 1,000 members or 500 MB.
    """
    part = target.with_name(f".part-{uuid4().hex}")
    try:
        with tarfile.open(archive, "r:xz") as tar:
            for member, path in _wanted(archive, tar):
                _write(tar, member, part / path)
        if not part.is_dir():
            raise WeightsError(f"the archive '{archive}' has no {', '.join(_SUFFIXES)} file")
        _settle(part, target)
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise WeightsError(f"'{archive}' is not a readable tar.xz archive ({error})") from error
    except OSError as error:
        raise WeightsError(f"'{archive}' cannot be unpacked into '{target}': {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _wanted(archive: Path, tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    """The members to write, and their paths; raises WeightsError for a bad member before it is read."""
    size = 0
    for count, member in enumerate(tar, start=1):
        size += member.size
        if count > _MAX_MEMBERS or size > _MAX_BYTES:
            raise WeightsError(
                f"the archive '{archive}' is larger than expected: more than {_MAX_MEMBERS} members or "
                f"{_MAX_BYTES // 1_000_000} MB; nothing of it is used"
            )
        path = _safe_path(archive, member)
        if member.isreg() and path.suffix in _SUFFIXES:
            yield member, path


def _safe_path(archive: Path, member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if not (member.isdir() or member.isreg()) or member.issparse():
        raise WeightsError(
            f"the archive '{archive}' has '{member.name}', which is not an ordinary file; nothing of it is used"
        )
    if path.is_absolute() or ".." in path.parts or set("\\:\0") & set(member.name):
        raise WeightsError(f"the archive '{archive}' has '{member.name}', which leads out of it; nothing of it is used")
    return path


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"'{member.name}' has no content")
    path.parent.mkdir(parents=True, exist_ok=True)
    with content, path.open("xb") as file:
        shutil.copyfileobj(content, file)


def _settle(part: Path, target: Path) -> None:
    """Gives the finished folder its name, unless another process was faster."""
    try:
        part.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _folder_with(file: str, root: Path) -> Path | None:
    return next((folder for folder in (root / FOLDER, root) if (folder / file).is_file()), None)
