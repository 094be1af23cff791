"""The result kinds: frozen, self-validating, numpy only."""

from typing import Union

from headscope.results.axes import MEAN, Axis, Scale
from headscope.results.base import NextToken
from headscope.results.circuit_graph import CircuitGraph
from headscope.results.graph_parts import (
    EDGE_INPUTS,
    NODE_KINDS,
    EdgeMeasure,
    Edges,
    FaithfulnessPoint,
    GraphNode,
    Group,
    Marks,
    NodeMeasure,
    Nodes,
    Place,
    Pruning,
)
from headscope.results.grid import (
    CELL_STATES,
    Alignment,
    CellState,
    Drawn,
    Grid,
    Identity,
    Measure,
    Stretch,
    Term,
    TopTokens,
)
from headscope.results.patterns import WEIGHTINGS, HeadPattern, HeadScore, Patterns
from headscope.results.provenance import JsonValue, Prompt, Provenance

#: The closed set of result kinds. A new kind is added here and in the front end's view index.
Result = Union[Grid, Patterns, CircuitGraph]

__all__ = [
    "CELL_STATES",
    "EDGE_INPUTS",
    "MEAN",
    "NODE_KINDS",
    "WEIGHTINGS",
    "Alignment",
    "Axis",
    "CellState",
    "CircuitGraph",
    "Drawn",
    "EdgeMeasure",
    "Edges",
    "FaithfulnessPoint",
    "GraphNode",
    "Grid",
    "Group",
    "HeadPattern",
    "HeadScore",
    "Identity",
    "JsonValue",
    "Marks",
    "Measure",
    "NextToken",
    "NodeMeasure",
    "Nodes",
    "Patterns",
    "Place",
    "Prompt",
    "Provenance",
    "Pruning",
    "Result",
    "Scale",
    "Stretch",
    "Term",
    "TopTokens",
]
