"""Which cells a patching map has, and what each of them replaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from headscope.components import INPUTS
from headscope.errors import RequestError
from headscope.model.live import LiveModel
from headscope.model.sites import SITES, PatchSite, hook_name
from headscope.results import Axis

Over = Literal["layer_position", "layer_head", "head_position", "unit_position"]
OVERS: tuple[Over, ...] = ("layer_position", "layer_head", "head_position", "unit_position")

#: Sites of which several layers can be patched at once: what one layer writes, not the stream.
WINDOWED: tuple[PatchSite, ...] = ("attn_out", "mlp_out", "z", "q", "k", "v", "pattern", "mlp_post")


@dataclass(frozen=True)
class Cell:
    """One cell of the map.

    Args:
        index: Row and column.
        layers: The layers patched.
        unit: The head, key-value head or neuron; None for all.
        positions: The positions patched; None for all.
    """

    index: tuple[int, int]
    layers: tuple[int, ...]
    unit: int | None
    positions: tuple[int, ...] | None


@dataclass(frozen=True)
class PatchMap:
    """The cells and axes of a map.

    Args:
        site: What is patched.
        over: What its rows and columns are.
        rows: The row axis.
        columns: The column axis.
        cells: Every cell, row by row.
    """

    site: PatchSite
    over: Over
    rows: Axis
    columns: Axis
    cells: tuple[Cell, ...]


def default_over(site: PatchSite) -> Over:
    """Layer by head for what heads have, by position for the rest."""
    unit = SITES[site].unit
    if unit == "unit":
        return "unit_position"
    return "layer_position" if unit is None else "layer_head"


def n_units(model: LiveModel, site: PatchSite) -> int:
    """Heads, key-value heads or neurons of a layer."""
    config = model.bridge.cfg
    if SITES[site].unit == "kv_head":
        return int(getattr(config, "n_key_value_heads", None) or config.n_heads)
    return int(config.d_mlp) if SITES[site].unit == "unit" else model.n_heads


def patch_map(
    model: LiveModel,
    site: PatchSite,
    over: Over,
    tokens: Sequence[str],
    *,
    head: int | None = None,
    layer: int | None = None,
    units: Sequence[int] = (),
    window: int = 1,
) -> PatchMap:
    """Lay out a map that `check_map` allows.

    Args:
        model: The model.
        site: What is patched.
        over: Rows and columns: `layer_position`, for sites of heads of one `head`; `layer_head`,
            all positions at once; `head_position`, in one `layer`; `unit_position`, the `units`
            (neurons) of one `layer`.
        tokens: Token texts of the run patched into.
        head: See `over`.
        layer: See `over`.
        units: See `over`.
        window: Patch each cell's layer and as many after it as make `window` layers.
    """
    unit_axis = SITES[site].unit
    every_layer = range(model.n_layers)
    positions = Axis("position", tuple(tokens), tokens=True, selects="token")
    shared = unit_axis == "kv_head" and n_units(model, site) != model.n_heads
    title = "key-value head" if shared else "head"

    def name(layer: int | str, unit: int | None) -> str | None:
        """The component that a cell of one layer is."""
        return None if window > 1 else _component(site, layer, unit, shared=shared)

    unit = None if unit_axis is None else head
    layers = Axis(
        "layer",
        tuple(f"L{i}" for i in every_layer),
        selects="layer",
        components=tuple(name(i, unit) for i in every_layer) if over == "layer_position" else None,
    )
    of = "{layer}" if over == "layer_head" else layer or 0
    heads = Axis(
        title,
        tuple(f"{'KV' if shared else 'H'}{i}" for i in range(n_units(model, site))),
        selects=None if shared else "head",
        components=tuple(name(of, i) for i in range(n_units(model, site))),
    )
    every = range(len(tokens))

    def span(first: int) -> tuple[int, ...]:
        return tuple(range(first, min(first + window, model.n_layers)))

    if over == "layer_position":
        cells = [Cell((i, p), span(i), unit, (p,)) for i in every_layer for p in every]
        return PatchMap(site, over, layers, positions, tuple(cells))
    if over == "layer_head":
        cells = [
            Cell((i, h), span(i), h, None) for i in range(model.n_layers) for h in range(len(heads))
        ]
        return PatchMap(site, over, layers, heads, tuple(cells))
    chosen = layer or 0
    if over == "head_position":
        cells = [Cell((h, p), span(chosen), h, (p,)) for h in range(len(heads)) for p in every]
        return PatchMap(site, over, heads, positions, tuple(cells))
    names = tuple(name(chosen, unit) for unit in units)
    neurons = Axis("unit", tuple(f"N{unit}" for unit in units), components=names)
    cells = [Cell((i, p), span(chosen), u, (p,)) for i, u in enumerate(units) for p in every]
    return PatchMap(site, over, neurons, positions, tuple(cells))


def _component(site: PatchSite, layer: int | str, unit: int | None, *, shared: bool) -> str:
    if SITES[site].unit == "unit":
        return f"L{layer}N{unit}"
    if unit is None:
        return f"MLP{layer}" if site == "mlp_out" else f"L{layer}.{site}"
    part = f".{site}" if site in INPUTS else ""
    return f"L{layer}{'KV' if shared else 'H'}{unit}{part}"


def check_map(
    model: LiveModel,
    site: PatchSite,
    over: Over,
    head: int | None,
    layer: int | None,
    window: int,
) -> None:
    """Refuse a map that there is not; arguments as those of `patch_map`.

    Raises:
        RequestError: The model or the site has no such map, or an index is out of range.
    """
    hook_name(model.bridge, site, model.n_layers - 1)
    unit = SITES[site].unit
    allowed: dict[str | None, tuple[Over, ...]] = {
        None: ("layer_position",),
        "unit": ("unit_position",),
    }
    fitting = allowed.get(unit, ("layer_head", "layer_position", "head_position"))
    if over not in fitting:
        raise RequestError(f"{site} has no map over {over}.", f"Choose from {fitting}.")
    if unit not in (None, "unit") and over == "layer_position":
        _index("head", head, n_units(model, site), "over='layer_position'")
    if over in ("head_position", "unit_position"):
        _index("layer", layer, model.n_layers, f"over={over!r}")
    if window < 1 or window > model.n_layers:
        raise RequestError(f"window is {window}.", f"Choose 1 to {model.n_layers} layers.")
    if window > 1 and site not in WINDOWED:
        raise RequestError(
            f"A window of layers has no meaning for {site}: the last layer overwrites the others.",
            "Use window=1, or a site that a layer writes, such as 'mlp_out'.",
        )


def _index(name: str, index: int | None, size: int, what: str) -> None:
    if index is None or not 0 <= index < size:
        raise RequestError(
            f"{what} needs a {name}; it is {index}.", f"Pass {name}=0 to {size - 1}."
        )
