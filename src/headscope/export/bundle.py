"""The built front end inside the package."""

from __future__ import annotations

from pathlib import Path

from headscope.errors import HeadscopeError

STATIC = Path(__file__).parents[1] / "static"


def read_bundle(name: str) -> str:
    """Text of a bundle.

    `widget.js` and, with the views that it lacks, `attention.js` and `graph.js` are modules for
    live widgets; the same names with `frozen` are scripts for saved pages.

    Raises:
        HeadscopeError: It was not built.
    """
    path = STATIC / name
    if not path.is_file():
        raise HeadscopeError(f"The front end {name} is not built.", "Run `make build`.")
    return path.read_text(encoding="utf-8")
