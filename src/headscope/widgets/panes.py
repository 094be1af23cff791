"""`Panes`: other widgets side by side, in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union, cast

import traitlets as t

from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.widgets.page import PageWidget, synced
from headscope.widgets.selection import ANY, Limits
from headscope.wire import Payload
from headscope.wire.messages import PaneSpec

_REF = "anywidget:"


def _refs(panes: list[dict[str, Any]], owner: PageWidget) -> list[PaneSpec]:
    """Panes as the page sees them. A widget's id is asked for only if there is a page."""

    def ref(widget: PageWidget | None) -> str | None:
        return None if widget is None or owner._is_late else f"{_REF}{widget.model_id}"

    return [cast("PaneSpec", {**pane, "widget": ref(pane["widget"])}) for pane in panes]


class PanesPage(PageWidget):
    """What the page sees of a widget that holds others."""

    view_bundle = "panes"

    #: Name, title, and the widget itself, of which the page is sent a reference.
    _panes: list[dict[str, Any]] = synced(t.List(t.Dict())).tag(to_json=_refs)
    #: The widgets: what holds them is how others see that they are shown here.
    _children: Any = t.List()

    def put_down(self) -> None:
        """As of every widget in the panes."""
        super().put_down()
        for widget in self._children:
            widget.put_down()

    def take_up(self) -> None:
        """As of every widget in the panes."""
        super().take_up()
        for widget in self._children:
            widget.take_up()

    def cancel(self) -> None:
        """Stop the computations of all widgets in the panes."""
        for widget in self._children:
            widget.cancel()

    def _run_again(self) -> None:
        for widget in self._children:
            widget._run_again()

    def _payload(self) -> Payload | None:
        return None

    def _acknowledged(self) -> None:
        """There is no progress of its own."""


class Panes(PanesPage):
    """Widgets side by side, in one: panes that are resized, moved and collapsed.

    Where there is little room they are one below the other. A collapsed pane draws nothing. `view`
    holds the layout: `columns` (names of panes, from top to bottom), `shares` (of the width),
    `collapsed` (names), `heights` (in pixels, of panes that do not take what they need).

    Args:
        widgets: The widgets by name; the names are titles too.
        columns: Which panes are in which column, from top to bottom.

    Raises:
        RequestError: Something is no widget of Headscope, or a column names no pane.

    Example:
        >>> hs.Panes({"Lens": hs.LogitLens(model, prompt), "Attention": attention})
    """

    @checked
    def __init__(
        self,
        widgets: Mapping[str, Any],
        *,
        columns: Union[Sequence[Sequence[str]], None] = None,
    ) -> None:
        strangers = [one for one in widgets.values() if not isinstance(one, PageWidget)]
        if strangers or not widgets:
            what = f"a {type(strangers[0]).__name__}" if strangers else "nothing"
            raise RequestError(f"Panes hold widgets, not {what}.", 'Pass {"name": widget, ...}.')
        strange = {name for column in columns or () for name in column} - widgets.keys()
        if strange:
            raise RequestError(
                f"There is no pane {min(strange)!r}.", f"There are {', '.join(widgets)}."
            )
        self._gone = False
        super().__init__(
            view={} if columns is None else {"columns": [list(column) for column in columns]},
            _panes=[pane(name, name, widget) for name, widget in widgets.items()],
            _children=list(widgets.values()),
        )

    def close(self) -> None:
        """Remove the panes from the page; the widgets in them live on."""
        super().close()
        self._gone = True
        self._panes, self._children = [], []

    def __repr__(self) -> str:
        names = ", ".join(pane["name"] for pane in self._panes)
        return f"{type(self).__name__}({'closed' if self._closed else names})"

    @property
    def _closed(self) -> bool:
        return self._gone

    def _limits(self) -> Limits:
        return ANY


def pane(name: str, title: str, widget: PageWidget | None) -> dict[str, Any]:
    """A pane as `_panes` holds it."""
    return {"name": name, "title": title, "widget": widget, "error": None}
