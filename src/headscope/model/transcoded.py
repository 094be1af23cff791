"""Local replacement by transcoders: a frozen run whose MLPs are written as a sum of features."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch

from headscope.errors import ModelError
from headscope.model.capabilities import name_of
from headscope.model.dictionaries import Transcoders
from headscope.model.frozen import FrozenRun
from headscope.model.replacement import LocalReplacement
from headscope.model.replacement_parts import LinearSkip, Reading, Units, with_gaps

_KINDS = {
    "ln2.hook_in": "stream", "hook_in": "stream", "ln2.hook_normalized": "unit",
    "mlp.hook_in": "normed",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class FeatureReader:
    """How features read the stream."""

    transcoders: Transcoders
    readings: tuple[Reading, ...]

    def read(
        self, layer: int, position: torch.Tensor, index: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients `[unit, d_model]` with respect to the stream, and offsets `[unit]`."""
        reading, transcoder = self.readings[layer], self.transcoders[layer]
        rows = transcoder.encoder(index)
        bias = transcoder.b_enc.to(rows)[index]
        return reading.pull_back(rows, reading.scale[position]), reading.offset(rows) + bias


def readings(bridge: Any, run: FrozenRun, transcoders: Transcoders) -> tuple[Reading, ...]:
    """What the transcoders of each layer read.

    Raises:
        ModelError: They are not made for this model.
    """
    transcoders.check(bridge)
    behind = any("ln2_post" in dict(block.named_children()) for block in bridge.blocks)
    if behind and transcoders.output_hook != "hook_mlp_out":
        raise ModelError(
            f"In {name_of(bridge)} a norm follows what {transcoders.name} stand for.",
            "Use transcoders that write hook_mlp_out.",
        )
    kinds = [
        _KINDS[transcoders.reads(bridge, layer).partition(f"blocks.{layer}.")[2]]
        for layer in range(run.n_layers)
    ]
    return tuple(
        Reading(kind, norm, norm.scale(run.read_by_mlp(layer)))
        for layer, (kind, norm) in enumerate(zip(kinds, run.mlp_norms, strict=True))
    )


def replace_by_features(
    bridge: Any, run: FrozenRun, transcoders: Transcoders, *, constant_first: bool
) -> Generator[None, None, LocalReplacement]:
    """Write the run's MLPs as features, errors and biases; pauses after every layer.

    Args:
        bridge: The model.
        run: Its frozen run.
        transcoders: Those of the model.
        constant_first: Whether the first token is the same in every prompt: what MLPs write there
            is then a bias, and no features are active.

    Raises:
        ModelError: The transcoders are not made for this model.
    """
    seen = readings(bridge, run, transcoders)
    units: list[Units] = []
    skips: list[LinearSkip | None] = []
    writes: dict[tuple[int, int], torch.Tensor] = {}
    constants: list[torch.Tensor] = []
    for layer, (transcoder, reading) in enumerate(zip(transcoders, seen, strict=True)):
        read = reading.of(run.read_by_mlp(layer))
        active = transcoder.encode(read)
        if constant_first:
            active[0] = 0
        position, index = active.nonzero(as_tuple=True)
        units.append(Units(position, index, active[position, index]))
        constant = transcoder.b_dec.to(read).expand(run.n_tokens, -1).clone()
        error = run.mlp_written[layer] - constant
        weight = None if transcoder.w_skip is None else transcoder.w_skip.to(read)
        skips.append(None if weight is None else LinearSkip(reading, weight))
        if weight is not None:
            error -= read @ weight.mT
            constant += reading.offset(weight)
        for source in range(0 if transcoders.cross_layer else layer, layer + 1):
            of = units[source]
            rows = transcoders[source].decoder(of.index, layer) * of.activation[:, None]
            error.index_add_(0, of.position, rows, alpha=-1)
            if source < layer:
                writes[source, layer] = with_gaps(rows, of, torch.zeros_like(error))
        if constant_first:
            constant[0] += error[0]
            error[0] = 0
        writes[layer, layer] = with_gaps(rows, units[layer], error)
        constants.append(constant)
        yield
    reader, n_active = FeatureReader(transcoders, seen).read, sum(map(len, units))
    return LocalReplacement(run, units, writes, constants, reader, skips, n_active)
