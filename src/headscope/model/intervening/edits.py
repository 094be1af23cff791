"""Activations that are replaced: ablated, patched, scaled, clamped, steered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch

from headscope.errors import RequestError
from headscope.interventions.kinds import Clamp, Mean, Patch, Positions, Scale, Steer, Zero
from headscope.interventions.targets import Target, feature, target
from headscope.model.intervening.building import Building
from headscope.model.intervening.vectors import vectors
from headscope.model.recorded import replaceable
from headscope.model.runs import Site
from headscope.model.sites import PatchSite, hook_name
from headscope.results.alignment import UNMATCHED, align

#: New values `[row, position, (unit,) ...]` from those they replace, and the places in the pass.
Change = Callable[[torch.Tensor, Any], torch.Tensor]


def zero(build: Building, item: Zero) -> None:
    """Zero ablation."""
    _edit(build, _target(build, item.component), item.positions, lambda old, _: old * 0)


def scale(build: Building, item: Scale) -> None:
    """An activation times a factor."""
    _edit(build, _target(build, item.component), item.positions, lambda old, _: old * item.factor)


def mean(build: Building, item: Mean) -> Iterator[float]:
    """The mean of an activation over texts; yields the share done behind each."""
    where = _target(build, item.component)
    rows = []
    for done, prompt in enumerate(item.prompts, 1):
        ids = build.model.tokenize(prompt).token_ids
        first = 1 if len(ids) > 1 and ids[0] == build.model.bos_id else 0
        rows.append(_recorded(build, ids, where)[first:])
        yield done / len(item.prompts)
    value = torch.cat(rows).mean(0)
    _edit(build, where, item.positions, lambda old, _: value.to(old).expand_as(old))


def patch(build: Building, item: Patch) -> Iterator[float]:
    """An activation of another prompt's run, where tokens meet; yields when that has run."""
    where, ids = _target(build, item.component), build.model.tokenize(item.prompt).token_ids
    source = _recorded(build, ids, where)
    yield 1.0
    meets: dict[tuple[int, ...], torch.Tensor] = {}

    def meeting(row: torch.Tensor) -> torch.Tensor:
        key = tuple(row.tolist())
        if key not in meets:
            meets[key] = torch.as_tensor(align(key, ids), dtype=torch.long)
        return meets[key]

    def change(old: torch.Tensor, places: Any) -> torch.Tensor:
        prompt = build.clock.prompt
        if prompt is None:
            raise RequestError(
                "A patch needs the tokens of the run, and embeddings were given.",
                "Run the model on token ids.",
            )
        new = old.clone()
        here = torch.as_tensor(places) + build.clock.offset
        inside = here < build.clock.length
        any_met = bool(build.clock.offset)
        for row in range(len(old)):
            there = torch.full_like(here, UNMATCHED)
            there[inside] = meeting(prompt[min(row, len(prompt) - 1)])[here[inside]]
            met = there != UNMATCHED
            new[row, met] = source[there[met]].to(old)
            any_met = any_met or bool(met.any())
        if not any_met:
            raise RequestError(
                f"{item} does nothing: no token there meets one of that prompt.",
                "Patch other positions, or from a prompt that shares more words.",
            )
        return new

    _edit(build, where, item.positions, change)


def clamp(build: Building, item: Clamp) -> None:
    """A neuron's or a feature's activation."""
    found = feature(item.unit)
    if found is None:
        where = _target(build, item.unit)
        _edit(build, where, item.positions, lambda old, _: torch.full_like(old, item.value))
    else:
        _clamp_feature(build, item, *found)


def steer(build: Building, item: Steer) -> Iterator[float]:
    """A direction added to the residual stream; yields the share done behind each text of it."""
    name = f"L{item.layer}.resid_pre"
    where = _target(build, name)
    found = yield from vectors(build.model, item.direction, (item.layer,))
    added = item.strength * found[0]
    _edit(build, where, item.positions, lambda old, _: old + added.to(old))


def _clamp_feature(build: Building, item: Clamp, layer: int, index: int) -> None:
    transcoders = build.transcoders
    if transcoders is None:
        raise RequestError(
            f"{item.unit} is a feature, and there are no transcoders.",
            "Pass transcoders=hs.load_transcoders(...).",
        )
    transcoders.check(build.model.bridge)
    if layer >= len(transcoders):
        raise RequestError(
            f"There is no {item.unit}.", f"There are layers 0 to {len(transcoders) - 1}."
        )
    of = transcoders[layer]
    chosen = torch.tensor([index])
    of.encoder(chosen)  # refuses one that there is not
    moved: dict[str, torch.Tensor] = {}

    def look(x: torch.Tensor, hook: Any) -> None:
        flat = x.reshape(-1, x.shape[-1])
        moved["by"] = item.value - of.encode(flat)[:, index].reshape(x.shape[:-1])

    def write(row: torch.Tensor) -> Callable[..., torch.Tensor]:
        def add(out: torch.Tensor, hook: Any) -> torch.Tensor:
            if "by" not in moved:
                raise RequestError(
                    f"{item.unit} is not read before it is written: its block is out of its place.",
                    "Leave the order of the layers, or clamp another feature.",
                )
            places = build.clock.local(item.positions, out.shape[1])
            out = out.clone()
            out[:, places] += (moved["by"][:, places, None] * row.to(out.device)).to(out)
            return out

        return add

    build.watch(transcoders.reads(build.model.bridge, layer), layer, look)
    for to_layer in of.targets:
        row = of.decoder(chosen, to_layer)[0]
        build.change(transcoders.writes(to_layer), layer, write(row))


def _target(build: Building, name: str) -> Target:
    return target(name, build.model.layout)


def _hook(build: Building, where: Target) -> str:
    return hook_name(build.model.bridge, cast("PatchSite", where.site), where.layer)


def _recorded(build: Building, ids: tuple[int, ...], where: Target) -> torch.Tensor:
    """The plain model's activation on `ids`, `[position, (unit,) ...]`."""
    site = Site(_hook(build, where))
    found = build.model.activations(ids, [site])[site]
    return found if where.units is None else found[:, list(where.units)]


def _edit(build: Building, where: Target, positions: Positions, change: Change) -> None:
    """Hook `change` onto the target, at positions."""

    def edit(activation: torch.Tensor, hook: Any) -> torch.Tensor:
        n = activation.shape[1]
        local = build.clock.local(positions, n)
        places = list(range(n)) if isinstance(local, slice) else local
        if not places:
            return activation
        out = replaceable(activation, cast("PatchSite", where.site))
        units = slice(None) if where.units is None else list(where.units)
        rows = out[:, places] if where.units is None else out[:, places][:, :, units]
        new = change(rows, places).to(out)
        if where.units is None:
            out[:, places] = new
        else:
            for k, unit in enumerate(where.units):
                out[:, places, unit] = new[:, :, k]
        return out

    build.change(_hook(build, where), where.layer, edit)
