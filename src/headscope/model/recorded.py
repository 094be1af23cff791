"""Runs that are kept whole, so that others can start from the middle of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from headscope.errors import RequestError
from headscope.model.runs import is_hooked, last_block
from headscope.model.sites import PatchSite, hook_name

_TRACES = ("_last_hf_cache", "_pattern")

Place = tuple[PatchSite, int]
"""A site and its layer."""


@dataclass(frozen=True, eq=False)
class Patch:
    """Part of an activation replaced by something else.

    Args:
        site: Where in the block.
        layer: Which block.
        positions: Token positions (dest positions of a pattern), ascending.
        value: What comes in their place, `[position, ...]` without the axis of `unit` if one is
            given; for patterns `[dest, src]` of a head or `[head, dest, src]`.
        unit: Head, key-value head or neuron; None for all of them.
    """

    site: PatchSite
    layer: int
    positions: tuple[int, ...]
    value: torch.Tensor
    unit: int | None = None

    def of(self, activation: torch.Tensor) -> torch.Tensor:
        """What the patch replaces in one run's whole `activation`, shaped like `value`."""
        where = list(self.positions)
        if self.site == "pattern":
            return (activation if self.unit is None else activation[self.unit])[..., where, :]
        return activation[where] if self.unit is None else activation[where, self.unit]

    def apply(self, activation: torch.Tensor, offset: int = 0) -> None:
        """Write into one run's `activation`, which starts at position `offset`, in place.

        Positions before the offset are left out: a run that starts there has them already.
        """
        first = sum(position < offset for position in self.positions)
        where = [position - offset for position in self.positions[first:]]
        value = self.value.to(activation.dtype)
        if self.site == "pattern":
            head = slice(None) if self.unit is None else self.unit
            activation[head, where] = value[..., first:, :]
        elif self.unit is None:
            activation[where] = value[first:]
        else:
            activation[where, self.unit] = value[first:]


@dataclass
class RecordedRuns:
    """Runs of equally long prompts, with what is needed to start again at any layer and position.

    Args:
        token_ids: int64 `[run, position]`.
        streams: The residual stream before each block and after the last,
            `[run, n_layers + 1, position, d_model]`.
        keys_values: Per layer, keys and values `[run, kv_head, position, d_head]`, or None if the
            model has given no such cache.
        activations: Asked-for activations by place, `[run, ...]`.
        edits: What was patched in all of them, and is in every run that starts from them.
        noise: What was added to the first block's input, `[run, position, d_model]`; likewise.
        tuples: Whether the model's blocks hand on tuples that begin with the stream, rather than
            the stream itself.
    """

    token_ids: torch.Tensor
    streams: torch.Tensor
    keys_values: list[tuple[torch.Tensor, torch.Tensor]] | None
    activations: dict[Place, torch.Tensor]
    edits: tuple[Patch, ...] = ()
    noise: torch.Tensor | None = None
    tuples: bool = False

    def __len__(self) -> int:
        return len(self.token_ids)

    def halves(self) -> tuple[RecordedRuns, RecordedRuns]:
        """The first and the second half of the runs, as views."""
        n = len(self) // 2

        def part(chosen: slice) -> RecordedRuns:
            cache = self.keys_values
            return RecordedRuns(
                self.token_ids[chosen],
                self.streams[chosen],
                None if cache is None else [(k[chosen], v[chosen]) for k, v in cache],
                {place: kept[chosen] for place, kept in self.activations.items()},
                self.edits,
                None if self.noise is None else self.noise[chosen],
                self.tuples,
            )

        return part(slice(None, n)), part(slice(n, None))

    @property
    def length(self) -> int:
        """Number of positions."""
        return int(self.token_ids.shape[1])


def record(
    bridge: Any,
    token_ids: Sequence[Sequence[int]],
    places: Iterable[Place] = (),
    *,
    edits: Sequence[Patch] = (),
    embedding_noise: torch.Tensor | None = None,
) -> RecordedRuns:
    """Run equally long prompts once, side by side, and keep what `RecordedRuns` says.

    Args:
        bridge: The model.
        token_ids: One row of ids per prompt.
        places: Activations to keep beside the streams.
        edits: Patched in every one of the runs.
        embedding_noise: Added to the first block's input, `[run, position, d_model]`.
    """
    device = next(iter(bridge.parameters())).device
    ids = torch.tensor([list(row) for row in token_ids], device=device)
    n_layers = int(bridge.cfg.n_layers)
    streams: dict[int, torch.Tensor] = {}
    kept: dict[Place, torch.Tensor] = {}
    hooks = [*noise_hooks(bridge, embedding_noise), *edit_hooks(bridge, edits)]

    def stream_keeper(at: int) -> Any:
        def keep(activation: torch.Tensor, hook: Any) -> None:
            streams[at] = activation.detach().clone()

        return keep

    def keeper(place: Place) -> Any:
        def keep(activation: torch.Tensor, hook: Any) -> None:
            kept[place] = activation.detach().clone()

        return keep

    places = list(places)
    ends: list[Place] = [("resid_pre", layer) for layer in range(n_layers)]
    ends.append(("resid_post", last_block(bridge)))
    hooks += [(hook_name(bridge, *end), stream_keeper(at)) for at, end in enumerate(ends)]
    hooks += [(hook_name(bridge, site, layer), keeper((site, layer))) for site, layer in places]
    hooks += unread_hooks(bridge)
    with torch.no_grad(), leaving_no_trace(bridge), _watching_first_block(bridge) as outputs:
        _, cache = bridge.run_with_hooks(
            ids, fwd_hooks=hooks, return_type="logits_and_cache", use_cache=True
        )
    if missing := [place for place in places if place not in kept]:
        site, layer = missing[0]
        raise RequestError(
            f"Layer {layer} is left out, so it has no {site}.",
            "Choose a site of the stream, such as resid_pre, or leave the layer in.",
        )
    return RecordedRuns(
        ids,
        torch.stack([streams[at] for at in range(len(ends))], 1),
        _keys_values(cache, ids.shape[1]),
        kept,
        tuple(edits),
        embedding_noise,
        tuples=isinstance(outputs[0], tuple),
    )


@contextmanager
def _watching_first_block(bridge: Any) -> Iterator[list[Any]]:
    """Collects what the first block hands on; no hook sees more of it than the stream."""
    block, found = bridge.blocks[0], list[Any]()
    forward = block.forward

    def watched(*args: Any, **kwargs: Any) -> Any:
        found.append(forward(*args, **kwargs))
        return found[-1]

    with forwards_replaced({block: watched}):
        yield found


@contextmanager
def hooked_first(bridge: Any, hooks: Iterable[tuple[str, Any]]) -> Iterator[None]:
    """Hooks that act before those that are on a bridge: what they put in, interventions change."""
    added = []
    try:
        for name, function in hooks:
            point = bridge.hook_dict[name]
            added.append((point, point.add_hook(function, prepend=True)))
        yield
    finally:
        for point, handle in added:
            handle.hook.remove()
            point.fwd_hooks.remove(handle)


@contextmanager
def forwards_replaced(forwards: Mapping[Any, Any]) -> Iterator[None]:
    """Modules compute something else meanwhile; a `forward` of the instance's own comes back.

    Set in the instances' `__dict__`, since a bridge hands an assigned attribute on to the module
    that it wraps.
    """
    before = {module: module.__dict__.get("forward") for module in forwards}
    try:
        for module, forward in forwards.items():
            module.__dict__["forward"] = forward
        yield
    finally:
        for module, own in before.items():
            module.__dict__.pop("forward", None)
            if own is not None:
                module.__dict__["forward"] = own


def unread_hooks(bridge: Any) -> list[tuple[str, Any]]:
    """Hooks that unembed no position, unless hooks of the user's might be watching the logits."""
    if is_hooked(bridge):
        return []
    return [("unembed.hook_in", lambda stream, hook: stream[:, :0])]


def noise_hooks(bridge: Any, noise: torch.Tensor | None) -> list[tuple[str, Any]]:
    """Hooks that add `noise` to the first block's input, `[run, position, d_model]`."""
    if noise is None:
        return []
    return [(hook_name(bridge, "resid_pre", 0), lambda x, hook: x + noise.to(x))]


def replaceable(activation: torch.Tensor, site: PatchSite) -> torch.Tensor:
    """What a hook may write into and return, so that everything behind the site sees it.

    A block's second norm and its skip connection read one tensor, and a hook's return value reaches
    the norm alone: the stream in the middle of a block is written in place.
    """
    return activation if site == "resid_mid" else activation.clone()


def edit_hooks(bridge: Any, edits: Sequence[Patch], offset: int = 0) -> list[tuple[str, Any]]:
    """Hooks that apply `edits` to every run of a batch which starts at position `offset`."""

    def edit(patches: Sequence[Patch]) -> Any:
        def apply(activation: torch.Tensor, hook: Any) -> torch.Tensor:
            activation = replaceable(activation, patches[0].site)
            for run in range(len(activation)):
                for patch in patches:
                    patch.apply(activation[run], offset)
            return activation

        return apply

    by_hook: dict[str, list[Patch]] = {}
    for patch in edits:
        by_hook.setdefault(hook_name(bridge, patch.site, patch.layer), []).append(patch)
    return [(name, edit(patches)) for name, patches in by_hook.items()]


@contextmanager
def leaving_no_trace(bridge: Any) -> Iterator[None]:
    """Take back what a run leaves on a bridge, which would keep its tensors and its graph alive.

    That is the cache of keys and values for generation, and each layer's last pattern (GPT-2's).
    """
    owners = [bridge, *(getattr(block, "attn", None) for block in bridge.blocks)]
    states = [owner.__dict__ for owner in owners if owner is not None]
    before = [{name: state[name] for name in _TRACES if name in state} for state in states]
    try:
        yield
    finally:
        for state, had in zip(states, before, strict=True):
            for name in _TRACES:
                state.pop(name, None)
            state.update(had)


def _keys_values(cache: Any, length: int) -> list[tuple[torch.Tensor, torch.Tensor]] | None:
    """Keys and values of every position, if the cache has them (a sliding window drops some)."""
    try:
        layers = [(layer[0], layer[1]) for layer in cache]
    except (TypeError, IndexError):
        return None
    good = all(
        isinstance(t, torch.Tensor) and t.ndim == 4 and t.shape[2] == length
        for pair in layers
        for t in pair
    )
    return layers if layers and good else None
