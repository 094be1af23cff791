"""Attention patterns: where every head looks, and how much it moves from there.

`pattern[dest, src]` is the softmax the model computed, after its mask; rows sum to 1. Weighted by
`value`, an entry is multiplied by the L2 norm of the source's value vector; weighted by `output`,
by the norm of that vector after the head's W_O: what the entry writes to the residual stream, in
models without a norm of the attention output (Kobayashi et al. 2020, "Attention is not only a
weight"). In grouped-query models several heads share a value vector. All are at least 0.

Cost: one forward pass with the last position unembedded, and two passes over the patterns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Union

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.head_scores import Sources, head_scores, index_of
from headscope.errors import ModelError, RequestError
from headscope.jobs.steps import Step, Steps
from headscope.model.live import LiveModel
from headscope.model.memory import FLOAT32, pattern_bytes
from headscope.model.runs import LOGITS, POOL, Site
from headscope.model.tokens import PromptLike
from headscope.model.watching import Observer
from headscope.results import HeadPattern, Patterns

_OVERVIEW_BYTES = 10**6
_SMALLEST_SIDE, _LARGEST_SIDE = 16, 48
_HELD_BYTES = 2**20
_FLOAT16_BYTES = 2
_COPIES_OF_A_LAYER = 3  # float32, entropy terms, one to spare
_COPIES_OF_A_HEAD = 12  # which sources count, and the masks that say so


@dataclass(frozen=True)
class AttentionRequest:
    """Attention of every head on one prompt.

    Args:
        prompt: A string or token ids.
        head: `(layer, head)` to hold in full where not all can be; by default the one with the
            highest induction score, or L0H0 where nothing repeats.
    """

    prompt: Union[str, tuple[int, ...]]
    head: tuple[int, int] | None = None


def run(model: LiveModel, request: AttentionRequest) -> Steps[Patterns]:
    """Compute `Patterns`.

    Raises:
        ModelError: The model shows no attention.
        PromptError: The prompt cannot be run.
        RequestError: There is no such head, or it needs more memory than is free.
    """
    if not model.capabilities.attention:
        raise ModelError(
            f"{model.name} does not show the attention patterns and values of every layer.",
            "hs.LogitLens works on it.",
        )
    if request.head is not None:
        _check_head(model, *request.head)
    prompt = model.tokenize(request.prompt)
    n_tokens = len(prompt.token_ids)
    yield Step(0.0, "Running the model")
    user_hooks = model.user_hooks()
    gathered = _Gathering(model, prompt.token_ids, request.head)
    logits = model.forward(
        prompt.token_ids,
        gathered.observers(),
        work=(_COPIES_OF_A_LAYER * model.n_heads + _COPIES_OF_A_HEAD) * n_tokens**2 * FLOAT32,
        kept=_cached_bytes(model, n_tokens) + n_tokens**2 * FLOAT32,
    )
    last = Site(LOGITS, 0, n_tokens - 1)
    gathered.runs.put((prompt.token_ids, last), logits[-1].cpu())
    yield Step(0.9, "Summarising")
    causal = model.capabilities.causal
    return Patterns(
        title="Attention patterns",
        n_layers=model.n_layers,
        n_heads=model.n_heads,
        causal=causal,
        overview=gathered.overview,
        overview_max=gathered.overview_max,
        value_norm=gathered.value_norm,
        output_norm=gathered.output_norm,
        scores=head_scores(gathered.shares, gathered.entropy, n_tokens),
        heads=tuple(gathered.heads),
        provenance=model.provenance(
            "attention",
            (prompt,),
            {"head": request.head},
            sign="Attention weights, norms and scores are at least 0.",
            normalisation="Each row (dest) of a pattern sums to 1 over its sources.",
            user_hooks=user_hooks,
        ),
        next_tokens=model.next_tokens(logits[-1]),
    )


def sites(model: LiveModel) -> list[Site]:
    """What `run` asks of a run of the prompt, in order: a layer's values before its patterns."""
    return [
        Site(_hook(layer, name))
        for layer in range(model.n_layers)
        for name in ("hook_v", "hook_pattern")
    ]


def head_weights(
    model: LiveModel, prompt: PromptLike, layer: int, head: int
) -> npt.NDArray[np.float32]:
    """Weights of one head, float32 `[dest, src]`, exact.

    Cost: nothing if the layer is still cached, else a forward pass up to it.
    """
    _check_head(model, layer, head)
    return _numpy(_pattern(model, model.tokenize(prompt).token_ids, layer)[head])


def row(
    model: LiveModel, prompt: PromptLike, layer: int, head: int, dest: int
) -> npt.NDArray[np.float32]:
    """Weights of one destination of a head, float32 `[src]`, exact; costs as `head_weights`."""
    _check_head(model, layer, head)
    ids = model.tokenize(prompt).token_ids
    if not 0 <= dest < len(ids):
        raise RequestError(f"There is no position {dest}.", f"Positions are 0 to {len(ids) - 1}.")
    return _numpy(_pattern(model, ids, layer)[head, dest])


def mix(
    model: LiveModel,
    prompt: PromptLike,
    reduce: Literal["mean", "max"],
    layer: int | None = None,
) -> npt.NDArray[np.float32]:
    """Mean or maximum over the heads of one layer, or of all, float32 `[dest, src]`.

    Cost: one forward pass where the layers are not cached.
    """
    if reduce not in ("mean", "max"):
        raise RequestError(f"Heads cannot be mixed by {reduce!r}.", "Choose 'mean' or 'max'.")
    ids = model.tokenize(prompt).token_ids
    if layer is not None:
        _check_head(model, layer, 0)
        return _numpy(_over_heads(_pattern(model, ids, layer), reduce))
    runs = model.open_runs()
    key = (ids, f"mix:{reduce}")
    mixed = runs.get(key)
    if mixed is None:
        mixed = _mix_layers(model, ids, reduce)
        runs.put(key, mixed)
    return _numpy(mixed)


def _mix_layers(model: LiveModel, ids: Sequence[int], reduce: str) -> torch.Tensor:
    """Reduced layer by layer, so that only one `[dest, src]` is held."""
    mixed: list[torch.Tensor] = []

    def add(pattern: torch.Tensor) -> None:
        one = _over_heads(pattern, reduce).cpu()
        if not mixed:
            mixed.append(one)
        elif reduce == "mean":
            mixed[0] += one
        else:
            torch.maximum(mixed[0], one, out=mixed[0])

    model.forward(
        ids,
        {_hook(layer, "hook_pattern"): add for layer in range(model.n_layers)},
        work=pattern_bytes(model.bridge, len(ids)),
        kept=2 * len(ids) ** 2 * FLOAT32,
    )
    return mixed[0] / model.n_layers if reduce == "mean" else mixed[0]


def _over_heads(pattern: torch.Tensor, reduce: str) -> torch.Tensor:
    pattern = pattern.float()
    return pattern.mean(0) if reduce == "mean" else pattern.amax(0)


def _pattern(model: LiveModel, ids: Sequence[int], layer: int) -> torch.Tensor:
    """`[head, dest, src]` on the CPU, in the model's dtype; lower layers are cached on the way."""
    runs = model.open_runs()
    key = tuple(ids)
    cached = runs.get((key, _site(layer)))
    if cached is not None:
        return cached
    seen: list[torch.Tensor] = []

    def keep(below: int) -> Observer:
        def observer(pattern: torch.Tensor) -> None:
            on_cpu = pattern.cpu()
            runs.put((key, _site(below)), on_cpu)
            if below == layer:
                seen.append(on_cpu)

        return observer

    above = layer + 1
    model.forward(
        ids,
        {_hook(below, "hook_pattern"): keep(below) for below in range(above)},
        stop_at_layer=above if above < model.n_layers else None,
        kept=_cached_bytes(model, len(ids)) + pattern_bytes(model.bridge, len(ids)),
    )
    return seen[0]


def _cached_bytes(model: LiveModel, n_tokens: int) -> int:
    """Most that the patterns of every layer will take in the cache."""
    return min(POOL.budget, model.n_layers * pattern_bytes(model.bridge, n_tokens))


def _check_head(model: LiveModel, layer: int, head: int) -> None:
    if not (0 <= layer < model.n_layers and 0 <= head < model.n_heads):
        raise RequestError(
            f"There is no head L{layer}H{head}.",
            f"Layers are 0 to {model.n_layers - 1}, heads 0 to {model.n_heads - 1}.",
        )


def _hook(layer: int, name: str) -> str:
    return f"blocks.{layer}.attn.{name}"


def _site(layer: int) -> Site:
    return Site(_hook(layer, "hook_pattern"))


def _numpy(tensor: torch.Tensor) -> npt.NDArray[np.float32]:
    """A copy, so that a result never keeps a cached layer alive."""
    return np.array(tensor.float().cpu().numpy(), dtype=np.float32)


@dataclass
class _Gathering:
    """What is kept of each layer while the model runs."""

    model: LiveModel
    token_ids: tuple[int, ...]
    wanted: tuple[int, int] | None
    heads: list[HeadPattern] = field(default_factory=list)

    def __post_init__(self) -> None:
        model, n = self.model, len(self.token_ids)
        per_head = (model.n_layers, model.n_heads)
        self.block = math.ceil(n / _side(n, model.n_layers * model.n_heads))
        side = math.ceil(n / self.block)
        self.overview = np.zeros((3, *per_head, side, side), np.uint8)
        self.overview_max = np.zeros((3, *per_head), np.float32)
        self.value_norm = np.zeros((*per_head, n), np.float32)
        self.output_norm = np.zeros((*per_head, n), np.float32)
        self.entropy = np.zeros(per_head, np.float32)
        self.shares = np.zeros((*per_head, index_of("current_token") + 1), np.float32)
        self.runs = model.open_runs()
        self.hold_all = math.prod(per_head) * n * n * _FLOAT16_BYTES <= _HELD_BYTES
        self.best_induction = -math.inf
        self.sources: Sources | None = None
        self.norms: tuple[torch.Tensor, ...] = ()  # value and output norm of the running layer

    def observers(self) -> dict[str, Observer]:
        """Values come before the pattern in every layer."""
        watched: dict[str, Observer] = {}
        for layer in range(self.model.n_layers):
            watched[_hook(layer, "hook_v")] = self._values(layer)
            watched[_hook(layer, "hook_pattern")] = self._weights(layer)
        return watched

    def _values(self, layer: int) -> Observer:
        def observer(values: torch.Tensor) -> None:
            gram = self.model.output_gram(layer, self.runs)
            by_head = values.float().transpose(0, 1)  # [kv head, src, d_head]
            by_head = by_head.repeat_interleave(len(gram) // len(by_head), dim=0)
            moved = ((by_head @ gram) * by_head).sum(-1).clamp_min(0).sqrt()
            self.norms = by_head.norm(dim=-1), moved
            self.value_norm[layer] = self.norms[0].cpu().numpy()
            self.output_norm[layer] = self.norms[1].cpu().numpy()

        return observer

    def _weights(self, layer: int) -> Observer:
        def observer(pattern: torch.Tensor) -> None:
            self.runs.put((self.token_ids, _site(layer)), pattern.cpu())
            pattern = pattern.float()
            self._score(layer, pattern)
            self._hold(layer, pattern)
            self._shrink(layer, pattern)

        return observer

    def _score(self, layer: int, pattern: torch.Tensor) -> None:
        if self.sources is None:
            self.sources = Sources.of(
                self.token_ids, causal=self.model.capabilities.causal, device=pattern.device
            )
        self.shares[layer] = self.sources.shares(pattern).cpu().numpy()
        self.entropy[layer] = self.sources.entropy(pattern).cpu().numpy()

    def _hold(self, layer: int, pattern: torch.Tensor) -> None:
        if self.hold_all:
            self.heads += [
                HeadPattern(layer, head, _numpy(weights)) for head, weights in enumerate(pattern)
            ]
        elif self.wanted is not None:
            if layer == self.wanted[0]:
                self.heads = [HeadPattern(*self.wanted, _numpy(pattern[self.wanted[1]]))]
        else:
            induction = self.shares[layer, :, index_of("induction")]
            head = 0 if np.isnan(induction).any() else int(induction.argmax())
            if not self.heads or induction[head] > self.best_induction:
                self.best_induction = float(induction[head])
                self.heads = [HeadPattern(layer, head, _numpy(pattern[head]))]

    def _shrink(self, layer: int, pattern: torch.Tensor) -> None:
        """Block maxima. The weightings depend on src only, so dest is reduced once for all."""
        tall = _block_max(pattern, self.block, dim=1)
        for index, norm in enumerate((None, *self.norms)):
            weighted = tall if norm is None else tall * norm[:, None, :]
            small = _block_max(weighted, self.block, dim=2)
            top = small.amax((1, 2))
            unit = small / top.clamp_min(torch.finfo(torch.float32).tiny)[:, None, None]
            self.overview[index, layer] = (unit * 255).round().to(torch.uint8).cpu().numpy()
            self.overview_max[index, layer] = top.cpu().numpy()


def _side(n_tokens: int, n_heads: int) -> int:
    """Side of a thumbnail: every token while that is small, never unrecognisably few."""
    fits = math.isqrt(_OVERVIEW_BYTES // (3 * n_heads))
    return min(n_tokens, max(_SMALLEST_SIDE, min(_LARGEST_SIDE, fits)))


def _block_max(values: torch.Tensor, block: int, *, dim: int) -> torch.Tensor:
    """Maxima over blocks of `block` entries along `dim`; the last block may be short."""
    if block == 1:
        return values
    whole = values.shape[dim] // block * block
    blocks = values.narrow(dim, 0, whole).reshape(
        *values.shape[:dim], -1, block, *values.shape[dim + 1 :]
    )
    rest = values.narrow(dim, whole, values.shape[dim] - whole)
    maxima = [blocks.amax(dim + 1)]
    if rest.numel():
        maxima.append(rest.amax(dim, keepdim=True))
    return torch.cat(maxima, dim)
