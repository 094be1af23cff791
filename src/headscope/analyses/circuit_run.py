"""Circuits that are really run, and how faithful they are.

    f(C) = (m(C) - m(empty)) / (m(full) - m(empty))

m(C) is the metric, mean over pairs, with every edge outside of C ablated; m(full) with all edges
kept, m(empty) with none. 1: the circuit does what the model does. Over circuits of growing size
(MIB: Mueller et al. 2025), x being the share of edges that was asked for, before dangling ones are
dropped:

    CPR   area under f(x), edges ranked by score: higher is better
    CMD   area under |1 - f(x)|, edges ranked by the score's magnitude: lower is better
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.circuit_choice import Kept, Scores, best, pruned
from headscope.analyses.edge_scores import EdgeStudy
from headscope.errors import RequestError
from headscope.jobs.steps import part, patience
from headscope.model.circuit_runs import CircuitRuns
from headscope.model.memory import refuse_if_too_large
from headscope.results import FaithfulnessPoint

FRACTIONS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""The sizes of circuits that MIB evaluates."""

Metrics = npt.NDArray[np.float64]
Edge = tuple[int, ...]
"""Writer and reader as indices, and the position where edges are told apart by it."""

_TOKENS_PER_STEP = 64
_MOST_KNOWN = 256
_TOGETHER = 32
_BYTES_TOGETHER = 64 * 2**20
"""Circuits less an edge that are made at a time."""


@dataclass(frozen=True)
class Curve:
    """Faithfulness of circuits of growing size.

    Args:
        fractions: Shares of all edges that were asked for, ascending.
        points: The circuits.
        full: Metric with all edges.
        empty: Metric with none.
    """

    fractions: tuple[float, ...]
    points: tuple[FaithfulnessPoint, ...]
    full: float
    empty: float

    @property
    def cpr(self) -> float:
        """Area under f by trapezoids, of a curve whose edges are ranked by signed score."""
        return self._area([point.faithfulness for point in self.points])

    @property
    def cmd(self) -> float:
        """Area under `|1 - f|` by trapezoids, of a curve whose edges are ranked by magnitude."""
        return self._area([abs(1 - point.faithfulness) for point in self.points])

    def _area(self, heights: Sequence[float]) -> float:
        between = (np.array(heights[1:]) + heights[:-1]) / 2
        return float(np.diff(self.fractions) @ between)


class CircuitRunner:
    """Runs circuits on the pairs of a study, each once.

    Args:
        study: Its pairs, recorded.

    Raises:
        RequestError: A circuit needs more memory than is free.
    """

    def __init__(self, study: EdgeStudy) -> None:
        self._study = study
        self._batches = [
            (members, contrast,
             CircuitRuns(study.wiring, contrast.base, study.ablated(contrast), contrast.read))
            for members, contrast in study.contrasts()
        ]  # fmt: skip
        self._known: OrderedDict[bytes, Metrics] = OrderedDict()
        self._ends = [self._key(kept) for kept in (self.full, self.empty)]
        most = max(self._batches, key=lambda batch: batch[2].bytes_each)
        n_tokens = most[1].base.token_ids.numel()
        what = f"A circuit of {study.model.name} on {n_tokens} tokens"
        refuse_if_too_large({study.model.device: most[2].bytes_each}, what)

    @property
    def full(self) -> Kept:
        """All edges."""
        return self._study.edges.possible

    @property
    def empty(self) -> Kept:
        """No edge."""
        return np.zeros_like(self.full)

    def metrics(self, circuits: Sequence[Kept]) -> Generator[float, None, Metrics]:
        """The metric of circuits on every pair, `[circuit, pair]`; yields the share done.

        Args:
            circuits: The edges of each that are kept, bool `[writer, reader]` or with positions.
        """
        circuits = [circuit & self.full for circuit in circuits]
        keys = [self._key(circuit) for circuit in circuits]
        known = {key: self._known[key] for key in keys if key in self._known}
        new = {k: one for k, one in zip(keys, circuits, strict=True) if k not in known}
        if new:
            found = yield from self.fresh(np.stack(list(new.values())))
            known |= dict(zip(new, found, strict=True))
        self._known |= known
        self._forget([*keys, *self._ends])
        return np.stack([known[key] for key in keys])

    def _forget(self, used: Sequence[bytes]) -> None:
        """Of what is known, leave what was used last."""
        for key in used:
            if key in self._known:
                self._known.move_to_end(key)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def fresh(self, circuits: Kept) -> Generator[float, None, Metrics]:
        """As `metrics`, of bool `[circuit, writer, ...]`, with nothing looked up or kept."""
        found = np.zeros((len(circuits), len(self._study.experiments)))
        kept = torch.from_numpy(circuits)
        for number, (members, contrast, runs) in enumerate(self._batches):
            first = 0
            for streams in runs.streams(kept, int(_TOKENS_PER_STEP * patience())):
                part = slice(first, first := first + len(streams))
                with torch.no_grad():
                    values = [
                        self._study.metric_part(i, contrast, streams[:, row])
                        for row, i in enumerate(members)
                    ]
                found[part, list(members)] += torch.stack(values, 1).double().cpu().numpy()
                yield (number + first / len(circuits)) / len(self._batches)
        return found

    @property
    def ends(self) -> tuple[float, float]:
        """The metric with all edges and with none, mean over pairs; both must have run."""
        full, empty = (self._known[key].mean() for key in self._ends)
        return float(full), float(empty)

    @staticmethod
    def _key(circuit: Kept) -> bytes:
        return blake2b(np.packbits(circuit).tobytes()).digest()

    def faithfulness(
        self, circuits: Sequence[Kept]
    ) -> Generator[float, None, tuple[FaithfulnessPoint, ...]]:
        """Circuits without their dangling edges, run; yields the share done.

        Raises:
            RequestError: The metric is the same with all edges as with none.
        """
        left = [pruned(self._study.edges, circuit) for circuit in circuits]
        values = yield from self.metrics([self.full, self.empty, *left])
        full, empty, *metrics = values.mean(1).tolist()
        if abs(full - empty) <= 1e-6 * max(1.0, abs(full), abs(empty)):
            raise RequestError(
                f"With all edges ablated the metric stays {full:.4g}, so there is nothing to be "
                "faithful to.",
                "Choose another corrupted prompt, ablation or metric.",
            )
        return tuple(
            FaithfulnessPoint(
                int(circuit.sum()), int(kept.sum()), metric, (metric - empty) / (full - empty)
            )
            for circuit, kept, metric in zip(circuits, left, metrics, strict=True)
        )

    def curve(
        self, scores: Scores, *, signed: bool, fractions: Sequence[float] = FRACTIONS
    ) -> Generator[float, None, Curve]:
        """Circuits of the best edges; yields the share done.

        Args:
            scores: By which edges are ranked.
            signed: By value, as CPR wants it; or else by magnitude, as CMD does.
            fractions: Shares of all edges, ascending.
        """
        edges = self._study.edges
        total = int(edges.possible.sum())
        circuits = best(edges, scores, [int(x * total) for x in fractions], signed=signed)
        points = yield from self.faithfulness(circuits)
        return Curve(tuple(fractions), points, *self.ends)

    def exact(self, chosen: Sequence[Edge]) -> Generator[float, None, Metrics]:
        """What the metric really loses when an edge alone is ablated, `[edge]`.

        Everything else runs on. Mean over pairs; the sign is that of the scores.
        """
        return (yield from self.losses(self.full, chosen))

    def losses(self, circuit: Kept, chosen: Sequence[Edge]) -> Generator[float, None, Metrics]:
        """What a circuit's metric loses without each of some edges, `[edge]`; mean over pairs.

        Raises:
            RequestError: An edge is not in the circuit.
        """
        for edge in chosen:
            if not circuit[edge]:
                raise RequestError(f"There is no edge {edge}.", "Choose one from edges.possible.")
        found = np.zeros(len(chosen))
        together = max(1, min(_TOGETHER, _BYTES_TOGETHER // circuit.nbytes))
        for first in range(0, len(chosen), together):
            some = chosen[first : first + together]
            without = np.repeat(circuit[None], len(some), 0)
            for i, edge in enumerate(some):
                without[(i, *edge)] = False
            running = self.metrics([circuit, *without])
            values = yield from part(running, first / len(chosen), len(some) / len(chosen))
            found[first : first + len(some)] = (values[0] - values[1:]).mean(1)
        return found
