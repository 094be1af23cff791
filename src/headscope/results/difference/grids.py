"""Differences and common scales of grids."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from headscope.results.alignment import UNMATCHED
from headscope.results.axes import Scale
from headscope.results.difference.meeting import (
    both,
    check_analysis,
    check_same,
    definition_of,
    prompts_of,
    record_of,
    title_of,
    tokens_met,
)
from headscope.results.grid import CELL_STATES, Alignment, Grid, Identity, Measure, Term

_EXACT = CELL_STATES.index("exact")
_NOT_APPLICABLE = np.uint8(CELL_STATES.index("not_applicable"))

T = TypeVar("T", np.float32, np.uint8)


def difference(one: Grid, other: Grid) -> Grid:
    """See `results.difference.difference`."""
    check_analysis(one.provenance, other.provenance)
    _check_measures([one, other])
    met = _met(one, other)
    measures = tuple(
        _less(mine, its, met) for mine, its in zip(one.measures, other.measures, strict=True)
    )
    return Grid(
        title=title_of(one.title, other.title),
        axes=one.axes,
        measures=measures,
        provenance=record_of(one.provenance, other.provenance),
        identity=_identity(one.identity, other.identity),
        states=_states(one, other, met),
        alignment=_alignment(one, other, met),
    )


def on_one_scale(grids: Sequence[Grid]) -> tuple[Grid, ...]:
    """See `results.difference.on_one_scale`."""
    _check_measures(grids)
    each = ([measure.scale for measure in grid.measures] for grid in grids)
    scales = [_common(same) for same in zip(*each, strict=True)]
    return tuple(
        dataclasses.replace(
            grid,
            measures=tuple(
                dataclasses.replace(measure, scale=scale[at])
                for measure, scale in zip(grid.measures, scales, strict=True)
            ),
        )
        for at, grid in enumerate(grids)
    )


def _check_measures(grids: Sequence[Grid]) -> None:
    first, *others = ([(m.name, m.unit) for m in grid.measures] for grid in grids)
    for other in others:
        check_same("measures", first, other)


def _common(scales: Sequence[Scale]) -> list[Scale]:
    """Each of `scales` as wide as all of its kind together; a diverging one as wide as any."""
    plain = [scale for scale in scales if scale.kind == "sequential"]
    low, high = min([s.low for s in plain], default=0.0), max([s.high for s in plain], default=0.0)
    reach = max(max(-scale.low, scale.high) for scale in scales)
    return [
        dataclasses.replace(scale, low=low, high=high)
        if scale.kind == "sequential"
        else dataclasses.replace(scale, low=-reach, high=reach)
        for scale in scales
    ]


def _met(one: Grid, other: Grid) -> list[npt.NDArray[np.int32]]:
    """For each axis and index of `one`, the index of `other`, or -1."""
    check_same("axes", [axis.name for axis in one.axes], [axis.name for axis in other.axes])
    met = []
    for mine, its in zip(one.axes, other.axes, strict=True):
        if mine.tokens:
            met.append(tokens_met(mine.labels, its.labels))
        else:
            check_same(f"{mine.name}s", mine.labels, its.labels)
            met.append(np.arange(len(mine), dtype=np.int32))
    return met


def _taken(
    values: npt.NDArray[T], met: Sequence[npt.NDArray[np.int32]], missing: T
) -> npt.NDArray[T]:
    """`values` where the indices of `met` meet them, `missing` elsewhere."""
    taken = values[np.ix_(*met)]
    for axis, indices in enumerate(met):
        unmatched = [slice(None)] * axis + [indices == UNMATCHED]
        taken[tuple(unmatched)] = missing
    return taken


def _less(one: Measure, other: Measure, met: Sequence[npt.NDArray[np.int32]]) -> Measure:
    with np.errstate(invalid="ignore"):  # an infinity less an infinity is not a number
        values = _taken(other.values, met, np.float32(np.nan)) - one.values
    return Measure(
        one.name,
        f"Δ {one.title}",
        one.unit,
        definition_of(one.definition, other.definition),
        values,
        Scale.diverging(values),
    )


def _states(
    one: Grid, other: Grid, met: Sequence[npt.NDArray[np.int32]]
) -> npt.NDArray[np.uint8] | None:
    """A difference is as well known as the less well known of the two."""
    if one.states is None and other.states is None:
        return None
    mine, its = (
        np.full(grid.shape, _EXACT, np.uint8) if grid.states is None else grid.states
        for grid in (one, other)
    )
    return np.minimum(mine, _taken(its, met, _NOT_APPLICABLE))


def _identity(one: Identity | None, other: Identity | None) -> Identity | None:
    """The differences of the terms sum to that of the targets, where the terms are the same."""
    if one is None or other is None:
        return None
    if [term.label for term in one.terms] != [term.label for term in other.terms]:
        return None
    terms = tuple(map(_less_term, one.terms, other.terms))
    target = _less_term(one.target, other.target)
    residue = abs(sum(term.value for term in terms) - target.value)
    return Identity(terms, target, residue, checked=1)


def _less_term(one: Term, other: Term) -> Term:
    return Term(both(one.label, other.label), other.value - one.value)


def _alignment(one: Grid, other: Grid, met: Sequence[npt.NDArray[np.int32]]) -> Alignment | None:
    """How two prompts meet, if there are two and the grid is over the positions of one."""
    prompts = prompts_of(one.provenance, other.provenance)
    if prompts == one.provenance.prompts:
        return None
    over = [at for axis, at in zip(one.axes, met, strict=True) if axis.labels == prompts[0].tokens]
    return Alignment(over[0], shown=0, given=False) if over else None
