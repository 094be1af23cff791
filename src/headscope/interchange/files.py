"""Graph files: what may be opened, how they are told apart, and how they are written.

Limits, each refused before anything is built of the file: 100 MB (Neuronpedia's own), 4 million
brackets, that is nodes, links and lists, and, once parsed, 100,000 nodes and 1 million edges.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from headscope.arguments import checked
from headscope.errors import ResultError
from headscope.interchange import attribution_read, attribution_write, eap
from headscope.interchange.reading import Json
from headscope.results import CircuitGraph, Edges, Nodes
from headscope.wire.paths import existing, write

MOST_BYTES = 100_000_000
MOST_BRACKETS = 4_000_000
MOST_NODES = 100_000
MOST_EDGES = 1_000_000

_SMALLER = "Prune the graph with the tool that it is from, and write it again."
_OURS = "Pass a graph file; what result.save() wrote is opened by hs.load_result(path)."


@checked
def load_graph(path: str | Path) -> CircuitGraph:
    """Read a graph of another tool, or one that `graph.save_json()` wrote.

    That is the attribution-graph JSON of circuit-tracer and Neuronpedia, the JSON of EAP-IG, or
    circuit-tracer's own `.pt`, of which the 100,000 largest effects are read (this needs torch).
    What a file says and no field of a graph holds is kept in `graph.remainder` and written again.
    Nothing is fetched, nothing is run.

    Raises:
        ResultError: There is no such file, or it is too large, broken or of another kind: what is
            wrong, and where in it.
    """
    source = existing(path, "Pass the path of a graph file.")
    try:
        if _is_pytorch(source):
            from headscope.analyses.tracer_file import tracer_graph

            return tracer_graph(source)
        return _graph(_parsed(source))
    except ResultError as refused:
        raise ResultError(f"{source.name}: {refused.message}", refused.hint) from refused


@checked
def save_json(graph: CircuitGraph, path: str | Path, *, kept: bool = False) -> Path:
    """Write `graph` as other tools read it; `CircuitGraph.save_json` and `paths.write` say more."""
    if kept:
        graph = circuit(graph)
    module = attribution_write if graph.family == "attribution" else eap
    left = json.loads(graph.remainder) if graph.remainder else {}
    found = module.document(graph, left)
    text = json.dumps(found, ensure_ascii=True)
    return write(path, ".json", lambda file: file.write_text(text, encoding="ascii"))


def circuit(graph: CircuitGraph) -> CircuitGraph:
    """Only the kept edges of `graph`, and the nodes that they join; tokens and targets too."""
    edges, nodes = graph.edges, graph.nodes
    chosen = np.flatnonzero(edges.kept)
    stays = nodes.of_kind("token", "logit", "embed", "logits")
    stays[edges.source[chosen]] = stays[edges.target[chosen]] = True
    left = np.flatnonzero(stays)
    moved = np.cumsum(stays, dtype=np.int32) - 1

    return dataclasses.replace(
        graph,
        nodes=Nodes(
            nodes.kind[left], nodes.layer[left], nodes.position[left], nodes.unit[left],
            nodes.kv_head[left],
        ),
        edges=Edges(
            moved[edges.source[chosen]].astype(np.int32),
            moved[edges.target[chosen]].astype(np.int32),
            edges.input[chosen], edges.kept[chosen],
        ),
        measures=tuple(dataclasses.replace(m, values=m.values[chosen]) for m in graph.measures),
        node_measures=tuple(
            dataclasses.replace(m, values=m.values[left]) for m in graph.node_measures
        ),
    )  # fmt: skip


def _is_pytorch(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _parsed(source: Path) -> Json:
    size = source.stat().st_size
    if size > MOST_BYTES:
        raise ResultError(f"It has {size:,} bytes; {MOST_BYTES:,} are read.", _SMALLER)
    data = source.read_bytes()
    brackets = data.count(b"{") + data.count(b"[")
    if brackets > MOST_BRACKETS:
        raise ResultError(f"It has {brackets:,} parts; {MOST_BRACKETS:,} are read.", _SMALLER)
    try:
        found = json.loads(data, object_pairs_hook=_once)
    except RecursionError:
        raise ResultError("It is nested too deeply.", "Graph files are flat.") from None
    except ValueError as broken:
        raise ResultError(f"It is no JSON ({broken}).", _OURS) from broken
    if not isinstance(found, dict):
        raise ResultError("It is JSON, but no graph: an array or a value.", "Pass a graph file.")
    return found


def _once(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ResultError(f"{twice!r} is there twice in one object.", "Remove one of them.")
    return found


def _graph(found: Json) -> CircuitGraph:
    attribution, circuit_file = "links" in found, "edges" in found
    if attribution == circuit_file:
        raise ResultError(
            "It is JSON, but no graph that is known.",
            "An attribution graph has nodes and links, EAP-IG's JSON has nodes and edges.",
        )
    for key, most in (("nodes", MOST_NODES), ("links", MOST_EDGES), ("edges", MOST_EDGES)):
        items = found.get(key)
        if isinstance(items, (list, dict)) and len(items) > most:
            raise ResultError(f"It has {len(items):,} {key}; {most:,} are read.", _SMALLER)
    try:
        if attribution:
            return attribution_read.attribution_graph(found)
        return eap.eap_graph(found)
    except RecursionError:
        raise ResultError("It is nested too deeply.", "Graph files are flat.") from None
