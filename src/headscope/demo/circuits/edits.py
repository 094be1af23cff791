"""Runs of a plain GPT-2 in which chosen activations are read or replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle
from transformers import GPT2LMHeadModel

Edit = Callable[[Tensor], Tensor]
"""What takes an activation `[row, position, width]` and returns what goes on in its place."""


@dataclass(frozen=True)
class Site:
    """An activation, named as in TransformerLens.

    Args:
        kind: `resid_pre` enters a block, `mlp_out` leaves an MLP, `z` is what one head hands to
            the output projection.
        layer: From 0; the `resid_pre` of the layer after the last one enters the final norm.
        head: From 0; for `z` alone.
    """

    kind: Literal["resid_pre", "mlp_out", "z"]
    layer: int
    head: int = 0

    @property
    def label(self) -> str:
        """The head's name, as in "L1H4"."""
        return f"L{self.layer}H{self.head}"

    def hook(self, model: GPT2LMHeadModel, edit: Edit) -> RemovableHandle:
        """Have `edit` decide on this activation until the handle is removed."""
        network: Any = model.transformer
        module = (*network.h, network.ln_f)[self.layer]
        part = self.part(model)

        def before(_: object, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            value = arguments[0].clone()
            value[..., part] = edit(value[..., part])
            return (value, *arguments[1:])

        handle: RemovableHandle
        if self.kind == "mlp_out":
            handle = module.mlp.register_forward_hook(lambda _, __, out: edit(out))
        else:
            entered = module.attn.c_proj if self.kind == "z" else module
            handle = entered.register_forward_pre_hook(before)
        return handle

    def part(self, model: GPT2LMHeadModel) -> slice:
        """Which of the activation's columns: for `z`, the head's own among all heads'."""
        width = model.config.n_embd // model.config.n_head
        return (
            slice(self.head * width, (self.head + 1) * width) if self.kind == "z" else slice(None)
        )


def all_heads(model: GPT2LMHeadModel) -> list[Site]:
    """Every head's `z`, by layer."""
    layers, heads = range(model.config.n_layer), range(model.config.n_head)
    return [Site("z", layer, head) for layer in layers for head in heads]


@torch.no_grad()
def run(model: GPT2LMHeadModel, ids: Tensor, edits: Mapping[Site, Edit]) -> Tensor:
    """Logits `[row, position, vocabulary]` of a run with `edits`; the model is left as found."""
    with ExitStack() as stack:
        for site, edit in edits.items():
            stack.callback(site.hook(model, edit).remove)
        logits: Tensor = model(ids).logits
    return logits


def read(model: GPT2LMHeadModel, ids: Tensor, sites: Iterable[Site]) -> dict[Site, Tensor]:
    """The activations at `sites`, each `[row, position, width]`."""
    kept: dict[Site, Tensor] = {}

    def keep(site: Site, value: Tensor) -> Tensor:
        kept[site] = value.clone()
        return value

    run(model, ids, {site: partial(keep, site) for site in sites})
    return kept


def put(values: Tensor, position: int | slice) -> Edit:
    """The edit that replaces an activation at `position` by `values` there."""

    def edit(value: Tensor) -> Tensor:
        value = value.clone()
        value[:, position] = values[:, position]
        return value

    return edit


def mean_ablation(
    model: GPT2LMHeadModel, ids: Tensor, sites: Iterable[Site], position: int | slice = slice(None)
) -> dict[Site, Edit]:
    """The edits that replace `sites` at `position` by their mean there, over all rows of `ids`."""
    edits = {}
    for site, values in read(model, ids, sites).items():
        mean = values[:, position].flatten(0, -2).mean(0).expand_as(values[:1])
        edits[site] = put(mean, position)
    return edits
