"""Runs in which every reader sees only some writers, and of the others what they are ablated to.

A reader's view is the stream with all writers ablated, plus, for each edge into it that is kept,
what the writer wrote in this very run less what it is ablated to. Queries, keys, values, MLP inputs
and what neurons read are computed of these views and put in the place of the model's own; attention
and MLPs are the model's. So nothing is approximated, heads that share keys and values included.

Interventions act on what was computed of the views, as they act on the model's own.

With all edges kept it is the plain run; with none, every component does as on ablated inputs; with
all but one, it is the exact patch of that edge, everything else running on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from headscope.components import INPUTS, Input
from headscope.model.edges import Wiring, Written
from headscope.model.neuron_runs import NeuronCircuits, neuron_bytes
from headscope.model.recorded import (
    RecordedRuns,
    hooked_first,
    leaving_no_trace,
    unread_hooks,
)

_BYTES = 256 * 2**20


class CircuitRuns:
    """Runs circuits on recorded prompts.

    Args:
        wiring: The model's writers and readers.
        runs: The plain runs, with the activations of `Wiring.places`.
        ablated: What each writer is ablated to, shaped like what was written in `runs`.
        read: Positions whose final stream is wanted.
    """

    def __init__(
        self, wiring: Wiring, runs: RecordedRuns, ablated: Written, read: Sequence[int]
    ) -> None:
        self._wiring = wiring
        self._ids = runs.token_ids
        self._read = list(read)
        self._ablated = ablated
        layout = wiring.map.layout
        with torch.no_grad():
            own = Written.of(wiring, runs)
            self._embed = _wide(own.embed - ablated.embed).flatten(0, 1)
            change = (ablated - own).map(_wide)
            total = change.embed
            self._views, self._mlp_views = list[torch.Tensor](), list[torch.Tensor]()
            for layer in range(layout.n_layers):
                before = runs.streams[:, layer] + total
                self._views.append(before.flatten(0, 1))
                heads = wiring.heads(layer, change.shares[layer].flatten(0, 1)).sum(0)
                total = total + heads.unflatten(0, total.shape[:2])
                if layout.mlps:
                    behind = runs.activations["resid_post", layer]  # which may be steered then
                    own_heads = behind - runs.activations["mlp_out", layer]
                    sees = before if layout.parallel else own_heads + total
                    self._mlp_views.append(sees.flatten(0, 1))
                    total = total + change.mlps[layer]
            self._last = (runs.streams[:, -1] + total).flatten(0, 1)

    @property
    def bytes_each(self) -> int:
        """Most that one circuit takes beside a pass: what is written, and a block's views."""
        edges = self._wiring.map
        layout = edges.layout
        # The views of a letter's readers exist three times: as summed, with the base, and normed.
        vectors = len(edges.writers) + 3 * layout.n_heads + 8
        plain = vectors * self._embed.numel() * self._embed.element_size()
        return plain + neuron_bytes(self._wiring.whole, self._embed)

    def streams(self, kept: torch.Tensor, most_tokens: int) -> Iterator[torch.Tensor]:
        """The final stream of circuits, `[circuit, run, read, d_model]`, in portions.

        Args:
            kept: bool `[circuit, writer, reader]`, or with a last axis of positions: the edges of
                each.
            most_tokens: How many run side by side, within about 256 MB; but always one circuit.
        """
        at_a_time = max(1, min(_BYTES // self.bytes_each, most_tokens // self._ids.numel()))
        for portion in kept.split(at_a_time):
            with torch.no_grad():
                yield self._run(portion)

    def _run(self, portion: torch.Tensor) -> torch.Tensor:
        wiring, edges = self._wiring, self._wiring.map
        layout, bridge = edges.layout, self._wiring.bridge
        n_circuits, (n_runs, length) = len(portion), self._ids.shape
        neurons = NeuronCircuits(wiring, self._ablated, portion)
        kept = neurons.plain.to(self._embed)
        # What each writer wrote here, less what it is ablated to.
        found = self._embed.new_empty(n_circuits, len(edges.writers), *self._embed.shape)
        found[:, 0] = self._embed

        def view(n: int, columns: slice, base: torch.Tensor) -> torch.Tensor:
            """Of readers that `n` writers precede, `[reader, circuit run position, d_model]`."""
            among = kept[:, :n, columns]
            if among.ndim == 3:
                summed = torch.bmm(among.mT, found[:, :n].flatten(2))
            else:
                seen = found[:, :n].unflatten(2, (n_runs, length))
                summed = torch.einsum("cwrp,cwnpd->crnpd", among, seen)
            views: torch.Tensor = summed.reshape(*summed.shape[:2], *base.shape) + base
            neurons.add(views, columns)
            return views.transpose(0, 1).flatten(1, 2)

        def put(layer: int, letter: Input) -> Any:
            def hook_function(activation: torch.Tensor, hook: Any) -> torch.Tensor:
                columns = edges.columns(layer, letter)
                views = view(edges.written_before(layer), columns, self._views[layer])
                return wiring.read(layer, letter, views).reshape(activation.shape).to(activation)

            return hook_function

        def put_mlp(layer: int) -> Any:
            def hook_function(activation: torch.Tensor, hook: Any) -> torch.Tensor:
                n, column = edges.written_before(layer, mlp=True), edges.columns(layer, None)
                seen = view(n, column, self._mlp_views[layer])[0]
                return wiring.read_mlp(layer, seen).reshape(activation.shape).to(activation)

            return hook_function

        def put_factor(layer: int, number: int) -> Any:
            def hook_function(activation: torch.Tensor, hook: Any) -> torch.Tensor:
                factor = neurons.factor(layer, number, found, self._mlp_views[layer])
                return factor.reshape(activation.shape).to(activation)

            return hook_function

        def keep_neurons(layer: int) -> Any:
            def hook_function(activation: torch.Tensor, hook: Any) -> None:
                neurons.keep(layer, activation)
                found[:, edges.rows(layer)] = 0

            return hook_function

        def keep(layer: int) -> Any:
            def hook_function(activation: torch.Tensor, hook: Any) -> None:
                shares = wiring.shares(layer, activation).unflatten(0, (n_circuits, n_runs))
                moved = _wide(shares - self._ablated.shares[layer])
                heads = wiring.heads(layer, moved.flatten(0, 2)).unflatten(1, (n_circuits, -1))
                first = edges.written_before(layer)
                found[:, first : first + layout.n_heads] = heads.transpose(0, 1)

            return hook_function

        def keep_mlp(layer: int) -> Any:
            def hook_function(activation: torch.Tensor, hook: Any) -> None:
                written = activation.unflatten(0, (n_circuits, n_runs))
                moved = _wide(written - self._ablated.mlps[layer])
                found[:, edges.rows(layer)] = moved.flatten(1, 2)[:, None]

            return hook_function

        hooks, first = unread_hooks(bridge), list[tuple[str, Any]]()
        for layer in range(layout.n_layers):
            at = f"blocks.{layer}."
            first += [(f"{at}attn.hook_{letter}", put(layer, letter)) for letter in INPUTS]
            hooks.append((f"{at}attn.hook_z", keep(layer)))
            if layer in wiring.neurons:
                own = wiring.neurons[layer]
                first += [(name, put_factor(layer, i)) for i, name in enumerate(own.factors)]
                hooks.append((own.post, keep_neurons(layer)))
            elif layout.mlps:
                first.append((f"{at}mlp.hook_in", put_mlp(layer)))
                hooks.append((f"{at}hook_mlp_out", keep_mlp(layer)))
        with leaving_no_trace(bridge), hooked_first(bridge, first):
            bridge.run_with_hooks(self._ids.repeat(n_circuits, 1), fwd_hooks=hooks)
        every = slice(len(edges.readers) - 1, len(edges.readers))
        last = view(len(edges.writers), every, self._last)[0]
        return last.reshape(n_circuits, n_runs, length, -1)[:, :, self._read]


def _wide(x: torch.Tensor) -> torch.Tensor:
    return x if x.dtype == torch.float64 else x.float()
