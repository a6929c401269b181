"""AffectNet's folders of one file a number: what is read, what is passed over, and what a wrong file is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affectlm.errors import ConfigError
from affectlm.testing import check_dataset
from affectlm.types import Image, Truth
from affectlm_data.affectnet import AffectNet


def face(
    root: Path, name: str, exp: object, val: object = "0.5", aro: object = "-0.25", folder: str = "val_set"
) -> Path:
    for below in ("images", "annotations"):
        (root / folder / below).mkdir(parents=True, exist_ok=True)
    for what, value in (("exp", exp), ("val", val), ("aro", aro)):
        np.save(root / folder / "annotations" / f"{name}_{what}.npy", np.array(value))
    return root


def faces(root: Path, **options: object) -> list[Image]:
    return list(AffectNet(path=root, **options).items())


def test_a_face_has_an_expression_valence_and_arousal(tmp_path: Path) -> None:
    """Text or numbers are read; landmarks and hidden files are not looked at; the picture need not be there."""
    face(face(tmp_path, "10", "7"), "9", 1, 0.75, -1.0)
    np.save(tmp_path / "val_set/annotations/9_lnd.npy", np.zeros((68, 2)))
    (tmp_path / "val_set/annotations/._9_exp.npy").write_bytes(b"macOS leaves such files")

    check_dataset(AffectNet(path=tmp_path))
    first, second = faces(tmp_path)

    assert first == Image("9", Path(), Truth(labels=("happiness",), valence=0.75, arousal=-1.0))
    assert first.source == tmp_path / "val_set/images/9.jpg"
    assert second.truth == Truth(labels=("contempt",), valence=0.5, arousal=-0.25)


def test_the_eight_numbers_are_affectnets(tmp_path: Path) -> None:
    """Sad is 2 here and 4 in FER+."""
    for code in range(8):
        face(tmp_path, str(code), code)

    assert [image.truth.labels[0] for image in faces(tmp_path)] == [
        "neutral",
        "happiness",
        "sadness",
        "surprise",
        "fear",
        "disgust",
        "anger",
        "contempt",
    ]


def test_what_is_not_rated_has_no_valence_and_arousal(tmp_path: Path) -> None:
    """-2 says so."""
    (image,) = faces(face(tmp_path, "1", 0, "-2", "-2.0"))

    assert (image.truth.valence, image.truth.arousal) == (None, None)


def test_uncertain_faces_are_passed_over(tmp_path: Path) -> None:
    """None, uncertain and no face."""
    for code in (8, 9, 10):
        face(tmp_path, str(code), code, -2, -2)

    assert faces(face(tmp_path, "1", 0))[0].id == "1"
    assert len(faces(tmp_path)) == 1
    assert AffectNet(path=tmp_path).describe() == {"annotations": "4"}


def test_a_split_is_a_folder_and_none_is_the_folder_itself(tmp_path: Path) -> None:
    """`validation` is val."""
    face(face(tmp_path, "1", 0), "2", 0, folder="train_set")

    assert [image.id for image in faces(tmp_path, split="validation")] == ["1"]
    assert [image.id for image in faces(tmp_path, split="train")] == ["2"]
    assert [image.id for image in faces(tmp_path / "train_set", split=None)] == ["2"]


def test_annotations_are_read_when_their_turn_comes(tmp_path: Path) -> None:
    """With dataset.limit a damaged file far behind is no matter."""
    face(tmp_path, "1", 0)
    (tmp_path / "val_set/annotations/2_exp.npy").write_bytes(b"damaged")

    items = AffectNet(path=tmp_path).items()

    assert next(items).id == "1"
    with pytest.raises(ConfigError, match=r"2_exp\.npy' is not a single number; fetch it again"):
        next(items)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("12", "0", "0"), "annotation '1_exp.npy' is 12; expected a whole number from 0 to 10"),
        (("1.5", "0", "0"), "annotation '1_exp.npy' is 1.5"),
        (("1", "7", "0"), r"annotation '1_val.npy' is 7; expected a number in \[-1, 1\], or -2"),
        (("1", "0", "nan"), "annotation '1_aro.npy' is nan"),
        (("1", "0", "high"), r"1_aro.npy' is not a single number"),
        (("1", "0", [0.0, 0.1]), r"1_aro.npy' is not a single number"),
    ],
)
def test_a_wrong_number_is_told_by_file(tmp_path: Path, values: Any, message: str) -> None:
    """Nothing is clipped or guessed."""
    with pytest.raises(ConfigError, match=message):
        faces(face(tmp_path, "1", *values))


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("sprung"),))


def test_pickled_annotations_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that would run code when loaded runs none."""
    monkeypatch.chdir(tmp_path)
    face(tmp_path, "1", 0)
    np.save(tmp_path / "val_set/annotations/1_exp.npy", np.array(Trap(), dtype=object), allow_pickle=True)

    with pytest.raises(ConfigError, match="is not a single number"):
        faces(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_an_archive_or_an_array_larger_than_the_memory_is_told(tmp_path: Path) -> None:
    """Neither is a number, whatever the reader makes of it."""
    face(tmp_path, "1", 0)
    with (tmp_path / "val_set/annotations/1_val.npy").open("wb") as file:
        np.savez(file, np.zeros(1))
    with pytest.raises(ConfigError, match=r"1_val\.npy' is not a single number"):
        faces(tmp_path)
    with (tmp_path / "val_set/annotations/1_val.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ConfigError, match=r"1_val\.npy' is not a single number"):
        faces(tmp_path)


def test_missing_parts_are_told(tmp_path: Path) -> None:
    """Folders, annotations, one of a face's files."""
    with pytest.raises(ConfigError, match=r"found no folder 'annotations' in '.*val_set'.* or dataset\.split=null"):
        faces(tmp_path)
    face(tmp_path, "1", 0)
    (tmp_path / "val_set/annotations/1_val.npy").unlink()
    with pytest.raises(ConfigError, match=r"1_val\.npy' cannot be read: no such file"):
        faces(tmp_path)
    (tmp_path / "val_set/annotations/1_exp.npy").unlink()
    with pytest.raises(ConfigError, match=r"found no annotations such as 0_exp\.npy"):
        faces(tmp_path)
