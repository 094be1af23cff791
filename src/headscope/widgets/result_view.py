"""`ResultView`: a result that was saved, or worked out, with no model behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Union, cast

from headscope.arguments import checked
from headscope.errors import ResultError
from headscope.results import Grid, Patterns
from headscope.widgets.core import Bundle
from headscope.widgets.still import StillPage
from headscope.wire.files import load_result

#: The bundles of views that are called otherwise.
_BUNDLES = {"grid": "widget", "patterns": "attention"}


class ResultView(StillPage[Union[Grid, Patterns]]):
    """A result as its widget shows it; nothing is computed, so no model is needed.

    What only a model can tell, such as heads of attention that the result does not hold, is shown
    disabled. For graphs there is `hs.GraphView`.

    Args:
        result: A `Grid` or `Patterns`, such as a difference, or the path of a saved one.

    Raises:
        ResultError: There is no such file, or a graph in it.

    Example:
        >>> hs.ResultView(hs.difference(before, after))
        >>> hs.ResultView("lens.safetensors")
    """

    @checked
    def __init__(self, result: Grid | Patterns | str | Path) -> None:
        found = load_result(result) if isinstance(result, (str, Path)) else result
        if not isinstance(found, (Grid, Patterns)):
            raise ResultError("This is a graph.", "Pass it to hs.GraphView.")
        super().__init__(found, view_bundle=cast("Bundle", _BUNDLES.get(found.view, found.view)))
