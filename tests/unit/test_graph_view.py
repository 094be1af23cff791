"""A graph with no model behind it: marks live on both sides, nothing else is asked."""

from __future__ import annotations

import dataclasses

import pytest

import headscope as hs
from headscope.errors import RequestError, ResultError
from headscope.results import Marks
from headscope.wire import decode
from tests.golden import build
from tests.interchange import files
from tests.pages import unpack
from tests.unit.page import Page

GROUP = {"label": "two", "nodes": ["L0F7@3", "L1F12@3"]}


@pytest.fixture
def view():
    made = hs.GraphView(build.circuit_graph())
    yield made
    made.close()


def test_it_shows_a_graph_with_its_marks_and_asks_for_no_model(view):
    graph = build.circuit_graph()
    state = view.get_state()
    assert decode(state["_result"]).names == graph.names
    assert (state["prompt"], state["_fields"], state["_asks"]) == (None, [], [])
    assert state["_status"]["state"] == "done"
    assert state["_view_bundle"] == "graph"
    assert state["_marks"] == ["pinned", "groups", "labels", "places", "threshold"]
    assert state["pinned"] == ["logit10@6"]
    assert state["groups"] == [{"label": "<b>state</b>", "nodes": ["L0F12@1", "L1F12@3"]}]
    assert state["labels"] == {"L0F7@3": "</script>a label"}
    assert state["places"] == [{"node": "L0F7@3", "x": 12.5, "y": -4.0}]
    assert state["threshold"] == {"nodes": 0.5, "edges": 0.75}
    assert files.same(view.result, graph)


def test_page_and_python_write_the_same_marks(view):
    page = Page(view)
    page.write(groups=[GROUP], threshold={"nodes": 0.25})
    assert view.result.marks.groups[0].label == "two"
    view.pinned = ["token@1", "token@1"]
    assert page.state["pinned"] == ["token@1"]
    view.labels |= {"token@1": "start"}
    assert view.result.marks.labels["token@1"] == "start"
    assert view.result.marks.threshold == {"nodes": 0.25}
    assert view.result.names == build.circuit_graph().names


def test_marks_that_cannot_be_are_refused_on_both_sides(view):
    for name, value in (
        ("pinned", ["nowhere"]), ("labels", {3: "x"}), ("groups", [GROUP, GROUP]), ("groups", [{}]),
        ("labels", {"token@1": 3}), ("places", [{"node": "token@1", "x": float("nan"), "y": 0}]),
        ("threshold", {"edges": 2}), ("threshold", {"heads": 1}),
    ):  # fmt: skip
        before = getattr(view, name)
        with pytest.raises(RequestError):
            setattr(view, name, value)
        page = Page(view)
        page.write(**{name: value})
        assert getattr(view, name) == before
        assert page.state[name] == before, "the page is told"


def test_a_question_is_answered_by_an_error_and_a_selection_may_be_linked(view):
    page = Page(view)
    page.ask(1, "edge", source="token@1", target="L0F12@1")
    assert page.reply(1)["error"]["kind"] == "RequestError"
    page.send(type="cancel_job")
    page.send(type="run_job")
    assert view.run().names == view.result.names
    page.write(selection={"layer": 1, "head": 7, "dest": None, "src": None, "token": 3})
    assert view.selection["head"] == 7


def test_files_open_whoever_wrote_them(tmp_path):
    saved = build.circuit_graph().save(tmp_path / "graph")
    for path in (saved, str(saved), build.circuit_graph().save_json(tmp_path / "graph.json")):
        with_marks = hs.GraphView(path)
        assert files.same(with_marks.result, build.circuit_graph())
        with_marks.close()
    foreign = hs.GraphView(files.wrote(tmp_path, files.eap()))
    foreign.threshold = {"edges": 3}
    assert foreign.result.marks.threshold == {"edges": 3}
    with pytest.raises(RequestError, match="whole number"):
        foreign.threshold = {"edges": 2.5}
    foreign.close()
    again = hs.GraphView(hs.load_result(saved))
    assert again.result.names == build.circuit_graph().names
    again.close()


def test_what_is_no_graph_is_refused(tmp_path):
    with pytest.raises(hs.RequestError, match="graph cannot be a Grid"):
        hs.GraphView(build.grid())
    with pytest.raises(ResultError, match="A Grid is no graph"):
        hs.GraphView(build.grid().save(tmp_path / "grid"))
    with pytest.raises(hs.RequestError, match="Give a CircuitGraph or a path"):
        hs.GraphView([])
    with pytest.raises(ResultError, match="There is no file"):
        hs.GraphView(tmp_path / "none.json")


def test_marks_of_nodes_that_are_gone_are_kept(tmp_path):
    stale = dataclasses.replace(build.circuit_graph(), marks=Marks(("L9F9@9",)))
    view = hs.GraphView(stale)
    assert view.pinned == ["L9F9@9"]
    assert view.result.marks == Marks()
    view.close()


def test_it_is_saved_with_its_marks_as_a_page(view, tmp_path):
    view.pinned = ["token@3"]
    saved, shipped = unpack(view.freeze().text)
    assert shipped.marks.pinned == ("token@3",)
    assert (saved["prompt"], saved["marks"]["pinned"]) == (None, ["token@3"])
    text = view.save_html(tmp_path / "graph").read_text(encoding="utf-8")
    assert "Golden graph" in text
    assert "<b>state" not in text


def test_it_closes(view):
    view.close()
    view.close()
    assert repr(view) == "GraphView(closed)"
    assert view._result == {}
    with pytest.raises(ResultError, match="closed"):
        view.result  # noqa: B018
