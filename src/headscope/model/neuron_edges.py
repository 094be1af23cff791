"""Neurons as writers to the residual stream and readers of it, in the place of their MLP.

A neuron reads the stream through the MLP's norm and one row of weights; gated, two: what its
nonlinearity takes, and the factor behind it. It writes its activation times a row of the matrix
out. What that bias adds which is behind all neurons is nobody's.

Where a block norms what its MLP puts out (Gemma 2), a neuron writes its share of that norm, as
heads do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from headscope.errors import ModelError, RequestError
from headscope.model.capabilities import capabilities, name_of
from headscope.model.norms import Norm


@dataclass(frozen=True, eq=False)
class NeuronLayer:
    """How one layer's neurons read and write.

    Args:
        before: The norm before the MLP.
        after: That behind it.
        factors: Hooks of what neurons read: of one factor, or of gate and other factor.
        post: The hook of their activations.
        into: Weights, `[neuron, factor, d_model]`.
        bias: Likewise, `[neuron, factor]`.
        out: `[neuron, d_model]`, with the gain of the norm behind.
        plain_out: Without it.
        plain_bias: What is added to what they write, `[d_model]`; or None.
    """

    before: Norm
    after: Norm
    factors: tuple[str, ...]
    post: str
    into: torch.Tensor
    bias: torch.Tensor
    out: torch.Tensor
    plain_out: torch.Tensor
    plain_bias: torch.Tensor | None

    @classmethod
    def of(cls, bridge: Any, layer: int, before: Norm) -> NeuronLayer:
        """The neurons of a layer.

        Raises:
            ModelError: Its MLP is not two matrices (three, with a gate) and a nonlinearity.
        """
        block, at = bridge.blocks[layer], f"blocks.{layer}.mlp."
        gated = capabilities(bridge).gated_mlp
        names = {"gate": "hook_pre", "in": "hook_pre_linear"} if gated else {"in": "hook_pre"}
        factors = tuple(at + hook for hook in names.values())
        try:
            weights = [getattr(block.mlp, f"W_{name}").detach().mT for name in names]
            biases = [getattr(block.mlp, f"b_{name}", None) for name in names]
            plain = block.mlp.W_out.detach()
            missing = [
                name for name in (*factors, at + "hook_post") if name not in bridge.hook_dict
            ]
            if missing:
                raise AttributeError(f"{missing[0]} is not shown")
        except (AttributeError, NotImplementedError) as why:
            raise _no_neurons(bridge, layer, str(why)) from why
        zero = weights[0].new_zeros(len(weights[0]))
        after = Norm.of(bridge, dict(block.named_children()).get("ln2_post"))
        out = after.scaled(plain, torch.ones_like(plain[:, :1])) if after.normalises else plain
        bias = getattr(block.mlp, "b_out", None)
        return cls(
            before, after, factors, at + "hook_post",
            torch.stack(weights, 1),
            torch.stack([zero if bias is None else bias.detach() for bias in biases], 1),
            out, plain, None if bias is None else bias.detach(),
        )  # fmt: skip

    @property
    def hooks(self) -> tuple[str, ...]:
        """Where their factors and their activations are."""
        return (*self.factors, self.post)

    def shares(self, activation: torch.Tensor) -> torch.Tensor:
        """Activations `[..., neuron]`, divided by the scale of the norm behind the MLP."""
        if not self.after.normalises:
            return activation
        total = activation @ self.plain_out
        scale = self.after.scale(total if self.plain_bias is None else total + self.plain_bias)
        return (activation / scale).to(activation.dtype)

    def written(self, shares: torch.Tensor) -> torch.Tensor:
        """What neurons write together, `[..., d_model]`, of their shares `[..., neuron]`."""
        dtype = torch.promote_types(shares.dtype, torch.float32)
        return shares.to(dtype) @ self.out.to(dtype)

    def read(self, views: torch.Tensor) -> torch.Tensor:
        """Factors `[n, neuron, factor]` of neurons that see views `[n, d_model]`."""
        return self.factors_of(self.before(views))

    def factors_of(
        self, normed: torch.Tensor, some: slice | torch.Tensor = slice(None)
    ) -> torch.Tensor:
        """Likewise of some neurons, that see a view which is `normed` already."""
        into = self.into[some]
        seen = normed.to(into.dtype) @ into.flatten(0, 1).mT
        return seen.view(-1, *into.shape[:2]) + self.bias[some]

    def read_of_nothing(self) -> torch.Tensor:
        """What of their factors `[neuron, factor]` does not depend on the stream."""
        norm = self.before.bias
        return self.bias if norm is None else self.into @ norm.to(self.into.dtype) + self.bias

    def pulled(self) -> torch.Tensor:
        """What takes gradients with respect to factors back to the norm's unit.

        `[neuron, factor, d_model]`: the weights, with the norm's gain and centring folded in.
        """
        return self.before.folded(self.into)

    def claims(
        self, stream: torch.Tensor, mlp_out: torch.Tensor, kept: Mapping[str, torch.Tensor]
    ) -> list[tuple[str, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """What should be equal if the model does as said here: what it is if not, and its size.

        Args:
            stream: What the MLP reads, `[position, d_model]`.
            mlp_out: What it writes, likewise.
            kept: Activations `[position, neuron]` by hook.
        """
        own = torch.stack([kept[name] for name in self.factors], -1)
        rest = mlp_out - self.written(self.shares(kept[self.post]))
        return [
            ("neurons do not read a norm of the stream", self.read(stream), own, own),
            # What neurons do not write is the same at every position: biases.
            ("what neurons write is not what the MLP puts out", rest, rest[:1], mlp_out),
        ]


def neuron_counts(bridge: Any, layers: Sequence[int]) -> dict[int, int]:
    """How many neurons the MLPs of some layers have.

    Raises:
        RequestError: There is no such layer.
        ModelError: Its MLP has no neurons.
    """
    n_layers = int(bridge.cfg.n_layers)
    found = {}
    for layer in layers:
        if not 0 <= layer < n_layers:
            raise RequestError(
                f"There is no layer {layer}.", f"The model has layers 0 to {n_layers - 1}."
            )
        out = getattr(getattr(bridge.blocks[layer], "mlp", None), "W_out", None)
        if not isinstance(out, torch.Tensor) or out.ndim != 2:
            raise _no_neurons(bridge, layer, "it has no matrix out")
        found[layer] = len(out)
    return found


def _no_neurons(bridge: Any, layer: int, why: str) -> ModelError:
    return ModelError(
        f"The MLP of block {layer} of {name_of(bridge)} is not a sum of neurons: {why}.",
        "Leave its layer out of neurons=....",
    )
