"""The parts of a result that a page can do without, the most relevant first.

Of attention they are heads in full, of a grid its measures: each is shown by choosing it, and said
to need a live kernel where it did not travel. Everything else is one piece.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headscope.results import CircuitGraph, Grid, HeadPattern, Patterns, Result
from headscope.results.patterns import WEIGHTINGS
from headscope.wire.messages import Choice, Selection

HeadSource = Callable[[int, int], HeadPattern]
"""A head in full, by layer and head."""

Ref = tuple[int, int]


@dataclass(frozen=True)
class Slices:
    """Parts of one result.

    Args:
        names: What each is called, the most relevant first.
        shown: How many of the first ones the view shows now.
        noun: What they are, in the plural.
        total: How many there are with those that nobody can give any more.
        take: One part, by its place in `names`.
        build: The result with some of them.
        choices: Those that the page offers by name, in the order of `names`.
    """

    names: tuple[str, ...]
    shown: int
    noun: str
    total: int
    take: Callable[[int], Any]
    build: Callable[[Sequence[Any]], Result]
    choices: tuple[Choice, ...] = ()


def slices_of(
    result: Result,
    view: Mapping[str, Any],
    selection: Selection,
    head: HeadSource | None = None,
) -> Slices:
    """The parts of `result`.

    Args:
        result: Any result.
        view: The widget's style options: they say what is shown.
        selection: What is pinned.
        head: Where heads come from that an attention result does not hold.
    """
    if isinstance(result, Patterns):
        return _heads(result, view, selection, head)
    if isinstance(result, Grid) and result.drawn == "heatmap":
        return _measures(result, view)
    return _whole(result)


def _whole(result: Grid | CircuitGraph) -> Slices:
    return Slices((), 0, "", 0, lambda _: None, lambda _: result)


def _measures(grid: Grid, view: Mapping[str, Any]) -> Slices:
    chosen = view.get("heatmap_measure")
    # The first is what the others are read beside.
    shown = [m for i, m in enumerate(grid.measures) if i == 0 or m.name == chosen]
    ordered = [*shown, *(m for m in grid.measures if m not in shown)]

    def build(parts: Sequence[Any]) -> Result:
        kept = tuple(m for m in grid.measures if any(m is part for part in parts))
        return dataclasses.replace(grid, measures=kept)

    return Slices(
        names=tuple(m.title for m in ordered),
        shown=len(shown),
        noun="measures",
        total=len(ordered),
        take=ordered.__getitem__,
        build=build,
        choices=tuple({"value": m.name, "title": m.title} for m in ordered),
    )


def _heads(
    result: Patterns, view: Mapping[str, Any], selection: Selection, head: HeadSource | None
) -> Slices:
    held = {(one.layer, one.head): one for one in result.heads}
    shown = _shown(result, view, selection)
    every = [*shown, *(ref for ref in _by_relevance(result, view) if ref not in shown)]
    refs = every if head is not None else [ref for ref in every if ref in held]

    def take(at: int) -> HeadPattern:
        ref = refs[at]
        if ref in held or head is None:
            return held[ref]
        return head(*ref)

    def build(parts: Sequence[Any]) -> Result:
        ordered = sorted(parts, key=lambda one: (one.layer, one.head))
        return dataclasses.replace(result, heads=tuple(ordered))

    return Slices(
        names=tuple(f"L{layer}H{index}" for layer, index in refs),
        shown=sum(ref in shown for ref in refs),
        noun="heads in full",
        total=result.n_layers * result.n_heads,
        take=take,
        build=build,
    )


def _shown(result: Patterns, view: Mapping[str, Any], selection: Selection) -> list[Ref]:
    """The heads that the view enlarges, the selected one first, or those that it mixes."""
    chosen: list[Ref] = [
        (ref[0], ref[1]) for ref in view.get("attention_heads") or [] if _is_head(result, ref)
    ]
    picked = (selection["layer"], selection["head"])
    first = [(one.layer, one.head) for one in result.heads[:1]] or [(0, 0)]
    if _is_head(result, picked):
        primary: Any = picked
    else:
        primary = (chosen or first)[0]
    mix = view.get("attention_mix") if view.get("attention_mode") == "text" else None
    if mix in ("mean_layer", "max_layer"):
        mixed = [(primary[0], head) for head in range(result.n_heads)]
    elif mix in ("mean_all", "max_all"):
        mixed = _by_relevance(result, view)
    else:
        mixed = []
    return list(dict.fromkeys([primary, *chosen, *mixed]))


def _by_relevance(result: Patterns, view: Mapping[str, Any]) -> list[Ref]:
    """As the view sorts the heads; otherwise those first that write most to the residual stream."""
    name = view.get("attention_sort")
    scores = [score.values for score in result.scores if score.name == name]
    values = scores[0] if scores else result.overview_max[WEIGHTINGS.index("output")]
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf).ravel(), kind="stable")
    return [(int(at) // result.n_heads, int(at) % result.n_heads) for at in order]


def _is_head(result: Patterns, ref: Any) -> bool:
    layer, head = ref if isinstance(ref, (list, tuple)) and len(ref) == 2 else (None, None)
    return (
        isinstance(layer, int)
        and isinstance(head, int)
        and 0 <= layer < result.n_layers
        and 0 <= head < result.n_heads
    )
