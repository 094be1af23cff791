"""Attention edges that are cut, and patterns that are held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from headscope.components import Component
from headscope.errors import RequestError
from headscope.interventions.kinds import FreezePattern, KnockOut
from headscope.interventions.targets import heads_of
from headscope.model.attention_edits import refuse_dropped_edits
from headscope.model.intervening.building import Building
from headscope.model.runs import Site


def knock_out(build: Building, item: KnockOut) -> None:
    """Scores of the edge are minus infinity; the softmax shares the rest out.

    Masked scores are the lowest finite number or minus infinity, by the model: a row without any
    score above the former attends to nothing.
    """
    layer, heads = _heads(build, item.head)
    cut: dict[str, torch.Tensor] = {}
    causal = build.model.capabilities.causal

    def mask(scores: torch.Tensor, hook: Any) -> torch.Tensor:
        n_queries, n_keys = scores.shape[-2:]
        dest = build.clock.local(None if item.dest is None else [item.dest], n_queries)
        first = build.clock.first_key(n_queries, n_keys)
        src = slice(None) if item.src is None else _source(build, item.src, first, n_keys)
        if causal and build.clock.offset == 0 and _is_ahead(dest, src):
            raise RequestError(
                f"{item} does nothing: no token looks ahead.", "Cut an edge to an earlier token."
            )
        chosen = torch.zeros(scores.shape[1:], dtype=torch.bool, device=scores.device)
        chosen[_grid(heads, dest, src, chosen)] = True
        scores = scores.masked_fill(chosen, -torch.inf)
        lowest = torch.finfo(scores.dtype).min / 2
        cut["whole"] = chosen.any(-1) & (scores <= lowest).all(-1)
        return scores

    def empty(pattern: torch.Tensor, hook: Any) -> torch.Tensor:
        return pattern.masked_fill(cut["whole"][..., None], 0.0)

    build.change(_hook(build, layer, "attn_scores"), layer, mask)
    build.change(_hook(build, layer, "pattern"), layer, empty)


def freeze_pattern(build: Building, item: FreezePattern) -> Iterator[float]:
    """The plain model's pattern on a prompt; yields when that has run."""
    layer, heads = _heads(build, item.head)
    name = _hook(build, layer, "pattern")
    ids = build.model.tokenize(item.prompt).token_ids
    held = build.model.activations(ids, [Site(name)])[Site(name)][heads]
    yield 1.0

    def hold(pattern: torch.Tensor, hook: Any) -> torch.Tensor:
        length = build.clock.length or pattern.shape[-2]
        if length != len(ids):
            raise RequestError(
                f"The pattern of {item.head} is held as on {len(ids)} tokens; the prompt has "
                f"{length}.",
                "Freeze it on a prompt that is as long.",
            )
        n_queries, n_keys = pattern.shape[-2:]
        row, column = build.clock.offset, build.clock.first_key(n_queries, n_keys)
        block = held[:, row : row + n_queries, column:].to(pattern)
        pattern = pattern.clone()
        pattern[:, heads, : block.shape[1], : block.shape[2]] = block
        return pattern

    build.change(name, layer, hold)


def _heads(build: Building, name: str) -> tuple[int, list[int]]:
    refuse_dropped_edits(build.model)
    layer, head = heads_of(name)
    layout = build.model.layout
    layout.resolve(Component("head", layer, head))
    return layer, list(range(layout.n_heads)) if head is None else [head]


def _hook(build: Building, layer: int, name: str) -> str:
    return f"blocks.{layer}.attn.hook_{name}"


def _source(build: Building, src: int, first: int, n_keys: int) -> list[int]:
    """The column of a token, where `first` is the token of the first column."""
    length = build.clock.length or first + n_keys
    place = src + length if src < 0 else src
    if place < 0 or (place >= length and build.clock.offset == 0):
        raise RequestError(
            f"An edge comes from position {src}, and the prompt has {length} tokens.",
            f"Use {-length} to {length - 1}, or None for all.",
        )
    return [place - first] if 0 <= place - first < n_keys else []


def _is_ahead(dest: list[int] | slice, src: list[int] | slice) -> bool:
    """Whether one token is to look at a later one."""
    if isinstance(dest, slice) or isinstance(src, slice):
        return False
    return max(dest, default=0) < min(src, default=0)


def _grid(heads: list[int], dest: Any, src: Any, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Indices of a block of `[head, dest, src]`, that spread out against each other."""
    rows = torch.arange(like.shape[1])[dest]
    columns = torch.arange(like.shape[2])[src]
    return torch.tensor(heads)[:, None, None], rows[None, :, None], columns[None, None, :]
