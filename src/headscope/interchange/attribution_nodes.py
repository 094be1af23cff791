"""Nodes of attribution-graph JSON: what a file calls them, and which nodes these are.

The layout is circuit-tracer's (`frontend/graph_models.py`) and Neuronpedia's (`graph-schema.json`).
A feature's `feature` is the Cantor pair of its layer and number. Errors were called
`0_{layer}_{position}` once, as features of layer 0 are (circuit-tracer issue 78); they are written
`{layer}_-1_{position}`.
"""

from __future__ import annotations

import math
import re

from headscope.interchange import reading as read
from headscope.interchange.reading import Json, refusal
from headscope.results import GraphNode
from headscope.results.graph_parts import NodeKind

#: `feature_type` of every kind of node. A neuron is a feature of the MLP's own dictionary.
TYPES: dict[NodeKind, str] = {
    "token": "embedding", "feature": "cross layer transcoder", "neuron": "cross layer transcoder",
    "error": "mlp reconstruction error", "logit": "logit", "attention_feature": "lorsa",
    "attention_error": "lorsa error", "bias": "bias", "other": "unknown",
}  # fmt: skip
_KINDS: dict[str, NodeKind] = {n: kind for kind, n in TYPES.items() if kind != "neuron"}

#: Layers of no model: a file that speaks of more is broken, and would be drawn as tall as it says.
_MOST_LAYERS = 1_000
_FEATURE_ID = re.compile(r"(\d+)_(?:(?:cro|lor)_)?(\d+)_(\d+)")
_TOKEN_ID = re.compile(r"E_(\d+)_(\d+)")
_CLERP = re.compile(r'[^"]*"(.*)" \(p=([^)]*)\)', re.DOTALL)


def pair(layer: int, number: int) -> int:
    """Cantor's pairing of two numbers."""
    return (layer + number) * (layer + number + 1) // 2 + number


def unpair(paired: int) -> tuple[int, int]:
    """The two numbers of a Cantor pair."""
    diagonal = (math.isqrt(8 * paired + 1) - 1) // 2
    number = paired - diagonal * (diagonal + 1) // 2
    return diagonal - number, number


def node_of(found: Json, where: str, n_tokens: int) -> GraphNode:
    """The node that `found` describes; those of unknown kinds and biases have no number yet.

    Raises:
        ResultError: It describes none.
    """
    kind = _KINDS.get(read.text(read.required(found, "feature_type", where), where), "other")
    position = read.integer(read.required(found, "ctx_idx", where), f"{where}.ctx_idx")
    if position >= n_tokens:
        raise refusal(f"{where}.ctx_idx", f"is {position}, and the prompt has {n_tokens} tokens")
    if kind == "token":
        return GraphNode("token", position=position)
    if kind == "logit":
        return GraphNode("logit", None, position, _vocabulary_id(found, where))
    layer = _layer(read.required(found, "layer", where), f"{where}.layer")
    if kind in ("feature", "attention_feature"):
        return GraphNode(kind, layer, position, _number(found, where, layer, position))
    return GraphNode(kind, layer, position)


def written(node: GraphNode, vocabulary_id: int, n_layers: int) -> Json:
    """What a file says of `node`, the measures and texts aside.

    Args:
        node: A node of an attribution graph.
        vocabulary_id: A token's; -1 where unknown.
        n_layers: How many layers the model has.
    """
    position = node.position or 0
    layer = str(node.layer or 0)
    feature: int | None = -1
    name, page_name = f"{layer}_-1_{position}", f"{layer}_-1-{position}"
    if node.kind == "token":
        layer, feature = "E", position
        name, page_name = f"E_{vocabulary_id}_{position}", f"E_{vocabulary_id}-{position}"
    elif node.kind == "logit":
        layer, feature = str(n_layers + 1), node.unit
        name, page_name = f"{layer}_{feature}_{position}", f"L_{feature}-{position}"
    elif node.kind in ("feature", "neuron", "attention_feature"):
        feature = pair(node.layer or 0, node.unit or 0)
        lorsa = "lor_" if node.kind == "attention_feature" else ""
        name = f"{layer}_{lorsa}{node.unit}_{position}"
        page_name = name if lorsa else f"{layer}_{node.unit}-0"
    elif node.kind != "error":
        feature = None
        number = "attn" if node.kind == "attention_error" else str(node.unit or 0)
        name = page_name = f"{layer}_{TYPES[node.kind].split()[-1]}_{number}_{position}"
    return {
        "node_id": name, "feature": feature, "layer": layer, "ctx_idx": position,
        "feature_type": TYPES[node.kind], "token_prob": 0.0, "is_target_logit": False,
        "run_idx": 0, "reverse_ctx_idx": 0, "jsNodeId": page_name, "clerp": "",
        "influence": None, "activation": None,
    }  # fmt: skip


def was_renamed(node: GraphNode, node_id: str) -> bool:
    """Whether that is an error's name of old, which is not kept."""
    return node.kind == "error" and node_id == f"0_{node.layer}_{node.position}"


def logit_clerp(text: str, probability: float) -> str:
    """A target's label; viewers cut token and probability out of it."""
    return f'Output "{text}" (p={probability:.3f})'


def logit_text(clerp: str) -> tuple[str, float] | None:
    """Token and probability of a target's label; None where it is of another form."""
    found = _CLERP.fullmatch(clerp)
    if found is None:
        return None
    try:
        return found[1], float(found[2])
    except ValueError:
        return None


def vocabulary_id(found: Json) -> int:
    """A token node's vocabulary id, -1 where its name does not say."""
    name = _TOKEN_ID.fullmatch(found["node_id"])
    return int(name[1]) if name is not None and len(name[1]) < 10 else -1


def _layer(value: object, where: str) -> int:
    digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
    layer = int(value) if digits and isinstance(value, str) else value
    return read.integer(layer, where, _MOST_LAYERS - 1)


def _vocabulary_id(found: Json, where: str) -> int:
    if found.get("feature") is not None:
        return read.integer(found["feature"], f"{where}.feature")
    name = _FEATURE_ID.fullmatch(found["node_id"])
    if name is None or len(name[2]) > 9:
        raise refusal(where, "is a logit without its vocabulary id in `feature`")
    return int(name[2])


def _number(found: Json, where: str, layer: int, position: int) -> int:
    """A feature's number, which its name and its pair both say, mostly."""
    feature = found.get("feature")
    if feature is not None:
        read.integer(feature, f"{where}.feature", 2**62)
    paired = None if feature is None else unpair(feature)
    name = _FEATURE_ID.fullmatch(found["node_id"])
    if name is not None and [name[1], name[3]] == [str(layer), str(position)]:
        number = int(name[2][:20])
        if feature in (None, number, pair(layer, number)) or paired is None or paired[0] != layer:
            return read.integer(number, f"{where}.node_id")
    if feature is None:
        raise refusal(where, "is a feature, and neither node_id nor feature says which")
    number = paired[1] if paired is not None and paired[0] == layer else feature
    return read.integer(number, f"{where}.feature")
