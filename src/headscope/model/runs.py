"""Activations of earlier runs, bounded by bytes, and the check that they still hold."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import Any
from weakref import WeakSet

import torch

from headscope.model.inventory import Inventory

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


class Pool:
    """Bytes that several caches share; the tensor not used for longest goes first, whoever has it.

    Caches are held weakly: what one keeps is freed with it.

    Args:
        budget: Most bytes kept at any time.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._caches: WeakSet[RunCache] = WeakSet()
        self._uses = count()

    @property
    def nbytes(self) -> int:
        """Bytes kept."""
        return sum(cache.nbytes for cache in self._caches)

    def clear(self) -> None:
        """Drop everything."""
        for cache in self._caches:
            cache.clear()

    def join(self, cache: RunCache) -> None:
        """Count what `cache` keeps."""
        self._caches.add(cache)

    def tick(self) -> int:
        """The number of this use of a tensor; a later one is higher."""
        return next(self._uses)

    def make_room(self, size: int) -> None:
        """Drop what was not used for longest until `size` more bytes fit."""
        while self.nbytes + size > self.budget:
            min(
                (cache for cache in self._caches if cache.nbytes), key=attrgetter("oldest")
            ).drop_oldest()


#: Shared by all models of the process.
POOL = Pool(512 * 2**20)


class RunCache:
    """Tensors of one model by key, for as long as its pool has room for them.

    Args:
        pool: Whose bytes they take.
    """

    def __init__(self, pool: Pool = POOL) -> None:
        self._pool = pool
        self._tensors: OrderedDict[Any, tuple[int, torch.Tensor]] = OrderedDict()
        self._fingerprint: Any = None
        self.nbytes = 0
        pool.join(self)

    @property
    def budget(self) -> int:
        """Most bytes that are kept at any time, those of other caches of the pool included."""
        return self._pool.budget

    @property
    def oldest(self) -> int:
        """When the tensor not used for longest was used; there must be one."""
        return next(iter(self._tensors.values()))[0]

    def get(self, key: Any) -> torch.Tensor | None:
        """The tensor kept under `key`, or None."""
        if key not in self._tensors:
            return None
        _, tensor = self._tensors.pop(key)
        self._tensors[key] = self._pool.tick(), tensor
        return tensor

    def put(self, key: Any, tensor: torch.Tensor) -> None:
        """Keep `tensor`; one that alone exceeds the budget is not kept."""
        self.drop(key)
        size = _storage_bytes(tensor)
        if size <= self._pool.budget:
            self._pool.make_room(size)
            self._tensors[key] = self._pool.tick(), tensor
            self.nbytes += size

    def drop(self, key: Any) -> None:
        """Drop the tensor kept under `key`, if there is one."""
        if key in self._tensors:
            _, tensor = self._tensors.pop(key)
            self.nbytes -= _storage_bytes(tensor)

    def drop_oldest(self) -> None:
        """Drop the tensor not used for longest."""
        self.drop(next(iter(self._tensors)))

    def clear(self) -> None:
        """Drop everything."""
        self._tensors.clear()
        self.nbytes = 0

    def validate(self, fingerprint: Any) -> None:
        """Drop everything if the weights are no longer those that were cached from."""
        if fingerprint != self._fingerprint:
            self.clear()
            self._fingerprint = fingerprint


def _storage_bytes(tensor: torch.Tensor) -> int:
    """What keeping `tensor` costs: a view keeps all of its storage alive."""
    return tensor.untyped_storage().nbytes()


def is_hooked(bridge: Any) -> bool:
    """Whether somebody's forward hooks may change what a run of `bridge` computes.

    Hooks by which interventions act are among them.
    """
    return bool(Inventory.of(bridge).all_hooks())


def last_block(bridge: Any) -> int:
    """The block whose output is read out: the last one, if interventions leave the order."""
    places = Inventory.of(bridge).places
    return int(bridge.cfg.n_layers) - 1 if places is None else places[-1]
