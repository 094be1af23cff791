"""What finishes between two cells is in the executed notebook all the same."""

from __future__ import annotations

import time

import nbformat
from nbclient import NotebookClient

SLOW = """
import time
import headscope as hs
from headscope.widgets import base

hs.publish_mode("live")  # with no live view, the cell waits for the result
base.FIRST_BUDGET_S = 0  # so that the loop finishes what the cell began
lens = hs.LogitLens(hs.load_demo(), "Dallas is in")
lens
"""


def test_a_result_that_came_between_two_cells_is_kept() -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in (SLOW, "1 + 1")]
    client = NotebookClient(notebook, timeout=120)
    with client.setup_kernel():
        client.execute_cell(notebook.cells[0], 0)
        # The kernel's loop goes on while no cell runs.
        time.sleep(3)
        client.execute_cell(notebook.cells[1], 1)
        client.set_widgets_metadata()
    metadata = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]
    (state,) = (m["state"] for m in metadata["state"].values() if "_status" in m["state"])
    assert state["_status"]["state"] == "done"
    assert state["_result"]
