"""Neurons in runs of circuits: what every reader sees of them, and what they see.

Their changes stay compact, one number per neuron and position. Readers into which the same edges
are kept see the same, so that a view is made once for all of them: the whole circuit, the empty one
and sparse ones need few views, however many neurons there are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from headscope.model.edges import EdgeMap, Wiring, Written

_BLOCK_BYTES = 64 * 2**20

Columns = npt.NDArray[np.bool_]


class NeuronCircuits:
    """The neurons of some circuits in one pass.

    Args:
        wiring: Its layers of neurons, or none.
        ablated: What each writer is ablated to.
        kept: bool `[circuit, writer, reader]` of the whole map.

    Attributes:
        plain: Those of the edges between heads and MLPs, as in the map without neurons.
    """

    def __init__(self, wiring: Wiring, ablated: Written, kept: torch.Tensor) -> None:
        self._wiring = wiring
        self._ablated = ablated
        self._kept: Columns = kept.numpy(force=True)
        self._moved: dict[int, torch.Tensor] = {}
        self._sums: dict[int, torch.Tensor] = {}
        self._factors: dict[int, torch.Tensor] = {}
        (_, here), (_, there) = wiring.alike
        self._column_of = dict(zip(there.tolist(), here.tolist(), strict=True))
        self.plain = torch.from_numpy(self._plain()) if wiring.neurons else kept

    def _plain(self) -> Columns:
        (rows, columns), (old_rows, old_columns) = self._wiring.alike
        plain = np.zeros((len(self._kept), *self._wiring.map.possible.shape), bool)
        plain[:, old_rows[:, None], old_columns] = self._kept[:, rows[:, None], columns]
        return plain

    def keep(self, layer: int, activation: torch.Tensor) -> None:
        """Take what neurons write, of their activations `[circuit run, position, neuron]`."""
        own = self._wiring.neurons[layer]
        shares = own.shares(activation).unflatten(0, (len(self._kept), -1))
        moved = (shares - self._ablated.neurons[layer]).flatten(1, 2)
        self._sums[layer] = own.written(moved)
        self._moved[layer] = moved.to(self._sums[layer])

    def add(self, views: torch.Tensor, columns: slice) -> None:
        """Add what readers see of the neurons that have written.

        Args:
            views: `[circuit, reader, n, d_model]`, changed in place.
            columns: The readers, in the map without neurons.
        """
        if not self._moved:
            return
        first = self._column_of[columns.start]
        own = slice(first, first + views.shape[1])
        for circuit, kept in enumerate(self._kept):
            distinct, which = _distinct(kept[:, own])
            views[circuit] += self._seen(circuit, distinct)[which]

    def factor(
        self, layer: int, number: int, found: torch.Tensor, base: torch.Tensor
    ) -> torch.Tensor:
        """What neurons read: one of their factors, `[circuit, n, neuron]`.

        Args:
            layer: Theirs.
            number: Of the factor.
            found: What others have written, less what they are ablated to,
                `[circuit, writer, n, d_model]`.
            base: The view with everything ablated, `[n, d_model]`.
        """
        if layer not in self._factors:
            all_of_them = [self._read(i, layer, one, base) for i, one in enumerate(found)]
            self._factors[layer] = torch.stack(all_of_them)
        return self._factors[layer][..., number]

    def _read(
        self, circuit: int, layer: int, found: torch.Tensor, base: torch.Tensor
    ) -> torch.Tensor:
        """All factors in one circuit, `[n, neuron, factor]`."""
        own, edges = self._wiring.neurons[layer], self._wiring.whole
        (rows, _), (old_rows, _) = self._wiring.alike
        distinct, which = _distinct(self._kept[circuit][:, edges.columns(layer, None)])
        some = old_rows < self._wiring.map.written_before(layer, mlp=True)
        among = torch.from_numpy(distinct[rows[some]].T).to(found)
        written = found[old_rows[some]].flatten(1)
        factors = base.new_empty(len(base), *own.bias.shape)
        per_view = base.numel() + len(base) * max(
            (m.shape[-1] for m in self._moved.values()), default=0
        )
        step = max(1, _BLOCK_BYTES // (base.element_size() * per_view))
        for first in range(0, len(among), step):
            views = (among[first : first + step] @ written).unflatten(1, base.shape) + base
            if self._moved:
                views += self._seen(circuit, distinct[:, first : first + step])
            for number, normed in enumerate(own.before(views), first):
                members = torch.from_numpy(np.flatnonzero(which == number)).to(base.device)
                factors[:, members] = own.factors_of(normed, members).to(factors)
        return factors

    def _seen(self, circuit: int, kept: Columns) -> torch.Tensor:
        """What readers see of the neurons that have written, `[reader, n, d_model]`.

        Of their sum where that leaves less to be added up: they may see nearly all.
        """
        return torch.stack([self._of_layer(layer, circuit, kept) for layer in self._moved]).sum(0)

    def _of_layer(self, layer: int, circuit: int, kept: Columns) -> torch.Tensor:
        among, moved = kept[self._wiring.whole.rows(layer)].T, self._moved[layer][circuit]
        some, missing = (np.flatnonzero(which.any(0)) for which in (among, ~among))
        less = len(missing) < len(some)
        some = missing if less else some
        weights = torch.from_numpy(among[:, some] != less).to(moved)
        rows = torch.from_numpy(some).to(moved.device)
        parts = moved[:, rows] * weights[:, None]
        seen = parts @ self._wiring.neurons[layer].out[rows].to(moved)
        return self._sums[layer][circuit] - seen if less else seen


def neuron_bytes(edges: EdgeMap, like: torch.Tensor) -> int:
    """Most that the neurons of one circuit take: changes, factors, blocks of views, and its edges.

    Args:
        edges: Its map.
        like: A view, `[n, d_model]`.
    """
    if not edges.neurons:
        return 0
    per_position = 6 * sum(edges.neurons.values()) + 2 * len(edges.neurons) * like.shape[1]
    numbers = like.element_size() * len(like) * per_position
    return numbers + 2 * _BLOCK_BYTES + 2 * edges.possible.size


def _distinct(columns: Columns) -> tuple[Columns, npt.NDArray[np.intp]]:
    """The columns that differ, `[writer, n]`, and which of them each one is."""
    packed = np.ascontiguousarray(np.packbits(columns, axis=0).T)
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return columns[:, first], which
