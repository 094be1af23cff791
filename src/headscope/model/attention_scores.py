"""Attention scores of recorded runs, as they were or with other queries or keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from headscope.model.passing_over import passing_over
from headscope.model.recorded import Patch, RecordedRuns, edit_hooks, leaving_no_trace, noise_hooks
from headscope.model.runs import is_hooked
from headscope.model.sites import hook_name


def attention_scores(
    bridge: Any, recorded: RecordedRuns, layer: int, patches: Sequence[Patch] = ()
) -> torch.Tensor:
    """A block's attention scores `[run, head, dest, src]`, masked, with `patches[i]` in run i.

    Args:
        bridge: The model.
        recorded: The runs.
        layer: The block.
        patches: Queries or keys to put in, all at one site; none for the runs as they were.
    """
    found: list[torch.Tensor] = []

    def write(activation: torch.Tensor, hook: Any) -> torch.Tensor:
        activation = activation.clone()
        for row, patch in zip(activation, patches, strict=True):
            patch.apply(row)
        return activation

    def keep(activation: torch.Tensor, hook: Any) -> None:
        found.append(activation.detach().float())

    # Whatever has acted on the recorded stream would act again on a run that starts from it.
    whole = is_hooked(bridge)
    first = 0 if whole else layer
    hooks = noise_hooks(bridge, recorded.noise if whole else None)
    hooks += edit_hooks(bridge, [edit for edit in recorded.edits if first <= edit.layer <= layer])
    hooks.append((f"blocks.{layer}.attn.hook_attn_scores", keep))
    if patches:
        hooks.append((hook_name(bridge, patches[0].site, layer), write))
    part = {"start_at_layer": layer}
    if layer + 1 < int(bridge.cfg.n_layers):
        part["stop_at_layer"] = layer + 1
    with torch.no_grad(), passing_over(bridge, first, recorded), leaving_no_trace(bridge):
        bridge.run_with_hooks(
            recorded.token_ids if whole else recorded.streams[:, layer],
            fwd_hooks=hooks,
            **({} if whole else part),
        )
    return found[0]
