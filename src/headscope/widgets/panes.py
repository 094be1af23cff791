"""`Panes`: other widgets side by side, in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.widgets.living import register
from headscope.widgets.page import PageWidget
from headscope.widgets.panes_page import PanesPage, pane
from headscope.widgets.selection import ANY, Limits


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
        register(self)

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
