"""The widgets of a finished notebook, as parts of one page."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from headscope.export.frozen import Frozen, Snapshot, pack, panels_of
from headscope.export.html import bundles, carried, place
from headscope.wire.codec import KINDS

_VIEW = "application/vnd.jupyter.widget-view+json"
_STATE = "application/vnd.jupyter.widget-state+json"
_KIND = re.compile(r'class="headscope-frozen" data-kind="([\w ]+)"')
#: Code that outputs carry for themselves; their data is in scripts that have another class.
_CODE = re.compile(r'<script( type="text/plain" class="headscope-code")?>.*?</script>', re.DOTALL)
_BESIDE = re.compile(r' data-headscope="\w+"')


@dataclass(frozen=True)
class Published:
    """What a page of a notebook holds.

    Args:
        kinds: What our widgets need, in their order, as in their `data-kind`.
        others: How many outputs of other libraries' live views are shown as whatever else they
            hold, text mostly: to draw them takes a kernel, or a network.
    """

    kinds: tuple[str, ...]
    others: int

    @property
    def front_end(self) -> str:
        """The scripts that draw our widgets, for the page's end."""
        return carried(bundles(" ".join(self.kinds).split())) if self.kinds else ""


def publish(notebook: Any) -> Published:
    """Change a notebook, in place, so that a page of it needs neither kernel nor network.

    An output that stands beside a live view takes its place; a live view without one is made of the
    widget's stored state.

    Args:
        notebook: A notebook as `nbformat` reads it.
    """
    stored = notebook.metadata.pop("widgets", {}).get(_STATE, {}).get("state", {})
    others = 0
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        for output, following in zip(list(outputs), [*outputs[1:], {}], strict=False):
            if _VIEW in output.get("data", {}):
                if _BESIDE.search(_html(following)):
                    outputs.remove(output)
                else:
                    others += not _revive(output, stored)
            if _KIND.search(_html(output)):
                output["data"]["text/html"] = _BESIDE.sub("", _CODE.sub("", _html(output)))
    shown = [_html(output) for cell in notebook.cells for output in cell.get("outputs", [])]
    return Published(tuple(kind for text in shown for kind in _KIND.findall(text)), others)


def _html(output: Mapping[str, Any]) -> str:
    return str(output.get("data", {}).get("text/html", ""))


def _revive(output: Any, stored: Mapping[str, Any]) -> bool:
    """Put what a live view showed in its place; False if its state is not there, or not ours."""
    model_id = output["data"].pop(_VIEW).get("model_id")
    entry = stored.get(model_id, {})
    state = entry.get("state", {})
    header = state.get("_result", {}).get("header")
    if header is None or header["kind"] not in KINDS:
        return False
    # A state keeps its binary parts aside, each by its path.
    buffers = {
        buffer["path"][-1]: base64.b64decode(buffer["data"])
        for buffer in entry.get("buffers", [])
        if buffer["path"][:2] == ["_result", "buffers"]
    }
    snapshot: Snapshot = {
        "widget": state["_widget"],
        "fields": state["_fields"],
        "values": {field["name"]: state[field["name"]] for field in state["_fields"]},
        "status": state["_status"],
        "error": state["_error"],
        "prompt": state["prompt"],
        "interventions": state.get("interventions"),
        "effect": state.get("effect", "with"),
        "shifts": state.get("_shifts", []),
        "selection": state["selection"],
        "view": state["view"],
        "marks": {name: state[name] for name in state["_marks"]},
        "arguments": state.get("_arguments", {}),
        "notes": [],
        "missing": [],
    }
    text = pack(snapshot, header, [buffers[at] for at in sorted(buffers)])
    title = str(header["data"]["title"])
    drawn = header["data"].get("drawn", "heatmap")
    kind = cast("str", header["kind"] if drawn == "heatmap" else drawn)
    frozen = Frozen(title, kind, (), 0.0, text, panels=panels_of(snapshot))
    output["data"]["text/html"] = place(frozen)
    return True
