"""What two results differ by, and both on one scale.

`difference(one, other)` is other less one: positive where there is more in `other`. What has no
difference, such as the top tokens of a lens, is left out.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast, overload

from headscope.arguments import checked
from headscope.errors import ResultError
from headscope.results.difference import grids, patterns
from headscope.results.grid import Grid
from headscope.results.patterns import Patterns

R = TypeVar("R", Grid, Patterns)


@overload
def difference(one: Grid, other: Grid) -> Grid: ...
@overload
def difference(one: Patterns, other: Patterns) -> Patterns: ...
@overload
def difference(one: Grid | Patterns, other: Grid | Patterns) -> Grid | Patterns: ...
@checked
def difference(one: Any, other: Any) -> Grid | Patterns:
    """`other` less `one`, cell by cell.

    Both are of the same analysis, layers, heads, axes and measures. Where their prompts differ, the
    positions shown are those of `one`, which meet those of `other` by the longest common
    subsequence (`results.alignment.align`); one that meets none is not a number. The top tokens and
    next tokens of a grid, its alignment and its baselines have no difference and are left out; the
    identity is that of the differences, and it is drawn as a heatmap. Of attention, heads that both
    hold in full are exact; thumbnails of the others are differences of block maxima, each known to
    1/510 of its maximum.

    Args:
        one: What is taken away: the result without an intervention, of the base model, ...
        other: What it is taken from.

    Returns:
        A result of the same kind, on diverging scales centred on 0. `provenance.sources` are those
        of `one` and `other`; its notes say in what they differ.

    Raises:
        ResultError: They are not of the same kind, analysis, layers, heads, axes or measures.

    Example:
        >>> hs.difference(base.result, tuned.result).save("tuned-less-base")
    """
    if isinstance(one, Grid) and isinstance(other, Grid):
        return grids.difference(one, other)
    if isinstance(one, Patterns) and isinstance(other, Patterns):
        return patterns.difference(one, other)
    raise _unlike(one, other)


def on_one_scale(*results: R) -> tuple[R, ...]:
    """Results of the same measures, with the same scale for each measure.

    A sequential scale spans those of all results. A diverging one is as wide as the largest
    magnitude on any of them, so that the difference of two results can stand beside them: the same
    length of the scale is the same amount.

    Args:
        results: Grids or patterns, differences among them.

    Returns:
        The same results in the same order, their numbers unchanged but for the thumbnails of
        attention, which are rounded to 1/255 of the common maximum (1/127 in a difference).

    Raises:
        ResultError: They are not of the same kind or measures.
    """
    rooms: dict[type[Any], Any] = {Grid: grids, Patterns: patterns}
    kinds = {type(result) for result in results}
    if len(kinds) != 1 or not kinds <= rooms.keys():
        raise _unlike(*results)
    return cast("tuple[R, ...]", rooms[kinds.pop()].on_one_scale(results))


def _unlike(*results: object) -> ResultError:
    kinds = " and ".join(type(result).__name__ for result in results)
    return ResultError(
        f"{kinds} cannot be compared.", "Pass two Grids, or two Patterns, of the same analysis."
    )
