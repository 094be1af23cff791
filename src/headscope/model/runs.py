"""Activations of earlier runs, bounded by bytes, and the check that they still hold."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch

from headscope.model.inventory import Inventory

DEFAULT_BUDGET = 512 * 2**20

#: Stands for a hook: the model's logits, float32, of one position (`Site.index`).
LOGITS = "logits"


@dataclass(frozen=True)
class Site:
    """An activation, or one index of it.

    Args:
        hook: TransformerLens's hook name, or `LOGITS`.
        axis: The axis, not counting the batch, of which only `index` is kept.
        index: The index; None for all.
    """

    hook: str
    axis: int = 0
    index: int | None = None

    def of(self, activation: torch.Tensor) -> torch.Tensor:
        """The part of `activation` that this stands for, on the CPU."""
        if self.index is None:
            return activation.cpu()
        return activation.select(self.axis, self.index).cpu().clone()


class RunCache:
    """Tensors by key, the least recently used dropped first.

    Args:
        budget: Most bytes held at any time.
    """

    def __init__(self, budget: int = DEFAULT_BUDGET) -> None:
        self.budget = budget
        self._tensors: OrderedDict[Any, torch.Tensor] = OrderedDict()
        self._nbytes = 0
        self._fingerprint: Any = None

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._nbytes

    def get(self, key: Any) -> torch.Tensor | None:
        """The tensor kept under `key`, or None."""
        tensor = self._tensors.get(key)
        if tensor is not None:
            self._tensors.move_to_end(key)
        return tensor

    def put(self, key: Any, tensor: torch.Tensor) -> None:
        """Keep `tensor`; one that alone exceeds the budget is not kept."""
        previous = self._tensors.pop(key, None)
        if previous is not None:
            self._nbytes -= _storage_bytes(previous)
        size = _storage_bytes(tensor)
        if size > self.budget:
            return
        while self._nbytes + size > self.budget:
            _, dropped = self._tensors.popitem(last=False)
            self._nbytes -= _storage_bytes(dropped)
        self._tensors[key] = tensor
        self._nbytes += size

    def clear(self) -> None:
        """Drop everything."""
        self._tensors.clear()
        self._nbytes = 0

    def validate(self, fingerprint: Any) -> None:
        """Drop everything if the weights are no longer those that were cached from."""
        if fingerprint != self._fingerprint:
            self.clear()
            self._fingerprint = fingerprint


def _storage_bytes(tensor: torch.Tensor) -> int:
    """What keeping `tensor` costs: a view keeps all of its storage alive."""
    return tensor.untyped_storage().nbytes()


def is_hooked(bridge: Any) -> bool:
    """Whether somebody's forward hooks may change what a run of `bridge` computes."""
    return bool(Inventory(bridge).hooks())
