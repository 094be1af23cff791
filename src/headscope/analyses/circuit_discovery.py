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

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from headscope.analyses import circuit_choice, effects
from headscope.analyses.circuit_run import FRACTIONS, CircuitRunner
from headscope.analyses.edge_scores import EdgeScoresRequest, EdgeStudy
from headscope.analyses.metrics import TITLES, UNITS
from headscope.components import Component, Layout
from headscope.errors import RequestError
from headscope.jobs.steps import Step, Steps
from headscope.model.edges import EdgeMap
from headscope.model.live import LiveModel
from headscope.results import (
    EDGE_INPUTS,
    CircuitGraph,
    EdgeMeasure,
    Edges,
    FaithfulnessPoint,
    GraphNode,
    Nodes,
    Provenance,
    Pruning,
    Term,
)

Rule = Literal["threshold", "top_n", "greedy"]
RULES: tuple[Rule, ...] = ("threshold", "top_n", "greedy")

_ABLATED = {
    "patch": "its output on the corrupted prompt",
    "zero": "zero",
    "mean": "its mean over all positions of the clean prompts",
    "mean_position": "its mean over the clean prompts at each position",
}
_TAKEN = {
    "eap": "on the clean run",
    "eap_ig_inputs": "as the mean over {m} runs on embeddings from ablated towards clean",
    "eap_ig_activations": "as the mean over {m} runs for every layer's attention and MLP, and the "
    "embedding, with its output going from ablated to clean",
    "clean_corrupted": "as the mean over the clean and the corrupted run",
}


@dataclass(frozen=True)
class CircuitDiscoveryRequest(EdgeScoresRequest):
    """A circuit.

    Args:
        rule: `top_n` and `greedy` keep `n_edges`; `threshold` those of at least `least`.
        n_edges: How many edges.
        least: The threshold, in the metric's unit.
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


def run(model: LiveModel, request: CircuitDiscoveryRequest) -> Steps[CircuitGraph]:
    """Compute the circuit as a `CircuitGraph` of all edges, its own being the kept ones.

    Raises:
        ModelError: The model is not ready, or its stream is no sum of what its components write.
        PromptError: A prompt or an answer cannot be used.
        RequestError: The request contradicts itself, or ablating everything changes nothing.
    """
    study = EdgeStudy(model, request)
    for done in study.on_one_model(study.prepare()):
        yield Step(0.02 * done, "Reading the prompts")
    for done in study.on_one_model(study.record()):
        yield Step(0.02 + 0.08 * done, "Running the prompts")
    for done in study.on_one_model(study.score()):
        yield Step(0.1 + 0.6 * done, "Scoring edges")
    edges, scores = study.edges, study.scores
    if request.rule == "threshold":
        chosen = circuit_choice.threshold(edges, scores, request.least, signed=request.signed)
    else:
        choose = circuit_choice.top_n if request.rule == "top_n" else circuit_choice.greedy
        chosen = choose(edges, scores, request.n_edges, signed=request.signed)
    kept = circuit_choice.pruned(edges, chosen)
    runner = CircuitRunner(study)
    total = int(edges.possible.sum())
    sizes = [
        circuit_choice.top_n(edges, scores, int(x * total), signed=request.signed)
        for x in FRACTIONS
    ]
    running = runner.faithfulness([chosen, *sizes])
    points = yield from _stage(study, running, 0.7, 0.2, "Running circuits")
    # The ends have run with them.
    ends = yield from _stage(study, runner.metrics([runner.full, runner.empty]), 0.9, 0.0, "")
    full, empty = ends.mean(1).tolist()
    ranked = np.where(kept, np.abs(scores), -np.inf)
    best = [divmod(int(i), ranked.shape[1]) for i in np.argsort(-ranked, axis=None, kind="stable")]
    best = best[: min(request.n_exact, int(kept.sum()))]
    exact = np.full(scores.shape, np.nan)
    if best:
        patching = runner.exact(best)
        lost = yield from _stage(study, patching, 0.9, 0.1, "Patching edges")
        exact[tuple(np.transpose(best))] = lost
    nodes, made = _graph(edges, kept)
    return CircuitGraph(
        title=f"Circuit: {TITLES[request.metric].lower()}, {request.method}",
        family="components",
        nodes=nodes,
        edges=made,
        measures=_measures(study, request, scores, exact if best else None),
        pruning=Pruning(
            request.rule,
            request.least if request.rule == "threshold" else float(request.n_edges),
            request.method,
            request.signed,
        ),
        provenance=_provenance(study, request),
        faithfulness=_by_size(points),
        baselines=(Term("full", full), Term("empty", empty)),
        next_tokens=study.next_tokens,
    )


T = TypeVar("T")


def _stage(
    study: EdgeStudy, steps: Generator[float, None, T], began: float, share: float, message: str
) -> Steps[T]:
    """A part of the work, and what comes of it."""
    found: list[T] = []

    def outer() -> Generator[float, None, None]:
        found.append((yield from steps))

    for done in study.on_one_model(outer()):
        yield Step(began + share * done, message)
    return found[0]


def _by_size(points: tuple[FaithfulnessPoint, ...]) -> tuple[FaithfulnessPoint, ...]:
    return tuple(sorted(set(points), key=lambda point: (point.requested, point.kept)))


def _graph(edges: EdgeMap, kept: circuit_choice.Kept) -> tuple[Nodes, Edges]:
    nodes = {writer: _node(edges.layout, writer) for writer in edges.writers}
    nodes |= {reader: _node(edges.layout, reader) for reader in edges.readers}
    index = {node: i for i, node in enumerate(dict.fromkeys(nodes.values()))}
    inputs = [EDGE_INPUTS.index(reader.input or "") for reader in edges.readers]
    writers, readers = np.nonzero(edges.possible)
    sources = np.array([index[nodes[writer]] for writer in edges.writers], np.int32)
    targets = np.array([index[nodes[reader]] for reader in edges.readers], np.int32)
    made = Edges(
        sources[writers],
        targets[readers],
        np.array(inputs, np.uint8)[readers],
        kept[writers, readers].astype(np.uint8),
    )
    return Nodes.of(list(index)), made


def _node(layout: Layout, component: Component) -> GraphNode:
    if component.kv_head is not None:
        shared = component.kv_head
        return GraphNode("kv_head", component.layer, unit=shared, kv_head=shared)
    kv_head = None
    if component.head is not None and layout.group > 1:
        kv_head = component.head // layout.group
    return GraphNode(component.kind, component.layer, unit=component.head, kv_head=kv_head)


def _measures(
    study: EdgeStudy,
    request: CircuitDiscoveryRequest,
    scores: circuit_choice.Scores,
    exact: circuit_choice.Scores | None,
) -> tuple[EdgeMeasure, ...]:
    where = np.nonzero(study.edges.possible)
    unit, metric = UNITS[request.metric], TITLES[request.metric].lower()
    ablated = f"Ablated, a component's output is {_ABLATED[request.ablation]}."
    sign = f"Positive: the edge raises the {metric} of the clean run."
    found = [
        EdgeMeasure(
            request.method, "Score", unit,
            f"Clean less ablated output, times the gradient of the {metric} with respect to what "
            f"the reader reads, taken {_TAKEN[request.method].format(m=request.ig_steps)}; summed "
            f"over positions, mean over pairs. {ablated} {sign}",
            scores[where].astype(np.float32),
        )
    ]  # fmt: skip
    if exact is not None:
        definition = (
            f"What the {metric} loses when this edge alone is ablated and everything else runs on, "
            f"mean over pairs. {ablated} {sign}"
        )
        values = exact[where].astype(np.float32)
        found.append(EdgeMeasure("exact", "Exact value", unit, definition, values))
    return tuple(found)


def _provenance(study: EdgeStudy, request: CircuitDiscoveryRequest) -> Provenance:
    notes = []
    if study.edges.layout.group > 1:
        notes.append(
            f"{study.edges.layout.group} query heads share each key-value head: keys and values "
            "are read for all of them (L0KV0.k)."
        )
    return study.model.provenance(
        "circuit_discovery",
        effects.prompts(study),
        {
            "method": request.method,
            "ig_steps": request.ig_steps,
            "ablation": request.ablation,
            "metric": request.metric,
            **effects.answers(study),
            "position": request.position,
            "rule": request.rule,
            "n_edges": request.n_edges,
            "least": request.least,
            "signed": request.signed,
            "n_exact": request.n_exact,
            "pairs": len(request.pairs),
        },
        sign="Positive: the edge raises the metric of the clean run.",
        normalisation="Scores are in the metric's unit. Faithfulness: 1 is the metric with all "
        "edges, 0 with all of them ablated; metrics are means over pairs.",
        user_hooks=study.user_hooks,
        notes=notes,
    )
