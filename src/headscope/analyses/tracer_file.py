"""circuit-tracer's graphs as it saves them (`Graph.to_pt`): the whole matrix of effects, unpruned.

Such a file is a pickle. It is read with PyTorch's restricted loader, memory-mapped: only tensors,
plain values and the two record types that circuit-tracer puts in, in whose place stand inert ones
of ours. Whatever else is in it is refused, and nothing of it runs.

Order of nodes: features, errors (layer by layer), tokens, targets; `matrix[target, source]`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import numpy as np
import torch

from headscope.errors import ResultError
from headscope.results import (
    CircuitGraph,
    EdgeMeasure,
    Edges,
    GraphNode,
    NodeMeasure,
    Nodes,
    Prompt,
    Provenance,
    Pruning,
)

#: Edges that are read, those with the largest effects; the graph says how many there are.
MOST_EDGES = 100_000
#: Nodes of a matrix that is read: 8 GB of float32 on disk, of which some rows at a time are held.
MOST_NODES = 45_000
_NUMBERS = 2**23
"""Of the matrix that are held at a time."""


class _Target(NamedTuple):
    token_str: str
    vocab_idx: int


class _Config:
    """The model's shape: whatever attributes the file gives it."""


_RECORDS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Target, "circuit_tracer.attribution.targets.LogitTarget"),
    (_Config, "circuit_tracer.utils.tl_nnsight_mapping.UnifiedConfig"),
    (_Config, "transformer_lens.HookedTransformerConfig.HookedTransformerConfig"),
    (_Config, "transformer_lens.config.HookedTransformerConfig.HookedTransformerConfig"),
]


def tracer_graph(path: Path) -> CircuitGraph:
    """The graph in a `.pt` file: its largest effects, and the nodes that they join.

    `nodes_in_all` and `edges_in_all` say how many the file has.

    Raises:
        ResultError: It holds anything that could run, or is no such graph.
    """
    try:
        with torch.serialization.safe_globals(_RECORDS):
            found = torch.load(path, weights_only=True, mmap=True, map_location="cpu")
    except (UnpicklingError, RuntimeError, ValueError, EOFError, OSError) as refused:
        raise ResultError(
            "It holds more than tensors and circuit-tracer's own records, or is damaged.",
            "Write it as JSON with circuit-tracer's create_graph_files(), where you trust it.",
        ) from refused
    try:
        return _graph(found)
    except (KeyError, TypeError, AttributeError, IndexError, RuntimeError, ValueError) as broken:
        raise ResultError(
            f"It is no graph of circuit-tracer ({type(broken).__name__}: {broken}).",
            "Pass what Graph.to_pt() wrote.",
        ) from broken


def _graph(found: dict[str, Any]) -> CircuitGraph:
    matrix: torch.Tensor = found["adjacency_matrix"]
    n_layers, tokens = int(found["cfg"].n_layers), found["input_tokens"].tolist()
    active, chosen = found["active_features"], found["selected_features"]
    targets = _targets(found["logit_targets"])
    last = len(tokens) - 1
    nodes = [GraphNode("feature", *row) for row in active[chosen].tolist()]
    n_features = len(nodes)
    nodes += [GraphNode("error", i, p) for i in range(n_layers) for p in range(len(tokens))]
    nodes += [GraphNode("token", position=p) for p in range(len(tokens))]
    nodes += [GraphNode("logit", None, last, target.vocab_idx) for target in targets]
    n = len(nodes)
    if matrix.shape != (n, n) or n > MOST_NODES:
        raise ResultError(
            f"Its matrix is {tuple(matrix.shape)} for {n:,} nodes; {MOST_NODES:,} are read.",
            "Attribute with a smaller max_feature_nodes.",
        )
    places, effects, in_all = _largest(matrix)
    activation, probability = np.full((2, n), np.nan, np.float32)
    activation[:n_features] = found["activation_values"][chosen].float().numpy()
    probability[n - len(targets) :] = found["logit_probabilities"].float().numpy()
    source, target = places % n, places // n
    linked = torch.zeros(n, dtype=torch.bool)
    linked[source] = linked[target] = linked[n - len(tokens) - len(targets) :] = True
    moved = (linked.cumsum(0) - 1).int()
    stays = linked.numpy()
    ends = zip(nodes[n - len(targets) :], targets, strict=True)
    texts = {node.name: target.token_str for node, target in ends if target.token_str}
    text = str(found["input_string"])
    return CircuitGraph(
        title=f"Attribution graph of {text!r}", family="attribution",
        nodes=Nodes.of([node for node, stay in zip(nodes, stays, strict=True) if stay]),
        edges=Edges(moved[source].numpy(), moved[target].numpy(), np.zeros(len(places), "u1"),
                    np.ones(len(places), "u1")),
        measures=(
            EdgeMeasure(
                "effect", "Direct effect", "activation",
                "circuit-tracer's: the source's direct effect on the target. Positive raises it.",
                effects.numpy(),
            ),
        ),
        pruning=Pruning("all", 0.0, "effect"),
        provenance=_provenance(found, Prompt(text, ("",) * len(tokens), tuple(tokens))),
        node_measures=(
            NodeMeasure("activation", "Activation", "activation", "Of the feature.",
                        activation[stays]),
            NodeMeasure("probability", "Probability", "probability", "Of the target.",
                        probability[stays]),
        ),
        texts=texts,
        nodes_in_all=n + len(active) - n_features, edges_in_all=in_all,
    )  # fmt: skip


def _largest(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Places and values of the effects that are read, in order, and how many there are in all."""
    n, in_all = len(matrix), 0
    places, effects = torch.zeros(0, dtype=torch.long), torch.zeros(0)
    step = max(1, _NUMBERS // n)
    for first in range(0, n, step):
        rows = matrix[first : first + step].float().flatten()
        if not bool(rows.isfinite().all()):
            raise ResultError("Its matrix holds NaN or infinity.", "Attribute again, in float32.")
        own = rows.nonzero()[:, 0]
        in_all += len(own)
        places, effects = torch.cat([places, own + first * n]), torch.cat([effects, rows[own]])
        if len(places) > MOST_EDGES:
            best = effects.abs().topk(MOST_EDGES).indices.sort().values
            places, effects = places[best], effects[best]
    return places, effects, in_all


def _targets(found: Any) -> list[_Target]:
    """Older files hold the ids alone."""
    if isinstance(found, torch.Tensor):
        return [_Target("", int(number)) for number in found.tolist()]
    return [_Target(str(text), int(number)) for text, number in found]


def _provenance(found: dict[str, Any], prompt: Prompt) -> Provenance:
    scan = found.get("scan_name", found.get("scan"))
    config = found["cfg"]
    return Provenance(
        analysis="attribution_graph", model=str(getattr(config, "model_name", "") or scan),
        architecture=str(getattr(config, "original_architecture", "")),
        dtype="", device="", processed_weights=False, prompts=(prompt,),
        parameters={"transcoders": str(scan)}, sign="Positive: the source raises the target.",
        normalisation="Direct effects, as in the file.", versions={},
        notes=("Read from a file of circuit-tracer, which has token ids but no token texts.",),
    )  # fmt: skip
