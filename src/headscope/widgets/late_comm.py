"""Widgets that no front end is told of before one refers to them."""

from __future__ import annotations

from typing import Any

import anywidget
from comm import DummyComm

from headscope.widgets.publish_mode import output_now


class LateWidget(anywidget.AnyWidget):
    """A widget whose comm opens late where outputs have no live view.

    A comm that nobody looks at is not free: whoever executes the notebook stores its state, which
    holds the front end and the result once more, and pages made of the notebook fetch what draws
    it. It opens when something asks for the widget's id: a live view, or a box that holds it.
    """

    comm: Any
    _is_late = False

    def open(self) -> None:
        """Open the comm, or put it off."""
        if self.comm is None and output_now() != "live":
            self.comm = DummyComm()
            self._is_late = True
        else:
            super().open()

    @property
    def model_id(self) -> Any:
        """Its id on the page; asking for it opens the comm."""
        if self._is_late:
            self.comm = None  # while it is late: it is not closed
            self._is_late = False
            super().open()  # under the id that it has
        return super().model_id

    def close(self) -> None:
        """Close the comm."""
        self._is_late = False
        super().close()
