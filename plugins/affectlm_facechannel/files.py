"""The weights committed with this plugin; see `MODEL_CARD.md`."""

from affectlm.weights import Packaged, Weights

WEIGHTS = Weights(
    name="facechannel",
    sources=(Packaged("affectlm_facechannel", "facechannel.safetensors"),),
    digest="a1a62f03f69a2dc5ce2dca89d34fa3b503f8e87b514b97ae4f38426d413fec6e",
    size=7_192_780,
    licence="research use (trained on FER2013 pixels, FER+ labels)",
    citation="graph: Barros, Churamani, Sciutti 2020, doi 10.1007/s42979-020-00325-6; weights: affectlm",
)
