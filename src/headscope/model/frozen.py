"""A prompt's run, frozen: with attention patterns and norm scales held, attention is linear.

    attention(x) = sum_h pattern_h (C x g / scale) W_V W_O + constant

with the norm's centring C, its gain g and its scale in this run; where a norm follows attention it
is held likewise. What is left that is not linear are the MLPs. Everything is written out from the
weights, so that nothing runs on the user's model and nothing can stay behind on it.

Source: Ameisen et al. 2025, "Circuit Tracing", section 3.1 (the local replacement model).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from headscope.errors import ModelError
from headscope.model.edges import Wiring
from headscope.model.live import LiveModel
from headscope.model.norms import Norm
from headscope.model.resumed import TOLERANCE
from headscope.model.runs import LOGITS, Site


@dataclass(frozen=True, eq=False)
class FrozenAttention:
    """One layer's attention, linear in the stream before the block.

    Args:
        pattern: `[head, dest, src]`, with the scales of the norms before and behind divided out.
        into: From the stream to values, the norm's gain and centring in it,
            `[d_model, kv_head * d_head]`.
        out: From heads to the stream, `[head * d_head, d_model]`.
        constant: What biases write, `[position, d_model]`.
    """

    pattern: torch.Tensor
    into: torch.Tensor
    out: torch.Tensor
    constant: torch.Tensor

    @property
    def d_head(self) -> int:
        """Width of a head."""
        return len(self.out) // len(self.pattern)

    def __call__(self, streams: torch.Tensor) -> torch.Tensor:
        """What attention writes of streams `[position, n, d_model]`, without the constant."""
        values = (streams @ self.into).unflatten(-1, (-1, self.d_head))
        values = values.repeat_interleave(len(self.pattern) // values.shape[2], dim=2)
        mixed = self.pattern @ values.permute(2, 0, 1, 3).flatten(2)
        mixed = mixed.unflatten(-1, (streams.shape[1], self.d_head))
        written: torch.Tensor = mixed.permute(1, 2, 0, 3).flatten(2) @ self.out
        return written

    def carry(self, streams: torch.Tensor, joining: torch.Tensor, first: int) -> torch.Tensor:
        """What attention writes of the writes of several sources, without the constant.

        Args:
            streams: What sources that were there before make of the stream from position `first`
                on, `[position, n, d_model]`.
            joining: What those that have just written make of it at `first` alone, `[m, d_model]`.
            first: The position of the sources.

        Returns:
            `[position, n + m, d_model]`.
        """
        group = len(self.out) // self.into.shape[1]
        values = (streams @ self.into).unflatten(-1, (-1, self.d_head)).permute(2, 0, 1, 3)
        new = (joining @ self.into).unflatten(-1, (-1, self.d_head)).transpose(0, 1)
        pattern = self.pattern[:, first:, first:]
        mixed = pattern @ values.repeat_interleave(group, 0).flatten(2)
        mixed = mixed.unflatten(-1, (streams.shape[1], self.d_head))
        first_hop = pattern[:, :, :1, None] * new.repeat_interleave(group, 0)[:, None]
        written: torch.Tensor = torch.cat([mixed, first_hop], 2).permute(1, 2, 0, 3).flatten(2)
        return written @ self.out

    def pull_back(
        self, gradients: torch.Tensor, at: torch.Tensor, joining: torch.Tensor
    ) -> torch.Tensor:
        """Gradients with respect to the stream before, from those with what attention writes.

        Args:
            gradients: Of rows whose gradient is spread over positions, `[position, n, d_model]`.
            at: The position of each row that has just joined, int64 `[m]`.
            joining: Its gradient there, `[m, d_model]`; zero elsewhere.

        Returns:
            `[position, n + m, d_model]`.
        """
        heads, positions = (len(self.pattern), self.d_head), len(gradients)
        pattern = self.pattern[:, :positions, :positions]
        spread = (gradients @ self.out.T).unflatten(-1, heads)
        mixed = pattern.mT @ spread.permute(2, 0, 1, 3).flatten(2)
        mixed = mixed.unflatten(-1, (gradients.shape[1], self.d_head))
        new = (joining @ self.out.T).unflatten(-1, heads)
        read = torch.einsum("hms,mhk->hsmk", pattern[:, at], new)
        # Query heads that share a key-value head read the same values.
        both = torch.cat([mixed, read], 2)
        both = both.unflatten(0, (self.into.shape[1] // self.d_head, -1)).sum(1)
        pulled: torch.Tensor = both.permute(1, 2, 0, 3).flatten(2) @ self.into.T
        return pulled

    def by_head(
        self, gradient: torch.Tensor, dest: int, src: int, write: torch.Tensor
    ) -> torch.Tensor:
        """What each head alone moves of a write to a reader, `[head]`.

        Args:
            gradient: The reader's, with respect to what attention writes at `dest`, `[d_model]`.
            dest: Its position.
            src: Where the write is.
            write: In the stream before the block, `[d_model]`.
        """
        values = (write @ self.into).unflatten(-1, (-1, self.d_head))
        values = values.repeat_interleave(len(self.pattern) // len(values), dim=0)
        wanted = (self.out @ gradient).unflatten(0, (-1, self.d_head))
        moved: torch.Tensor = self.pattern[:, dest, src] * (values * wanted).sum(-1)
        return moved


@dataclass(frozen=True, eq=False)
class FrozenRun:
    """All of a run that the linear model needs, float32 on the model's device.

    Args:
        streams: Before each block and after the last, `[position, d_model]` each.
        attention: Per layer.
        mlp_norms: The norm before each MLP.
        mlp_written: What each MLP wrote, `[position, d_model]`.
        parallel: Whether MLPs read the stream before their block's attention.
        found: The other activations that were asked for.
        error: Largest distance of what the linear attention writes from what the model's own wrote,
            over the largest that it wrote.
        user_hooks: The user's hooks that acted on the run.
    """

    streams: tuple[torch.Tensor, ...]
    attention: tuple[FrozenAttention, ...]
    mlp_norms: tuple[Norm, ...]
    mlp_written: tuple[torch.Tensor, ...]
    parallel: bool
    found: Mapping[Site, torch.Tensor]
    error: float
    user_hooks: tuple[str, ...]

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.attention)

    @property
    def n_tokens(self) -> int:
        """Number of positions."""
        return len(self.streams[0])

    def read_by_mlp(self, layer: int) -> torch.Tensor:
        """The stream that an MLP's norm reads, `[position, d_model]`."""
        before = self.streams[layer]
        if self.parallel:
            return before
        attention = self.attention[layer]
        return before + attention(before[:, None])[:, 0] + attention.constant

    def logits(self, position: int) -> torch.Tensor:
        """The model's own logits at `position`, `[d_vocab]`."""
        return self.found[Site(LOGITS, 0, position)]


def freeze(
    model: LiveModel, token_ids: Sequence[int], wanted: Sequence[Site] = (), *, work: int = 0
) -> FrozenRun:
    """Run a prompt once and hold its attention patterns and norm scales.

    Args:
        model: The model.
        token_ids: The prompt's ids.
        wanted: Activations to keep beside.
        work: Bytes that what follows needs on the model's device.

    Raises:
        ModelError: Attention is not a norm, projections and a pattern; or there are no MLPs; or the
            stream is not the sum of what they write.
        RequestError: It needs more memory than is free.
    """
    layers, wiring = range(model.n_layers), Wiring(model.bridge, model.layout)
    if not model.layout.mlps:
        raise ModelError(f"{model.name} has no MLPs.", "Use hs.CircuitDiscovery.")
    streams = [Site(f"blocks.{layer}.hook_resid_pre") for layer in layers]
    streams.append(Site(f"blocks.{layers[-1]}.hook_resid_post"))
    written = {kind: [Site(f"blocks.{layer}.hook_{kind}_out") for layer in layers]
               for kind in ("attn", "mlp")}  # fmt: skip
    inner = {name: [Site(f"blocks.{layer}.attn.hook_{name}") for layer in layers]
             for name in ("pattern", "z")}  # fmt: skip
    logits = Site(LOGITS, 0, len(token_ids) - 1)
    asked = [*streams, *written["attn"], *written["mlp"], *inner["pattern"], *inner["z"], logits]
    user_hooks = model.user_hooks()
    found = model.activations(token_ids, dict.fromkeys([*asked, *wanted]), work=work)

    def of(site: Site) -> torch.Tensor:
        return found[site].to(model.device).float()

    dtype = found[streams[0]].dtype
    attention, error = [], 0.0
    with torch.no_grad():
        for layer in layers:
            before, after = of(streams[layer]), of(streams[layer + 1])
            pattern, z = of(inner["pattern"][layer]), of(inner["z"][layer])
            held = _hold(wiring, layer, before, pattern, z)
            own, mlp = of(written["attn"][layer]), of(written["mlp"][layer])
            made = held(before[:, None])[:, 0] + held.constant
            for what, ours, theirs in (
                ("attention", made, own), ("the stream", before + own + mlp, after),
            ):  # fmt: skip
                off = float((ours - theirs).abs().max() / theirs.abs().max())
                if not off <= TOLERANCE[dtype]:
                    raise ModelError(
                        f"In block {layer} of {model.name}, {what} is not the sum of what is "
                        f"written (off by {off:.1g}).",
                        "Use activation patching; or remove your own hooks, if these are why.",
                    )
                error = max(error, off)
            attention.append(held)
    return FrozenRun(
        tuple(map(of, streams)),
        tuple(attention),
        tuple(wiring.mlp_norm(layer) for layer in layers),
        tuple(map(of, written["mlp"])),
        model.layout.parallel,
        found,
        error,
        user_hooks,
    )


def _hold(
    wiring: Wiring, layer: int, before: torch.Tensor, pattern: torch.Tensor, z: torch.Tensor
) -> FrozenAttention:
    behind = wiring.scale_after(layer, z).float()
    out = wiring.written(layer).float()
    into = wiring.pulled(layer, "v").float()
    biases = wiring.read(layer, "v", into.new_zeros(len(into), 1, into.shape[-1]))[0].float()
    biases = biases.repeat_interleave(len(out) // len(biases), dim=0)
    pattern = pattern / behind
    constant = torch.einsum("hds,hk,hkm->dm", pattern, biases, out)
    return FrozenAttention(
        pattern / wiring.norm(layer).scale(before)[:, 0],
        into.flatten(0, 1).T.contiguous(),
        out.flatten(0, 1),
        constant + wiring.attention_bias(layer, behind),
    )
