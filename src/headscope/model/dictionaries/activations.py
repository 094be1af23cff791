"""What makes activations of pre-activations `[..., feature]`. Zero means inactive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

import torch


@dataclass(frozen=True)
class ReLU:
    """The positive part."""

    def __call__(self, pre: torch.Tensor) -> torch.Tensor:
        """Activations of pre-activations, both `[..., feature]`."""
        return pre.relu()


@dataclass(frozen=True, eq=False)
class JumpReLU:
    """The pre-activation where it is above the feature's threshold (Rajamanoharan et al. 2024).

    Args:
        threshold: float `[feature]`.
    """

    threshold: torch.Tensor

    def __call__(self, pre: torch.Tensor) -> torch.Tensor:
        """Activations of pre-activations, both `[..., feature]`."""
        return pre * (pre > self.threshold.to(pre))


@dataclass(frozen=True)
class TopK:
    """The k largest pre-activations of each position (Gao et al. 2024).

    Args:
        k: How many; all of them where there are fewer features.
        rectified: Whether a negative one among them becomes 0, as in SAELens; circuit-tracer keeps
            it.
    """

    k: int
    rectified: bool = True

    def __call__(self, pre: torch.Tensor) -> torch.Tensor:
        """Activations of pre-activations, both `[..., feature]`."""
        top = pre.topk(min(self.k, pre.shape[-1]), dim=-1)
        values = top.values.relu() if self.rectified else top.values
        return torch.zeros_like(pre).scatter_(-1, top.indices, values)


Activation = Union[ReLU, JumpReLU, TopK]
