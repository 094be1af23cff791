"""What every widget that holds others has: panes, and a packed form with all that is in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import traitlets as t

from headscope.errors import ResultError
from headscope.export.frozen import (
    Frozen,
    Include,
    PanesSnapshot,
    checked_include,
    held,
    panels_of,
    too_large,
)
from headscope.widgets.failure import describe
from headscope.widgets.linking import group_of
from headscope.widgets.page import PageWidget, synced
from headscope.widgets.published import NotebookOutput
from headscope.widgets.superseded import is_shown
from headscope.wire import Payload
from headscope.wire.messages import Common, PaneSpec

_REF = "anywidget:"
#: What is shown of a widget in a pane.
_SHOWN = ["_result", "selection", "view"]


def _refs(panes: list[dict[str, Any]], owner: PageWidget) -> list[PaneSpec]:
    """Panes as the page sees them. A widget's id is asked for only if there is a page."""

    def ref(widget: PageWidget | None) -> str | None:
        if widget is None or widget.comm is None or owner._is_late:
            return None
        return f"{_REF}{widget.model_id}"

    return [cast("PaneSpec", {**pane, "widget": ref(pane["widget"])}) for pane in panes]


class PanesPage(NotebookOutput):
    """What the page sees of a widget that holds others."""

    view_bundle = "panes"

    #: Name, title, and the widget itself, of which the page is sent a reference.
    _panes: list[dict[str, Any]] = synced(t.List(t.Dict())).tag(to_json=_refs)
    #: The widgets: what holds them is how others see that they are shown here.
    _children: Any = t.List()
    #: What the widgets have in common, where they are views of one prompt.
    _workspace: Common | None = None

    def freeze(self, include: Include = "all", max_bytes: int | None = None) -> Frozen:
        """Pack the panes, and the widgets in them, for a page with no kernel.

        Args:
            include: `visible` takes the open panes, and of each widget what is on show; `all` takes
                what each can give, and collapsed panes that have something to show.
            max_bytes: Most that it may add to a page, in bytes; None: whatever is on show, and
                3 MB with the rest of each widget.

        Returns:
            A `Frozen`, as of a widget alone. What failed is shown as its error, in its pane.

        Raises:
            RequestError: There is no such choice, or what is on show does not fit.
            ResultError: There is nothing to show.
        """
        checked_include(include)
        if include == "visible":
            return self._fitting(self._pack(lambda widget: widget.freeze("visible")), max_bytes)
        if max_bytes is None:
            return self._pack(lambda widget: widget.freeze("all"), collapsed=True)
        room = max_bytes - self._fitting(self.freeze("visible"), max_bytes).size

        def fuller(widget: NotebookOutput) -> Frozen:
            nonlocal room
            least = widget.freeze("visible").size
            found = widget.freeze("all", least + max(room, 0))
            room -= found.size - least
            return found

        return self._pack(fuller)

    def _held(self) -> Frozen:
        return self._pack(lambda widget: widget._held())

    def _ready(self, name: str) -> NotebookOutput | None:
        """What a pane shows, up to date; None: nothing yet."""
        found: NotebookOutput | None = next(p["widget"] for p in self._panes if p["name"] == name)
        return found

    def _is_collapsed(self, name: str) -> bool:
        return name in (self.view.get("collapsed") or ())

    @property
    def _settled(self) -> bool:
        running = any(widget._status["state"] == "running" for widget in self._children)
        return not running and any(widget._settled for widget in self._children)

    def _pack(
        self, freeze: Callable[[NotebookOutput], Frozen], *, collapsed: bool = False
    ) -> Frozen:
        parts: list[Frozen] = []
        panes: list[PaneSpec] = []
        failure: Exception | None = None
        for one in list(self._panes):
            name = one["name"]
            shown: PaneSpec = {"name": name, "title": one["title"], "widget": None, "error": None}
            panes.append(shown)
            closed = self._is_collapsed(name)
            if closed and not collapsed:
                continue
            try:
                widget = self._ready(name)
                if widget is None or (closed and not widget._settled):
                    continue
                parts.append(freeze(widget))
                shown["widget"] = str(len(parts) - 1)
            except Exception as error:
                failure = error
                shown["error"] = describe(error)
        if not parts:
            raise failure or ResultError("There is nothing to show.", "Open a pane.")
        snapshot: PanesSnapshot = {**self._snapshot(), "panes": panes, "common": self._workspace}
        return held(snapshot, parts, panels_of(snapshot), group_of(self))

    @staticmethod
    def _fitting(frozen: Frozen, max_bytes: int | None) -> Frozen:
        if max_bytes is not None and frozen.size > max_bytes:
            raise too_large(frozen.size, max_bytes)
        return frozen

    def put_down(self) -> None:
        """As of every widget in the panes that is shown nowhere else."""
        super().put_down()
        for widget in self._children:
            if not is_shown(widget):
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

    @t.observe("_children")
    def _watch(self, change: Any) -> None:
        """What is shown in a pane is shown here."""
        before = change["old"] if isinstance(change["old"], list) else []
        for widget in change["new"]:
            if widget not in before:
                widget.observe(self._outdated, _SHOWN)
        for widget in before:
            if widget not in change["new"]:
                widget.unobserve(self._outdated, _SHOWN)

    def _payload(self) -> Payload | None:
        return None

    def _acknowledged(self) -> None:
        """There is no progress of its own."""


def pane(name: str, title: str, widget: PageWidget | None) -> dict[str, Any]:
    """A pane as `_panes` holds it."""
    return {"name": name, "title": title, "widget": widget, "error": None}
