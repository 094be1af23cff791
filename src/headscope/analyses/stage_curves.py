"""The curves of `stages`: what is known of each, over prompts and layers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from headscope.analyses.intervals import interval
from headscope.results import Measure, Scale

#: How many tokens before it are near to a token.
WINDOW = 5
#: Kurtosis above which a neuron speaks of few tokens.
PEAKED = 10.0
#: Title, unit and definition of every curve, those of the prompts first.
CURVES: dict[str, tuple[str, str, str]] = {
    "nearby": (
        "Attention nearby", "share of attention",
        f"Share of attention on the {WINDOW} tokens right before the one that attends, over heads "
        f"and over tokens with more than {WINDOW} before them.",
    ),
    "agreement": (
        "Lens has the final token", "share of tokens",
        "Share of tokens at which the logit lens after the layer has the model's own top token.",
    ),
    "kl": (
        "KL to the final output", "nats",
        "KL(final || lens) of the logit lens after the layer; 0 where they agree.",
    ),
    "entropy": ("Entropy of the lens", "nats", "Entropy of the logit lens after the layer."),
    "attention": (
        "Attention writes", "norm, share of the stream's",
        "Norm of what attention writes, over that of the stream that leaves the layer.",
    ),
    "mlp": (
        "MLP writes", "norm, share of the stream's",
        "Norm of what the MLP writes, over that of the stream that leaves the layer.",
    ),
    "prediction": (
        "Prediction neurons", "share of neurons",
        "Share of neurons whose cosines with the unembeddings of all tokens have a kurtosis above "
        f"{PEAKED:g} and positive skew: they speak for a few tokens.",
    ),
    "suppression": (
        "Suppression neurons", "share of neurons",
        "Share of neurons whose cosines with the unembeddings of all tokens have a kurtosis above "
        f"{PEAKED:g} and negative skew: they speak against a few tokens.",
    ),
}  # fmt: skip
_OF_PROMPTS = ("nearby", "agreement", "kl", "entropy", "attention", "mlp")
_SHARES = ("nearby", "agreement")


class Curves:
    """What is known of them.

    Args:
        n_prompts: How many prompts there are.
        n_layers: How many layers.
    """

    def __init__(self, n_prompts: int, n_layers: int) -> None:
        self.of_prompts = {
            name: np.full((n_prompts, n_layers), np.nan, np.float32) for name in _OF_PROMPTS
        }
        self.of_neurons = {
            name: np.full(n_layers, np.nan, np.float32)
            for name in CURVES
            if name not in _OF_PROMPTS
        }

    def mean(self, name: str) -> npt.NDArray[np.float32]:
        """Over prompts, `[layer]`; NaN where no prompt tells."""
        if name in self.of_neurons:
            return self.of_neurons[name]
        values = self.of_prompts[name]
        known = ~np.isnan(values)
        count = known.sum(0)
        total = np.where(known, values, 0).sum(0)
        return np.where(count, total / np.maximum(count, 1), np.nan).astype(np.float32)

    def rows(self, name: str, seed: int) -> npt.NDArray[np.float32]:
        """Mean, low and high, `[statistic, layer]`; the mean alone of one prompt."""
        mean = self.mean(name)
        if len(self.of_prompts["kl"]) == 1:
            return mean[None]
        ends = np.full((2, len(mean)), np.nan)
        if name in self.of_prompts:
            ends = interval(self.of_prompts[name].astype(np.float64), seed)
        return np.concatenate([mean[None], ends]).astype(np.float32)

    def measure(self, name: str, seed: int) -> Measure:
        """The curve as a measure of a grid, with its interval by prompt."""
        title, unit, definition = CURVES[name]
        rows = self.rows(name, seed)
        scale = Scale("sequential", 0.0, 1.0) if name in _SHARES else Scale.sequential(rows)
        return Measure(name, title, unit, definition, rows, scale)
