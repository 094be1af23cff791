"""Blocks that are left out, swapped or repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from headscope.errors import RequestError
from headscope.interventions.kinds import Repeat, Skip, Swap
from headscope.model.intervening.building import Building
from headscope.model.live import LiveModel
from headscope.model.sites import SITES, PatchSite, hook_name


def skip(build: Building, item: Skip) -> None:
    """Nothing is written by a layer, or by a part of it."""
    for layer in item.layers:
        _known(build, layer)
        if item.part == "block":
            build.slots = [[x for x in slot if x != layer] for slot in build.slots]
            build.touch(layer)
        else:
            site = "attn_out" if item.part == "attn" else "mlp_out"
            name = hook_name(build.model.bridge, site, layer)  # type: ignore[arg-type]
            build.change(name, layer, lambda out, hook: torch.zeros_like(out))


def swap(build: Building, item: Swap) -> None:
    """Two blocks run in each other's place."""
    first, second = (_known(build, layer) for layer in (item.first, item.second))
    if not same_type(build.model, first, second):
        types = _types(build.model)
        raise RequestError(
            f"Layer {first} attends by {types[first]}, layer {second} by {types[second]}.",
            "Swap layers of the same type.",
        )
    instead = {first: second, second: first}
    build.slots = [[instead.get(x, x) for x in slot] for slot in build.slots]
    build.touch(min(first, second))


def repeat(build: Building, item: Repeat) -> None:
    """A block runs several times."""
    layer = _known(build, item.layer)
    build.slots = [
        [x for x in slot for _ in range(item.times if x == layer else 1)] for slot in build.slots
    ]
    build.touch(layer)


def forwards(
    bridge: Any, slots: Sequence[Sequence[int]], *, tuples: bool
) -> dict[Any, Callable[..., Any]]:
    """What the blocks compute instead, where a slot holds another list than its own block.

    The stream goes through the place of a block that is left out, and is seen there.
    """
    blocks = bridge.blocks
    own = [block.forward for block in blocks]
    left_out = set(range(len(own))).difference(*slots)

    def run(place: int, slot: Sequence[int]) -> Callable[..., Any]:
        through = _stream_points(bridge, place) if place in left_out else []

        def forward(hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            for point in through:
                hidden_states = point(hidden_states.clone())  # a hook may write into it
            out: Any = (hidden_states,) if tuples else hidden_states
            for layer in slot:
                out = own[layer](out[0] if isinstance(out, tuple) else out, *args, **kwargs)
                # Keys and values are kept once for a block: its repetition makes its own.
                kwargs = {name: None if _is_cache(of) else of for name, of in kwargs.items()}
                args = tuple(None if _is_cache(of) else of for of in args)
            return out

        return forward

    return {
        block: run(i, slot)
        for i, (block, slot) in enumerate(zip(blocks, slots, strict=True))
        if list(slot) != [i]
    }


def _stream_points(bridge: Any, layer: int) -> list[Any]:
    """Where the stream is seen in a block, in order."""
    sites: tuple[PatchSite, ...] = ("resid_pre", "resid_mid", "resid_post")
    names = (f"blocks.{layer}.{SITES[site].hook}" for site in sites)
    return [bridge.hook_dict[name] for name in names if name in bridge.hook_dict]


def _is_cache(value: Any) -> bool:
    return hasattr(value, "get_seq_length")


def _known(build: Building, layer: int) -> int:
    if layer >= build.model.n_layers:
        raise RequestError(
            f"There is no layer {layer}.", f"The model has layers 0 to {build.model.n_layers - 1}."
        )
    return layer


def same_type(model: LiveModel, first: int, second: int) -> bool:
    """Whether two layers attend in the same way: a place gives its block a mask of its own kind."""
    types = _types(model)
    return not types or types[first] == types[second]


def _types(model: LiveModel) -> Sequence[str]:
    config = getattr(model.bridge.original_model, "config", None)
    return getattr(config, "layer_types", None) or ()
