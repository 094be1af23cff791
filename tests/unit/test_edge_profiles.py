"""Nodes with edges alike are suggested together, whatever their strength."""

from __future__ import annotations

import numpy as np

from headscope.analyses.edge_profiles import alike
from headscope.results import (
    CircuitGraph,
    EdgeMeasure,
    Edges,
    GraphNode,
    Nodes,
    Pruning,
)
from tests.golden.build import circuit_graph

HEADS = [GraphNode("head", 1, unit=unit) for unit in range(5)]
NODES = [GraphNode("embed"), GraphNode("mlp", 0), *HEADS, GraphNode("mlp", 2), GraphNode("logits")]


def graph_of(edges: dict[tuple[int, int, int], float]) -> CircuitGraph:
    """From `{(source, target, input): weight}`."""
    source, target, letter = np.array(list(edges)).T
    weights = np.array(list(edges.values()), np.float32)
    made = Edges(
        source.astype(np.int32), target.astype(np.int32), letter.astype(np.uint8),
        np.ones(len(edges), np.uint8),
    )  # fmt: skip
    measure = EdgeMeasure("eap", "Score", "logits", "By hand.", weights)
    return CircuitGraph(
        "By hand", "components", Nodes.of(NODES), made, (measure,), Pruning("all", 0.0, "eap"),
        circuit_graph().provenance,
    )  # fmt: skip


def head(unit: int, reads: dict[tuple[int, int], float], writes: dict[int, float]):
    into = {(source, 2 + unit, letter): w for (source, letter), w in reads.items()}
    return into | {(2 + unit, target, 0): w for target, w in writes.items()}


def test_heads_that_read_and_write_alike_are_suggested() -> None:
    edges = (
        head(0, {(0, 1): 1.0, (1, 3): 2.0}, {8: 3.0})
        | head(1, {(0, 1): 0.1, (1, 3): 0.2}, {8: 0.3})  # a tenth as strong
        | head(2, {(0, 1): 1.0, (1, 3): 2.0}, {8: -3.0})  # the other sign
        | head(3, {(0, 2): 1.0, (1, 3): 2.0}, {7: 1.0})  # elsewhere
        | head(4, {(0, 1): 1.0, (1, 3): 1.9}, {8: 3.1})
    )
    (group,) = alike(graph_of(edges))
    assert group.nodes == ("L1H0", "L1H1", "L1H4")
    assert group.label == "L1H0, L1H1, L1H4"


def test_edges_that_are_not_kept_do_not_count() -> None:
    edges = head(0, {(0, 1): 1.0}, {8: 1.0}) | head(1, {(0, 1): 1.0}, {8: 1.0})
    graph = graph_of(edges)
    assert len(alike(graph)) == 1
    assert alike(graph, np.array([True, True, False, False])) == ()


def test_it_stands_for_any_family_and_an_empty_graph() -> None:
    assert alike(graph_of({(0, 8, 0): 1.0})) == ()
