"""Experiments of prompt pairs, run side by side: a base and a source run each, and their metric.

Whatever starts from these runs, edges or the cells of a map, finds them here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import numpy as np
import torch

from headscope.analyses.contrast import Contrast, Experiment
from headscope.analyses.experiments import not_finite
from headscope.analyses.metrics import TITLES, MetricName
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import RequestError, ResultError
from headscope.jobs.steps import patience
from headscope.model.live import LiveModel
from headscope.model.memory import recorded_bytes, refuse_if_too_large
from headscope.model.patched_runs import PatchedRun
from headscope.model.patching import PatchingEngine
from headscope.model.runs import LOGITS, Site

TOKENS_IN_GROUP = 128
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
                contrast.model.bridge, contrast.base, contrast.read, patience
            )
        return self.engines[index]


class Trials(ABC):
    """The experiments of a request, and their runs.

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

    # What a subclass adds.

    @abstractmethod
    def _experiments(self, pair: Pair) -> Iterable[Experiment]:
        """The experiments of a pair."""

    @abstractmethod
    def _contrast(self, experiments: Sequence[Experiment], continuation: int) -> Contrast:
        """The runs of experiments of equal shape."""

    def _tokens_in_group(self) -> int:
        """Of base and source together: experiments of one group run side by side."""
        return TOKENS_IN_GROUP

    # Public.

    @property
    def n_pairs(self) -> int:
        """How many prompt pairs there are."""
        return len(self._pairs)

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
        parts = _parts(self.experiments, self._tokens_in_group())
        for begun, members in enumerate(parts):
            chosen = [self.experiments[i] for i in members]
            n = len(chosen[0].metric.continuations)
            contrasts = [self._contrast(chosen, index) for index in range(n)]
            for index, contrast in enumerate(contrasts):
                for done in contrast.record():
                    yield 0.9 * (begun + (index + done) / n) / len(parts)
            self._groups.append(Group(tuple(members), contrasts))
        for done in self._judge():
            yield 0.9 + 0.1 * done
        self._check_metrics()
        first = _clean_streams(self._groups[0])[0]
        with torch.no_grad():
            self.next_tokens = self.model.next_tokens(self.read_out.logits(first[None])[0])

    def contrast(self, number: int) -> tuple[Contrast, int]:
        """An experiment's runs under the first continuation of its metric, and which row it is."""
        group = next(g for g in self._groups if number in g.members)
        return group.contrasts[0], group.members.index(number)

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
        end = Site(f"blocks.{self.model.places[-1]}.hook_resid_post", 0, last)
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


def _parts(experiments: Sequence[Experiment], n_tokens: int) -> list[list[int]]:
    """Numbers of experiments that can run side by side, in portions of about `n_tokens`."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for i, e in enumerate(experiments):
        ends = tuple(len(end) for end in e.metric.continuations)
        key = (e.base_length, len(e.source.token_ids), e.position, e.source_position, ends)
        alike.setdefault(key, []).append(i)
    parts = []
    for members in alike.values():
        first = experiments[members[0]]
        size = max(1, n_tokens // (first.base_length + len(first.source.token_ids)))
        parts += [members[k : k + size] for k in range(0, len(members), size)]
    return parts


def _clean_streams(group: Group) -> torch.Tensor:
    """Final streams of the clean runs, `[row, d_model]`."""
    contrast = group.contrasts[0]
    first = contrast.experiments[0]
    clean_is_source = first.clean is first.source or contrast.disturbance is not None
    return (contrast.source_streams if clean_is_source else contrast.plain_streams)[:, 0]
