"""Small pictures of attention: values as uint8, and blocks of cells as one."""

from __future__ import annotations

import numpy as np

from headscope.results.axes import Float32, UInt8

#: Of signed values: the number that stands for 0, and the one for "not applicable".
_ZERO, _NONE = 127, 255
_MOST = 255


def coded(values: Float32, largest: Float32, *, signed: bool) -> UInt8:
    """Values `[*heads, t, t]` as numbers; `largest` `[*heads]` is what the largest stands for.

    They are shares of 255. Signed ones are shares of 127, from 127 on; 255 stands for NaN.
    """
    top = np.maximum(largest, np.finfo(np.float32).tiny)[..., None, None]
    share = values.astype(np.float64) / top
    numbers = np.rint(share * _ZERO + _ZERO) if signed else np.rint(share * _MOST)
    return np.where(np.isnan(values), _NONE, numbers).astype(np.uint8)


def decoded(numbers: UInt8, largest: Float32, *, signed: bool) -> Float32:
    """The values that `coded` numbers stand for."""
    top = largest.astype(np.float64)[..., None, None]
    if not signed:
        return (numbers / _MOST * top).astype(np.float32)
    values = (numbers.astype(np.float64) - _ZERO) / _ZERO * top
    return np.where(numbers == _NONE, np.nan, values).astype(np.float32)


def extremes(values: Float32, side: int) -> Float32:
    """Matrices `[..., n, n]` as `[..., side, side]`: of each block what is furthest from 0.

    NaN where all of a block is.
    """
    n = values.shape[-1]
    starts = np.arange(0, n, -(-n // side))
    high, low = values, values
    for axis in (-1, -2):
        high = np.fmax.reduceat(high, starts, axis)
        low = np.fmin.reduceat(low, starts, axis)
    return np.where(-low > high, low, high)
