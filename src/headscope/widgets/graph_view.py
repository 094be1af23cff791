"""`GraphView`: a graph that was saved, or that another tool made, with no model behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headscope.arguments import checked
from headscope.errors import ResultError
from headscope.interchange import load_graph
from headscope.results import CircuitGraph
from headscope.widgets.marks import LIMITS, MarkedGraph
from headscope.widgets.still import StillPage
from headscope.wire.files import load_result


class GraphView(StillPage[CircuitGraph], MarkedGraph):
    """A graph and what users mark in it; nothing is computed, so no model is needed.

    Pins, groups, labels, places and the threshold start as the graph's own; page and Python both
    change them, as in every widget of a graph, and `result.marks` has them.

    Args:
        graph: A `CircuitGraph`, or the path of one that `graph.save()` or another tool wrote (see
            `hs.load_graph`).

    Raises:
        ResultError: There is no such file, or no graph in it.

    Example:
        >>> view = hs.GraphView("austin.json")
        >>> view.groups = [{"label": "capitals", "nodes": ["L4F13237@3", "L6F9865@3"]}]
        >>> view.result.save_json("austin-grouped.json")
    """

    @checked
    def __init__(self, graph: CircuitGraph | str | Path) -> None:
        found = _opened(graph) if isinstance(graph, (str, Path)) else graph
        if not isinstance(found, CircuitGraph):
            raise ResultError(
                f"A {type(found).__name__} is no graph.", "Pass a CircuitGraph or a file of one."
            )
        marks = found.marks
        super().__init__(
            found,
            pinned=list(marks.pinned),
            groups=[{"label": group.label, "nodes": list(group.nodes)} for group in marks.groups],
            labels=dict(marks.labels),
            places=[{"node": place.node, "x": place.x, "y": place.y} for place in marks.places],
        )
        self.threshold = dict(marks.threshold)

    @property
    def result(self) -> CircuitGraph:
        """The graph, with what is marked now.

        Raises:
            ResultError: The widget is closed.
        """
        return self._marked(super().result)

    def _thresholds(self) -> Mapping[str, float]:
        return LIMITS[self._value.family] if self._value is not None else {}


def _opened(path: str | Path) -> Any:
    """What is in a file: of `result.save()` by its name, of another tool otherwise."""
    return load_result(path) if Path(path).suffix == ".safetensors" else load_graph(path)
