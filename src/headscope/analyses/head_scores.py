"""What an attention head does on one prompt, in one number each.

Shares are means, over the destination positions that have a source of the kind in question, of the
attention that the head pays to such sources: 1 when it looks nowhere else, NaN when the prompt
gives no occasion. In a causal model position 0 can only attend to itself, so as a destination it is
left out of every score; as a source it counts like any other.

    previous_token   the position before
    duplicate_token  earlier positions holding the same token
    induction        positions right after an earlier occurrence of the same token
                     (Olsson et al. 2022, "In-context learning and induction heads")
    first_token      position 0, the usual attention sink
    current_token    the position itself
    entropy          mean over destinations of the entropy of the attention row, in nats

The source patterns of the first three are those of `transformer_lens.head_detector`, which divides
by all destinations instead of by those that have an occasion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from headscope.results import HeadScore

_SHARES = {
    "previous_token": (
        "Previous token",
        "Mean attention to the position just before.",
    ),
    "duplicate_token": (
        "Duplicate token",
        "Mean attention, from tokens that occurred before, to their earlier occurrences.",
    ),
    "induction": (
        "Induction",
        "Mean attention, from tokens that occurred before, to the tokens right after their earlier "
        "occurrences.",
    ),
    "first_token": (
        "First token (sink)",
        "Mean attention to position 0, over the later positions.",
    ),
    "current_token": (
        "Current token",
        "Mean attention to the position itself, over the positions that have a choice.",
    ),
}


@dataclass(frozen=True)
class Sources:
    """Which (dest, src) pairs count for each share, for one prompt.

    Args:
        weights: float32 `[score, dest, src]`: 1 / (number of destinations with an occasion) where a
            pair counts, else 0; NaN throughout where there is no occasion.
        dests: First destination that counts.
    """

    weights: torch.Tensor
    dests: int

    @classmethod
    def of(cls, token_ids: Sequence[int], *, causal: bool, device: torch.device) -> Sources:
        """The pairs for a prompt. Cost: a few `[dest, src]` masks."""
        ids = torch.tensor(list(token_ids), device=device)
        n = len(ids)
        dests = 1 if causal else 0
        position = torch.arange(n, device=device)
        before = position[None, :] < position[:, None]
        duplicate = (ids[None, :] == ids[:, None]) & before
        induction = torch.zeros_like(duplicate)
        induction[:, 1:] = duplicate[:, :-1]
        choice = (position >= dests)[:, None]
        masks = {
            "previous_token": position[None, :] == position[:, None] - 1,
            "duplicate_token": duplicate,
            "induction": induction,
            "first_token": (position == 0)[None, :] & choice & (position > 0)[:, None],
            "current_token": (position[None, :] == position[:, None]) & choice,
        }
        weights = torch.stack([masks[name].float() for name in _SHARES])
        occasions = weights.amax(-1).sum(-1)
        return cls(weights / occasions[:, None, None], dests)

    def shares(self, pattern: torch.Tensor) -> torch.Tensor:
        """float32 `[head, score]` of float32 patterns `[head, dest, src]`."""
        return pattern.flatten(1) @ self.weights.to(pattern.device).flatten(1).T

    def entropy(self, pattern: torch.Tensor) -> torch.Tensor:
        """Mean row entropy in nats, float32 `[head]`; NaN without destinations."""
        row_entropy: torch.Tensor = torch.special.entr(pattern[:, self.dests :]).sum(-1)
        return row_entropy.mean(-1)


def head_scores(shares: np.ndarray, entropy: np.ndarray, n_tokens: int) -> tuple[HeadScore, ...]:
    """Scores as a result carries them.

    Args:
        shares: float32 `[layer, head, score]`.
        entropy: float32 `[layer, head]`.
        n_tokens: Length of the prompt, which bounds the entropy.
    """
    scores = [
        HeadScore(name, title, definition, 1.0, np.ascontiguousarray(shares[..., index]))
        for index, (name, (title, definition)) in enumerate(_SHARES.items())
    ]
    scores.append(
        HeadScore(
            "entropy",
            "Entropy",
            "Mean entropy of the attention rows, in nats: 0 where a head looks at one place only.",
            math.log(n_tokens),
            entropy,
        )
    )
    return tuple(scores)


def index_of(name: str) -> int:
    """Place of a share on the last axis of `shares`."""
    return list(_SHARES).index(name)
