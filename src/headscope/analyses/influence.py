"""Influence of the nodes of an attribution graph on its targets, and pruning by it.

With effects A[target, source], and w the targets' probabilities (0 elsewhere):

    share[i, j] = |A[i, j]| / max(sum over j of |A[i, j]|, 1e-10)
    influence v = w share + w share^2 + ...
    edge score  = share[i, j] (v[i] + w[i])

Effects only go up, so the series ends, and one pass from the top down sums it.

Pruning keeps the nodes with the largest influence up to a share of all of it (tokens and targets
always), normalises anew, keeps the edges with the largest scores up to a share of theirs, and drops
units and errors that no kept edge leaves, and units that none enters, until nothing changes.

    replacement score   = v(tokens) / (v(tokens) + v(errors))
    completeness score  = mean over nodes, weighted by v + w, of the share that is not from errors

Source: Ameisen et al. 2025, "Circuit Tracing", appendix on pruning; as circuit-tracer computes it.
Units, errors, tokens and targets are circuit-tracer's features, errors, tokens and logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_ALIKE = 1 - 1e-5
"""Scores along a chain are equal but for rounding: all of it stays, or none."""

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Effects:
    """All direct effects of a graph.

    Args:
        matrix: float32 `[target, source]`, signed, square.
        levels: Where the levels begin, and the end: tokens, then layers, then targets. Effects go
            from lower levels to higher ones, so the matrix is zero elsewhere.
        errors: Which nodes are errors, `[node]`.
        weights: The targets' probabilities, 0 elsewhere, `[node]`.
    """

    matrix: Floats
    levels: Sequence[int]
    errors: Flags
    weights: Floats

    @property
    def tokens(self) -> slice:
        """The token nodes."""
        return slice(0, self.levels[1])

    @property
    def targets(self) -> slice:
        """The target nodes."""
        return slice(self.levels[-2], self.levels[-1])

    def rows(self) -> list[tuple[slice, slice]]:
        """From the top down, the nodes of each level and those below."""
        pairs = zip(self.levels[1:-1], self.levels[2:], strict=True)
        return [(slice(start, end), slice(0, start)) for start, end in pairs][::-1]

    def kept(self, nodes: Flags) -> Effects:
        """The effects between some of the nodes."""
        chosen = np.flatnonzero(nodes)
        levels = np.searchsorted(chosen, self.levels).tolist()
        matrix = self.matrix[np.ix_(chosen, chosen)]
        return Effects(matrix, levels, self.errors[chosen], self.weights[chosen])


@dataclass(frozen=True, eq=False)
class Influence:
    """What `Effects` come to.

    Args:
        inflow: Sum of the magnitudes of incoming effects, `[node]`.
        nodes: Influence v, `[node]`.
        effects: Where it is from.
    """

    inflow: Floats
    nodes: Floats
    effects: Effects

    @classmethod
    def of(cls, effects: Effects) -> Influence:
        """Sum the series."""
        inflow = np.zeros(len(effects.matrix), np.float32)
        total = effects.weights.copy()
        for level, below in effects.rows():
            sizes = np.abs(effects.matrix[level, below])
            inflow[level] = sizes.sum(1)
            total[below] += (total[level] / np.maximum(inflow[level], 1e-10)) @ sizes
        return cls(inflow, total - effects.weights, effects)

    @property
    def passed(self) -> Floats:
        """V + w, what arrives at a node and is shared out among its sources, `[node]`."""
        return self.nodes + self.effects.weights

    def edges(self) -> Floats:
        """The score of every edge, `[target, source]`."""
        per_unit = self.passed / np.maximum(self.inflow, 1e-10)
        scores = np.zeros_like(self.effects.matrix)
        for level, below in self.effects.rows():
            np.abs(self.effects.matrix[level, below], out=scores[level, below])
            scores[level, below] *= per_unit[level, None]
        return scores

    @property
    def replacement(self) -> float:
        """The replacement score."""
        tokens = float(self.nodes[self.effects.tokens].sum())
        return tokens / max(tokens + float(self.nodes[self.effects.errors].sum()), 1e-10)

    @property
    def completeness(self) -> float:
        """The completeness score."""
        missed = np.zeros_like(self.inflow)
        for level, below in self.effects.rows():
            errors = np.flatnonzero(self.effects.errors[below])
            missed[level] = np.abs(self.effects.matrix[level, errors]).sum(1)
        missed /= np.maximum(self.inflow, 1e-10)
        passed = self.passed
        return float(((1 - missed) * passed).sum() / max(passed.sum(), 1e-10))


@dataclass(frozen=True, eq=False)
class Pruned:
    """Which nodes and edges stay.

    Args:
        nodes: `[node]`.
        edges: `[target, source]` of the nodes that the node threshold kept, `candidates`.
        candidates: Those nodes, int64 `[candidate]`.
    """

    nodes: Flags
    edges: Flags
    candidates: npt.NDArray[np.intp]


def cutoff(scores: Floats, share: float) -> float:
    """The smallest of the largest scores that together make up `share` of all."""
    ordered = np.sort(scores[scores > 0], axis=None)[::-1]
    if not len(ordered):
        return 0.0
    reached = np.cumsum(ordered, dtype=np.float64)
    first = int(np.searchsorted(reached, share * reached[-1]))
    return float(ordered[min(first, len(ordered) - 1)])


def prune(found: Influence, node_share: float, edge_share: float) -> Pruned:
    """Keep what carries most of the influence.

    Args:
        found: Of the whole graph.
        node_share: Cumulative share of the nodes' influence, 0 to 1.
        edge_share: Cumulative share of the edges' scores.
    """
    effects = found.effects
    nodes = (found.nodes > 0) & (found.nodes >= cutoff(found.nodes, node_share) * _ALIKE)
    nodes[effects.tokens] = nodes[effects.targets] = True
    candidates = np.flatnonzero(nodes)
    left = effects.kept(nodes)
    scores = Influence.of(left).edges()
    edges = (scores > 0) & (scores >= cutoff(scores, edge_share) * _ALIKE)
    stays = np.ones(len(candidates), np.bool_)
    bound = np.zeros(len(candidates), np.bool_)
    bound[left.tokens] = bound[left.targets] = True
    while True:
        alive = (edges.any(0) | bound) & (edges.any(1) | bound | left.errors)
        if (alive == stays).all():
            break
        stays = alive
        edges &= stays[:, None] & stays
    nodes[candidates[~stays]] = False
    return Pruned(nodes, edges, candidates)
