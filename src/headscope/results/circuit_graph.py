"""`CircuitGraph`: nodes of a model, the signed edges between them, and which make a circuit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from headscope.arguments import checked, fit
from headscope.errors import ResultError
from headscope.results.axes import check_array
from headscope.results.base import NextToken, ResultBase
from headscope.results.graph_parts import (
    EDGE_INPUTS,
    NODE_KINDS,
    EdgeMeasure,
    Edges,
    FaithfulnessPoint,
    Marks,
    NodeMeasure,
    Nodes,
    Pruning,
    impossible_edge,
)
from headscope.results.grid import Term
from headscope.results.provenance import Provenance

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd


@dataclass(frozen=True, repr=False)
class CircuitGraph(ResultBase):
    """A graph of components, or of features.

    Args:
        title: What the figure shows.
        family: `components` (edges are paths of the residual stream between components) or
            `attribution` (edges are direct effects in a local replacement model).
        nodes: The nodes, each once.
        edges: Between them, each once, from lower to higher and never back in the text.
        measures: One or more quantities of all edges, the default one first. Of circuits, `exact`
            (the edge alone ablated) and `loss` (the circuit without it) where they were measured.
        pruning: How the kept edges were chosen.
        provenance: Where it came from. Positions are those of its first prompt.
        node_measures: Quantities of all nodes.
        texts: What nodes stand for, by name: a logit's token, a feature's explanation.
        scores: Of the graph as a whole, labelled with the graph that they are computed on; of
            circuits, CPR and CMD once their curves have run.
        baselines: The metric with all edges kept ("full") and with none ("empty").
        faithfulness: Circuits that were run, by number of edges: its own and others.
        marks: What users have marked when it was saved.
        nodes_in_all: How many nodes there were before any were left out.
        edges_in_all: How many edges there were, likewise.
        next_tokens: What the model predicts after the (first) clean prompt.
        remainder: What another tool's file says and no field here holds, as JSON text.
    """

    title: str
    family: Literal["components", "attribution"]
    nodes: Nodes
    edges: Edges
    measures: tuple[EdgeMeasure, ...]
    pruning: Pruning
    provenance: Provenance
    node_measures: tuple[NodeMeasure, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[Term, ...] = ()
    baselines: tuple[Term, ...] = ()
    faithfulness: tuple[FaithfulnessPoint, ...] = ()
    marks: Marks = field(default_factory=Marks)
    nodes_in_all: int = 0
    edges_in_all: int = 0
    next_tokens: tuple[NextToken, ...] = ()
    remainder: str = ""
    kind: Literal["circuit_graph"] = "circuit_graph"

    result_kind: ClassVar[str] = "circuit_graph"

    def __post_init__(self) -> None:
        self._check_nodes()
        n = (len(self.edges),)
        if not self.measures:
            raise ResultError("A circuit graph needs at least one measure.")
        for name, array, dtype in (
            ("Edge sources", self.edges.source, "int32"),
            ("Edge targets", self.edges.target, "int32"),
            ("Edge inputs", self.edges.input, "uint8"), ("Kept edges", self.edges.kept, "uint8"),
        ):  # fmt: skip
            check_array(name, array, dtype, n)
        for measure in self.measures:
            check_array(f"Measure {measure.name!r}", measure.values, "float32", n)
        for found in self.node_measures:
            check_array(f"Measure {found.name!r}", found.values, "float32", (len(self.nodes),))
        if self.pruning.measure not in [measure.name for measure in self.measures]:
            raise ResultError(f"There is no measure {self.pruning.measure!r} to prune by.")
        self._check_edges()

    def _outline(self) -> str:
        kept = int(self.edges.kept.sum())
        return f"{len(self.nodes)} nodes, {kept} of {len(self.edges)} edges kept"

    def _check_nodes(self) -> None:
        nodes, n = self.nodes, (len(self.nodes),)
        check_array("Node kinds", nodes.kind, "uint8", n)
        if len(nodes) and nodes.kind.max() >= len(NODE_KINDS):
            raise ResultError("A node is of a kind that does not exist.")
        for name in ("layer", "position", "unit", "kv_head"):
            column = getattr(nodes, name)
            check_array(f"Node {name}s", column, "int32", n)
            if len(nodes) and column.min() < -1:
                raise ResultError(f"There is no node with {name} {column.min()}.")
        without = nodes.of_kind("embed", "logits", "token", "logit", "bias", "other")
        unitless = nodes.of_kind("embed", "mlp", "logits", "token", "error", "attention_error")
        wrong = (~without & (nodes.layer < 0)) | (
            nodes.of_kind("embed", "logits", "token") & (nodes.layer >= 0)
        )
        wrong |= (unitless & (nodes.unit >= 0)) | (
            ~unitless & ~nodes.of_kind("bias", "other") & (nodes.unit < 0)
        )
        if wrong.any():
            raise ResultError(f"There is no node like {nodes[int(np.flatnonzero(wrong)[0])]}.")
        if len(set(self.names)) != len(nodes):
            raise ResultError("A node is there twice.")

    def _check_edges(self) -> None:
        edges, nodes = self.edges, self.nodes
        if not len(edges):
            return
        ends = np.stack([edges.source, edges.target])
        if ends.min() < 0 or ends.max() >= len(nodes):
            raise ResultError(f"An edge ends outside the {len(nodes)} nodes.")
        if edges.input.max() >= len(EDGE_INPUTS) or edges.kept.max() > 1:
            raise ResultError("An edge has an input or a state that does not exist.")
        wrong = impossible_edge(nodes, edges)
        if wrong is not None:
            raise ResultError(f"Edge {self.edge_label(wrong[0])} cannot be: {wrong[1]}.")
        keys = (edges.source.astype(np.int64) * len(nodes) + edges.target) * 4 + edges.input
        if len(np.unique(keys)) != len(keys):
            raise ResultError("An edge is there twice.")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of every node."""
        return tuple(node.name for node in self.nodes)

    @checked
    def index(self, name: str) -> int:
        """Number of the node called `name`.

        Raises:
            ResultError: There is none.
        """
        if name not in self._by_name:
            raise ResultError(
                f"This graph has no node {name!r}.", "graph.names lists them, such as "
                f"{', '.join(self.names[:3])}.",
            )  # fmt: skip
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a node called `name`."""
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def edge_label(self, edge: int) -> str:
        """The edge's name, such as `MLP0 -> L9H6.q`.

        Raises:
            HeadscopeError: There is no such edge.
        """
        edge = fit("edge", edge, int)
        if not 0 <= edge < len(self.edges):
            raise ResultError(f"There is no edge {edge}.", f"Edges are 0 to {len(self.edges) - 1}.")
        letter = EDGE_INPUTS[int(self.edges.input[edge])]
        source = self.nodes[int(self.edges.source[edge])].name
        target = self.nodes[int(self.edges.target[edge])].name
        return f"{source} -> {target}" + (f".{letter}" if letter else "")

    def __getitem__(self, measure: str) -> npt.NDArray[np.float32]:
        """Values of the edge measure called `measure`, `[edge]`.

        Raises:
            ResultError: No measure has that name.
        """
        for candidate in self.measures:
            if candidate.name == measure:
                return candidate.values
        names = ", ".join(repr(m.name) for m in self.measures)
        raise ResultError(f"This graph has no measure {measure!r}.", f"It has {names}.")

    def of_nodes(self, measure: str) -> npt.NDArray[np.float32]:
        """Values of the node measure called `measure`, `[node]`.

        Raises:
            ResultError: No measure has that name.
        """
        for candidate in self.node_measures:
            if candidate.name == measure:
                return candidate.values
        names = ", ".join(repr(m.name) for m in self.node_measures) or "none"
        raise ResultError(f"This graph's nodes have no measure {measure!r}.", f"Theirs: {names}.")

    def to_dataframe(self) -> pd.DataFrame:
        """One row per edge: source, target, input, whether it is kept, a column per measure."""
        import pandas as pd

        names = np.array(self.names, dtype=object)
        columns: dict[str, object] = {
            "source": names[self.edges.source],
            "target": names[self.edges.target],
            "input": np.array(EDGE_INPUTS, dtype=object)[self.edges.input],
            "kept": self.edges.kept.astype(bool),
        }
        return pd.DataFrame(columns | {m.name: m.values for m in self.measures})

    def save_json(self, path: str | Path, *, kept: bool = False) -> Path:
        """Write the graph as other tools read it; `hs.load_graph(path)` reads it back, all of it.

        An attribution graph becomes circuit-tracer's and Neuronpedia's JSON, a circuit of heads and
        MLPs EAP-IG's. What these have no field for stands under `headscope` in it. The first
        measure is the weight or score, with the graph's own sign.

        Args:
            path: Where to write; `.json` is added if there is no suffix, missing folders are made.
            kept: Whether only the circuit is written, as other tools write pruned graphs.

        Raises:
            ResultError: A node has no place in such a file, its name says another format, or
                nothing can be written there; an older file of that name then stays.
        """
        from headscope.interchange import save_json

        return save_json(self, path, kept=kept)
