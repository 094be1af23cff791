"""What only Headscope reads of a file: everything of a graph for which its format has no field.

It is the graph itself without its nodes and edges, as on the wire, and stands under `headscope`;
what single nodes and edges have besides stands there, under the same key.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from headscope.errors import ResultError
from headscope.interchange import reading as read
from headscope.interchange.reading import Json, refusal
from headscope.interchange.rest import OURS
from headscope.results import CircuitGraph, EdgeMeasure, Edges, Marks, NodeMeasure, Nodes
from headscope.wire import decode, encode

_BROKEN = (TypeError, KeyError, ValueError, AttributeError, IndexError, OverflowError)


def frame(graph: CircuitGraph, texts: Mapping[str, str], marks: Marks) -> Json:
    """`graph` without nodes and edges, and of its texts and marks only these."""
    none, few = np.empty(0, np.float32), np.empty(0, np.uint8)
    bare = dataclasses.replace(
        graph,
        nodes=Nodes.of(()),
        edges=Edges(np.empty(0, np.int32), np.empty(0, np.int32), few, few),
        measures=tuple(dataclasses.replace(m, values=none) for m in graph.measures),
        node_measures=tuple(dataclasses.replace(m, values=none) for m in graph.node_measures),
        texts=texts, marks=marks, remainder="",
    )  # fmt: skip
    return {**encode(bare, "exact")["header"]}


def framed(header: Any, where: str, family: str) -> CircuitGraph:
    """Read it back.

    Raises:
        ResultError: It is no such thing.
    """
    try:
        buffers = [b""] * len(header["arrays"])
        graph = decode({"header": header, "buffers": buffers})
    except (*_BROKEN, ResultError) as broken:
        raise refusal(where, f"does not decode ({broken})") from broken
    if not isinstance(graph, CircuitGraph) or graph.family != family:
        raise refusal(where, "is of another kind of result")
    return graph


def extras(measured: Iterable[tuple[EdgeMeasure | NodeMeasure, float]]) -> Json:
    """Values of one node or edge, null for NaN."""
    values = {m.name: None if math.isnan(value) else value for m, value in measured}
    return {"measures": values} if values else {}


def own(found: Mapping[str, Any], where: str) -> Json:
    """What only Headscope reads of one node or edge."""
    return read.mapping(found.get(OURS, {}), f"{where}.{OURS}")


def value_of(mine: Json, name: str, default: float, where: str) -> float:
    """The value of the measure called `name` in what only Headscope reads."""
    values = read.mapping(mine.get("measures", {}), f"{where}.{OURS}.measures")
    if name not in values:
        return default
    return read.number(values[name], f"{where}.{OURS}.measures.{name}", missing=True)


def same(one: float, other: float) -> bool:
    """Whether two values are one in float32, NaN being NaN."""
    return bool(np.float32(one) == np.float32(other)) or (math.isnan(one) and math.isnan(other))


def plain(values: npt.NDArray[np.float32]) -> list[float]:
    """Floats for JSON.

    Raises:
        ResultError: One is infinite.
    """
    if np.isinf(values).any():
        raise ResultError("An infinite value cannot be written as JSON.", "Call graph.save(path).")
    return [float(value) for value in values]
