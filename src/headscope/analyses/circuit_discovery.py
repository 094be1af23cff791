"""Circuit discovery: the edges that matter to a metric, as a graph of components.

Edges are scored (`edge_scores`), the best of them chosen and those that dangle dropped
(`circuit_choice`), and the circuit is really run, everything else ablated (`circuit_run`). Scores
are exact to first order only; for the `n_exact` edges of the circuit with the largest scores the
true value stands beside the estimate.

Sign: a positive score means that the metric of the clean run is higher for that edge.
Cost: that of the scores, and one forward pass per circuit of the curve and per exact edge, many
side by side.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from typing import TypeVar

from headscope.analyses.circuit_choice import best
from headscope.analyses.circuit_result import graph
from headscope.analyses.circuit_run import FRACTIONS
from headscope.analyses.circuit_study import CircuitDiscoveryRequest, CircuitStudy
from headscope.jobs.steps import Step, Steps
from headscope.model.live import LiveModel
from headscope.results import CircuitGraph

__all__ = ["CircuitDiscoveryRequest", "CircuitStudy", "run", "steps"]

T = TypeVar("T")
_PARTIAL_S = 0.5


def run(model: LiveModel, request: CircuitDiscoveryRequest) -> Steps[CircuitGraph]:
    """Compute the circuit as a `CircuitGraph` of all edges, its own being the kept ones.

    Raises:
        ModelError: The model is not ready, or its stream is no sum of what its components write.
        PromptError: A prompt or an answer cannot be used.
        RequestError: The request contradicts itself, or ablating everything changes nothing.
    """
    return (yield from steps(CircuitStudy(model, request)))


def steps(study: CircuitStudy) -> Steps[CircuitGraph]:
    """Everything that `run` does, on a study that can be asked more afterwards."""
    for done in study.on_one_model(study.prepare()):
        yield Step(0.02 * done, "Reading the prompts")
    for done in study.on_one_model(study.record()):
        yield Step(0.02 + 0.08 * done, "Running the prompts")
    for done in study.on_one_model(study.score()):
        yield Step(0.1 + 0.4 * done, "Scoring edges")
    shown = time.perf_counter()
    for done in study.on_one_model(study.choose()):
        partial = None
        if time.perf_counter() - shown > _PARTIAL_S and study.ready:
            partial, shown = graph(study), time.perf_counter()
        yield Step(0.5 + 0.2 * done, "Trying edges", partial)
    edges, signed = study.edges, study.request.signed
    total = int(edges.possible.sum())
    curve = best(edges, study.scores, [int(x * total) for x in FRACTIONS], signed=signed)
    running = study.runner.faithfulness([study.chosen, *curve])
    own, *others = yield from _stage(study, running, 0.7, 0.2, "Running circuits")
    ranked = [replace(point, by="score" if signed else "magnitude") for point in others]
    study.points = (replace(own, by="rule"), *ranked)
    if patched := study.best(study.request.n_exact):
        yield from _stage(study, study.patch(patched), 0.9, 0.1, "Patching edges")
    return graph(study)


def _stage(
    study: CircuitStudy, work: Generator[float, None, T], began: float, share: float, message: str
) -> Steps[T]:
    """A part of the work, and what comes of it."""
    found: list[T] = []

    def outer() -> Generator[float, None, None]:
        found.append((yield from work))

    for done in study.on_one_model(outer()):
        yield Step(began + share * done, message)
    return found[0]
