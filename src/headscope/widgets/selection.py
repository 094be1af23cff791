"""The pinned selection: five numbers, each perhaps None, the same on every widget."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, cast, get_args

from headscope.errors import RequestError
from headscope.results.axes import SelectionField
from headscope.wire.messages import Selection

FIELDS: tuple[SelectionField, ...] = get_args(SelectionField)

NOTHING: Selection = {"layer": None, "head": None, "dest": None, "src": None, "token": None}


def normalise(value: Mapping[str, Any], limits: Mapping[str, int]) -> Selection:
    """All five fields of `value`; one that is not given selects nothing.

    Args:
        value: Some of the fields; negative numbers are refused.
        limits: How many there are of each.

    Raises:
        RequestError: A field is unknown, not an integer, or out of range.
    """
    for name in value:
        if name not in FIELDS:
            raise RequestError(f"A selection has no {name!r}.", f"It has {', '.join(FIELDS)}.")
    return cast("Selection", {f: _index(f, value.get(f), limits[f]) for f in FIELDS})


def within(value: Mapping[str, Any], limits: Mapping[str, int]) -> Selection:
    """The fields of `value` that fit, the others None: what came from a page that lags behind."""
    kept: dict[str, int] = {}
    for name in FIELDS:
        chosen = value.get(name)
        if isinstance(chosen, int) and 0 <= chosen < limits[name]:
            kept[name] = chosen
    return normalise(kept, limits)


def _index(name: str, value: Any, limit: int) -> int | None:
    if value is None:
        return None
    try:
        index = operator.index(value)
    except TypeError:
        raise RequestError(f"selection[{name!r}] is {value!r}, not an integer.") from None
    if not 0 <= index < limit:
        raise RequestError(
            f"selection[{name!r}] is {index}, out of range.", f"It runs from 0 to {limit - 1}."
        )
    return index
