"""Rows of a model's matrices as directions in its residual stream, some at a time.

    unembedding of token v    gain * W_U[:, v]      what raises the logit of v
    embedding of token v      W_E[v]                what v writes
    encoder of a feature      gain * w_enc[f]       what makes the feature active
    decoder of a feature      w_dec[f]              what the feature writes

A norm's gain is folded in, where one stands between the stream and what reads it; where norms take
the mean over the stream's width off, so do the rows, since nothing reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from headscope.model.dictionaries import Transcoders
from headscope.model.live import LiveModel
from headscope.model.norms import Norm

RowsOf = Literal["unembedding", "embedding", "encoder", "decoder"]

_PIECE_NUMBERS = 2**21


@dataclass(frozen=True)
class Rows:
    """Directions in the stream, too many to hold at once.

    Args:
        n: How many.
        piece: `(start, stop)` to float32 `[stop - start, d_model]`, on the CPU.
        norm: What is folded in: its centring belongs to what they are compared with, too.
    """

    n: int
    piece: Callable[[int, int], torch.Tensor]
    norm: Norm

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Their ends: each piece is some 8 MB."""
        width = self.piece(0, 1).shape[1]
        size = max(1, _PIECE_NUMBERS // width)
        return [(start, min(start + size, self.n)) for start in range(0, self.n, size)]


def vocabulary(model: LiveModel, of: RowsOf) -> Rows:
    """One row for each token."""
    norm = Norm.of(model.bridge, getattr(model.bridge, "ln_final", None))
    if of == "embedding":
        written = model.bridge.W_E.detach()
        return Rows(len(written), lambda a, b: norm.centred(written[a:b].float().cpu()), norm)
    read = model.read_out().unembedding
    return Rows(read.shape[1], lambda a, b: norm.folded(read[:, a:b].T.float()).cpu(), norm)


def features(model: LiveModel, transcoders: Transcoders, layer: int, of: RowsOf) -> Rows:
    """One row for each feature of a layer.

    A cross-layer transcoder's decoder is that to its own layer.

    Raises:
        ModelError: The transcoders are not made for this model.
    """
    transcoders.check(model.bridge)
    dictionary, bridge = transcoders[layer], model.bridge
    hook = transcoders.reads(bridge, layer).partition(f"blocks.{layer}.")[2]
    children = dict(bridge.blocks[layer].named_children())
    norm = Norm.of(bridge, children.get("ln2", children.get("ln1")))

    def piece(start: int, stop: int) -> torch.Tensor:
        index = torch.arange(start, stop)
        if of == "decoder":
            return norm.centred(dictionary.decoder(index))
        rows = dictionary.encoder(index)
        if hook == "mlp.hook_in":
            return norm.folded(rows if norm.weight is None else rows.to(norm.weight)).cpu()
        return norm.centred(rows)

    return Rows(dictionary.n_features, piece, norm)
