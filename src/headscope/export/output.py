"""A widget as an output of a notebook: a picture, and the view that takes its place.

The picture comes first and needs nothing: readers that strip scripts, as JupyterLab does in files
that are not trusted, or GitHub, keep it. Where scripts run, the view that needs no kernel is drawn
below it, and the picture goes.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from headscope.export.frozen import Frozen
from headscope.export.html import carried, place

_DRAW = 'document.dispatchEvent(new Event("headscope"))'
_DRAW_IF_ALONE = resources.files(__package__).joinpath("output.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Picture:
    """A picture of a widget.

    Args:
        png: The file's bytes.
    """

    png: bytes

    @property
    def base64(self) -> str:
        """The file as text."""
        return base64.b64encode(self.png).decode("ascii")


def output(
    caption: str,
    picture: Picture,
    frozen: Frozen,
    parts: Iterable[str],
    live: str = "",
) -> str:
    """The HTML of an output.

    Args:
        caption: What is shown, in a line of text.
        picture: What is seen where scripts do not run.
        frozen: What is seen where they do.
        parts: Bundles of the front end that it carries for itself and others on the page.
        live: Name of the widget beside whose live view it stands, which hides it; "": it stands
            alone.
    """
    name = live and f' data-headscope="{html.escape(live)}"'
    caption = html.escape(caption)
    image = f'<img src="data:image/png;base64,{picture.base64}" alt="{caption}">'
    return (
        f'<div class="headscope-output"{name}>'
        f'<div class="headscope-picture">{image}<p>{caption}</p></div>'
        f"{place(frozen)}{carried(parts)}<script>{_DRAW_IF_ALONE if live else _DRAW}</script></div>"
    )
