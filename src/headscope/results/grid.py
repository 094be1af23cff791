"""`Grid`: values over named axes, drawn as a heatmap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from headscope.errors import ResultError
from headscope.results.axes import MEAN, Axis, Float32, Int32, Scale, UInt8, Values, check_array
from headscope.results.base import NextToken, ResultBase
from headscope.results.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Measure:
    """One quantity over all the grid's cells.

    Args:
        name: Key, such as `probability`.
        title: What a reader sees, such as "Probability".
        unit: `logits`, `nats`, `probability`, `rank`, or "" for a plain ratio.
        definition: One or two sentences: how it is computed, its sign, its normalisation.
        values: float32, one per cell; NaN where a cell is not applicable.
        scale: How values become colour.
    """

    name: str
    title: str
    unit: str
    definition: str
    values: Values
    scale: Scale


@dataclass(frozen=True)
class TopTokens:
    """The best tokens of every cell.

    Args:
        ids: int32 `[*cells, k]`, best first.
        values: float32, same shape: their probability (of neighbours their cosine).
        texts: Token id (as decimal string) to token text, for every id in `ids`.
    """

    ids: Int32
    values: Values
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Term:
    """A labelled number.

    Args:
        label: What it is called.
        value: The number.
    """

    label: str
    value: float


@dataclass(frozen=True)
class Identity:
    """An equation that the result obeys, with the error it was found to have.

    Args:
        terms: What is added up.
        target: What the terms must sum to, computed independently.
        residue: Largest absolute difference over every place where the equation was checked.
        checked: How many places that was.
    """

    terms: tuple[Term, ...]
    target: Term
    residue: float
    checked: int


CellState = Literal["not_applicable", "waiting", "estimated", "exact"]
CELL_STATES: tuple[CellState, ...] = ("not_applicable", "waiting", "estimated", "exact")
"""What a cell's value is, by its number in `Grid.states`."""


@dataclass(frozen=True)
class Alignment:
    """Which token of the other prompt meets each token of the one whose positions are shown.

    Args:
        source: int32 `[position]`: index into the other prompt's tokens; -1 where none meets it.
        shown: Which of the provenance's prompts has the positions of the grid: 0 or 1.
        given: Whether the user gave it (or else it is the longest common subsequence).
    """

    source: Int32
    shown: int
    given: bool


Drawn = Literal["heatmap", "curves", "texts", "bars"]


@dataclass(frozen=True)
class Stretch:
    """Places of the last axis, one after the other, that a rule picks out.

    Args:
        label: What they are called.
        rule: How they are found in the measures, in a sentence.
        first: The first of them, an index; None where the rule finds none.
        last: The last of them.
    """

    label: str
    rule: str
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, repr=False)
class Grid(ResultBase):
    """Values over named axes.

    The last two axes are the rows and columns of the heatmap; any axes before them are choosers.
    Drawn as `curves`, the last axis runs to the right, measures of one unit share a chart, and of
    the rows `mean`, `low` and `high` the last two are the edges of a band. Drawn as `texts`, each
    row is a text, whose tokens are the first of `top`. Drawn as `bars`, each row has a bar for the
    first column and one for the second, before and after; the third column is their change.

    Args:
        title: What the figure shows.
        axes: Two or more named axes.
        measures: One or more quantities over the same cells, the default one first.
        provenance: Where it came from.
        top: The best tokens of each cell, where cells are predictions.
        identity: The equation the values obey, where there is one.
        next_tokens: What the model predicts after the prompt.
        states: uint8, one per cell: index into `CELL_STATES`; None where all cells are exact.
        alignment: How the positions of two prompts meet, where there are two.
        baselines: The metric on the unpatched runs, such as "clean" and "corrupted".
        drawn: How it is shown.
        stretches: What curves are read by.
    """

    title: str
    axes: tuple[Axis, ...]
    measures: tuple[Measure, ...]
    provenance: Provenance
    top: TopTokens | None = None
    identity: Identity | None = None
    next_tokens: tuple[NextToken, ...] = ()
    states: UInt8 | None = None
    alignment: Alignment | None = None
    baselines: tuple[Term, ...] = ()
    drawn: Drawn = "heatmap"
    stretches: tuple[Stretch, ...] = ()
    kind: Literal["grid"] = "grid"

    result_kind: ClassVar[str] = "grid"

    def __post_init__(self) -> None:
        if len(self.axes) < 2 or not self.measures:
            raise ResultError("A grid needs at least two axes and one measure.")
        for measure in self.measures:
            check_array(f"Measure {measure.name!r}", measure.values, "float32", self.shape)
        if self.states is not None:
            check_array("Cell states", self.states, "uint8", self.shape)
        if self.alignment is not None:
            n = len(self.provenance.prompts[self.alignment.shown].tokens)
            check_array("Alignment", self.alignment.source, "int32", (n,))
        if self.top is not None:
            k = self.top.ids.shape[-1]
            check_array("Top token ids", self.top.ids, "int32", (*self.shape, k))
            check_array("Top token values", self.top.values, "float32", (*self.shape, k))

    @property
    def view(self) -> str:
        """The view that draws it."""
        return self.result_kind if self.drawn == "heatmap" else self.drawn

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def values(self) -> Float32:
        """Values of the first measure."""
        return self.measures[0].values

    def __getitem__(self, measure: str) -> Float32:
        """Values of the measure called `measure`.

        Raises:
            ResultError: No measure has that name.
        """
        for candidate in self.measures:
            if candidate.name == measure:
                return candidate.values
        names = ", ".join(repr(m.name) for m in self.measures)
        raise ResultError(f"This grid has no measure {measure!r}.", f"It has {names}.")

    def _outline(self) -> str:
        axes = " x ".join(f"{len(axis)} {axis.name}" for axis in self.axes)
        return f"{axes}: {', '.join(measure.name for measure in self.measures)}"

    def to_dataframe(self) -> pd.DataFrame:
        """One row per cell: an index column and a label column per axis, a column per measure.

        On an axis over experiments the first index is `"mean"`, and the others count from 1.
        """
        import pandas as pd

        columns: dict[str, object] = {}
        for axis, index in zip(self.axes, np.indices(self.shape), strict=True):
            flat = index.ravel()
            averaged = axis.labels[0] == MEAN
            columns[axis.name] = [i or MEAN for i in flat.tolist()] if averaged else flat
            columns[f"{axis.name}_label"] = [axis.labels[i] for i in flat]
        for measure in self.measures:
            columns[measure.name] = measure.values.ravel()
        if self.states is not None:
            columns["state"] = [CELL_STATES[state] for state in self.states.ravel().tolist()]
        if self.top is not None:
            columns["top_token"] = [
                self.top.texts[str(i)] for i in self.top.ids[..., 0].ravel().tolist()
            ]
        return pd.DataFrame(columns)
