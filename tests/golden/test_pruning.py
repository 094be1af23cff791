"""The page's pruning is checked against this file (`js/test/graph/golden.test.ts`): is it new?"""

from __future__ import annotations

import base64
import json

import numpy as np

from headscope.results import CircuitGraph
from headscope.wire import decode
from tests.golden import pruning


def graph_of(entry: dict) -> CircuitGraph:
    header, buffers = entry["graph"]["header"], entry["graph"]["buffers"]
    graph = decode({"header": header, "buffers": [base64.b64decode(b) for b in buffers]})
    assert isinstance(graph, CircuitGraph)
    return graph


def test_the_file_says_what_python_keeps() -> None:
    for saved, made in zip(
        json.loads(pruning.FILE.read_text("utf-8")), json.loads(pruning.text()), strict=True
    ):
        assert (saved["name"], saved["cases"]) == (made["name"], made["cases"])
        was, now = graph_of(saved), graph_of(made)
        assert was.names == now.names
        assert was.pruning == now.pruning
        for field in ("source", "target", "input"):
            np.testing.assert_array_equal(getattr(was.edges, field), getattr(now.edges, field))
        for old, new in zip(
            (*was.measures, *was.node_measures), (*now.measures, *now.node_measures), strict=True
        ):
            # Sums differ in their last digits between machines.
            np.testing.assert_allclose(old.values, new.values, rtol=1e-5)
