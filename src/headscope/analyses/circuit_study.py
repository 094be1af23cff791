"""A circuit in the making: edges scored, a circuit chosen and really run, and what is asked after.

    loss(edge | circuit) = m(circuit) - m(circuit without the edge)

says how minimal a circuit is (Wang et al. 2023, "Interpretability in the Wild"): edges that lose
nothing need not be in it. Completeness runs everything but the circuit: where that still does what
the model does, something is missing from the circuit.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from headscope.analyses.acdc import Acdc
from headscope.analyses.circuit_choice import Kept, Scores, greedy, pruned, threshold, top_n
from headscope.analyses.circuit_run import CircuitRunner, Edge
from headscope.analyses.edge_scores import EdgeScoresRequest, EdgeStudy
from headscope.errors import RequestError
from headscope.model.live import LiveModel
from headscope.results import FaithfulnessPoint

Rule = Literal["threshold", "top_n", "greedy", "acdc"]
RULES: tuple[Rule, ...] = ("threshold", "top_n", "greedy", "acdc")


@dataclass(frozen=True)
class CircuitDiscoveryRequest(EdgeScoresRequest):
    """A circuit.

    Args:
        rule: `top_n` and `greedy` keep `n_edges`; `threshold` those of at least `least`; `acdc`
            those whose ablation in turn worsens the metric by at least `least` (see `acdc`).
        n_edges: How many edges.
        least: The threshold, in the scores' unit; for `acdc`, the metric's: tau.
        signed: Whether edges are ranked by score; otherwise by its magnitude.
        n_exact: Of how many kept edges the exact value is computed.
    """

    rule: Rule = "top_n"
    n_edges: int = 100
    least: float = 0.0
    signed: bool = False
    n_exact: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule not in RULES:
            raise RequestError(f"There is no rule {self.rule!r}.", f"Choose from {RULES}.")
        if self.positions and self.rule in ("acdc", "greedy"):
            raise RequestError(
                f"{self.rule} chooses no edges by position.",
                "Choose rule='top_n' or 'threshold', or positions=False.",
            )
        if self.rule == "acdc" and self.least <= 0:
            raise RequestError("ACDC keeps nothing apart with tau = 0.", "Pass least=0.01, say.")


@dataclass(frozen=True)
class CircuitOutcome:
    """A circuit that was really run.

    Args:
        requested: How many edges it had before dangling ones were dropped.
        kept: How many were left.
        metric: m(C), everything else ablated, mean over pairs.
        faithfulness: (m(C) - m(empty)) / (m(full) - m(empty)).
        completeness: The same of everything but the circuit, which is ablated: near 0 where the
            circuit holds all that matters.
    """

    requested: int
    kept: int
    metric: float
    faithfulness: float
    completeness: float


class CircuitStudy(EdgeStudy):
    """The runs of a request, its edges' scores, and the circuit chosen by them.

    Attributes:
        request: What is asked.
        ready: Whether a circuit is there.
        chosen: The edges that the rule chooses, bool `[writer, reader]`.
        kept: Those of them that do not dangle.
        acdc: The search, where that is the rule.
        points: The circuit and those of other sizes, run.
    """

    request: CircuitDiscoveryRequest

    def __init__(self, model: LiveModel, request: CircuitDiscoveryRequest) -> None:
        super().__init__(model, request)
        self.ready = False
        self.acdc: Acdc | None = None
        self.points: tuple[FaithfulnessPoint, ...] = ()

    @cached_property
    def exact(self) -> Scores:
        """Exact values, float64 like the scores; NaN where none was computed."""
        return np.full(self.edges.possible.shape, np.nan)

    @cached_property
    def runner(self) -> CircuitRunner:
        """Runs circuits on the recorded prompts."""
        return CircuitRunner(self)

    def choose(self) -> Generator[float, None, None]:
        """Choose the circuit; yields the share done, with `kept` as far as it is known."""
        request, edges, scores = self.request, self.edges, self.scores
        if request.rule == "acdc":
            worse_higher = request.metric == "kl"
            self.acdc = Acdc(self.runner, edges, request.least, lower_is_better=worse_higher)
            for _ in self.runner.metrics([self.runner.full, self.runner.empty]):
                yield 0.0
            for done in self.acdc.search():
                self._choose(self.acdc.kept)
                yield done
        elif request.rule == "threshold":
            self._choose(threshold(edges, scores, request.least, signed=request.signed))
        else:
            choice = top_n if request.rule == "top_n" else greedy
            self._choose(choice(edges, scores, request.n_edges, signed=request.signed))

    def _choose(self, chosen: Kept) -> None:
        self.chosen: Kept = chosen.copy()
        self.kept: Kept = pruned(self.edges, chosen)
        self.ready = True

    def best(self, n: int) -> list[Edge]:
        """The `n` kept edges with the largest scores."""
        able = np.flatnonzero(self.kept)
        order = able[np.argsort(-np.abs(self.scores.ravel()[able]), kind="stable")[:n]]
        return _edges(np.unravel_index(order, self.kept.shape))

    def patch(self, edges: Sequence[Edge]) -> Generator[float, None, None]:
        """Compute the exact values of edges; yields the share done."""
        lost = yield from self.runner.exact(edges)
        self.exact[tuple(np.transpose(edges))] = lost

    def outcome(self, chosen: Kept) -> Generator[float, None, CircuitOutcome]:
        """What a circuit does by itself, and what all the rest does without it."""
        runner = self.runner
        (point,) = yield from runner.faithfulness([chosen])
        kept = pruned(self.edges, chosen)
        values = yield from runner.metrics([runner.full, runner.empty, runner.full & ~kept])
        full, empty, rest = values.mean(1).tolist()
        return CircuitOutcome(
            point.requested, point.kept, point.metric, point.faithfulness,
            (rest - empty) / (full - empty),
        )  # fmt: skip

    def losses(self, kept: Kept) -> Generator[float, None, npt.NDArray[np.float64]]:
        """What a circuit's metric loses without each of its edges, float64 like the scores.

        NaN for other edges. Mean over pairs; the sign is that of the scores.
        """
        found = np.full(kept.shape, np.nan)
        found[kept] = yield from self.runner.losses(kept, _edges(np.nonzero(kept)))
        return found


def _edges(indices: tuple[npt.NDArray[np.intp], ...]) -> list[Edge]:
    return list(zip(*(index.tolist() for index in indices), strict=True))
