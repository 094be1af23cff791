"""The effects on targets and on the most influential units, within a budget.

Where more units are active than the budget allows, effects are taken from the targets down: those
on the targets first, then, again and again, those on the units to which the effects known by then
give the most influence, as circuit-tracer does.

Cost: see `LocalReplacement.effects`. Readers at nearby positions are traced together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.attribution_study import AttributionStudy, without_gradients
from headscope.jobs.steps import Step, Steps
from headscope.model.memory import FLOAT32, refuse_if_too_large
from headscope.model.replacement_parts import Carried, Readers

#: Multiply-adds of one layer of one group: some 50 ms on one core.
_STEP_WORK = 2e9
_LEAST_ROWS, _LEAST_READERS, _LEAST_BATCH = 256, 8, 256
_MOST_CARRIED = 512 * 2**20

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Attributed:
    """Effects of every column on targets and units.

    Args:
        rows: The column of each row's unit; for targets, numbers after the last column, `[row]`.
        matrix: float32 `[row, column]`.
        error: The completeness identity: most that a row's effects and biases miss its activation
            by, over the sum of their magnitudes.
    """

    rows: Numbers
    matrix: Floats
    error: float


class EffectCollector:
    """Takes the effects of one study.

    Args:
        study: Prepared.

    Raises:
        RequestError: It needs more memory than is free.
    """

    def __init__(self, study: AttributionStudy) -> None:
        replacement = study.replacement
        self._study = study
        self._columns = torch.cat([replacement.columns(i) for i in range(study.run.n_layers)])
        sizes = [len(units) for units in replacement.units]
        self._layers = np.repeat(np.arange(len(sizes)), sizes)
        self._firsts = np.cumsum([0, *sizes])
        self._positions = torch.cat([u.position for u in replacement.units]).numpy(force=True)
        self._values = torch.cat([units.activation for units in replacement.units])
        n_targets, n_columns = len(study.targets.ids), replacement.n_columns
        # What the last layer writes reaches a target at its own position only.
        inner = self._layers < study.run.n_layers - 1
        self._waiting = inner | (self._positions == study.run.n_tokens - 1)
        self.n_units = min(study.request.max_nodes, int(self._waiting.sum()))
        n_rows, square = n_targets + self.n_units, self.n_units + n_columns - study.n_units
        self._until, carried = self._halfway()
        #: Bytes at the peak: the effects, those within the graph, their sizes and scores, and what
        #: is carried up.
        self.needed = FLOAT32 * (n_rows * n_columns + 3 * (square + n_targets) ** 2) + carried
        what = f"A graph of {self.n_units:,} {study.request.units}"
        refuse_if_too_large({"cpu": self.needed}, what)
        self._matrix = np.zeros((n_rows, n_columns), np.float32)
        self._rows = np.zeros(n_rows, np.int64)
        self._done, self._error = n_targets, 0.0  # targets have the first rows
        self._below: Carried | None = None
        size = f"{self.needed / 1e9:.2g} GB"
        self._message = f"Tracing {self.n_units:,} {study.request.units}, {size}"

    def _halfway(self) -> tuple[int, int]:
        """The block that all sources below are carried up to, 0 for none, and the bytes it takes.

        Worth it only where all units are in the graph; half of the work is saved then.
        """
        run, replacement = self._study.run, self._study.replacement
        if self.n_units < self._waiting.sum():
            return 0, 0
        for until in range((run.n_layers + 1) // 2, 0, -1):
            columns, units = replacement.starts[until], int(self._firsts[until])
            carried = columns * run.n_tokens * self._study.model.d_model // 2 * FLOAT32
            if carried < _MOST_CARRIED and units:
                return until, carried + units * replacement.n_columns * FLOAT32
        return 0, 0

    def collect(self) -> Steps[Attributed]:
        """Take them all; the fraction said is that of this alone."""
        study, n_columns = self._study, self._study.replacement.n_columns
        waiting = self._waiting.copy()
        if self._until:
            yield from self._carry()
            waiting[: self._firsts[self._until]] = False
        numbers = n_columns + np.arange(len(study.targets.ids))
        found = yield from self._trace(study.targets.readers)
        self._put(0, *found, study.targets.values, numbers)
        while room := len(self._rows) - self._done:
            batch = np.flatnonzero(waiting)
            if room < len(batch):
                size = min(room, max(_LEAST_BATCH, study.request.max_nodes // 8))
                influence = self._influence()[self._columns.numpy(force=True)]
                batch = np.argsort(-np.where(waiting, influence, -1.0), kind="stable")[:size]
            waiting[batch] = False
            for group in self._groups(batch):
                found = yield from self._trace(self._readers(group))
                self._put_units(torch.from_numpy(group), *found)
        return Attributed(self._rows, self._matrix, self._error)

    def _carry(self) -> Steps[None]:
        units = torch.arange(int(self._firsts[self._until]))
        replacement = self._study.replacement
        step = Step(0.0, self._message)
        carrying = without_gradients(replacement.carry(self._until), step)
        self._below, effects, constant = yield from carrying
        self._put_units(units, effects, constant)

    def _trace(self, readers: Readers) -> Steps[tuple[torch.Tensor, torch.Tensor]]:
        first = len(self._study.targets.ids)
        step = Step((self._done - first) / len(self._rows), self._message)
        yield step
        tracing = self._study.replacement.effects(readers, self._below)
        return (yield from without_gradients(tracing, step))

    def _put_units(
        self, units: torch.Tensor, effects: torch.Tensor, constant: torch.Tensor
    ) -> None:
        columns = self._columns[units].numpy(force=True)
        self._put(self._done, effects, constant, self._values[units], columns)
        self._done += len(columns)

    def _put(
        self,
        row: int,
        effects: torch.Tensor,
        constant: torch.Tensor,
        values: torch.Tensor,
        columns: Numbers,
    ) -> None:
        size = effects.abs().sum(1) + constant.abs()
        off = (effects.sum(1) + constant - values).abs() / size.clamp(min=1e-30)
        self._error = max(self._error, float(off.max()))
        here = slice(row, row + len(columns))
        self._matrix[here], self._rows[here] = effects.cpu().numpy(), columns

    def _groups(self, batch: Numbers) -> Iterator[Numbers]:
        """Units at nearby positions, no more of them than a step has time for."""
        width = self._study.model.d_model
        rows = _STEP_WORK / (2 * width**2)
        batch = batch[np.argsort(-self._positions[batch], kind="stable")]
        reach = self._positions[batch] + 1
        while len(batch):
            near = int((reach >= 0.75 * reach[0]).sum())
            n = max(near, int(_LEAST_ROWS // reach[0]))
            n = min(n, max(_LEAST_READERS, int(rows // reach[0])))
            group = batch[:n]
            yield group[np.argsort(-self._layers[group], kind="stable")]
            batch, reach = batch[n:], reach[n:]

    def _readers(self, group: Numbers) -> Readers:
        parts = []
        for layer in np.unique(self._layers[group])[::-1]:
            chosen = group[self._layers[group] == layer] - self._firsts[layer]
            parts.append(self._study.replacement.readers(int(layer), torch.from_numpy(chosen)))
        return Readers(
            *(
                torch.cat([getattr(part, name) for part in parts])
                for name in ("point", "position", "gradient", "offset")
            )
        )

    def _influence(self) -> Floats:
        """Influence of every column by what is known, `[column]`; shares are of all sources."""
        starts, n_targets = self._study.replacement.starts, len(self._study.targets.ids)
        matrix, rows = self._matrix[: self._done], self._rows[: self._done]
        found = np.abs(matrix[:n_targets])
        total: Floats = (self._study.targets.weights / np.maximum(found.sum(1), 1e-10)) @ found
        for first, last in zip(starts[-2::-1], starts[:0:-1], strict=True):
            level = np.flatnonzero((rows >= first) & (rows < last))
            sizes = np.abs(matrix[level, :first])
            total[:first] += (total[rows[level]] / np.maximum(sizes.sum(1), 1e-10)) @ sizes
        return total
