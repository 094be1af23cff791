"""Lists and mappings that refuse to be changed in place, where nobody would be told of the change.

They are lists and dicts to JSON, to comparisons and to whoever reads them; `+`, `|`, `+=` and `|=`
make plain new ones, which can be assigned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from headscope.errors import RequestError


class ReadOnlyList(list[Any]):
    """A list that can only be read."""

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise _error()

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __imul__ = _refuse

    def __iadd__(self, more: Any) -> list[Any]:  # type: ignore[override,misc]
        return [*self, *more]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


class ReadOnlyDict(dict[str, Any]):
    """A dict that can only be read."""

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise _error()

    update = setdefault = pop = popitem = clear = _refuse
    __setitem__ = __delitem__ = _refuse

    def __ior__(self, more: Any) -> dict[str, Any]:  # type: ignore[override,misc]
        return {**self, **dict(more)}

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def read_only(value: Any) -> Any:
    """`value` with all of its lists and dicts read-only; they are copied."""
    if isinstance(value, Mapping):
        return ReadOnlyDict({name: read_only(part) for name, part in value.items()})
    return ReadOnlyList(map(read_only, value)) if isinstance(value, list) else value


def _error() -> RequestError:
    return RequestError(
        "Marks are not changed in place: the page would not be told.",
        "Assign a new value, such as widget.groups = [*widget.groups, {...}] or "
        "widget.labels |= {name: text}.",
    )
