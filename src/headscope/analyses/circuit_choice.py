"""Which edges make a circuit: the best by score, those that lead to the logits, none that dangle.

Everything is bool or float `[writer, reader]`, or `[writer, reader, position]`, in the order of an
`EdgeMap`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headscope.model.edges import EdgeMap

Kept = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


def threshold(edges: EdgeMap, scores: Scores, least: float, *, signed: bool = False) -> Kept:
    """The edges whose score (`signed`) or its magnitude is at least `least`."""
    return edges.possible & (_rank(scores, signed=signed) >= least)


def top_n(edges: EdgeMap, scores: Scores, n: int, *, signed: bool = False) -> Kept:
    """The `n` edges with the highest score (`signed`) or magnitude; of equal ones the first."""
    (kept,) = best(edges, scores, [n], signed=signed)
    return kept


def best(
    edges: EdgeMap, scores: Scores, sizes: Sequence[int], *, signed: bool = False
) -> list[Kept]:
    """`top_n` of several sizes, ranked once."""
    able = np.flatnonzero(edges.possible)
    order = able[np.argsort(-_rank(scores.ravel()[able], signed=signed), kind="stable")]
    found = []
    for n in sizes:
        kept = np.zeros(edges.possible.shape, bool)
        kept.flat[order[: max(n, 0)]] = True
        found.append(kept)
    return found


def greedy(edges: EdgeMap, scores: Scores, n: int, *, signed: bool = False) -> Kept:
    """`n` edges, one after the other the best that leads into the circuit, from the logits on."""
    ranked = _rank(scores, signed=signed)
    kept = np.zeros(edges.possible.shape, bool)
    waiting: list[tuple[float, int, int]] = []
    reached = np.zeros(len(edges.readers), bool)

    def reach(readers: Kept) -> None:
        for reader in np.flatnonzero(readers & ~reached):
            reached[reader] = True
            for writer in np.flatnonzero(edges.possible[:, reader]):
                key = (-float(ranked[writer, reader]), int(writer), int(reader))
                heapq.heappush(waiting, key)

    reach(np.arange(len(reached)) == len(reached) - 1)
    while waiting and n > 0:
        _, writer, reader = heapq.heappop(waiting)
        kept[writer, reader] = True
        reach(edges.feeds[:, writer])
        n -= 1
    return kept


def pruned(edges: EdgeMap, kept: Kept) -> Kept:
    """Without edges from a component that nothing is kept into, or into one that leads nowhere.

    At positions, what is kept into keys and values leads to every later position of their head.
    """
    while True:
        filled: Kept = np.logical_or.reduce(kept, 0)
        used: Kept = edges.feeds @ kept.any(1)
        if edges.length is not None:
            some = edges.attended
            filled[some] = np.logical_or.accumulate(filled[some], 1)
            used[some] = np.logical_or.accumulate(used[some, ::-1], 1)[:, ::-1]
        fed = edges.feeds.T @ filled
        fed[0] = True  # the embedding reads the tokens
        used[-1] = True
        left = kept & fed[:, None] & used[None, :]
        if (left == kept).all():
            return left
        kept = left


def _rank(scores: Scores, *, signed: bool) -> Scores:
    return scores if signed else np.abs(scores)
