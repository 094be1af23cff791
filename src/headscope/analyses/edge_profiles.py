"""Nodes whose edges are alike: suggestions of what to take as one.

A node's profile is the weights of its edges, in and out, each divided by its own norm, so that
strong and weak nodes compare. Two nodes are alike by the mean of the cosines of what they read and
of what they write to; signs count. Nodes are merged while the most similar two groups are (on
average over their members) at least `LEAST` alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from headscope.results import CircuitGraph, Group
from headscope.results.graph_parts import NodeKind

LEAST = 0.6
"""Least mean similarity within a suggested group."""
MOST_NODES = 400
"""Nodes that are compared: those whose edges weigh most. The cost grows with their cube."""
_NAMED = 3

_ALONE: tuple[NodeKind, ...] = (
    "embed",
    "logits",
    "token",
    "logit",
    "error",
    "attention_error",
    "bias",
)
"""Kinds that stand for themselves."""


def alike(graph: CircuitGraph, kept: npt.NDArray[np.bool_] | None = None) -> tuple[Group, ...]:
    """Groups of two nodes or more whose edges are alike, the most similar first.

    Args:
        graph: The graph.
        kept: Edges that count, bool `[edge]`; by default those of the circuit.
    """
    counted = graph.edges.kept.astype(bool) if kept is None else kept
    weights = np.where(counted, np.nan_to_num(graph.measures[0].values), 0).astype(np.float64)
    source, target = graph.edges.source.astype(np.int64), graph.edges.target.astype(np.int64)
    n = len(graph.nodes)
    strength = np.bincount(source, np.abs(weights), n) + np.bincount(target, np.abs(weights), n)
    strength[graph.nodes.of_kind(*_ALONE)] = 0
    chosen = np.sort(np.argsort(-strength, kind="stable")[:MOST_NODES])
    chosen = chosen[strength[chosen] > 0]
    row = np.full(n, -1)
    row[chosen] = np.arange(len(chosen))
    inputs = 4 * target + graph.edges.input
    likeness = _cosines(row[source], inputs, weights, len(chosen))
    likeness += _cosines(row[target], source, weights, len(chosen))
    return tuple(
        Group(_label(names), names)
        for members in _merged(likeness / 2)
        for names in [tuple(graph.names[chosen[i]] for i in members)]
    )


def _cosines(
    rows: npt.NDArray[np.int64], others: npt.NDArray[np.int64], weights: npt.NDArray[np.float64],
    n: int,
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Cosines of the rows of the sparse matrix of `weights`, `[row, row]`."""
    used = (rows >= 0) & (weights != 0)
    _, columns = np.unique(others[used], return_inverse=True)
    profiles = np.zeros((n, columns.max(initial=-1) + 1))
    np.add.at(profiles, (rows[used], columns), weights[used])
    norms = np.linalg.norm(profiles, axis=1, keepdims=True)
    profiles /= np.where(norms > 0, norms, 1)
    return profiles @ profiles.T


def _merged(likeness: npt.NDArray[np.float64]) -> list[list[int]]:
    """Average-linkage clusters of two members or more, in the order they became complete."""
    groups = {i: [i] for i in range(len(likeness))}
    mean = likeness.copy()
    np.fill_diagonal(mean, -np.inf)
    while len(groups) > 1:
        a, b = divmod(int(mean.argmax()), len(mean))
        if mean[a, b] < LEAST:
            break
        size_a, size_b = len(groups[a]), len(groups[b])
        joined = (size_a * mean[a] + size_b * mean[b]) / (size_a + size_b)
        mean[a], mean[:, a] = joined, joined
        mean[b], mean[:, b] = -np.inf, -np.inf
        mean[a, a] = -np.inf
        groups[a] = sorted(groups.pop(a) + groups.pop(b))
    return [members for members in groups.values() if len(members) > 1]


def _label(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
