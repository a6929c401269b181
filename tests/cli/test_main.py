"""The command as a user types it: exit status, speed, messages, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from affectlm.store.records import read_records, read_report
from tests.conftest import Command
from tests.foreground import INTERRUPTIBLE

COMMAND = [sys.executable, "-m", "affectlm"]
QUICK = ["llm=circumplex", "detector=whole"]
MANY = 100  # pictures, of which some are left when Ctrl-C is pressed
HEAVY = ("numpy", "torch", "transformers", "cv2")


@pytest.fixture
def own_process(tmp_path: Path) -> Command:
    """Runs the command in an empty folder and a process of its own, whose libraries look at its variables."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "AFFECTLM_CACHE": str(tmp_path / "cache"), **environment}
        return subprocess.run(
            [*COMMAND, *words], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=300
        )

    return run


@pytest.mark.parametrize("words", [["--help"], ["plugins"], ["--version"], ["weights"], ["cache"]])
def test_light_commands_import_nothing_heavy_and_little_else(tmp_path: Path, words: list[str]) -> None:
    """A listing must not wait for torch, nor for hundreds of modules; Python itself and its site take about 70."""
    code = (
        "import sys\nfrom affectlm.cli.main import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        f"finally:\n    print(len(sys.modules), *[n for n in {HEAVY!r} if n in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    count, *heavy = done.stderr.splitlines()[-1].split()
    assert heavy == []
    assert int(count) < 350


def test_help_shows_choices_and_settings(command: Command) -> None:
    """One page tells what can be typed."""
    text = command("--help").stdout

    assert "affectlm demo" in text
    assert "affectlm evaluate" in text
    assert "estimator: constant, emonet" in text
    assert "one face per picture" in text
    assert "max_requests" in text


def test_version_is_affectlms(command: Command) -> None:
    """Not Hydra's."""
    assert command("--version").stdout.startswith("affectlm 0.")


def test_plugins_as_json_has_the_columns_of_the_contract(command: Command) -> None:
    """Scripts read them."""
    rows = json.loads(command("plugins", "--json").stdout)

    assert set(rows[0]) == {"name", "kind", "plugin", "distribution", "version", "status", "error"}
    assert {"facechannel", "smollm2", "yunet"} <= {row["name"] for row in rows}


def test_weights_are_listed_with_licence_and_presence(command: Command) -> None:
    """What will be fetched, from where, on what terms."""
    rows = {row["name"]: row for row in json.loads(command("weights", "list", "--json").stdout)}

    assert rows["facechannel"]["status"] == "present"
    assert rows["smollm2"]["licence"] == "Apache-2.0"
    assert len(rows["yunet"]["digest"]) == 64
    assert rows["yunet"]["status"] == "present"


def test_committed_weights_verify(command: Command) -> None:
    """The file is what the code says."""
    done = command("weights", "verify", "facechannel")

    assert (done.returncode, "verified" in done.stdout) == (0, True)


def test_doctor_names_what_is_missing_and_fetches_nothing(own_process: Command, pictures: Path) -> None:
    """Exit status 1 with the sentence that the run would end with."""
    done = own_process("doctor", f"dataset.path={pictures}", "llm=llama3", "--json", HF_HOME=str(pictures / "hf"))

    rows = {row["item"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert rows["estimator facechannel"]["status"] == "ok"
    assert "HF_TOKEN" in rows["llm transformers"]["detail"]


def test_a_run_on_the_default_detector_says_nothing_but_its_results(command: Command, tmp_path: Path) -> None:
    """Nothing surprising was chosen, so nothing is told."""
    done = command("demo", "llm=circumplex", "hydra.run.dir=run", AFFECTLM_OFFLINE="1")

    assert (done.returncode, done.stderr) == (0, "")
    components: Any = read_report(tmp_path / "run").components
    assert components["detector"]["chosen"] == "yunet"


def test_a_run_with_and_without_plus_prints_where_its_files_are(
    command: Command, pictures: Path, tmp_path: Path
) -> None:
    """The words of the first page work."""
    plain = command(str(pictures), *QUICK, "hydra.run.dir=a")
    plus = command(str(pictures), "+llm=circumplex", "+detector=whole", "+estimator=facechannel", "hydra.run.dir=b")

    assert plain.returncode == plus.returncode == 0, plain.stderr + plus.stderr
    assert "3 records: 3 ok" in plain.stdout
    assert {path.name for path in (tmp_path / "a").iterdir()} >= {
        *("records.jsonl", "report.json", "report.md", "report.html", ".hydra")
    }
    components: Any = read_report(tmp_path / "b").components
    assert components["llm"]["name"] == "circumplex"


def test_the_folder_of_one_run_is_no_picture_of_the_next(command: Command, pictures: Path) -> None:
    """Runs in the pictures' own folder find the same pictures again."""
    for _ in range(2):
        done = command(str(pictures), *QUICK, f"hydra.run.dir={pictures}/out/${{now:%f}}")
        assert "3 records" in done.stdout, done.stderr


def test_a_sweep_makes_one_run_for_each_choice(command: Command, pictures: Path, tmp_path: Path) -> None:
    """Hydra's -m."""
    done = command("-m", str(pictures), *QUICK, "style=words,numbers", "hydra.sweep.dir=sweep")

    assert done.returncode == 0, done.stderr
    configs: list[Any] = [read_report(tmp_path / "sweep" / number).config for number in "01"]
    assert [config["prompt"]["style"] for config in configs] == ["words", "numbers"]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["demoo"], 2, "did you mean 'affectlm demo'?"),
        (["estimator=facechanell"], 1, "did you mean 'estimator=facechannel'?"),
        (["+estimator.colour=1", "PICTURES"], 1, "options:"),
        (["lm=circumplex"], 2, "did you mean 'llm=circumplex'?"),
        (["+dry_runn=true", "llm=gpt4o"], 2, "did you mean 'dry_run=true'?"),
        (["++nonsense=1"], 2, "there is no setting or group 'nonsense'; known: dataset, detector"),
        (["privacy.send_image=true"], 2, "'privacy' has no setting 'send_image'; known: send_images"),
        (["train", "llm=smollm2"], 2, "there is no setting or group 'llm'; known: dataset, estimator"),
        (["evaluate", "batchsize=2"], 2, "did you mean 'batch_size=2'?"),
        (
            ["hydra.run.dir=empty/file/run", "PICTURES"],
            1,
            "empty/file/run' cannot be written: Not a directory; set hydra",
        ),
        (["-m", "seed=1,2", "hydra.sweep.dir=empty/file", "PICTURES"], 1, "cannot be written"),
        (["-m", "seed=1,2", "hydra.sweep.dir=empty", "PICTURES", *QUICK], 1, "empty/1' cannot be written"),
        (["estimator=constant", "estimator.valence=nan", "PICTURES", *QUICK], 1, "'estimator.valence' is not a finite"),
        (["--run", "--info", "PICTURES"], 1, "Only one of"),
        (["dataset.path=none", *QUICK], 1, "none"),
        (["EMPTY", *QUICK], 1, "no pictures"),
        (["estimator.weights=none.safetensors", "PICTURES", *QUICK], 1, "none.safetensors"),
        (["weights", "pull", "unknown"], 1, "no weights named 'unknown'; known:"),
        (["weights", "push"], 2, "invalid choice"),
        (["llm.api_key=sk-123", "PICTURES"], 1, "_API_KEY"),
        (["PICTURES", *QUICK, "metric=accuracy", "fail_under.accuracy=0.4"], 3, "no score 'accuracy'"),
        (["PICTURES", *QUICK, "metric=accuracy", "fail_under.acuracy=0.4"], 1, "did you mean 'accuracy'?"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_a_status(
    command: Command, pictures: Path, tmp_path: Path, words: Any, status: int, message: str
) -> None:
    """No traceback; the sentence says what to type."""
    (tmp_path / "empty").mkdir()
    for name in ("file", "1"):
        (tmp_path / "empty" / name).touch()
    places = {"PICTURES": str(pictures), "EMPTY": str(tmp_path / "empty")}

    done = command(*(places.get(word, word) for word in words))

    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "sk-123" not in done.stderr


def test_no_key_reaches_the_disk(command: Command, pictures: Path, tmp_path: Path) -> None:
    """A refused key is in no file."""
    command("llm.api_key=sk-123", str(pictures))

    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"sk-123" in path.read_bytes()]


def test_llama3_without_access_says_how_to_get_it(own_process: Command, pictures: Path) -> None:
    """Licence page, token, and choices that need neither."""
    words = ["+estimator=facechannel", "+llm=llama3", str(pictures)]
    done = own_process(*words, HF_HOME=str(pictures / "hf"), HF_ENDPOINT="http://127.0.0.1:9")

    assert done.returncode == 1
    for said in ("huggingface.co/meta-llama/Meta-Llama-3-8B-Instruct", "HF_TOKEN", "llm.model=", "llm=smollm2"):
        assert said in done.stderr


def test_ctrl_c_ends_with_130_and_the_same_command_finishes(command: Command, tmp_path: Path) -> None:
    """What was answered is not asked again; the report says interrupted in between."""
    many = tmp_path / "many"
    many.mkdir()
    generator = np.random.default_rng(0)
    for number in range(MANY):
        PIL.Image.fromarray(generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(many / f"{number:03d}.png")
    words = [str(many), *QUICK, "batch_size=2", "cache=off", "hydra.run.dir=run"]
    records = tmp_path / "run" / "records.jsonl"

    first = subprocess.Popen([*INTERRUPTIBLE, *words], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while first.poll() is None and not (records.exists() and records.read_bytes().count(b"\n") >= 4):
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    _, errors = first.communicate(timeout=60)
    answered = [record.id for record in read_records(tmp_path / "run")]
    status = read_report(tmp_path / "run").status
    second = command(*words)

    assert (first.returncode, status) == (130, "interrupted"), errors
    assert 4 <= len(answered) < MANY
    assert second.returncode == 0, second.stderr
    report = read_report(tmp_path / "run")
    assert report.usage["requests"] + report.usage["cache_hits"] == MANY
    assert sorted(record.id for record in read_records(tmp_path / "run")) == [f"{n:03d}.png#0" for n in range(MANY)]


@pytest.mark.parametrize("words", [["--help"], ["evaluate", "--help"], ["train", "--help"], ["--cfg", "job"]])
def test_a_reader_who_has_gone_is_no_error_of_a_folder(tmp_path: Path, words: list[str]) -> None:
    """`affectlm evaluate --help | head -1` says nothing about run folders."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [*COMMAND, *words], cwd=tmp_path, stdout=gone, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )

    assert done.stderr == ""


def test_a_sweep_has_a_heading_for_each_run_and_one_table(command: Command, pictures: Path) -> None:
    """Blocks of numbers without names tell nothing."""
    done = command("-m", str(pictures), *QUICK, "style=words,numbers")

    headings = [line for line in done.stdout.splitlines() if line.startswith("== run ")]
    assert ["style=words" in headings[0], "style=numbers" in headings[1]] == [True, True]
    assert done.stdout.count("3 of 3") == 2


def test_a_refused_run_leaves_what_is_there_untouched(command: Command, pictures: Path, tmp_path: Path) -> None:
    """Its own .hydra would say what the folder does not hold."""
    command(str(pictures), *QUICK, "hydra.run.dir=run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}

    done = command(str(pictures), *QUICK, "batch_size=2", "hydra.run.dir=run")

    assert (done.returncode, "another configuration (batch_size differ" in done.stderr) == (1, True)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert {path.name for path in before if path.parent.name == ".hydra"} == {
        *("config.yaml", "hydra.yaml", "overrides.yaml")
    }


def test_a_dry_run_of_a_paid_model_needs_no_key(command: Command, pictures: Path) -> None:
    """What would be asked can be looked at before an account is made."""
    kept = {"OPENAI_API_KEY": "", "AFFECTLM_DOTENV": "0"}
    dry = command(str(pictures), "llm=gpt4o_mini", "detector=whole", "dry_run=true", **kept)
    wet = command(str(pictures), "llm=gpt4o_mini", "detector=whole", **kept)

    assert (dry.returncode, "to be asked: " in dry.stdout) == (0, True), dry.stderr
    assert (wet.returncode, "OPENAI_API_KEY" in wet.stderr) == (1, True)


def test_a_dry_run_of_a_model_that_is_not_here_needs_no_licence(
    own_process: Command, pictures: Path, tmp_path: Path
) -> None:
    """Nor the model."""
    done = own_process(
        str(pictures), "llm=llama3", "detector=whole", "dry_run=true", HF_HOME=str(tmp_path), AFFECTLM_OFFLINE="1"
    )

    assert (done.returncode, "to be asked: " in done.stdout) == (0, True), done.stderr


def test_a_sweep_goes_on_after_a_run_that_failed(command: Command, pictures: Path, tmp_path: Path) -> None:
    """One wrong point costs that point; the status tells."""
    done = command(str(pictures), *QUICK, "-m", "faces=some,best", "hydra.sweep.dir=sweep")

    assert (done.returncode, done.stderr.count("expected all or best")) == (1, 1)
    assert read_report(tmp_path / "sweep" / "1").status == "success"


@pytest.mark.parametrize("words", [[], ["evaluate"], ["train"]])
def test_nothing_is_written_into_a_folder_of_pictures(command: Command, pictures: Path, words: list[Any]) -> None:
    """A run there would mix its figures with the user's pictures; it is refused before Hydra writes its own."""
    before = sorted(pictures.rglob("*"))

    done = command(*words, f"dataset.path={pictures}", f"hydra.run.dir='{pictures}'", *([] if words else QUICK))

    assert (done.returncode, done.stderr) == (
        1,
        f"affectlm: the folder '{pictures}' holds pictures (3, such as 'p0.png'), so nothing is written there; choose "
        "another hydra.run.dir\n",
    )
    assert sorted(pictures.rglob("*")) == before


def test_a_run_that_lies_among_pictures_is_continued(command: Command, pictures: Path, tmp_path: Path) -> None:
    """It was begun before they came: its folder is its own, and nothing there is hidden from a run."""
    words = [str(pictures), *QUICK, "estimator=constant", "hydra.run.dir=run"]
    command(*words)
    PIL.Image.new("RGB", (9, 9)).save(tmp_path / "run" / "mine.png")

    assert command(*words).returncode == 0


def test_what_a_folder_left_out_is_said_before_and_after(command: Command, pictures: Path, tmp_path: Path) -> None:
    """On stderr when the run starts, on stdout at its end, and in the report."""
    for name in ("a.mov", "b.MOV", "c.cr2", "notes.txt"):
        (pictures / name).touch()

    done = command(str(pictures), *QUICK, "estimator=constant", "hydra.run.dir=run")

    assert "affectlm: the dataset left out 2 files in .mov, 1 file in .cr2\n" in done.stderr
    assert "\nleft out: 2 files in .mov, 1 file in .cr2\n" in done.stdout
    assert read_report(tmp_path / "run").left_out == {"file in .mov": 2, "file in .cr2": 1}
