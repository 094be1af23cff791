"""The hidden widgets that carry the front end once per notebook, in two parts.

The shell with the heatmap is one of them. Each other view is another, which travels when the first
widget that needs it is made.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import anywidget

from headscope.errors import HeadscopeError
from headscope.export.bundle import read_bundle
from headscope.widgets.late_comm import LateWidget

Bundle = Literal[
    "widget", "attention", "graph", "curves", "bars", "texts", "panes", "interventions"
]  # fmt: skip

_UNBUILT = """\
const render = ({ el }) => { el.textContent = MESSAGE; };
export default { initialize: () => ({ render }) };
"""


class Core(LateWidget):
    """Never shown. Visible widgets borrow what it exports, so that a bundle travels once."""

    def __init__(self, bundle: Bundle, **kwargs: Any) -> None:
        self._esm = front_end(bundle)
        super().__init__(**kwargs)


class CoreTrait(anywidget.WidgetTrait):
    """A core that a widget borrows from; unlike any `WidgetTrait`, it does not ask for its id."""

    def __init__(self) -> None:
        super().__init__()
        self.tag(sync=True)

    def validate(self, obj: Any, value: object) -> object:
        """Only a core, or None."""
        if value is not None and not isinstance(value, Core):
            self.error(obj, value)
        return value


_cores: dict[Bundle, Core] = {}


def shared_core(bundle: Bundle = "widget") -> Core:
    """This kernel's core: made for the first widget, and again if somebody closed it."""
    core = _cores.get(bundle)
    if core is None or core.comm is None:
        core = _cores[bundle] = Core(bundle)
    return core


def front_end(bundle: Bundle) -> str:
    """The bundle, or, where it was not built, a module that says so in its place."""
    try:
        return read_bundle(f"{bundle}.js")
    except HeadscopeError as missing:
        return f"const MESSAGE = {json.dumps(str(missing))};\n{_UNBUILT}"
