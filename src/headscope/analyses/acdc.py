"""ACDC: edges taken out one after the other, for good where the metric hardly minds.

Conmy et al. 2023, "Towards Automated Circuit Discovery for Mechanistic Interpretability". From the
whole model on, readers from the logits back and the writers of each from the last to the first,
every edge is ablated on top of all that are gone already, and stays out if that worsens the metric
(lowers it; raises it, of a KL divergence) by less than tau. A reader whose component writes to
nothing any more loses its edges unasked, since they change nothing.

Cost: a forward pass per edge, and some in vain: while edges go, ever more of the next ones are
tried together, each on the assumption that those before it go too. The circuit is that of trying
one by one.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from headscope.analyses.circuit_choice import Kept, Scores
from headscope.analyses.circuit_run import CircuitRunner
from headscope.model.edges import EdgeMap

_MOST_TOGETHER = 32


class Acdc:
    """The search, as far as it has come.

    Args:
        runner: Runs circuits.
        edges: The edges there are.
        tau: Edges that worsen the metric by at least this stay.
        lower_is_better: Whether the metric is worse where it is higher.

    Attributes:
        kept: The edges that are left, bool `[writer, reader]`; those not tried yet included.
        losses: What the metric lost by each edge's ablation, float64 `[writer, reader]`; NaN where
            it was not tried yet.
    """

    def __init__(
        self, runner: CircuitRunner, edges: EdgeMap, tau: float, *, lower_is_better: bool
    ) -> None:
        self._runner = runner
        self._edges = edges
        self._tau = tau
        self._worse = -1.0 if lower_is_better else 1.0
        self.kept: Kept = edges.possible.copy()
        self.losses: Scores = np.full(edges.possible.shape, np.nan)

    def search(self) -> Generator[float, None, None]:
        """Try every edge; yields the share done."""
        total, done = int(self._edges.possible.sum()), 0
        (metric,) = yield from self._metrics(self.kept[None], 0.0)
        for reader in reversed(range(len(self._edges.readers))):
            writers = np.flatnonzero(self._edges.possible[:, reader])[::-1]
            if self._leads_nowhere(reader):
                self.kept[writers, reader] = False
                self.losses[writers, reader] = 0.0
                done += len(writers)
                continue
            together = 1
            while len(writers):
                tried = writers[:together]
                without = np.repeat(self.kept[None], len(tried), 0)
                for i, writer in enumerate(tried):
                    without[i:, writer, reader] = False
                values = yield from self._metrics(without, done / total)
                together = min(2 * together, _MOST_TOGETHER)
                for i, value in enumerate(values, 1):
                    edge = int(tried[i - 1]), reader
                    self.losses[edge] = metric - value
                    if self._worse * self.losses[edge] >= self._tau:
                        together = 1
                        break  # what was tried after it was tried without it
                    self.kept[edge], metric = False, value
                writers = writers[i:]
                done += i
                yield done / total

    def _metrics(self, circuits: Kept, share: float) -> Generator[float, None, list[float]]:
        """Of circuits, mean over pairs; yields `share` at every pause."""
        running = self._runner.fresh(circuits)
        while True:
            try:
                next(running)
            except StopIteration as end:
                found: list[float] = end.value.mean(1).tolist()
                return found
            yield share

    def _leads_nowhere(self, reader: int) -> bool:
        feeds = self._edges.feeds[reader]
        return reader < len(self._edges.readers) - 1 and not self.kept[feeds].any()
