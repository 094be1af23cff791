"""The norms inside a model's blocks, written out: the bridge's own would fire the user's hooks.

norm(x) = (x - mean(x) if centring) / scale(x) * weight + bias
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Norm:
    """LayerNorm, RMSNorm, or none.

    Args:
        weight: Gain `[d_model]`, or None.
        bias: Bias `[d_model]`, or None.
        eps: Added under the root of the scale.
        centring: Whether the mean is subtracted.
        normalises: Whether there is a norm at all.
    """

    weight: torch.Tensor | None
    bias: torch.Tensor | None
    eps: float
    centring: bool
    normalises: bool

    @classmethod
    def of(cls, bridge: Any, module: Any) -> Norm:
        """The norm that `module` of `bridge` computes; None computes nothing."""
        kind = getattr(bridge.cfg, "normalization_type", None)
        if kind is None or module is None:
            return cls(None, None, 0.0, centring=False, normalises=False)
        original = getattr(module, "original_component", None)
        weight = getattr(module, "weight", None)
        if weight is not None:
            weight = _wide(weight.detach())
            weight = 1.0 + weight if getattr(module, "uses_weight_offset", False) else weight
        centring = not getattr(module, "uses_rms_norm", "RMS" in str(kind))
        bias = getattr(original, "bias", None) if centring else None
        owners = ((original, "eps"), (original, "variance_epsilon"), (bridge.cfg, "eps"))
        found = (getattr(owner, name, None) for owner, name in owners)
        eps = next((value for value in found if value is not None), 1e-5)
        bias = None if bias is None else _wide(bias.detach())
        return cls(weight, bias, float(eps), centring, normalises=True)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The norm of streams `[..., d_model]`, in float32 at least."""
        out = self.scaled(x, self.scale(x))
        return out if self.bias is None else out + self.bias

    def scale(self, x: torch.Tensor) -> torch.Tensor:
        """What streams are divided by, `[..., 1]`."""
        x = self.centred(_wide(x))
        if not self.normalises:
            return torch.ones_like(x[..., :1])
        return (x.pow(2).mean(-1, keepdim=True) + self.eps).sqrt()

    def scaled(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """The part of the norm that is linear once its scale is given."""
        out = self.centred(_wide(x)) / scale
        return out if self.weight is None else out * self.weight

    def unit(self, x: torch.Tensor) -> torch.Tensor:
        """Streams as the norm has them before its gain."""
        return self.centred(_wide(x)) / self.scale(x)

    def pull_back(self, x: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """The gradient with respect to `x`, of what has `gradient` with respect to the norm of `x`.

        It is (folded - unit (unit . folded) / d_model) / scale, with the gradient folded.

        Args:
            x: Streams `[..., d_model]`.
            gradient: Likewise.
        """
        folded = self.folded(gradient)
        if not self.normalises:
            return folded
        unit = self.unit(x)
        along = (folded * unit).mean(-1, keepdim=True)
        return (folded - along * unit) / self.scale(x)

    def folded(self, gradient: torch.Tensor) -> torch.Tensor:
        """The part of `pull_back` that is the same for all streams: the gain, and centring."""
        gradient = _wide(gradient)
        return self.centred(gradient if self.weight is None else gradient * self.weight)

    def centred(self, x: torch.Tensor) -> torch.Tensor:
        """Streams less their mean, where the norm takes it off."""
        return x - x.mean(-1, keepdim=True) if self.centring else x


def _wide(x: torch.Tensor) -> torch.Tensor:
    """float32 at least."""
    return x if x.dtype == torch.float64 else x.float()
