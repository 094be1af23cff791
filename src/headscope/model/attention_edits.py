"""Whether what a hook makes of attention scores and patterns counts.

Where TransformerLens leaves a block's attention to the wrapped module (GPT-J, OPT), their hooks
only show what was used already, and an edit is dropped.
"""

from __future__ import annotations

import warnings
from typing import Any
from weakref import WeakKeyDictionary

import torch

from headscope.errors import ModelError
from headscope.model.live import LiveModel
from headscope.model.recorded import leaving_no_trace

_KNOWN: WeakKeyDictionary[Any, dict[tuple[Any, ...], bool]] = WeakKeyDictionary()


def refuse_dropped_edits(model: LiveModel) -> None:
    """Refuse a model on which patterns cannot be changed.

    Cost: one run of two tokens, once for each way in which the model computes its attention.

    Raises:
        ModelError: An edited score does not reach the pattern, or an edited pattern not the heads.
    """
    config = getattr(model.bridge.original_model, "config", None)
    way = (getattr(config, "_attn_implementation", None), model.bridge.compatibility_mode)
    known = _KNOWN.setdefault(model.bridge, {})
    if way not in known:
        known[way] = _count(model)
    if not known[way]:
        raise ModelError(
            f"{model.name} computes its attention where its patterns can be seen, not changed.",
            "Change z, q, k or v instead: site='z', or an intervention on L9H6.",
        )


def _count(model: LiveModel) -> bool:
    """Cut the second token from the first; then take every pattern away: no head puts anything out.

    A pattern that is shown must lack the edge, and heads whose pattern is 0 must put out 0.
    """
    layers = range(model.n_layers)
    lacks: dict[int, bool] = {}
    silent: dict[int, bool] = {}

    def cut(scores: torch.Tensor, hook: Any) -> torch.Tensor:
        scores = scores.clone()
        scores[..., 1, 0] = -torch.inf
        return scores

    def look(layer: int) -> Any:
        def take_away(pattern: torch.Tensor, hook: Any) -> torch.Tensor:
            lacks[layer] = not bool(pattern[..., 1, 0].any())
            return torch.zeros_like(pattern)

        return take_away

    def heed(layer: int) -> Any:
        def listen(z: torch.Tensor, hook: Any) -> None:
            silent[layer] = not bool(z.any())

        return listen

    hooks = [
        (f"blocks.{layer}.attn.hook_{name}", function)
        for layer in layers
        for name, function in (("attn_scores", cut), ("pattern", look(layer)), ("z", heed(layer)))
    ]
    if any(name not in model.bridge.hook_dict for name, _ in hooks):
        return False
    ids = torch.tensor([[model.bos_id or 0, 1]], device=model.device)
    with (
        warnings.catch_warnings(),
        torch.no_grad(),
        model.own_hooks(),
        leaving_no_trace(model.bridge),
    ):
        # TransformerLens says the same of each hook whose edit it drops.
        warnings.filterwarnings("ignore", "A hook on .* returned a modified tensor")
        model.bridge.run_with_hooks(ids, fwd_hooks=hooks)
    return all(lacks.get(layer) and silent.get(layer) for layer in layers)
