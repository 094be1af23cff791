"""Gradients of a number with respect to activations, without touching the user's model.

A zero that asks for a gradient is added to each activation wanted; the gradient with respect to the
zero is the gradient with respect to the activation. No parameter needs (or gets) one, `.grad` is
never written, and nothing of the graph stays on the bridge.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import torch

from headscope.model.recorded import (
    Patch,
    Place,
    edit_hooks,
    leaving_no_trace,
    noise_hooks,
    replaceable,
    unread_hooks,
)
from headscope.model.runs import last_block
from headscope.model.sites import hook_name


def gradients(
    bridge: Any,
    token_ids: torch.Tensor,
    places: Iterable[Place],
    read: Sequence[int],
    score: Callable[[torch.Tensor], torch.Tensor],
    *,
    edits: Sequence[Patch] = (),
    embedding_noise: torch.Tensor | None = None,
    blocked: Sequence[int] = (),
) -> Generator[float, None, dict[Place, torch.Tensor]]:
    """The gradient of a score at every place, `[run, ...]` like the activations.

    Yields the share done between the two passes.

    Args:
        bridge: The model.
        token_ids: int64 `[run, position]`.
        places: Where.
        read: Positions whose final stream `score` gets.
        score: From final streams `[run, read, d_model]` to one number per run.
        edits: Patched in every run.
        embedding_noise: Added to the first block's input, `[run, position, d_model]`.
        blocked: Blocks whose attention and MLP pass no gradient on to what they read (GradDrop).

    Cost: one forward and one backward pass.
    """
    places = list(places)
    zeros: dict[Place, torch.Tensor] = {}
    final: list[torch.Tensor] = []
    hooks = [*noise_hooks(bridge, embedding_noise), *edit_hooks(bridge, edits)]

    def leaf(place: Place) -> Any:
        def add(activation: torch.Tensor, hook: Any) -> torch.Tensor:
            zeros[place] = torch.zeros_like(activation, requires_grad=True)
            return replaceable(activation, place[0]).add_(zeros[place])

        return add

    hooks += [(hook_name(bridge, site, layer), leaf((site, layer))) for site, layer in places]
    for layer in blocked:
        hooks += [
            (hook_name(bridge, site, layer), lambda x, hook: x.detach())
            for site in ("attn_out", "mlp_out")
        ]
    end = hook_name(bridge, "resid_post", last_block(bridge))
    hooks.append((end, lambda x, hook: final.append(x)))
    hooks += unread_hooks(bridge)
    with torch.inference_mode(False), torch.enable_grad(), leaving_no_trace(bridge):
        # A clone, since what was made in inference mode cannot be saved for a backward pass.
        bridge.run_with_hooks(token_ids.clone(), fwd_hooks=hooks)
        total = score(final[0][:, list(read)]).sum()
    yield 0.5
    with torch.inference_mode(False), torch.enable_grad():
        found = torch.autograd.grad(
            total, [zeros[place] for place in places], allow_unused=True, materialize_grads=True
        )
    return dict(zip(places, found, strict=True))
