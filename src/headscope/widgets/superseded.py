"""Widgets whose pictures are gone because the cell that showed them was run again.

Jupyter keeps every widget of a kernel, and saves the state of each in the notebook, so that a cell
run ten times would leave ten results in the file. What was shown by an earlier run of a cell, and
by no other cell, puts its result down: it leaves the page's state, not Python. Nothing is lost:
shown again, or asked by a page that shows it still, it takes the result up again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import ipywidgets

_Cell = str
_Run = str
#: Where something is shown of which no cell run tells when it goes.
_ELSEWHERE: _Cell = ""


class Shelf(Protocol):
    """A widget with a result that the page need not hold."""

    def put_down(self) -> None:
        """Take the result out of the page's state."""

    def take_up(self) -> None:
        """Give it back."""


_shown: WeakKeyDictionary[Shelf, dict[_Cell, _Run]] = WeakKeyDictionary()


def displayed(widget: Shelf) -> None:
    """Note that the running cell shows `widget`."""
    widget.take_up()
    shell = _shell()
    parent = _parent(shell)
    cell = str(parent.get("metadata", {}).get("cellId") or _ELSEWHERE)
    run = str(parent.get("header", {}).get("msg_id", ""))
    if any(isinstance(one, ipywidgets.Output) and one.msg_id for one in _others(widget)):
        cell = _ELSEWHERE  # the output widget may be in any cell
    _shown.setdefault(widget, {})[cell] = run
    if cell and shell is not None and _after_cell not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _after_cell)


def is_shown(widget: Shelf) -> bool:
    """Whether a cell shows `widget`, or one that holds it and is not put down itself."""
    holding = (other for other in _others(widget) if not getattr(other, "_put_down", False))
    return bool(_shown.get(widget)) or any(_holds(other, widget) for other in holding)


def _after_cell(*_: Any) -> None:
    """What earlier runs of this cell showed is gone."""
    parent = _parent(_shell())
    cell, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
    for widget, cells in list(_shown.items()):
        if not cell or cells.get(cell, run) == run:
            continue
        del cells[cell]
        if not is_shown(widget):
            widget.put_down()


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _parent(shell: Any) -> dict[str, Any]:
    """The request that the kernel is at; empty outside of one."""
    kernel = getattr(shell, "kernel", None)
    return {} if kernel is None else dict(kernel.get_parent() or {})


def _others(widget: Shelf) -> Iterator[ipywidgets.Widget]:
    """Every other widget of the kernel, boxes and outputs among them."""
    from ipywidgets.widgets.widget import _instances

    return (other for other in list(_instances.values()) if other is not widget)


def _holds(other: ipywidgets.Widget, widget: Shelf) -> bool:
    """Whether `other` shows it as one of its parts."""
    for value in other._trait_values.values():
        if value is widget:
            return True
        if isinstance(value, (list, tuple)) and any(part is widget for part in value):
            return True
    return False
