"""Widgets as one self-contained page that works from `file://` with no network."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypedDict

from headscope.errors import ResultError
from headscope.export.bundle import read_bundle
from headscope.results import Result
from headscope.wire import encode
from headscope.wire.messages import ErrorInfo, FieldSpec, JobStatus, Selection

#: Format of the page's data block.
VERSION = 2

#: Views that are in a bundle of their own, by result kind.
_VIEWS = {"patterns": "frozen-attention.js", "circuit_graph": "frozen-graph.js"}

#: Nothing may be fetched: scripts and styles are in the page, images are made by it.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)

#: A heading that the first widget's own one would only repeat: for screen readers alone.
_UNSEEN = ' style="position: absolute; clip-path: inset(50%)"'


class FrozenPayload(TypedDict):
    """A payload whose buffers are base64."""

    header: Mapping[str, Any]
    buffers: list[str]


class Snapshot(TypedDict):
    """All that a widget shows, without its kernel."""

    widget: str
    fields: list[FieldSpec]
    values: dict[str, Any]
    status: JobStatus
    error: ErrorInfo | None
    prompt: str | None
    selection: Selection
    view: dict[str, Any]
    marks: dict[str, Any]
    payload: FrozenPayload


class Freezable(Protocol):
    """Anything that can tell what it shows."""

    def snapshot(self) -> Snapshot:
        """What it shows now."""


def freeze(result: Result) -> FrozenPayload:
    """The payload of `result` as text."""
    payload = encode(result)
    buffers = [base64.b64encode(buffer).decode("ascii") for buffer in payload["buffers"]]
    return {"header": payload["header"], "buffers": buffers}


def save_html(path: str | Path, *widgets: Freezable, title: str = "") -> Path:
    """Write widgets, in order, as one page that needs no network and no kernel.

    Hover, zoom, head and layer choice among what was shipped, pins and figure export keep working.
    The page holds the front end once and each result's payload (about 4/3 of its bytes).

    Args:
        path: Where to write; `.html` is added if there is no suffix.
        widgets: What to show.
        title: Title of the page; the first result's own title if empty.

    Raises:
        HeadscopeError: There is no widget, one has no result yet, or the front end is not built.
    """
    strangers = [widget for widget in widgets if not hasattr(widget, "snapshot")]
    if strangers or not widgets:
        kind = f"a {type(strangers[0]).__name__}" if strangers else "nothing"
        raise ResultError(
            f"A page is made of widgets, not of {kind}.",
            "Pass the widgets: hs.save_html(path, widget, title=...).",
        )
    target = Path(path)
    if not target.suffix:
        target = target.with_suffix(".html")
    target.write_text(page([widget.snapshot() for widget in widgets], title), encoding="utf-8")
    return target


def page(snapshots: list[Snapshot], title: str = "") -> str:
    """The HTML text of a frozen page."""
    data = json.dumps({"version": VERSION, "widgets": snapshots}, allow_nan=False)
    places = "\n".join(
        f'<div class="headscope-frozen" data-index="{i}"></div>' for i in range(len(snapshots))
    )
    kinds = {snapshot["payload"]["header"]["kind"] for snapshot in snapshots}
    needed = [bundle for kind, bundle in _VIEWS.items() if kind in kinds]
    scripts = "\n".join(
        f"<script>{_escape_script(read_bundle(name))}</script>" for name in [*needed, "frozen.js"]
    )
    heading = title or (snapshots[0]["payload"]["header"]["data"]["title"] if snapshots else "")
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(heading)}</title>
</head>
<body>
<main>
<h1{"" if title else _UNSEEN}>{html.escape(heading)}</h1>
{places}
</main>
<script type="application/json" id="headscope-data">{_escape_json(data)}</script>
{scripts}
</body>
</html>
"""


def _escape_json(text: str) -> str:
    # In JSON these characters occur inside strings only, where an escape means the same.
    return text.replace("<", "\\u003c")


def _escape_script(code: str) -> str:
    return re.sub("</(?=script)", r"<\\/", code, flags=re.IGNORECASE).replace("<!--", r"<\!--")
