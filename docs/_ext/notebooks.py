"""Pages that are notebooks: cells of text as they are, cells of code as examples that run."""

from __future__ import annotations

import json
import re
from typing import Any

from sphinx.application import Sphinx

_SOURCE = re.compile(r"\s*<!-- notebook: (\S+) -->\s*")


def read(app: Sphinx, _docname: str, source: list[str]) -> None:
    """Take the notebook that the page names in its place."""
    if not (named := _SOURCE.fullmatch(source[0])):
        return
    path = app.srcdir / named[1]
    app.env.note_dependency(path)
    fence = "````{example}" if app.config.run_notebooks else "````python"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    source[0] = "\n\n".join(_markdown(cell, fence) for cell in cells)


def _markdown(cell: dict[str, Any], fence: str) -> str:
    text = "".join(cell["source"])
    return text if cell["cell_type"] == "markdown" else f"{fence}\n{text}\n````"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the reader."""
    app.add_config_value("run_notebooks", True, "env", bool)
    app.connect("source-read", read)
    return {"parallel_read_safe": True}
