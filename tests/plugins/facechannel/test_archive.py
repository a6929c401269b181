"""The authors' archive: where it is looked for, and what may not come out of it."""

from __future__ import annotations

import io
import json
import lzma
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import affectlm
from affectlm.config.compose import compose, to_plain
from affectlm.errors import AffectlmError, WeightsError
from affectlm.jobs.doctor import examine
from affectlm.jobs.run import run
from affectlm.registry import Registry
from affectlm.weights.named import GitFile, Weights, blob_id
from affectlm_facechannel.keras import archive
from affectlm_facechannel.keras.archive import CATEGORICAL, DETECTOR, DIMENSIONAL, ORIGINAL, unpack, unpacked_folder

FILES = {
    f"TrainedNetworks/{DIMENSIONAL}": b"dimensional",
    f"TrainedNetworks/{CATEGORICAL}": b"categorical",
    "TrainedNetworks/faceDetector/deploy.prototxt": b"graph",
    f"TrainedNetworks/{DETECTOR}": b"weights",
}
Change = Callable[[tarfile.TarInfo], None]


def write_archive(path: Path, files: dict[str, bytes] = FILES, change: Change = lambda _: None) -> Path:
    """A tar.xz archive; `change` sees each member's header before it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            change(member)
            tar.addfile(member, io.BytesIO(content))
    return path


def described(path: Path) -> Weights:
    source = GitFile(f"https://example.org/{path.name}")
    return Weights(name="a", sources=(source,), digest=f"git:{blob_id(path)}", size=None, licence="none")


@pytest.fixture
def here(tmp_path: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of weights; the cache is empty and nothing may be fetched."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(folder))
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")
    return folder


def test_the_archive_is_unpacked_into_the_cache(here: Path, fresh_cache: Path) -> None:
    """All wanted files, in the archive's own folders."""
    wanted = described(write_archive(here / "a.tar.xz"))

    folder = unpacked_folder(wanted, DIMENSIONAL)

    assert fresh_cache in folder.parents
    found = {path.relative_to(folder.parent).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == FILES


def test_the_archive_is_unpacked_once(here: Path) -> None:
    """Afterwards it is not needed any more."""
    path = write_archive(here / "a.tar.xz")
    wanted = described(path)
    first = unpacked_folder(wanted, DIMENSIONAL)
    path.unlink()

    assert unpacked_folder(wanted, DETECTOR) == first


def test_an_archive_with_another_blob_id_is_not_opened(here: Path, fresh_cache: Path) -> None:
    """Not one member of it is looked at."""
    wanted = described(write_archive(here / "a.tar.xz"))
    write_archive(here / "a.tar.xz", {"TrainedNetworks/x.h5": b"other"})

    with pytest.raises(WeightsError, match="have git blob id"):
        unpacked_folder(wanted, DIMENSIONAL)
    assert not fresh_cache.exists()


@pytest.mark.parametrize("folder", ["TrainedNetworks", "."])
def test_files_that_the_user_unpacked_are_taken_as_they_are(here: Path, folder: str) -> None:
    """With or without the archive's own folder around them; no archive, no acceptance."""
    (here / folder).mkdir(exist_ok=True)
    (here / folder / DIMENSIONAL).touch()

    assert archive.original_folder() == here / folder


def test_a_folder_without_the_wanted_file_is_no_unpacked_archive(here: Path) -> None:
    """Who has the estimator only, and asks for the detector, is told that the archive is missing."""
    (here / DIMENSIONAL).touch()

    with pytest.raises(WeightsError, match=r"not on this machine .*put 'trainedNetworks\.tar\.xz' into a folder"):
        archive.original_folder(DETECTOR)


def test_an_archive_without_the_wanted_file_is_told(here: Path) -> None:
    """It names the file."""
    wanted = described(write_archive(here / "a.tar.xz", {"TrainedNetworks/other.h5": b"x"}))

    with pytest.raises(WeightsError, match=f"has no 'TrainedNetworks/{DIMENSIONAL}'"):
        unpacked_folder(wanted, DIMENSIONAL)


def test_what_nobody_asks_for_stays_in_the_archive(tmp_path: Path) -> None:
    """Programs and notes are not unpacked."""
    path = write_archive(tmp_path / "a.tar.xz", {**FILES, "TrainedNetworks/run.py": b"x", "Readme.md": b"x"})

    unpack(path, tmp_path / "out")

    assert {file.suffix for file in (tmp_path / "out").rglob("*.*")} == {".h5", ".prototxt", ".caffemodel"}


def test_unpacked_files_get_ordinary_permissions(tmp_path: Path) -> None:
    """Whatever mode and owner the archive gives them."""

    def change(member: tarfile.TarInfo) -> None:
        member.mode, member.uid = 0o4777, 0

    unpack(write_archive(tmp_path / "a.tar.xz", change=change), tmp_path / "out")

    (tmp_path / "plain").touch()
    modes = {path.stat().st_mode for path in (tmp_path / "out").rglob("*.h5")}
    assert modes == {(tmp_path / "plain").stat().st_mode}


@pytest.mark.parametrize("name", ["/x/x.h5", "../x.h5", "a/../../x.h5", "..", "C:x.h5", "a\\..\\..\\x.h5"])
def test_a_member_that_leads_out_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    """With it the whole archive, also the members before it."""
    path = write_archive(tmp_path / "in" / "a.tar.xz", {**FILES, name: b"evil"})

    with pytest.raises(WeightsError, match="which leads out of it; nothing of it is used"):
        unpack(path, tmp_path / "in" / "out")
    assert [each.name for each in tmp_path.rglob("*")] == ["in", "a.tar.xz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    """Even where nothing would be written through them."""

    def change(member: tarfile.TarInfo) -> None:
        if member.name == "x.h5":
            member.type, member.linkname, member.size = kind, f"TrainedNetworks/{DIMENSIONAL}", 0

    path = write_archive(tmp_path / "a.tar.xz", {**FILES, "x.h5": b""}, change)

    with pytest.raises(WeightsError, match=r"has 'x\.h5', which is not an ordinary file"):
        unpack(path, tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar.xz"]


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    """Its holes make much of little."""

    def change(member: tarfile.TarInfo) -> None:
        member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "400000000"}

    path = write_archive(tmp_path / "a.tar.xz", {"x.h5": b"0\n".ljust(512, b"\0")}, change)

    with pytest.raises(WeightsError, match="is not an ordinary file"):
        unpack(path, tmp_path / "out")


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    """The authors' archive has a handful."""
    path = write_archive(tmp_path / "a.tar.xz", {f"{number}.h5": b"" for number in range(1001)})

    with pytest.raises(WeightsError, match="more than 1000 members or 500 MB"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_grows_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """The sizes in the headers count: here 600 MB of them, with hardly a byte behind."""
    header = tarfile.TarInfo("x.h5")
    header.size = 600_000_000
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(header.tobuf() + bytes(1024)))

    with pytest.raises(WeightsError, match="more than 1000 members or 500 MB"):
        unpack(tmp_path / "a.tar.xz", tmp_path / "out")


def test_one_name_for_two_members_is_refused(tmp_path: Path) -> None:
    """Which of them is meant cannot be known."""
    path = tmp_path / "a.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("x.h5"), io.BytesIO())

    with pytest.raises(WeightsError, match=r"cannot be unpacked .*exists"):
        unpack(path, tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar.xz"]


@pytest.mark.parametrize("keep", [0, 1, 60, 200])
def test_a_torn_archive_leaves_nothing(tmp_path: Path, keep: int) -> None:
    """No file of it may be taken for whole."""
    path = write_archive(tmp_path / "a.tar.xz")
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(WeightsError, match=r"not a readable tar\.xz archive|has no"):
        unpack(path, tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar.xz"]


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    """A server's error page, for instance."""
    (tmp_path / "a.tar.xz").write_bytes(b"<html></html>" * 1000)

    with pytest.raises(WeightsError, match=r"is not a readable tar\.xz archive"):
        unpack(tmp_path / "a.tar.xz", tmp_path / "out")


def test_several_may_unpack_at_once(tmp_path: Path) -> None:
    """One of them settles the folder, the others find it settled."""
    path = write_archive(tmp_path / "a.tar.xz")
    barrier, errors = threading.Barrier(8), []

    def work() -> None:
        barrier.wait()
        try:
            unpack(path, tmp_path / "out")
        except WeightsError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.tar.xz", "out"]
    assert len([file for file in (tmp_path / "out").rglob("*") if file.is_file()]) == len(FILES)


def test_the_hook_offers_the_archive_with_its_terms() -> None:
    """Its publisher's blob id stands in for a SHA-256 that nobody has published."""
    found = Registry.installed().weights["facechannel-original"]

    assert found == ORIGINAL
    assert found.digest == "git:226f5e5e7355a193e2682e7d26a83f72020bb78b"
    assert found.file == "trainedNetworks.tar.xz"
    assert "research" in found.terms


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "affectlm", *words], capture_output=True, text=True, check=False)


def test_the_list_tells_terms_and_absence(here: Path) -> None:
    """What a user should know before fetching."""
    rows = {row["name"]: row for row in json.loads(command("weights", "list", "--json").stdout)}

    row = rows["facechannel-original"]
    assert (row["status"], row["size"], row["licence"]) == ("absent", "unknown size", "non-commercial research use")
    assert "research use only" in row["terms"]
    assert rows["facechannel"]["terms"] == ""


def test_the_list_tells_what_the_user_unpacked(here: Path) -> None:
    """It is there, though the archive is not."""
    for file in ORIGINAL.contents:
        path = here / Path(file).relative_to("TrainedNetworks")
        path.parent.mkdir(exist_ok=True)
        path.touch()

    [row] = json.loads(command("weights", "list", "facechannel-original", "--json").stdout)

    assert (row["status"], row["path"]) == ("unpacked", str(here / DIMENSIONAL))


def test_verify_notices_another_archive(here: Path) -> None:
    """Exit status 1, with both blob ids."""
    write_archive(here / "trainedNetworks.tar.xz")

    done = command("weights", "verify", "facechannel-original")

    assert done.returncode == 1
    assert "expected 226f5e5e7355..." in done.stdout


def test_pull_by_name_asks_for_acceptance(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1, with the terms and the flag."""
    monkeypatch.delenv("AFFECTLM_WEIGHTS_DIR", raising=False)
    monkeypatch.delenv("AFFECTLM_OFFLINE", raising=False)

    done = command("weights", "pull", "facechannel-original")

    assert done.returncode == 1
    assert "--accept-licence' fetches them, if you agree: the authors allow research use only" in done.stdout
    assert done.stderr == ""


def test_pull_with_acceptance_goes_on_to_fetch(here: Path) -> None:
    """It is then only the missing network that stops it."""
    done = command("weights", "pull", "facechannel-original", "--accept-licence")

    assert done.returncode == 1
    assert "AFFECTLM_OFFLINE=1 forbids fetching them" in done.stdout


def test_pull_fetches_the_archive_where_some_of_its_files_are_missing(here: Path) -> None:
    """Who has the estimator's file only, still wants the detector; here the missing network stops it."""
    (here / DIMENSIONAL).touch()

    done = command("weights", "pull", "facechannel-original", "--accept-licence")

    assert done.returncode == 1
    assert "AFFECTLM_OFFLINE=1 forbids fetching them" in done.stdout


def test_the_doctor_says_what_the_detector_needs(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And fetches nothing, accepted or not."""
    monkeypatch.delenv("AFFECTLM_WEIGHTS_DIR", raising=False)

    rows = {row["item"]: row for row in examine(["detector=ssd", "llm=circumplex", "accept_licence=true"])}

    assert rows["detector ssd"]["status"] == "missing"
    assert "pull facechannel-original --accept-licence" in rows["detector ssd"]["detail"]


@pytest.mark.parametrize(("accept", "message"), [(False, "if you agree"), (True, "could not be fetched")])
def test_a_run_fetches_after_acceptance_only(
    accept: bool, message: str, pictures: Path, tmp_path: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """accept_licence=true is what makes the difference; the source given here does not answer."""
    monkeypatch.delenv("AFFECTLM_WEIGHTS_DIR", raising=False)
    monkeypatch.delenv("AFFECTLM_OFFLINE", raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    words = [f"dataset.path={pictures}", "detector=ssd", "estimator=facechannel", "llm=circumplex"]

    with pytest.raises(AffectlmError, match=message):
        run(to_plain(compose([*words, f"accept_licence={accept}"])), tmp_path / "run")


def test_a_refused_run_may_be_repeated_with_acceptance_in_its_folder(
    pictures: Path, tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agreeing changes no answer, so it makes no other configuration."""
    monkeypatch.delenv("AFFECTLM_OFFLINE", raising=False)
    words = [f"dataset.path={pictures}", "detector=ssd", "estimator=facechannel", "llm=circumplex"]
    with pytest.raises(WeightsError, match="if you agree"):
        run(to_plain(compose(words)), tmp_path / "run")
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")

    with pytest.raises(WeightsError, match="AFFECTLM_OFFLINE=1"):
        run(to_plain(compose([*words, "accept_licence=true"])), tmp_path / "run")


@pytest.mark.parametrize(("accept", "message"), [(False, "if you agree"), (True, "could not be fetched")])
def test_a_reader_takes_acceptance_as_an_argument(
    accept: bool, message: str, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`affectlm.load(..., accept_licence=True)`."""
    monkeypatch.delenv("AFFECTLM_WEIGHTS_DIR", raising=False)
    monkeypatch.delenv("AFFECTLM_OFFLINE", raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")

    with pytest.raises(WeightsError, match=message):
        _ = affectlm.load(detector="ssd", llm="circumplex", accept_licence=accept).detector


def test_acceptance_is_yes_or_no() -> None:
    """A word that is neither is refused."""
    with pytest.raises(AffectlmError, match="accept_licence=maybe does not fit; expected true or false"):
        affectlm.load("accept_licence=maybe").estimate("none.png")
