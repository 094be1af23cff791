"""Local replacement by neurons: a frozen run whose MLPs are sums of their own neurons.

No dictionary is needed. A neuron's nonlinearity is held as the ratio of what comes out to what goes
in, so that its activation is linear in the stream and effects on it sum to it; a gated neuron,

    a = act(g) u = 1/2 (a / g) g + 1/2 (a / u) u,

gives half of its activation to its gate g and half to the other factor u. The neurons that are left
out of a graph are its error nodes.

Sources: Jafari et al. 2025, "RelP: Faithful and Efficient Circuit Discovery via Relevance Patching"
(ratios, and halves at gates); Arora et al. 2025 (neurons as the units of circuits).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch

from headscope.errors import ModelError
from headscope.model.frozen import FrozenRun
from headscope.model.live import LiveModel
from headscope.model.norms import Norm
from headscope.model.replacement import LocalReplacement
from headscope.model.replacement_parts import Readers, Reading, Units, with_gaps
from headscope.model.resumed import TOLERANCE
from headscope.model.runs import Site

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Neurons:
    """One layer's MLP in one run, written out.

    Args:
        reading: What it is given.
        into: Weights of one factor, or of gate and other factor, `[factor, neuron, d_model]`.
        bias: Likewise, `[factor, neuron]`.
        ratios: Activation over factor, shared out among the factors, `[factor, position, neuron]`.
        activation: `[position, neuron]`.
        out: `[neuron, d_model]`, with the gain of a norm behind the MLP.
        behind: What that norm divides by, `[position, 1]`.
        constant: What biases write, `[position, d_model]`.
    """

    reading: Reading
    into: torch.Tensor
    bias: torch.Tensor
    ratios: torch.Tensor
    activation: torch.Tensor
    out: torch.Tensor
    behind: torch.Tensor
    constant: torch.Tensor

    def read(
        self, position: torch.Tensor, index: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients `[unit, d_model]` of activations with respect to the stream, and offsets."""
        ratios = self.ratios[:, position, index]
        rows = (ratios[..., None] * self.into[:, index]).sum(0)
        offset = self.reading.offset(rows) + (ratios * self.bias[:, index]).sum(0)
        return self.reading.pull_back(rows, self.reading.scale[position]), offset

    def write(self, position: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """What neurons write per unit of activation, `[unit, d_model]`."""
        return self.out[index] / self.behind[position]

    def relevance(self, gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Activation times gradient, and the gradient with respect to the stream that is read.

        Args:
            gradients: With respect to what the MLP writes, `[position, n, d_model]`.

        Returns:
            `[position, n, neuron]` and `[position, n, d_model]`.
        """
        per_unit = gradients / self.behind[:, None] @ self.out.T
        factors = zip(self.ratios, self.into, strict=True)
        back = sum((per_unit * ratio[:, None]) @ weight for ratio, weight in factors)
        pulled = self.reading.pull_back(torch.as_tensor(back), self.reading.scale[:, None])
        return per_unit * self.activation[:, None], pulled


def neuron_sites(model: LiveModel) -> list[Site]:
    """The activations that `neurons` needs beside the frozen run."""
    return [Site(f"blocks.{layer}.mlp.hook_post") for layer in range(model.n_layers)]


def neurons(model: LiveModel, run: FrozenRun, layer: int) -> Neurons:
    """A layer's MLP, written out.

    Raises:
        ModelError: It is not two matrices (three, with a gate) and a nonlinearity.
    """
    block = model.bridge.blocks[layer]
    children, mlp = dict(block.named_children()), block.mlp
    after = Norm.of(model.bridge, children.get("ln2_post"))
    norm = run.mlp_norms[layer]
    stream = run.read_by_mlp(layer)
    reading = Reading("normed", norm, norm.scale(stream))
    activation = run.found[Site(f"blocks.{layer}.mlp.hook_post")].to(stream)
    try:
        gated = model.capabilities.gated_mlp
        names = ("gate", "in") if gated else ("in",)
        into = torch.stack([getattr(mlp, f"W_{name}").detach().float().T for name in names])
        bias = torch.stack([_bias(mlp, f"b_{name}", into[0, :, 0]) for name in names])
        out = mlp.W_out.detach().float()
        written = activation @ out + _bias(mlp, "b_out", out[0])
    except (AttributeError, RuntimeError, TypeError) as missing:
        raise _not_neurons(model, layer, str(missing)) from missing
    read = reading.of(stream)
    factors = torch.einsum("pd,fnd->fpn", read, into) + bias[:, None]
    ratios = torch.where(factors.abs() > _TINY, activation / factors / len(into), 0.0)
    behind = after.scale(written)
    total = after.scaled(written, behind)
    total = total if after.bias is None else total + after.bias
    own = run.mlp_written[layer]
    off = float((total - own).abs().max() / own.abs().max())
    bound = TOLERANCE[run.found[Site(f"blocks.{layer}.mlp.hook_post")].dtype]
    if not off <= bound:
        raise _not_neurons(model, layer, f"what they write is off by {off:.1g}")
    folded = after.scaled(out, torch.ones_like(out[:, :1]))
    return Neurons(
        reading, into, bias, ratios, activation, folded, behind,
        total - activation @ folded / behind,
    )  # fmt: skip


def _bias(mlp: Any, name: str, like: torch.Tensor) -> torch.Tensor:
    found = getattr(mlp, name, None)
    return torch.zeros_like(like) if found is None else found.detach().float()


def _not_neurons(model: LiveModel, layer: int, why: str) -> ModelError:
    return ModelError(
        f"The MLP of block {layer} of {model.name} is not a sum of neurons: {why}.",
        "Pass transcoders of this model.",
    )


def replace_by_neurons(
    model: LiveModel,
    run: FrozenRun,
    targets: Readers,
    weights: torch.Tensor,
    *,
    most: int,
    constant_first: bool,
) -> Generator[None, None, LocalReplacement]:
    """Write the run's MLPs as their most relevant neurons, errors and biases.

    Relevance is activation times gradient in the linear model, through all other neurons too,
    summed over targets by magnitude and weight.

    Args:
        model: The model.
        run: Frozen, with the activations of `neuron_sites`.
        targets: Readers of the last stream.
        weights: One per target.
        most: How many neurons, over all layers and positions.
        constant_first: Whether the first token is the same in every prompt: what MLPs write there
            is then a bias, and no neurons are active.
    """
    layers: list[Neurons] = []
    for layer in range(run.n_layers):
        layers.append(neurons(model, run, layer))
        yield
    relevance: dict[int, torch.Tensor] = {}
    n, (width,) = len(targets), targets.gradient.shape[1:]
    none = targets.position[:0], targets.gradient[:0]
    spread = targets.gradient.new_zeros(run.n_tokens, n, width)
    spread[targets.position, torch.arange(n)] = targets.gradient
    for layer in reversed(range(run.n_layers)):
        found, back = layers[layer].relevance(spread)
        relevance[layer] = torch.einsum("pnu,n->pu", found.abs(), weights)
        if run.parallel:
            spread = spread + back + run.attention[layer].pull_back(spread, *none)
        else:
            spread = spread + back
            spread = spread + run.attention[layer].pull_back(spread, *none)
        yield
    ranked = torch.stack([relevance[layer] for layer in range(run.n_layers)])
    if constant_first:
        ranked[:, 0] = 0
    best = ranked.flatten().topk(min(most, int((ranked > 0).sum()))).indices.sort().values
    chosen = torch.stack(torch.unravel_index(best, ranked.shape))
    units, writes, constants = [], {}, []
    for layer, of in enumerate(layers):
        position, index = chosen[1:, chosen[0] == layer]
        picked = Units(position, index, of.activation[position, index])
        rows = of.write(position, index) * picked.activation[:, None]
        constant = of.constant.clone()
        error = (run.mlp_written[layer] - constant).index_add(0, position, -rows)
        if constant_first:
            constant[0] += error[0]
            error[0] = 0
        writes[layer, layer] = with_gaps(rows, picked, error)
        units.append(picked)
        constants.append(constant)

    def read(
        layer: int, position: torch.Tensor, index: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return layers[layer].read(position, index)

    n_active = sum(int((of.activation[constant_first:] != 0).sum()) for of in layers)
    skips = [None] * run.n_layers
    return LocalReplacement(run, units, writes, constants, read, skips, n_active)
