"""What the runs of a generation have said so far."""

from __future__ import annotations

import numpy as np
import torch

from headscope.results import CELL_STATES

#: Other tokens of each step that are kept, the most probable first.
OTHERS = 5
#: Stands for no token.
NOBODY = -1
NOT_APPLICABLE, WAITING, EXACT = (
    CELL_STATES.index(name) for name in ("not_applicable", "waiting", "exact")
)


class Runs:
    """Tokens of each run with their log-probabilities, `[run, step]`.

    Args:
        n_runs: How many runs.
        n_steps: Most new tokens.
    """

    def __init__(self, n_runs: int, n_steps: int) -> None:
        shape = (n_runs, n_steps)
        self.said: list[list[int]] = [[] for _ in range(n_runs)]
        #: By the run itself, and by the other run's model.
        self.own, self.other = np.full(shape, np.nan), np.full(shape, np.nan)
        #: What was drawn, then the most probable of the others, `[run, step, 1 + OTHERS]`.
        self.ids = np.full((*shape, 1 + OTHERS), NOBODY, np.int32)
        self.shares = np.full((*shape, 1 + OTHERS), np.nan, np.float32)
        self.states = np.full(shape, WAITING, np.uint8)

    @property
    def going(self) -> list[int]:
        """Runs that have not ended."""
        ended = (self.states == NOT_APPLICABLE).any(1)
        return [number for number, over in enumerate(ended) if not over]

    @property
    def together(self) -> bool:
        """Whether all runs have said the same so far."""
        return all(said == self.said[0] for said in self.said)

    def say(self, run: int, step: int, token: int, log_probs: torch.Tensor) -> None:
        """A run has drawn a token, its log-probabilities `[d_vocab]`."""
        best = log_probs.topk(min(OTHERS + 1, len(log_probs))).indices
        shown = torch.cat([torch.tensor([token]), best[best != token]])[: 1 + OTHERS]
        self.own[run, step] = float(log_probs[token])
        self.ids[run, step, : len(shown)] = shown.numpy()
        self.shares[run, step, : len(shown)] = log_probs[shown].exp().numpy()
        self.states[run, step] = EXACT
        self.said[run].append(token)

    def end(self, run: int, step: int) -> None:
        """A run has come to the end of its text, before a step."""
        self.states[run, step:] = NOT_APPLICABLE
