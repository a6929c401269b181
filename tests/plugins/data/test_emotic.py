"""EMOTIC: who is in the tables and in Annotations.mat, what is known of them, and what a wrong file is told."""

from __future__ import annotations

import csv
import json
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from scipy.io import savemat

from affectlm.affect.taxonomies import EMOTIC as CATEGORIES
from affectlm.errors import ConfigError
from affectlm.jobs.run import run
from affectlm.offers import Component
from affectlm.registry import Registry
from affectlm.store.records import read_records
from affectlm.testing import BrightnessEstimator, PlainPrompt, ScriptedLLM, WholeDetector, check_dataset
from affectlm.types import Box, Image, Outcome, Truth
from affectlm_data.emotic.dataset import EMOTIC
from affectlm_data.emotic.definitions import DEFINITIONS, find_label
from tests.conftest import Compose

COLUMNS = (
    "Index",
    "Folder",
    "Filename",
    "Image Size",
    "BBox",
    "Categorical_Labels",
    "Continuous_Labels",
    "Gender",
    "Age",
)
CAPTIONS = ("Image name", "Human annotated emotion", "Full caption", "Minus interactions", "Minus environments")


def row(**changes: str) -> dict[str, str]:
    return {
        "Index": "0",
        "Folder": "mscoco/images",
        "Filename": "a.jpg",
        "Image Size": "[640, 480]",
        "BBox": "[86, 58, 564, 628]",
        "Categorical_Labels": "['Disconnection', 'Doubt/Confusion']",
        "Continuous_Labels": "[10, 1, 9]",
        "Gender": "Male",
        "Age": "Adult",
    } | changes


def table(root: Path, *rows: dict[str, str], name: str = "test.csv") -> Path:
    root.mkdir(exist_ok=True)
    with (root / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return root


def people(root: Path, **options: Any) -> list[Image]:
    return list(EMOTIC(path=root, **options).items())


def cells(*values: object) -> np.ndarray:
    """A row of MATLAB cells."""
    found = np.empty((1, len(values)), dtype=object)
    found[0, :] = [None] * len(values)
    for place, value in enumerate(values):
        found[0, place] = value
    return found


def structures(*values: dict[str, Any]) -> np.ndarray:
    """A row of MATLAB structures with the same fields."""
    found = np.empty((1, len(values)), dtype=[(name, object) for name in values[0]])
    for place, value in enumerate(values):
        found[0, place] = tuple(value.values())
    return found


def rated(valence: float, arousal: float, dominance: float) -> dict[str, Any]:
    return {"worker_id": "w", "dominance": dominance, "valence": valence, "arousal": arousal}


def named_train(**changes: object) -> dict[str, Any]:
    return {
        "age": "Adult",
        "gender": "Female",
        "annotations_continuous": structures(rated(7, 4, 6)),
        "annotations_categories": structures({"worker_id": "w", "categories": cells("Affections", "Peace")}),
        "bbox": np.array([10.0, 20, 110, 220]),
    } | changes


def named_test(**changes: object) -> dict[str, Any]:
    return {
        "bbox": np.array([-5.0, 20, 110, 220]),
        "annotations_categories": structures({"categories": cells("Fear")}, {"categories": cells("Fear", "Pain")}),
        "combined_categories": cells("Fear", "Pain"),
        "annotations_continuous": structures(rated(2, 8, 3), rated(3, 9, 2)),
        "combined_continuous": structures(rated(2.5, 8.5, 2.5)),
        "gender": "Male",
        "age": "Kid",
    } | changes


def picture(*persons: dict[str, Any]) -> dict[str, Any]:
    return {
        "filename": "a.jpg",
        "folder": "framesdb/images",
        "image_size": structures({"n_col": 640.0, "n_row": 480.0}),
        "original_database": structures({"name": "framesdb"}),
        "person": structures(*persons),
    }


def mat(root: Path, **splits: object) -> Path:
    savemat(root / "Annotations.mat", splits)
    return root


@pytest.mark.parametrize(("split", "count"), [("train", 23266), ("val", 3315), ("test", 7203)])
def test_the_published_tables_hold_the_published_number_of_people(data: Path, split: str, count: int) -> None:
    """Nobody is lost or added, repeated rows included, so that figures compare with others'."""
    dataset = EMOTIC(path=data / "emotic", split=split)

    check_dataset(dataset)
    assert dataset.describe()["rows"] == dataset.describe()["people"] == str(count)
    assert {label for image in dataset.items() for label in image.truth.labels} == set(CATEGORIES)


def test_the_test_split_has_76_pairs_of_valence_and_arousal(data: Path) -> None:
    """Whole-number ratings: figures cluster by prompt, not by person."""
    truths = [image.truth for image in people(data / "emotic")]

    assert len({(truth.valence, truth.arousal) for truth in truths}) == 76
    assert EMOTIC(path=data / "emotic").describe()["repeated"] == "1"


def test_a_row_says_who_and_where(tmp_path: Path) -> None:
    """Valence comes first; (x - 5.5) / 4.5; labels in lower case; the picture need not be there."""
    (image,) = people(table(tmp_path, row()), split="test")

    assert image == Image(
        "test/00000",
        tmp_path / "mscoco/images/a.jpg",
        Truth(
            labels=("disconnection", "doubt/confusion"),
            valence=1.0,
            arousal=-1.0,
            text=(DEFINITIONS["disconnection"], DEFINITIONS["doubt/confusion"]),
            group={"gender": "male", "age": "adult", "image": "a.jpg"},
        ),
        Box(86, 58, 564, 628),
    )
    assert image.source == tmp_path / "mscoco/images/a.jpg"


def test_ratings_between_whole_numbers_are_scaled(tmp_path: Path) -> None:
    """A mean over annotators is no whole number."""
    (image,) = people(table(tmp_path, row(Continuous_Labels="[6.25, 5.5, 1.0]")))

    assert (image.truth.valence, image.truth.arousal) == pytest.approx(((6.25 - 5.5) / 4.5, 0))


def test_spellings_seen_in_the_wild_are_one_label(tmp_path: Path) -> None:
    """Case, slash and two misspellings; a label given twice counts once."""
    written = "['affections', 'Disquitement', 'Doubt Confusion', 'DOUBT/CONFUSION', \"Peace\"]"

    (image,) = people(table(tmp_path, row(Categorical_Labels=written)))

    assert image.truth.labels == ("affection", "disquietment", "doubt/confusion", "peace")


def test_every_category_is_defined_once() -> None:
    """26 different definitions, in the order of the published numbers, none of which gives its own category away."""
    assert tuple(DEFINITIONS) == CATEGORIES
    assert len(set(DEFINITIONS.values())) == 26
    assert CATEGORIES[9] == "doubt/confusion"
    for label, definition in DEFINITIONS.items():
        assert not any(part[:5] in definition.lower() for part in label.split("/"))
    assert all(find_label(label) == label for label in CATEGORIES)


def test_people_without_labels_or_ratings_are_left_out_and_counted(tmp_path: Path) -> None:
    """As the usual conversion does; numbers go to those who stay."""
    rows = [
        row(Categorical_Labels="[]"),
        row(Continuous_Labels="[nan, 4, 5]"),
        row(Continuous_Labels="[]"),
        row(Categorical_Labels="NA"),
        row(Categorical_Labels="[nan]"),
        row(Continuous_Labels="N/A"),
        row(Continuous_Labels="[5, NA, 5]"),
        row(Filename="b.jpg"),
        row(Filename="b.jpg"),
    ]
    dataset = EMOTIC(path=table(tmp_path, *rows))

    assert [image.id for image in dataset.items()] == ["test/00000", "test/00001"]
    assert dataset.describe() == {
        "rows": "9",
        "people": "2",
        "repeated": "1",
        "without_labels": "3",
        "without_ratings": "4",
    }


@pytest.mark.parametrize(
    ("written", "box"),
    [
        ("[-4, 0, 700, 9]", Box(-4, 0, 700, 9)),
        ("[30, 40, 10, 20]", Box(10, 20, 30, 40)),
        ("[5, 5, 5, 5]", Box(5, 5, 6, 6)),
    ],
)
def test_every_box_is_a_rectangle(tmp_path: Path, written: str, box: Box) -> None:
    """It may leave the picture; corners are put in order, and an empty box gets a pixel."""
    assert people(table(tmp_path, row(BBox=written)))[0].region == box


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Categorical_Labels": "['Joy']"}, r"line 2 of '.*' has the label 'Joy', not one of EMOTIC's 26"),
        ({"Categorical_Labels": "Peace"}, "categorical_labels is 'Peace'; expected a list in brackets"),
        ({"Categorical_Labels": "[__import__('os').remove('x')]"}, "not one of EMOTIC's 26"),
        ({"Continuous_Labels": "[0.7, 4, 5]"}, r"valence is 0\.7; expected a number in \[1, 10\]"),
        ({"Continuous_Labels": "[7, 4]"}, r"continuous_labels is '\[7, 4\]'; expected 3 numbers"),
        ({"Continuous_Labels": "[7, high, 4]"}, "expected 3 numbers"),
        ({"BBox": "[]"}, r"the box is \[\]; expected left, top, right, bottom"),
        ({"BBox": "[nan, 0, 1, 1]"}, r"the box is \[nan, 0\.0"),
    ],
)
def test_a_wrong_cell_is_told_by_line(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    """Nothing is guessed, and nothing in a cell is run."""
    with pytest.raises(ConfigError, match=message):
        people(table(tmp_path, row(**changes)))


@pytest.mark.parametrize(
    ("folder", "file"),
    [("../mscoco", "a.jpg"), ("mscoco", "../../a.jpg"), ("/etc", "passwd"), ("", "/a.jpg"), (r"C:\x", "a"), ("x", "")],
)
def test_a_table_names_no_picture_outside_the_pictures_folder(tmp_path: Path, folder: str, file: str) -> None:
    """Somebody else's table must not choose which files of this machine are opened, or shown to a service."""
    with pytest.raises(ConfigError, match=r"^line 2 of '.*': the picture is '.*'; expected a path inside the"):
        people(table(tmp_path, row(Folder=folder, Filename=file)))


def test_a_picture_may_lie_in_no_folder_or_be_written_as_on_windows(tmp_path: Path) -> None:
    """An empty folder leads not to the root of the disk."""
    root = table(tmp_path, row(Folder=""), row(Folder="mscoco\\images"))

    assert [image.source for image in people(root)] == [tmp_path / "a.jpg", tmp_path / "mscoco/images/a.jpg"]


def test_a_table_of_another_split_is_refused(tmp_path: Path) -> None:
    """Its people would be reported as those of the split that was asked for; a name of one's own says nothing."""
    table(tmp_path, row(), name="train.csv")
    table(tmp_path, row(), name="mine.csv")

    with pytest.raises(ConfigError, match=r"train\.csv' is not the table of split 'test'; add dataset\.split=train$"):
        people(tmp_path / "train.csv")
    assert people(tmp_path / "train.csv", split="train")[0].id == "train/00000"
    assert people(tmp_path / "mine.csv")[0].id == "test/00000"


@pytest.mark.parametrize("given", ["", "emotic", "emotic_pre", "emotic_pre/test.csv"])
def test_pictures_are_found_where_the_usual_conversion_has_them(tmp_path: Path, given: str) -> None:
    """In `emotic`, beside the tables' folder; with only the pictures there, that is where they are looked for."""
    table(tmp_path / "emotic_pre", row())
    (tmp_path / "emotic/mscoco/images").mkdir(parents=True)
    if given == "emotic":
        table(tmp_path / "emotic", row())

    assert people(tmp_path / given)[0].source == tmp_path / "emotic/mscoco/images/a.jpg"


def test_several_paths_are_refused(tmp_path: Path) -> None:
    """They would be taken for one strange name."""
    with pytest.raises(ConfigError, match=r"^the dataset has 2 paths, a, b; expected one$"):
        EMOTIC(path=["a", "b"])


def test_definitions_are_one_text_a_label(tmp_path: Path) -> None:
    """In the order of the labels."""
    (image,) = people(table(tmp_path, row()))

    assert image.truth.text == (DEFINITIONS["disconnection"], DEFINITIONS["doubt/confusion"])


def test_the_texts_of_truth_say_what_they_are(tmp_path: Path) -> None:
    """A figure beside a list of labels is none beside what people wrote."""
    listed = EMOTIC(path=table(tmp_path, row()), reference="labels")

    assert [image.truth.text for image in listed.items()] == [("disconnection, doubt/confusion",)]
    assert listed.human_text == "the list of the person's labels"
    assert EMOTIC(path=table(tmp_path, row())).human_text.startswith("the definitions of the person's labels")


def captions(root: Path, *rows: tuple[str, str, str], delimiter: str = ",") -> Path:
    with (root / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(CAPTIONS)
        writer.writerows([*each, each[2], each[2]] for each in rows)
    return root / "captions.csv"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_captions_belong_to_the_only_person_they_fit(tmp_path: Path, delimiter: str) -> None:
    """By the gender stated, then by the emotion; what stays open is counted, and who has no caption is left out."""
    root = table(
        tmp_path,
        row(Filename="one.jpg", Gender="Female"),
        row(Filename="pair.jpg", Gender="Male", Categorical_Labels="['Peace']"),
        row(Filename="pair.jpg", Gender="Female", Categorical_Labels="['Peace']"),
        row(Filename="two.jpg", Categorical_Labels="['Pain']"),
        row(Filename="two.jpg", Categorical_Labels="['Doubt/Confusion']"),
        row(Filename="unwritten.jpg"),
    )
    file = captions(
        root,
        ("one_1.jpg", "Fear", "Ida is a female adult; she frowns."),
        ("one_1.jpg", "Fear", "Ida, a woman, is looking down."),
        ("one_1.jpg", "Fear", "Ole is a Male Adult."),
        ("pair_2.jpg", "Sadness", "Ida is a Female Adult."),
        ("two_2.jpg", "Pain/Suffering - Physical", "Ole is a Male Adult."),
        ("two_2.jpg", "Anger", "Ole is a Male Child."),
        ("elsewhere_1.jpg", "Anger", "Ole is a Male Adult."),
        delimiter=delimiter,
    )
    dataset = EMOTIC(path=root, reference="captions", captions=file)

    assert {image.id: image.truth.text for image in dataset.items()} == {
        "test/00000": ("Ida is a female adult; she frowns.", "Ida, a woman, is looking down."),
        "test/00002": ("Ida is a Female Adult.",),
        "test/00003": ("Ole is a Male Adult.",),
    }
    counts = dataset.describe()
    assert (counts["without_caption"], counts["unclear_captions"], counts["captions_elsewhere"]) == ("3", "2", "1")


def test_a_caption_may_name_the_picture_without_a_count(tmp_path: Path) -> None:
    """What ends in the number of a picture of COCO is no count."""
    root = table(tmp_path, row(Filename="COCO_val2014_000000562243.jpg"), row(Filename="frame_7.jpg"))
    file = captions(root, ("COCO_val2014_000000562243.jpg", "", "He waits."), ("frame_7_1", "", "Up."))

    found = people(root, reference="captions", captions=file)

    assert [image.truth.text for image in found] == [("He waits.",), ("Up.",)]


def test_a_caption_is_never_cut_at_a_comma(tmp_path: Path) -> None:
    """A line without quotes has too many cells, and half a caption would be compared."""
    root = table(tmp_path, row(Filename="one.jpg"))
    (root / "captions.csv").write_text("Image name,Full caption\none_1.jpg,She smiles, and waits.\n")

    with pytest.raises(ConfigError, match=r"line 2 of .* has 3 cells; expected 2: image name, full caption"):
        people(root, reference="captions", captions=root / "captions.csv")


def test_wrong_captions_are_told(tmp_path: Path) -> None:
    """Missing, of another form, and about nobody here."""
    root = table(tmp_path, row())
    (tmp_path / "other.csv").write_text("name,caption\na,b\n")

    with pytest.raises(ConfigError, match="captions=FILE go together"):
        people(root, reference="captions")
    with pytest.raises(ConfigError, match="captions=FILE go together"):
        people(root, captions=tmp_path / "other.csv")
    with pytest.raises(ConfigError, match=r"has the columns name, caption; expected each once, 'image name' and"):
        people(root, reference="captions", captions=tmp_path / "other.csv")
    with pytest.raises(ConfigError, match=r"'.*none\.csv' cannot be read: no such file"):
        people(root, reference="captions", captions=tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="are about nobody in EMOTIC's split 'test'"):
        people(root, reference="captions", captions=captions(root, ("z_1.jpg", "Fear", "Ida.")))


def test_the_official_file_gives_train_people_by_name(tmp_path: Path) -> None:
    """The order of fields, of ratings and of the picture's size does not count."""
    root = mat(tmp_path, train=structures(picture(named_train(), named_train(gender="Male"))))

    first, second = people(root, split="train")

    assert (first.id, first.source) == ("train/00000", tmp_path / "framesdb/images/a.jpg")
    assert first.truth.labels == ("affection", "peace")
    assert (first.truth.valence, first.truth.arousal) == pytest.approx((1.5 / 4.5, -1.5 / 4.5))
    assert first.region == Box(10, 20, 110, 220)
    assert (first.truth.group["gender"], first.truth.group["age"]) == ("female", "adult")
    assert second.truth.group["gender"] == "male"


def test_the_official_file_gives_what_all_annotators_said_together(tmp_path: Path) -> None:
    """Without their common word, that of each: all labels, the mean of the ratings."""
    alone = named_test(combined_categories=cells(), combined_continuous=cells())
    root = mat(tmp_path, val=structures(picture(named_test()), picture(alone)))

    together, each = people(root, split="validation")

    assert together.truth == each.truth
    assert together.truth.labels == ("fear", "pain")
    assert (together.truth.valence, together.truth.arousal) == pytest.approx((-3 / 4.5, 3 / 4.5))
    assert together.region == Box(-5, 20, 110, 220)


def test_older_names_of_fields_are_known(tmp_path: Path) -> None:
    """`body_bbox`, and gender and age in structures of their own."""
    older = named_train(
        gender=structures({"worker_id": "w", "gender": "Female"}), age=structures({"worker_id": "w", "age": "Kid"})
    )
    older["body_bbox"] = older.pop("bbox")

    (image,) = people(mat(tmp_path, train=structures(picture(older))), split="train")

    assert image.region == Box(10, 20, 110, 220)
    assert image.truth.group == {"gender": "female", "age": "kid", "image": "a.jpg"}


def by_position(*persons: np.ndarray) -> np.ndarray:
    return cells("a.jpg", "framesdb/images", np.array([640.0, 480]), "framesdb", cells(*persons))


def test_a_file_without_names_is_read_by_position(tmp_path: Path) -> None:
    """Five values a person in train, seven elsewhere."""
    box = np.array([10.0, 20, 110, 220])
    one = cells(box, cells("Fear", "Pain"), np.array([2.5, 8.5, 3]), "Male", "Kid")
    several = cells(
        box,
        cells(cells("Fear"), cells("Pain")),
        cells("Fear", "Pain"),
        np.array([[2.0, 8, 3], [3, 9, 3]]),
        np.array([2.5, 8.5, 3]),
        "Male",
        "Kid",
    )
    root = mat(tmp_path, train=cells(by_position(one, one)), test=cells(by_position(several)))

    (test,), train = people(root), people(root, split="train")

    assert len(train) == 2
    assert test.truth == train[0].truth
    assert test.truth.labels == ("fear", "pain")
    assert (test.truth.valence, test.truth.arousal) == pytest.approx((-3 / 4.5, 3 / 4.5))
    assert test.truth.group == {"gender": "male", "age": "kid", "image": "a.jpg"}


def test_tables_and_official_file_give_the_same_people(data: Path, tmp_path: Path) -> None:
    """Ids, places and truth, for the first hundred people of the test split."""
    with (data / "emotic/test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(islice(csv.DictReader(file), 100))
    pictures = []
    for (folder, file), persons in groupby(rows, key=itemgetter("Folder", "Filename")):
        entries = []
        for person in persons:
            labels, ratings = (json.loads(person[name].replace("'", '"')) for name in COLUMNS[5:7])
            said = {"categories": cells(*labels)}
            entries.append(
                named_test(
                    bbox=np.array(json.loads(person["BBox"]), dtype=float),
                    annotations_categories=structures(said, said),
                    combined_categories=cells(*labels),
                    combined_continuous=structures(rated(*ratings)),
                    gender=person["Gender"],
                    age=person["Age"],
                )
            )
        pictures.append(picture(*entries) | {"folder": folder, "filename": file})

    official = people(mat(tmp_path, test=structures(*pictures)))

    assert official == people(data / "emotic")[:100]
    assert [str(image.source) for image in official[:1]] == [str(tmp_path / rows[0]["Folder"] / rows[0]["Filename"])]


def test_the_official_file_leaves_out_whom_the_tables_leave_out(tmp_path: Path) -> None:
    """NaN ratings and no labels are counted."""
    nan = float("nan")
    unrated = named_train(annotations_continuous=structures(rated(nan, 5, 5)))
    unlabelled = named_train(annotations_categories=structures({"categories": cells()}))
    root = mat(tmp_path, train=structures(picture(unrated, unlabelled, named_train())))

    counts = EMOTIC(path=root, split="train").describe()

    assert (counts["rows"], counts["people"]) == ("3", "1")
    assert (counts["without_labels"], counts["without_ratings"]) == ("1", "1")


def test_a_wrong_official_file_is_told(tmp_path: Path) -> None:
    """Another content, another split, another field; a file of MATLAB 7.3."""
    boxless = {name: value for name, value in named_train().items() if name != "bbox"}
    mat(tmp_path, train=structures(picture(boxless)), val=cells(cells("a.jpg")))

    with pytest.raises(ConfigError, match=r"has the variables train, val; expected 'test' among them"):
        people(tmp_path)
    with pytest.raises(ConfigError, match=r"picture 1 of 'train' .* has the fields age, .*; expected 'bbox'"):
        people(tmp_path, split="train")
    with pytest.raises(ConfigError, match="has 1 values without names; expected 5, or a structure"):
        people(tmp_path, split="val")
    (tmp_path / "Annotations.mat").write_bytes(b"no such thing" * 99)
    with pytest.raises(ConfigError, match=r"cannot be read as a \.mat file"):
        people(tmp_path)
    (tmp_path / "Annotations.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    with pytest.raises(ConfigError, match=r"format 7\.3; save it again with -v7, or use the tables"):
        people(tmp_path)


def test_half_an_official_file_is_told(tmp_path: Path) -> None:
    """Wherever a download broke off."""
    whole = mat(tmp_path, test=structures(picture(named_test()))) / "Annotations.mat"
    content = whole.read_bytes()
    for length in range(0, len(content), 64):
        whole.write_bytes(content[:length])
        with pytest.raises(ConfigError):
            people(tmp_path)


@pytest.mark.parametrize("box", [cells(np.arange(4.0)), "none", structures({"x": 1.0})])
def test_a_box_that_is_no_row_of_numbers_is_told_by_place(tmp_path: Path, box: object) -> None:
    """With the picture it belongs to."""
    root = mat(tmp_path, test=structures(picture(named_test(bbox=box))))

    with pytest.raises(ConfigError, match=r"^picture 1 of 'test' in .*, 'a\.jpg': the box is \[\]; expected left, top"):
        people(root)


def test_annotations_are_found_where_people_have_them(tmp_path: Path) -> None:
    """A file itself, the converter's folder, the official folder; pictures may lie elsewhere."""
    table(tmp_path / "a", row())
    (tmp_path / "b").mkdir()
    table(tmp_path / "b" / "emotic_pre", row())
    (tmp_path / "c" / "Annotations").mkdir(parents=True)
    mat(tmp_path / "c" / "Annotations", test=structures(picture(named_test())))

    assert people(tmp_path / "a" / "test.csv")[0].source == tmp_path / "a/mscoco/images/a.jpg"
    assert people(tmp_path / "b")[0].source == tmp_path / "b/mscoco/images/a.jpg"
    assert people(tmp_path / "c", images=tmp_path)[0].source == tmp_path / "framesdb/images/a.jpg"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": None}, "the dataset has no path; set dataset.path to its file or folder"),
        ({"split": "dev"}, "split 'dev' is unknown; expected train, val, validation, test"),
        ({"split": "train"}, r"found none of train\.csv, emotic_pre/train\.csv, .*; set dataset\.path"),
        ({"reference": "poems"}, "reference is 'poems'; expected labels, definitions, captions"),
        ({"images": "/nowhere/at/all"}, "images '/nowhere/at/all' is not a folder"),
    ],
)
def test_a_wrong_choice_is_told(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """Before the first picture is read."""
    with pytest.raises(ConfigError, match=message):
        EMOTIC(**{"path": table(tmp_path, row()), **options})


def test_a_run_asks_about_the_annotators_ratings_without_pictures(
    compose: Compose, fresh_cache: Path, data: Path, tmp_path: Path
) -> None:
    """dataset.va=truth; the report says how many rows there were."""
    registry = Registry.installed()
    mine = Registry([])
    mine.components = [
        *(each for each in registry.components if each.kind != "dataset"),
        Component("dataset", "emotic", "test", EMOTIC),
    ]
    options = {"name": "emotic", "path": str(data / "emotic"), "split": "test", "limit": 3, "va": "truth"}
    config = compose("llm=circumplex", "prompt=categories") | {"dataset": options}

    report = run(config, tmp_path / "run", registry=mine)

    first: Any
    first, *others = read_records(tmp_path / "run")
    assert (first.id, first.valence, first.arousal) == (
        "test/00000",
        pytest.approx(1.5 / 4.5),
        pytest.approx(-1.5 / 4.5),
    )
    assert len(others) == 2
    components: Any = report.components
    assert components["dataset"]["rows"] == "7203"


def test_a_picture_that_is_not_there_is_an_outcome(compose: Compose, fresh_cache: Path, tmp_path: Path) -> None:
    """Others are looked at; the face is looked for inside the body."""
    (tmp_path / "mscoco/images").mkdir(parents=True)
    PIL.Image.new("RGB", (640, 480), "grey").save(tmp_path / "mscoco/images/a.jpg")
    root = table(tmp_path, row(BBox="[0, 0, 640, 480]"), row(Filename="gone.jpg"))
    parts = {
        "dataset": EMOTIC(path=root),
        "detector": WholeDetector(),
        "estimator": BrightnessEstimator(),
        "llm": ScriptedLLM(),
        "prompt": PlainPrompt(),
    }
    mine = Registry([])
    mine.components = [Component(kind, "fake", "test", lambda part=part, **_: part) for kind, part in parts.items()]
    config = compose("metric=null") | {kind: {"name": "fake"} for kind in parts}
    config["dataset"] = {"name": "fake", "limit": None, "va": "estimated"}

    report = run(config, tmp_path / "run", registry=mine)

    assert report.outcomes == {"ok": 1, "unreadable_image": 1}
    lost = next(each for each in read_records(tmp_path / "run") if each.outcome is Outcome.UNREADABLE_IMAGE)
    assert (lost.id, lost.truth.group["image"]) == ("test/00001", "gone.jpg")
