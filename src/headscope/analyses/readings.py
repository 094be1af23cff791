"""Many states of the residual stream read out over the whole vocabulary, a piece at a time.

However large the vocabulary, no more than `_PIECES_AT_ONCE` arrays of `_PIECE_BYTES` exist at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from headscope.model.memory import FLOAT32
from headscope.model.readout import ReadOut

# 64 vectors take 75 ms on one core for GPT-2 small; each costs 30 % more than among 128.
_PIECE_VECTORS = 64
_PIECE_BYTES = 24 * 2**20
_PIECES_AT_ONCE = 7
_TOP_BLOCK = 64
_MEASURES = 5


def vectors_per_piece(d_vocab: int) -> int:
    """How many streams are unembedded at a time: enough to use the weights well, no more."""
    return max(1, min(_PIECE_VECTORS, _PIECE_BYTES // (FLOAT32 * d_vocab)))


def working_bytes(shape: tuple[int, int], d_vocab: int, top_k: int) -> int:
    """Most that reading `shape` (rows, positions) out takes at a time, results included."""
    pieces = _PIECES_AT_ONCE * vectors_per_piece(d_vocab) * d_vocab
    per_cell = 2 * (_MEASURES + 2 * top_k)  # as computed, and as copied into a result
    return FLOAT32 * (pieces + shape[0] * shape[1] * per_cell)


@dataclass(frozen=True)
class _Final:
    """The model's output over a block of positions, to which its read-outs are compared."""

    token: torch.Tensor  # [position, 1]
    probability: torch.Tensor  # [position, d_vocab]
    negative_entropy: torch.Tensor  # [position]


class Readings:
    """Fills the arrays, piece by piece: a piece is some rows over a block of positions."""

    def __init__(self, path: ReadOut, states: Sequence[torch.Tensor], top_k: int) -> None:
        self.path = path
        self.states = states
        self.k = top_k
        shape = (len(states), len(states[0]))
        self.d_vocab = path.unembedding.shape[1]
        self.log_probability = np.full(shape, np.nan, np.float32)
        self.rank = np.full(shape, np.nan, np.float32)
        self.entropy = np.full(shape, np.nan, np.float32)
        self.kl = np.full(shape, np.nan, np.float32)
        self.top_ids = np.zeros((*shape, top_k), np.int32)
        self.top_values = np.full((*shape, top_k), np.nan, np.float32)

    def pieces(self) -> Iterator[float]:
        """Compute piece after piece, yielding the share done; the output's row comes first."""
        n_rows, n_positions = self.rank.shape
        size = vectors_per_piece(self.d_vocab)
        per_block = min(size, n_positions)
        per_group = max(1, size // per_block)
        done = 0
        for start in range(0, n_positions, per_block):
            block = slice(start, min(start + per_block, n_positions))
            final = None
            for top in range(n_rows, 0, -per_group):
                group = slice(max(0, top - per_group), top)
                with torch.no_grad():
                    final = self._measure(group, block, final)
                done += (group.stop - group.start) * (block.stop - block.start)
                yield done / (n_rows * n_positions)

    def _measure(self, group: slice, block: slice, final: _Final | None) -> _Final:
        """Every measure of rows `group` at positions `block`; the last of the first group is final.

        Sums over the vocabulary are taken of logits minus their maximum, in float32.
        """
        states = torch.stack([state[block] for state in self.states[group]])
        logits = self.path.logits(states.flatten(0, 1)).reshape(*states.shape[:2], -1)
        values, ids = _top_k(logits, self.k)
        final_token = ids[-1, :, :1] if final is None else final.token
        own = logits.gather(-1, final_token.expand(len(logits), -1, -1))
        # Counted in floats (exact up to 2**24): comparing into booleans is several times slower.
        above = torch.gt(logits, own, out=torch.empty_like(logits)).sum(-1)
        highest = values[..., :1].clone()
        shifted = logits.sub_(highest)
        weights = shifted.exp()
        normaliser = weights.sum(-1)
        log_normaliser = normaliser.log()
        entropy = log_normaliser - torch.linalg.vecdot(weights, shifted) / normaliser
        if final is None:
            probability = weights[-1] / normaliser[-1, :, None]
            expected = torch.linalg.vecdot(probability, shifted[-1])
            final = _Final(final_token, probability, expected - log_normaliser[-1])
        cross_entropy = log_normaliser - torch.linalg.vecdot(final.probability[None], shifted)
        log_probability = values - highest - log_normaliser[..., None]
        self.rank[group, block] = _numpy(above)
        self.entropy[group, block] = _numpy(entropy.clamp_min(0))
        self.kl[group, block] = _numpy((final.negative_entropy + cross_entropy).clamp_min(0))
        self.log_probability[group, block] = _numpy(log_probability[..., 0])
        self.top_ids[group, block] = ids.cpu().numpy()
        self.top_values[group, block] = _numpy(log_probability.exp())
        return final


def _top_k(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`topk`, exact, through block maxima: the best k lie in the k blocks with the best maxima."""
    size = logits.shape[-1]
    blocks = size // _TOP_BLOCK
    if blocks <= k:
        top = logits.topk(k)
        return top.values, top.indices
    even = blocks * _TOP_BLOCK
    maxima = logits[..., :even].reshape(*logits.shape[:-1], blocks, _TOP_BLOCK).amax(-1)
    best = maxima.topk(k).indices
    inside = torch.arange(_TOP_BLOCK, device=logits.device)
    candidates = (best[..., None] * _TOP_BLOCK + inside).flatten(-2)
    rest = torch.arange(even, size, device=logits.device).expand(*logits.shape[:-1], -1)
    candidates = torch.cat([candidates, rest], dim=-1)
    top = logits.gather(-1, candidates).topk(k)
    return top.values, candidates.gather(-1, top.indices)


def _numpy(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    return np.asarray(tensor.float().cpu().numpy(), dtype=np.float32)
