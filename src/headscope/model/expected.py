"""One run of a prompt for all who are about to ask of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from headscope.model.memory import site_bytes
from headscope.model.runs import LOGITS, RunCache, Site
from headscope.model.watching import Observer


@dataclass(frozen=True)
class Expected:
    """What is about to be asked of a prompt.

    Args:
        token_ids: The prompt's ids.
        sites: Activations of its run.
    """

    token_ids: tuple[int, ...]
    sites: tuple[Site, ...]

    def is_of(self, token_ids: Sequence[int]) -> bool:
        """Whether something is expected of this prompt."""
        return bool(self.sites) and self.token_ids == tuple(token_ids)

    def missing(self, runs: RunCache, bridge: Any) -> tuple[Site, ...]:
        """What a run is to keep besides what it is run for; nothing, where the cache has no room.

        What the model does not have is left to whoever asks for it, who will say so.
        """
        known = bridge.hook_dict.keys()
        found = tuple(
            site
            for site in self.sites
            if site.hook in known and runs.get((self.token_ids, site)) is None
        )
        size = sum(site_bytes(bridge, site, len(self.token_ids)) for site in found)
        return found if size <= runs.budget // 2 else ()

    def keepers(self, runs: RunCache, sites: Sequence[Site]) -> list[tuple[str, Observer]]:
        """Hooks and functions that keep activations."""

        def keeper(site: Site) -> Observer:
            return lambda activation: runs.put((self.token_ids, site), site.of(activation))

        return [(site.hook, keeper(site)) for site in sites]

    def replayed(
        self, runs: RunCache, observers: Mapping[str, Observer], positions: Sequence[int]
    ) -> torch.Tensor | None:
        """Show observers what an earlier run has kept.

        Args:
            runs: The cache, whose tensors are on the CPU.
            observers: Hook name to a function of the activation; they are called in this order.
            positions: Those whose logits are wanted.

        Returns:
            float32 `[position, d_vocab]`; None if anything is lacking: then nothing was shown.
        """
        rows = [Site(LOGITS, 0, position) for position in positions]
        sites = [*map(Site, observers), *rows]
        found = [kept for site in sites if (kept := runs.get((self.token_ids, site))) is not None]
        if len(found) < len(sites) or not rows:
            return None
        for observer, activation in zip(observers.values(), found, strict=False):
            observer(activation)
        return torch.stack(found[len(observers) :])
