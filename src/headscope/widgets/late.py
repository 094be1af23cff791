"""What finishes between two cells, told again inside the next one.

nbclient (nbconvert --execute, papermill) keeps what a kernel sends while a cell runs, and drops
what it sends between cells. A result that was finished there would be missing from the saved
notebook. A page on a Jupyter server misses nothing; such kernels are told by their session's name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any


def at_next_cell(do: Callable[[], Any]) -> None:
    """Call `do` once, when the next cell starts; never, where that would be of no use."""
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    if shell is None or "JPY_SESSION_NAME" in os.environ:
        return

    def once(*_: Any) -> None:
        shell.events.unregister("pre_run_cell", once)
        do()

    shell.events.register("pre_run_cell", once)
