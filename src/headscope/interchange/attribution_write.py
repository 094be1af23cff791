"""Attribution-graph JSON from a `CircuitGraph`.

Every field that circuit-tracer's and Neuronpedia's viewers read is written; `influence` is a node's
cumulative share of all influence, most influential first, as their sliders take it. A link's weight
is the graph's first measure.
"""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import numpy.typing as npt

from headscope.errors import ResultError
from headscope.interchange import attribution_marks, attribution_nodes, own
from headscope.interchange.reading import Json
from headscope.interchange.rest import OURS, put_back
from headscope.results import CircuitGraph, GraphNode, Marks, Prompt

#: What viewers keep a node by: what is at most at the slider.
SHARE = "influence_share"


def document(graph: CircuitGraph, left: Json) -> Json:
    """The whole file.

    Args:
        graph: Of the family `attribution`.
        left: The rest of the file that it is from; {} for none.

    Raises:
        ResultError: A node has no place in such a file.
    """
    prompt = next(iter(graph.provenance.prompts), Prompt("", (), ()))
    nodes = _nodes(graph, prompt, left.get("nodes", {}))
    ids = {name: entry["node_id"] for name, entry in zip(graph.names, nodes, strict=True)}
    if len(set(ids.values())) != len(ids):
        twice = next(i for i, n in Counter(ids.values()).items() if n > 1)
        raise ResultError(f"Two nodes would be called {twice!r}.", "Call graph.save(path).")
    marks, keys = graph.marks, label_keys(nodes)
    filed = dict(zip(graph.names, keys, strict=True))
    params = attribution_marks.written(marks, ids, filed, left.get("marks", {}))
    rest = {key: value for key, value in left.items() if key not in ("nodes", "links", "marks")}
    links = _links(graph, list(ids.values()), left.get("links", {}))
    metadata = _metadata(graph, prompt)
    found = {"metadata": metadata, "qParams": params, "nodes": nodes, "links": links}
    put_back(found, rest)
    unheld = {n: t for n, t in graph.texts.items() if n not in ids or not t}
    kept = Marks(places=marks.places, threshold=marks.threshold)
    metadata[OURS] = own.frame(graph, unheld, kept)
    return found


def label_keys(entries: list[Json]) -> list[str]:
    """What each node's label is filed under: its layer, feature and position, where that is one."""
    keys = [f"{e['layer']}_{_js(e['feature'])}_{e['ctx_idx']}" for e in entries]
    times = Counter(keys)
    return [k if times[k] == 1 else e["node_id"] for k, e in zip(keys, entries, strict=True)]


def _js(value: object) -> str:
    return "null" if value is None else str(value)


def slug(title: str) -> str:
    """A title as part of an address."""
    return re.sub(r"\W+", "-", title).strip("-").lower() or "graph"


def _metadata(graph: CircuitGraph, prompt: Prompt) -> Json:
    found: Json = {
        "slug": slug(graph.title),
        "scan": graph.provenance.model,
        "prompt_tokens": list(prompt.tokens),
        "prompt": prompt.text,
        "schema_version": 1,
    }
    if graph.pruning.rule == "influence":
        found["node_threshold"] = graph.pruning.value
        if graph.pruning.edge_value is not None:
            found["pruning_settings"] = {
                "node_threshold": graph.pruning.value, "edge_threshold": graph.pruning.edge_value,
            }  # fmt: skip
    for score in reversed(graph.scores):  # the first of a name is the one that is written
        for key in ("replacement_score", "completeness_score"):
            if score.label.lower().startswith(key.replace("_", " ")):
                found[key] = score.value
    version = graph.provenance.versions.get("headscope")
    if version is not None:
        found["info"] = {"generator": {"name": "Headscope", "version": version}}
    return found


def _nodes(graph: CircuitGraph, prompt: Prompt, left: Json) -> list[Json]:
    columns = {m.name: own.plain(m.values) for m in graph.node_measures}
    shares = own.plain(_shares(graph))
    n_layers = int(graph.nodes.layer.max(initial=-1)) + 1
    targets = 0
    found = []
    for at, (node, name) in enumerate(zip(graph.nodes, graph.names, strict=True)):
        if node.kind not in attribution_nodes.TYPES:
            raise ResultError(
                f"Attribution-graph files have no place for {name}.", "Call graph.save(path)."
            )
        vocabulary_id = _vocabulary_id(node, prompt)
        entry = attribution_nodes.written(node, vocabulary_id, n_layers)
        text = graph.texts.get(name, "")
        values = {m: column[at] for m, column in columns.items()}
        entry["activation"] = _null(values.get("activation", math.nan))
        entry["influence"] = _null(shares[at])
        entry["clerp"] = text
        measured = {"activation", "influence"}
        if node.kind == "logit":
            probability = values.get("probability", math.nan)
            if not math.isnan(probability):
                entry["token_prob"] = probability
                measured.add("token_prob")
            entry["is_target_logit"] = targets == 0
            entry["clerp"] = attribution_nodes.logit_clerp(text, entry["token_prob"])
            targets += 1
        more = dict(left.get(name, {}))
        if node.kind == "logit" and _names_another(more, text):
            del more["clerp"]
        put_back(entry, more, measured)
        held = held_values(entry, node)
        unheld = [
            (measure, values[measure.name])
            for measure in graph.node_measures
            if not own.same(values[measure.name], held.get(measure.name, math.nan))
        ]
        mine = own.extras(unheld) | _unreadable(node)
        found.append(entry | {OURS: mine} if mine else entry)
    return found


def held_values(entry: Json, node: GraphNode) -> dict[str, float]:
    """The measures of a node that the format itself has fields for."""
    found = {"activation": entry.get("activation"), SHARE: entry.get("influence")}
    if node.kind == "logit":
        found["probability"] = entry.get("token_prob")
    return {name: math.nan if value is None else value for name, value in found.items()}


def _vocabulary_id(node: GraphNode, prompt: Prompt) -> int:
    at = node.position
    known = node.kind == "token" and at is not None and at < len(prompt.token_ids)
    return prompt.token_ids[at or 0] if known else -1


def _names_another(more: Json, text: str) -> bool:
    read = attribution_nodes.logit_text(more.get("clerp", ""))
    return "clerp" in more and (read is None or read[0] != text)


def _unreadable(node: GraphNode) -> Json:
    """A node of which a file's own fields say too little."""
    if node.position is not None and node.kind not in ("neuron", "bias", "other"):
        return {}
    return {"node": {"kind": node.kind, "layer": node.layer, "position": node.position,
                     "unit": node.unit}}  # fmt: skip


def _shares(graph: CircuitGraph) -> npt.NDArray[np.float32]:
    known = [m.name for m in graph.node_measures]
    if SHARE in known or "influence" not in known:
        return graph.of_nodes(SHARE) if SHARE in known else np.full(len(graph.nodes), np.nan, "f4")
    influence = graph.of_nodes("influence").astype(np.float64)
    ranked = np.argsort(-influence, kind="stable")  # NaN last
    shares = np.cumsum(influence[ranked]) / max(float(np.nansum(influence)), 1e-30)
    found = np.empty(len(influence), np.float32)
    found[ranked] = shares
    return found


def _links(graph: CircuitGraph, ids: list[str], left: Json) -> list[Json]:
    edges, found = graph.edges, []
    columns = [own.plain(m.values) for m in graph.measures]
    rows = zip(edges.source.tolist(), edges.target.tolist(), edges.kept.tolist(), strict=True)
    for at, (source, target, kept) in enumerate(rows):
        weight = columns[0][at]
        entry: Json = {"source": ids[source], "target": ids[target],
                       "weight": 0.0 if math.isnan(weight) else weight}  # fmt: skip
        if left:
            put_back(entry, left.get(graph.edge_label(at), {}), {"weight"})
        held = [entry["weight"], *[math.nan] * (len(columns) - 1)]
        values = [column[at] for column in columns]
        measured = [
            (measure, value)
            for measure, value, known in zip(graph.measures, values, held, strict=True)
            if not own.same(value, known)
        ]
        mine = own.extras(measured) | ({} if kept else {"kept": False})
        found.append(entry | {OURS: mine} if mine else entry)
    return found


def _null(value: float) -> float | None:
    return None if math.isnan(value) else value
