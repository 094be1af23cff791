"""Blocks computed straight from their weights, where that gives what the model's own code gives.

A bridge's blocks pass every activation by a hook and write norms, activations and attention out in
many passes over memory: half of a block's time. The common kinds of block (LayerNorm or RMSNorm,
learned or rotary positions, shared key-value heads, gated or plain MLP, attention and MLP one after
the other or side by side) are a few fused products instead. What is not of these kinds has no
direct blocks; whether what is computes the same as the model is for the caller to try
(`model/direct_runs.py`), never read off a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from headscope.model.norms import Norm
from headscope.model.ragged import Ragged
from headscope.model.recorded import leaving_no_trace, unread_hooks
from headscope.model.sites import PatchSite

Write = Callable[[PatchSite, torch.Tensor], None]
"""Changes a site's activation: `[run, position, ...]`, with rows `[token, ...]` (patterns always
`[run, head, dest, src]`)."""
KeysValues = tuple[torch.Tensor, torch.Tensor]


_GELU = 2 * math.sqrt(2 / math.pi)


@dataclass(frozen=True)
class Affine:
    """x @ weight + bias.

    Args:
        weight: `[in, out]`.
        bias: `[out]`, or None.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None

    @classmethod
    def of(cls, module: Any) -> Affine:
        """What a bridge's linear module computes.

        Raises:
            LookupError: It is none of the known kinds.
        """
        inner = getattr(module, "original_component", module)
        kind = type(inner).__name__
        if kind not in ("Linear", "Conv1D") or inner._forward_hooks or inner._forward_pre_hooks:
            raise LookupError(kind)
        weight = inner.weight.detach()
        bias = None if inner.bias is None else inner.bias.detach()
        return cls(weight.T if kind == "Linear" else weight, bias)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Apply to `[..., in]`."""
        flat = x.reshape(-1, x.shape[-1])
        out = flat @ self.weight if self.bias is None else torch.addmm(self.bias, flat, self.weight)
        return out.view(*x.shape[:-1], self.weight.shape[1])


@dataclass(frozen=True)
class _Rotation:
    """Rotary positions: cosine and sine `[position, rotated width]` of every position."""

    cos: torch.Tensor
    sin: torch.Tensor

    def __call__(self, x: torch.Tensor, offset: int) -> torch.Tensor:
        """Rotate `[run, position, head, d_head]`, which starts at position `offset`."""
        width = self.cos.shape[-1]
        here = slice(offset, offset + x.shape[1])
        cos, sin = self.cos[here, None], self.sin[here, None]
        turned, rest = x[..., :width], x[..., width:]
        half = width // 2
        across = torch.cat([-turned[..., half:], turned[..., :half]], -1)
        turned = turned * cos + across * sin
        return torch.cat([turned, rest], -1) if rest.shape[-1] else turned


@dataclass(frozen=True)
class DirectBlock:
    """One block.

    Args:
        norm: Before the attention.
        mlp_norm: Before the MLP; that of the attention, where both share one.
        q, k, v, o: The attention's products.
        into: Into the MLP.
        gate: Of a gated MLP, what goes through the activation function; else None.
        out: Out of the MLP.
        activation: Its activation function.
        d_head: Width of a head.
        scale: What scores are multiplied by.
        parallel: Attention and MLP read the same stream.
        rotation: Rotary positions, or None.
    """

    norm: Norm
    mlp_norm: Norm
    q: Affine
    k: Affine
    v: Affine
    o: Affine
    into: Affine
    gate: Affine | None
    out: Affine
    activation: Callable[[torch.Tensor], torch.Tensor]
    d_head: int
    scale: float
    parallel: bool
    rotation: _Rotation | None

    def through(
        self, x: torch.Tensor, write: Write | None = None
    ) -> tuple[torch.Tensor, KeysValues]:
        """Take streams `[run, position, d_model]` to the next block.

        Args:
            x: The streams.
            write: Changes activations on the way; None leaves them.

        Returns:
            The streams behind the block, and the keys and values.
        """
        z, kept = self.attend(x, write)
        return self.put_out(x, z, write), kept

    def attend(
        self,
        x: torch.Tensor,
        write: Write | None = None,
        *,
        rows: Ragged | None = None,
        places: torch.Tensor | None = None,
        before: KeysValues | None = None,
    ) -> tuple[torch.Tensor, KeysValues]:
        """The first half of `through`: heads' outputs `[run, position, head, d_head]`.

        Args:
            x: The streams: `[token, d_model]` if there are rows, and so is what comes of them.
            write: See `through`.
            rows: Runs that begin at positions of their own.
            places: Where the rows' tokens are in `x`, which then has each different one once.
            before: Keys and values `[run or 1, kv_head, position, d_head]` of whole runs, from
                which the rows take what comes before they begin.

        Returns:
            They, before `write` has seen them, and the keys and values of `x`, spread out.
        """
        normed = _normed(self.norm, x)
        parts = (self.q, self.k, self.v)
        tokens: Any = slice(None) if places is None else places
        q, k, v = (
            part(normed)[tokens].unflatten(-1, (part.weight.shape[1] // self.d_head, self.d_head))
            for part in parts
        )
        if write:
            write("q", q)
            write("k", k)
            write("v", v)
        offset = rows.offset if rows else 0
        if rows:
            q, k, v = (rows.spread(part) for part in (q, k, v))
        if self.rotation:
            q, k = self.rotation(q, offset), self.rotation(k, offset)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        kept = k, v
        if rows and before is not None:
            k, v = (rows.behind(old, new) for old, new in zip(before, kept, strict=True))
        if k.shape[1] != q.shape[1]:
            k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
        mask = q.new_full((q.shape[2], k.shape[2]), -torch.inf).triu_(offset + 1)
        scores = torch.baddbmm(mask, q.flatten(0, 1), k.flatten(0, 1).mT, alpha=self.scale)
        pattern = scores.softmax(-1).view(*q.shape[:2], *mask.shape)
        if write:
            write("pattern", pattern)
        z = torch.bmm(pattern.flatten(0, 1), v.flatten(0, 1)).view_as(q).transpose(1, 2)
        return (rows.gather(z) if rows else z).contiguous(), kept

    def put_out(
        self,
        x: torch.Tensor,
        z: torch.Tensor,
        write: Write | None = None,
        *,
        read: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """The second half of `through`, from `z` on, which `write` changes first.

        Args:
            x: The streams.
            z: Heads' outputs, with the same first axes.
            write: See `through`.
            read: Which of the first axis are wanted; None for all.
        """
        if write:
            write("z", z)
        if read is not None:
            x, z = x[read], z[read]
        attn_out = self.o(z.flatten(-2))
        if write:
            write("attn_out", attn_out)
        middle = x + attn_out
        if write and not self.parallel:
            write("resid_mid", middle)
        seen = _normed(self.mlp_norm, x if self.parallel else middle)
        post = self.into(seen)
        if self.gate is None:
            post = self.activation(post)
        else:
            post = self.activation(self.gate(seen)).mul_(post)
        if write:
            write("mlp_post", post)
        mlp_out = self.out(post)
        if write:
            write("mlp_out", mlp_out)
        stream = middle.add_(mlp_out)
        if write:
            write("resid_post", stream)
        return stream


def direct_blocks(bridge: Any, length: int) -> list[DirectBlock] | None:
    """The blocks of `bridge` from its weights as they are now; None if they are of other kinds.

    Args:
        bridge: The model.
        length: Up to how many positions.
    """
    try:
        rotation = _rotation(bridge, length)
        return [_block(bridge, block, rotation) for block in bridge.blocks]
    except (AttributeError, LookupError, TypeError):
        return None


def _block(bridge: Any, block: Any, rotation: _Rotation | None) -> DirectBlock:
    config, children = bridge.cfg, dict(block.named_children())
    if config.attn_only or {"ln1_post", "ln2_post"} & set(children):
        raise LookupError("norms behind attention and MLP")
    if getattr(config, "attn_scores_soft_cap", None) not in (None, -1.0):
        raise LookupError("soft cap")
    wrapped = getattr(bridge.original_model, "config", None)
    if getattr(wrapped, "clip_qkv", None) is not None:
        raise LookupError("clipped queries, keys and values")
    parallel = bool(config.parallel_attn_mlp)
    attn, mlp = block.attn, block.mlp
    gated = bool(config.gated_mlp)
    return DirectBlock(
        norm=Norm.of(bridge, children.get("ln1")),
        mlp_norm=Norm.of(bridge, children["ln1" if parallel and "ln2" not in children else "ln2"]),
        q=Affine.of(attn.q), k=Affine.of(attn.k), v=Affine.of(attn.v), o=Affine.of(attn.o),
        into=Affine.of(getattr(mlp, "in")), out=Affine.of(mlp.out),
        gate=Affine.of(mlp.gate) if gated else None,
        activation=_activation(mlp.original_component),
        d_head=int(config.d_head), scale=float(config.d_head) ** -0.5,
        parallel=parallel, rotation=rotation,
    )  # fmt: skip


def _activation(mlp: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The MLP's activation function, in one pass where its kind is known."""
    found = next(
        child for name, child in mlp.named_children() if name in ("act", "act_fn", "activation_fn")
    )
    name = type(found).__name__
    if name in ("NewGELUActivation", "FastGELUActivation", "GELUTanh"):
        return _tanh_gelu
    return found  # type: ignore[no-any-return]


def _tanh_gelu(x: torch.Tensor) -> torch.Tensor:
    # (1 + tanh u) / 2 is the sigmoid of 2 u, which torch computes in half of its own GELU's time.
    twice = torch.addcmul(x.new_tensor(_GELU), x, x, value=_GELU * 0.044715)
    return twice.mul_(x).sigmoid_().mul_(x)


def _normed(norm: Norm, x: torch.Tensor) -> torch.Tensor:
    if not norm.normalises:
        return x
    shape = x.shape[-1:]
    weight, bias = (None if part is None else part.to(x.dtype) for part in (norm.weight, norm.bias))
    if norm.centring:
        return functional.layer_norm(x, shape, weight, bias, norm.eps)
    return functional.rms_norm(x, shape, weight, norm.eps)


def _rotation(bridge: Any, length: int) -> _Rotation | None:
    """Cosine and sine as the model's own rotary embedding gives them to its first block."""
    if bridge.cfg.positional_embedding_type == "standard":
        return None
    if bridge.cfg.positional_embedding_type != "rotary":
        raise LookupError(bridge.cfg.positional_embedding_type)
    found: dict[str, torch.Tensor] = {}

    def keep(activation: torch.Tensor, hook: Any) -> None:
        found[hook.name.rpartition("_")[2]] = activation.detach()

    device = next(iter(bridge.parameters())).device
    ids = torch.zeros(1, length, dtype=torch.long, device=device)
    names = [f"blocks.0.attn.hook_{part}" for part in ("cos", "sin")]
    with torch.no_grad(), leaving_no_trace(bridge):
        bridge.run_with_hooks(
            ids, stop_at_layer=1, fwd_hooks=[(name, keep) for name in names] + unread_hooks(bridge)
        )
    return _Rotation(found["cos"].reshape(length, -1), found["sin"].reshape(length, -1))
