"""Graphs, thresholds, and what Python's own pruning keeps of them; the page must keep the same.

`python -m tests.golden.pruning` rewrites `pruning.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from headscope.analyses import circuit_result
from headscope.analyses.circuit_choice import pruned, top_n
from headscope.analyses.influence import Effects, Influence, prune
from headscope.components import Layout
from headscope.model.edges import EdgeMap
from headscope.results import CircuitGraph, EdgeMeasure, GraphNode, NodeMeasure, Nodes, Pruning
from headscope.results.graph_parts import Edges
from tests.golden import build

FILE = build.HERE / "pruning.json"
#: Query heads share key-value heads, so that what is read in one place is written in several.
LAYOUT = Layout(n_layers=3, n_heads=4, n_kv_heads=2, parallel=False, mlps=True)
TOKENS = 5
Case = tuple[CircuitGraph, Mapping[str, float], list[int] | None, list[int]]


def _scores(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Of both signs, few of them large, some alike."""
    return np.round(rng.standard_normal(shape) ** 3, 2).astype(np.float32)


def components(*, positions: bool, signed: bool) -> Iterator[Case]:
    """Thresholds of a graph of components."""
    edges = EdgeMap(LAYOUT, TOKENS, [TOKENS - 1]) if positions else EdgeMap(LAYOUT)
    scores = _scores(np.random.default_rng(positions + 2 * signed), edges.possible.shape)
    shown = np.nonzero(edges.possible)
    for n in (int(share * len(shown[0])) for share in (0, 0.05, 0.1, 0.2, 0.35, 0.6, 1)):
        kept = pruned(edges, top_n(edges, scores.astype(np.float64), n, signed=signed))
        nodes, made = circuit_result._graph(edges, kept, shown)
        graph = replace(
            build.circuit_graph(), family="components", nodes=nodes, edges=made,
            measures=(EdgeMeasure("eap", "Score", "logits", "By chance.", scores[shown]),),
            pruning=Pruning("top_n", n, "eap", signed), node_measures=(),
        )  # fmt: skip
        yield graph, {"edges": n}, None, np.flatnonzero(made.kept).tolist()


def attribution() -> Iterator[Case]:
    """Thresholds of an attribution graph, with errors, of 4 layers above 4 tokens."""
    rng = np.random.default_rng(7)
    nodes = [GraphNode("token", position=at) for at in range(4)]
    levels = [0, len(nodes)]
    for layer in range(4):
        nodes += [GraphNode("feature", layer, int(at), 9 - i) for i, at in
                  enumerate(np.sort(rng.integers(0, 4, 10)))]  # fmt: skip
        nodes += [GraphNode("error", layer, at) for at in range(4)]
        levels.append(len(nodes))
    nodes += [GraphNode("logit", None, 3, token) for token in (10, 11)]
    levels.append(len(nodes))
    table = Nodes.of(nodes)
    level = np.searchsorted(levels, np.arange(len(nodes)), side="right")
    position = table.position
    errors = table.of_kind("error")
    possible = (level[:, None] > level) & (position[:, None] >= position) & ~errors[:, None]
    matrix = _scores(rng, possible.shape) * (possible & (rng.random(possible.shape) < 0.5))
    weights = np.zeros(len(nodes), np.float32)
    weights[levels[-2] :] = 0.5, 0.25
    found = Influence.of(Effects(matrix, levels, errors, weights))
    target, source = np.nonzero(matrix)
    probability = np.where(weights > 0, weights, np.nan).astype(np.float32)
    for node_share, edge_share in ((1, 1), (0.9, 0.98), (0.8, 0.95), (0.6, 0.7), (0.3, 0.4)):
        stays = prune(found, node_share, edge_share)
        kept = np.zeros(matrix.shape, np.uint8)
        kept[np.ix_(stays.candidates, stays.candidates)] = stays.edges
        graph = replace(
            build.circuit_graph(), nodes=table,
            edges=Edges(source.astype(np.int32), target.astype(np.int32),
                        np.zeros(len(source), np.uint8), kept[target, source]),
            measures=(EdgeMeasure("effect", "Effect", "", "By chance.", matrix[target, source]),),
            pruning=Pruning("influence", node_share, "effect", edge_value=edge_share),
            node_measures=(NodeMeasure("probability", "Probability", "", "", probability),
                           NodeMeasure("influence", "Influence", "", "", found.nodes)),
        )  # fmt: skip
        left = np.flatnonzero(stays.nodes).tolist()
        kept_edges = np.flatnonzero(graph.edges.kept).tolist()
        yield graph, {"nodes": node_share, "edges": edge_share}, left, kept_edges


def text() -> str:
    graphs = {
        "components": list(components(positions=False, signed=False)),
        "components, signed": list(components(positions=False, signed=True)),
        "components by position": list(components(positions=True, signed=False)),
        "attribution": list(attribution()),
    }
    found = [
        {
            "name": name,
            "graph": build.payload(cases[0][0]),
            "cases": [
                {"threshold": threshold, "nodes": nodes, "edges": edges}
                for _, threshold, nodes, edges in cases
            ],
        }
        for name, cases in graphs.items()
    ]
    return json.dumps(found, allow_nan=False, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
