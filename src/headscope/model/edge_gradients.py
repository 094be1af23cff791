"""Gradients of a number with respect to what every reader reads, and their products with edges.

The gradient at a head's queries, keys or values is pulled back through its projection and through
the norm, each reader with the whole norm to itself, as if every reader had a copy of the stream.
That is what TransformerLens's split inputs give, with no flag touched and grouped keys included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from headscope.components import INPUTS
from headscope.model.edges import Wiring, Written
from headscope.model.recorded import Place, leaving_no_trace, unread_hooks
from headscope.model.sites import hook_name

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class ReaderGradients:
    """Gradients of one number per run, at the point of each run where they were taken.

    Args:
        streams: The stream before each block, `[run, position, d_model]` each.
        middles: What each block's MLP reads, likewise; empty without MLPs.
        heads: By letter and layer, with respect to queries, keys or values as they come out of
            their projection, `[run, position, reader, d_head]`.
        mlps: With respect to each MLP's input behind its norm, `[run, position, d_model]`.
        logits: With respect to the last stream, `[run, position, d_model]`.
    """

    streams: tuple[torch.Tensor, ...]
    middles: tuple[torch.Tensor, ...]
    heads: Mapping[tuple[str, int], torch.Tensor]
    mlps: tuple[torch.Tensor, ...]
    logits: torch.Tensor


def reader_gradients(
    wiring: Wiring,
    token_ids: torch.Tensor,
    read: Sequence[int],
    score: Callable[[torch.Tensor], torch.Tensor],
    shift: Mapping[Place, torch.Tensor] | None = None,
) -> ReaderGradients:
    """Gradients of a score with respect to what all readers read.

    Args:
        wiring: The model's readers.
        token_ids: int64 `[run, position]`.
        read: Positions whose final stream `score` gets.
        score: From final streams `[run, read, d_model]` to one number per run.
        shift: What is added at places of the run, shaped like the activation: the gradient is taken
            there.

    Cost: one forward and one backward pass.
    """
    bridge, layout = wiring.bridge, wiring.map.layout
    layers = range(layout.n_layers)
    zeros: dict[tuple[str, int], torch.Tensor] = {}
    streams: list[torch.Tensor] = []
    middles: list[torch.Tensor] = []
    final: list[torch.Tensor] = []

    def leaf(key: tuple[str, int]) -> Any:
        def add(activation: torch.Tensor, hook: Any) -> torch.Tensor:
            zeros[key] = torch.zeros_like(activation, requires_grad=True)
            return activation + zeros[key]

        return add

    def keeper(kept: list[torch.Tensor]) -> Any:
        return lambda activation, hook: kept.append(activation.detach())

    hooks: list[tuple[str, Any]] = [
        (hook_name(bridge, *place), lambda x, hook, moved=moved: x + moved.to(x))
        for place, moved in (shift or {}).items()
    ]
    for layer in layers:
        at = f"blocks.{layer}."
        hooks.append((at + "hook_resid_pre", keeper(streams)))
        hooks += [(f"{at}attn.hook_{letter}", leaf((letter, layer))) for letter in INPUTS]
        if layout.mlps:
            hooks.append((at + "mlp.hook_in", leaf(("mlp", layer))))
            if not layout.parallel:
                hooks.append((at + "hook_resid_mid", keeper(middles)))
    last = hook_name(bridge, "resid_post", layout.n_layers - 1)
    hooks.append((last, lambda x, hook: final.append(x)))
    hooks += unread_hooks(bridge)
    letters: tuple[str, ...] = (*INPUTS, "mlp") if layout.mlps else INPUTS
    keys = [(letter, layer) for letter in letters for layer in layers]
    with torch.inference_mode(False), torch.enable_grad(), leaving_no_trace(bridge):
        # Copies, since what was made in inference mode cannot be saved for a backward pass.
        shift = {place: moved.clone() for place, moved in (shift or {}).items()}
        bridge.run_with_hooks(token_ids.clone(), fwd_hooks=hooks)
        total = score(final[0][:, list(read)]).sum()
        *found, logits = torch.autograd.grad(
            total, [*(zeros[key] for key in keys), final[0]],
            allow_unused=True, materialize_grads=True,
        )  # fmt: skip
    by_key = dict(zip(keys, found, strict=True))
    return ReaderGradients(
        tuple(streams),
        tuple(streams if layout.parallel else middles) if layout.mlps else (),
        {key: gradient for key, gradient in by_key.items() if key[0] != "mlp"},
        tuple(by_key["mlp", layer] for layer in layers) if layout.mlps else (),
        logits,
    )


def edge_products(wiring: Wiring, change: Written, gradients: ReaderGradients) -> torch.Tensor:
    """For every edge, what the writer's change does to the score through that reader alone.

    To first order. float64 `[writer, reader]` on the CPU, summed over runs and positions; 0 where
    there is no edge.

    Args:
        wiring: The model's readers and writers.
        change: By how much every writer's output changes, in the same runs as the gradients.
        gradients: Those of the readers.

    Cost: a product of `[writer, n d_model]` with `[n d_model, reader]` per block of n positions; no
    more than about 64 MB of writers are spelt out at a time, however long the prompts.
    """
    edges = wiring.map
    found = torch.zeros(edges.possible.shape, dtype=torch.float64)
    n_tokens, width = change.embed.shape[:2].numel(), change.embed.shape[-1]
    size = max(1, _BLOCK_BYTES // (4 * len(edges.writers) * width))
    with torch.no_grad():
        for first in range(0, n_tokens, size):
            part = slice(first, first + size)
            vectors = change.vectors(wiring, part).flatten(1)
            for layer in range(edges.layout.n_layers):
                stream = _part(gradients.streams[layer], part).to(vectors.dtype)
                n = edges.written_before(layer)
                for letter in INPUTS:
                    gradient = _part(gradients.heads[letter, layer], part).to(vectors.dtype)
                    views = wiring.pull_back(layer, letter, stream, gradient).flatten(1)
                    found[:n, edges.columns(layer, letter)] += (vectors[:n] @ views.T).cpu()
                if gradients.mlps:
                    n = edges.written_before(layer, mlp=True)
                    stream = _part(gradients.middles[layer], part)
                    gradient = _part(gradients.mlps[layer], part)
                    view = wiring.pull_back_mlp(layer, stream, gradient).flatten()
                    column = edges.columns(layer, None)
                    found[:n, column] += (vectors[:n] @ view.to(vectors.dtype)[:, None]).cpu()
            last = _part(gradients.logits, part).to(vectors.dtype)
            found[:, -1] += (vectors @ last.flatten()).cpu()
    return found


def _part(activation: torch.Tensor, part: slice) -> torch.Tensor:
    return activation.flatten(0, 1)[part]
