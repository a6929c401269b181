"""What computes FaceChannel: every engine gives what float32 gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affectlm.jobs.train import load_faces
from affectlm.neural.devices import has_bf16
from affectlm.registry import Registry
from affectlm.testing import check_estimator, faces
from affectlm_facechannel.engines import ENGINES, available_threads, folded
from affectlm_facechannel.estimator import FaceChannelEstimator
from affectlm_facechannel.network import FaceChannel


def _estimator(**options: Any) -> FaceChannelEstimator:
    return FaceChannelEstimator(device="cpu", **options)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_keeps_the_protocol(engine: Any) -> None:
    """Length, range, order, repeatability."""
    check_estimator(_estimator(engine=engine))


def test_a_network_without_its_batch_norm_computes_the_same() -> None:
    """Folding is exact up to rounding, whatever the running statistics are, and leaves the network as it was."""
    generator = torch.Generator().manual_seed(0)
    network = FaceChannel().eval()
    for name, value in network.named_buffers():
        if "running" in name:
            value.uniform_(0.5, 2, generator=generator)
    batch = torch.rand(2, 1, 64, 64, generator=generator)

    with torch.inference_mode():
        before = network(batch)
        changed = folded(network)

        torch.testing.assert_close(changed(batch), before, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(network(batch), before, atol=0, rtol=0)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in changed.modules())


def test_onnxruntime_gives_what_torch_gives() -> None:
    """Valence, arousal and probabilities, to rounding."""
    crops = faces(5, seed=2)
    affect, details = _estimator(engine="float32").details(crops)
    other, others = _estimator(engine="onnxruntime").details(crops)

    np.testing.assert_allclose(other, affect, atol=1e-5)
    np.testing.assert_allclose(np.stack([*others.values()]), np.stack([*details.values()]), atol=1e-5)


def test_bf16_stays_near_float32_on_real_faces(data: Path) -> None:
    """Mean difference at most 0.002, 99th percentile at most 0.01."""
    dataset = Registry.installed().build("dataset", {"name": "ferplus", "path": str(data / "ferplus")})
    crops = [np.repeat(face[..., None], 3, axis=2) for face in load_faces(dataset, limit=200).pixels]  # type: ignore[arg-type]

    difference = np.abs(
        _estimator(engine="bf16").estimate(crops) - _estimator(engine="float32").estimate(crops),
    )

    assert 0 < difference.mean() <= 0.002
    assert np.quantile(difference, 0.99) <= 0.01


def test_the_engine_is_chosen_once_and_told() -> None:
    """By what the processor computes and what is installed, here both ONNX packages."""
    told = _estimator().describe()

    assert told["engine"] == ("bf16" if has_bf16(torch.device("cpu")) else "onnxruntime")
    assert told["threads"] == str(available_threads())
    assert told["batch_size"] == "32"


def test_other_models_keep_their_number_of_threads() -> None:
    """Torch's number is one for the whole process, so it is put back."""
    before = torch.get_num_threads()

    _estimator(engine="float32", threads=before + 1).estimate(faces(1))

    assert torch.get_num_threads() == before
