"""Small files as other tools write them, in words of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headscope.results import CircuitGraph
from headscope.wire import encode

TOKENS = ["<bos>", "a", ' "b"', "<script>"]


def cantor(layer: int, number: int) -> int:
    return sum(range(layer + number + 1)) + number


def feature(layer: int, number: int, position: int, **more: Any) -> dict[str, Any]:
    return {
        "node_id": f"{layer}_{number}_{position}", "feature": cantor(layer, number),
        "layer": str(layer), "ctx_idx": position, "feature_type": "cross layer transcoder",
        "token_prob": 0.0, "is_target_logit": False, "run_idx": 0, "reverse_ctx_idx": 0,
        "jsNodeId": f"{layer}_{number}-0", "clerp": "", "influence": 0.296875, "activation": 21.875,
    } | more  # fmt: skip


def error(layer: int, position: int, *, old: bool = False, **more: Any) -> dict[str, Any]:
    name = f"0_{layer}_{position}" if old else f"{layer}_-1_{position}"
    page_name = f"{layer}_{position}-0" if old else f"{layer}_-1-{position}"
    return feature(0, 0, 0) | {
        "node_id": name, "feature": -1, "layer": str(layer), "ctx_idx": position,
        "feature_type": "mlp reconstruction error", "jsNodeId": page_name, "activation": None,
    } | more  # fmt: skip


def token(position: int, vocabulary_id: int, **more: Any) -> dict[str, Any]:
    name = f"E_{vocabulary_id}_{position}"
    return feature(0, 0, 0) | {
        "node_id": name, "feature": position, "layer": "E", "ctx_idx": position,
        "feature_type": "embedding", "jsNodeId": f"E_{vocabulary_id}-{position}",
        "activation": None,
    } | more  # fmt: skip


def logit(vocabulary_id: int, text: str, probability: float, **more: Any) -> dict[str, Any]:
    return feature(0, 0, 0) | {
        "node_id": f"4_{vocabulary_id}_3", "feature": vocabulary_id, "layer": "4", "ctx_idx": 3,
        "feature_type": "logit", "jsNodeId": f"L_{vocabulary_id}-3", "influence": None,
        "activation": None, "token_prob": probability,
        "clerp": f'Output "{text}" (p={probability:.3f})',
    } | more  # fmt: skip


def link(source: dict[str, Any], target: dict[str, Any], weight: float) -> dict[str, Any]:
    return {"source": source["node_id"], "target": target["node_id"], "weight": weight}


def tracer() -> dict[str, Any]:
    """As circuit-tracer writes: three layers, floats that were float32, nothing marked."""
    nodes = [
        feature(0, 5, 1, activation=3.5), feature(2, 70_000, 3, influence=0.5), error(1, 2),
        token(0, 2), token(1, 300), token(2, 301), token(3, 302),
        logit(10, 'x"(p=', 0.25, is_target_logit=True), logit(11, " <b>", 0.125),
    ]  # fmt: skip
    f0, f2, e1, _, t1, t2, _, l0, l1 = nodes
    links = [
        link(t1, f0, 24.5), link(f0, f2, -3.890625), link(e1, f2, 1.0), link(t2, f2, 0.5),
        link(f2, l0, 6.0), link(f2, l1, -1.5), link(t1, l0, 0.0),
    ]  # fmt: skip
    metadata = {
        "slug": "a-b", "scan": "tiny", "transcoder_list": [], "prompt_tokens": list(TOKENS),
        "prompt": 'a "b"<script>', "node_threshold": 0.5, "schema_version": 1,
        "info": {"creator_name": "me", "generator": {"name": "circuit-tracer", "version": "3f"}},
        "generation_settings": {"max_n_logits": 5, "desired_logit_prob": 0.6},
        "pruning_settings": {"node_threshold": 0.5, "edge_threshold": 0.8, "how": "twice"},
    }  # fmt: skip
    params = {"pinnedIds": [], "supernodes": [], "linkType": "both", "clickedId": "", "sg_pos": ""}
    return {"metadata": metadata, "qParams": params, "nodes": nodes, "links": links}


def lorsa() -> dict[str, Any]:
    """As Neuronpedia's converter for attention dictionaries writes: other ids, numbers for layers,
    biases, unknown kinds, query-key results, nodes beside the graph."""
    rows = (
        ("1_lor_57_2", cantor(1, 57), "lorsa", 1, 2, "F1768", 4.5),
        ("1_cro_9_3", cantor(1, 9), "cross layer transcoder", 1, 3, "F64", 0.1),
        ("1_error_attn_2", None, "lorsa error", 1, 2, 'Err: attn "b"', None),
        ("1_error_mlp_2", None, "mlp reconstruction error", 1, 2, "", None),
        ("0_bias_attn_bO_1", None, "bias", 0, 1, "L0 Bias (attn_bO)", None),
        ("0_bias_mlp_bout_1", None, "bias", 0, 1, "L0 Bias (mlp_bout)", None),
        ("0_unknown_blocks_0_x_1", None, "unknown", 0, 1, "blocks.0.x", None),
        ("E_300_1", None, "embedding", "E", 1, 'Emb: "a"', None),
    )
    nodes = [
        {"node_id": name, "jsNodeId": name, "feature": number, "feature_type": kind,
         "layer": layer, "ctx_idx": position, "clerp": clerp, "activation": activation}
        for name, number, kind, layer, position, clerp, activation in rows
    ]  # fmt: skip
    nodes.append(
        {"node_id": "2_11_3", "jsNodeId": "2_11_3", "feature": 11, "feature_type": "logit",
         "layer": 2, "ctx_idx": 3, "clerp": 'Logit " c" (p=0.333)', "token": " c",
         "token_prob": 1 / 3, "activation": None}
    )  # fmt: skip
    nodes[0]["qk_tracing_results"] = {"pair_wise_contributors": [["E_300_1", "gone", 0.1]]}
    at = {node["node_id"]: node for node in nodes}
    ends = [("E_300_1", "1_lor_57_2"), ("1_lor_57_2", "1_cro_9_3"), ("1_error_attn_2", "2_11_3"),
            ("0_bias_attn_bO_1", "1_cro_9_3"), ("0_bias_mlp_bout_1", "2_11_3"),
            ("0_unknown_blocks_0_x_1", "1_lor_57_2"), ("1_cro_9_3", "2_11_3")]  # fmt: skip
    links = [link(at[s], at[t], 0.1 * i) | {"why": i} for i, (s, t) in enumerate(ends, 1)]
    metadata = {
        "slug": "lorsa", "scan": "llama", "prompt_tokens": list(TOKENS), "prompt": "ab",
        "replacement_score": 0.75, "completeness_score": 0.9, "schema_version": 1,
    }  # fmt: skip
    return {
        "metadata": metadata, "qParams": {}, "nodes": nodes, "links": links,
        "qk_only_nodes": {"gone": {"node_id": "gone"}},
    }  # fmt: skip


def eap() -> dict[str, Any]:
    """As EAP-IG writes: two layers of two heads; node scores that were not computed are NaN."""
    nodes = {name: {"in_graph": True, "score": float("nan")} for name in ("input", "a0.h0", "m0")}
    nodes |= {"a0.h1": {"in_graph": False, "score": 0.5}, "a1.h0": {"in_graph": True},
              "a1.h1": {"in_graph": False, "neurons": [True, False]}, "m1": {"in_graph": True},
              "logits": {"in_graph": True}}  # fmt: skip
    edges = {
        "input->a0.h0<q>": (0.1, True), "input->a0.h1<k>": (-2.5, False), "a0.h0->m0": (1.0, True),
        "m0->a1.h0<v>": (0.25, True), "a1.h0->m1": (-0.75, True), "m1->logits": (3.0, True),
        "input->logits": (0.0, False),
    }  # fmt: skip
    config = {"n_layers": 2, "n_heads": 2, "parallel_attn_mlp": False, "d_model": 8}
    found = {name: {"score": score, "in_graph": kept} for name, (score, kept) in edges.items()}
    return {"cfg": config, "nodes": nodes, "edges": found}


def wrote(folder: Path, found: Any, name: str = "graph.json") -> Path:
    """A file of that content."""
    path = folder / name
    path.write_text(found if isinstance(found, str) else json.dumps(found), encoding="utf-8")
    return path


def same(one: CircuitGraph, other: CircuitGraph) -> bool:
    """Whether every field is the same, bit by bit."""
    return encode(one, "exact") == encode(other, "exact")
