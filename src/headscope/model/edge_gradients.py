"""Gradients of a number with respect to what every reader reads, and their products with edges.

The gradient at a head's queries, keys or values is pulled back through its projection and through
the norm, each reader with the whole norm to itself, as if every reader had a copy of the stream.
That is what TransformerLens's split inputs give, with no flag touched and grouped keys included.
What interventions do to what was read is part of what is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from headscope.components import INPUTS, Input
from headscope.model.edges import Wiring, Written
from headscope.model.neuron_products import NeuronProducts, Part
from headscope.model.recorded import Place, hooked_first, leaving_no_trace, unread_hooks
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
        reads: Those queries, keys and values themselves.
        mlps: With respect to each MLP's input behind its norm, `[run, position, d_model]`.
        logits: With respect to the last stream, `[run, position, d_model]`.
        neurons: By layer, with respect to neurons' factors, `[run, position, neuron, factor]`.
        factors: Those factors themselves.
    """

    streams: tuple[torch.Tensor, ...]
    middles: tuple[torch.Tensor, ...]
    heads: Mapping[tuple[Input, int], torch.Tensor]
    reads: Mapping[tuple[Input, int], torch.Tensor]
    mlps: tuple[torch.Tensor, ...]
    logits: torch.Tensor
    neurons: Mapping[int, torch.Tensor]
    factors: Mapping[int, torch.Tensor]


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
    reads: dict[tuple[str, int], torch.Tensor] = {}
    streams: list[torch.Tensor] = []
    middles: list[torch.Tensor] = []
    final: list[torch.Tensor] = []

    def leaf(key: tuple[str, int]) -> Any:
        def add(activation: torch.Tensor, hook: Any) -> torch.Tensor:
            zeros[key] = torch.zeros_like(activation, requires_grad=True)
            return activation + zeros[key]

        return add

    def reader(key: tuple[str, int]) -> Any:
        add = leaf(key)

        def keep_and_add(activation: torch.Tensor, hook: Any) -> torch.Tensor:
            reads[key] = activation.detach()
            return add(activation, hook)  # type: ignore[no-any-return]

        return keep_and_add

    def keeper(kept: list[torch.Tensor]) -> Any:
        return lambda activation, hook: kept.append(activation.detach())

    hooks: list[tuple[str, Any]] = [
        (hook_name(bridge, *place), lambda x, hook, moved=moved: x + moved.to(x))
        for place, moved in (shift or {}).items()
    ]
    first: list[tuple[str, Any]] = []
    for layer in layers:
        at = f"blocks.{layer}."
        hooks.append((at + "hook_resid_pre", keeper(streams)))
        first += [(f"{at}attn.hook_{letter}", reader((letter, layer))) for letter in INPUTS]
        if layout.mlps:
            first.append((at + "mlp.hook_in", leaf(("mlp", layer))))
            if not layout.parallel:
                hooks.append((at + "hook_resid_mid", keeper(middles)))
    factors = [(name, layer) for layer, own in wiring.neurons.items() for name in own.factors]
    first += [(name, reader((name, layer))) for name, layer in factors]
    last = hook_name(bridge, "resid_post", layout.n_layers - 1)
    hooks.append((last, lambda x, hook: final.append(x)))
    hooks += unread_hooks(bridge)
    letters: tuple[str, ...] = (*INPUTS, "mlp") if layout.mlps else INPUTS
    keys = [*((letter, layer) for letter in letters for layer in layers), *factors]
    with torch.inference_mode(False), torch.enable_grad(), leaving_no_trace(bridge):
        # Copies, since what was made in inference mode cannot be saved for a backward pass.
        shift = {place: moved.clone() for place, moved in (shift or {}).items()}
        with hooked_first(bridge, first):
            bridge.run_with_hooks(token_ids.clone(), fwd_hooks=hooks)
        total = score(final[0][:, list(read)]).sum()
        *found, logits = torch.autograd.grad(
            total, [*(zeros[key] for key in keys), final[0]],
            allow_unused=True, materialize_grads=True,
        )  # fmt: skip
    by_key = dict(zip(keys, found, strict=True))
    heads = [(letter, layer) for letter in INPUTS for layer in layers]

    def stacked(found: Mapping[tuple[str, int], torch.Tensor]) -> dict[int, torch.Tensor]:
        return {
            layer: torch.stack([found[name, layer] for name in own.factors], -1)
            for layer, own in wiring.neurons.items()
        }

    return ReaderGradients(
        tuple(streams),
        tuple(streams if layout.parallel else middles) if layout.mlps else (),
        {key: by_key[key] for key in heads},
        {key: reads[key] for key in heads},
        tuple(by_key["mlp", layer] for layer in layers) if layout.mlps else (),
        logits,
        stacked(by_key),
        stacked(reads),
    )


class EdgeProducts:
    """For every edge, what the writer's change does to a score through that reader alone.

    To first order: the products of changes and gradients, summed over runs and positions, for a
    weighted sum of gradients taken at any number of points. What is costly is done once, whatever
    their number: a reader's gradient is (P - unit (unit . P) / d) / scale, with P linear in the
    gradient at its queries, keys or values and the same map at all points.

    Args:
        wiring: The model's readers and writers.
        change: By how much every writer's output changes, in the runs of the gradients.
        by_position: Whether sums are over runs alone, with a last axis of positions; not where
            neurons are told apart.

    Cost: a product of `[writer, n d_model]` with `[n d_model, reader]` per block of n positions; no
    more than about 64 MB of writers are spelt out at a time, however long the prompts.
    """

    def __init__(self, wiring: Wiring, change: Written, *, by_position: bool = False) -> None:
        self._wiring = wiring
        self._change = change
        (n_runs, length), width = change.embed.shape[:2], change.embed.shape[-1]
        size = max(1, _BLOCK_BYTES // (4 * len(wiring.map.writers) * width))
        self._parts = list(_parts(n_runs, length, size, by_position=by_position))
        self._only = change.vectors(wiring) if len(self._parts) == 1 and not by_position else None
        shape = (*wiring.map.possible.shape, length if by_position else 1)
        self._by_position = by_position
        self._along = torch.zeros(shape, dtype=torch.float64)
        self._heads: dict[tuple[Input, int], torch.Tensor] = {}
        self._mlps: dict[int, torch.Tensor] = {}
        self._logits: torch.Tensor | None = None
        parts = [part for _, part in self._parts]
        self._neurons = (
            NeuronProducts(wiring, change, self._vectors, parts) if wiring.neurons else None
        )

    def add(self, gradients: ReaderGradients, weight: float) -> None:
        """Count gradients at one point, `weight` times."""
        wiring, edges = self._wiring, self._wiring.map
        layers = range(edges.layout.n_layers)
        with torch.no_grad():
            streams = [_flat(stream) for stream in gradients.streams]
            units = [wiring.norm(layer).unit(streams[layer]) for layer in layers]
            along: dict[tuple[Input, int], torch.Tensor] = {}
            for layer in layers:
                share = weight / wiring.norm(layer).scale(streams[layer])
                for letter in INPUTS:
                    key = letter, layer
                    scaled = _flat(gradients.heads[key]) * share[..., None]
                    self._heads[key] = self._heads.get(key, 0) + scaled
                    # Unit times projection is what was read, less what is read of nothing.
                    seen = _flat(gradients.reads[key]) - wiring.read_of_nothing(layer, letter)
                    along[key] = (seen * scaled).sum(-1) / units[layer].shape[-1]
                if gradients.mlps:
                    stream, own = _flat(gradients.middles[layer]), _flat(gradients.mlps[layer])
                    view = weight * wiring.pull_back_mlp(layer, stream, own)
                    self._mlps[layer] = self._mlps.get(layer, 0) + view
            logits = weight * _flat(gradients.logits)
            self._logits = logits if self._logits is None else self._logits + logits
            if self._neurons is not None:
                self._neurons.add(
                    along, units, [_flat(middle) for middle in gradients.middles],
                    {layer: _flat(own) for layer, own in gradients.neurons.items()},
                    {layer: _flat(own) for layer, own in gradients.factors.items()}, weight,
                )  # fmt: skip
            normed = [layer for layer in layers if wiring.norm(layer).normalises]
            for slots, part in self._parts if normed else ():
                # Every writer's change along every block's unit, `[n, writer, layer]`.
                stack = torch.stack([units[layer][part] for layer in normed], -1)
                moved = torch.bmm(self._vectors(part).transpose(0, 1), stack)
                for i, layer in enumerate(normed):
                    n = edges.written_before(layer)
                    for letter in INPUTS:
                        seen = along[letter, layer][part].T[..., None]
                        product = _by_slot(moved[:, :n, i].T[..., None], seen, slots)
                        self._along[:n, edges.columns(layer, letter), slots] += product

    def total(self) -> torch.Tensor:
        """float64 `[writer, reader]`, by position or not, on the CPU; 0 where there is no edge.

        Of edges between heads and MLPs.
        """
        wiring, edges = self._wiring, self._wiring.map
        found = -self._along
        with torch.no_grad():
            pulled = {key: wiring.pulled(key[1], key[0]) for key in self._heads}
            for slots, part in self._parts:
                vectors = self._vectors(part)
                for (letter, layer), gradient in self._heads.items():
                    n = edges.written_before(layer)
                    own = pulled[letter, layer].to(vectors)
                    views = torch.bmm(gradient[part].transpose(0, 1), own)
                    product = _by_slot(vectors[:n], views, slots)
                    found[:n, edges.columns(layer, letter), slots] += product
                for layer, view in self._mlps.items():
                    n = edges.written_before(layer, mlp=True)
                    product = _by_slot(vectors[:n], view[None, part].to(vectors), slots)
                    found[:n, edges.columns(layer, None), slots] += product
                if self._logits is not None:
                    view = self._logits[None, part].to(vectors)
                    found[:, -1:, slots] += _by_slot(vectors, view, slots)
        return found if self._by_position else found[..., 0]

    def whole(self) -> Generator[float, None, torch.Tensor]:
        """As `total`, of neurons too where they are told apart; yields the share done."""
        plain = self.total()
        if self._neurons is None or self._logits is None:
            return plain
        return (yield from self._neurons.total(plain, self._heads, self._mlps, self._logits))

    def _vectors(self, part: Part) -> torch.Tensor:
        return self._change.vectors(self._wiring, part) if self._only is None else self._only


def _parts(
    n_runs: int, length: int, size: int, *, by_position: bool
) -> Iterator[tuple[slice, Part]]:
    """Portions of about `size` of all positions of all runs in a row, and which sums each is for.

    By position, a portion has all runs' first position, then all runs' second, and so on.
    """
    if not by_position:
        for first in range(0, n_runs * length, size):
            yield slice(0, 1), slice(first, first + size)
        return
    every = torch.arange(n_runs * length).view(n_runs, length)
    step = max(1, size // n_runs)
    for first in range(0, length, step):
        slots = slice(first, min(first + step, length))
        yield slots, every[:, slots].T.flatten()


def _by_slot(vectors: torch.Tensor, views: torch.Tensor, slots: slice) -> torch.Tensor:
    """Products of `[writer, n, d]` with `[reader, n, d]`, `[writer, reader, slot]`, on the CPU."""
    n = slots.stop - slots.start
    a, b = (x.reshape(len(x), n, -1).transpose(0, 1) for x in (vectors, views))
    return torch.bmm(a, b.mT).permute(1, 2, 0).cpu()


def _flat(activation: torch.Tensor) -> torch.Tensor:
    """All positions of all runs in a row, in float32 at least."""
    dtype = torch.promote_types(activation.dtype, torch.float32)
    return activation.flatten(0, 1).to(dtype)
