"""The frozen model by TransformerLens's own hooks, and studies to compare with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from headscope.analyses.attribution_effects import Attributed, EffectCollector
from headscope.analyses.attribution_study import AttributionRequest, AttributionStudy
from headscope.model.live import LiveModel
from tests.models import PROMPT


def finish(steps: Any) -> Any:
    """What a generator returns."""
    found: list[Any] = []

    def outer() -> Any:
        found.append((yield from steps))

    for _ in outer():
        pass
    return found[0]


def attributed(bridge: Any, prompt: Any = PROMPT, **fields: Any) -> tuple[Any, Attributed]:
    """A study and all its effects."""
    study = AttributionStudy(LiveModel.of(bridge), AttributionRequest(prompt, **fields))
    finish(study.prepare())
    return study, finish(EffectCollector(study).collect())


class LinearModel:
    """A bridge whose patterns, norm scales and MLP outputs are held at those of one run.

    Args:
        bridge: The model.
        token_ids: The prompt.
    """

    def __init__(self, bridge: Any, token_ids: Any) -> None:
        self._bridge, self._ids = bridge, torch.tensor([list(token_ids)])
        _, cache = bridge.run_with_cache(self._ids)
        self._cache = {name: value.detach() for name, value in cache.items()}

    def reads(self, hook: str, moved: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The activation at a hook when something is added at others, `[position, ...]`."""
        seen: list[torch.Tensor] = []
        hooks = [
            (name, lambda value, hook, held=held: held.clone())
            for name, held in self._cache.items()
            if name.endswith(("hook_pattern", "hook_scale", "hook_mlp_out"))
        ]
        hooks += [(name, lambda value, hook, by=by: value + by) for name, by in moved.items()]
        hooks.append((hook, lambda value, hook: seen.append(value.detach()[0])))
        with torch.no_grad():
            self._bridge.run_with_hooks(self._ids, fwd_hooks=hooks)
        return seen[0]
