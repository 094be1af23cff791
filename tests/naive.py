"""Patching written out by hand: one prompt, one run, plain hooks. What all else must equal.

Changes are made in place, as TransformerLens's own patching does, so that whatever reads the
tensor sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

SITES = (
    "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out",
    "q", "k", "v", "z", "pattern", "mlp_post",
)  # fmt: skip
STREAMS = SITES[:5]


def hook(site: str, layer: int) -> str:
    """TransformerLens's name of a place."""
    part = "" if site in STREAMS else "mlp." if site == "mlp_post" else "attn."
    return f"blocks.{layer}.{part}hook_{'post' if site == 'mlp_post' else site}"


def sites_of(bridge: Any) -> list[str]:
    """The sites that a bridge has."""
    return [site for site in SITES if hook(site, 0) in bridge.hook_dict]


@dataclass(frozen=True, eq=False)
class Change:
    """`value` at `where` of an activation, whose batch axis does not count."""

    hook: str
    where: tuple[Any, ...]
    value: torch.Tensor


def where(site: str, positions: Any, unit: int | None) -> tuple[Any, ...]:
    """The part of an activation that a patch replaces; `positions` is an index or a slice."""
    part = slice(None) if unit is None else unit
    if site == "pattern":
        return (part, positions)
    return (positions,) if unit is None else (positions, part)


def logits(
    bridge: Any,
    ids: Sequence[int],
    changes: Sequence[Change] = (),
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    """Logits `[position, d_vocab]` of one run with changes."""

    def disturb(activation: torch.Tensor, hook: Any) -> torch.Tensor:
        return activation + noise

    def make(change: Change) -> Any:
        def apply(activation: torch.Tensor, hook: Any) -> torch.Tensor:
            activation[0][change.where] = change.value.to(activation.dtype)
            return activation

        return change.hook, apply

    hooks = [] if noise is None else [("blocks.0.hook_resid_pre", disturb)]
    with torch.no_grad():
        found: torch.Tensor = bridge.run_with_hooks(
            torch.tensor([list(ids)]), fwd_hooks=[*hooks, *map(make, changes)]
        )
    return found[0]


def activations(
    bridge: Any, ids: Sequence[int], names: Sequence[str], noise: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """Activations of one run by hook name, without the batch axis."""
    kept = {}

    def keep(name: str) -> Any:
        def hook(activation: torch.Tensor, hook: Any) -> None:
            kept[name] = activation[0].detach().clone()

        return name, hook

    hooks = [] if noise is None else [("blocks.0.hook_resid_pre", lambda x, hook: x + noise)]
    with torch.no_grad():
        bridge.run_with_hooks(
            torch.tensor([list(ids)]), fwd_hooks=[*hooks, *(keep(name) for name in set(names))]
        )
    return kept
