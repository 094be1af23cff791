"""Widgets in panes of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import headscope as hs
from tests.golden import build
from tests.unit.page import Page


@pytest.fixture
def graph() -> Iterator[Any]:
    view = hs.GraphView(build.circuit_graph())
    yield view
    view.close()


def test_the_page_is_told_where_to_find_each_widget(graph: Any) -> None:
    other = hs.GraphView(build.circuit_graph())
    panes = hs.Panes({"One": graph, "Other": other}, columns=[["Other"], ["One"]])
    sent = panes.get_state(["_panes"])["_panes"]
    assert [pane["title"] for pane in sent] == ["One", "Other"]
    assert [pane["widget"] for pane in sent] == [
        f"anywidget:{widget.model_id}" for widget in (graph, other)
    ]
    assert panes.view == {"columns": [["Other"], ["One"]]}
    page = Page(panes)
    page.write(view={"collapsed": ["One"]})
    assert panes.view["collapsed"] == ["One"]
    panes.close()
    assert graph.result is not None, "what was in the panes lives on"
    assert panes._outdated not in graph._trait_notifiers["_result"]["change"]
    other.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: hs.Panes({}), "hold widgets, not nothing"),
        (lambda _: hs.Panes({"A": "lens"}), "hold widgets, not a str"),
        (lambda graph: hs.Panes({"A": graph}, columns=[["B"]]), "no pane 'B'. There are A"),
    ],
)
def test_what_cannot_be_in_panes_is_refused(
    graph: Any, make: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(hs.RequestError, match=words):
        make(graph)
