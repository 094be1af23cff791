"""A result with no model behind it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headscope as hs
from headscope.errors import RequestError, ResultError
from headscope.wire import decode
from tests.golden import build
from tests.pages import unpack
from tests.unit.page import Page

RESULTS = {"grid": build.grid, "patterns": build.patterns}


@pytest.mark.parametrize(("kind", "bundle"), [("grid", "widget"), ("patterns", "attention")])
def test_it_shows_a_result_and_asks_for_no_model(kind: str, bundle: str, tmp_path: Path) -> None:
    result = RESULTS[kind]()
    for given in (result, result.save(tmp_path / kind), str(tmp_path / f"{kind}.safetensors")):
        view = hs.ResultView(given)
        state = view.get_state()
        assert decode(state["_result"]).title == result.title
        assert (state["prompt"], state["_fields"], state["_asks"]) == (None, [], [])
        assert (state["_status"]["state"], state["_view_bundle"]) == ("done", bundle)
        assert view.run() is view.result
        page = Page(view)
        page.ask(1, "head", layer=0, head=0)
        assert page.reply(1)["error"]["kind"] == "RequestError"
        page.write(view={"heatmap_measure": "effect"}, selection={"layer": 1, "head": 0})
        saved, shipped = unpack(view.freeze().text)
        assert (saved["widget"], saved["selection"]["layer"]) == ("ResultView", 1)
        assert shipped.provenance == result.provenance
        view.close()
        assert repr(view) == "ResultView(closed)"
        with pytest.raises(ResultError, match="This widget is closed"):
            _ = view.result


def test_a_difference_of_attention_is_frozen_with_every_weighting(gpt2: Any) -> None:
    one, other = (hs.AttentionPatterns(gpt2, text).result for text in ("the cat", "the dog"))
    less = hs.difference(one, other)
    view = hs.ResultView(less)
    found = unpack(view.freeze().text)[1]
    assert found.signed
    for held, sent in zip(less.heads, found.heads, strict=True):
        np.testing.assert_allclose(sent.weights, held.weights, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(sent.weighted, held.weighted, rtol=1e-3, atol=1e-6)
    svg = view.to_svg()
    assert "Δ attention" in svg
    view.close()


def test_what_it_cannot_show_is_refused(tmp_path: Path) -> None:
    graph = build.circuit_graph()
    with pytest.raises(RequestError, match="result cannot be CircuitGraph"):
        hs.ResultView(graph)
    with pytest.raises(ResultError, match=r"This is a graph. Pass it to hs.GraphView"):
        hs.ResultView(graph.save(tmp_path / "graph"))
    with pytest.raises(ResultError, match="There is no file"):
        hs.ResultView(tmp_path / "none.safetensors")
    one = build.patterns()
    with pytest.raises(ResultError, match=r"The masks differ: 'causal' stands where 'none' does"):
        hs.difference(one, dataclasses.replace(one, causal=False))
