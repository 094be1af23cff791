"""What interventions come to on a model, while it is put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headscope.model.dictionaries import Transcoders
from headscope.model.intervening.clock import Clock
from headscope.model.live import LiveModel

Hook = tuple[str, Callable[..., Any]]


class Building:
    """Hooks and the order of blocks, added to by each intervention in turn.

    Args:
        model: The model.
        transcoders: Whose features may be clamped.
    """

    def __init__(self, model: LiveModel, transcoders: Transcoders | None) -> None:
        self.model = model
        self.transcoders = transcoders
        self.clock = Clock()
        #: For each place in the model, the blocks that run there, one after the other.
        self.slots = [[layer] for layer in range(model.n_layers)]
        self.lowest = model.n_layers
        self._changes: list[Hook] = []
        self._watches: list[Hook] = []

    def change(self, name: str, layer: int, hook: Callable[..., Any]) -> None:
        """Hook a function onto an activation of a layer, behind those that are there."""
        self._changes.append((name, hook))
        self.touch(layer)

    def watch(self, name: str, layer: int, hook: Callable[..., None]) -> None:
        """Look at an activation of a layer as all changes leave it."""
        self._watches.append((name, hook))
        self.touch(layer)

    def touch(self, layer: int) -> None:
        """Something is otherwise from this layer on."""
        self.lowest = min(self.lowest, layer)

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """All hooks, in the order in which they act."""
        return (*self._changes, *self._watches)
