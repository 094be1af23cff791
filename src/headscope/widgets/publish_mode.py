"""Which kind of output a displayed widget leaves in its notebook."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal

from headscope.arguments import checked

Output = Literal["live", "static", "picture"]
Mode = Literal["auto", "live", "static", "picture"]

_chosen: Mode = "auto"


class publish_mode:  # noqa: N801  (called like a function, and a context manager)
    """Choose what widgets leave in a notebook from now on, or within a `with` block.

    Args:
        mode: `live`: the live view, and beside it an output that shows itself where no kernel
            answers any more: a picture, and in its place a view that needs no kernel where scripts
            may run. `static`: that output alone, of the finished result. `picture`: a PNG image,
            as plots leave it, for readers that know nothing else (a paper, Markdown on GitHub).
            `auto`, as at first: `live` where the front end that runs the cell can answer questions
            (JupyterLab, Notebook, VS Code, Colab), `static` where it says that nobody is there
            (nbconvert --execute, papermill, Quarto, Jupyter Book).

    Raises:
        RequestError: There is no such mode.

    Example:
        >>> hs.publish_mode("static")
        >>> with hs.publish_mode("picture"):
        ...     display(widget)
    """

    @checked
    def __init__(self, mode: Mode) -> None:
        global _chosen
        self._before = _chosen
        _chosen = mode

    def __enter__(self) -> None:
        """The mode holds until the block ends."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        global _chosen
        _chosen = self._before

    def __repr__(self) -> str:
        return f"publish_mode: {_chosen}"


def output_now() -> Output:
    """What a widget that is displayed now leaves."""
    if _chosen != "auto":
        return _chosen
    # The messaging protocol's word for "nobody is there": nbclient sends it, as does whatever
    # runs on it. voila runs on it too, for somebody who is about to come.
    asked = cell_request().get("content", {}).get("allow_stdin", True)
    return "live" if asked or is_app() else "static"


def is_app() -> bool:
    """Whether outputs are shown once, by voila, and never kept."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


def cell_request() -> Mapping[str, Any]:
    """The message that runs the current cell; empty outside of a kernel."""
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    request: Mapping[str, Any] | None = getattr(shell, "get_parent", dict)()
    return request or {}
