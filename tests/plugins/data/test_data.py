"""Which pictures a dataset holds, in which order, under which ids, and what a wrong choice is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from affectlm.errors import ConfigError, ImageError
from affectlm.line import images
from affectlm.registry import Registry
from affectlm.report.figures import draw_faces
from affectlm.store.records import explanation
from affectlm.testing import record
from affectlm.types import Box, Truth
from affectlm_data import affectlm_datasets
from affectlm_data.folder import Folder
from affectlm_data.samples import Samples


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def ids(**options: object) -> list[str]:
    return [image.id for image in Folder(**options).items()]  # type: ignore[arg-type]


def manifest(root: Path, text: str) -> str:
    (root / "m.csv").write_text(text, encoding="utf-8")
    return str(root / "m.csv")


def test_the_hook_offers_folder_and_samples() -> None:
    """Each name can be resolved."""
    assert {"folder", "samples"} <= set(affectlm_datasets())
    for name in affectlm_datasets():
        assert callable(Registry.installed().find("dataset", name).resolve())


def test_a_folder_gives_its_pictures_in_natural_order(tmp_path: Path) -> None:
    """Numbers count as numbers, the case of an extension does not, other files are left out."""
    touch(tmp_path, "10.jpg", "2.JPG", "a/1.png", "b é.webp", "notes.txt", "m.csv")

    assert ids(path=str(tmp_path)) == ["2.JPG", "10.jpg", "a/1.png", "b é.webp"]


def test_sub_folders_can_be_left_out(tmp_path: Path) -> None:
    """recursive=False stays in the folder itself."""
    assert ids(path=str(touch(tmp_path, "1.jpg", "a/2.jpg")), recursive=False) == ["1.jpg"]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    """They are not what a user sees, so nothing is said of them."""
    folder = Folder(path=str(touch(tmp_path, "1.jpg", ".2.jpg", ".git/3.jpg", ".4.mov")))

    assert ([image.id for image in folder.items()], folder.left_out()) == (["1.jpg"], {})


def test_a_run_in_a_folder_hides_none_of_its_pictures(tmp_path: Path) -> None:
    """A second run leaves out what the first drew, and says so; a user's own pictures are read wherever they lie."""
    touch(
        tmp_path,
        "run/.hydra/config.yaml",
        "run/1.jpg",
        "run/faces/2.jpg",
        "run/sub/3.png",
        "run/faces/a.jpg_0.png",
        "run/scatter.svg",
    )
    touch(tmp_path, "old/report.json", "old/records.jsonl", "old/explain/a.jpg_0-7767b82882bb2861.png", "old/4.png")
    touch(tmp_path, "other/faces/a_0.png", "other/scatter.svg")
    folder = Folder(path=str(tmp_path))

    assert [image.id for image in folder.items()] == [
        *("old/4.png", "other/faces/a_0.png", "run/1.jpg", "run/faces/2.jpg", "run/sub/3.png"),
    ]
    assert folder.left_out() == {"figure drawn by a run": 3, "file in .svg": 1}
    assert ids(path=str(tmp_path / "run")) == ["1.jpg", "faces/2.jpg", "sub/3.png"]


def test_the_figures_of_a_real_run_are_known(tmp_path: Path) -> None:
    """What affectlm draws is what the folder knows as drawn, however its pictures are named."""
    PIL.Image.new("RGB", (9, 9)).save(tmp_path / "ü b.png")
    measured = record(id="a/ü b.png#0", image=str(tmp_path / "ü b.png"), box=Box(0, 0, 9, 9), valence=0.5, arousal=0.5)
    touch(tmp_path / "run", ".hydra/config.yaml", explanation(measured.id))

    assert draw_faces([measured], tmp_path / "run")
    assert Folder(path=str(tmp_path)).left_out() == {"figure drawn by a run": 2}


def test_what_looks_like_pictures_and_is_not_read_is_counted(tmp_path: Path) -> None:
    """By extension, once each; texts and tables are no pictures that anybody would miss."""
    names = [*"ab", "c.txt", "d.csv", "e.json", "1.MOV", "s/2.mov", "s/3.cr2", "4.jpg"]
    folder = Folder(path=[str(touch(tmp_path, *names)), f"{tmp_path}/*"])

    assert [image.id for image in folder.items()] == ["4.jpg"]
    assert folder.left_out() == {"file in .mov": 2, "file in .cr2": 1}


def test_a_folder_of_unread_files_alone_says_what_they_are(tmp_path: Path) -> None:
    """Where to look next is clear from the message."""
    with pytest.raises(ConfigError, match=r"\.pnm; left out: 2 files in \.cr2\); give another path"):
        ids(path=str(touch(tmp_path, "1.cr2", "2.CR2")))


def test_heic_and_avif_are_pictures(tmp_path: Path) -> None:
    """Whether they can be read here turns out when they are, as for a single file."""
    PIL.Image.new("RGB", (9, 9), "red").save(tmp_path / "1.avif")
    (tmp_path / "2.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))

    avif, heic = Folder(path=str(tmp_path)).items()

    assert isinstance(avif.source, Path)
    assert images.read(avif.source)[0].shape == (9, 9, 3)
    assert isinstance(heic.source, Path)
    with pytest.raises(ImageError, match=r"2\.HEIC"):
        images.read(heic.source)


def _refusing(*names: str) -> Callable[[str], object]:
    """What lists folders, but for some that it may not."""
    scandir = os.scandir

    def scan(path: str) -> object:
        if Path(path).name in names:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    return scan


def test_a_sub_folder_that_cannot_be_read_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures beside it are read all the same."""
    touch(tmp_path, "1.jpg", "a/2.jpg", "b/3.jpg", "c/4.jpg")
    monkeypatch.setattr(os, "scandir", _refusing("a", "b"))

    folder = Folder(path=str(tmp_path))

    assert [image.id for image in folder.items()] == ["1.jpg", "c/4.jpg"]
    ((what, count),) = folder.left_out().items()
    assert (count, what.startswith(f"folder that cannot be read, such as '{tmp_path}")) == (2, True)


def test_a_folder_that_cannot_be_read_itself_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to go on with."""
    touch(tmp_path, "a/1.jpg")
    monkeypatch.setattr(os, "scandir", _refusing("a"))

    with pytest.raises(ConfigError, match=r"^folder '.*a' cannot be read: permission denied$"):
        ids(path=str(tmp_path / "a"))


def test_a_file_named_outright_is_taken_whatever_its_extension(tmp_path: Path) -> None:
    """Whether it is a picture turns out when it is read."""
    touch(tmp_path, "notes.txt", "b.jpg")

    assert ids(path=[str(tmp_path / "notes.txt"), str(tmp_path / "b.jpg")]) == ["notes.txt", "b.jpg"]


def test_a_pattern_gives_the_pictures_that_match(tmp_path: Path) -> None:
    """Ids are relative to what stands before the first wildcard."""
    touch(tmp_path, "p/a/1.jpg", "p/b/1.jpg", "p/b/2.png", "p/b/x.txt")

    assert ids(path=f"{tmp_path}/p/*/*") == ["a/1.jpg", "b/1.jpg", "b/2.png"]
    assert ids(path=f"{tmp_path}/p/**/*.png") == ["b/2.png"]


def test_a_name_with_brackets_that_exists_is_no_pattern(tmp_path: Path) -> None:
    """What is there is taken literally."""
    touch(tmp_path, "[1].jpg")

    assert ids(path=str(tmp_path / "[1].jpg")) == ["[1].jpg"]


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell does not replace it inside an override."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    touch(tmp_path, "pictures/1.jpg")

    assert ids(path="~/pictures") == ["1.jpg"]


def test_the_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No option is needed."""
    monkeypatch.chdir(touch(tmp_path, "1.jpg"))

    assert ids() == ["1.jpg"]


def test_a_folder_named_by_a_number_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra reads `dataset.path=2024` as a number."""
    monkeypatch.chdir(touch(tmp_path, "2024/1.jpg"))

    assert ids(path=2024) == ["1.jpg"]


def test_ids_stay_unique_over_several_paths(tmp_path: Path) -> None:
    """What clashes gets its folder's name, or the whole path; the same picture counts once."""
    touch(tmp_path, "a/1.jpg", "b/1.jpg", "b/2.jpg", "c/a/1.jpg")
    a, b, c = (str(tmp_path / name) for name in ("a", "b", "c/a"))

    assert ids(path=[a, b]) == ["a/1.jpg", "b/1.jpg", "2.jpg"]
    assert ids(path=[a, c]) == [f"{a}/1.jpg", f"{c}/1.jpg"]
    assert ids(path=[b, f"{b}/2.jpg"]) == ["1.jpg", "2.jpg"]


def test_a_split_is_a_sub_folder(tmp_path: Path) -> None:
    """Ids stay relative to the folder that was given."""
    touch(tmp_path, "train/1.jpg", "test/2.jpg")

    assert ids(path=str(tmp_path), split="test") == ["test/2.jpg"]
    with pytest.raises(ConfigError, match="split 'val' is not a folder in"):
        ids(path=str(tmp_path), split="val")


def test_a_wrong_path_is_told(tmp_path: Path) -> None:
    """Missing, empty and pictureless each say what to type."""
    touch(tmp_path, "x.txt")

    with pytest.raises(ConfigError, match=r"path '.*none' does not exist; give a folder"):
        ids(path=str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"found no pictures in '.*' \(looked for .jpg, .*\); give another path"):
        ids(path=str(tmp_path))
    with pytest.raises(ConfigError, match=r"found no pictures in '.*\*.jpg'"):
        ids(path=f"{tmp_path}/*.jpg")
    with pytest.raises(ConfigError, match="has no path"):
        ids(path=[])


def test_a_manifest_gives_truth(tmp_path: Path) -> None:
    """Labels and texts are split at bars; further columns become groups; missing files are no error here."""
    columns = "path,label,valence,arousal,text,group,subject"
    text = f"{columns}\nno/1.jpg,joy|surprise,0.5,-1,a man smiles|he is glad,g1,s7\n2.jpg,,,,,,\n"
    first, second = Folder(path=manifest(tmp_path, "\ufeff" + text)).items()

    assert first.id == "no/1.jpg"
    assert first.source == tmp_path / "no" / "1.jpg"
    assert first.truth == Truth(
        labels=("joy", "surprise"),
        valence=0.5,
        arousal=-1,
        text=("a man smiles", "he is glad"),
        group={"group": "g1", "subject": "s7"},
    )
    assert second.truth == Truth()


@pytest.mark.parametrize("missing", ["NA", "N/A", "n/a", "NaN", "nan"])
def test_a_cell_may_say_that_nothing_is_known(tmp_path: Path, missing: str) -> None:
    """What R, spreadsheets and pandas write for it is as good as an empty cell, in every column."""
    columns = "path,label,valence,arousal,text,split,left,top,right,bottom,subject"

    (image,) = Folder(path=manifest(tmp_path, f"{columns}\n1.jpg{10 * f',{missing}'}\n")).items()

    assert (image.truth, image.region) == (Truth(), None)
    with pytest.raises(ConfigError, match=r"line 2 of '.*m.csv' has no path"):
        ids(path=manifest(tmp_path, f"path,label\n{missing},joy\n"))


def test_cells_may_stand_between_semicolons(tmp_path: Path) -> None:
    """As spreadsheets write them in half of Europe; commas in a cell are then its own."""
    path = manifest(tmp_path, "\ufeffpath;label;text\r\na, b.jpg;joy;one, two\r\n")

    (image,) = Folder(path=path).items()

    assert (image.id, image.truth) == ("a, b.jpg", Truth(labels=("joy",), text=("one, two",)))


def test_lines_without_anything_in_their_cells_are_passed_over(tmp_path: Path) -> None:
    """Spreadsheets leave such lines at the end."""
    assert ids(path=manifest(tmp_path, "path,label\n1.jpg,joy\n,\n,\n")) == ["1.jpg"]


def test_ratings_of_another_scale_are_brought_to_ours(tmp_path: Path) -> None:
    """The lowest becomes -1, the highest 1, the middle 0; a column may be named image."""
    path = manifest(tmp_path, "image,valence,arousal\n1.jpg,1,5\n2.jpg,9,\n")

    first, second = (image.truth for image in Folder(path=path, scale=[1, 9]).items())

    assert (first.valence, first.arousal, second.valence, second.arousal) == (-1, 0, 1, None)


def test_a_manifest_may_name_several_people_of_a_picture(tmp_path: Path) -> None:
    """Each has a region and an id; a picture named once keeps its name."""
    text = "path,left,top,right,bottom\n1.jpg,0,0,10,20\n1.jpg,30,0.5,40,20\n2.jpg,0,0,5,5\n3.jpg,,,,\n"

    images = list(Folder(path=manifest(tmp_path, text)).items())

    assert [image.id for image in images] == ["1.jpg@0,0,10,20", "1.jpg@30,0.5,40,20", "2.jpg", "3.jpg"]
    assert [image.region for image in images] == [Box(0, 0, 10, 20), Box(30, 0.5, 40, 20), Box(0, 0, 5, 5), None]
    assert images[0].truth == Truth()


def test_rounding_takes_no_rating_out_of_range(tmp_path: Path) -> None:
    """The highest of [-10, 0.7] would come to 1.0000000000000002."""
    path = manifest(tmp_path, "path,valence,arousal\n1.jpg,0.7,-10\n")

    (image,) = Folder(path=path, scale=[-10, 0.7]).items()

    assert (image.truth.valence, image.truth.arousal) == (1, -1)


def test_two_ratings_of_one_picture_are_refused(tmp_path: Path) -> None:
    """Which of them counts is not ours to say; repeating the same is no harm."""
    path = manifest(tmp_path, "path,valence\na.jpg,0.5\n./a.jpg,-0.5\n")
    (tmp_path / "other.csv").write_text("path,valence\na.jpg,0.5\n")
    (tmp_path / "same.csv").write_text("path,valence\na.jpg,0.5\n")

    with pytest.raises(ConfigError, match=r"a\.jpg' is named twice with different truth; leave one out"):
        ids(path=path)
    with pytest.raises(ConfigError, match=r"a\.jpg' is named twice"):
        ids(path=[str(touch(tmp_path, "a.jpg")), str(tmp_path / "other.csv")])
    assert ids(path=[str(tmp_path / "other.csv"), str(tmp_path / "same.csv")]) == ["a.jpg"]


@pytest.mark.parametrize("scale", [[9, 1], [1], "1..9", [0, float("inf")]])
def test_a_scale_needs_a_lowest_and_a_highest_rating(tmp_path: Path, scale: object) -> None:
    """Anything else would give ratings that mean nothing."""
    with pytest.raises(ConfigError, match=r"expected the lowest and the highest rating, as in dataset.scale=\[1,9\]"):
        Folder(path=manifest(tmp_path, "path\n1.jpg\n"), scale=scale)


def test_a_manifest_has_splits(tmp_path: Path) -> None:
    """The column decides; a wrong name is answered with those there are."""
    path = manifest(tmp_path, "path,split\n1.jpg,train\n2.jpg,test\n")

    assert ids(manifest=path, split="test") == ["2.jpg"]
    with pytest.raises(ConfigError, match="has no split 'val'; splits: test, train"):
        ids(manifest=path, split="val")


def test_a_manifests_paths_can_be_relative_to_another_folder(tmp_path: Path) -> None:
    """A folder given as path is where its pictures are."""
    path = manifest(tmp_path, "path\n1.jpg\n")
    pictures = touch(tmp_path / "pictures", "1.jpg")

    (image,) = Folder(path=str(pictures), manifest=path).items()

    assert image.source == pictures / "1.jpg"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has the columns nothing; expected each once, 'path' among them"),
        ("file,label\n1.jpg,joy\n", "has the columns file, label; expected"),
        ("path\n", "names no pictures"),
        (
            "path,valence\n1.jpg,0\n2.jpg,1.5\n",
            r"line 3 of '.*m.csv': valence is '1.5'; expected a number in \[-1, 1\]",
        ),
        ("path,arousal\n1.jpg,high\n", r"line 2 of '.*m.csv': arousal is 'high'"),
        ("path,arousal\n1.jpg,inf\n", r"line 2 of '.*m.csv': arousal is 'inf'"),
        (
            "valence,arousal\n0,0\n",
            "'path' among them; to ask about these ratings without pictures add dataset=manifest$",
        ),
        ("label,arousal\nfear,0\n", "'path' among them$"),
        ("path,label\n1.jpg\n", "line 2 of '.*m.csv' has 1 cells; expected 2: path, label"),
        ("path,label\n,joy\n", "line 2 of '.*m.csv' has no path"),
        ("path\n1.jpg\n1.jpg\n", "line 3 of '.*m.csv' repeats '1.jpg' of line 2"),
        ("path,valence\n1.jpg,7\n", r"expected a number in \[-1, 1\] or nothing; for ratings from 1 to 9 add"),
        ("path,left,top,right,bottom\n1.jpg,5,0,5,9\n", "line 2 .* are '5', '0', '5', '9'; expected four numbers that"),
        ("path,left,top\n1.jpg,5,0\n", "line 2 .* are '5', '0', '', ''; expected four numbers"),
    ],
)
def test_a_wrong_manifest_is_told_by_line(tmp_path: Path, text: str, message: str) -> None:
    """All lines are checked before the first picture is read."""
    with pytest.raises(ConfigError, match=message):
        ids(path=manifest(tmp_path, text))


def test_a_manifest_that_is_missing_or_not_in_utf8_is_told(tmp_path: Path) -> None:
    """Both name the file."""
    (tmp_path / "latin.csv").write_bytes("path\nä.jpg\n".encode("latin-1"))

    with pytest.raises(ConfigError, match=r"^'.*none.csv' cannot be read: no such file"):
        ids(manifest=str(tmp_path / "none.csv"))
    with pytest.raises(ConfigError, match=r"^'.*latin.csv' is not in UTF-8"):
        ids(manifest=str(tmp_path / "latin.csv"))


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="this system has no links")
def test_links_that_lead_in_circles_do_no_harm(tmp_path: Path) -> None:
    """Links to folders are not followed, and counted."""
    touch(tmp_path, "1.jpg")
    (tmp_path / "again").symlink_to(tmp_path)

    folder = Folder(path=str(tmp_path))

    assert ([image.id for image in folder.items()], folder.left_out()) == (["1.jpg"], {"link to a folder": 1})


def test_the_samples_are_four_pictures_that_can_be_read() -> None:
    """They come with installed packages; nothing is fetched."""
    found = list(Samples().items())

    assert [image.id for image in found] == ["astronaut", "grace_hopper", "chelsea", "minduka"]
    for image in found:
        assert isinstance(image.source, Path)
        assert images.read(image.source)[0].shape[2] == 3


@pytest.mark.parametrize("option", ["path", "split"])
def test_the_samples_take_neither_path_nor_split(option: str) -> None:
    """Such an option would do nothing; it is refused."""
    with pytest.raises(ConfigError, match=f"dataset 'samples' takes no {option}, found 'x'; for other pictures: "):
        Registry.installed().build("dataset", {"name": "samples", option: "x"})
