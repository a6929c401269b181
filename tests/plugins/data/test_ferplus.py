"""FER+ crowd votes: which faces a split has, what is known of them, and what a wrong folder is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from affectlm.affect.taxonomies import FERPLUS
from affectlm.errors import ConfigError
from affectlm.line.source import items
from affectlm.testing import check_dataset
from affectlm_data.ferplus import FERPlus

HEADER = f"index,name,split,{','.join(FERPLUS)},unknown,NF"


def folder(root: Path, *lines: str, header: str = HEADER) -> Path:
    """A folder as FER+ is stored, of one sheet whose second face is white."""
    sheet = np.zeros((48, 2400), np.uint8)
    sheet[:, 48:96] = 255
    PIL.Image.fromarray(sheet).save(root / "sheet_00.jpg")
    (root / "labels.csv").write_text("\n".join([header, *lines]), encoding="utf-8")
    return root


def line(index: int, votes: str, split: str = "validation", name: str = "") -> str:
    return f"{index},{name or f'f{index}'},{split},{votes}"


SAD = "1,0,0,9,0,0,0,0,0,0"


def test_a_face_has_votes_labels_and_their_mean_valence_and_arousal(tmp_path: Path) -> None:
    """The commonest labels; the pixels are those of its place in the sheet."""
    dataset = FERPlus(path=folder(tmp_path, line(0, "5,5,0,0,0,0,0,0,0,0"), line(1, SAD)))

    check_dataset(dataset)
    tied, sad = dataset.items()
    assert tied.truth.labels == ("neutral", "happiness")
    assert (sad.id, sad.truth.labels, sad.truth.votes["sadness"]) == ("f1", ("sadness",), 0.9)
    assert (sad.truth.valence, sad.truth.arousal) == pytest.approx(
        (0.1 * -0.03 + 0.9 * -0.63, 0.1 * -0.02 + 0.9 * -0.27)
    )
    assert isinstance(sad.source, np.ndarray)
    assert (sad.source.shape, int(sad.source.min())) == ((48, 48, 3), 255)


def test_its_valence_and_arousal_are_marked_as_derived(tmp_path: Path) -> None:
    """The line marks every item of such a dataset, so that no score takes the numbers for ratings."""
    dataset = FERPlus(path=folder(tmp_path, line(0, SAD)))

    assert [image.truth.derived for image in items(dataset)] == [True]


def test_faces_that_raters_doubted_are_left_out_and_counted(tmp_path: Path) -> None:
    """Five votes for unknown or no face together; the counts are those of the split."""
    lines = [line(0, SAD), line(1, "5,0,0,0,0,0,0,0,2,3"), line(2, "6,0,0,0,0,0,0,0,2,2"), line(3, SAD, "train")]
    dataset = FERPlus(path=folder(tmp_path, *lines))

    assert [image.id for image in dataset.items()] == ["f0", "f2"]
    assert dataset.describe() == {"rows": "3", "faces": "2", "uncertain": "1"}


def test_the_published_splits_have_the_published_counts(data: Path) -> None:
    """As the project's data is described: ten of the validation split are left out."""
    assert FERPlus(path=data / "ferplus").describe() == {"rows": "3510", "faces": "3500", "uncertain": "10"}
    assert FERPlus(path=data / "ferplus", split="train").describe()["rows"] == "26801"


def test_a_byte_order_mark_and_semicolons_do_no_harm(tmp_path: Path) -> None:
    """Spreadsheets write such tables."""
    root = folder(tmp_path, line(0, SAD))
    table = (root / "labels.csv").read_text().replace(",", ";")
    (root / "labels.csv").write_text("\ufeff" + table, encoding="utf-8")

    assert [image.id for image in FERPlus(path=root).items()] == ["f0"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(0, SAD, "train")], "has no split 'validation'; splits: train$"),
        ([line(0, "x,0,0,9,0,0,0,0,0,0")], r"^line 2 of '.*labels\.csv': neutral is 'x'; expected a whole number$"),
        ([line(0, "-1,0,0,9,0,0,0,0,0,0")], "neutral is '-1'; expected a whole number"),
        ([line(0, SAD), line(1, SAD, name="f0")], r"^line 3 of '.*' repeats the name 'f0'; give each face its own"),
        ([line(2500, SAD)], r"^found no 'sheet_01\.jpg' in '.*', which labels\.csv names; fetch it again"),
        (["0,f0"], "^line 2 of '.*' has 2 cells; expected 13"),
    ],
)
def test_a_wrong_table_is_told_before_the_first_face(tmp_path: Path, lines: list[str], message: str) -> None:
    """All of the split is checked when the dataset is built."""
    with pytest.raises(ConfigError, match=message):
        FERPlus(path=folder(tmp_path, *lines))


def test_missing_parts_are_told(tmp_path: Path) -> None:
    """No table, no such column, no path."""
    with pytest.raises(ConfigError, match=r"found no labels\.csv in '.*', expected the FER\+ folder; set"):
        FERPlus(path=tmp_path)
    with pytest.raises(ConfigError, match=r"labels\.csv' has the columns .*; expected each once, 'index' and 'name'"):
        FERPlus(path=folder(tmp_path, line(0, SAD), header=HEADER.replace("split", "part")))
    with pytest.raises(ConfigError, match=r"^the dataset has no path; set dataset\.path"):
        FERPlus(path=None)
