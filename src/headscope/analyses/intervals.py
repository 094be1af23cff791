"""How sure a mean is: the percentile bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
"""How often what was measured is drawn again, with replacement."""


def resampled(n: int, seed: int) -> npt.NDArray[np.float64]:
    """Weights of `n` measurements in each resample, `[RESAMPLES, n]`, rows of sum 1."""
    drawn = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
    return np.stack([np.bincount(row, minlength=n) for row in drawn]) / n


def interval(values: npt.NDArray[Any], seed: int) -> npt.NDArray[np.float64]:
    """The 95 % interval of the mean over the first axis, `[2, ...]`: low and high.

    NaN where fewer than two values are known; those that are not are left out.
    """
    flat = values.reshape(len(values), -1)
    found = np.full((2, flat.shape[1]), np.nan)
    for column in range(flat.shape[1]):
        known = flat[~np.isnan(flat[:, column]), column]
        if len(known) > 1:
            means = resampled(len(known), seed) @ known
            found[:, column] = np.percentile(means, (2.5, 97.5))
    return found.reshape(2, *values.shape[1:])
