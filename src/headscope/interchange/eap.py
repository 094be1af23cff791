"""EAP-IG's circuits as JSON (hannamw/EAP-IG, `eap/graph.py`), read and written.

Nodes are `input`, `a{layer}.h{head}`, `m{layer}`, `logits`; edges `a0.h1->m3`, `m0->a5.h2<q>`. Its
scores are (corrupted - clean) times the gradient of what was differentiated, a loss mostly: where
that is minus the metric, positive means that corrupting the edge lowers the metric. Scores are
written with the sign that the graph has, which its provenance, under `headscope`, states.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from headscope.errors import ResultError
from headscope.interchange import own
from headscope.interchange import reading as read
from headscope.interchange.reading import Json, refusal
from headscope.interchange.rest import OURS, dumped, put_back, rest
from headscope.results import (
    EDGE_INPUTS,
    CircuitGraph,
    EdgeMeasure,
    Edges,
    GraphNode,
    NodeMeasure,
    Nodes,
    Provenance,
    Pruning,
)
from headscope.results.graph_parts import impossible_edge

_NODE = re.compile(r"input|logits|m(\d{1,4})|a(\d{1,4})\.h(\d{1,6})")
_EDGE = re.compile(r"([^<>]+)->([^<>]+?)(?:<([qkv])>)?")
_SCORE = EdgeMeasure(
    "score", "Score", "",
    "EAP-IG's: (corrupted - clean) times the gradient of what was differentiated.",
    np.empty(0, np.float32),
)  # fmt: skip
_NODE_SCORE = NodeMeasure("score", "Score", "", "EAP-IG's, of the node.", np.empty(0, np.float32))
_SIGN = "As EAP-IG scored: positive where corrupting the edge raises what was differentiated."


def document(graph: CircuitGraph, left: Json) -> Json:
    """The whole file.

    Args:
        graph: Of the family `components`, heads and MLPs over all positions.
        left: The rest of the file that it is from; {} for none.

    Raises:
        ResultError: A node has no name in such a file.
    """
    names = [_name(node) for node in graph.nodes]
    kept = graph.edges.kept.astype(bool)
    alive = np.zeros(len(names), np.bool_)
    alive[graph.edges.source[kept]] = alive[graph.edges.target[kept]] = True
    nodes: Json = {}
    for at, (node, name) in enumerate(zip(graph.nodes, names, strict=True)):
        entry: Json = {"in_graph": bool(alive[at]) or node.kind == "logits"}
        scores = [(m, float(m.values[at])) for m in graph.node_measures]
        entry |= {m.name: value for m, value in scores if m.name == "score"}
        mine = own.extras((m, v) for m, v in scores if m.name != "score" and not math.isnan(v))
        nodes[name] = entry | ({OURS: mine} if mine else {})
    edges: Json = {}
    rows = zip(graph.edges.source.tolist(), graph.edges.target.tolist(),
               graph.edges.input.tolist(), kept.tolist(), strict=True)  # fmt: skip
    columns = [own.plain(m.values) for m in graph.measures]
    for at, (source, target, letter, is_kept) in enumerate(rows):
        inside = f"<{EDGE_INPUTS[letter]}>" if letter else ""
        values = [(m, column[at]) for m, column in zip(graph.measures, columns, strict=True)]
        score = values[0][1]
        mine = own.extras(
            (m, v) for m, v in values
            if math.isnan(v) == (m is graph.measures[0])
        )  # fmt: skip
        entry = {"score": 0.0 if math.isnan(score) else score, "in_graph": is_kept}
        edges[f"{names[source]}->{names[target]}{inside}"] = entry | ({OURS: mine} if mine else {})
    found = {"cfg": _config(graph), "nodes": nodes, "edges": edges}
    put_back(found, left, {"score"})
    found[OURS] = own.frame(graph, graph.texts, graph.marks)
    return found


def eap_graph(found: Json) -> CircuitGraph:
    """The graph of a file.

    Raises:
        ResultError: What is wrong, and where it stands.
    """
    config = read.mapping(read.required(found, "cfg", "The file"), "cfg")
    entries = read.mapping(read.required(found, "nodes", "The file"), "nodes")
    links = read.mapping(read.required(found, "edges", "The file"), "edges")
    entries = {name: _entry(entry, f"nodes.{name}") for name, entry in entries.items()}
    for name, entry in links.items():
        read.mapping(entry, f"edges[{read.shown(name)}]")
    base = own.framed(found[OURS], OURS, "components") if OURS in found else None
    limits = [read.integer(read.required(config, k, "cfg"), f"cfg.{k}") for k in _SIZES]
    nodes = Nodes.of([_node(name, *limits) for name in entries])
    edges = _edges(links, {name: at for at, name in enumerate(entries)}, nodes)
    kinds = base.node_measures if base else (_NODE_SCORE,)
    measures = base.measures if base else (_SCORE,)
    graph = CircuitGraph(
        title=base.title if base else "Circuit from EAP-IG",
        family="components",
        nodes=nodes,
        edges=edges,
        measures=_edge_measures(links, measures),
        pruning=base.pruning if base else Pruning("all", 0.0, _SCORE.name),
        provenance=base.provenance if base else _provenance(config),
        node_measures=_node_measures(entries, kinds, keep=base is not None),
        texts=base.texts if base else {},
        scores=base.scores if base else (),
        baselines=base.baselines if base else (),
        faithfulness=base.faithfulness if base else (),
        nodes_in_all=base.nodes_in_all if base else len(nodes),
        edges_in_all=base.edges_in_all if base else len(edges),
        next_tokens=base.next_tokens if base else (),
    )
    if base is not None:
        graph = dataclasses.replace(graph, marks=base.marks)
    left = rest({**found, "nodes": entries}, document(graph, {}))
    return dataclasses.replace(graph, remainder=dumped(left, "The file", nan=True))


_SIZES = ("n_layers", "n_heads")


def _name(node: GraphNode) -> str:
    """EAP-IG's name of a node."""
    plain = {
        "embed": "input", "mlp": f"m{node.layer}", "head": f"a{node.layer}.h{node.unit}",
        "logits": "logits",
    }  # fmt: skip
    if node.kind not in plain or node.position is not None:
        raise ResultError(
            f"EAP-IG's files have no place for {node.name}: they hold heads, each with its own "
            "keys and values, and MLPs, over all positions.",
            "Call graph.save(path).",
        )
    return plain[node.kind]


def _node(name: str, n_layers: int, n_heads: int) -> GraphNode:
    found = _NODE.fullmatch(name)
    if found is None:
        raise refusal(f"nodes[{read.shown(name)}]", "is no input, logits, m0 or a0.h0")
    if name in ("input", "logits"):
        return GraphNode("embed" if name == "input" else "logits")
    layer, head = int(found[1] or found[2]), int(found[3] or 0)
    if layer >= n_layers or head >= n_heads:
        shape = f"{n_layers} layers of {n_heads} heads"
        raise refusal(f"nodes.{name}", f"is not in a model of {shape}, which cfg says")
    return GraphNode("mlp", layer) if found[1] else GraphNode("head", layer, unit=head)


def _edges(links: Json, index: Mapping[str, int], nodes: Nodes) -> Edges:
    rows = []
    for name, entry in links.items():
        where = f"edges[{read.shown(name)}]"
        found = _EDGE.fullmatch(name)
        if found is None:
            raise refusal(where, "is no name such as m0->a5.h2<q>")
        for end in (found[1], found[2]):
            if end not in index:
                raise refusal(where, f"ends at {read.shown(end)}, which is not among the nodes")
        kept = read.flag(read.required(entry, "in_graph", where), f"{where}.in_graph")
        rows.append((index[found[1]], index[found[2]], EDGE_INPUTS.index(found[3] or ""), kept))
    columns = np.array(rows, np.int32).reshape(-1, 4).T.copy()
    narrow = columns[2:].astype(np.uint8)
    edges = Edges(columns[0], columns[1], narrow[0].copy(), narrow[1].copy())
    wrong = impossible_edge(nodes, edges)
    if wrong is not None:
        raise refusal(f"edges[{read.shown(list(links)[wrong[0]])}]", f"cannot be: {wrong[1]}")
    return edges


def _entry(entry: Any, where: str) -> Json:
    """A node; older files give only whether it is in the graph."""
    found = {"in_graph": entry} if isinstance(entry, bool) else read.mapping(entry, where)
    read.flag(read.required(found, "in_graph", where), f"{where}.in_graph")
    return found


def _edge_measures(links: Json, kinds: tuple[EdgeMeasure, ...]) -> tuple[EdgeMeasure, ...]:
    columns = np.full((len(kinds), len(links)), np.nan, np.float32)
    for at, (name, entry) in enumerate(links.items()):
        where = f"edges[{read.shown(name)}]"
        score = read.number(read.required(entry, "score", where), f"{where}.score")
        mine = own.own(entry, where)
        columns[0, at] = own.value_of(mine, kinds[0].name, score, where)
        for row, kind in enumerate(kinds[1:], 1):
            columns[row, at] = own.value_of(mine, kind.name, math.nan, where)
    pairs = zip(kinds, columns, strict=True)
    return tuple(dataclasses.replace(kind, values=column) for kind, column in pairs)


def _node_measures(
    entries: Json, kinds: tuple[NodeMeasure, ...], *, keep: bool
) -> tuple[NodeMeasure, ...]:
    columns = np.full((len(kinds), len(entries)), np.nan, np.float32)
    for at, (name, entry) in enumerate(entries.items()):
        where = f"nodes.{name}"
        score = entry.get("score")
        unscored = isinstance(score, float) and math.isnan(score)  # as EAP-IG says it
        score = read.number(None if unscored else score, f"{where}.score", missing=True)
        mine = own.own(entry, where)
        for row, kind in enumerate(kinds):
            value = score if kind.name == "score" else math.nan
            columns[row, at] = own.value_of(mine, kind.name, value, where)
    pairs = zip(kinds, columns, strict=True)
    return tuple(
        dataclasses.replace(kind, values=column)
        for kind, column in pairs
        if keep or not np.isnan(column).all()
    )


def _config(graph: CircuitGraph) -> Json:
    """The model's shape, as far as graph and provenance tell it."""
    nodes, known = graph.nodes, graph.provenance.parameters
    heads = nodes.of_kind("head")
    in_parallel = not (
        nodes.of_kind("head")[graph.edges.source]
        & nodes.of_kind("mlp")[graph.edges.target]
        & (nodes.layer[graph.edges.source] == nodes.layer[graph.edges.target])
    ).any()
    shape: Json = {
        "n_layers": int(nodes.layer.max(initial=-1)) + 1,
        "n_heads": int(nodes.unit[heads].max(initial=-1)) + 1,
        "parallel_attn_mlp": in_parallel,
    }
    return shape | {key: known[key] for key in (*shape, "d_model") if key in known}


def _provenance(config: Json) -> Provenance:
    plain = {k: v for k, v in config.items() if isinstance(v, (str, int))}
    return Provenance(
        analysis="circuit_discovery", model=str(plain.get("model_name", "")), architecture="",
        dtype="", device="", processed_weights=False, prompts=(), parameters=plain, sign=_SIGN,
        normalisation="Scores as in the file.", versions={},
        notes=("Read from a file of another tool.",),
    )  # fmt: skip
