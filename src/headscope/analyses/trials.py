"""Experiments run side by side, and what the metric makes of the runs that start from them.

What patching analyses have in common: an experiment is one base and one source run; each of its
cells is a run that starts from the base; what is kept of it is its final residual stream, of which
the metric is read.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.contrast import Contrast, Experiment
from headscope.analyses.experiments import not_finite
from headscope.analyses.metrics import TITLES, MetricName
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import RequestError, ResultError
from headscope.model import patching
from headscope.model.live import LiveModel
from headscope.model.memory import recorded_bytes, refuse_if_too_large
from headscope.model.patching import PatchingEngine, Work
from headscope.model.resumed import PatchedRun, Shortcuts
from headscope.model.runs import LOGITS, Site
from headscope.results import CELL_STATES

NOT_APPLICABLE, WAITING, ESTIMATED, EXACT = range(len(CELL_STATES))
_TOKENS_PER_RECORDING = 128
"""Of base and source together: GPT-2 small takes a few tenths of a second for so many."""
_READ_AT_ONCE = 8
"""Cells whose metric is read in one step, until it is known how long that takes."""
_READ_OUT: WeakSet[Any] = WeakSet()
"""Bridges whose logits were found to be final norm and unembedding of the last stream."""

CellKey = tuple[int, int]
"""An experiment's row in its group, and a cell."""


@dataclass
class Group:
    """Experiments of equal shape that run side by side.

    Args:
        members: Their numbers.
        contrasts: Their runs, one contrast per continuation of the metric.
        runs: Per continuation the run that each cell begins with.
        kept: Per continuation the final streams `[row, cell, read, d_model]`, NaN until computed.
        engines: The engines made so far, by continuation.
    """

    members: tuple[int, ...]
    contrasts: list[Contrast]
    runs: list[dict[CellKey, PatchedRun]] = field(default_factory=list)
    kept: list[torch.Tensor] = field(default_factory=list)
    engines: dict[int, PatchingEngine] = field(default_factory=dict)

    def engine(self, index: int) -> PatchingEngine:
        """The engine of a continuation."""
        if index not in self.engines:
            contrast = self.contrasts[index]
            self.engines[index] = PatchingEngine(
                contrast.model.bridge, contrast.base, contrast.read
            )
        return self.engines[index]


class Trials:
    """The experiments of a request, and what is known of their cells so far.

    Args:
        model: The model.
        pairs: The prompt pairs.
        metric: What runs are judged by.
        normalises: Whether there is a source run to call 1.
    """

    def __init__(
        self, model: LiveModel, pairs: Sequence[Pair], metric: MetricName, *, normalises: bool
    ) -> None:
        model.ready()
        self.model = model
        self.normalises = normalises
        self._pairs = pairs
        self._metric = metric
        self._groups: list[Group] = []
        self._begun_on: Any = None
        self._keys: list[object] = []
        self._at_once = _READ_AT_ONCE

    # What a subclass adds.

    def _experiments(self, pair: Pair) -> Iterable[Experiment]:
        """The experiments of a pair."""
        raise NotImplementedError

    def _contrast(self, experiments: Sequence[Experiment], continuation: int) -> Contrast:
        """The runs of experiments of equal shape."""
        raise NotImplementedError

    def _key(self, contrast: Contrast) -> tuple[object, ...]:
        """What the final streams of a contrast's cells depend on, besides its runs."""
        raise NotImplementedError

    def _seconds(self, group: Group, index: int) -> float:
        """What computing a contrast's cells will take."""
        raise NotImplementedError

    def _compute_contrast(self, group: Group, index: int, contrast: Contrast) -> Iterator[float]:
        """Compute a contrast's cells; yields the share done."""
        raise NotImplementedError

    # Public.

    def prepare(self) -> Iterator[float]:
        """Find each pair's answers and align its prompts; yields the share done."""
        self._begun_on = self.model.state()
        self.user_hooks = self.model.user_hooks()
        self._runs = self.model.open_runs()
        self.read_out = self.model.read_out()
        found = list[Experiment]()
        for done, pair in enumerate(self._pairs, 1):
            found += self._experiments(pair)
            yield done / len(self._pairs)
        self.experiments = tuple(found)
        self._check_read_out()

    def check_unchanged(self) -> None:
        """Refuse to go on with a model that is not the one whose runs were recorded.

        Raises:
            ModelError: It is in training mode now.
            ResultError: Its weights or the hooks on it have changed.
        """
        if self._begun_on is None or self.model.state() == self._begun_on:
            return
        for key in self._keys:
            self._runs.drop(key)
        self.model.ready()
        raise ResultError(
            "The model's weights or hooks have changed since its runs were recorded.",
            "Run it again: widget.run().",
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """What is hooked within is ours, and what is recorded can be differentiated later.

        A caller's inference mode would forbid that.
        """
        with self.model.own_hooks(), torch.inference_mode(False):
            yield

    def on_one_model(self, progress: Iterator[float]) -> Iterator[float]:
        """`progress`, until the model is changed before one of its steps."""
        while True:
            self.check_unchanged()
            with self.running():
                done = next(progress, None)
            if done is None:
                return
            yield done

    def record(self) -> Iterator[float]:
        """Run both prompts of every pair; yields the share done."""
        parts = _parts(self.experiments)
        for begun, members in enumerate(parts):
            chosen = [self.experiments[i] for i in members]
            contrasts = []
            for index in range(len(chosen[0].metric.continuations)):
                contrasts.append(self._contrast(chosen, index))
                yield 0.9 * begun / len(parts)
            self._groups.append(Group(tuple(members), contrasts))
        for done in self._judge():
            yield 0.9 + 0.1 * done
        self._check_metrics()
        first = _clean_streams(self._groups[0])[0]
        with torch.no_grad():
            self.next_tokens = self.model.next_tokens(self.read_out.logits(first[None])[0])

    def compute(self) -> Iterator[float]:
        """Compute every cell exactly; yields the share done."""
        share = 1.0 / max(len(self._groups), 1)
        for number, group in enumerate(self._groups):
            per_contrast = share / len(group.contrasts)
            for index, contrast in enumerate(group.contrasts):
                began = number * share + index * per_contrast
                for done in self._compute_contrast(group, index, contrast):
                    yield began + done * per_contrast

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

    def calibrate(self) -> Iterator[float]:
        """Measure the speed of this machine, once for all groups; yields the share done."""
        every = [(g, index) for g in self._groups for index in range(len(g.contrasts))]
        first = every[0][0].engine(0)
        first.calibrate()
        for done, (group, index) in enumerate(every, 1):
            if (engine := group.engine(index)) is not first:
                engine.work = copy.deepcopy(first.work)
            yield done / len(every)

    def forecast(self) -> str:
        """How many cells there are to compute, how long that will take, and what is kept."""
        every = [(g, index) for g in self._groups for index in range(len(g.contrasts))]
        seconds = sum(self._seconds(group, index) for group, index in every)
        size = sum(group.kept[index].nbytes for group, index in every)
        left = int((np.isin(self.states, (WAITING, ESTIMATED))).sum())
        about = "under 1 s" if seconds < 1 else f"about {seconds:.0f} s"
        return f"{left:,} cells to compute, {about}, {max(size / 1e6, 0.1):,.1f} MB to keep"

    def outlook(self) -> str:
        """How many cells are left, in words."""
        left = int((np.isin(self.states, (WAITING, ESTIMATED))).sum())
        return f"{left:,} of {self.states.size:,} cells left"

    # Recording.

    def _refuse_if_too_large(
        self, chosen: Sequence[Experiment], n_sites: int, *, gradient: bool
    ) -> None:
        length = max(len(chosen[0].base.token_ids), len(chosen[0].source.token_ids))
        need = recorded_bytes(
            self.model.bridge, 2 * len(chosen), length, n_sites, gradient=gradient
        )
        what = f"Patching {self.model.name} on {length} tokens"
        refuse_if_too_large({self.model.device: need}, what)

    def _log_probs(self, stream: torch.Tensor) -> torch.Tensor | None:
        if self._metric != "kl":
            return None
        with torch.no_grad():
            logits: torch.Tensor = self.read_out.logits(stream[None])[0]
        return logits.log_softmax(-1)

    def _judge(self) -> Iterator[float]:
        """Read the metric of the runs that are not patched; yields the share done."""
        n = len(self.experiments)
        self._clean: dict[int, torch.Tensor | None] = {}
        self.base_metric, self.plain_metric, self.source_metric = np.zeros((3, n))
        for group in self._groups:
            clean = _clean_streams(group)
            ends = [
                torch.stack([c.base_streams, c.plain_streams, c.source_streams], 1)
                for c in group.contrasts
            ]
            for row, i in enumerate(group.members):
                self._clean[i] = self._log_probs(clean[row])
                metric = self.experiments[i].metric
                with torch.no_grad():
                    found = metric.of(self.read_out, [end[row] for end in ends], self._clean[i])
                self.base_metric[i], self.plain_metric[i], self.source_metric[i] = found.tolist()
                yield len(self._clean) / n

    def _check_read_out(self) -> None:
        """Metrics are read off the last stream by `read_out`: once per model, see that they are."""
        bridge = self.model.bridge
        if bridge in _READ_OUT and not self.user_hooks:
            return
        ids = self.experiments[0].clean.token_ids
        last = len(ids) - 1
        end = Site(f"blocks.{self.model.n_layers - 1}.hook_resid_post", 0, last)
        logits = Site(LOGITS, 0, last)
        found = self.model.activations(ids, [end, logits])
        if found[logits].isnan().any():
            raise not_finite()
        with torch.no_grad():
            device = self.read_out.unembedding.device
            self.read_out.check(found[end][None].to(device), found[logits][None].to(device))
        if not self.user_hooks:
            _READ_OUT.add(bridge)

    def _check_metrics(self) -> None:
        both = np.concatenate([self.plain_metric, self.source_metric])
        ends = [
            s for g in self._groups for c in g.contrasts for s in (c.base_streams, c.source_streams)
        ]
        if not np.isfinite(both).all() or not all(bool(end.isfinite().all()) for end in ends):
            raise not_finite()
        difference = float(np.mean(self.source_metric - self.plain_metric))
        # Logits and logarithms are exact to rounding at 1, probabilities to any size.
        size = float(np.abs(both).max())
        size = size if self._metric == "prob" else max(1.0, size)
        if self.normalises and abs(difference) <= 1e-6 * size:
            raise RequestError(
                f"Both runs give the same {TITLES[self._metric].lower()} "
                f"({self.plain_metric.mean():.4g}), so there is nothing to normalise by.",
                "Choose another answer, metric or corrupted prompt.",
            )

    # Cells.

    def _begin_cells(self, n: int) -> None:
        """Every experiment has `n` cells, of which nothing is known yet."""
        shape = (len(self.experiments), n)
        self.states = np.full(shape, WAITING, np.uint8)
        self.values = np.full(shape, np.nan)
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


def _parts(experiments: Sequence[Experiment]) -> list[list[int]]:
    """Numbers of experiments that can run side by side, in portions."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for i, e in enumerate(experiments):
        ends = tuple(len(end) for end in e.metric.continuations)
        key = (e.base_length, len(e.source.token_ids), e.position, e.source_position, ends)
        alike.setdefault(key, []).append(i)
    parts = []
    for members in alike.values():
        first = experiments[members[0]]
        size = max(1, _TOKENS_PER_RECORDING // (first.base_length + len(first.source.token_ids)))
        parts += [members[k : k + size] for k in range(0, len(members), size)]
    return parts


def _clean_streams(group: Group) -> torch.Tensor:
    """Final streams of the clean runs, `[row, d_model]`."""
    contrast = group.contrasts[0]
    first = contrast.experiments[0]
    clean_is_source = first.clean is first.source or contrast.disturbance is not None
    return (contrast.source_streams if clean_is_source else contrast.plain_streams)[:, 0]
