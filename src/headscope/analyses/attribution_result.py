"""An attribution graph as a result: its nodes, the edges that are shipped, what they mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from headscope.analyses.attribution_effects import Attributed
from headscope.analyses.attribution_nodes import NodeTable
from headscope.analyses.attribution_study import AttributionStudy
from headscope.analyses.influence import Influence, Pruned
from headscope.results import (
    CircuitGraph,
    EdgeMeasure,
    Edges,
    NodeMeasure,
    Provenance,
    Pruning,
    Term,
)

#: Edges of a result: those that pruning keeps first, then those with the highest scores.
MOST_EDGES = 100_000

Numbers = npt.NDArray[np.int64]


def graph_of(
    study: AttributionStudy,
    found: Attributed,
    columns: Numbers,
    influence: Influence,
    pruned: Pruned,
) -> CircuitGraph:
    """The graph as a result.

    Args:
        study: What was asked.
        found: The effects.
        columns: The nodes but the targets.
        influence: Of the whole graph.
        pruned: What stays.
    """
    request, targets = study.request, study.targets
    table = NodeTable(study)
    chosen = np.append(columns, study.replacement.n_columns + np.arange(len(targets.ids)))
    nodes, activation = table.nodes(chosen), table.activation[chosen]
    left = Influence.of(influence.effects.kept(pruned.nodes))
    probability = np.full(len(nodes), np.nan, np.float32)
    probability[influence.effects.targets] = targets.probabilities
    matrix = influence.effects.matrix
    edges = _edges(influence, pruned)
    names = [study.model.token_text(target) for target in targets.ids]
    minus = "" if targets.wrong is None else f" − {study.model.token_text(targets.wrong).strip()}"
    ends = range(influence.effects.targets.start, len(nodes))
    texts = {nodes[i].name: f"{name}{minus}" for i, name in zip(ends, names, strict=True)}
    shown = ", ".join(f"“{_visible(text)}”" for text in list(texts.values())[:3])
    return CircuitGraph(
        title=f"Attribution graph: {shown}{', ...' if len(texts) > 3 else ''}",
        family="attribution",
        nodes=nodes,
        edges=edges,
        measures=(
            EdgeMeasure(
                "effect", "Direct effect", "activation",
                "What the target's activation (of a logit, its value less the mean of all logits) "
                "would lose without the source's write, with attention patterns, norm scales and "
                "all other units held. Positive raises it.",
                matrix[edges.target, edges.source],
            ),
        ),
        pruning=Pruning("influence", request.node_share, "effect", False, request.edge_share),
        provenance=_provenance(study, found),
        node_measures=(
            NodeMeasure(
                "activation", "Activation", "activation",
                "Activation of a unit; of a target, its logit less what it is compared with.",
                activation,
            ),
            NodeMeasure(
                "probability", "Probability", "probability",
                "What the model gives a target as the next token.", probability,
            ),
            NodeMeasure(
                "influence", "Influence", "",
                "Share of the targets, weighted by probability, that goes back through the node in "
                "the whole graph: shares of incoming magnitudes, multiplied along every path.",
                influence.nodes,
            ),
            NodeMeasure(
                "inflow", "Inflow", "activation",
                "Sum of the magnitudes of all incoming effects of the graph's nodes.",
                influence.inflow,
            ),
        ),
        texts=texts,
        scores=(
            Term("Replacement score, whole graph", influence.replacement),
            Term("Completeness score, whole graph", influence.completeness),
            Term("Replacement score, pruned graph", left.replacement),
            Term("Completeness score, pruned graph", left.completeness),
        ),
        nodes_in_all=len(nodes) + study.replacement.n_active - len(found.rows) + len(texts),
        edges_in_all=int(np.count_nonzero(matrix)),
        next_tokens=study.model.next_tokens(study.run.logits(study.run.n_tokens - 1)),
    )  # fmt: skip


def _visible(text: str) -> str:
    """A token's text in a title; what no reader would see is escaped."""
    bare = text.strip()
    return bare if bare and bare.isprintable() else repr(text)[1:-1]


def _edges(influence: Influence, pruned: Pruned) -> Edges:
    """The edges that are shipped, by target and then source."""
    scores = influence.edges()
    kept = np.zeros(scores.shape, np.bool_)
    kept[np.ix_(pruned.candidates, pruned.candidates)] = pruned.edges
    chosen = _best(scores, np.flatnonzero(kept), MOST_EDGES)
    if room := MOST_EDGES - len(chosen):
        rest = _best(scores, np.flatnonzero((scores > 0) & ~kept), room)
        chosen = np.append(chosen, rest)
    chosen.sort()
    target, source = np.divmod(chosen, len(scores))
    return Edges(
        source.astype(np.int32),
        target.astype(np.int32),
        np.zeros(len(chosen), np.uint8),
        kept.flat[chosen].astype(np.uint8),
    )


def _best(scores: npt.NDArray[np.float32], among: Numbers, n: int) -> Numbers:
    if len(among) <= n:
        return among
    return among[np.argpartition(-scores.ravel()[among], n)[:n]]


def _provenance(study: AttributionStudy, found: Attributed) -> Provenance:
    request, model = study.request, study.model
    notes = [
        f"Incoming effects and biases sum to every activation within {found.error:.1g} of the sum "
        "of their magnitudes."
    ]
    n_units, n_active = len(found.rows) - len(study.targets.ids), study.replacement.n_active
    if n_units < n_active:
        notes.append(
            f"{n_units:,} of {n_active:,} active {request.units} are in the graph, the most "
            "influential first; "
            + (
                "errors are the neurons that were left out."
                if request.units == "neurons"
                else "effects of the others are in no edge and no share."
            )
        )
    if study.constant_first:
        notes.append(
            "What MLPs write at the beginning-of-sequence token is the same for every prompt, and "
            "counts as a bias."
        )
    if model.dtype != "float32":
        notes.append(f"Activations are {model.dtype}: sums hold to its rounding only.")
    return model.provenance(
        "attribution_graph",
        (study.prompt,),
        {
            "units": request.units,
            "transcoders": None if request.transcoders is None else request.transcoders.name,
            "transcoders_revision": None
            if request.transcoders is None
            else request.transcoders.revision,
            "targets": tuple(study.targets.ids),
            "wrong": study.targets.wrong,
            "most_targets": request.most_targets,
            "target_share": request.target_share,
            "max_nodes": request.max_nodes,
            "node_share": request.node_share,
            "edge_share": request.edge_share,
        },
        sign="Positive raises the target's activation, or its logit.",
        normalisation="Effects are in units of the target's activation. Influence and scores are "
        "shares of incoming magnitudes; scores name the graph that they are computed on.",
        user_hooks=study.run.user_hooks,
        notes=notes,
    )
