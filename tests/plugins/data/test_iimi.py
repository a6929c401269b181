"""Posed faces in folders by label: which label and person a picture has, and what a wrong folder is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from affectlm.errors import ConfigError
from affectlm.testing import check_dataset
from affectlm.types import Image
from affectlm_data.iimi import IIMI


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def pictures(root: Path, **options: Any) -> list[Image]:
    return list(IIMI(path=str(root), **options).items())


def labels(root: Path, **options: Any) -> dict[str, tuple[str, ...]]:
    return {image.id: image.truth.labels for image in pictures(root, **options)}


def test_folders_are_labels_whatever_their_case_and_form(tmp_path: Path) -> None:
    """Nouns and adjectives are one label; the order is natural; other files are left out."""
    touch(tmp_path, "Angry/10.jpg", "Angry/2.jpg", "SAD/1.png", "Fearful/1.jpg", "disgust/1.jpg", "Happy/notes.txt")
    touch(tmp_path, "Surprised/1.jpg", "Neutral/.hidden.jpg", "Neutral/1.jpg", "Happiness/1.jpg")

    check_dataset(IIMI(path=str(tmp_path)))
    assert labels(tmp_path) == {
        "Angry/2.jpg": ("anger",),
        "Angry/10.jpg": ("anger",),
        "disgust/1.jpg": ("disgust",),
        "Fearful/1.jpg": ("fear",),
        "Happiness/1.jpg": ("happiness",),
        "Neutral/1.jpg": ("neutral",),
        "SAD/1.png": ("sadness",),
        "Surprised/1.jpg": ("surprise",),
    }


def test_the_innermost_folder_that_is_a_label_counts(tmp_path: Path) -> None:
    """People may have folders above or below, and a split one of its own."""
    touch(tmp_path, "test/s01/Happy/1.jpg", "test/Sad/s02/1.jpg", "train/Fear/1.jpg")

    assert labels(tmp_path, split="test") == {
        "test/s01/Happy/1.jpg": ("happiness",),
        "test/Sad/s02/1.jpg": ("sadness",),
    }


def test_folders_above_the_given_ones_are_no_labels(tmp_path: Path) -> None:
    """Ids that clash are made longer by them; who is called Joy has no happy faces for that."""
    touch(tmp_path, "joy/a/set/1.jpg", "joy/b/set/1.jpg")

    with pytest.raises(ConfigError, match="names no expression"):
        IIMI(path=[str(tmp_path / "joy/a/set"), str(tmp_path / "joy/b/set")])


def test_a_table_may_take_the_place_of_folders(tmp_path: Path) -> None:
    """Its further columns are groups; nothing is read from the path's folders."""
    (tmp_path / "iimi.csv").write_text("path,label,subject\nSad/1.jpg,Angry,s1\n2.jpg,joy|Surprised,s2\n")

    first, second = pictures(tmp_path / "iimi.csv")

    assert (first.truth.labels, first.truth.group) == (("anger",), {"subject": "s1"})
    assert first.source == tmp_path / "Sad/1.jpg"
    assert second.truth.labels == ("happiness", "surprise")


def test_the_person_can_be_found_in_the_name(tmp_path: Path) -> None:
    """The first group of the pattern, or the whole match."""
    touch(tmp_path, "Sad/F07_2.jpg")

    assert pictures(tmp_path, subject=r"[FM]\d+")[0].truth.group == {"subject": "F07"}
    assert pictures(tmp_path, subject=r"F(\d+)_")[0].truth.group == {"subject": "07"}


def test_it_says_how_many_pictures_each_label_has(tmp_path: Path) -> None:
    """For the report."""
    touch(tmp_path, "Sad/1.jpg", "Sad/2.jpg", "Angry/1.jpg")

    assert IIMI(path=[str(tmp_path)]).describe() == {"pictures": "3", "anger": "1", "sadness": "2"}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["Sad/1.jpg", "Crying/1.jpg"], {}, r"'Crying' in '.*' names no expression; expected folders, .* named anger,"),
        (["1.jpg"], {}, r"'1\.jpg' in '.*' names no expression"),
        (["Sad/1.txt"], {}, "found no pictures in"),
        (["Sad/1.jpg"], {"split": "test"}, "split 'test' is not a folder in"),
        (["Sad/1.jpg"], {"subject": "("}, r"subject '\(' is not a regular expression"),
        (["Sad/1.jpg"], {"subject": "F"}, r"subject 'F' does not match 'Sad/1\.jpg'; correct it, or leave it out"),
    ],
)
def test_a_wrong_folder_is_told(tmp_path: Path, names: list[str], options: dict[str, object], message: str) -> None:
    """In one sentence that names what was found."""
    with pytest.raises(ConfigError, match=message):
        pictures(touch(tmp_path, *names), **options)


def test_a_path_is_needed() -> None:
    """There is nothing to look at without."""
    with pytest.raises(ConfigError, match=r"dataset 'iimi' has no path; set dataset\.path to its folder or table"):
        IIMI(path=None)


def test_many_unknown_folders_are_not_all_listed(tmp_path: Path) -> None:
    """The first five say enough."""
    with pytest.raises(ConfigError, match=r"^'a', 'b', 'c', 'd', 'e', \.\.\. in "):
        pictures(touch(tmp_path, *(f"{name}/1.jpg" for name in "abcdefg")))


@pytest.mark.parametrize("label", ["crying", "", "Sad|crying"])
def test_an_unknown_label_of_a_table_is_told(tmp_path: Path, label: str) -> None:
    """None is dropped silently."""
    (tmp_path / "iimi.csv").write_text(f"path,label\nx.jpg,{label}\n")

    with pytest.raises(ConfigError, match="names no expression"):
        pictures(tmp_path / "iimi.csv")


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    """As in any folder."""
    dataset = IIMI(path=str(touch(tmp_path, "Happy/1.jpg", "Happy/2.jpg", "Happy/3.mp4")))

    check_dataset(dataset)
    assert dataset.left_out() == {"file in .mp4": 1}
