"""The pinned selection: indices and names, each perhaps None, the same on every widget.

Its fields tell one story: a component or a feature has its layer and its head, and a layer with a
head is that head. The page's twin is `js/src/state/selection.ts`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from headscope.components import Layout
from headscope.errors import RequestError
from headscope.interventions import targets
from headscope.wire.messages import Selection

NAMES = ("component", "feature")
NOTHING: Selection = {
    "layer": None, "head": None, "dest": None, "src": None, "token": None,
    "component": None, "feature": None,
}  # fmt: skip
FIELDS = tuple(NOTHING)
_PLACE = re.compile(r"(?:L|MLP)(?P<layer>\d+)(?:H(?P<head>\d+))?")


class Pinned(dict[str, Any]):
    """A selection as a widget holds it: `|=` makes a new one, of which the widget then hears."""

    def __ior__(self, other: Any) -> Pinned:  # type: ignore[override, misc]
        return Pinned(self | other)


@dataclass(frozen=True)
class Limits:
    """What there is to select.

    Args:
        layers: How many.
        heads: How many in each.
        positions: How many.
        layout: Which components; None where there is no model to have any.
    """

    layers: int
    heads: int
    positions: int
    layout: Layout | None = None

    def of(self, name: str) -> int:
        """How many there are of a field that is an index."""
        return {"layer": self.layers, "head": self.heads}.get(name, self.positions)


ANY = Limits(2**31, 2**31, 2**31)
"""Where there is no model."""


def normalise(value: Mapping[str, Any], limits: Limits) -> Selection:
    """All fields of `value`; one that is not given selects nothing.

    Args:
        value: Some of the fields; negative numbers are refused.
        limits: What there is.

    Raises:
        RequestError: A field is unknown, of another type, or of something that there is not.
    """
    for name in value:
        if name not in FIELDS:
            raise RequestError(f"A selection has no {name!r}.", f"It has {', '.join(FIELDS)}.")
    return cast("Selection", {name: _checked(name, value.get(name), limits) for name in FIELDS})


def within(value: Mapping[str, Any], limits: Limits) -> Selection:
    """The fields of `value` that fit, the others None: what came from a page that lags behind."""
    return normalise(fitting(value, limits), limits)


def fitting(value: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Those fields of `value` that fit."""
    return {name: value[name] for name in FIELDS if name in value and _fits(name, value, limits)}


def consistent(new: Selection, old: Mapping[str, Any]) -> Selection:
    """`new`, which replaces `old`, with what its fields say of each other.

    A component or a feature says which layer and head these are. Where only the layer or the head
    was changed, what was named before is given up.
    """

    def moved(*names: str) -> bool:
        return any(new.get(name) != old.get(name) for name in names)

    found: dict[str, Any] = dict(new)
    if not moved(*NAMES) and moved("layer", "head"):
        found["component"] = found["feature"] = None
    if found["component"] and found["feature"]:
        found["feature" if moved("component") else "component"] = None
    match = _PLACE.match(found["component"] or found["feature"] or "")
    if match:
        found["layer"] = int(match["layer"])
        found["head"] = None if match["head"] is None else int(match["head"])
    elif found["component"]:  # embed, logits: of no layer
        found["layer"] = found["head"] = None
    elif None not in (found["layer"], found["head"]):
        found["component"] = f"L{found['layer']}H{found['head']}"
    return cast("Selection", Pinned(found))


def _fits(name: str, value: Mapping[str, Any], limits: Limits) -> bool:
    try:
        _checked(name, value[name], limits)
    except RequestError:
        return False
    return True


def _checked(name: str, value: Any, limits: Limits) -> Any:
    if value is None:
        return None
    if name in NAMES:
        return (_component if name == "component" else _feature)(value, limits)
    return _index(name, value, limits.of(name))


def _index(name: str, value: Any, limit: int) -> int:
    try:
        index = operator.index(value)
    except TypeError:
        raise RequestError(f"selection[{name!r}] is {value!r}, not an integer.") from None
    if not 0 <= index < limit:
        raise RequestError(
            f"selection[{name!r}] is {index}, out of range.", f"It runs from 0 to {limit - 1}."
        )
    return index


def _component(value: Any, limits: Limits) -> str:
    if isinstance(value, str) and value.strip() == "logits":
        return "logits"
    name = targets.checked_target(value)
    if limits.layout is not None:
        targets.target(name, limits.layout)
    return name


def _feature(value: Any, limits: Limits) -> str:
    found = targets.feature(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise RequestError(f"There is no feature {value!r}.", "Write its name, such as 'L3F212'.")
    if found[0] >= limits.layers:
        raise RequestError(
            f"There is no feature {value!r}.", f"The model has layers 0 to {limits.layers - 1}."
        )
    return str(value.strip())
