"""One result per kind, small and full of edge cases, and its payload as both languages read it.

`python -m tests.golden.build` rewrites the `.json` files beside it; the Python
tests compare them with what the codec writes now, the TypeScript tests decode the same files.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from headscope.results import (
    Alignment,
    Axis,
    CircuitGraph,
    EdgeMeasure,
    Edges,
    GraphNode,
    Grid,
    Group,
    HeadPattern,
    HeadScore,
    Identity,
    Marks,
    Measure,
    NextToken,
    NodeMeasure,
    Nodes,
    Patterns,
    Place,
    Prompt,
    Provenance,
    Pruning,
    Result,
    Scale,
    Term,
    TopTokens,
)
from headscope.wire import encode

HERE = Path(__file__).parent

#: A repeated token, a space, a newline, text that must never become HTML, non-ASCII, a lone byte.
TOKENS = ("<|bos|>", " the", "\n", "</script><img src=x onerror=alert(1)>", " the", "né\ufffd", " ")
IDS = (0, 5, 10, 77, 5, 300, 6)


#: The same without the newline.
OTHER = (*TOKENS[:2], *TOKENS[3:])
OTHER_IDS = (*IDS[:2], *IDS[3:])


def provenance(analysis: str, sign: str, *more: Prompt) -> Provenance:
    return Provenance(
        analysis=analysis,
        model="golden",
        fingerprint="0123456789abcdef",
        architecture="GPT2LMHeadModel",
        dtype="float32",
        device="cpu",
        processed_weights=False,
        prompts=(Prompt("".join(TOKENS[1:]), TOKENS, IDS), *more),
        parameters={"top_k": 2, "read_out": "resid_post", "heads": (0, 1), "exact": True},
        sign=sign,
        normalisation="1 is certainty.",
        versions={"headscope": "0", "torch": "0"},
        seed=0,
        notes=("Written by hand.",),
        user_hooks=("blocks.0.hook_out",),
        interventions=('{"kind": "zero", "on": true, "component": "L0H1", "positions": null}',),
    )


NEXT = (NextToken(5, " the", 0.5), NextToken(10, "\n", 0.25))


def grid() -> Grid:
    """Three read-outs (the last without a layer) by the seven tokens, in every state of a cell."""
    rows, columns = 3, len(TOKENS)
    probability = (np.arange(rows * columns, dtype=np.float32) / 32).reshape(rows, columns)
    probability[0, 2] = np.nan
    effect = (np.linspace(-1, 3, rows * columns, dtype=np.float32)).reshape(rows, columns)
    states = np.full((rows, columns), 3, dtype=np.uint8)
    states[1, 3:] = 2
    states[2, 4:] = 1
    states[:, 2] = 0
    ids = np.resize(np.array(IDS, dtype=np.int32), (rows, columns, 2))
    chances = np.resize(np.array([0.75, 0.125], dtype=np.float32), (rows, columns, 2))
    return Grid(
        title="Golden grid",
        axes=(
            Axis(
                "read_out",
                ("L0 resid_post", "L1 resid_post", "logits"),
                selects="layer",
                indices=(0, 1, None),
                components=("L0.resid_post", "L1.resid_post", None),
            ),
            Axis("position", TOKENS, tokens=True, selects="token"),
        ),
        measures=(
            Measure(
                "probability",
                "Probability",
                "probability",
                "Softmax of the logits. Between 0 and 1.",
                probability,
                Scale("sequential", 0.0, 1.0),
            ),
            Measure(
                "effect",
                "Effect",
                "logits",
                "Positive raises the answer's logit.",
                effect,
                Scale.diverging(effect),
            ),
        ),
        provenance=provenance(
            "golden_grid",
            "Positive raises the answer's logit.",
            Prompt("".join(OTHER[1:]), OTHER, OTHER_IDS),
        ),
        top=TopTokens(ids, chances, {str(i): t for i, t in zip(IDS, TOKENS, strict=True)}),
        identity=Identity(
            terms=(Term("embed", 1.5), Term("L0 attn", -0.25)),
            target=Term("logit", 1.25),
            residue=0.0,
            checked=7,
        ),
        next_tokens=NEXT,
        states=states,
        alignment=Alignment(np.array([0, 1, -1, 2, 3, 4, 5], dtype=np.int32), shown=0, given=True),
        baselines=(Term("clean", 3.5), Term("corrupted", -1.25)),
    )


def patterns() -> Patterns:
    """Two layers of two heads over the seven tokens; one head held in full."""
    layers, heads, n, side = 2, 2, len(TOKENS), 4
    rows = np.tril(np.arange(1, n * n + 1, dtype=np.float32).reshape(n, n))
    weights = rows / rows.sum(axis=1, keepdims=True)
    overview = np.resize(np.arange(256, dtype=np.uint8), (3, layers, heads, side, side))
    per_head = np.array([[0.0, 0.25], [0.5, 1.0]], dtype=np.float32)
    induction = per_head.copy()
    induction[0, 0] = np.nan
    norms = np.resize(np.arange(1, 9, dtype=np.float32) / 4, (layers, heads, n))
    return Patterns(
        title="Golden patterns",
        n_layers=layers,
        n_heads=heads,
        causal=True,
        overview=overview,
        overview_max=np.resize(np.array([1.0, 2.0, 4.0], dtype=np.float32), (3, layers, heads)),
        value_norm=norms,
        output_norm=(norms * 2).astype(np.float32),
        scores=(
            HeadScore("previous_token", "Previous token", "Mean weight on it.", 1.0, per_head),
            HeadScore("induction", "Induction", "Mean weight after its twin.", 1.0, induction),
        ),
        heads=(HeadPattern(1, 0, weights.astype(np.float32)),),
        provenance=provenance("golden_patterns", "Weights are never negative."),
        next_tokens=NEXT,
    )


def circuit_graph() -> CircuitGraph:
    """Two tokens, features of two layers, an error, two targets; marks with hostile names."""
    nodes = Nodes.of(
        [
            GraphNode("token", position=1), GraphNode("token", position=3),
            GraphNode("feature", 0, 1, 12), GraphNode("feature", 0, 3, 7),
            GraphNode("error", 0, 3), GraphNode("feature", 1, 3, 12),
            GraphNode("logit", None, 6, 10), GraphNode("logit", None, 6, 77),
        ]
    )  # fmt: skip
    rows = [(0, 2), (1, 3), (1, 5), (2, 5), (3, 5), (4, 5), (5, 6), (2, 6), (5, 7), (4, 7)]
    source, target = np.array(rows, np.int32).T
    kept = np.ones(len(rows), np.uint8)
    kept[-1] = 0
    weights = np.array([3, 2, -1, 4, 0.5, 1.5, 6, -2, 1, 0.25], np.float32)
    nan = np.nan
    activation = np.array([nan, nan, 5, 2.5, nan, 7, nan, nan], np.float32)
    probability = np.array([nan, nan, nan, nan, nan, nan, 0.5, 0.25], np.float32)
    influence = np.array([0.25, 0.125, 0.5, 0.125, 0.25, 0.75, nan, nan], np.float32)
    inflow = np.zeros(len(nodes), np.float32)
    np.add.at(inflow, target, np.abs(weights))
    return CircuitGraph(
        title="Golden graph",
        family="attribution",
        nodes=nodes,
        edges=Edges(source.copy(), target.copy(), np.zeros(len(rows), np.uint8), kept),
        measures=(
            EdgeMeasure(
                "effect", "Direct effect", "logits",
                "Positive: the source raises the target.", weights,
            ),
            EdgeMeasure(
                "exact", "Measured", "logits", "What an intervention gave.",
                np.where(np.arange(len(rows)) == 3, 3.75, np.nan).astype(np.float32),
            ),
        ),
        pruning=Pruning("influence", 0.8, "effect", edge_value=0.98),
        provenance=provenance("golden_graph", "Positive: the source raises the target."),
        node_measures=(
            NodeMeasure("activation", "Activation", "activation", "Of the feature.", activation),
            NodeMeasure("probability", "Probability", "probability", "Softmax.", probability),
            NodeMeasure("influence", "Influence", "probability", "On the targets.", influence),
            NodeMeasure("inflow", "Inflow", "logits", "Sum of magnitudes.", inflow),
        ),
        texts={"logit10@6": "\n", "logit77@6": TOKENS[3], "L0F12@1": "capitals"},
        scores=(Term("Replacement score, all edges", 0.75), Term("Completeness score", 0.875)),
        marks=Marks(
            pinned=("logit10@6",),
            groups=(Group("<b>state</b>", ("L0F12@1", "L1F12@3")),),
            labels={"L0F7@3": "</script>a label"},
            places=(Place("L0F7@3", 12.5, -4.0),),
            threshold={"nodes": 0.5, "edges": 0.75},
        ),
        nodes_in_all=12,
        edges_in_all=40,
        next_tokens=NEXT,
    )  # fmt: skip


RESULTS = {"grid": grid, "patterns": patterns, "circuit_graph": circuit_graph}


def payload(result: Result) -> dict[str, Any]:
    """The payload with its buffers in base64, as frozen pages hold it."""
    encoded = encode(result)
    return {
        "header": encoded["header"],
        "buffers": [base64.b64encode(buffer).decode() for buffer in encoded["buffers"]],
    }


def text(result: Result) -> str:
    return json.dumps(payload(result), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, build in RESULTS.items():
        (HERE / f"{name}.json").write_text(text(build()), encoding="utf-8")
