"""Transcoders with random weights."""

from __future__ import annotations

import torch

from headscope.model.dictionaries import JumpReLU, LayerTranscoder, ReLU, TopK, Transcoders


def random_transcoders(
    n_layers: int,
    d_model: int,
    n_features: int,
    *,
    activation: str = "topk",
    k: int = 5,
    skip: bool = False,
    cross: bool = False,
    reads: str = "mlp.hook_in",
    writes: str = "hook_mlp_out",
    seed: int = 0,
) -> Transcoders:
    """One for every layer; `activation` is relu, jump_relu or topk."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int, size: float) -> torch.Tensor:
        return size * torch.randn(*shape, generator=draw)

    kinds = {"relu": ReLU(), "topk": TopK(k), "jump_relu": JumpReLU(torch.full((n_features,), 0.5))}
    layers = tuple(
        LayerTranscoder(
            layer,
            normal(n_features, d_model, size=d_model**-0.5),
            normal(n_features, size=0.1),
            normal(n_features, n_layers - layer if cross else 1, d_model, size=0.1),
            normal(d_model, size=0.1),
            kinds[activation],
            normal(d_model, d_model, size=0.3 * d_model**-0.5) if skip else None,
        )
        for layer in range(n_layers)
    )
    return Transcoders("random", layers, reads, writes)
