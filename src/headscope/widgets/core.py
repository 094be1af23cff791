"""The hidden widget that carries the front end once per notebook."""

from __future__ import annotations

import json
from typing import Any

import anywidget

from headscope.errors import HeadscopeError
from headscope.export.bundle import read_bundle

_UNBUILT = """\
const render = ({ el }) => { el.textContent = MESSAGE; };
export default { initialize: () => ({ render }), render };
"""


class Core(anywidget.AnyWidget):
    """Never shown. Visible widgets borrow its `render`, so that the bundle travels once."""

    def __init__(self, **kwargs: Any) -> None:
        self._esm = front_end()
        super().__init__(**kwargs)


_core: Core | None = None


def shared_core() -> Core:
    """This kernel's core: made for the first widget, and again if somebody closed it."""
    global _core
    if _core is None or _core.comm is None:
        _core = Core()
    return _core


def front_end() -> str:
    """The bundle, or, where it was not built, a module that says so in its place."""
    try:
        return read_bundle("widget.js")
    except HeadscopeError as missing:
        return f"const MESSAGE = {json.dumps(str(missing))};\n{_UNBUILT}"
