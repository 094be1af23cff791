"""Dictionaries of features that stand in for a model's MLPs: transcoders.

`load_transcoders` reads what SAELens and circuit-tracer write, without pickle. Weights are
memory-mapped: what is not used is not read.
"""

from headscope.model.dictionaries.activations import Activation, JumpReLU, ReLU, TopK
from headscope.model.dictionaries.loading import load_transcoders
from headscope.model.dictionaries.transcoders import LayerTranscoder, Transcoders

__all__ = [
    "Activation",
    "JumpReLU",
    "LayerTranscoder",
    "ReLU",
    "TopK",
    "Transcoders",
    "load_transcoders",
]
