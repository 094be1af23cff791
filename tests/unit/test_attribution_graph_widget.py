"""`AttributionGraph`: from fields to requests, and what is asked of a graph."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

import headscope as hs
from headscope.widgets import attribution_graph as module
from tests.analyses.test_left_as_found import state_of
from tests.attribution.transcoders import random_transcoders
from tests.models import D_MODEL, N_LAYERS, PROMPT
from tests.unit.page import Page, until


@pytest.fixture
def widget(llama: Any) -> Iterator[hs.AttributionGraph]:
    of = random_transcoders(N_LAYERS, D_MODEL, 40)
    made = hs.AttributionGraph(llama, PROMPT, of, max_nodes=60, texts=[PROMPT, "the dog saw"])
    made.run()
    yield made
    made.close()


def unit_of(widget: hs.AttributionGraph) -> str:
    return next(name for name in widget.result.names if name.startswith("L1F"))


def test_every_field_is_in_the_request(widget: hs.AttributionGraph) -> None:
    assert widget.units == "features"
    assert widget.result.provenance.parameters["transcoders"] == "random"
    widget.target, widget.wrong, widget.units, widget.max_nodes = " cat", " dog", "neurons", 20
    parameters = widget.result.provenance.parameters
    ids = [widget._model.token_id(word) for word in (" cat", " dog")]
    assert (parameters["targets"], parameters["wrong"]) == ((ids[0],), ids[1])
    assert (parameters["units"], parameters["max_nodes"]) == ("neurons", 20)
    assert set(widget.result.texts.values()) == {" cat − dog"}
    widget.target = ""
    assert len(widget.result.provenance.parameters["targets"]) > 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"units": "features"}, "Features need transcoders"),
     ({"max_nodes": 0}, "max_nodes is 0"), ({"target": "no such word"}, "tokens, not one")],
)  # fmt: skip
def test_a_bad_field_is_said_in_the_page(gpt2: Any, fields: dict[str, Any], says: str) -> None:
    widget = hs.AttributionGraph(gpt2, PROMPT, max_nodes=10)
    try:
        for name, value in fields.items():
            setattr(widget, name, value)
        with pytest.raises(hs.HeadscopeError, match=says):
            widget.run()
        assert widget._error is not None
        assert says in widget._error["message"]
    finally:
        widget.close()


def test_another_widgets_study_is_made_again(widget: hs.AttributionGraph, gpt2: Any) -> None:
    node = unit_of(widget)
    before = widget.intervene([node], "scale", 2.0)
    other = hs.AttributionGraph(gpt2, PROMPT, max_nodes=10)
    try:
        assert list(module._KEPT) == [other]
        again = widget.intervene([node], "scale", 2.0)
        assert again.nodes[0].after == pytest.approx(before.nodes[0].after)
        assert list(module._KEPT) == [widget]
    finally:
        other.close()
    widget.close()
    assert not module._KEPT


def test_a_changed_model_is_not_asked(widget: hs.AttributionGraph) -> None:
    bridge = widget._model.bridge
    bridge.add_hook("blocks.1.hook_in", lambda t, hook: t)
    try:
        with pytest.raises(hs.ResultError, match="weights or hooks have changed"):
            widget.intervene([unit_of(widget)])
    finally:
        bridge.reset_hooks()


def test_thresholds_are_shares(widget: hs.AttributionGraph) -> None:
    widget.threshold = {"nodes": 0.5, "edges": 0.9}
    assert dict(widget.result.marks.threshold) == {"nodes": 0.5, "edges": 0.9}
    with pytest.raises(hs.RequestError):
        widget.threshold = {"nodes": 1.5}


def test_the_page_asks(widget: hs.AttributionGraph) -> None:
    asyncio.run(_asks(widget))


async def _asks(widget: hs.AttributionGraph) -> None:
    before = state_of(widget._model.bridge)
    page, graph, node = Page(widget), widget.result, unit_of(widget)
    edge = next(i for i in range(len(graph.edges)) if graph.names[graph.edges.source[i]] == node)
    target = graph.names[graph.edges.target[edge]]
    page.ask(1, "feature", node=node)
    page.ask(2, "intervene", nodes=[node], how="clamp", value=4, frozen=True)
    page.ask(3, "heads", source=node, target=target)
    page.ask(4, "qk", layer=2, head=1, dest=5, src=3)
    page.ask(5, "suggest")
    page.ask(6, "intervene", nodes=["L9F9@9"], how="ablate", value=None, frozen=False)
    await until(lambda: len(page.of_type("reply")) == 6)
    json.dumps([page.reply(i) for i in range(1, 7)], allow_nan=False)
    feature = page.reply(1)["value"]
    assert feature["node"] == node
    assert 0 < feature["activation_density"] <= 1
    done = page.reply(2)["value"]
    for of in done["nodes"]:
        assert of["after"] == pytest.approx(of["predicted"], abs=1e-3)
    assert done["nodes"][0]["text"] == next(iter(graph.texts.values()))
    assert {"text", "before", "after"} == set(done["tokens"][0])
    heads = page.reply(3)["value"]
    value = float(graph["effect"][edge])
    assert all(of["value"] == pytest.approx(of["share"] * value, abs=1e-4) for of in heads["heads"])
    assert heads["note"].startswith(f"Edge {value:.3g}")
    score = page.reply(4)["value"]
    assert {*score} == {"score", "query", "key", "pairs", "note"}
    assert {"query", "key", "value"} == set(score["pairs"][0])
    assert isinstance(page.reply(5)["value"]["groups"], list)
    assert page.reply(6)["error"]["message"] == "There is no node 'L9F9@9' on this prompt."
    assert state_of(widget._model.bridge) == before
