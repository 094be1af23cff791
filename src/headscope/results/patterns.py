"""`Patterns`: attention of every head, as an overview plus the heads held in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from headscope.arguments import checked
from headscope.errors import ResultError
from headscope.results.axes import Float32, UInt8, Values, Weights, check_array
from headscope.results.base import NextToken, ResultBase
from headscope.results.provenance import Provenance
from headscope.results.thumbnails import decoded

if TYPE_CHECKING:
    import pandas as pd

#: The order of the first axis of `Patterns.overview`.
WEIGHTINGS = ("attention", "value", "output")


@dataclass(frozen=True)
class HeadScore:
    """One number per head, with its plain definition.

    Args:
        name: Key, such as `induction`.
        title: What a reader sees.
        definition: One sentence.
        high: The largest value it can take on this prompt (1 for shares, log of the length for
            entropies).
        values: float32 `[layer, head]`; NaN where the prompt gives no occasion for it.
    """

    name: str
    title: str
    definition: str
    high: float
    values: Float32


@dataclass(frozen=True)
class HeadPattern:
    """Attention of one head, in full.

    Args:
        layer: Its layer.
        head: Its index among the query heads.
        weights: float32 `[dest, src]`, rows sum to 1; 0 where masked. float16 on the wire. In a
            difference not a number where a token meets none.
        weighted: In a difference float32 `[weighting, dest, src]`: those of the other weightings,
            which no norm of a source gives.
    """

    layer: int
    head: int
    weights: Weights
    weighted: Weights | None = None


@dataclass(frozen=True, repr=False)
class Patterns(ResultBase):
    """Attention patterns of one prompt.

    Args:
        title: What the figure shows.
        n_layers: Number of layers.
        n_heads: Number of query heads in a layer.
        causal: Whether src > dest is masked.
        overview: uint8 `[weighting, layer, head, t, t]`, maxima over blocks of dest and src, by
            magnitude where `signed`; `overview_values` says what they stand for. Weightings in the
            order of `WEIGHTINGS`.
        overview_max: float32 `[weighting, layer, head]`: the largest magnitude they can have.
        value_norm: float32 `[layer, head, src]`: L2 norm of the value vector.
        output_norm: float32 `[layer, head, src]`: L2 norm of the value vector after W_O.
        scores: What each head does on this prompt.
        heads: The heads held in full; the others are asked for on demand.
        provenance: Where it came from.
        next_tokens: What the model predicts after the prompt.
        signed: Whether it is a difference, with values on both sides of 0.
    """

    title: str
    n_layers: int
    n_heads: int
    causal: bool
    overview: UInt8
    overview_max: Float32
    value_norm: Values
    output_norm: Values
    scores: tuple[HeadScore, ...]
    heads: tuple[HeadPattern, ...]
    provenance: Provenance
    next_tokens: tuple[NextToken, ...] = ()
    signed: bool = False
    kind: Literal["patterns"] = "patterns"

    result_kind: ClassVar[str] = "patterns"

    def __post_init__(self) -> None:
        per_head = (self.n_layers, self.n_heads)
        tokens = len(self.tokens)
        side = self.overview.shape[-1]
        check_array("overview", self.overview, "uint8", (len(WEIGHTINGS), *per_head, side, side))
        check_array("overview_max", self.overview_max, "float32", (len(WEIGHTINGS), *per_head))
        check_array("value_norm", self.value_norm, "float32", (*per_head, tokens))
        check_array("output_norm", self.output_norm, "float32", (*per_head, tokens))
        for score in self.scores:
            check_array(f"Score {score.name!r}", score.values, "float32", per_head)
        for held in self.heads:
            name, square = f"L{held.layer}H{held.head}", (tokens, tokens)
            check_array(name, held.weights, "float32", square)
            if held.weighted is not None:
                others = len(WEIGHTINGS) - 1
                check_array(f"{name}, weighted", held.weighted, "float32", (others, *square))

    def overview_values(self) -> Float32:
        """What the thumbnails stand for: float32 `[weighting, layer, head, t, t]`.

        `overview_max` times the number's share of 255; in a difference times what it is over 127,
        by 127, and 255 is not a number: no token meets one there.
        """
        return decoded(self.overview, self.overview_max, signed=self.signed)

    def _outline(self) -> str:
        return f"{self.n_layers} layers x {self.n_heads} heads, {len(self.tokens)} tokens"

    @property
    def tokens(self) -> tuple[str, ...]:
        """Token texts, the labels of both the dest and the src axis."""
        return self.provenance.prompts[0].tokens

    @checked
    def __getitem__(self, layer_head: tuple[int, int]) -> Weights:
        """Weights `[dest, src]` of one held head: `patterns[layer, head]`.

        Raises:
            ResultError: That head is not held in full.
        """
        for held in self.heads:
            if (held.layer, held.head) == layer_head:
                return held.weights
        layer, head = layer_head
        raise ResultError(
            f"L{layer}H{head} is not held in full in this result.",
            f"Ask the widget: widget.head({layer}, {head}).",
        )

    def score(self, name: str) -> Float32:
        """Values `[layer, head]` of the score called `name`.

        Raises:
            ResultError: No score has that name.
        """
        for candidate in self.scores:
            if candidate.name == name:
                return candidate.values
        names = ", ".join(repr(s.name) for s in self.scores)
        raise ResultError(f"There is no score {name!r}.", f"There are {names}.")

    def to_dataframe(self) -> pd.DataFrame:
        """One row per (layer, head, dest, src) of the heads held in full, masked pairs left out."""
        import pandas as pd

        n = len(self.tokens)
        dest, src = np.tril_indices(n) if self.causal else (i.ravel() for i in np.indices((n, n)))
        frames = [
            pd.DataFrame(
                {
                    "layer": held.layer,
                    "head": held.head,
                    "dest": dest,
                    "src": src,
                    "dest_token": [self.tokens[i] for i in dest],
                    "src_token": [self.tokens[i] for i in src],
                    "attention": held.weights[dest, src],
                }
            )
            for held in self.heads
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
