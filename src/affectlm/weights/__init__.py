"""Named weights with a digest, a licence and their sources."""

from affectlm.weights.named import GitFile, Hub, Packaged, Source, Weights, Wheel, obtain

__all__ = ["GitFile", "Hub", "Packaged", "Source", "Weights", "Wheel", "obtain"]
