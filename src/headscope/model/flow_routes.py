"""Information-flow routes: how much of what is read at a place came by each edge.

Ferrando & Voita 2024, "Information Flow Routes: Automatically Interpreting Language Models at
Scale". Where terms z_j are added to the stream, y being the sum, a term's importance is its share
of

    proximity(z_j, y) = max(|y|_1 - |y - z_j|_1, 0)

The terms are what the stream was before, the MLP's output, and of every head what it brings from
each source position: pattern times value times W_O (divided by the norm behind it, where there is
one), and times what interventions scale it by. What biases add is in y but is no term. Where no
term is near y, all of it is the stream's. What is steered between two blocks is in none of their
sums, and flows on with the stream.

A reader's flow is followed down the stream: at each sum the terms take their shares, and what the
stream keeps goes on below. So an edge's flow is the product of importances on its way, and the
flows of all edges into a reader sum to the reader's own. The logits' is 1, at the positions where
the metric is read. A head's goes on to the source positions, to its values; attention patterns are
taken as given, so that nothing flows into queries and keys. An MLP's goes on to what it reads.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import torch

from headscope.errors import ModelError
from headscope.model.edges import Wiring
from headscope.model.recorded import RecordedRuns, leaving_no_trace, unread_hooks
from headscope.model.resumed import TOLERANCE
from headscope.model.runs import is_hooked

_NUMBERS = 2**23
"""Of head terms spelt out at a time."""


def flow_routes(
    wiring: Wiring, runs: RecordedRuns, read: Sequence[int]
) -> Generator[float, None, torch.Tensor]:
    """The flow of every edge, float64 `[writer, reader]`, summed over runs; yields the share done.

    Args:
        wiring: The model's writers and readers.
        runs: Recorded, with the activations of `Wiring.places`.
        read: Positions where the logits are read; each counts the same.

    Cost: one forward pass, and `n_layers * n_heads * n_positions^2 * d_model` per run.
    """
    edges = wiring.map
    layout = edges.layout
    patterns, values = _attention(wiring, runs.token_ids)
    n_runs, _, length = runs.streams.shape[:3]
    flow = torch.zeros(edges.possible.shape, dtype=torch.float64)
    # What is left in the stream, `[reader, run, position]`, of each reader's flow.
    left = torch.zeros(len(edges.readers), n_runs, length, dtype=torch.float64)
    left[-1][:, list(read)] = 1 / len(read)
    for layer in reversed(range(layout.n_layers)):
        before, after = runs.streams[:, layer], runs.activations["resid_post", layer]
        mlp = runs.activations["mlp_out", layer] if layout.mlps else None
        first = edges.written_before(layer)
        if mlp is not None and not layout.parallel:
            middle = after - mlp
            terms = torch.stack([_proximity(term, after) for term in (middle, mlp)])
            kept, taken = _shares(terms)
            _send(flow, left, first + layout.n_heads, taken)
            own = left.sum(0) * taken  # of all readers above
            left *= kept
            left[edges.columns(layer, None)] = own
            after, mlp = middle, None
        near = yield from _heads(
            wiring, layer, patterns[layer], values[layer], runs, after, layout.n_layers
        )
        others = [_proximity(before, after)] + ([] if mlp is None else [_proximity(mlp, after)])
        total = torch.stack([*others, near.sum((1, 3))]).sum(0)
        safe = torch.where(total > 0, total, 1)
        kept = torch.where(total > 0, others[0] / safe, 1)
        shares = near / safe[:, None, :, None]  # `[run, head, dest, src]`
        arrived = left.sum(0)
        for head in range(layout.n_heads):
            _send(flow, left, first + head, shares[:, head].sum(-1))
        to_mlp = None
        if mlp is not None:
            taken = others[1] / safe
            _send(flow, left, first + layout.n_heads, taken)
            to_mlp = arrived * taken
        left *= kept
        at_sources = torch.einsum("rd,rhds->hrs", arrived, shares)
        left[edges.columns(layer, "v")] = at_sources.unflatten(
            0, (layout.n_kv_heads, layout.group)
        ).sum(1)
        if to_mlp is not None:
            left[edges.columns(layer, None)] = to_mlp
    flow[0] += left.sum((1, 2))
    return flow


def _send(flow: torch.Tensor, left: torch.Tensor, writer: int, share: torch.Tensor) -> None:
    """A writer takes its share of what is left of every reader's flow."""
    flow[writer] += (left * share).sum((1, 2))


def _proximity(term: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
    wide = total.double()
    return (wide.abs().sum(-1) - (wide - term).abs().sum(-1)).clamp(min=0).cpu()


def _shares(proximities: torch.Tensor) -> torch.Tensor:
    """Shares of the first axis; all is the first one's where no term is near."""
    total = proximities.sum(0)
    found = proximities / torch.where(total > 0, total, 1)
    found[0] = torch.where(total > 0, found[0], 1)
    return found


def _heads(
    wiring: Wiring, layer: int, pattern: torch.Tensor, value: torch.Tensor, runs: RecordedRuns,
    total: torch.Tensor, n_layers: int,
) -> Generator[float, None, torch.Tensor]:  # fmt: skip
    """How near what heads bring from each source is to the sum, `[run, head, dest, src]`."""
    layout = wiring.map.layout
    n_runs, length, width = total.shape
    near = torch.zeros(n_runs, layout.n_heads, length, length, dtype=torch.float64)
    z = runs.activations["z", layer]
    scale = wiring.scale_after(layer, z)
    scaled = _scaled(wiring, layer, pattern, value, z) if is_hooked(wiring.bridge) else None
    size = max(1, _NUMBERS // (layout.n_heads * length * width))
    for run in range(n_runs):
        shared = value[run].repeat_interleave(layout.group, 1)
        written = wiring.heads(layer, shared)  # `[head, src, d_model]`
        weight = pattern[run] / scale[run]
        weight = weight if scaled is None else weight * scaled[run]
        for first in range(0, length, size):
            part = slice(first, min(first + size, length))
            y = total[run, part]
            terms = weight[:, part, : part.stop, None] * written[:, None, : part.stop]
            rest = (y[:, None] - terms).abs_().sum(-1, dtype=torch.float64)
            whole = y.abs().sum(-1, dtype=torch.float64)[:, None]
            near[run, :, part, : part.stop] = (whole - rest).clamp(min=0).cpu()
            yield (n_layers - 1 - layer + (run + part.stop / length) / n_runs) / n_layers
    return near


def _scaled(
    wiring: Wiring, layer: int, pattern: torch.Tensor, value: torch.Tensor, z: torch.Tensor
) -> torch.Tensor:
    """By what hooks have multiplied heads' outputs, `[run, head, dest, 1]`.

    Raises:
        ModelError: They have put something else in their place.
    """
    shared = value.repeat_interleave(wiring.map.layout.group, 2)
    brought, z = torch.einsum("rhds,rshe->rhde", pattern, shared), z.transpose(1, 2)
    size = brought.pow(2).sum(-1, keepdim=True)
    factor = torch.where(size > 0, (z * brought).sum(-1, keepdim=True) / size, 1)
    bound = TOLERANCE[z.dtype] * max(float(z.abs().max()), float(brought.abs().max()))
    if not (z - factor * brought).abs().max() <= bound:
        raise ModelError(
            f"In block {layer} heads put out what they did not bring from any token, which flow "
            "routes cannot follow.",
            "Choose a method with gradients, such as 'eap_ig_inputs'.",
        )
    return factor


def _attention(
    wiring: Wiring, token_ids: torch.Tensor
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Patterns `[run, head, dest, src]` and values `[run, position, kv_head, d_head]` by layer."""
    layers = range(wiring.map.layout.n_layers)
    kept: dict[str, torch.Tensor] = {}

    def keeper(name: str) -> Any:
        def keep(activation: torch.Tensor, hook: Any) -> None:
            kept[name] = activation.detach().clone()

        return keep

    names = [f"blocks.{layer}.attn.hook_{part}" for layer in layers for part in ("pattern", "v")]
    hooks = [*((name, keeper(name)) for name in names), *unread_hooks(wiring.bridge)]
    with torch.no_grad(), leaving_no_trace(wiring.bridge):
        wiring.bridge.run_with_hooks(token_ids, fwd_hooks=hooks)
    found = [kept[name] for name in names]
    return found[::2], found[1::2]
