"""Edges of the residual stream: from everything that writes to it to everything that reads it.

The stream is a sum of what its writers wrote: the embedding, heads and MLPs. A reader is a head's
queries, keys or values (of a key-value head, where heads share them), an MLP, or the logits; each
takes its own view of that sum, through its own norm. An edge is one writer in one reader's view.
The neurons of an MLP may stand in its place (`neuron_edges`).

Where a block norms what its attention puts out (Gemma 2), a head writes its share of that norm:
the norm is linear once its scale is given, and the scale is that of the run itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from headscope.components import INPUTS, Component, Input, Layout
from headscope.errors import ModelError
from headscope.model.capabilities import name_of
from headscope.model.neuron_edges import NeuronLayer
from headscope.model.norms import Norm
from headscope.model.paths import outputs
from headscope.model.recorded import (
    Place,
    RecordedRuns,
    hooked_first,
    leaving_no_trace,
    unread_hooks,
)
from headscope.model.resumed import TOLERANCE
from headscope.model.sites import hook_name

Indices = npt.NDArray[np.intp]


class EdgeMap:
    """The writers, readers and possible edges of a layout.

    Args:
        layout: The components.
        length: Of a prompt, where an edge at every position counts as one of its own: what the
            writer writes there, as the reader reads it there.
        read: The positions whose logits are read then.
        neurons: How many neurons the MLPs of some layers have: they stand in the MLP's place.

    Attributes:
        layout: The components.
        length: As above.
        writers: embed, then of every block its heads and its MLP (or neurons).
        readers: Of every block its queries, keys and values and its MLP (or neurons); then the
            logits.
        possible: bool `[writer, reader]`, or `[writer, reader, position]`.
        feeds: bool `[reader, writer]`: whether what the reader makes of its view goes into what
            the writer writes. A shared key-value head feeds several heads.
        attended: bool `[reader]`: keys and values, which feed what is written at later positions
            too; queries and what an MLP reads feed what is written where they are.
    """

    def __init__(
        self,
        layout: Layout,
        length: int | None = None,
        read: Sequence[int] = (),
        neurons: Mapping[int, int] | None = None,
    ) -> None:
        self.layout = layout
        self.length = length
        self.neurons = dict(neurons or {})
        writers, readers = [Component("embed")], list[Component]()
        self._first_writer, self._first_reader = list[int](), list[int]()
        for layer in range(layout.n_layers):
            self._first_writer.append(len(writers))
            self._first_reader.append(len(readers))
            writers += [Component("head", layer, head) for head in range(layout.n_heads)]
            for letter in INPUTS:
                for index in range(self.width(letter)):
                    head, shared = (index, None) if letter == "q" else (None, index)
                    readers.append(layout.resolve(Component("head", layer, head, shared, letter)))
            if layer in self.neurons:
                own = [Component("neuron", layer, neuron=i) for i in range(self.neurons[layer])]
            else:
                own = [Component("mlp", layer)] if layout.mlps else []
            writers += own
            readers += own
        self.writers = tuple(writers)
        self.readers = (*readers, Component("logits"))
        self.possible: npt.NDArray[np.bool_] = np.less.outer(
            [layout.written_at(writer) for writer in self.writers],
            [layout.read_at(reader) for reader in self.readers],
        )
        if length is not None:
            self.possible = np.repeat(self.possible[..., None], length, -1)
            self.possible[:, -1] &= np.isin(np.arange(length), read)
        self.attended: npt.NDArray[np.bool_] = np.array(
            [reader.input in ("k", "v") for reader in self.readers]
        )
        at = {writer: row for row, writer in enumerate(writers)}
        self.feeds: npt.NDArray[np.bool_] = np.zeros((len(self.readers), len(writers)), bool)
        for column, reader in enumerate(readers):
            self.feeds[column, [at[writer] for writer in _fed(layout, reader)]] = True

    def shared(self, other: EdgeMap) -> tuple[Indices, Indices]:
        """Where the writers and the readers that another map has too stand in this one."""
        writers, readers = frozenset(other.writers), frozenset(other.readers)
        return (
            np.flatnonzero([writer in writers for writer in self.writers]),
            np.flatnonzero([reader in readers for reader in self.readers]),
        )

    def width(self, letter: Input) -> int:
        """How many readers of that letter a block has."""
        return self.layout.n_heads if letter == "q" else self.layout.n_kv_heads

    def written_before(self, layer: int, *, mlp: bool = False) -> int:
        """How many of the writers the block's attention (or its MLP) reads."""
        before = self._first_writer[layer]
        return before + (self.layout.n_heads if mlp and not self.layout.parallel else 0)

    def rows(self, layer: int) -> slice:
        """The writers of a block's MLP: itself, or its neurons."""
        first = self._first_writer[layer] + self.layout.n_heads
        return slice(first, first + self.neurons.get(layer, 1))

    def columns(self, layer: int, letter: Input | None) -> slice:
        """The readers of a block: of a letter, or (None) its MLP or its neurons."""
        first = self._first_reader[layer]
        if letter is None:
            first += self.layout.n_heads + 2 * self.layout.n_kv_heads
            return slice(first, first + self.neurons.get(layer, 1))
        first += sum(self.width(other) for other in INPUTS[: INPUTS.index(letter)])
        return slice(first, first + self.width(letter))


class Wiring:
    """How a model's components write to its stream and read from it, from its weights as they are.

    Args:
        bridge: The model.
        layout: Its components.
        neurons: Layers whose MLP is told apart by neurons too.

    Attributes:
        map: The edges between heads and MLPs.
        neurons: How the neurons of each of those layers read and write.
        whole: The edges with those neurons in the place of their MLPs.
        alike: Where the writers and readers that are no neurons stand in `whole`; where, in `map`.

    Raises:
        ModelError: A block's weights cannot be found.
    """

    def __init__(self, bridge: Any, layout: Layout, neurons: Sequence[int] = ()) -> None:
        self.bridge = bridge
        self.map = EdgeMap(layout)
        try:
            blocks = list(bridge.blocks)
            self._out = [block.attn.W_O.detach() for block in blocks]
            self._in = [
                {
                    letter: _projection(block.attn, letter, self.map.width(letter))
                    for letter in INPUTS
                }
                for block in blocks
            ]
        except (AttributeError, NotImplementedError) as missing:
            raise _no_edges(bridge, str(missing)) from missing
        children = [dict(block.named_children()) for block in blocks]
        self._norms = [Norm.of(bridge, of.get("ln1")) for of in children]
        shared = [layout.parallel and "ln2" not in of for of in children]
        self._mlp_norms = [
            Norm.of(bridge, of.get("ln1" if same else "ln2"))
            for of, same in zip(children, shared, strict=True)
        ]
        self._after = [Norm.of(bridge, of.get("ln1_post")) for of in children]
        self._b_o = [getattr(block.attn, "b_O", None) for block in blocks]
        self.neurons = {
            layer: NeuronLayer.of(bridge, layer, self._mlp_norms[layer]) for layer in neurons
        }
        widths = {layer: len(own.out) for layer, own in self.neurons.items()}
        self.whole = EdgeMap(layout, neurons=widths) if neurons else self.map
        self.alike = self.whole.shared(self.map), self.map.shared(self.whole)

    @property
    def places(self) -> list[Place]:
        """What is recorded of a run: what is written, and the stream behind each block."""
        n_layers = self.map.layout.n_layers
        behind: list[Place] = [("resid_post", layer) for layer in range(n_layers)]
        return [
            *outputs(self.map.layout),
            *(("mlp_post", layer) for layer in self.neurons),
            *behind,
        ]

    def shares(self, layer: int, z: torch.Tensor) -> torch.Tensor:
        """Heads' outputs `[..., head, d_head]`, divided by the scale of the norm behind them."""
        if not self._after[layer].normalises:
            return z
        return z / self.scale_after(layer, z).unsqueeze(-1).to(z.dtype)

    def scale_after(self, layer: int, z: torch.Tensor) -> torch.Tensor:
        """What the norm behind attention divides by, `[..., 1]`, of heads' outputs `z`."""
        total = torch.einsum("...he,hed->...d", z, self._out[layer])
        bias = self._b_o[layer]
        return self._after[layer].scale(total if bias is None else total + bias.detach())

    def written(self, layer: int) -> torch.Tensor:
        """What heads write per unit of their shares, `[head, d_head, d_model]`."""
        unit = torch.eye(self._out[layer].shape[1], device=self._out[layer].device)
        return self.heads(layer, unit[:, None].expand(-1, len(self._out[layer]), -1))

    def attention_bias(self, layer: int, scale: torch.Tensor) -> torch.Tensor:
        """What attention writes whatever its heads do, `[position, d_model]`.

        Args:
            layer: The block.
            scale: What the norm behind it divides by, `[position, 1]`.
        """
        after, bias = self._after[layer], self._b_o[layer]
        width = self._out[layer].shape[-1]
        written = scale.new_zeros(len(scale), width) if bias is None else bias.detach().float()
        written = after.scaled(written.expand(len(scale), -1), scale)
        return written if after.bias is None else written + after.bias

    def heads(self, layer: int, shares: torch.Tensor) -> torch.Tensor:
        """What heads write, `[head, n, d_model]`, of their `shares` `[n, head, d_head]`."""
        written = torch.bmm(shares.transpose(0, 1), self._out[layer].to(shares.dtype))
        after = self._after[layer]
        if not after.normalises:
            return written
        return after.scaled(written, torch.ones_like(written[..., :1])).to(shares.dtype)

    def read(self, layer: int, letter: Input, views: torch.Tensor) -> torch.Tensor:
        """Queries, keys or values `[n, reader, d_head]` of each reader's view `[reader, n, d]`."""
        weight, bias = self._in[layer][letter]
        normed = self._norms[layer](views).to(weight.dtype)
        return (torch.bmm(normed, weight) + bias[:, None]).transpose(0, 1)

    def read_of_nothing(self, layer: int, letter: Input) -> torch.Tensor:
        """What of queries, keys or values `[reader, d_head]` does not depend on the stream."""
        weight, bias = self._in[layer][letter]
        norm = self._norms[layer].bias
        return bias if norm is None else norm.to(weight.dtype) @ weight + bias

    def read_mlp(self, layer: int, view: torch.Tensor) -> torch.Tensor:
        """What goes into an MLP, of its view `[n, d_model]`."""
        return self._mlp_norms[layer](view).to(view.dtype)

    def norm(self, layer: int) -> Norm:
        """The norm before queries, keys and values."""
        return self._norms[layer]

    def mlp_norm(self, layer: int) -> Norm:
        """The norm before the MLP."""
        return self._mlp_norms[layer]

    def pulled(self, layer: int, letter: Input) -> torch.Tensor:
        """What takes gradients with respect to queries, keys or values back to the norm's unit.

        `[reader, d_head, d_model]`: the projection, with the norm's gain and centring folded in.
        """
        weight, _ = self._in[layer][letter]
        return self._norms[layer].folded(weight.mT)

    def pull_back_mlp(
        self, layer: int, stream: torch.Tensor, gradient: torch.Tensor
    ) -> torch.Tensor:
        """The gradient with respect to an MLP's view `[n, d_model]`, from that with its input."""
        return self._mlp_norms[layer].pull_back(stream, gradient)

    def check(self, ids: torch.Tensor) -> None:
        """Refuse a model that does not compute as this wiring says.

        Args:
            ids: A prompt to try, `[1, position]`.

        Raises:
            ModelError: Readers do not read the stream through norm and projection, or the stream is
                not the sum of what was written.
        """
        layout = self.map.layout
        layers = range(layout.n_layers)
        # What is read counts as it was before interventions act on it, what is written as after.
        read = {f"blocks.{layer}.attn.hook_{letter}" for layer in layers for letter in INPUTS}
        read.update(*(own.factors for own in self.neurons.values()))
        written = {
            hook_name(self.bridge, site, layer)
            for site in ("resid_pre", "resid_post", "attn_out", "z")
            for layer in layers
        }
        written |= {own.post for own in self.neurons.values()}
        if layout.mlps:
            read |= {f"blocks.{layer}.mlp.hook_in" for layer in layers}
            written |= {f"blocks.{layer}.hook_mlp_out" for layer in layers}
        kept: dict[str, torch.Tensor] = {}

        def keeper(name: str) -> Any:
            def keep(activation: torch.Tensor, hook: Any) -> None:
                kept[name] = activation[0].detach().clone()

            return keep

        hooks = [(name, keeper(name)) for name in written] + unread_hooks(self.bridge)
        first = hooked_first(self.bridge, [(name, keeper(name)) for name in read])
        with torch.no_grad(), leaving_no_trace(self.bridge), first:
            self.bridge.run_with_hooks(ids, fwd_hooks=hooks)
            for layer in layers:
                self._check_block(layer, f"blocks.{layer}.", kept)

    def _check_block(self, layer: int, at: str, kept: dict[str, torch.Tensor]) -> None:
        if missing := [f for f in ("attn.hook_q", "attn.hook_z") if at + f not in kept]:
            raise _no_edges(self.bridge, f"{at}{missing[0]} is not shown")
        before, attention = kept[at + "hook_resid_pre"], kept[at + "hook_attn_out"]
        shares = self.shares(layer, kept[at + "attn.hook_z"])
        rest = attention - self.heads(layer, shares).sum(0)
        # What heads do not write is the same at every position: biases.
        pairs = [("what heads write is not what attention puts out", rest, rest[:1], attention)]
        for letter in INPUTS:
            own = kept[f"{at}attn.hook_{letter}"]
            views = before.expand(own.shape[1], *before.shape)
            pairs.append((f"{letter} is not a norm and a projection of the stream",
                          self.read(layer, letter, views), own, own))  # fmt: skip
        after = before + attention
        if self.map.layout.mlps:
            own = kept[at + "mlp.hook_in"]
            stream = before if self.map.layout.parallel else after
            made = self.read_mlp(layer, stream)
            pairs.append(("an MLP's input is not a norm of the stream", made, own, own))
            if layer in self.neurons:
                pairs += self.neurons[layer].claims(stream, kept[at + "hook_mlp_out"], kept)
            after = after + kept[at + "hook_mlp_out"]
        end = kept[at + "hook_resid_post"]
        pairs.append(("the stream is not the sum of what is written", after, end, end))
        # Some norms round to float32 whatever dtype the model has.
        bound = max(TOLERANCE[before.dtype], 1e-5)
        for what, made, own, size in pairs:
            if not (made - own).abs().max() <= bound * size.abs().max():
                raise _no_edges(self.bridge, f"in block {layer} {what}")


@dataclass(frozen=True, eq=False)
class Written:
    """What every writer wrote, compactly; or a difference of two such.

    Args:
        embed: `[run, position, d_model]`.
        shares: Per layer the heads' shares (see `Wiring`), `[run, position, head, d_head]`.
        mlps: Per layer `[run, position, d_model]`; empty without MLPs. Where neurons are told
            apart, what they write together: the bias behind them is nobody's.
        neurons: Per layer of neurons their shares (see `NeuronLayer`), `[run, position, neuron]`.
    """

    embed: torch.Tensor
    shares: tuple[torch.Tensor, ...]
    mlps: tuple[torch.Tensor, ...]
    neurons: Mapping[int, torch.Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, wiring: Wiring, runs: RecordedRuns) -> Written:
        """What was written in recorded runs that have the activations of `paths.outputs`.

        And, where neurons are told apart, those of `mlp_post` in their layers.
        """
        layout = wiring.map.layout
        neurons = {
            layer: own.shares(runs.activations["mlp_post", layer])
            for layer, own in wiring.neurons.items()
        }

        def mlp(layer: int) -> torch.Tensor:
            whole = runs.activations["mlp_out", layer]
            if layer not in neurons:
                return whole
            return wiring.neurons[layer].written(neurons[layer]).to(whole)

        return cls(
            runs.streams[:, 0],
            tuple(
                wiring.shares(layer, runs.activations["z", layer])
                for layer in range(layout.n_layers)
            ),
            tuple(mlp(layer) for layer in range(layout.n_layers)) if layout.mlps else (),
            neurons,
        )

    def map(self, change: Any, *others: Written) -> Written:
        """`change` of every tensor (and those of `others` at the same place)."""

        def of(written: Written) -> list[torch.Tensor]:
            return [written.embed, *written.shares, *written.mlps, *written.neurons.values()]

        made = [change(*tensors) for tensors in zip(of(self), *map(of, others), strict=True)]
        n, m = 1 + len(self.shares), 1 + len(self.shares) + len(self.mlps)
        neurons = dict(zip(self.neurons, made[m:], strict=True))
        return Written(made[0], tuple(made[1:n]), tuple(made[n:m]), neurons)

    def __sub__(self, other: Written) -> Written:
        return self.map(torch.sub, other)

    def vectors(self, wiring: Wiring, part: slice | torch.Tensor = slice(None)) -> torch.Tensor:
        """What each writer wrote, `[writer, n, d_model]`, at a part of all positions of all runs.

        In float32 at least. Costs `n_writers * d_model` numbers per position: take parts.
        """
        dtype = torch.promote_types(self.embed.dtype, torch.float32)
        found = [self.embed.flatten(0, 1)[None, part].to(dtype)]
        for layer, shares in enumerate(self.shares):
            found.append(wiring.heads(layer, shares.flatten(0, 1)[part].to(dtype)))
            if self.mlps:
                found.append(self.mlps[layer].flatten(0, 1)[None, part].to(dtype))
        return torch.cat(found)


def _fed(layout: Layout, reader: Component) -> list[Component]:
    """The writers that what a block's reader makes of its view goes into."""
    if reader.kind != "head":
        return [reader]
    return [Component("head", reader.layer, head) for head in layout.heads(reader)]


def _projection(attention: Any, letter: Input, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight `[reader, d_model, d_head]` and bias `[reader, d_head]`."""
    weight = getattr(attention, f"W_{letter.upper()}").detach()
    bias = getattr(attention, f"b_{letter.upper()}", None)
    if len(weight) != width:
        raise AttributeError(f"W_{letter.upper()} has {len(weight)} heads, not {width}")
    if bias is None:
        return weight, weight.new_zeros(width, weight.shape[-1])
    return weight, bias.detach().reshape(width, -1)


def _no_edges(bridge: Any, why: str) -> ModelError:
    return ModelError(
        f"Edges are not defined on {name_of(bridge)}: {why}.",
        "Use activation patching; or remove your own hooks, if these are why.",
    )
