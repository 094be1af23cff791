"""`CircuitGraph`: components, the signed edges between them, and which of these make a circuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from headscope.errors import ResultError
from headscope.results.axes import Float32, Int32, UInt8, check_array
from headscope.results.base import NextToken, ResultBase
from headscope.results.grid import Term
from headscope.results.provenance import Provenance

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

NodeKind = Literal["embed", "head", "mlp", "logits"]
EDGE_INPUTS = ("", "q", "k", "v")
"""Which of a head's inputs an edge goes into, by its number in `Edges.input`; "" for no head."""


@dataclass(frozen=True)
class GraphNode:
    """A component that writes to the residual stream, reads from it, or both.

    Args:
        kind: `embed`, `head`, `mlp` or `logits`.
        layer: Its block; None for `embed` and `logits`.
        head: The query head; None for the keys and values that several heads share.
        kv_head: The key-value head that it reads by; None where every head has keys and values of
            its own.
        position: The token position; None for all of them.
    """

    kind: NodeKind
    layer: int | None = None
    head: int | None = None
    kv_head: int | None = None
    position: int | None = None

    def __post_init__(self) -> None:
        in_block = self.kind in ("head", "mlp")
        is_head = self.head is not None or self.kv_head is not None
        numbers = (self.layer, self.head, self.kv_head, self.position)
        negative = any(number is not None and number < 0 for number in numbers)
        if in_block != (self.layer is not None) or is_head != (self.kind == "head") or negative:
            raise ResultError(f"There is no node like {self.kind} with {numbers}.")

    @property
    def label(self) -> str:
        """Its name: `embed`, `L9H6`, `L9KV3`, `MLP5` or `logits`, with `@4` for position 4."""
        if self.kind == "head":
            index = f"KV{self.kv_head}" if self.head is None else f"H{self.head}"
            name = f"L{self.layer}{index}"
        else:
            name = self.kind if self.layer is None else f"MLP{self.layer}"
        return name if self.position is None else f"{name}@{self.position}"

    @property
    def writes(self) -> bool:
        """Whether an edge can start here."""
        return self.kind != "logits" and not (self.kind == "head" and self.head is None)

    @property
    def order(self) -> float:
        """Edges go from lower to higher."""
        if self.layer is None:
            return -1.0 if self.kind == "embed" else float("inf")
        return self.layer + (0.5 if self.kind == "mlp" else 0.0)


@dataclass(frozen=True)
class Edges:
    """Edges from what one node writes to what another reads of it, all arrays `[edge]`.

    Args:
        source: int32: index of the node that writes.
        target: int32: index of the node that reads.
        input: uint8: index into `EDGE_INPUTS`.
        kept: uint8: 1 for the edges of the circuit.
    """

    source: Int32
    target: Int32
    input: UInt8
    kept: UInt8

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class EdgeMeasure:
    """One quantity of every edge.

    Args:
        name: Key, such as `eap`.
        title: What a reader sees.
        unit: `logits`, `nats`, `probability`.
        definition: How it is computed, and what a positive number means.
        values: float32 `[edge]`; NaN where it was not computed.
    """

    name: str
    title: str
    unit: str
    definition: str
    values: Float32


@dataclass(frozen=True)
class Pruning:
    """How the kept edges were chosen.

    Args:
        rule: `all`; `threshold` (scores of at least `value`); `top_n` (the `value` best);
            `greedy` (`value` edges, the best that leads to what is in the circuit, from the logits
            on).
        value: The threshold, or the number of edges; those that lead nowhere are dropped after.
        measure: Name of the measure by which edges were ranked.
        signed: Whether by its value; otherwise by its magnitude.
    """

    rule: Literal["all", "threshold", "top_n", "greedy"]
    value: float
    measure: str
    signed: bool


@dataclass(frozen=True)
class FaithfulnessPoint:
    """A circuit that was really run, everything outside of it ablated.

    Args:
        requested: How many edges were asked for.
        kept: How many were left after pruning.
        metric: The metric of the circuit, m(C), mean over pairs.
        faithfulness: (m(C) - m(empty)) / (m(full) - m(empty)).
    """

    requested: int
    kept: int
    metric: float
    faithfulness: float


@dataclass(frozen=True, repr=False)
class CircuitGraph(ResultBase):
    """A graph of components.

    Args:
        title: What the figure shows.
        nodes: The components, each once.
        edges: Between them, each once, from lower to higher.
        measures: One or more quantities of all edges, the default one first.
        pruning: How the kept edges were chosen.
        provenance: Where it came from.
        faithfulness: Circuits of other sizes, by number of edges.
        baselines: The metric with all edges kept ("full") and with none ("empty").
        next_tokens: What the model predicts after the (first) clean prompt.
    """

    title: str
    nodes: tuple[GraphNode, ...]
    edges: Edges
    measures: tuple[EdgeMeasure, ...]
    pruning: Pruning
    provenance: Provenance
    faithfulness: tuple[FaithfulnessPoint, ...] = ()
    baselines: tuple[Term, ...] = ()
    next_tokens: tuple[NextToken, ...] = ()
    kind: Literal["circuit_graph"] = "circuit_graph"

    result_kind: ClassVar[str] = "circuit_graph"

    def __post_init__(self) -> None:
        edges, n = self.edges, (len(self.edges),)
        if not self.measures:
            raise ResultError("A circuit graph needs at least one measure.")
        if len(set(self.nodes)) != len(self.nodes):
            raise ResultError("A node is there twice.")
        for name, array, dtype in (
            ("Edge sources", edges.source, "int32"), ("Edge targets", edges.target, "int32"),
            ("Edge inputs", edges.input, "uint8"), ("Kept edges", edges.kept, "uint8"),
        ):  # fmt: skip
            check_array(name, array, dtype, n)
        for measure in self.measures:
            check_array(f"Measure {measure.name!r}", measure.values, "float32", n)
        if self.pruning.measure not in [measure.name for measure in self.measures]:
            raise ResultError(f"There is no measure {self.pruning.measure!r} to prune by.")
        self._check_edges()

    def _outline(self) -> str:
        kept = int(self.edges.kept.sum())
        return f"{len(self.nodes)} nodes, {kept} of {len(self.edges)} edges kept"

    def _check_edges(self) -> None:
        edges = self.edges
        if not len(edges):
            return
        ends = np.stack([edges.source, edges.target])
        if ends.min() < 0 or ends.max() >= len(self.nodes):
            raise ResultError(f"An edge ends outside the {len(self.nodes)} nodes.")
        if edges.input.max() >= len(EDGE_INPUTS) or edges.kept.max() > 1:
            raise ResultError("An edge has an input or a state that does not exist.")
        order = np.array([node.order for node in self.nodes])
        writes = np.array([node.writes for node in self.nodes])
        is_head = np.array([node.kind == "head" for node in self.nodes])
        for wrong, why in (
            (~writes[edges.source], "nothing is written there"),
            (order[edges.source] >= order[edges.target], "that is not upwards"),
            (is_head[edges.target] != (edges.input > 0), "only heads have q, k and v"),
        ):
            if wrong.any():
                edge = int(np.flatnonzero(wrong)[0])
                raise ResultError(f"Edge {self.edge_label(edge)} cannot be: {why}.")
        keys = (edges.source.astype(np.int64) * len(self.nodes) + edges.target) * 4 + edges.input
        if len(np.unique(keys)) != len(keys):
            raise ResultError("An edge is there twice.")

    def edge_label(self, edge: int) -> str:
        """The edge's name, such as `MLP0 -> L9H6.q`."""
        target = self.nodes[int(self.edges.target[edge])].label
        letter = EDGE_INPUTS[int(self.edges.input[edge])]
        source = self.nodes[int(self.edges.source[edge])].label
        return f"{source} -> {target}" + (f".{letter}" if letter else "")

    def __getitem__(self, measure: str) -> npt.NDArray[np.float32]:
        """Values of the measure called `measure`, `[edge]`.

        Raises:
            ResultError: No measure has that name.
        """
        for candidate in self.measures:
            if candidate.name == measure:
                return candidate.values
        names = ", ".join(repr(m.name) for m in self.measures)
        raise ResultError(f"This graph has no measure {measure!r}.", f"It has {names}.")

    def to_dataframe(self) -> pd.DataFrame:
        """One row per edge: source, target, input, whether it is kept, a column per measure."""
        import pandas as pd

        labels = np.array([node.label for node in self.nodes], dtype=object)
        columns: dict[str, object] = {
            "source": labels[self.edges.source],
            "target": labels[self.edges.target],
            "input": np.array(EDGE_INPUTS, dtype=object)[self.edges.input],
            "kept": self.edges.kept.astype(bool),
        }
        return pd.DataFrame(columns | {m.name: m.values for m in self.measures})
