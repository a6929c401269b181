"""How much valence and arousal depend on the detector: `python benchmarks/detector_agreement.py PICTURE [PICTURE ...]`.

Every face that both `yunet` and `haar` find, measured by FaceChannel on either's crop; mean absolute differences.
"""

import math
import sys
from pathlib import Path

import numpy as np

from affectlm.line import images
from affectlm.registry import Registry
from affectlm.types import Box, FaceDetector, VAEstimator

registry = Registry.installed()
yunet: FaceDetector = registry.build("detector", {"name": "yunet"})  # type: ignore[assignment]
haar: FaceDetector = registry.build("detector", {"name": "haar"})  # type: ignore[assignment]
estimator: VAEstimator = registry.build("estimator", {"name": "facechannel"})  # type: ignore[assignment]


def distance(one: Box, other: Box) -> float:
    """Between the centres, as a share of the larger box's height."""
    across = (one.left + one.right - other.left - other.right) / 2
    down = (one.top + one.bottom - other.top - other.bottom) / 2
    return math.hypot(across, down) / max(one.bottom - one.top, other.bottom - other.top)


pairs = []
only = 0
for name in sys.argv[1:]:
    pixels, _ = images.read(Path(name))
    others = haar.detect([pixels])[0]
    for box in yunet.detect([pixels])[0]:
        near = min(others, key=lambda other: distance(box, other), default=None)
        if near is None or distance(box, near) > 0.5:
            only += 1
            continue
        pairs.append(estimator.estimate([images.crop(pixels, box), images.crop(pixels, near)]))

print(f"{len(pairs)} faces found by both, {only} by yunet alone")
if pairs:
    valence, arousal = np.abs(np.array(pairs)[:, 0] - np.array(pairs)[:, 1]).mean(axis=0)
    print(f"mean absolute difference: valence {valence:.3f}, arousal {arousal:.3f}")
