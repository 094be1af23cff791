"""Runs that begin at positions of their own, side by side without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch


@dataclass(frozen=True)
class Ragged:
    """Runs one behind the other in one axis, `[token, ...]`, each from a position on to the end.

    Where every token is by itself nothing is computed in vain; for attention they are spread out
    into `[run, position, ...]`, which begins where the earliest of them does.

    Args:
        offsets: The first position of each run.
        length: Positions of a whole run.
    """

    offsets: tuple[int, ...]
    length: int

    @cached_property
    def offset(self) -> int:
        """The earliest first position."""
        return min(self.offsets, default=0)

    @cached_property
    def starts(self) -> list[int]:
        """Where each run begins in the axis of tokens, and where the last one ends."""
        return [0, *accumulate(self.length - offset for offset in self.offsets)]

    @cached_property
    def _are_equal(self) -> bool:
        return len(set(self.offsets)) <= 1

    @cached_property
    def _begun(self) -> torch.Tensor:
        positions = torch.arange(self.offset, self.length)
        return positions >= torch.tensor(self.offsets)[:, None]

    def first(self, n: int) -> Ragged:
        """The first `n` runs."""
        return Ragged(self.offsets[:n], self.length)

    def run(self, tokens: torch.Tensor, run: int) -> torch.Tensor:
        """A run's part of `[token, ...]`, as a view."""
        return tokens[self.starts[run] : self.starts[run + 1]]

    def spread(self, tokens: torch.Tensor) -> torch.Tensor:
        """`[token, ...]` as `[run, position, ...]`, with 0 where a run has not begun."""
        shape = (len(self.offsets), self.length - self.offset, *tokens.shape[1:])
        if self._are_equal:
            return tokens.view(shape)
        out = tokens.new_zeros(shape)
        out[self._begun.to(tokens.device)] = tokens
        return out

    def gather(self, spread: torch.Tensor) -> torch.Tensor:
        """The inverse of `spread`."""
        if self._are_equal:
            return spread.flatten(0, 1)
        return spread[self._begun.to(spread.device)]

    def behind(self, old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """Keys or values `[run, head, position, d_head]` of all positions.

        Args:
            old: Of whole runs, `[run or 1, ...]`: taken where a run has not begun.
            new: From `offset` on.
        """
        old = old.expand(len(new), -1, -1, -1)
        if not self._are_equal:
            begun = self._begun.to(new.device)[:, None, :, None]
            new = torch.where(begun, new, old[:, :, self.offset :])
        return torch.cat([old[:, :, : self.offset], new], 2)

    def places(self, positions: Sequence[int]) -> list[int]:
        """Where `positions` of each run are in the axis of tokens, run by run."""
        both = zip(self.starts, self.offsets, strict=False)
        return [start + position - offset for start, offset in both for position in positions]
