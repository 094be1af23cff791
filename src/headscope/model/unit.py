"""One unit of an MLP, by name: a transcoder's feature (`L3F212`) or a neuron (`L3N17`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Union

import torch

from headscope.errors import RequestError
from headscope.model.dictionaries import Transcoders
from headscope.model.live import LiveModel
from headscope.model.norms import Norm
from headscope.model.runs import Site

_NAME = re.compile(r"L(\d{1,5})([FN])(\d{1,9})(?:@\d+)?")


@dataclass(frozen=True)
class Unit:
    """A feature of `transcoders`, or a neuron where they are None.

    Args:
        layer: Its block.
        index: Its number there.
        transcoders: Whose feature it is.
    """

    layer: int
    index: int
    transcoders: Union[Transcoders, None]

    @classmethod
    def parse(cls, name: str, model: LiveModel, transcoders: Transcoders | None) -> Unit:
        """The unit that a graph's node is, wherever it is active: `L3F212`, `L3F212@7`, `L3N17`.

        Raises:
            ModelError: The transcoders are not made for the model.
            RequestError: It is no unit, or there is none of that number.
        """
        match = _NAME.fullmatch(name)
        if not match:
            raise RequestError(f"{name!r} is no feature or neuron.", "Pass one such as L3F212.")
        layer, index = int(match[1]), int(match[3])
        of = None
        if match[2] == "F":
            if transcoders is None:
                raise RequestError(
                    f"{name} is a feature, and there are no transcoders.",
                    "Pass transcoders=hs.load_transcoders(...), or ask for a neuron: L3N17.",
                )
            transcoders.check(model.bridge)
            of = transcoders
        unit = cls(layer, index, of)
        if layer >= model.n_layers:
            raise RequestError(f"There is no {name}.", f"Layers are 0 to {model.n_layers - 1}.")
        if index >= (size := unit._siblings(model)):
            raise RequestError(f"There is no {name}.", f"The layer has units 0 to {size - 1}.")
        return unit

    @property
    def name(self) -> str:
        """`L3F212` or `L3N17`."""
        return f"L{self.layer}{'N' if self.transcoders is None else 'F'}{self.index}"

    def site(self, model: LiveModel) -> Site:
        """What must be seen of a run for `activation`."""
        if self.transcoders is None:
            return Site(f"blocks.{self.layer}.mlp.hook_post")
        return Site(self.transcoders.reads(model.bridge, self.layer))

    def activation(self, seen: torch.Tensor) -> torch.Tensor:
        """Its activation, float32 `[n]`, of what was seen at `site`, `[n, width]`."""
        if self.transcoders is None:
            return seen[:, self.index].float()
        return self.transcoders[self.layer].encode(seen)[:, self.index]

    def written(self, model: LiveModel) -> torch.Tensor:
        """What it adds to the last residual stream per activation, directly, float32 `[d_model]`.

        A cross-layer feature's writes to all layers are summed. Where a norm follows the MLP its
        gain counts, and its scale is left out.
        """
        if self.transcoders is not None:
            transcoder = self.transcoders[self.layer]
            which = torch.tensor([self.index])
            rows = [transcoder.decoder(which, target)[0] for target in transcoder.targets]
            return torch.stack(rows).sum(0)
        block = model.bridge.blocks[self.layer]
        row = block.mlp.W_out[self.index].detach()
        after = Norm.of(model.bridge, dict(block.named_children()).get("ln2_post"))
        return after.scaled(row, torch.ones_like(row[:1])).float()

    def _siblings(self, model: LiveModel) -> int:
        """How many units the layer has."""
        if self.transcoders is not None:
            return self.transcoders[self.layer].n_features
        weight = getattr(getattr(model.bridge.blocks[self.layer], "mlp", None), "W_out", None)
        if not isinstance(weight, torch.Tensor) or weight.ndim != 2:
            raise RequestError(
                f"Layer {self.layer} of {model.name} has no neurons.", "Pass its transcoders."
            )
        return len(weight)
