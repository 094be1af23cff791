"""A `CircuitGraph` from attribution-graph JSON, whoever wrote it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

import numpy as np

from headscope.interchange import attribution_marks, attribution_nodes, own
from headscope.interchange import reading as read
from headscope.interchange.attribution_write import SHARE, document, held_values, label_keys
from headscope.interchange.reading import Json, refusal
from headscope.interchange.rest import OURS, dumped, rest
from headscope.results import (
    CircuitGraph,
    EdgeMeasure,
    Edges,
    GraphNode,
    Marks,
    NodeMeasure,
    Nodes,
    Prompt,
    Provenance,
    Pruning,
    Term,
)
from headscope.results.graph_parts import NodeKind, impossible_edge

_SIGN = "Positive: the source raises the target."
_EFFECT = EdgeMeasure(
    "effect", "Direct effect", "activation",
    "The file's weights: the source's direct effect on the target. Positive raises it.",
    np.empty(0, np.float32),
)  # fmt: skip
_NODE_MEASURES = (
    ("activation", "Activation", "activation", "Of the unit, as in the file."),
    ("probability", "Probability", "probability", "What the model gives a target."),
    (SHARE, "Cumulative share of influence", "",
     "Of all influence on the targets, the share of this node and of those with more: small is "
     "important."),
)  # fmt: skip


def attribution_graph(found: Json) -> CircuitGraph:
    """The graph of a file.

    Raises:
        ResultError: What is wrong, and where it stands.
    """
    metadata = read.mapping(read.required(found, "metadata", "The file"), "metadata")
    params = read.mapping(read.required(found, "qParams", "The file"), "qParams")
    entries = _objects(found, "nodes")
    links = _objects(found, "links")
    prompt = _prompt(metadata)
    base = None
    if OURS in metadata:
        base = own.framed(metadata[OURS], f"metadata.{OURS}", "attribution")
    nodes = _nodes(entries, len(prompt.tokens))
    names = [node.name for node in nodes]
    ids, shared = _ids(entries, nodes)
    edges = _edges(links, Nodes.of(nodes), ids, shared)
    prompt = _with_ids(prompt, entries, nodes)
    graph = CircuitGraph(
        title=base.title if base else read.text(metadata["slug"], "metadata.slug"),
        family="attribution",
        nodes=Nodes.of(nodes),
        edges=edges,
        measures=_edge_measures(links, base.measures if base else (_EFFECT,)),
        pruning=base.pruning if base else _pruning(metadata),
        provenance=_provenance(metadata, prompt, base, _note(shared, links)),
        node_measures=_node_measures(entries, nodes, base.node_measures if base else None),
        texts={**(base.texts if base else {}), **_texts(entries, nodes)},
        scores=base.scores if base else _scores(metadata),
        baselines=base.baselines if base else (),
        faithfulness=base.faithfulness if base else (),
        marks=_marks(params, ids, entries, names, base),
        nodes_in_all=base.nodes_in_all if base else len(nodes),
        edges_in_all=base.edges_in_all if base else len(edges),
        next_tokens=base.next_tokens if base else (),
    )
    left = _rest(found, document(graph, {}), graph, _filed(entries, names))
    return dataclasses.replace(graph, remainder=dumped(left, "An unknown field"))


def _objects(found: Json, key: str) -> list[Json]:
    items = read.sequence(read.required(found, key, "The file"), key)
    return [read.mapping(item, f"{key}[{at}]") for at, item in enumerate(items)]


def _prompt(metadata: Json) -> Prompt:
    for key in ("slug", "scan", "prompt", "prompt_tokens"):
        read.required(metadata, key, "metadata")
    where = "metadata.prompt_tokens"
    found = read.sequence(metadata["prompt_tokens"], where)
    tokens = tuple(read.text(token, f"{where}[{at}]") for at, token in enumerate(found))
    return Prompt(read.text(metadata["prompt"], "metadata.prompt"), tokens, (-1,) * len(tokens))


def _nodes(entries: Sequence[Json], n_tokens: int) -> list[GraphNode]:
    found: list[GraphNode] = []
    first: dict[str, int] = {}
    alike: dict[tuple[Any, ...], int] = {}
    for at, entry in enumerate(entries):
        where = f"nodes[{at}]"
        read.text(read.required(entry, "node_id", where), f"{where}.node_id")
        mine = own.own(entry, where)
        if "node" in mine:
            node = _own_node(mine["node"], f"{where}.{OURS}.node", n_tokens)
        else:
            node = attribution_nodes.node_of(entry, where, n_tokens)
            if node.kind in ("bias", "other"):
                key = (node.kind, node.layer, node.position)
                number = alike[key] = alike.get(key, -1) + 1
                node = dataclasses.replace(node, unit=number or None)
        if node.name in first:
            raise refusal(where, f"is {node.name}, as nodes[{first[node.name]}] is")
        first[node.name] = at
        found.append(node)
    return found


def _own_node(found: Any, where: str, n_tokens: int) -> GraphNode:
    found = read.mapping(found, where)
    kind = found.get("kind")
    if kind not in get_args(NodeKind):
        raise refusal(f"{where}.kind", f"is {read.shown(kind)}, which no node is")
    limits = {"layer": 1_000, "position": n_tokens - 1, "unit": 2**31 - 1}
    numbers = {
        name: read.integer(found[name], f"{where}.{name}", most)
        for name, most in limits.items()
        if found.get(name) is not None
    }
    return GraphNode(cast("NodeKind", kind), **numbers)


def _ids(
    entries: Sequence[Json], nodes: Sequence[GraphNode]
) -> tuple[dict[str, int], dict[str, int]]:
    """Which node an id is; and which error, where an old file calls one as it calls a feature."""
    ids: dict[str, int] = {}
    shared: dict[str, int] = {}
    for at, entry in enumerate(entries):
        name = entry["node_id"]
        before = ids.setdefault(name, at)
        if before == at:
            continue
        renamed = [attribution_nodes.was_renamed(nodes[i], name) for i in (before, at)]
        if name in shared or renamed[0] == renamed[1]:
            raise refusal(f"nodes[{at}].node_id", f"is {read.shown(name)}, as of nodes[{before}]")
        ids[name], shared[name] = (before, at) if renamed[1] else (at, before)
    return ids, shared


def _edges(
    links: Sequence[Json], nodes: Nodes, ids: Mapping[str, int], shared: Mapping[str, int]
) -> Edges:
    order = nodes.order
    first: dict[tuple[int, int], int] = {}
    kept = np.ones(len(links), np.uint8)
    for at, link in enumerate(links):
        where = f"links[{at}]"
        ends = []
        for key in ("source", "target"):
            name = read.text(read.required(link, key, where), f"{where}.{key}")
            if name not in ids:
                raise refusal(f"{where}.{key}", f"is {read.shown(name)}, no node's node_id")
            ends.append(ids[name])
        error = shared.get(link["source"])
        if error is not None and (ends[0], ends[1]) in first and order[error] < order[ends[1]]:
            ends[0] = error  # features come before errors
        before = first.setdefault((ends[0], ends[1]), at)
        if before != at:
            raise refusal(where, f"joins the same nodes as links[{before}]")
        kept[at] = read.flag(own.own(link, where).get("kept", True), f"{where}.{OURS}.kept")
    pairs = np.array(list(first), np.int32).reshape(-1, 2).T.copy()
    edges = Edges(pairs[0], pairs[1], np.zeros(len(links), np.uint8), kept)
    wrong = impossible_edge(nodes, edges)
    if wrong is not None:
        at, why = wrong
        ends_of = f"{nodes[int(pairs[0][at])].name} -> {nodes[int(pairs[1][at])].name}"
        raise refusal(f"links[{at}]", f"is {ends_of}, which cannot be: {why}")
    return edges


def _note(shared: Mapping[str, int], links: Sequence[Json]) -> tuple[str, ...]:
    unsure = sum(link["source"] in shared for link in links)
    if not unsure:
        return ()
    return (
        f"{unsure} edges start at an id that the file gives a feature and an error "
        "(circuit-tracer issue 78): where there is one, it is taken as the feature's.",
    )


def _edge_measures(links: Sequence[Json], kinds: Sequence[EdgeMeasure]) -> tuple[EdgeMeasure, ...]:
    columns = np.full((len(kinds), len(links)), np.nan, np.float32)
    for at, link in enumerate(links):
        where = f"links[{at}]"
        mine = own.own(link, where)
        weight = read.number(read.required(link, "weight", where), f"{where}.weight")
        columns[0, at] = weight if not mine else own.value_of(mine, kinds[0].name, weight, where)
        for row, kind in enumerate(kinds[1:], 1):
            columns[row, at] = own.value_of(mine, kind.name, math.nan, where)
    return tuple(
        dataclasses.replace(kind, values=column)
        for kind, column in zip(kinds, columns, strict=True)
    )


def _node_measures(
    entries: Sequence[Json], nodes: Sequence[GraphNode], kinds: Sequence[NodeMeasure] | None
) -> tuple[NodeMeasure, ...]:
    ours = kinds is not None
    if kinds is None:
        kinds = [NodeMeasure(*words, np.empty(0, np.float32)) for words in _NODE_MEASURES]
    columns = np.full((len(kinds), len(nodes)), np.nan, np.float32)
    for at, (entry, node) in enumerate(zip(entries, nodes, strict=True)):
        where = f"nodes[{at}]"
        for key in ("activation", "influence", "token_prob"):
            read.number(entry.get(key), f"{where}.{key}", missing=True)
        held = held_values(entry, node)
        if node.kind == "logit" and "token_prob" not in entry:
            label = attribution_nodes.logit_text(read.optional_text(entry, "clerp", where))
            held["probability"] = math.nan if label is None else label[1]
        mine = own.own(entry, where)
        for row, kind in enumerate(kinds):
            value = held.get(kind.name, math.nan)
            columns[row, at] = own.value_of(mine, kind.name, value, where) if mine else value
    pairs = zip(kinds, columns, strict=True)
    return tuple(
        dataclasses.replace(kind, values=column)
        for kind, column in pairs
        if ours or not np.isnan(column).all()
    )


def _texts(entries: Sequence[Json], nodes: Sequence[GraphNode]) -> dict[str, str]:
    found = {}
    for at, (entry, node) in enumerate(zip(entries, nodes, strict=True)):
        text = read.optional_text(entry, "clerp", f"nodes[{at}]")
        label = attribution_nodes.logit_text(text) if node.kind == "logit" else None
        text = text if label is None else label[0]
        if text:
            found[node.name] = text
    return found


def _with_ids(prompt: Prompt, entries: Sequence[Json], nodes: Sequence[GraphNode]) -> Prompt:
    ids = list(prompt.token_ids)
    for entry, node in zip(entries, nodes, strict=True):
        if node.kind == "token" and node.position is not None:
            ids[node.position] = attribution_nodes.vocabulary_id(entry)
    return dataclasses.replace(prompt, token_ids=tuple(ids))


def _filed(entries: Sequence[Json], names: Sequence[str]) -> dict[str, list[str]]:
    """Nodes by what a label may be filed under: Neuronpedia's key, an id, circuit-tracer's key."""
    by_feature: dict[str, list[str]] = {}
    for entry, name in zip(entries, names, strict=True):
        if isinstance(entry.get("feature"), int):
            by_feature.setdefault(str(entry["feature"]), []).append(name)
    by_id = {entry["node_id"]: [name] for entry, name in zip(entries, names, strict=True)}
    whole = [{"layer": "E", "feature": None, **entry} for entry in entries]
    by_key = {key: [name] for key, name in zip(label_keys(whole), names, strict=True)}
    return by_feature | by_id | by_key


def _marks(
    params: Json, ids: Mapping[str, int], entries: Sequence[Json], names: Sequence[str],
    base: CircuitGraph | None,
) -> Marks:  # fmt: skip
    called = {name: names[at] for name, at in ids.items()}
    marks = attribution_marks.marks_of(params, called, _filed(entries, names))
    if base is None:
        return marks
    threshold = {**base.marks.threshold, **marks.threshold}
    return dataclasses.replace(marks, places=base.marks.places, threshold=threshold)


def _pruning(metadata: Json) -> Pruning:
    settings = metadata.get("pruning_settings", {})
    settings = read.mapping({} if settings is None else settings, "metadata.pruning_settings")
    share = metadata.get("node_threshold")
    edge_share = settings.get("edge_threshold")
    if share is None:
        return Pruning("all", 0.0, _EFFECT.name)
    where = "metadata.pruning_settings.edge_threshold"
    return Pruning(
        "influence", read.number(share, "metadata.node_threshold"), _EFFECT.name,
        edge_value=None if edge_share is None else read.number(edge_share, where),
    )  # fmt: skip


def _scores(metadata: Json) -> tuple[Term, ...]:
    return tuple(
        Term(
            f"{name.capitalize()} score, as in the file",
            read.number(found, f"metadata.{name}_score"),
        )
        for name in ("replacement", "completeness")
        if (found := metadata.get(f"{name}_score")) is not None
    )


def _provenance(
    metadata: Json, prompt: Prompt, base: CircuitGraph | None, notes: tuple[str, ...]
) -> Provenance:
    if base is not None:
        prompts = base.provenance.prompts
        known = bool(prompts) and prompts[0].tokens == prompt.tokens
        return dataclasses.replace(
            base.provenance, prompts=prompts if known else (prompt, *prompts[1:])
        )
    settings = metadata.get("generation_settings")
    settings = read.mapping({} if settings is None else settings, "metadata.generation_settings")
    plain = {k: v for k, v in settings.items() if isinstance(v, (str, int)) or _finite(v)}
    info = metadata.get("info")
    generator = info.get("generator") if isinstance(info, dict) else None
    generator = generator if isinstance(generator, dict) else {}
    name, version = generator.get("name"), generator.get("version")
    return Provenance(
        analysis="attribution_graph",
        model=read.text(metadata["scan"], "metadata.scan"),
        architecture="", dtype="", device="", processed_weights=False,
        prompts=(prompt,),
        parameters=plain,
        sign=_SIGN,
        normalisation="Direct effects, as in the file.",
        versions={name: str(version)} if isinstance(name, str) else {},
        notes=("Read from a file of another tool.", *notes),
    )  # fmt: skip


def _finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _rest(found: Json, written: Json, graph: CircuitGraph, filed: Mapping[str, list[str]]) -> Json:
    """What the file says beyond the graph."""
    names, nodes, links = graph.names, {}, {}
    measured = {measure.name for measure in graph.node_measures}
    derived = {"influence"} if "influence" in measured and SHARE not in measured else set()
    for name, node, entry, again in zip(
        names, graph.nodes, found["nodes"], written["nodes"], strict=True
    ):
        more = {k: v for k, v in rest(entry, again).items() if k not in derived}
        if attribution_nodes.was_renamed(node, entry["node_id"]):
            more = {k: v for k, v in more.items() if k not in ("node_id", "jsNodeId")}
        if node.kind == "logit" and attribution_nodes.logit_text(more.get("clerp") or "") is None:
            more.pop("clerp", None)
        if more:
            nodes[name] = more
    for at, (entry, again) in enumerate(zip(found["links"], written["links"], strict=True)):
        more = rest(entry, again | {"source": entry["source"], "target": entry["target"]})
        if more:
            links[graph.edge_label(at)] = more
    top = rest(
        {k: v for k, v in found.items() if k not in ("nodes", "links")},
        {k: v for k, v in written.items() if k not in ("nodes", "links")},
    )
    params = found["qParams"]
    for key in attribution_marks.MARK_KEYS:
        top.get("qParams", {}).pop(key, None)
    if not top.get("qParams", True):
        del top["qParams"]
    called = {entry["node_id"]: name for entry, name in zip(found["nodes"], names, strict=True)}
    marks = attribution_marks.rest_of(params, called, filed)
    parts = {"nodes": nodes, "links": links, "marks": marks}
    return top | {key: value for key, value in parts.items() if value}
