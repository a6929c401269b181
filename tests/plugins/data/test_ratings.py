"""Ratings without pictures: what a manifest says, what a wrong one is told, and a run on one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import affectlm
from affectlm.errors import ConfigError
from affectlm.registry import Registry
from affectlm.store.records import read_records
from affectlm.testing import check_dataset
from affectlm.types import Sample, Truth
from affectlm_data.ratings import Manifest

RATED = """id,valence,arousal,label,text
glad,0.8,0.5,happiness|surprise,She smiles.
low,-0.6,-0.3,sadness,
"even, so",0,0,neutral,
"""


def table(root: Path, text: str, name: str = "ratings.csv") -> Path:
    path = root / name
    path.write_bytes(text.encode())
    return path


def samples(path: Path, **options: object) -> list[Sample]:
    return list(Manifest(path=path, **options).items())


def test_a_manifest_keeps_the_protocol_of_datasets(tmp_path: Path) -> None:
    """Unique ids, the same at every pass."""
    check_dataset(Manifest(path=table(tmp_path, RATED)))


def test_ratings_are_both_the_numbers_and_the_truth(tmp_path: Path) -> None:
    """A language model is asked about them, and a metric may compare with them."""
    first, second, third = samples(table(tmp_path, RATED))

    truth = Truth(labels=("happiness", "surprise"), valence=0.8, arousal=0.5, text=("She smiles.",))
    assert first == Sample("glad", 0.8, 0.5, truth=truth)
    assert (second.valence, second.arousal, second.truth.text) == (-0.6, -0.3, ())
    assert third.id == "even, so"


def test_json_lines_say_the_same_as_csv(tmp_path: Path) -> None:
    """Several labels may also be a list; numbers, null and missing keys are as cells are."""
    lines = [
        {"ID": "glad", "valence": 0.8, "arousal": 0.5, "label": ["happiness", "surprise"], "text": "She smiles."},
        {"id": "low", "valence": "-0.6", "arousal": -3e-1, "label": "sadness", "text": None},
        {"id": "even, so", "arousal": 0, "valence": 0, "label": "neutral"},
    ]
    text = "\r\n\r\n".join(json.dumps(line) for line in lines)

    assert samples(table(tmp_path, text, "ratings.NDJSON")) == samples(table(tmp_path, RATED))


def test_a_byte_order_mark_blank_lines_and_quoted_line_breaks_do_no_harm(tmp_path: Path) -> None:
    """Spreadsheets write such files."""
    text = '\ufeff\r\n Valence ,AROUSAL,text\r\n\r\n 0.5 ,"-1","two\r\nlines"\r\n\r\n'

    assert samples(table(tmp_path, text)) == [
        Sample("1", 0.5, -1.0, truth=Truth(valence=0.5, arousal=-1.0, text=("two\r\nlines",)))
    ]


def test_without_ids_rows_are_counted(tmp_path: Path) -> None:
    """Blank lines do not count."""
    text = "valence,arousal\n0,0\n\n0.1,0\n"
    objects = '{"valence": 0, "arousal": 0}\n\n{"id": 7, "valence": 0, "arousal": 0}\n{"valence": 0, "arousal": 0}'

    assert [sample.id for sample in samples(table(tmp_path, text))] == ["1", "2"]
    assert [sample.id for sample in samples(table(tmp_path, objects, "a.jsonl"))] == ["1", "7", "3"]


def test_columns_of_numbers_are_extra_and_columns_of_words_are_groups(tmp_path: Path) -> None:
    """One word makes a column one of words; `group` is one whatever it holds; an empty cell is absent."""
    columns = "valence,arousal,group,dominance,subject,AU12,country"
    text = f"{columns}\n0,0,1,-3.5,1,,-inf\n0,0,2,7e2,s2,0.25,Inf\n0,0,,,,,Peru\n"

    first, second, third = samples(table(tmp_path, text))

    assert (first.extra, first.truth.group) == ({"dominance": -3.5}, {"group": "1", "subject": "1", "country": "-inf"})
    assert second.extra == {"dominance": 700.0, "au12": 0.25}
    assert second.truth.group == {"group": "2", "subject": "s2", "country": "Inf"}
    assert (third.extra, third.truth.group) == ({}, {"country": "Peru"})


@pytest.mark.parametrize("missing", ["", " ", "NA", "N/A", "n/a", "NaN", "nan"])
def test_a_cell_that_says_nothing_is_known_is_absent(tmp_path: Path, missing: str) -> None:
    """A number stays a number where others are missing; a label, a text and a group are not called NA."""
    text = "id,valence,arousal,label,text,au12,subject\n"
    rows = f"{missing},0,0,joy|{missing},{missing},{missing},{missing}\nb,0,0,{missing},,0.5,s2\n"
    line = {"id": missing, "valence": 0, "arousal": 0, "label": ["joy", missing], "text": missing, "subject": missing}
    as_json = f"{json.dumps(line)}\n" + '{"id": "b", "valence": 0, "arousal": 0, "au12": 0.5, "subject": "s2"}'

    found = samples(table(tmp_path, text + rows))

    assert found == samples(table(tmp_path, as_json, "ratings.jsonl"))
    assert [(each.id, each.truth.labels, each.truth.text, each.extra, each.truth.group) for each in found] == [
        ("1", ("joy",), (), {}, {}),
        ("b", (), (), {"au12": 0.5}, {"subject": "s2"}),
    ]


def test_further_numbers_keep_their_unit(tmp_path: Path) -> None:
    """The scale is that of valence and arousal only; the ends of it become -1 and 1."""
    text = "valence,arousal,dominance\n1,9,9\n5,3,1\n"

    found = samples(table(tmp_path, text), scale=[1, 9])

    assert [(sample.valence, sample.arousal, sample.extra["dominance"]) for sample in found] == [
        (-1.0, 1.0, 9.0),
        (0.0, -0.5, 1.0),
    ]
    assert [(sample.truth.valence, sample.truth.arousal) for sample in found] == [(-1.0, 1.0), (0.0, -0.5)]


def test_a_split_is_a_value_of_its_column(tmp_path: Path) -> None:
    """Rows keep the ids they have in the whole file; a wrong name is answered with those there are."""
    path = table(tmp_path, "valence,arousal,split\n0,0,train\n0,0,test\n0,0,\n0,0,test\n")

    assert [sample.id for sample in samples(path, split="test")] == ["2", "4"]
    with pytest.raises(ConfigError, match="has no split 'val'; splits: test, train"):
        samples(path, split="val")


def test_a_bare_word_of_the_command_line_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such words arrive as a list of one; a tilde is the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    table(tmp_path, RATED)

    assert len(samples(["~/ratings.csv"])) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has the columns nothing; expected each once, 'valence' and 'arousal' among them"),
        ("id,valence\na,0\n", "has the columns id, valence; expected"),
        ("valence,arousal, Valence\n0,0,0\n", "has the columns valence, arousal, valence; expected each once"),
        ("valence,arousal\n\n", "manifest '.*' has no ratings; expected one line per face"),
        ("valence,arousal\n0,0\n0,\n", r"^line 3 of '.*': arousal is missing; expected a number in \[-1, 1\]$"),
        ("valence,arousal\n0,nan\n", r"^line 2 of '.*': arousal is missing; expected a number in \[-1, 1\]$"),
        ("valence,arousal\n-inf,0\n", "^line 2 of '.*': valence is '-inf'; expected a number"),
        ("valence,arousal\n0,0\n0_1,0\n", "^line 3 of '.*': valence is '0_1'; expected a number"),
        ("valence,arousal\n7,0\n", r"valence is '7'; .* for ratings from 1 to 9 add dataset.scale=\[1,9\]"),
        ("valence,arousal\n0,0,0\n", "^line 2 of '.*' has 3 cells; expected 2: valence, arousal"),
        ("valence,arousal,au1\n0,0,1\n0,0,inf\n", "^line 3 of '.*': au1 is 'inf'; expected a finite number or nothing"),
        ("valence,arousal,\n0,0,1\n", "has a column without a name; name it or leave it out"),
        ("id,valence,arousal\na,0,0\n\na,0,0\n", "^line 4 of '.*' has the id 'a' of line 2"),
        ('valence,arousal\n0,"0\n', "^line 2 of '.*' is not valid CSV: unexpected end of data"),
    ],
)
def test_a_wrong_csv_is_told_by_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    """All of it is checked before anything is asked."""
    with pytest.raises(ConfigError, match=message):
        Manifest(path=table(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no ratings"),
        ('{"valence": 0', r"^line 1 of '.*' is not JSON: expecting ',' delimiter, at character 14$"),
        ("\n[0, 0]", "^line 2 of '.*' is not an object; expected one per line: "),
        ("3", "^line 1 of '.*' is not an object"),
        ("[" * 100_000, "^line 1 of '.*' is nested too deeply"),
        ('{"valence": 0, "Valence ": 1}', "^line 1 of '.*' has 'valence' twice; expected each key once"),
        ('{"arousal": 0}', "^line 1 of '.*': valence is missing; expected a number"),
        ('{"valence": 0, "arousal": NaN}', "^line 1 of '.*': arousal is missing; expected a number"),
        ('{"valence": true, "arousal": 0}', "^line 1 of '.*': valence is 'true'; expected a number"),
        ('{"valence": 0, "arousal": 1e999}', "^line 1 of '.*': arousal is '1e999'; expected a number"),
        ('{"valence": 0, "arousal": 0, "a": ' + "9" * 5000 + "}", "^line 1 of '.*': a is '9*'; expected a finite"),
        ('{"valence": 0, "arousal": 0, "a": {"b": 1}}', "^line 1 of '.*': a is an object; expected text or a number$"),
        ('{"valence": 0, "arousal": 0, "a": []}', "^line 1 of '.*': a is a list; expected text or a number$"),
        ('{"valence": 0, "arousal": 0, "label": ["a|b"]}', "label is a list; .*, or a list of texts without '|'"),
    ],
)
def test_wrong_json_lines_are_told_by_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    """As wrong CSV is."""
    with pytest.raises(ConfigError, match=message):
        Manifest(path=table(tmp_path, text, "ratings.jsonl"))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Missing, of unknown form, or in another encoding, of which the first line is named."""
    latin = tmp_path / "latin.csv"
    latin.write_bytes("valence,arousal,text\n0,0,a\n0,0,ä\n".encode("latin-1"))

    with pytest.raises(ConfigError, match=r"^'.*none.csv' cannot be read: no such file"):
        Manifest(path=tmp_path / "none.csv")
    with pytest.raises(ConfigError, match=r"manifest '.*a.xlsx' has an unknown format; expected a .csv, .jsonl"):
        Manifest(path=tmp_path / "a.xlsx")
    with pytest.raises(ConfigError, match=r"^'.*latin.csv' is not in UTF-8, first in line 3; save it in UTF-8"):
        Manifest(path=latin)
    with pytest.raises(ConfigError, match=r"^the dataset has no path; set dataset\.path"):
        Registry.installed().build("dataset", {"name": "manifest", "path": None})


def test_the_file_is_not_kept_in_memory(tmp_path: Path) -> None:
    """Each pass reads it again, so that only ids grow with it."""
    path = table(tmp_path, "valence,arousal,au1\n0,0,1\n")
    manifest = Manifest(path=path)
    table(tmp_path, "valence,arousal,au1\n0.5,0,2\n")

    assert [(sample.valence, sample.extra) for sample in manifest.items()] == [(0.5, {"au1": 2.0})]


def test_a_language_model_is_asked_about_ratings(tmp_path: Path) -> None:
    """The whole line runs on a manifest and judges the answers by its labels."""
    words = ("llm=circumplex", "dataset=manifest", f"dataset.path={table(tmp_path, RATED)}")

    report = affectlm.run("+experiment=basic", *words, "dataset.limit=2", f"hydra.run.dir={tmp_path / 'run'}")

    records = list(read_records(tmp_path / "run"))
    assert [(record.id, record.answer, record.image) for record in records] == [
        ("glad", "happiness", ""),
        ("low", "sadness", ""),
    ]
    assert report.score("accuracy").value == 1.0
    assert records[0].truth.text == ("She smiles.",)


def test_asking_about_ratings_opens_no_picture_and_imports_no_torch(tmp_path: Path) -> None:
    """Neither detector nor estimator is built."""
    program = (
        "import sys, affectlm, affectlm.jobs.run\n"
        "from affectlm.line import images\n"
        "images.read = None\n"
        "affectlm.run('+experiment=basic', 'llm=circumplex', 'dataset=manifest', *sys.argv[1:])\n"
        "print(sorted({'torch', 'transformers', 'cv2', 'affectlm_facechannel.estimator'} & set(sys.modules)))\n"
    )
    words = [f"dataset.path={table(tmp_path, RATED)}", f"hydra.run.dir={tmp_path / 'run'}"]

    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)

    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_pictures_cannot_be_had_from_ratings(tmp_path: Path) -> None:
    """va=estimated is told in one sentence what to type."""
    words = ("llm=circumplex", "detector=whole", "estimator=constant", "dataset=manifest", "dataset.va=estimated")

    with pytest.raises(ConfigError, match=r"^this dataset holds ratings and no pictures; add dataset\.va=truth$"):
        affectlm.run(*words, f"dataset.path={table(tmp_path, RATED)}", f"hydra.run.dir={tmp_path / 'run'}")
