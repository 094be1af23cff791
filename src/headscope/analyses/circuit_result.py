"""What circuit discovery found, as a graph: nodes, edges, measures, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from headscope.analyses import effects
from headscope.analyses.circuit_choice import Kept, Scores, top_n
from headscope.analyses.circuit_study import CircuitStudy
from headscope.analyses.edge_scores import EdgeMethod
from headscope.analyses.metrics import TITLES, UNITS
from headscope.components import Component, Layout
from headscope.model.edges import EdgeMap
from headscope.results import (
    EDGE_INPUTS,
    CircuitGraph,
    EdgeMeasure,
    Edges,
    GraphNode,
    JsonValue,
    Nodes,
    Provenance,
    Pruning,
    Term,
)

METHOD_TITLES: Mapping[EdgeMethod, str] = {
    "eap": "EAP", "eap_ig_inputs": "EAP-IG (inputs)",
    "eap_ig_activations": "EAP-IG (activations)", "clean_corrupted": "clean and corrupted",
    "flow_routes": "information flow routes",
}  # fmt: skip
"""What readers call the ways of scoring edges."""

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
MOST_EDGES = 100_000
"""Edges of a graph by position or of neurons; the circuit's first, then those with the largest
scores."""

Indices = tuple[npt.NDArray[np.intp], ...]
"""Where edges stand in scores: writers, readers and, by position, positions."""


def graph(study: CircuitStudy) -> CircuitGraph:
    """The graph of all edges, the circuit's own being the kept ones.

    By position and of neurons, of the best edges and the nodes at their ends.
    """
    request, edges = study.request, study.edges
    shown = _shown(study)
    nodes, made = _graph(edges, study.kept, shown)
    n_components = len(_components(edges))
    # The ends of the curve: what they give is known.
    full, empty = study.runner.ends
    return CircuitGraph(
        title=f"Circuit: {TITLES[request.metric].lower()}, {METHOD_TITLES[request.method]}"
        + (", ACDC" if request.rule == "acdc" else "")
        + (", by position" if request.positions else "")
        + (", with neurons" if request.neurons else ""),
        family="components",
        nodes=nodes,
        edges=made,
        measures=_measures(study, shown),
        pruning=Pruning(
            request.rule,
            request.least if request.rule in ("threshold", "acdc") else float(request.n_edges),
            "acdc" if request.rule == "acdc" else request.method,
            request.signed,
        ),
        provenance=_provenance(study),
        faithfulness=tuple(
            sorted(set(study.points), key=lambda point: (point.requested, point.kept))
        ),
        baselines=(Term("full", full), Term("empty", empty)),
        next_tokens=study.next_tokens,
        nodes_in_all=n_components
        if edges.length is None
        # The logits are read at one position.
        else 1 + (n_components - 1) * edges.length,
        edges_in_all=int(edges.possible.sum()),
    )


def places(edges: EdgeMap, graph: CircuitGraph) -> Indices:
    """Where the edges of a graph stand in scores."""
    layout, inputs = edges.layout, range(len(EDGE_INPUTS))
    writers = {_node(layout, writer): i for i, writer in enumerate(edges.writers)}
    readers = {
        (_node(layout, reader), EDGE_INPUTS.index(reader.input or "")): i
        for i, reader in enumerate(edges.readers)
    }
    nodes = [replace(node, position=None) for node in graph.nodes]
    writer_of = np.array([writers.get(node, -1) for node in nodes])
    reader_of = np.array([[readers.get((node, i), -1) for i in inputs] for node in nodes])
    source, target = graph.edges.source, graph.edges.target
    found = writer_of[source], reader_of[target, graph.edges.input]
    return found if edges.length is None else (*found, graph.nodes.position[source].astype(np.intp))


def _shown(study: CircuitStudy) -> Indices:
    edges = study.edges
    if edges.length is None and not edges.neurons:
        return np.nonzero(edges.possible)
    ranked = np.where(study.kept, np.inf, np.abs(study.scores))
    return np.nonzero(top_n(edges, ranked, MOST_EDGES, signed=True) & (ranked > 0))


def _components(edges: EdgeMap) -> list[GraphNode]:
    both = (*edges.writers, *edges.readers)
    return list(dict.fromkeys(_node(edges.layout, component) for component in both))


def _graph(edges: EdgeMap, kept: Kept, shown: Indices) -> tuple[Nodes, Edges]:
    nodes = _components(edges)
    index = {node: i for i, node in enumerate(nodes)}
    inputs = [EDGE_INPUTS.index(reader.input or "") for reader in edges.readers]
    sources = np.array([index[_node(edges.layout, writer)] for writer in edges.writers])[shown[0]]
    targets = np.array([index[_node(edges.layout, reader)] for reader in edges.readers])[shown[1]]
    if edges.length is not None or edges.neurons:
        length = edges.length or 1
        ends = np.stack([sources, targets]) * length + (shown[2] if edges.length else 0)
        used, (sources, targets) = np.unique(ends, return_inverse=True)
        nodes = [
            replace(nodes[i], position=position if edges.length else None)
            for i, position in zip(*np.divmod(used, length), strict=True)
        ]
    made = Edges(
        sources.astype(np.int32),
        targets.astype(np.int32),
        np.array(inputs, np.uint8)[shown[1]],
        kept[shown].astype(np.uint8),
    )
    return Nodes.of(nodes), made


def _node(layout: Layout, component: Component) -> GraphNode:
    if component.kv_head is not None:
        shared = component.kv_head
        return GraphNode("kv_head", component.layer, unit=shared, kv_head=shared)
    kv_head = None
    if component.head is not None and layout.group > 1:
        kv_head = component.head // layout.group
    unit = component.neuron if component.kind == "neuron" else component.head
    return GraphNode(component.kind, component.layer, unit=unit, kv_head=kv_head)


def _measures(study: CircuitStudy, shown: Indices) -> tuple[EdgeMeasure, ...]:
    request = study.request
    scores = study.scores[shown]
    found = [_measure(study, request.method, "Score", _score_definition(study), scores)]
    if request.method == "flow_routes":
        found = [replace(found[0], title="Flow", unit="share")]
    if study.acdc is not None:
        losses = study.acdc.losses[shown]
        found.append(_measure(study, "acdc", "ACDC", _acdc_definition(study), losses))
    if not np.isnan(study.exact[shown]).all():
        found.append(exact_measure(study, study.exact[shown]))
    return tuple(found)


def _measure(
    study: CircuitStudy, name: str, title: str, definition: str, values: Scores
) -> EdgeMeasure:
    unit = UNITS[study.request.metric]
    return EdgeMeasure(name, title, unit, definition, values.astype(np.float32))


def exact_measure(study: CircuitStudy, values: Scores) -> EdgeMeasure:
    """What edges are worth when each alone is ablated."""
    definition = (
        f"What the {_metric(study)} loses when this edge alone is ablated and everything else runs "
        f"on, mean over pairs. {_sign(study)}"
    )
    return _measure(study, "exact", "Exact value", definition, values)


def loss_measure(study: CircuitStudy, values: Scores) -> EdgeMeasure:
    """What a circuit loses without each of its edges; NaN outside of it."""
    definition = (
        f"What a circuit of {np.count_nonzero(~np.isnan(values)):,} edges loses of its "
        f"{_metric(study)} without this one, everything outside of it ablated, mean over pairs; "
        "near 0: the edge need not be in it."
    )
    return _measure(study, "loss", "Loss without it", definition, values)


def _score_definition(study: CircuitStudy) -> str:
    request = study.request
    if request.method == "flow_routes":
        return (
            "Share of what the logits read in the clean run that came by this edge, down the "
            "stream by proximity; heads pass it to their values at the positions they attend to, "
            "queries and keys get none. Mean over pairs; never negative, whatever the metric."
        )
    return (
        f"Clean less ablated output, times the gradient of the {_metric(study)} with respect to "
        f"what the reader reads, taken {_TAKEN[request.method].format(m=request.ig_steps)}; "
        f"{_summed(study)}, mean over pairs. {_sign(study)}"
    )


def _summed(study: CircuitStudy) -> str:
    return "at this position" if study.request.positions else "summed over positions"


def _acdc_definition(study: CircuitStudy) -> str:
    return (
        f"What the {_metric(study)} lost when the edge was ablated in its turn, from the logits "
        f"back, on top of all edges taken out before it; mean over pairs. {_sign(study)}"
    )


def _metric(study: CircuitStudy) -> str:
    return TITLES[study.request.metric].lower()


def _sign(study: CircuitStudy) -> str:
    return (
        f"Ablated, a component's output is {_ABLATED[study.request.ablation]}. Positive: the edge "
        f"raises the {_metric(study)} of the clean run."
    )


def _shape(study: CircuitStudy) -> dict[str, JsonValue]:
    """The model's, under the names by which EAP-IG builds all nodes and edges of a file again."""
    layout = study.edges.layout
    return {
        "n_layers": layout.n_layers,
        "n_heads": layout.n_heads,
        "d_model": study.model.d_model,
        "parallel_attn_mlp": layout.parallel,
    }


def _provenance(study: CircuitStudy) -> Provenance:
    request, notes = study.request, effects.answer_notes(study)
    if study.edges.layout.group > 1:
        notes.append(
            f"{study.edges.layout.group} query heads share each key-value head: keys and values "
            "are read for all of them (L0KV0.k)."
        )
    if request.positions:
        notes.append(
            "An edge at a position is what the writer writes there, as it is read there: keys and "
            "values at the position that is attended to, not at the one that attends."
        )
    if request.neurons:
        layers = ", ".join(map(str, study.edges.neurons))
        notes.append(
            f"Neurons stand in the place of the MLP of layer {layers}; the bias that is added to "
            "what they write is no node's."
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
            "positions": request.positions,
            "neurons": json.dumps(list(study.edges.neurons)),
            "rule": request.rule,
            "n_edges": request.n_edges,
            "least": request.least,
            "signed": request.signed,
            "n_exact": request.n_exact,
            "pairs": len(request.pairs),
            **_shape(study),
        },
        sign="Positive: the edge raises the metric of the clean run."
        if request.method != "flow_routes"
        else "Flows are never negative. Of exact values, positive: the edge raises the metric.",
        normalisation=(
            "Flows are shares of 1, the logits'. "
            if request.method == "flow_routes"
            else "Scores are in the metric's unit. "
        )
        + "Faithfulness: 1 is the metric with all "
        "edges, 0 with all of them ablated; metrics are means over pairs.",
        user_hooks=study.user_hooks,
        notes=notes,
    )
