"""Widgets of graphs: what users mark in a graph, and the groups that are suggested."""

from __future__ import annotations

from collections.abc import Callable

from headscope.analyses.edge_profiles import alike
from headscope.results import CircuitGraph, Group
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.base import HeadscopeWidget
from headscope.widgets.marks import MarkedGraph


class GraphWidget(MarkedGraph, HeadscopeWidget[CircuitGraph]):
    """A live view of one analysis whose result is a graph, and of what users mark in it.

    See `MarkedGraph` for marks: they never compute, and stay when a new graph comes.
    """

    @property
    def result(self) -> CircuitGraph:
        """As `HeadscopeWidget.result`, with what is marked now."""
        return self._marked(super().result)

    def run(self) -> CircuitGraph:
        """As `HeadscopeWidget.run`, with what is marked now."""
        return self._marked(super().run())

    def suggest_groups(self) -> tuple[Group, ...]:
        """Nodes of the circuit whose edges are alike, to be taken as one; see `edge_profiles`.

        Assign what you like of them to `groups`.
        """
        return alike(self._shown())

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {"suggest": self._answer_suggest}

    def _answer_suggest(self, _params: Params) -> Answer:
        groups = [
            {"label": group.label, "nodes": list(group.nodes)} for group in self.suggest_groups()
        ]
        return Answer({"groups": groups})
