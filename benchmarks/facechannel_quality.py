"""Figures of FaceChannel weights on FER+: `python benchmarks/facechannel_quality.py FERPLUS_FOLDER [WEIGHTS]`.

The same as `affectlm evaluate FERPLUS_FOLDER dataset=ferplus detector=whole`: the whole validation split, targets made
from the votes.
"""

import sys

from affectlm.cli.main import main

folder, *weights = sys.argv[1:]
main(["evaluate", folder, "dataset=ferplus", "detector=whole", *(f"estimator.weights='{path}'" for path in weights)])
