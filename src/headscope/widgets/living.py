"""The widgets of this process that are not closed."""

from __future__ import annotations

import sys
from weakref import WeakSet

from headscope.arguments import checked
from headscope.widgets.page import PageWidget

_LIVING: WeakSet[PageWidget] = WeakSet()


@checked
def close_all() -> None:
    """Close every Headscope widget of this process and free the cached runs of every model.

    A widget lives until it is closed, and with it its model: call this where memory runs short. See
    `HeadscopeWidget.close`.
    """
    # What holds others first: it need not go on without them.
    for widget in sorted(_LIVING, key=lambda widget: not hasattr(widget, "_children")):
        widget.close()
    # Where no model was imported there are no runs, and results are shown without torch.
    if (runs := sys.modules.get("headscope.model.runs")) is not None:
        runs.POOL.clear()


def register(widget: PageWidget) -> None:
    """Let `close_all` know of a widget that holds a model or a result."""
    _LIVING.add(widget)
