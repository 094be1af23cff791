"""Products of neurons' changes and gradients: `EdgeProducts` of edges with a neuron at an end.

What a neuron writes is its activation times one vector, and a neuron reads one or two numbers. So
for a neuron w and a head's queries, keys or values (or a neuron) r with the projection P

    sum_n (a_w out_w)[n] . (g_r P_r)[n]  =  sum_h (a^T g)[w, r, h] (out P^T)[w, r, h]

where the product of the vectors, which is the costly one, does not depend on how many positions
there are. Nothing that neurons write is spelt out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Union

import numpy as np
import torch

from headscope.components import Input
from headscope.model.edges import Wiring, Written

_BLOCK_BYTES = 64 * 2**20

Part = Union[slice, torch.Tensor]
"""Some of all positions of all runs in a row."""


class NeuronProducts:
    """Sums over runs and positions; what is added is kept, as in `EdgeProducts`.

    Args:
        wiring: With layers of neurons.
        change: By how much every writer's output changes.
        vectors: What other writers' changes are at a part of all positions, `[writer, n, d_model]`.
        parts: The portions in which they are spelt out.

    Cost: `neurons * readers * d_model` multiplications per layer of neurons, and as many per
    position for what others write to neurons.
    """

    def __init__(
        self,
        wiring: Wiring,
        change: Written,
        vectors: Callable[[Part], torch.Tensor],
        parts: Sequence[Part],
    ) -> None:
        self._wiring = wiring
        self._vectors = vectors
        self._parts = parts
        self._change = {layer: _flat(x) for layer, x in change.neurons.items()}
        self._out = {
            layer: own.out.to(self._change[layer]) for layer, own in wiring.neurons.items()
        }
        self._gradients: dict[int, torch.Tensor] = {}
        self._along = torch.zeros(wiring.whole.possible.shape, dtype=torch.float64)
        self._spelt, self._plainly = wiring.alike

    def add(
        self,
        heads: Mapping[tuple[Input, int], torch.Tensor],
        units: Sequence[torch.Tensor],
        middles: Sequence[torch.Tensor],
        gradients: Mapping[int, torch.Tensor],
        factors: Mapping[int, torch.Tensor],
        weight: float,
    ) -> None:
        """Count gradients at one point.

        Args:
            heads: What is taken off along the unit of heads' norms, `[n, reader]`.
            units: Of every block's first norm, `[n, d_model]`.
            middles: What every block's MLP reads, likewise.
            gradients: By layer, with respect to neurons' factors, `[n, neuron, factor]`.
            factors: Those themselves.
            weight: How often they count.
        """
        wiring, edges = self._wiring, self._wiring.whole
        for (letter, layer), along in heads.items():
            if wiring.norm(layer).normalises:
                columns = edges.columns(layer, letter)
                self._take_along(layer, columns, units[layer], along)
        for layer, own in wiring.neurons.items():
            scaled = gradients[layer] * (weight / own.before.scale(middles[layer]))[..., None]
            self._gradients[layer] = self._gradients.get(layer, 0) + scaled
            if not own.before.normalises:
                continue
            unit, columns = own.before.unit(middles[layer]), edges.columns(layer, None)
            seen = factors[layer] - own.read_of_nothing()
            along = (seen * scaled).sum(-1) / unit.shape[-1]
            self._take_along(layer, columns, unit, along)
            for part in self._parts:
                vectors = self._vectors(part)[: wiring.map.written_before(layer, mlp=True)]
                moved = torch.einsum("wnd,nd->wn", vectors, unit[part])
                self._to_neurons(self._along, moved @ along[part], columns)

    def _take_along(
        self, layer: int, columns: slice, unit: torch.Tensor, along: torch.Tensor
    ) -> None:
        """What the changes of all neurons below are along a unit, for some readers."""
        for below, change in self._before(layer):
            moved = change * (unit @ self._out[below].mT)
            self._along[self._wiring.whole.rows(below), columns] += (moved.mT @ along).cpu()

    def total(
        self,
        plain: torch.Tensor,
        heads: Mapping[tuple[Input, int], torch.Tensor],
        views: Mapping[int, torch.Tensor],
        logits: torch.Tensor,
    ) -> Generator[float, None, torch.Tensor]:
        """float64 `[writer, reader]` of the whole map; yields the share done.

        Args:
            plain: The products of all edges between heads and MLPs.
            heads: Gradients with respect to queries, keys and values over the scale of their norm,
                `[n, reader, d_head]`.
            views: With respect to what MLPs read, `[n, d_model]`.
            logits: With respect to the last stream, likewise.
        """
        wiring, edges = self._wiring, self._wiring.whole
        found = -self._along
        found[np.ix_(*self._spelt)] = plain[np.ix_(*self._plainly)]
        n_steps = len(heads) + len(self._gradients)
        for done, ((letter, layer), gradient) in enumerate(heads.items()):
            yield done / n_steps
            columns = edges.columns(layer, letter)
            self._from_neurons(found, layer, columns, gradient, wiring.pulled(layer, letter))
        for done, (layer, gradient) in enumerate(self._gradients.items(), len(heads)):
            yield done / n_steps
            pulled = wiring.neurons[layer].pulled().to(gradient)
            columns = edges.columns(layer, None)
            self._from_neurons(found, layer, columns, gradient, pulled)
            for part in self._parts:
                vectors = self._vectors(part)[: wiring.map.written_before(layer, mlp=True)]
                sums = []
                for vector in vectors:
                    sums.append(_seen(vector, gradient[part], pulled))
                    yield done / n_steps
                self._to_neurons(found, torch.stack(sums), columns)
        last = slice(len(edges.readers) - 1, len(edges.readers))
        ends = {layer: (edges.columns(layer, None), view) for layer, view in views.items()
                if layer not in wiring.neurons}  # fmt: skip
        for layer, (column, view) in (ends | {edges.layout.n_layers: (last, logits)}).items():
            for below, change in self._before(layer):
                product = ((change.mT @ view) * self._out[below]).sum(1, keepdim=True)
                found[edges.rows(below), column] += product.cpu()
        return found

    def _from_neurons(
        self,
        found: torch.Tensor,
        layer: int,
        columns: slice,
        gradient: torch.Tensor,
        pulled: torch.Tensor,
    ) -> None:
        """From all neurons below to readers with gradients `[n, reader, h]`."""
        for below, change in self._before(layer):
            out = self._out[below]
            step = max(1, _BLOCK_BYTES // (out.element_size() * len(out) * pulled.shape[1]))
            for first in range(0, len(pulled), step):
                some = slice(first, first + step)
                weights = out @ pulled[some].to(out).flatten(0, 1).mT
                sums = change.mT @ gradient[:, some].flatten(1)
                product = (sums * weights).unflatten(1, (-1, pulled.shape[1])).sum(-1)
                column = slice(columns.start + first, columns.start + first + product.shape[1])
                found[self._wiring.whole.rows(below), column] += product.cpu()

    def _to_neurons(self, found: torch.Tensor, products: torch.Tensor, columns: slice) -> None:
        """Add products `[writer, neuron]` of all but neurons: those that precede them."""
        here, there = self._spelt[0], self._plainly[0]
        some = there < len(products)
        found[here[some], columns] += products.cpu()[there[some]]

    def _before(self, layer: int) -> Iterator[tuple[int, torch.Tensor]]:
        return ((below, change) for below, change in self._change.items() if below < layer)


def _seen(vector: torch.Tensor, gradient: torch.Tensor, pulled: torch.Tensor) -> torch.Tensor:
    """Of what one writer writes, `[n, d_model]`, for each neuron."""
    seen = vector @ pulled.flatten(0, 1).mT
    return (seen * gradient.flatten(1)).sum(0).view(pulled.shape[:2]).sum(-1)


def _flat(activation: torch.Tensor) -> torch.Tensor:
    dtype = torch.promote_types(activation.dtype, torch.float32)
    return activation.flatten(0, 1).to(dtype)
