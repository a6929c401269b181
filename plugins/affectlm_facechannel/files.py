"""The weights committed with this plugin; see `MODEL_CARD.md`."""

from affectlm.weights import Packaged, Weights

WEIGHTS = Weights(
    name="facechannel",
    sources=(Packaged("affectlm_facechannel", "facechannel.safetensors"),),
    digest="5c8e4c23f94074b051830ca17cd079205de44fdfbd805c9579960e00719609ac",
    size=7_192_780,
    licence="research use (trained on FER2013 pixels, FER+ labels)",
    citation="graph: Barros, Churamani, Sciutti 2020, doi 10.1007/s42979-020-00325-6; weights: affectlm",
)
