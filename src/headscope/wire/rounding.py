"""Arrays in fewer bits, each with the largest error that this made."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

_LEVELS = 255  # of uint8, above the lowest
_MIDDLE = 127  # what 0 is among signed values


class Rounding(TypedDict):
    """What a rounded array's numbers stand for: `low + step * number`, off by at most `bound`."""

    low: float
    step: float
    bound: float


def rounded(
    values: npt.NDArray[np.float32], dtype: Literal["uint8", "float16"]
) -> tuple[npt.NDArray[Any], Rounding] | None:
    """`values` as `dtype`, and what its numbers stand for.

    uint8 takes 256 equal steps from the smallest to the largest value; where some are below 0, 255
    around it. 0 stays exactly 0. float16 keeps the numbers, not-a-number among them, with 11 bits
    of precision.

    Returns:
        None where `dtype` cannot hold them: not-a-number in uint8, beyond its range in float16.
    """
    if dtype == "float16":
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(np.isfinite(half), np.isfinite(values)):
            return None
        return half, _stated(values, half, 0.0, 1.0)
    if not np.isfinite(values).all():
        return None
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    step = (high - low) / _LEVELS or 1.0
    if low < 0:
        step = max(-low, high) / _MIDDLE
        low = -step * _MIDDLE
    steps = np.rint((values.astype(np.float64) - low) / step).astype(np.uint8)
    return steps, _stated(values, steps, low, step)


def restored(numbers: npt.NDArray[Any], rounding: Rounding) -> npt.NDArray[np.float32]:
    """The values that `numbers` stand for, as the page reads them too."""
    values = rounding["low"] + rounding["step"] * numbers.astype(np.float64)
    return values.astype(np.float32)


def _stated(
    values: npt.NDArray[np.float32], numbers: npt.NDArray[Any], low: float, step: float
) -> Rounding:
    rounding: Rounding = {"low": low, "step": step, "bound": 0.0}
    with np.errstate(invalid="ignore"):  # infinity stays infinity
        off = np.abs(restored(numbers, rounding).astype(np.float64) - values)
    finite = off[np.isfinite(off)]
    rounding["bound"] = float(finite.max()) if finite.size else 0.0
    return rounding
