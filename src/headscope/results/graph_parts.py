"""What a `CircuitGraph` is made of: nodes and edges as columns, their measures, what users mark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from headscope.errors import ResultError
from headscope.results.axes import Float32, Int32, UInt8

NodeKind = Literal[
    "embed", "head", "kv_head", "mlp", "neuron", "logits",
    "token", "feature", "error", "logit",
    "attention_feature", "attention_error", "bias", "other",
]  # fmt: skip
NODE_KINDS: tuple[NodeKind, ...] = (
    "embed", "head", "kv_head", "mlp", "neuron", "logits",
    "token", "feature", "error", "logit",
    "attention_feature", "attention_error", "bias", "other",
)  # fmt: skip
"""What a node is, by its number in `Nodes.kind`.

The first six are components of the model. `token`, `feature`, `error` and `logit` are the nodes of
an attribution graph: a token's embedding, a dictionary's feature, what the dictionary misses, a
target. The last four come from other tools' files only.
"""

EDGE_INPUTS = ("", "q", "k", "v")
"""Which of a head's inputs an edge goes into, by its number in `Edges.input`; "" for no head."""

_LAYERED = {
    "head": 0.0, "kv_head": 0.0, "attention_feature": 0.0, "attention_error": 0.0, "other": 0.25,
    "mlp": 0.5, "neuron": 0.5, "feature": 0.5, "error": 0.5,
}  # fmt: skip
"""Where in its block a kind stands: attention before the MLP."""
_NAMES = {
    "embed": "embed", "head": "L{layer}H{unit}", "kv_head": "L{layer}KV{unit}",
    "mlp": "MLP{layer}", "neuron": "L{layer}N{unit}", "logits": "logits", "token": "token",
    "feature": "L{layer}F{unit}", "error": "L{layer}error", "logit": "logit{unit}",
    "attention_feature": "L{layer}A{unit}", "attention_error": "L{layer}Aerror",
    "bias": "L{layer}bias{unit}", "other": "other{unit}",
}  # fmt: skip


@dataclass(frozen=True)
class GraphNode:
    """One node of a graph.

    Args:
        kind: One of `NODE_KINDS`.
        layer: Its block; None where there is none (embeddings, tokens, logits).
        position: The token position; None for all of them.
        unit: Number of the head, key-value head, neuron or feature; a logit's vocabulary id; what
            tells several biases of one layer, or nodes of an unknown kind, apart.
        kv_head: Where query heads share key-value heads, the one a head reads by.
    """

    kind: NodeKind
    layer: int | None = None
    position: int | None = None
    unit: int | None = None
    kv_head: int | None = None

    @property
    def name(self) -> str:
        """Its name, unique in a graph: `L9H6`, `MLP5@4`, `L3F212@7`, `token@2`, `logit440@9`."""
        layer, unit = ("" if n is None else n for n in (self.layer, self.unit))
        name = _NAMES[self.kind].format(layer=layer, unit=unit)
        return name if self.position is None else f"{name}@{self.position}"


@dataclass(frozen=True)
class Nodes:
    """Nodes as columns, all arrays `[node]`; -1 stands for None.

    Args:
        kind: uint8: index into `NODE_KINDS`.
        layer: int32, as in `GraphNode`.
        position: int32.
        unit: int32.
        kv_head: int32.
    """

    kind: UInt8
    layer: Int32
    position: Int32
    unit: Int32
    kv_head: Int32

    @classmethod
    def of(cls, nodes: Sequence[GraphNode]) -> Nodes:
        """The columns of `nodes`."""
        rows = [(n.layer, n.position, n.unit, n.kv_head) for n in nodes]
        filled = [[-1 if number is None else number for number in row] for row in rows]
        columns = np.array(filled, np.int32).reshape(-1, 4).T.copy()
        kinds = np.array([NODE_KINDS.index(n.kind) for n in nodes], np.uint8)
        return cls(kinds, *columns)

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, index: int) -> GraphNode:
        columns = (self.layer, self.position, self.unit, self.kv_head)
        numbers = [None if column[index] < 0 else int(column[index]) for column in columns]
        return GraphNode(NODE_KINDS[int(self.kind[index])], *numbers)

    def __iter__(self) -> Iterator[GraphNode]:
        return (self[index] for index in range(len(self)))

    def of_kind(self, *kinds: NodeKind) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which nodes are of one of `kinds`, bool `[node]`."""
        return np.isin(self.kind, [NODE_KINDS.index(kind) for kind in kinds])

    @property
    def order(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Edges go from lower to higher numbers, float64 `[node]`."""
        within = np.array([_LAYERED.get(kind, 0.0) for kind in NODE_KINDS])
        order = np.where(self.layer < 0, -1.0, self.layer + within[self.kind])
        order[self.of_kind("embed", "token", "bias")] = -1.0
        order[self.of_kind("logits", "logit")] = np.inf
        return order


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


def impossible_edge(nodes: Nodes, edges: Edges) -> tuple[int, str] | None:
    """The first edge that no forward pass has, and why; its ends are known to exist."""
    order, position = nodes.order, nodes.position
    silent = nodes.of_kind("logits", "logit", "kv_head")
    deaf = nodes.of_kind("embed", "token", "error", "attention_error", "bias")
    is_head = nodes.of_kind("head", "kv_head")
    back = position[edges.source] > position[edges.target]
    for wrong, why in (
        (silent[edges.source], "nothing is written there"),
        (deaf[edges.target], "nothing is read there"),
        (order[edges.source] >= order[edges.target], "that is not upwards"),
        (back & (position[edges.target] >= 0), "that is back in the text"),
        (is_head[edges.target] != (edges.input > 0), "only heads have q, k and v"),
    ):
        if wrong.any():
            return int(np.flatnonzero(wrong)[0]), why
    return None


@dataclass(frozen=True)
class EdgeMeasure:
    """One quantity of every edge.

    Args:
        name: Key, such as `eap`.
        title: What a reader sees.
        unit: `logits`, `nats`, `probability`, `activation`.
        definition: How it is computed, and what a positive number means.
        values: float32 `[edge]`; NaN where it was not computed.
    """

    name: str
    title: str
    unit: str
    definition: str
    values: Float32


@dataclass(frozen=True)
class NodeMeasure:
    """One quantity of every node.

    Args:
        name: Key. Views know `activation`, `probability` (of a logit), `influence` (on the targets,
            before pruning), and `inflow` (sum of the magnitudes of all incoming edges, those that
            were left out included).
        title: What a reader sees.
        unit: As of an edge's.
        definition: How it is computed, and what a positive number means.
        values: float32 `[node]`; NaN where it does not apply.
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
            on); `acdc` (those whose ablation costs at least `value`); `influence` (nodes up to a
            cumulative share `value` of the influence on the targets, then edges up to
            `edge_value`).
        value: The threshold, or the number of edges; those that lead nowhere are dropped after.
        measure: Name of the edge measure that was ranked by.
        signed: Whether by its value; otherwise by its magnitude.
        edge_value: The second threshold of `influence`.
    """

    rule: Literal["all", "threshold", "top_n", "greedy", "acdc", "influence"]
    value: float
    measure: str
    signed: bool = False
    edge_value: float | None = None


@dataclass(frozen=True)
class FaithfulnessPoint:
    """A circuit that was really run, everything outside of it ablated.

    Args:
        requested: How many edges were asked for.
        kept: How many were left after pruning.
        metric: The metric of the circuit, m(C), mean over pairs.
        faithfulness: (m(C) - m(empty)) / (m(full) - m(empty)).
        by: How its edges were chosen: by the graph's own `rule`, or as the best ones by the scores'
            `magnitude` or by the signed `score`.
        completeness: The same of everything but the circuit, which is ablated; None: not run.
    """

    requested: int
    kept: int
    metric: float
    faithfulness: float
    by: Literal["rule", "magnitude", "score"] = "magnitude"
    completeness: float | None = None


@dataclass(frozen=True)
class Group:
    """Nodes that a user takes as one (a supernode).

    Args:
        label: Its name.
        nodes: Names of its nodes, as `GraphNode.name`.
    """

    label: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where a user has put a node: what is added to where the layout puts it, in CSS pixels.

    Args:
        node: Its name.
        x: To the right.
        y: Downwards.
    """

    node: str
    x: float
    y: float


@dataclass(frozen=True)
class Marks:
    """What users have marked in a graph; nodes are named as by `GraphNode.name`.

    Args:
        pinned: Pinned nodes.
        groups: Supernodes; a node is in one of them at most.
        labels: What users call nodes.
        places: Nodes that were dragged.
        threshold: What the edges shown were chosen by; empty: as the graph's `Pruning` says.
            `edges`, how many of the best ones (components); `nodes` and `edges`, shares of the
            influence (attribution).
    """

    pinned: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    threshold: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        grouped = [node for group in self.groups for node in group.nodes]
        if len(set(grouped)) != len(grouped):
            twice = next(node for node in grouped if grouped.count(node) > 1)
            raise ResultError(f"{twice} is in two groups.", "Take it out of one of them.")
