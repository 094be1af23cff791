"""The style options that a view reads, of those in `headscope.wire.messages.ViewOptions`."""

from __future__ import annotations

from headscope.widgets.core import Bundle
from headscope.wire.messages import ViewOptions

LAYOUT = ("columns", "shares", "collapsed", "heights")
SCALES = "scales"
_EVERY = tuple(ViewOptions.__annotations__)


def options_of(bundle: Bundle) -> tuple[str, ...]:
    """Those of the view that is in a bundle."""
    match bundle:
        case "panes":
            return LAYOUT
        case "graph":
            return _beginning("graph_")
        case "attention":
            return (*_beginning("attention_"), SCALES)
        case _:  # what draws grids
            return (*_beginning("heatmap_"), *_beginning(f"{bundle}_"), SCALES)


def _beginning(prefix: str) -> tuple[str, ...]:
    return tuple(name for name in _EVERY if name.startswith(prefix))
