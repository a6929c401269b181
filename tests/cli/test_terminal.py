"""What reaches the terminal: the command's own sentences, and of libraries only what they raise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import PIL.Image
import pytest
import skimage

from affectlm.errors import AffectlmError
from affectlm.registry import Registry
from affectlm.weights.named import obtain
from tests.processes import Done, command, run_each

QUICK = ["llm=circumplex"]
TABLE = """\
path,label,text,valence,arousal
pictures/good.jpg,joy,a glad face,0.7,0.2
pictures/other.jpg,calm,a calm face,0.5,-0.2
"""
LOUD = """
import logging, warnings
from affectlm import hookimpl
from affectlm.types import Box
class Loud:
    def detect(self, images):
        warnings.warn("a library warns", FutureWarning)
        logging.getLogger("some.library").error("a library logs")
        return [[Box(0, 0, 8, 8)] for _ in images]
@hookimpl
def affectlm_detectors():
    return {"loud": Loud}
"""


def run(folder: Path, *commands: Sequence[str], **environment: str) -> list[Done]:
    """Commands one after the other in one process."""
    variables = {"MPLCONFIGDIR": str(folder / "file" / "fonts"), **environment}
    return run_each([*map(command, commands)], cwd=folder, environment=variables)


def foreign(done: Done) -> list[str]:
    """Lines on stderr that are not the command's own."""
    return [line for line in done.stderr.splitlines() if not line.startswith("affectlm: ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a portrait, a table about it, pictures that are damaged, and no place for matplotlib's fonts."""
    (tmp_path / "file").touch()
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    with PIL.Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as portrait:
        portrait.convert("RGB").save(pictures / "good.jpg")
        portrait.convert("RGB").save(pictures / "other.jpg", quality=60)
    (tmp_path / "table.csv").write_text(TABLE)
    (pictures / "short.jpg").write_bytes((pictures / "good.jpg").read_bytes()[:9000])
    return tmp_path


ORDINARY = [
    ["demo", *QUICK, "hydra.run.dir=demo"],
    ["pictures", "detector=haar", "explain=true", *QUICK, "hydra.run.dir=explained"],
    ["pictures", "estimator.engine=onnxruntime", *QUICK, "hydra.run.dir=engine"],
    [*["table.csv", "+experiment=description", "metric=[bleu,meteor,rouge,polarity]", "hydra.run.dir=texts"], *QUICK],
    ["evaluate", "table.csv", "hydra.run.dir=evaluated"],
    ["-m", "pictures", "llm=circumplex", "style=words,numbers", "hydra.sweep.dir=sweep"],
]
DEFAULT_MODELS = [
    ["table.csv", "dataset.limit=1", "llm.max_new_tokens=8", f"hydra.run.dir={place}", *words]
    for place, words in (("basic", ["answer=choices", "+experiment=basic"]), ("text", ["+experiment=description"]))
]


def test_ordinary_runs_print_only_their_own_sentences(folder: Path) -> None:
    """No font cache, no decoder, no deprecation of a library is the user's business."""
    for done in run(folder, *ORDINARY):
        assert (done.returncode, foreign(done)) == (0, []), done.stderr


def test_runs_with_the_default_models_print_only_their_own_sentences(folder: Path) -> None:
    """Neither transformers nor the encoder of texts says anything by itself."""
    try:
        for name in ("smollm2", "minilm", "minilm_tokenizer"):
            obtain(Registry.installed().weights[name])
    except AffectlmError as error:
        pytest.skip(f"the weights cannot be fetched here: {error}")

    for done in run(folder, *DEFAULT_MODELS):
        assert (done.returncode, foreign(done)) == (0, []), done.stderr


@pytest.fixture
def loud(tmp_path: Path) -> Path:
    """A folder with an installed plugin whose library warns and logs."""
    site = tmp_path / "site"
    (site / "loud-1.0.dist-info").mkdir(parents=True)
    (site / "loud-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (site / "loud-1.0.dist-info" / "entry_points.txt").write_text("[affectlm]\nloud = loud\n")
    (site / "loud.py").write_text(LOUD)
    return site


def test_what_any_library_warns_of_and_logs_stays_off_the_terminal(folder: Path, loud: Path) -> None:
    """Also where it sets filters of its own; in Python's own way it can be brought back."""
    words = ["pictures", "detector=whole", "detector.name=loud", "estimator=constant", "llm=circumplex"]
    [quiet] = run(folder, [*words, "hydra.run.dir=a"], PYTHONPATH=str(loud))
    [asked] = run(folder, [*words, "hydra.run.dir=b"], PYTHONPATH=str(loud), PYTHONWARNINGS="default::FutureWarning")

    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert (asked.returncode, asked.stderr) == (0, "affectlm: warning: a library warns\n")


@contextmanager
def hub(header: str) -> Iterator[str]:
    """A hub that knows no model and warns of every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("X-HF-Warning", header)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_the_hubs_warning_of_requests_without_a_token_stays_off_the_terminal(folder: Path) -> None:
    """What goes wrong is told in a sentence of our own."""
    with hub("auth; You are sending unauthenticated requests") as endpoint:
        words = ["pictures", "llm=transformers", "llm.model=nobody/nothing"]
        [done] = run(folder, words, HF_ENDPOINT=endpoint, HF_HOME=str(folder / "hf"))

    assert "'nobody/nothing' does not exist on the hub" in done.stderr
    assert (done.returncode, foreign(done)) == (1, []), done.stderr
