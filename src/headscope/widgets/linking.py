"""Widgets that share their selection."""

from __future__ import annotations

from itertools import count
from typing import Any, cast
from weakref import WeakKeyDictionary, WeakSet

from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.widgets.page import PageWidget
from headscope.widgets.selection import fitting
from headscope.wire.messages import Selection

_POSITIONLESS = ("layer", "head", "component", "feature")
_numbers = count(1)


class _Group:
    """Widgets that follow each other."""

    def __init__(self) -> None:
        self.name = f"link-{next(_numbers)}"
        self.members: WeakSet[PageWidget] = WeakSet()


_groups: WeakKeyDictionary[PageWidget, _Group] = WeakKeyDictionary()


@checked
def link(*widgets: PageWidget) -> None:
    """Let widgets share their selection: what is chosen in one is chosen in the others.

    Layers, heads, components and features always; positions between widgets of the same tokens. It
    holds live, from Python and from the page, and in the pages that they are saved to. Widgets that
    are linked already bring along those they are linked with.

    Args:
        widgets: Two or more widgets.

    Raises:
        RequestError: Something is not a widget of Headscope, or there is only one.
    """
    if len(widgets) < 2:
        raise RequestError(
            f"{len(widgets)} widgets cannot be linked.", "Pass two or more: hs.link(one, other)."
        )
    group = _Group()
    for widget in widgets:
        for member in list(_groups[widget].members) if widget in _groups else [widget]:
            group.members.add(member)
            if member not in _groups:
                member.observe(_follow, "selection")
            _groups[member] = group


@checked
def unlink(*widgets: PageWidget) -> None:
    """Let widgets go their own ways again."""
    for widget in widgets:
        group = _groups.pop(widget, None)
        if group is not None:
            group.members.discard(widget)
            widget.unobserve(_follow, "selection")


def group_of(widget: PageWidget) -> str:
    """The name of the group that a widget is linked in; empty: none."""
    return _groups[widget].name if widget in _groups else ""


def _follow(change: Any) -> None:
    leader, old, new = change["owner"], change["old"], change["new"]
    changed = {name: value for name, value in new.items() if value != old.get(name)}
    group = _groups.get(leader)
    for other in list(group.members) if group else []:
        if other is leader or other.comm is None:
            continue
        shared = changed if _same_tokens(leader, other) else _without_positions(changed)
        found = fitting(shared, other._limits())
        if found:
            other.selection = cast("Selection", dict(other.selection) | found)


def _without_positions(changed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changed.items() if name in _POSITIONLESS}


def _same_tokens(one: PageWidget, other: PageWidget) -> bool:
    """Of what is shown; a widget without a result yet has no positions to share."""
    first = one._token_ids()
    return first is not None and first == other._token_ids()
