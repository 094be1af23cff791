"""Activations of earlier runs, bounded by bytes, and the check that they still hold."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

DEFAULT_BUDGET = 512 * 2**20

_SAMPLES_PER_PARAMETER = 64


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


def fingerprint(bridge: Any) -> Any:
    """A value that changes when the weights do.

    Addresses and version counters see replaced and in-place edited parameters. Edits through
    `.data` count no version: a sample of the values sees the broad ones, a sparse one can escape it
    (`LiveModel.forget_runs` then helps). Cost: 3 ms for GPT-2 small.
    """
    parameters = [p.detach() for p in bridge.parameters() if p.numel() and not p.is_meta]
    samples = [p[_lattice(p.shape)].to("cpu", torch.float32) for p in parameters]
    counters = tuple((p.data_ptr(), p._version) for p in parameters)
    return counters, torch.cat(samples).numpy().tobytes()


@cache
def _lattice(shape: torch.Size) -> tuple[torch.Tensor, ...]:
    """Indices spread evenly over every axis of a parameter of that shape."""
    steps = torch.arange(_SAMPLES_PER_PARAMETER) * _GOLDEN_STEP
    return torch.unravel_index(steps % shape.numel(), shape)


#: A prime near 2**32 / golden ratio: its multiples spread evenly modulo any size.
_GOLDEN_STEP = 2654435761


def is_hooked(bridge: Any) -> bool:
    """Whether somebody's forward hooks may change what a run computes.

    Hooks that the libraries themselves leave on the wrapped modules only watch, and do not count.
    """
    return any(
        hasattr(module, "fwd_hooks") or not _is_the_libraries(hook)
        for module in bridge.original_model.modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    )


def _is_the_libraries(hook: Any) -> bool:
    return str(getattr(hook, "__module__", "")).split(".")[0] in _LIBRARIES


_LIBRARIES = ("accelerate", "transformer_lens", "transformers")
