"""What users mark in a graph: validated, read and written on both sides, saved with the result."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import headscope as hs
from headscope.results import Group, Marks, Place
from tests.pages import unpack
from tests.unit.page import Page

MARKED: dict[str, Any] = {
    "pinned": ["L1H0", "MLP2"],
    "groups": [{"label": "movers", "nodes": ["L2H1", "L2H2"]}],
    "labels": {"MLP0": "<b>lookup</b>"},
    "places": [{"node": "logits", "x": 3.5, "y": -2}],
    "threshold": {"edges": 40},
}


@pytest.fixture
def widget(gpt2: Any) -> Iterator[hs.CircuitDiscovery]:
    made = hs.CircuitDiscovery(
        gpt2, "the cat sat", "the dog sat", answer=" cat", wrong=" dog", method="eap"
    )
    made.run()
    yield made
    made.close()


def mark(widget: hs.CircuitDiscovery) -> None:
    for name, value in MARKED.items():
        setattr(widget, name, value)


def test_marks_go_with_the_result_and_compute_nothing(
    widget: hs.CircuitDiscovery, tmp_path: Any
) -> None:
    job = widget.status["job"]
    assert widget.result.marks == Marks()
    mark(widget)
    assert widget.status["job"] == job
    marks = widget.result.marks
    assert marks == Marks(
        ("L1H0", "MLP2"), (Group("movers", ("L2H1", "L2H2")),), {"MLP0": "<b>lookup</b>"},
        (Place("logits", 3.5, -2),), {"edges": 40},
    )  # fmt: skip
    assert hs.load_result(widget.result.save(tmp_path / "graph")).marks == marks
    assert unpack(widget.freeze().text)[0]["marks"] == MARKED
    assert "<b>" not in widget.save_html(tmp_path / "page.html").read_text("utf-8")
    assert widget.run().marks == marks


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("pinned", ["L9H9"], "no node 'L9H9'"),
        ("pinned", [3], "pinned cannot be"),
        ("groups", [{"label": "a"}], "groups cannot be"),
        ("groups", [{"label": "a", "nodes": ["L1H0"]}, {"label": "b", "nodes": ["L1H0"]}],
         "L1H0 is in two groups"),
        ("labels", {"MLP0": 3}, "labels cannot be"),
        ("labels", {"MLP77": "x"}, "no node 'MLP77'"),
        ("places", [{"node": "logits", "x": float("nan"), "y": 0}], "places cannot be"),
        ("places", [{"node": "logits", "x": 1}], "places cannot be"),
        ("threshold", {"nodes": 0.5}, "no threshold 'nodes'"),
        ("threshold", {"edges": -1}, "cannot be -1"),
        ("threshold", {"edges": 1.5}, "cannot be 1.5"),
    ],
)  # fmt: skip
def test_a_mark_that_cannot_be_is_refused_here_and_dropped_from_the_page(
    widget: hs.CircuitDiscovery, name: str, value: Any, says: str
) -> None:
    mark(widget)
    page = Page(widget)
    page.write(**{name: value})
    assert getattr(widget, name) == MARKED[name]
    assert page.state[name] == MARKED[name]
    with pytest.raises(hs.RequestError, match=says):
        setattr(widget, name, value)
    assert getattr(widget, name) == MARKED[name]


def test_the_page_writes_what_python_reads(widget: hs.CircuitDiscovery) -> None:
    page = Page(widget)
    page.write(**MARKED)
    assert {name: getattr(widget, name) for name in MARKED} == MARKED
    assert widget.result.marks.groups == (Group("movers", ("L2H1", "L2H2")),)


def test_marks_of_nodes_that_are_gone_wait_until_they_are_back(
    widget: hs.CircuitDiscovery,
) -> None:
    mark(widget)
    here = widget.result.marks
    widget.positions = True
    assert "MLP1@3" in widget.result
    assert widget.result.marks == Marks(threshold={"edges": 40})
    widget.groups = [{"label": "both", "nodes": ["L2H1", "MLP1@3"]}]
    assert widget.result.marks.groups == (Group("both", ("MLP1@3",)),)
    assert widget.pinned == MARKED["pinned"]
    widget.positions = False
    assert widget.result.marks == replace(here, groups=(Group("both", ("L2H1",)),))


def test_a_mark_changed_in_place_is_refused_in_a_line(widget: hs.CircuitDiscovery) -> None:
    for change in (
        lambda: widget.groups.append({"label": "x"}),  # of what was never assigned, too
        lambda: widget.labels.update({"MLP0": "x"}),
    ):
        with pytest.raises(hs.RequestError, match="not changed in place"):
            change()
    mark(widget)
    for change in (
        lambda: widget.groups[0]["nodes"].append("L1H0"),
        lambda: widget.groups[0].update(label="x"),
        lambda: widget.labels.__setitem__("MLP0", 3),
        lambda: widget.pinned.sort(),
    ):
        with pytest.raises(hs.RequestError, match="not changed in place"):
            change()
    assert {name: getattr(widget, name) for name in MARKED} == MARKED
    page = Page(widget)
    widget.pinned += ["MLP0"]
    widget.labels |= {"MLP1": "next"}
    assert page.state["pinned"] == [*MARKED["pinned"], "MLP0"]
    assert page.state["labels"] == {"MLP0": "<b>lookup</b>", "MLP1": "next"}
    assert type(copy.deepcopy(widget.groups)[0]) is dict
