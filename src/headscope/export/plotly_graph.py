"""Circuit graphs as native Plotly figures: layers upwards, positions (or heads) to the right."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from headscope.arguments import checked
from headscope.errors import ResultError
from headscope.export.glyphs import in_plotly
from headscope.results import NODE_KINDS, CircuitGraph

#: Positive blue, negative red, as in the heatmaps.
_SIGNS = ((1, "#2166ac", "positive"), (-1, "#b2182b", "negative"))
_MOST_EDGES = 2_000
_SYMBOLS = {
    "embed": "square", "token": "square", "logits": "square", "logit": "square", "head": "circle",
    "kv_head": "circle-open", "mlp": "hexagon", "neuron": "hexagon", "feature": "circle",
    "error": "diamond", "attention_feature": "triangle-up", "attention_error": "diamond-open",
    "bias": "cross", "other": "x",
}  # fmt: skip


@checked
def graph_figure(graph: CircuitGraph, measure: str | None = None, *, kept: bool = True) -> Any:
    """A layered graph as a `plotly.graph_objects.Figure`.

    Args:
        graph: What is drawn.
        measure: The edge measure shown; the first by default.
        kept: Whether only the circuit is drawn; otherwise the 2,000 largest edges.

    Raises:
        ResultError: There is no such measure, or no edge to draw.
    """
    import plotly.graph_objects as go

    name = measure or graph.measures[0].name
    values = graph[name]
    chosen = np.flatnonzero(graph.edges.kept) if kept else np.arange(len(graph.edges))
    chosen = chosen[np.isfinite(values[chosen])]
    ranked = chosen[np.argsort(-np.abs(values[chosen]), kind="stable")]
    chosen = ranked[:_MOST_EDGES]
    if not len(chosen):
        raise ResultError("There is no edge to draw.", "Pass kept=False, or another measure.")
    x, y = _places(graph)
    figure = go.Figure()
    for sign, colour, word in _SIGNS:
        part = chosen[np.sign(values[chosen]) == sign]
        if len(part):
            gap = np.full(len(part), np.nan)
            ends = graph.edges.source[part], graph.edges.target[part]
            figure.add_scatter(
                x=np.stack([x[ends[0]], x[ends[1]], gap], 1).ravel(),
                y=np.stack([y[ends[0]], y[ends[1]], gap], 1).ravel(),
                mode="lines", line={"color": colour, "width": 1}, opacity=0.4,
                name=f"{word} edge", hoverinfo="skip",
            )  # fmt: skip
    used = np.unique(np.concatenate([graph.edges.source[chosen], graph.edges.target[chosen]]))
    for kind in np.unique(graph.nodes.kind[used]):
        part = used[graph.nodes.kind[used] == kind]
        figure.add_scatter(
            x=x[part], y=y[part], mode="markers", name=NODE_KINDS[kind].replace("_", " "),
            marker={"symbol": _SYMBOLS[NODE_KINDS[kind]], "size": 9, "color": "#555555"},
            text=[_words(graph, int(i)) for i in part], hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    left_out = len(ranked) - len(chosen)
    title = in_plotly(graph.title) + (
        f" ({len(chosen):,} of {len(ranked):,} edges)" if left_out else ""
    )
    figure.update_layout(
        title={"text": title}, template="plotly_white", height=640,
        xaxis={"title": "token" if graph.nodes.position.max() >= 0 else "head", **_ticks(graph, x)},
        yaxis={"title": "layer", "zeroline": False},
    )  # fmt: skip
    return figure


def _places(
    graph: CircuitGraph,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Columns and rows of all nodes; nodes of one place stand side by side."""
    nodes = graph.nodes
    order = nodes.order
    finite = order[np.isfinite(order)]
    top = float(finite.max()) + 1 if finite.size else 0.0
    y = np.where(np.isfinite(order), order, top)
    positional = bool((nodes.position >= 0).any())
    x = np.where(nodes.position >= 0, nodes.position, 0).astype(float)
    groups: dict[tuple[float, float], list[int]] = {}
    for index in range(len(nodes)):
        groups.setdefault((x[index], y[index]), []).append(index)
    for members in groups.values():
        spread = np.linspace(-0.4, 0.4, len(members)) if len(members) > 1 else np.zeros(1)
        x[members] += spread if positional else spread * 12
    return x, y


def _ticks(graph: CircuitGraph, x: npt.NDArray[np.float64]) -> dict[str, Any]:
    if graph.nodes.position.max() < 0:
        return {"showticklabels": False}
    tokens = graph.provenance.prompts[0].tokens
    shown = list(map(in_plotly, tokens))
    return {"tickvals": list(range(len(tokens))), "ticktext": shown}


def _words(graph: CircuitGraph, index: int) -> str:
    name = graph.names[index]
    lines = [graph.marks.labels.get(name, name), graph.texts.get(name, "")]
    lines += [
        f"{measure.title}: {measure.values[index]:.4g}"
        for measure in graph.node_measures
        if np.isfinite(measure.values[index])
    ]
    return "<br>".join(in_plotly(line) for line in lines if line)
