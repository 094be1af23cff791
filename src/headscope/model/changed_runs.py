"""Runs of the real model in which something is added to what it writes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from headscope.model.attention_edits import refuse_dropped_edits
from headscope.model.live import LiveModel
from headscope.model.recorded import leaving_no_trace

_HELD = ("attn.hook_pattern", "hook_mlp_out", "ln1.hook_scale", "ln1_post.hook_scale",
         "ln2.hook_scale", "ln2_post.hook_scale", "ln_final.hook_scale")  # fmt: skip


@dataclass(frozen=True, eq=False)
class ChangedRun:
    """What was seen of a run.

    Args:
        activations: By hook, without batch axis, float32.
        logits: At the last position, float32 `[d_vocab]`.
    """

    activations: Mapping[str, torch.Tensor]
    logits: torch.Tensor


def run_changed(
    model: LiveModel,
    token_ids: Sequence[int],
    moved: Mapping[str, torch.Tensor],
    wanted: Iterable[str],
    *,
    frozen: bool,
    beside: Mapping[str, tuple[str, Callable[[torch.Tensor], torch.Tensor]]],
) -> ChangedRun:
    """Run a prompt with something added at hooks.

    Args:
        model: The model; left as it was.
        token_ids: The prompt's ids.
        moved: Hook to what is added there, `[position, d_model]`.
        wanted: Hooks whose activations are wanted.
        frozen: Whether attention patterns, norm scales and MLP outputs (but for what is added) are
            held at those of the plain run.
        beside: What a held MLP output still follows: its hook to a hook before it and a function of
            that activation's change, both `[position, d_model]`.

    Raises:
        ModelError: Its patterns cannot be held, which `frozen` needs.
    """
    model.ready()
    ids = torch.tensor([list(token_ids)], device=model.device)
    held: dict[str, torch.Tensor] = {}
    if frozen:
        refuse_dropped_edits(model)
        names = [name for name in model.bridge.hook_dict if name.endswith(_HELD)]
        sources = [source for source, _ in beside.values()]
        plain, _ = _seen(model, ids, [], [*names, *sources])
        held = {name: plain[name] for name in names}
    now: dict[str, torch.Tensor] = {}

    def hold(name: str) -> tuple[str, Any]:
        def value_of(value: torch.Tensor, hook: Any) -> torch.Tensor:
            if name not in beside:
                return held[name].clone()
            source, follow = beside[name]
            return held[name] + follow((now[source] - plain[source])[0].float()).to(value)

        return name, value_of

    def note(name: str) -> tuple[str, Any]:
        return name, lambda value, hook: now.__setitem__(name, value.detach().clone())

    def add(name: str) -> tuple[str, Any]:
        return name, lambda value, hook: value + moved[name].to(value)

    changes = [*map(hold, held), *map(add, moved)]
    changes += map(note, (source for source, _ in beside.values()))
    found, logits = _seen(model, ids, changes, wanted)
    return ChangedRun({name: of[0].float() for name, of in found.items()}, logits)


def _seen(
    model: LiveModel, ids: torch.Tensor, changes: Sequence[tuple[str, Any]], names: Iterable[str]
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    found: dict[str, torch.Tensor] = {}

    def keep(name: str) -> tuple[str, Any]:
        def look(value: torch.Tensor, hook: Any) -> None:
            found[name] = value.detach().clone()

        return name, look

    hooks = [*changes, *map(keep, names)]
    with warnings.catch_warnings(), torch.no_grad(), leaving_no_trace(model.bridge):
        # Holding a norm's scale makes TransformerLens write the norm out, and say so.
        warnings.filterwarnings("ignore", "A forward hook edited hook_scale")
        logits = model.bridge.run_with_hooks(ids, fwd_hooks=hooks)
    return found, logits[0, -1].float()
