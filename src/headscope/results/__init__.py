"""The result kinds: frozen, self-validating, numpy only."""

from typing import Union

from headscope.results.axes import Axis, Scale
from headscope.results.base import NextToken
from headscope.results.grid import (
    CELL_STATES,
    Alignment,
    CellState,
    Grid,
    Identity,
    Measure,
    Term,
    TopTokens,
)
from headscope.results.patterns import WEIGHTINGS, HeadPattern, HeadScore, Patterns
from headscope.results.provenance import JsonValue, Prompt, Provenance

#: The closed set of result kinds. A new kind is added here and in the front end's view index.
Result = Union[Grid, Patterns]

__all__ = [
    "CELL_STATES",
    "WEIGHTINGS",
    "Alignment",
    "Axis",
    "CellState",
    "Grid",
    "HeadPattern",
    "HeadScore",
    "Identity",
    "JsonValue",
    "Measure",
    "NextToken",
    "Patterns",
    "Prompt",
    "Provenance",
    "Result",
    "Scale",
    "Term",
    "TopTokens",
]
