"""What a run shows to those who watch it, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch

Observer = Callable[[torch.Tensor], None]


class Watch:
    """Observers of one run.

    Args:
        observers: Hook name to a function of the activation, without its batch axis.
        left_out: Blocks that do not run. Whoever watches one, other than the stream that passes by,
            sees zeros: it writes nothing and attends to nothing.
        more: Names and functions of others, who may see nothing.
    """

    def __init__(
        self,
        observers: Mapping[str, Observer],
        left_out: Collection[int] = (),
        more: Sequence[tuple[str, Observer]] = (),
    ) -> None:
        self._observers = observers
        self._more = more
        self._left_out = left_out
        self._waiting = {name for name, _ in (*observers.items(), *more)}
        #: By name within a block: what an activation of that name is like.
        self._seen: dict[str, dict[str, Any]] = {}

    def hooks(self) -> list[tuple[str, Callable[..., None]]]:
        """To be put on the model for the run."""
        return [self._hook(*item) for item in (*self._observers.items(), *self._more)]

    def finish(self) -> set[str]:
        """Show what blocks that are left out come to; returns what was not seen all the same."""
        unseen = self._waiting.copy()
        for name, observer in (*self._observers.items(), *self._more):
            if name not in unseen:
                continue
            place = name.split(".", 2)
            like = self._seen.get(place[-1])
            passes = place[-1].startswith("hook_resid")
            if like is not None and not passes and int(place[1]) in self._left_out:
                observer(torch.zeros(**like))
                self._waiting.discard(name)
        return self._waiting & self._observers.keys()

    def _hook(self, name: str, observer: Observer) -> tuple[str, Callable[..., None]]:
        def look(activation: torch.Tensor, hook: Any) -> None:
            self._waiting.discard(name)
            of = activation[0]
            if self._left_out:
                like = {"size": of.shape, "dtype": of.dtype, "device": of.device}
                self._seen[name.split(".", 2)[-1]] = like
            observer(of)

        return name, look
