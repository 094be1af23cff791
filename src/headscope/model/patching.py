"""Many patched runs at once: grouped so that little is computed twice and products are large.

Runs with nearby first positions go up together (`Resumption.streams`); which ones is chosen by
dynamic programming over positions, weighing places computed in vain against products too small to
use the machine. Groups are as large as the target time of a step and the memory allow.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch

from headscope.model.patched_runs import PatchedRun, joined_by
from headscope.model.recorded import Patch, RecordedRuns
from headscope.model.resumed import Resumption, Shortcuts, drain
from headscope.model.sites import SITES

STEP_S = 0.045
"""What one block of one group should take at most."""
_GROUP_BYTES = 256 * 2**20
_FIRST_TOKENS = 192
_SPEEDS: WeakKeyDictionary[Any, Work] = WeakKeyDictionary()
_PADDING = 0.15
"""What a place costs beside a token where a run has not begun: it is in the attention only."""
_MOST_PLACES = 2
"""How many times a group's most tokens it may have, such places counted."""
_FASTER = 1.5
"""How many times the tokens that its first measurement allows a group may come to have."""
_FULL_SPEED = 6
"""How many times a block's fixed cost its tokens should take, so that they are done efficiently."""


@dataclass(frozen=True)
class Progress:
    """What has been computed since the last report.

    Args:
        fraction: Share of all the work that is done.
        runs: Indices of the finished runs.
        streams: Their final stream at the read positions, `[run, read, d_model]`.
    """

    fraction: float
    runs: tuple[int, ...]
    streams: torch.Tensor


@dataclass
class Work:
    """Block-tokens (one token through one block), and a fit of their time.

    Seconds are fitted as fixed * blocks + each * block-tokens: a block costs its reading of weights
    however few tokens it gets.

    Args:
        done: Block-tokens computed.
        needed: The least possible: of each run the blocks from the first patched one, at positions
            from there on.
        seconds: Time in blocks.
    """

    done: float = 0.0
    needed: float = 0.0
    seconds: float = 0.0
    _moments: torch.Tensor = field(default_factory=lambda: torch.zeros(2, 3, dtype=torch.float64))

    def add(self, blocks: int, tokens: float, seconds: float) -> None:
        """Count what was just computed."""
        self.done += tokens
        self.seconds += seconds
        self.learn(blocks, tokens, seconds)

    def learn(self, blocks: int, tokens: float, seconds: float) -> None:
        """Take a measurement into the fit that is no part of the work."""
        row = torch.tensor([float(blocks), tokens, seconds], dtype=torch.float64)
        self._moments += row[:2, None] * row

    @property
    def fixed(self) -> float:
        """Block-tokens that take as long as a block's fixed cost."""
        (bb, bt, bs), (_, tt, ts) = self._moments.tolist()
        determinant = bb * tt - bt * bt
        if determinant <= 1e-6 * bb * tt:
            return 24.0
        fixed, each = (bs * tt - ts * bt) / determinant, (ts * bb - bs * bt) / determinant
        return min(max(fixed / each, 4.0), 128.0) if each > 0 else 128.0

    def predicted(self, blocks: float, tokens: float) -> float:
        """Seconds that so many blocks with so many block-tokens will take; 0 while unknown."""
        (bb, bt, bs), (_, tt, ts) = self._moments.tolist()
        # With the ratio given, the scale is a regression through the origin.
        k = self.fixed
        weight = tt + 2 * k * bt + k * k * bb
        return (ts + k * bs) / weight * (tokens + k * blocks) if weight else 0.0


@dataclass(frozen=True)
class _Segment:
    """Blocks taken at once: up to `stop`, so many, with so many block-tokens."""

    stop: int
    blocks: int
    tokens: float


class PatchingEngine:
    """Computes patched runs that start from `recorded`, exactly.

    Args:
        bridge: The model.
        recorded: Runs of equally long prompts.
        read: Positions, ascending, whose final stream is wanted.
        patience: How many times `STEP_S` a block may take, asked before each group.
    """

    def __init__(
        self,
        bridge: Any,
        recorded: RecordedRuns,
        read: Sequence[int],
        patience: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._patience = patience
        self._bridge = bridge
        self._resumption = Resumption(bridge, recorded, read)
        self._recorded = recorded
        self._n_layers = int(bridge.cfg.n_layers)
        self._d_model = int(bridge.cfg.d_model)
        self._token_bytes = _token_bytes(bridge, self._resumption)
        self._run_bytes = _run_bytes(bridge, recorded)
        self._place_bytes = _place_bytes(bridge, recorded) if self._resumption.direct else 0
        self._foreseen = math.inf
        self.work = Work()

    @property
    def shortcuts(self) -> Shortcuts:
        """What is left out on this model."""
        return self._resumption.shortcuts

    def matters(self, run: PatchedRun) -> bool:
        """Whether the run can differ from its base at the read positions.

        Nothing reads a later position, and behind the last block's attention every position is by
        itself.
        """
        read = set(self._resumption.read)
        return any(patch.positions[0] <= max(read) for patch in run.patches) and any(
            patch.layer < self._n_layers - 1
            or not SITES[patch.site].after_attention
            or not read.isdisjoint(patch.positions)
            for patch in run.patches
        )

    def base(self, run: int) -> torch.Tensor:
        """Final stream of a recorded run at the read positions, `[read, d_model]`."""
        return self._recorded.streams[run, -1, list(self._resumption.read)]

    def calibrate(self) -> None:
        """Measure how fast this model is here, once, on a few tokens: two small steps.

        From then on groups, and so `group_bytes`, have a ceiling, however fast it proves to be.
        """
        if self._bridge not in _SPEEDS:
            self._measure()
            _SPEEDS[self._bridge] = copy.deepcopy(self.work)
        self.work = copy.deepcopy(_SPEEDS[self._bridge])
        self._foreseen = _FASTER * self.most_tokens

    def _measure(self) -> None:
        length, layer = self._recorded.length, max(self._n_layers - 2, 0)
        every = tuple(range(length))
        nothing = Patch("resid_pre", layer, every, self._recorded.streams[0, layer])
        blocks = self._n_layers - layer
        for rows in sorted({1, max(1, _FIRST_TOKENS // length)}):
            began = time.perf_counter()
            drain(self._resumption.streams([PatchedRun(0, (nothing,))] * rows))
            self.work.learn(blocks, blocks * rows * length, time.perf_counter() - began)

    def forecast(self, runs: Sequence[PatchedRun]) -> float:
        """Seconds that `compute` will take; 0 before anything has been measured."""
        return self.work.predicted(0, sum(map(self._needed, runs)))

    def compute(
        self, runs: Sequence[PatchedRun], importance: Sequence[float] | None = None
    ) -> Generator[Progress, None, None]:
        """Compute the runs, the group with the most important one first.

        Args:
            runs: What to compute; those that cannot matter are finished at once.
            importance: One number per run; by default the order of the runs counts.
        """
        order = [-float(i) for i in range(len(runs))] if importance is None else importance
        total = sum(map(self._needed, runs)) or 1.0
        idle = [i for i, run in enumerate(runs) if not self.matters(run)]
        finished = sum(self._needed(runs[i]) for i in idle)
        if idle:
            streams = torch.stack([self.base(runs[i].base) for i in idle])
            yield Progress(finished / total, tuple(idle), streams)
        left = [i for i in range(len(runs)) if i not in set(idle)]
        while left:
            for group in self._plan(runs, left, order):
                planned_for = self.most_tokens
                yield from self._together(runs, group, finished, total)
                finished += sum(self._needed(runs[i]) for i in group)
                left = sorted(set(left) - set(group))
                if not 0.5 < planned_for / self.most_tokens < 2:  # slower or faster than thought
                    break

    def _together(
        self, runs: Sequence[PatchedRun], group: Sequence[int], finished: float, total: float
    ) -> Generator[Progress, None, None]:
        chosen = [runs[i] for i in group]
        needed = sum(map(self._needed, chosen))
        segments = self._segments(chosen)
        tokens_in_all = sum(segment.tokens for segment in segments)
        steps = self._resumption.streams(chosen, [segment.stop for segment in segments])
        nothing = torch.empty(0, len(self._resumption.read), self._d_model)
        computed = 0.0
        for segment in segments[:-1]:
            began = time.perf_counter()
            next(steps)
            self.work.add(segment.blocks, segment.tokens, time.perf_counter() - began)
            computed += segment.tokens
            yield Progress((finished + needed * computed / tokens_in_all) / total, (), nothing)
        began = time.perf_counter()
        streams = drain(steps)
        last = segments[-1]
        self.work.add(last.blocks, last.tokens, time.perf_counter() - began)
        self.work.needed += needed
        yield Progress((finished + needed) / total, tuple(group), streams)

    @property
    def _step_s(self) -> float:
        return STEP_S * self._patience()

    @property
    def most_tokens(self) -> int:
        """Tokens of a group in one block: a step's time or not too few, and within the memory."""
        fixed = self.work.fixed
        each = self.work.predicted(0, 1)
        in_time = self._step_s / each - fixed if each else _FIRST_TOKENS
        return max(1, int(min(max(in_time, _FULL_SPEED * fixed), self._ceiling)))

    def group_bytes(self, n_runs: int) -> int:
        """Most memory that one group of `n_runs` runs takes at a time."""
        length = self._recorded.length
        tokens = min(max(int(self._ceiling), length), n_runs * length)
        padding = min(_MOST_PLACES * tokens, n_runs * length) - tokens
        in_runs = min(n_runs, tokens, self._most_runs) * self._run_bytes
        return tokens * self._token_bytes + in_runs + padding * self._place_bytes

    @property
    def _ceiling(self) -> float:
        """Tokens of a group that are never exceeded, but by a single run."""
        return min(self._foreseen, _GROUP_BYTES / self._token_bytes)

    @property
    def _most_runs(self) -> int:
        """Runs of a group whose keys and values of earlier positions fit the memory."""
        return max(1, _GROUP_BYTES // self._run_bytes)

    def _tokens(self, run: PatchedRun) -> int:
        return self._recorded.length - run.position

    def _blocks(self, run: PatchedRun) -> int:
        return self._n_layers - run.layer

    def _needed(self, run: PatchedRun) -> float:
        return float(self._tokens(run) * self._blocks(run))

    def _segments(self, runs: Sequence[PatchedRun]) -> list[_Segment]:
        """Where the group pauses: after about a step's time."""
        length = self._recorded.length
        if not self.shortcuts.layers:
            return [_Segment(self._n_layers, self._n_layers, self._n_layers * length * len(runs))]
        tokens = [self._tokens(run) if self.shortcuts.prefix else length for run in runs]
        if self._resumption.direct is None:
            tokens = [max(tokens)] * len(runs)
        segments: list[_Segment] = []
        blocks, since = 0, 0.0
        for layer in range(runs[0].layer, self._n_layers):
            more = float(sum(tokens[: joined_by(runs, layer)]))
            if blocks and self.work.predicted(blocks + 1, since + more) > self._step_s:
                segments.append(_Segment(layer, blocks, since))
                blocks, since = 0, 0.0
            blocks, since = blocks + 1, since + more
        return [*segments, _Segment(self._n_layers, blocks, since)]

    def _plan(
        self, runs: Sequence[PatchedRun], left: Sequence[int], importance: Sequence[float]
    ) -> list[list[int]]:
        """Groups, the one with the most important run first; each ordered by first block."""
        by_kind: dict[bool, list[int]] = {}
        for i in left:
            by_kind.setdefault(self._resumption.narrow((runs[i],)), []).append(i)
        groups = [
            sorted(part, key=lambda i: runs[i].layer)
            for indices in by_kind.values()
            for part in self._bins(runs, indices)
        ]
        return sorted(groups, key=lambda group: -max(importance[i] for i in group))

    def _bins(self, runs: Sequence[PatchedRun], indices: Sequence[int]) -> list[list[int]]:
        """Divide runs by first position so that the block-tokens, padding included, are fewest."""
        at: dict[int, list[int]] = {}
        for i in indices:
            at.setdefault(runs[i].position, []).append(i)
        positions = sorted(at)
        blocks = [sum(self._blocks(runs[i]) for i in at[p]) for p in positions]
        most, length, fixed = self.most_tokens, self._recorded.length, self.work.fixed
        best: list[tuple[float, int]] = [(0.0, 0)]  # cost up to here, start of the last bin
        for end in range(1, len(positions) + 1):
            choices = []
            in_bin = count = needed = alone = 0
            for start in range(end - 1, -1, -1):
                tokens, n = length - positions[start], len(at[positions[start]])
                in_bin, needed = in_bin + blocks[start], needed + blocks[start] * tokens
                count, alone = count + n, alone + n * tokens
                parts = math.ceil(self._padded(alone, count * tokens) / most)
                cost = self._padded(needed, in_bin * tokens) + parts * self._n_layers * fixed
                choices.append((best[start][0] + cost, start))
                if parts > 1:
                    break
            best.append(min(choices))
        bins, end = [], len(positions)
        while end:
            start = best[end][1]
            found = (i for p in positions[start:end] for i in at[p])
            bins += self._cut(runs, sorted(found, key=lambda i: runs[i].layer))
            end = start
        return bins

    def _cut(self, runs: Sequence[PatchedRun], indices: Sequence[int]) -> list[list[int]]:
        """Runs in portions that can go up together."""
        tokens = max(self._tokens(runs[i]) for i in indices)
        most_runs = min(self._most_runs, _MOST_PLACES * self.most_tokens // tokens)
        portions, held = list[list[int]](), 0.0
        for i in indices:
            more = self._padded(self._tokens(runs[i]), tokens)
            if not portions or held + more > self.most_tokens or len(portions[-1]) >= most_runs:
                portions.append([])
                held = 0.0
            portions[-1].append(i)
            held += more
        return portions

    def _padded(self, tokens: float, padded: float) -> float:
        """Tokens and what they are padded to, as so many tokens."""
        share = _PADDING if self._resumption.direct else 1.0
        return tokens + share * (padded - tokens)


def _token_bytes(bridge: Any, resumption: Resumption) -> int:
    """A generous guess at the memory that a token takes inside a block, or in a whole run."""
    config, recorded = bridge.cfg, resumption.recorded
    d_model, d_mlp = int(config.d_model), int(config.d_mlp or 4 * config.d_model)
    vectors, neurons, scores = (10, 2, 3) if resumption.direct else (16, 3, 4)
    width = vectors * d_model + neurons * d_mlp
    width += 0 if resumption.shortcuts.layers else int(config.d_vocab)
    heads = int(config.n_heads) * recorded.length
    return (width + scores * heads) * recorded.streams.element_size()


def _run_bytes(bridge: Any, recorded: RecordedRuns) -> int:
    """Keys and values of all positions that a run may hold in a block, for every query head."""
    width = int(bridge.cfg.n_heads) * int(bridge.cfg.d_head)
    return 2 * width * recorded.length * recorded.streams.element_size()


def _place_bytes(bridge: Any, recorded: RecordedRuns) -> int:
    """What attention takes for a place where a run has not begun: queries, keys, values, scores."""
    heads = int(bridge.cfg.n_heads)
    width = 3 * heads * (int(bridge.cfg.d_head) + recorded.length)
    return width * recorded.streams.element_size()
