"""`Interventions`: changes of a model's computation, stacked in a list that is data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Union, overload

from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.interventions.coding import from_json, to_json
from headscope.interventions.directions import Direction
from headscope.interventions.kinds import (
    Clamp,
    FreezePattern,
    Intervention,
    KnockOut,
    Mean,
    Part,
    Patch,
    Repeat,
    Scale,
    Skip,
    Steer,
    Swap,
    Zero,
)


class Interventions(Sequence[Intervention]):
    """Changes of how a model computes, in the order in which they are applied.

        >>> more = hs.TokenDifference(" good", " bad")
        >>> changes = hs.Interventions().zero("L2H1").steer(1, more, strength=4)
        >>> with changes.applied(model):
        ...     model(tokens)                       # computed with them; afterwards as before

    It is never changed itself: each method gives a new list. Changes of the same activation act one
    after the other; those of layers (skip, swap, repeat) edit the order in which blocks run.

    Args:
        items: Interventions, or their JSON.

    Raises:
        RequestError: An item is no intervention.
    """

    @checked
    def __init__(self, items: Any = ()) -> None:
        if isinstance(items, (str, Intervention)) or not isinstance(items, Iterable):
            raise RequestError(
                "Interventions are made of a list.", "Pass hs.Interventions([...]), or add to it."
            )
        self._items = tuple(
            item if isinstance(item, Intervention) else from_json(item) for item in items
        )

    @overload
    def __getitem__(self, index: int) -> Intervention: ...
    @overload
    def __getitem__(self, index: slice) -> Interventions: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[Intervention, Interventions]:
        if isinstance(index, slice):
            return Interventions(self._items[index])
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Intervention]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Interventions) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    def __add__(self, other: Iterable[Any]) -> Interventions:
        return Interventions((*self, *Interventions(other)))

    def __repr__(self) -> str:
        lines = [f"  {i}. {item}{'' if item.on else ' (off)'}" for i, item in enumerate(self)]
        return "\n".join([f"Interventions({len(self)})", *lines])

    # Adding one.

    def add(self, item: Intervention) -> Interventions:
        """These, and one more at the end."""
        return Interventions((*self, item))

    @checked
    def zero(self, component: str, positions: Any = None) -> Interventions:
        """Zero ablation; see `Zero`."""
        return self.add(Zero(component, positions))

    @checked
    def mean(self, component: str, prompts: Any, positions: Any = None) -> Interventions:
        """Mean ablation; see `Mean`."""
        return self.add(Mean(component, prompts, positions))

    @checked
    def patch(self, component: str, prompt: Any, positions: Any = None) -> Interventions:
        """An activation from another prompt's run (resample ablation); see `Patch`."""
        return self.add(Patch(component, prompt, positions))

    @checked
    def scale(self, component: str, factor: float, positions: Any = None) -> Interventions:
        """An activation times a factor; see `Scale`."""
        return self.add(Scale(component, factor, positions))

    @checked
    def knock_out(self, head: str, dest: int | None, src: int | None) -> Interventions:
        """An attention edge is cut; see `KnockOut`."""
        return self.add(KnockOut(head, dest, src))

    @checked
    def freeze_pattern(self, head: str, prompt: Any) -> Interventions:
        """A head attends as on a prompt; see `FreezePattern`."""
        return self.add(FreezePattern(head, prompt))

    @checked
    def clamp(self, unit: str, value: float, positions: Any = None) -> Interventions:
        """A neuron or a feature has this activation; see `Clamp`."""
        return self.add(Clamp(unit, value, positions))

    @checked
    def steer(
        self, layer: int, direction: Direction, strength: float = 1.0, positions: Any = None
    ) -> Interventions:
        """A direction is added to the stream; see `Steer`."""
        return self.add(Steer(layer, direction, strength, positions))

    @checked
    def skip(self, layers: Any, part: Part = "block") -> Interventions:
        """Layers are left out; see `Skip`."""
        return self.add(Skip(layers, part))

    @checked
    def swap(self, first: int, second: int) -> Interventions:
        """Two blocks change places; see `Swap`."""
        return self.add(Swap(first, second))

    @checked
    def repeat(self, layer: int, times: int = 2) -> Interventions:
        """A block runs several times; see `Repeat`."""
        return self.add(Repeat(layer, times))

    # Editing the list.

    @checked
    def without(self, index: int) -> Interventions:
        """These less one."""
        return Interventions(item for i, item in enumerate(self) if i != self._index(index))

    @checked
    def moved(self, index: int, to: int) -> Interventions:
        """These with one at another place."""
        items = list(self)
        items.insert(self._index(to), items.pop(self._index(index)))
        return Interventions(items)

    def changed(self, index: int, **fields: Any) -> Interventions:
        """These with fields of one changed: `changed(2, strength=8.0)`, `changed(0, on=False)`.

        Raises:
            RequestError: It has no such field, or no such value.
        """
        items = list(self)
        at = self._index(index)
        strange = fields.keys() - to_json(items[at]).keys() - {"kind"}
        if strange:
            raise RequestError(
                f"{items[at].kind} has no {min(strange)!r}.",
                f"Its fields are {[*to_json(items[at])][1:]}.",
            )
        items[at] = replace(items[at], **fields)
        return Interventions(items)

    @property
    def active(self) -> Interventions:
        """Those that are on."""
        return Interventions(item for item in self if item.on)

    # As data, and on a model.

    def to_list(self) -> list[dict[str, Any]]:
        """JSON: what a widget syncs and a notebook saves. `Interventions(list)` reads it."""
        return [to_json(item) for item in self]

    def to_json(self) -> str:
        """The same as text; `Interventions.from_json` reads it."""
        return json.dumps(self.to_list())

    @classmethod
    def from_json(cls, text: str) -> Interventions:
        """The interventions that `to_json` wrote.

        Raises:
            RequestError: The text is no list of interventions.
        """
        try:
            items = json.loads(text)
        except (TypeError, ValueError) as wrong:
            raise RequestError(
                "This is no JSON of interventions.", "Pass what Interventions.to_json() gave."
            ) from wrong
        return cls(items)

    def applied(self, model: Any, transcoders: Any = None) -> AbstractContextManager[Any]:
        """Within the context, whatever runs the model runs it with these changes.

        Prompts that they name (means, patches, frozen patterns) run first, in the plain model.
        Afterwards, also after an error, no hook is left.

        Args:
            model: A `TransformerBridge`.
            transcoders: Whose features are clamped.

        Raises:
            HeadscopeError: The model lacks something that is named, or a prompt cannot run.
        """
        from headscope.model.intervening import applied

        return applied(model, self, transcoders)

    def _index(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise RequestError(
                f"There is no intervention {index}.", f"There are {len(self)}, from 0 on."
            )
        return index % len(self)
