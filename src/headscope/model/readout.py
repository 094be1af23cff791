"""From the residual stream to logits: final norm, unembedding, and whatever the model adds.

    logits = transform(norm(resid) @ W_U + b_U)
    norm(x) = (x - mean(x) if centring) / scale(x) * weight + bias

Written out rather than called, because the bridge's own modules would fire the user's hooks. A
bridge whose logits are anything else is refused (`ReadOut.check`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from headscope.errors import ModelError

#: A different computation is off by about the spread of the logits; rounding in bfloat16 by 1 %.
_MISMATCH = 0.1


@dataclass(frozen=True)
class ReadOut:
    """The path from the last residual stream to the logits.

    Args:
        weight: Gain of the final norm `[d_model]`, or None.
        bias: Bias of the final norm `[d_model]`, or None.
        eps: Added under the root of the scale.
        centring: Whether the norm subtracts the mean (LayerNorm; RMSNorm does not).
        normalises: Whether there is a final norm at all.
        unembedding: W_U `[d_model, d_vocab]`.
        unembedding_bias: b_U `[d_vocab]`.
        transform: What follows: a soft cap or a scale; identity for most models.
    """

    weight: torch.Tensor | None
    bias: torch.Tensor | None
    eps: float
    centring: bool
    normalises: bool
    unembedding: torch.Tensor
    unembedding_bias: torch.Tensor
    transform: Any

    @classmethod
    def of(cls, bridge: Any) -> ReadOut:
        """The read-out of `bridge`, from the weights as they are now."""
        kind = getattr(bridge.cfg, "normalization_type", None)
        norm = getattr(bridge, "ln_final", None)
        normalises = kind is not None and norm is not None
        weight = getattr(norm, "weight", None) if normalises else None
        if weight is not None and getattr(norm, "uses_weight_offset", False):
            weight = 1.0 + weight
        centring = normalises and not getattr(norm, "uses_rms_norm", "RMS" in str(kind))
        original = getattr(norm, "original_component", None)
        bias = getattr(original, "bias", None) if centring else None
        return cls(
            weight=None if weight is None else weight.detach().float(),
            bias=None if bias is None else bias.detach().float(),
            eps=_eps(original, bridge.cfg),
            centring=centring,
            normalises=normalises,
            unembedding=bridge.unembed.W_U.detach(),
            unembedding_bias=bridge.unembed.b_U.detach(),
            transform=bridge.adapter.apply_output_logits_transform,
        )

    def scale(self, resid: torch.Tensor) -> torch.Tensor:
        """The norm's divisor, float32 `[..., 1]`, for streams `[..., d_model]`."""
        resid = resid.float()
        if not self.normalises:
            return torch.ones_like(resid[..., :1])
        if self.centring:
            resid = resid - resid.mean(-1, keepdim=True)
        return (resid.pow(2).mean(-1, keepdim=True) + self.eps).sqrt()

    def normalised(self, resid: torch.Tensor) -> torch.Tensor:
        """The stream after the final norm with its own scale, in the unembedding's dtype."""
        x = resid.float()
        if self.centring:
            x = x - x.mean(-1, keepdim=True)
        x = x / self.scale(resid)
        if self.weight is not None:
            x = x * self.weight
        if self.bias is not None:
            x = x + self.bias
        return x.to(self.unembedding.dtype)

    def logits(self, resid: torch.Tensor) -> torch.Tensor:
        """Logits, float32 `[n, d_vocab]`, of streams `[n, d_model]`."""
        raw = torch.addmm(self.unembedding_bias, self.normalised(resid), self.unembedding)
        return self.transform(raw).float()  # type: ignore[no-any-return]

    @property
    def transforms(self) -> bool:
        """Whether the model changes its logits after the unembedding (soft cap, scale)."""
        probe = torch.linspace(-50.0, 50.0, 11)
        return not torch.equal(self.transform(probe.clone()), probe)

    def direction(self, answer: int, wrong: int | None) -> torch.Tensor:
        """What a stream divided by its scale is projected on to give a logit (difference).

        float32 `[d_model]`: W_U's column(s), with the norm's gain and centring folded in.
        """
        direction = self._columns(answer, wrong)
        if self.weight is not None:
            direction = direction * self.weight
        if self.centring:
            direction = direction - direction.mean()
        return direction

    def constant(self, answer: int, wrong: int | None) -> float:
        """What biases alone give the logit (difference): the final norm's, and b_U."""
        constant = self.unembedding_bias[answer].float()
        if wrong is not None:
            constant = constant - self.unembedding_bias[wrong].float()
        if self.bias is not None:
            constant = constant + self.bias @ self._columns(answer, wrong)
        return float(constant)

    def raw_logit(self, normalised: torch.Tensor, answer: int, wrong: int | None) -> torch.Tensor:
        """The logit (difference) before `transform`, float32 `[n]`, of unembedded streams."""
        bias = self.unembedding_bias[answer].float()
        if wrong is not None:
            bias = bias - self.unembedding_bias[wrong].float()
        return normalised.float() @ self._columns(answer, wrong) + bias

    def _columns(self, answer: int, wrong: int | None) -> torch.Tensor:
        columns = self.unembedding[:, answer].float()
        return columns if wrong is None else columns - self.unembedding[:, wrong].float()

    def check(self, resid: torch.Tensor, logits: torch.Tensor) -> None:
        """Refuse a model whose logits `[n, d_vocab]` are not this read-out of `resid`.

        Raises:
            ModelError: They differ by more than rounding.
        """
        ours = self.logits(resid).log_softmax(-1)
        theirs = logits.float().log_softmax(-1)
        spread = (theirs - theirs.mean(-1, keepdim=True)).abs().max()
        error = (ours - theirs).abs().max()
        if not error <= _MISMATCH * spread:
            raise ModelError(
                "This model does not compute its logits as final norm and unembedding of the last "
                f"residual stream (off by {float(error):.2g}).",
                "The lens and the attribution need that; attention patterns work.",
            )


def _eps(norm: Any, config: Any) -> float:
    for owner, name in ((norm, "eps"), (norm, "variance_epsilon"), (config, "eps")):
        value = getattr(owner, name, None)
        if value is not None:
            return float(value)
    return 1e-5
