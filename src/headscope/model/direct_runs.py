"""Whole runs and resumed ones through direct blocks, on models on which they were tried.

A model's direct blocks are trusted after one run that its own code has recorded comes out again:
every block by itself, and patches at every site. That is tried once per model, way of running it
and length; the embedding and the first block are tried again with every recording.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch

from headscope.model import recorded as by_hooks
from headscope.model.direct import DirectBlock, Write, direct_blocks
from headscope.model.inventory import Inventory
from headscope.model.recorded import Patch, Place, RecordedRuns, leaving_no_trace
from headscope.model.runs import is_hooked
from headscope.model.sites import PatchSite

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
"""How far a stream may be off, relative to its largest value. In half precision rounding would hide
a different computation, so nothing is trusted there."""
_TRUSTED: WeakKeyDictionary[Any, dict[tuple[Any, ...], tuple[int, bool]]] = WeakKeyDictionary()
"""Per model and way of running it: up to which length, and whether its blocks hand on tuples."""


def way_of_running(bridge: Any) -> tuple[Any, ...]:
    """What decides how a bridge computes, besides its weights and the hooks on it.

    The last is None if a module of it has been given a `forward` of its own.
    """
    config, flags = bridge.cfg, ("attn_result", "split_qkv_input", "attn_in", "hook_mlp_in")
    wrapped = getattr(bridge.original_model, "config", None)  # TransformerLens's own have none
    first = next(iter(bridge.parameters()))
    kind = first.device.type
    casting = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind)
    return (
        bridge.compatibility_mode,
        getattr(wrapped, "_attn_implementation", None),
        *(getattr(config, f"use_{flag}", None) for flag in flags),
        first.dtype,
        first.device,
        casting,
        Inventory.of(bridge).settings(),
    )


def trusted_blocks(
    bridge: Any, length: int, way: tuple[Any, ...] | None = None
) -> list[DirectBlock] | None:
    """Direct blocks for runs of `length`, if they may be used; nobody may have hooked the bridge.

    Args:
        bridge: The model.
        length: Positions of the runs.
        way: `way_of_running(bridge)`, where it is known already.
    """
    known, _ = _TRUSTED.get(bridge, {}).get(way or way_of_running(bridge), (0, False))
    return direct_blocks(bridge, length) if length <= known else None


def trust(bridge: Any, way: tuple[Any, ...], recorded: RecordedRuns) -> None:
    """Note that runs as long as `recorded` came out right."""
    _TRUSTED.setdefault(bridge, {})[way] = recorded.length, recorded.tuples


def agrees(blocks: Sequence[DirectBlock], recorded: RecordedRuns, layers: Iterable[int]) -> bool:
    """Whether blocks take a recorded stream to the next as the model did."""
    bound = TOLERANCE.get(recorded.streams.dtype)
    if bound is None or recorded.edits:
        return False
    with torch.no_grad():
        for layer in layers:
            before, after = recorded.streams[:1, layer], recorded.streams[:1, layer + 1]
            found, _ = blocks[layer].through(before)
            # By position, and of what the block adds: a few large values must not hide the others.
            error, added, size = (x.abs().amax(-1) for x in (found - after, after - before, after))
            if not bool((error <= bound * added + 0.1 * bound * size).all()):
                return False
    return True


def enters(bridge: Any, recorded: RecordedRuns) -> bool:
    """Whether the embedding by itself gives what entered the first block of a plain run."""
    if recorded.noise is not None or recorded.edits:
        return False
    with torch.no_grad():
        found = bridge(recorded.token_ids[:1], stop_at_layer=0)
    return torch.equal(found, recorded.streams[:1, 0])


def record(
    bridge: Any,
    token_ids: Sequence[Sequence[int]],
    places: Iterable[Place] = (),
    *,
    edits: Sequence[Patch] = (),
    embedding_noise: torch.Tensor | None = None,
) -> RecordedRuns:
    """As `recorded.record`, through direct blocks where they may be used."""
    way = way_of_running(bridge)
    blocks = trusted_blocks(bridge, len(token_ids[0]), way)
    if blocks is None or is_hooked(bridge):
        return by_hooks.record(
            bridge, token_ids, places, edits=edits, embedding_noise=embedding_noise
        )
    ids = torch.tensor([list(row) for row in token_ids], device=next(bridge.parameters()).device)
    wanted, kept, caches = set(places), dict[Place, torch.Tensor](), []
    with torch.no_grad():
        x = bridge(ids, stop_at_layer=0)
        if embedding_noise is not None:
            x = x + embedding_noise.to(x)
        streams = []
        for layer, block in enumerate(blocks):
            write = _watching(layer, wanted, edits, kept)
            write("resid_pre", x)
            streams.append(x.clone())
            x, cache = block.through(x, write)
            caches.append(cache)
        streams.append(x)
    _, tuples = _TRUSTED[bridge][way]
    found = RecordedRuns(
        ids, torch.stack(streams, 1), caches, kept, tuple(edits), embedding_noise, tuples
    )
    if edits or embedding_noise is not None or _begins(bridge, found):
        return found
    del _TRUSTED[bridge][way]
    return by_hooks.record(bridge, token_ids, places)


def _begins(bridge: Any, recorded: RecordedRuns) -> bool:
    """Whether the model's own first block gives what was recorded behind it."""
    if recorded.streams.shape[1] < 3:  # there is no second block to stop before
        return True
    with torch.no_grad(), leaving_no_trace(bridge):
        theirs = bridge(recorded.token_ids[:1], stop_at_layer=1)
    ours = recorded.streams[:1, 1]
    bound = TOLERANCE[ours.dtype]
    return bool(((ours - theirs).abs() <= bound * theirs.abs().amax(-1, keepdim=True)).all())


def _watching(
    layer: int, wanted: set[Place], edits: Sequence[Patch], kept: dict[Place, torch.Tensor]
) -> Write:
    """Applies edits to all runs, then keeps what is wanted."""

    def write(site: PatchSite, activation: torch.Tensor) -> None:
        for edit in edits:
            if (edit.site, edit.layer) == (site, layer):
                for run in activation:
                    edit.apply(run)
        if (site, layer) in wanted:
            kept[site, layer] = activation.clone()

    return write
