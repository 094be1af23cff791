"""Trials whose cells are a map: which there are to compute, at what cost, and what they were found.

What is kept of a cell is the final residual stream of its run, of which the metric is read.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.contrast import Contrast
from headscope.analyses.experiments import not_finite
from headscope.analyses.metrics import MetricName
from headscope.analyses.prompt_pairs import Pair
from headscope.analyses.trials import CellKey, Group, Trials
from headscope.errors import RequestError
from headscope.model import patching
from headscope.model.live import LiveModel
from headscope.model.patching import Work
from headscope.model.resumed import Shortcuts
from headscope.results import CELL_STATES, Axis

NOT_APPLICABLE, WAITING, ESTIMATED, EXACT = range(len(CELL_STATES))
_READ_AT_ONCE = 8
"""Cells whose metric is read in one step, until it is known how long that takes."""


class CellMap(Protocol):
    """Cells in rows and columns, row by row."""

    @property
    def rows(self) -> Axis:
        """The row axis."""

    @property
    def columns(self) -> Axis:
        """The column axis."""


class MapTrials(Trials):
    """The experiments of a request, the cells of its map, and what is known of them so far.

    Args:
        model: The model.
        pairs: The prompt pairs.
        metric: What runs are judged by.
        normalises: Whether there is a source run to call 1.
        signed: Whether these estimates have a sign.
        pinned: Whether every run has patches that are no cell's.
        seed: Of the bootstrap over a set.
    """

    map: CellMap

    def __init__(
        self,
        model: LiveModel,
        pairs: Sequence[Pair],
        metric: MetricName,
        *,
        normalises: bool,
        signed: bool = True,
        pinned: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(model, pairs, metric, normalises=normalises)
        self.signed = signed
        self.pinned = pinned
        self.seed = seed
        self._at_once = _READ_AT_ONCE
        self._peak = 0

    # What a subclass adds.

    @abstractmethod
    def label(self, number: int, place: int) -> str:
        """What is patched in a cell of an experiment."""

    @abstractmethod
    def lay_out(self) -> Iterator[float]:
        """Find the cells, and which there are to compute; yields the share done."""

    def estimate(self) -> Iterator[float]:
        """Estimate each of the cells, if that is wanted; yields the share done."""
        yield 1.0

    @abstractmethod
    def _key(self, contrast: Contrast) -> tuple[object, ...]:
        """What the final streams of a contrast's cells depend on, besides its runs."""

    @abstractmethod
    def _seconds(self, group: Group, index: int) -> float:
        """What computing a contrast's cells will take."""

    def _estimate_bytes(self) -> int:
        """Most memory that estimating the cells takes, from above."""
        return 0

    @abstractmethod
    def _compute_cells(self, group: Group, index: int, keys: Sequence[CellKey]) -> Iterator[float]:
        """Compute some of a contrast's cells; yields the share done."""

    # Public.

    @property
    def laid_out(self) -> bool:
        """Whether the cells are known."""
        return hasattr(self, "states")

    @property
    def several(self) -> bool:
        """Whether there is more than one experiment."""
        return len(self.experiments) > 1

    def place(self, index: Sequence[int]) -> int:
        """The number of the cell at a row and a column, the last two of `index`.

        Raises:
            RequestError: There is no such cell.
        """
        n_rows, n_columns = len(self.map.rows), len(self.map.columns)
        known = len(index) in (2, 3) and 0 <= index[-2] < n_rows and 0 <= index[-1] < n_columns
        if not known:
            raise RequestError(
                f"There is no cell {tuple(index)}.",
                f"Rows are 0 to {n_rows - 1}, columns 0 to {n_columns - 1}.",
            )
        return index[-2] * n_columns + index[-1]

    def calibrate(self) -> Iterator[float]:
        """Measure the speed of this machine, once per model; yields the share done."""
        every = self._every()
        for done, (group, index) in enumerate(every, 1):
            group.engine(index).calibrate()
            yield done / len(every)

    def forecast(self) -> str:
        """How many cells there are to compute, how long that will take, and in what memory."""
        seconds = sum(self._seconds(group, index) for group, index in self._every())
        self._peak = self.peak_bytes()
        about = "under 1 s" if seconds < 1 else f"about {seconds:.0f} s"
        return f"{self._left:,} cells to compute, {about}, {_megabytes(self._peak)} at most"

    def outlook(self) -> str:
        """How many cells are left, and the memory it takes, in words."""
        memory = f", {_megabytes(self._peak)} at most" if self._peak else ""
        return f"{self._left:,} of {self.states.size:,} cells left{memory}"

    def peak_bytes(self) -> int:
        """Most memory that the computation holds at a time beside the model, from above.

        That is the recorded runs, the final streams kept of each cell, and either one group of
        patched runs or the passes that estimates take, whichever is more.
        """
        held = sum(contrast.nbytes for group in self._groups for contrast in group.contrasts)
        held += sum(kept.nbytes for group in self._groups for kept in group.kept)
        in_a_group = max(
            group.engine(index).group_bytes(group.kept[index].shape[:2].numel())
            for group, index in self._every()
        )
        return held + max(in_a_group, self._estimate_bytes())

    def compute(self) -> Iterator[float]:
        """Compute every cell exactly; yields the share done."""
        share = 1.0 / max(len(self._groups), 1)
        for number, group in enumerate(self._groups):
            per_contrast = share / len(group.contrasts)
            for index in range(len(group.contrasts)):
                began = number * share + index * per_contrast
                for done in self._compute_cells(group, index, self._todo(group, index)):
                    yield began + done * per_contrast

    def final_streams(self, number: int, place: int) -> list[torch.Tensor]:
        """A cell's final streams, per continuation `[read, d_model]`, computed if they are not yet.

        Args:
            number: Which experiment.
            place: Which of its cells, an applicable one.
        """
        group = next(g for g in self._groups if number in g.members)
        key = group.members.index(number), place
        with self.running():
            for index, kept in enumerate(group.kept):
                if torch.isnan(kept[key][0, 0]):
                    for _ in self._compute_cells(group, index, [key]):
                        pass
        return [kept[key] for kept in group.kept]

    def effect(self, change: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
        """A change of the metric as an effect: divided by the set's mean difference, if any."""
        scale = float(np.mean(self.source_metric - self.plain_metric)) if self.normalises else 1.0
        return np.asarray(change) / scale

    @property
    def work(self) -> Work:
        """What was computed, over all groups."""
        total = Work()
        for group in self._groups:
            for engine in group.engines.values():
                total.done += engine.work.done
                total.needed += engine.work.needed
                total.seconds += engine.work.seconds
        return total

    @property
    def shortcuts(self) -> Shortcuts | None:
        """What is left out of the runs on this model; None before any has run."""
        engines = [engine for group in self._groups for engine in group.engines.values()]
        return engines[0].shortcuts if engines else None

    # Cells.

    def _every(self) -> list[tuple[Group, int]]:
        """Every contrast, as its group and its continuation."""
        return [(g, index) for g in self._groups for index in range(len(g.contrasts))]

    @property
    def _left(self) -> int:
        return int(np.isin(self.states, (WAITING, ESTIMATED)).sum())

    def _todo(self, group: Group, index: int) -> list[CellKey]:
        """The cells whose final stream is not kept yet."""
        kept = group.kept[index]
        return [key for key in group.runs[index] if torch.isnan(kept[key][0, 0])]

    def _begin_cells(self, n: int) -> None:
        """Every experiment has `n` cells, of which nothing is known yet."""
        shape = (len(self.experiments), n)
        self.states = np.full(shape, WAITING, np.uint8)
        self.values = np.full(shape, np.nan)
        self.estimates = np.full(shape, np.nan)
        for group in self._groups:
            group.runs = [{} for _ in group.contrasts]
            group.kept = [self._kept(contrast, n) for contrast in group.contrasts]

    def _kept(self, contrast: Contrast, n_cells: int) -> torch.Tensor:
        """Where final streams go: with what earlier requests have computed for the same runs."""
        ids = tuple(map(tuple, contrast.base.token_ids.tolist()))
        others = tuple(map(tuple, contrast.source.token_ids.tolist()))
        each = tuple((e.aligned.tobytes(), e.noise_seed) for e in contrast.experiments)
        key = (type(self).__name__, self._key(contrast), ids, others, each, contrast.read)
        self._keys.append(key)
        kept = self._runs.get(key)
        if kept is None:
            shape = (len(contrast), n_cells, len(contrast.read), self.model.d_model)
            kept = torch.full(shape, torch.nan, dtype=contrast.base.streams.dtype)
            self._runs.put(key, kept)
        return kept

    def _keep(
        self, group: Group, index: int, keys: Sequence[CellKey], streams: torch.Tensor
    ) -> None:
        """Keep the final streams `[key, read, d_model]` of runs that have been computed."""
        if not bool(streams.isfinite().all()):
            raise not_finite()
        kept = group.kept[index]
        for key, stream in zip(keys, streams, strict=True):
            kept[key] = stream.to(kept.device)

    def _read(self, group: Group, keys: Iterable[CellKey]) -> Iterator[None]:
        """Read the metric of the runs of which every continuation is there; yields on the way."""
        known = ~torch.stack([kept[:, :, 0, 0].isnan() for kept in group.kept]).any(0)
        by_row: dict[int, list[int]] = {}
        for row, cell in keys:
            if known[row, cell]:
                by_row.setdefault(row, []).append(cell)
        device = self.read_out.unembedding.device
        for row, waiting in by_row.items():
            i = group.members[row]
            metric = self.experiments[i].metric
            while waiting:
                began = time.perf_counter()
                cells, waiting = waiting[: self._at_once], waiting[self._at_once :]
                streams = [kept[row, cells].to(device) for kept in group.kept]
                with torch.no_grad():
                    values = metric.of(self.read_out, streams, self._clean[i])
                if not bool(values.isfinite().all()):
                    raise not_finite()
                self.values[i, cells] = values.double().cpu().numpy()
                self.states[i, cells] = EXACT
                taken = max(time.perf_counter() - began, 1e-6)
                if taken > patching.STEP_S or len(cells) == self._at_once:
                    faster = min(max(patching.STEP_S / taken, 0.25), 4.0)
                    self._at_once = max(1, int(faster * self._at_once))
                yield


def paced(steps: Iterator[float]) -> Iterator[float]:
    """Of many small steps those after which a step's time is over."""
    began = time.perf_counter()
    for done in steps:
        if time.perf_counter() - began > patching.STEP_S:
            yield done
            began = time.perf_counter()


def _megabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 1):.0f} MB"
