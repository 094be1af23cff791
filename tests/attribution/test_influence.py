"""Influence, pruning and scores beside a plain implementation of the same definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headscope.analyses.influence import Effects, Influence, prune


def random_effects(seed: int, layers: int = 4, width: int = 9) -> Effects:
    draw = np.random.default_rng(seed)
    levels = [0, 5, *(5 + width * (i + 1) for i in range(layers)), 5 + width * layers + 3]
    n = levels[-1]
    matrix = (draw.standard_normal((n, n)) * (draw.random((n, n)) < 0.4)).astype(np.float32)
    level = np.searchsorted(levels, np.arange(n), side="right")
    matrix[level[:, None] <= level] = 0
    errors = (draw.random(n) < 0.3) & (level > 1) & (level < len(levels) - 1)
    matrix[errors] = 0
    weights = np.zeros(n, np.float32)
    weights[-3:] = [0.5, 0.3, 0.1]
    return Effects(matrix, levels, errors, weights)


def naive(effects: Effects, node_share: float, edge_share: float) -> dict[str, Any]:
    """By power series and loops."""
    a, w = effects.matrix.astype(float), effects.weights.astype(float)
    n, tokens, logits = len(a), effects.levels[1], effects.levels[-2]

    def series(matrix: Any) -> tuple[Any, Any]:
        share = np.abs(matrix) / np.maximum(np.abs(matrix).sum(1, keepdims=True), 1e-10)
        v, term = np.zeros(n), w @ share
        while term.any():
            v, term = v + term, term @ share
        return share, v

    def kept(scores: Any, share: float) -> Any:
        ordered = sorted(scores.ravel(), reverse=True)
        total, sum_of_them = sum(ordered), 0.0
        for score in ordered:
            sum_of_them += score
            if sum_of_them >= share * total:
                return scores >= score
        return scores >= ordered[-1]

    share, v = series(a)
    nodes = kept(v, node_share) & (v > 0)
    nodes[:tokens] = nodes[logits:] = True
    left = a * nodes[:, None] * nodes
    share_left, v_left = series(left)
    scores = share_left * (v_left + w)[:, None]
    edges = kept(scores, edge_share) & (scores > 0)
    changed = True
    while changed:
        changed = False
        for i in range(tokens, logits):
            dead = not edges[:, i].any() or (not effects.errors[i] and not edges[i].any())
            if nodes[i] and dead:
                nodes[i], changed = False, True
                edges[i] = edges[:, i] = False
    errors = effects.errors
    missing = share[:, errors].sum(1)
    return {
        "v": v,
        "nodes": nodes,
        "edges": edges,
        "scores": share * (v + w)[:, None],
        "replacement": v[:tokens].sum() / (v[:tokens].sum() + v[errors].sum()),
        "completeness": ((1 - missing) * (v + w)).sum() / (v + w).sum(),
    }


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shares", [(0.8, 0.98), (0.5, 0.6), (1.0, 1.0)])
def test_all_is_as_defined(seed: int, shares: tuple[float, float]) -> None:
    effects = random_effects(seed)
    found, expected = Influence.of(effects), naive(effects, *shares)
    assert np.allclose(found.nodes, expected["v"], atol=1e-5)
    assert np.allclose(found.edges(), expected["scores"], atol=1e-5)
    assert found.replacement == pytest.approx(expected["replacement"], abs=1e-5)
    assert found.completeness == pytest.approx(expected["completeness"], abs=1e-5)
    pruned = prune(found, *shares)
    if shares == (1.0, 1.0):  # which of the last ones is rounding's to say
        assert pruned.nodes.sum() >= expected["nodes"].sum() - 1
        return
    assert np.array_equal(pruned.nodes, expected["nodes"])
    edges = np.zeros_like(expected["edges"])
    edges[np.ix_(pruned.candidates, pruned.candidates)] = pruned.edges
    assert np.array_equal(edges, expected["edges"])
    assert 0 < edges.sum() < (effects.matrix != 0).sum()


def test_nothing_that_comes_in_is_no_influence() -> None:
    effects = random_effects(0)
    effects.matrix[effects.levels[-2] :] = 0
    found = Influence.of(effects)
    assert not found.nodes.any()
    assert not prune(found, 0.8, 0.98).edges.any()
