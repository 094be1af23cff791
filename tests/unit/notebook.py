"""A notebook without a front end: its kernel's shell, whose outputs are kept."""

from __future__ import annotations

from typing import Any

import nbformat
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell


class NotebookShell(InteractiveShell):
    """Runs cells as the front end asked for them.

    Attributes:
        request: The message that runs the current cell, as `ask` made it.
    """

    request: Any = None

    def ask(
        self, cell: str = "cell", *, run: int = 1, stdin: bool = True, named: bool = True
    ) -> None:
        """The front end runs a cell; `named` says whether it tells which."""
        self.request = {
            "header": {"msg_id": f"{cell}-{run}"},
            "metadata": {"cellId": cell} if named else {},
            "content": {"code": cell, "allow_stdin": stdin},
        }

    def get_parent(self) -> Any:
        return self.request

    def shows(self, widget: Any) -> list[dict[str, Any]]:
        """Display a widget; the outputs that the cell is left with, each a display message."""
        before = len(self.display_pub.outputs)
        widget._ipython_display_()
        return list(self.display_pub.outputs[before:])


def shell() -> NotebookShell:
    """A new one, in the place of any other."""
    NotebookShell.clear_instance()
    made = NotebookShell.instance()
    made.display_pub = CapturingDisplayPublisher(shell=made)
    return made


def file_of(*cells: list[dict[str, Any]]) -> Any:
    """A notebook whose cells have these outputs, as the front end saves it."""
    notebook = nbformat.v4.new_notebook()
    for outputs in cells:
        cell = nbformat.v4.new_code_cell("shown")
        cell.outputs = [nbformat.v4.new_output("display_data", o["data"]) for o in outputs]
        notebook.cells.append(cell)
    return notebook
