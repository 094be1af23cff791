"""Axes, scales and array types: the vocabulary in which every result names its numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from headscope.errors import ResultError


@dataclass(frozen=True)
class ArraySpec:
    """What an array field holds.

    Args:
        dtype: The dtype in Python and in saved files.
        wire: The narrower dtype in which it travels to the browser, where that is enough to draw.
        coarse: The dtype to which it may be rounded on a saved page that would be large otherwise.
    """

    dtype: str
    wire: str | None = None
    coarse: Literal["uint8", "float16"] | None = None


Float32 = Annotated[npt.NDArray[np.float32], ArraySpec("float32")]
Values = Annotated[npt.NDArray[np.float32], ArraySpec("float32", coarse="float16")]
Weights = Annotated[npt.NDArray[np.float32], ArraySpec("float32", wire="float16", coarse="uint8")]
Int32 = Annotated[npt.NDArray[np.int32], ArraySpec("int32")]
UInt8 = Annotated[npt.NDArray[np.uint8], ArraySpec("uint8")]

MEAN = "mean"
"""The first label of an axis over experiments: all of them, which are counted from 1 behind it."""

SelectionField = Literal["layer", "head", "dest", "src", "token"]


def check_array(name: str, array: npt.NDArray[Any], dtype: str, shape: tuple[int, ...]) -> None:
    """Refuse an array that is not exactly `dtype` and `shape`.

    Raises:
        ResultError: The dtype or the shape differs.
    """
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise ResultError(
            f"{name} is {array.dtype} {array.shape}, expected {dtype} {shape}.",
        )


@dataclass(frozen=True)
class Axis:
    """One named axis of a result.

    Args:
        name: The field's term: `layer`, `head`, `position`, `component`.
        labels: One label per index. Token labels are the token's own text, unescaped.
        tokens: Whether the labels are token texts (views then show spaces and newlines as glyphs).
        selects: The selection field that choosing an index sets, if any.
        indices: The selection value of each index where it is not the index itself (a read-out row
            selects its layer); None in a place selects nothing.
        components: The component that each index stands for, such as `MLP3`; None in a place: none.
            `{layer}` in a name stands for the layer that the other axis of the heatmap selects.
    """

    name: str
    labels: tuple[str, ...]
    tokens: bool = False
    selects: SelectionField | None = None
    indices: tuple[int | None, ...] | None = None
    components: tuple[str | None, ...] | None = None

    def __post_init__(self) -> None:
        for what, found in (("indices", self.indices), ("components", self.components)):
            if found is not None and len(found) != len(self.labels):
                raise ResultError(
                    f"Axis {self.name!r} has {len(self.labels)} labels and {len(found)} {what}."
                )

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Scale:
    """How values become colour.

    Args:
        kind: `sequential` from `low` to `high`, or `diverging`, whose domain is symmetric around 0.
        low: Lower end of the domain.
        high: Upper end of the domain.
        reverse: Sequential only: the low end is the strong colour (ranks: 0 is best).
        log: Sequential only: positions on the scale are taken of log(1 + value).
    """

    kind: Literal["sequential", "diverging"]
    low: float
    high: float
    reverse: bool = False
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ResultError(f"A scale needs finite low < high, got {self.low} and {self.high}.")
        if self.kind == "diverging" and self.low != -self.high:
            raise ResultError("A diverging scale is centred on 0: low must be -high.")

    @classmethod
    def sequential(
        cls, values: npt.NDArray[Any], *, reverse: bool = False, log: bool = False
    ) -> Scale:
        """A sequential scale from 0 (or the minimum, if below) to the maximum of `values`."""
        low, high = _finite_range(values)
        low = min(low, 0.0)
        return cls("sequential", low, high if high > low else low + 1.0, reverse=reverse, log=log)

    @classmethod
    def diverging(cls, values: npt.NDArray[Any]) -> Scale:
        """A diverging scale as wide as the largest finite magnitude in `values`."""
        low, high = _finite_range(values)
        bound = max(abs(low), abs(high)) or 1.0
        return cls("diverging", -bound, bound)


def _finite_range(values: npt.NDArray[Any]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
