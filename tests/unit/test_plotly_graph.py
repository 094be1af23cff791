"""Graphs as Plotly figures: signs, kinds, what a hover may hold, and the budget of edges."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from headscope.errors import ResultError
from headscope.export import plotly_graph
from headscope.results import Marks
from tests.golden import build
from tests.unit.test_circuit_graph import GOOD, graph


def lines(figure):
    """The ends of every line drawn, by the name of its trace."""
    found = {}
    for trace in figure.data:
        if trace.mode == "lines":
            x, y = np.reshape(trace.x, (-1, 3)), np.reshape(trace.y, (-1, 3))
            assert np.isnan(x[:, 2]).all()
            found[trace.name] = np.stack([x[:, :2], y[:, :2]], -1)
    return found


def places(figure):
    """Where each node stands, by the first line of its hover."""
    return {
        text.split("<br>")[0]: (x, y)
        for trace in figure.data
        if trace.mode == "markers"
        for text, x, y in zip(trace.text, trace.x, trace.y, strict=True)
    }


def test_edges_are_drawn_by_sign_between_their_nodes_and_upwards():
    made = dataclasses.replace(build.circuit_graph(), marks=Marks())
    figure = made.to_plotly()
    drawn, at = lines(figure), places(figure)
    assert set(drawn) == {"positive edge", "negative edge"}
    ends = {
        sign: {
            (at[made.names[s]], at[made.names[t]])
            for s, t, kept, v in zip(made.edges.source, made.edges.target, made.edges.kept,
                                     made["effect"], strict=True)
            if kept and np.sign(v) == sign
        }
        for sign in (1, -1)
    }  # fmt: skip
    for sign, name in ((1, "positive edge"), (-1, "negative edge")):
        assert {tuple(map(tuple, edge)) for edge in drawn[name]} == ends[sign]
        assert (drawn[name][:, 0, 1] < drawn[name][:, 1, 1]).all()
    assert len(set(at.values())) == len(at), "no two nodes in one place"


def test_kinds_are_told_apart_without_colour():
    for made in (build.circuit_graph(), graph(*GOOD)):
        marks = [t for t in made.to_plotly().data if t.mode == "markers"]
        symbols = {trace.name: trace.marker.symbol for trace in marks}
        assert len(set(symbols.values())) >= len(symbols) - 1  # inputs and outputs are squares
        assert len({trace.marker.color for trace in marks}) == 1


def test_text_of_a_graph_is_never_markup():
    evil = "<img src=x onerror=alert(1)>%{x}"
    made = build.circuit_graph()
    made = dataclasses.replace(
        made, title=evil, texts={"L0F12@1": evil}, marks=Marks(labels={"token@1": evil})
    )
    figure = made.to_plotly()
    assert "<img" not in figure.to_json()
    assert "\\u003cimg" not in figure.to_json()
    hovers = [trace.hovertemplate for trace in figure.data if trace.mode == "markers"]
    assert set(hovers) == {"%{text}<extra></extra>"}, "text is put in as text, not as a template"


def test_the_budget_keeps_the_largest_edges_and_says_so(monkeypatch):
    monkeypatch.setattr(plotly_graph, "_MOST_EDGES", 3)
    figure = build.circuit_graph().to_plotly()
    assert sum(len(edges) for edges in lines(figure).values()) == 3
    assert "3 of 9 edges" in figure.layout.title.text
    figure = build.circuit_graph().to_plotly(kept=False)
    assert "3 of 10 edges" in figure.layout.title.text


def test_measures_are_chosen_and_what_is_missing_says_so():
    made = build.circuit_graph()
    (only,) = lines(made.to_plotly(measure="exact")).values()
    assert len(only) == 1
    with pytest.raises(ResultError, match="no measure 'eap'"):
        made.to_plotly(measure="eap")
    nothing = dataclasses.replace(made, edges=dataclasses.replace(
        made.edges, kept=np.zeros(len(made.edges), np.uint8)))  # fmt: skip
    with pytest.raises(ResultError, match="kept=False"):
        nothing.to_plotly()
