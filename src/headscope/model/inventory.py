"""What a bridge is made of and what hangs on it: listed once, then only checked.

Walking a model costs milliseconds before every run. Whether the list still holds is seen in a
twentieth of that, from the modules' own dictionaries: a module, a parameter or a storage put in
another's place makes a new list.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from hashlib import sha256
from itertools import chain, starmap
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch.utils.hooks import RemovableHandle

_SAMPLES_PER_PARAMETER = 64
#: A prime near 2**32 / golden ratio: its multiples spread evenly modulo any size.
_GOLDEN_STEP = 2654435761
#: Hooks of theirs on the wrapped modules only watch.
_LIBRARIES = ("accelerate", "transformer_lens", "transformers")
_PLAIN = (bool, int, float, str, type(None))
_TRAINING = operator.attrgetter("training")

_IN_USE: WeakValueDictionary[int, Inventory] = WeakValueDictionary()

#: A module's name, itself, and whether it is a hook point.
Entry = tuple[str, torch.nn.Module, bool]


class Inventory:
    """Modules, parameters and hooks, as they were at the last `refresh`.

    Cost for GPT-2 small on a CPU: `refresh` 0.07 ms, `weights` 0.25 ms, the others less.

    Args:
        bridge: The `TransformerBridge`; what runs is in the model that it wraps.
    """

    def __init__(self, bridge: Any) -> None:
        self._bridge = bridge
        self._lists = 1
        self._list = _List(bridge)
        self._registered = -1
        self._hooked: list[Entry] = []
        self._interventions = range(0)  # ids of the hooks that interventions act by
        #: For each place in the stack the block that runs there, where interventions moved some.
        self.places: tuple[int, ...] | None = None
        self._looking = True  # within `at_once` the first time only
        self._sampled: Any = None
        self._printed: tuple[Any, str] | None = None
        self.refresh()

    @classmethod
    def of(cls, bridge: Any) -> Inventory:
        """The inventory of `bridge`, looked at again: one for all as long as anybody has it."""
        inventory = _IN_USE.get(id(bridge))
        if inventory is None or inventory._bridge is not bridge:
            _IN_USE[id(bridge)] = inventory = cls(bridge)
        else:
            inventory.refresh()
        return inventory

    def refresh(self) -> None:
        """Look at the bridge again, making a new list if the old one no longer holds."""
        if self._looking and not self._list.holds():
            self._lists += 1
            self._list = _List(self._bridge)
            self._registered = -1
        # Each hook registered anywhere takes the next id: if none was, no module has a new one.
        if RemovableHandle.next_id != self._registered:
            self._registered = RemovableHandle.next_id
            self._hooked = [entry for entry in self._list.modules if _hooks_of(entry[1])]

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, where nobody else's code runs, modules and weights are looked at once."""
        self.refresh()
        self._looking = False
        try:
            yield
        finally:
            self._looking, self._sampled = True, None

    @contextmanager
    def own_hooks(self) -> Iterator[None]:
        """What is registered within is ours, and removed within."""
        before = RemovableHandle.next_id
        try:
            yield
        finally:
            if self._registered == before:
                self._registered = RemovableHandle.next_id

    @contextmanager
    def interventions(
        self, installed: AbstractContextManager[Any], places: tuple[int, ...]
    ) -> Iterator[None]:
        """What is hooked by entering `installed` belongs to interventions, not to the user."""
        before, first = (self._interventions, self.places), RemovableHandle.next_id
        with installed:
            self._interventions = range(first, RemovableHandle.next_id)
            self.places = places
            try:
                yield
            finally:
                self._interventions, self.places = before

    def settings(self) -> int | None:
        """Another number when a module or a configuration has another class or plain attribute.

        Training mode, window and scale are such attributes. None if a module has its own forward.
        """
        if any("forward" in module.__dict__ for _, module, _ in self._list.modules):
            return None
        found: list[Any] = [
            (type(module), type(module).forward, *_plain(module))
            for _, module, point in self._list.modules
            if not point
        ]
        root = self._bridge.original_model
        found += [
            _plain(held) for held in (self._bridge.cfg, getattr(root, "config", None)) if held
        ]
        return hash(tuple(found))

    def is_training(self) -> bool:
        """Whether any module is in training mode."""
        return any(map(_TRAINING, self._list.trainable))

    def hooks(self) -> dict[str, tuple[int, ...]]:
        """The user's forward hooks: hook point (or plain module) to the ids of its hooks.

        What libraries leave on the wrapped modules does not count, nor do interventions.
        """
        own = self._interventions
        every = self.all_hooks().items()
        found = {name: tuple(i for i in ids if i not in own) for name, ids in every}
        return {name: ids for name, ids in found.items() if ids}

    def all_hooks(self) -> dict[str, tuple[int, ...]]:
        """The user's hooks, and those that interventions act by."""
        found = {}
        for name, module, point in self._hooked:
            hooks = _hooks_of(module)
            ids = tuple(i for i, hook in hooks.items() if point or not _is_a_librarys(hook))
            if ids:
                found[name] = ids
        return found

    def weights(self) -> Any:
        """A value that is another one when the weights, or what they are part of, have changed.

        Version counters see parameters edited in place. Edits through `.data` count no version: a
        sample of the values sees the broad ones, a sparse one can escape it
        (`LiveModel.forget_runs` then helps).
        """
        if self._sampled is not None:
            return self._sampled
        versions = [parameter._version for parameter in self._list.parameters]
        with torch.inference_mode():
            samples = [torch.cat([*starmap(_take, pairs)]) for pairs in self._list.places.values()]
        values = [sample.to("cpu", torch.float32).numpy().tobytes() for sample in samples]
        found = self._lists, versions, values
        if not self._looking:
            self._sampled = found
        return found

    def fingerprint(self) -> str:
        """The same for the same weights, in another process too; of the sample of `weights`."""
        weights = self.weights()
        if self._printed is None or self._printed[0] != weights:
            self._printed = weights, self._print()
        return self._printed[1]

    def _print(self) -> str:
        with torch.inference_mode():
            samples = [
                f"{list(parameter.shape)} {parameter.dtype}".encode()
                + _take(parameter, places).to("cpu", torch.float32).numpy().tobytes()
                for parameter, places in chain.from_iterable(self._list.places.values())
            ]
        # Sorted: a model on several devices lists them in another order.
        return sha256(b"".join(sorted(samples))).hexdigest()[:16]


class _List:
    """Modules, parameters, and the places at which they are sampled, by device."""

    def __init__(self, bridge: Any) -> None:
        from transformer_lens.hook_points import HookPoint

        self._bridge = bridge
        self._root = bridge.original_model
        self.modules: list[Entry] = [("the bridge itself", bridge, False)]
        for path, module in self._root.named_modules():
            point = isinstance(module, HookPoint)
            name = str(module.name) if point else path.replace("_original_component.", "")
            self.modules.append((name or "the wrapped model", module, point))
        self.trainable = [module for _, module, point in self.modules if not point]
        children = [module._modules for _, module, _ in self.modules]
        parameters = [module._parameters for _, module, _ in self.modules]
        self._empty = [entries for entries in (*children, *parameters) if not entries]
        self._children_of = [entries for entries in children if entries]
        self._children = _values(self._children_of)
        self._parameters_of = [entries for entries in parameters if entries]
        self.parameters = _present(self._parameters_of)
        self._addresses = _addresses(self.parameters)
        self.places: dict[torch.device, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        for parameter in _without_views(self.parameters):
            places = _places(parameter.numel(), parameter.device)
            self.places.setdefault(parameter.device, []).append((parameter, places))

    def holds(self) -> bool:
        """Whether a walk would still find the same objects and storages."""
        return (
            self._bridge.original_model is self._root
            and not any(self._empty)
            and _values(self._children_of) == self._children
            and _are_same(_present(self._parameters_of), self.parameters)
            and _addresses(self.parameters) == self._addresses
        )


def _plain(holder: Any) -> tuple[Any, ...]:
    """Names and values of the attributes that are numbers, flags or texts."""
    return tuple(item for item in vars(holder).items() if type(item[1]) in _PLAIN)


def _hooks_of(module: torch.nn.Module) -> dict[int, Any]:
    return {**module._forward_hooks, **module._forward_pre_hooks}


def _values(dictionaries: Sequence[dict[str, Any]]) -> list[Any]:
    return list(chain.from_iterable(map(dict.values, dictionaries)))


def _present(dictionaries: Sequence[dict[str, Any]]) -> list[torch.Tensor]:
    """The parameters that hold values: an offloaded one is another object in every run."""
    return [p for p in _values(dictionaries) if p is not None and not p.is_meta]


def _are_same(these: list[torch.Tensor], those: list[torch.Tensor]) -> bool:
    return len(these) == len(those) and all(map(operator.is_, these, those))


def _addresses(parameters: list[torch.Tensor]) -> list[int]:
    return list(map(torch.Tensor.data_ptr, parameters))


def _without_views(parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """Leaves out parts of another one: a bridge splits q, k and v out of one matrix."""
    storages = [p.untyped_storage() for p in parameters]
    whole = {
        storage.data_ptr(): id(parameter)
        for parameter, storage in zip(parameters, storages, strict=True)
        if parameter.numel() * parameter.element_size() == storage.nbytes()
    }
    return [
        parameter
        for parameter, storage in zip(parameters, storages, strict=True)
        if parameter.numel() and whole.get(storage.data_ptr(), id(parameter)) == id(parameter)
    ]


@cache
def _places(size: int, device: torch.device) -> torch.Tensor:
    """Flat indices spread evenly over every axis of a parameter of `size` values."""
    steps = torch.arange(_SAMPLES_PER_PARAMETER, device=device)
    return steps * _GOLDEN_STEP % size


def _take(parameter: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    # `take` knows no 8-bit floats; their bytes do.
    return (parameter.view(torch.int8) if parameter.itemsize == 1 else parameter).take(places)


def _is_a_librarys(hook: Any) -> bool:
    return str(getattr(hook, "__module__", "")).split(".")[0] in _LIBRARIES
