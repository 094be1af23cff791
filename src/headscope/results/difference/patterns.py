"""Differences and common scales of attention patterns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from headscope.results.alignment import UNMATCHED
from headscope.results.axes import Float32
from headscope.results.difference.meeting import (
    check_analysis,
    check_same,
    definition_of,
    record_of,
    title_of,
    tokens_met,
)
from headscope.results.patterns import HeadPattern, HeadScore, Patterns
from headscope.results.thumbnails import coded, extremes

Met = npt.NDArray[np.int32]


def difference(one: Patterns, other: Patterns) -> Patterns:
    """See `results.difference.difference`."""
    check_analysis(one.provenance, other.provenance)
    _check([one, other])
    met = tokens_met(one.tokens, other.tokens)
    heads = _heads(one, other, met)
    overview = _overview(one, other, met)
    side = one.overview.shape[-1]
    for held in heads:
        overview[:, held.layer, held.head] = extremes(_weighted(one, held), side)
    largest = np.fmax.reduce(np.abs(overview), axis=(-1, -2), initial=0.0)
    return Patterns(
        title=title_of(one.title, other.title),
        n_layers=one.n_layers,
        n_heads=one.n_heads,
        causal=one.causal,
        overview=coded(overview, largest, signed=True),
        overview_max=largest,
        value_norm=_less(one.value_norm, other.value_norm, met),
        output_norm=_less(one.output_norm, other.output_norm, met),
        scores=tuple(map(_less_score, one.scores, other.scores)),
        heads=heads,
        provenance=record_of(one.provenance, other.provenance),
        signed=True,
    )


def head_difference(one: Patterns, other: Patterns) -> HeadPattern:
    """The difference of the first head that each holds in full."""
    return _heads(one, other, tokens_met(one.tokens, other.tokens))[0]


def on_one_scale(patterns: Sequence[Patterns]) -> tuple[Patterns, ...]:
    """See `results.difference.on_one_scale`."""
    _check(patterns)
    largest = np.maximum.reduce([one.overview_max for one in patterns])
    highs = [max(same) for same in zip(*(_highs(one) for one in patterns), strict=True)]
    return tuple(
        dataclasses.replace(
            one,
            overview=coded(one.overview_values(), largest, signed=one.signed),
            overview_max=largest,
            scores=tuple(
                dataclasses.replace(score, high=high)
                for score, high in zip(one.scores, highs, strict=True)
            ),
        )
        for one in patterns
    )


def _check(patterns: Sequence[Patterns]) -> None:
    first, *others = patterns
    for other in others:
        check_same("layers", range(first.n_layers), range(other.n_layers))
        check_same("heads", range(first.n_heads), range(other.n_heads))
        check_same("masks", *(["causal" if each.causal else "none"] for each in (first, other)))
        names = ([score.name for score in one.scores] for one in (first, other))
        check_same("scores", *names)


def _highs(patterns: Patterns) -> list[float]:
    return [score.high for score in patterns.scores]


def _less(one: Float32, other: Float32, met: Met) -> Float32:
    """Over the last axis, positions; NaN where none is met."""
    return np.where(met == UNMATCHED, np.float32(np.nan), other[..., met]) - one


def _less_score(one: HeadScore, other: HeadScore) -> HeadScore:
    return HeadScore(
        one.name,
        f"Δ {one.title}",
        definition_of(one.definition, other.definition),
        max(one.high, other.high),
        other.values - one.values,
    )


def less_head(one: Patterns, other: Patterns, mine: HeadPattern, its: HeadPattern) -> HeadPattern:
    """The difference of a head that the two results need not hold.

    Args:
        one: What is taken away.
        other: What it is taken from.
        mine: The head in `one`.
        its: The same head in `other`.
    """
    return _less_head(one, other, mine, its, tokens_met(one.tokens, other.tokens))


def _heads(one: Patterns, other: Patterns, met: Met) -> tuple[HeadPattern, ...]:
    """Of the heads that both hold in full."""
    theirs = {(held.layer, held.head): held for held in other.heads}
    return tuple(
        _less_head(one, other, held, theirs[at], met)
        for held in one.heads
        if (at := (held.layer, held.head)) in theirs
    )


def _less_head(
    one: Patterns, other: Patterns, mine: HeadPattern, its: HeadPattern, met: Met
) -> HeadPattern:
    less = _square(_weighted(other, its), met) - _weighted(one, mine)
    return HeadPattern(mine.layer, mine.head, less[0], less[1:])


def _weighted(patterns: Patterns, held: HeadPattern) -> Float32:
    """One head `[weighting, dest, src]`."""
    if held.weighted is not None:
        return np.concatenate([held.weights[None], held.weighted])
    at = held.layer, held.head
    norms = patterns.value_norm[at], patterns.output_norm[at]
    return np.stack([held.weights, *(held.weights * norm for norm in norms)])


def _square(values: Float32, met: Met) -> Float32:
    """Matrices over the last two axes where positions are met, NaN elsewhere."""
    taken = values[..., met[:, None], met]
    return np.where((met[:, None] == UNMATCHED) | (met == UNMATCHED), np.float32(np.nan), taken)


def _overview(one: Patterns, other: Patterns, met: Met) -> Float32:
    """Differences of block maxima; NaN where the blocks of the two are not of the same tokens."""
    mine, its = one.overview_values(), other.overview_values()
    if len(one.tokens) == len(other.tokens):
        return its - mine
    single = all(len(each.tokens) == each.overview.shape[-1] for each in (one, other))
    return _square(its, met) - mine if single else np.full_like(mine, np.nan)
