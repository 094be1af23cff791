"""Widgets as code: run, it makes the same widget again."""

from __future__ import annotations

import ast
from typing import Any

import pytest

import headscope as hs
from headscope.widgets.code import literal
from tests.attribution.transcoders import random_transcoders
from tests.hostile import TEXTS
from tests.models import D_MODEL, N_LAYERS

IDS = (0, 264, 270, 264, 271, 270, 264)  # cut as no tokenizer would cut their text
OTHER = (0, 264, 280, 264, 271, 280, 264)
TRANSCODERS = random_transcoders(N_LAYERS, D_MODEL, 40)
CAT, DOG = "the cat sat on the mat the", "the dog sat on the mat the"


def again(widget: Any, model: Any) -> Any:
    """The widget that its code makes."""
    names = {
        "model": model,
        "transcoders": TRANSCODERS,
        **dict.fromkeys(["graph", "result"], widget._value),
    }
    exec(widget.to_code(), names)
    return names["widget"]


def traits(widget: Any) -> dict[str, Any]:
    """All that a page or a user could set, and what was computed from."""
    names = ["prompt", "selection", "view", "_arguments", *widget.marks]
    names += [field["name"] for field in widget.fields]
    asked = [(p.text, p.token_ids) for p in widget.result.provenance.prompts]
    return {name: getattr(widget, name) for name in names} | {
        "asked": asked, "parameters": widget.result.provenance.parameters,
    }  # fmt: skip


def made(name: str, model: Any) -> Any:
    match name:
        case "attention of ids":
            return hs.AttentionPatterns(model, IDS, selection={"layer": 2, "head": 1})
        case "lens":
            widget: Any = hs.LogitLens(model, 'a "\n\\ 日本\u202e', read_out="all")
            widget.view = {
                "heatmap_measure": "rank", "heatmap_zoom": 0.5, "heatmap_table": True,
                "heatmap_cell": None,
            }  # fmt: skip
            return widget
        case "attribution":
            return hs.LogitAttribution(model, CAT, answer=281, by="source", position=-2)
        case "patching":
            return hs.ActivationPatching(
                model, IDS, OTHER, answer=281, wrong=(282, 283), metric="log_prob", site="z",
                position=-1, seed=4, exact=False, alignment=(0, 1, 2, 3, -1, 5, 6),
            )  # fmt: skip
        case "patching of a set":
            pairs = [hs.Pair(IDS, OTHER, " cat", " dog"), hs.Pair(OTHER, IDS, 281, (282,))]
            return hs.ActivationPatching(model, pairs, direction="noising")
        case "paths":
            return hs.PathPatching(model, CAT, DOG, answer=" mat", wrong=" dog",
                                   receivers=["L2H1.q", "MLP1"], positions=[2])  # fmt: skip
        case "circuit":
            widget = hs.CircuitDiscovery(
                model, CAT, DOG, answer=" mat", wrong=" dog", method="eap", rule="threshold",
                least=0.05, n_exact=1,
            )  # fmt: skip
            widget.run()
            widget.pinned, widget.threshold = ["L0H1", "MLP1"], {"edges": 12}
            widget.labels = {"L0H1": TEXTS["script end"]}
            widget.groups = [{"label": 'two "heads"', "nodes": ["L1H0", "L1H1"]}]
            return widget
        case "layers of a set":
            return hs.LayerRobustness(model, [CAT, IDS], selection={"layer": 1})
        case "generation":
            changes = hs.Interventions().zero("L0H1").scale("MLP1", 0.5)
            return hs.Generation(model, IDS, changes, n_tokens=3, temperature=0.7, seed=2)
        case "stages":
            return hs.InferenceStages(model, [CAT, IDS], seed=2)
        case "repair":
            return hs.SelfRepair(model, CAT, " mat", corrupted=OTHER, heads=["L0H1", "L1H2"])
        case "difference":
            lenses = [hs.LogitLens(model, ids).result for ids in (IDS, OTHER)]
            widget = hs.ResultView(hs.difference(*lenses))
            widget.view = {"heatmap_measure": "kl"}
            return widget
        case "features":
            return hs.AttributionGraph(model, CAT, TRANSCODERS, max_nodes=15, node_share=0.6)
    graph = hs.AttributionGraph(model, CAT, max_nodes=15).run()
    return hs.GraphView(graph)


@pytest.mark.parametrize(
    "name",
    ["attention of ids", "lens", "attribution", "patching", "patching of a set", "paths",
     "circuit", "layers of a set", "generation", "stages", "repair", "difference", "features",
     "graph"],
)  # fmt: skip
def test_the_code_of_a_widget_makes_it_again(name: str, gpt2: Any) -> None:
    widget = made(name, gpt2)
    widget.run()
    copy = again(widget, gpt2)
    copy.run()
    assert copy._widget == widget._widget
    assert traits(copy) == traits(widget)
    assert copy.to_code() == widget.to_code()


def test_the_model_is_named_in_a_comment_that_nothing_gets_out_of(gpt2: Any) -> None:
    widget = hs.LogitLens(gpt2, CAT)
    line = "# model: tiny-gpt2, GPT2LMHeadModel, float32, weights as trained"
    assert line in widget.to_code().splitlines()
    gpt2.cfg.model_name = "x\nimport os\r\u2028import os"
    try:
        widget.run()
        (statement, call) = ast.parse(widget.to_code()).body
    finally:
        gpt2.cfg.model_name = "tiny-gpt2"
    assert isinstance(statement, ast.Import)
    assert [name.name for name in statement.names] == ["headscope"]
    assert isinstance(call, ast.Assign)


@pytest.mark.parametrize(
    "value",
    [*TEXTS.values(), 0, -3, 0.1, 1e-7, 1.5e300, 2.0, 1e-5, -0.25, True, None, [], {},
     {"a": [1, {"b": None}]}, "\ud800"],
)  # fmt: skip
def test_a_literal_means_its_value(value: Any) -> None:
    text = literal(value)
    assert ast.literal_eval(text) == value
    assert text.isprintable()
