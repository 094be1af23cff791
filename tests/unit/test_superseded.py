"""A cell that is run again leaves no result behind, and takes none that is still shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pytest
from IPython.core.events import EventManager
from ipywidgets.widgets.widget import _instances

import headscope as hs
from headscope.widgets import superseded
from headscope.widgets.core import Core
from tests.golden import build
from tests.unit.page import Page

Run = Callable[..., None]


class Shell:
    """What IPython's shell tells of the cell that runs."""

    def __init__(self) -> None:
        self.events = EventManager(self, {"post_run_cell": lambda _result: None})
        self.kernel = self
        self.parent: dict[str, Any] = {}
        self.runs = 0

    def get_parent(self) -> dict[str, Any]:
        return self.parent

    def run(self, cell: str | None, *shown: Any) -> None:
        """Run a cell that shows some widgets."""
        self.runs += 1
        metadata = {"cellId": cell} if cell else {}
        self.parent = {"header": {"msg_id": f"run {self.runs}"}, "metadata": metadata}
        for widget in shown:
            widget._repr_mimebundle_()
        self.events.trigger("post_run_cell", None)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    shell = Shell()
    monkeypatch.setattr(superseded, "_shell", lambda: shell)
    return shell.run


@pytest.fixture
def new() -> Iterator[Callable[[], Any]]:
    made: list[Any] = []

    def make() -> Any:
        made.append(hs.GraphView(build.circuit_graph()))
        return made[-1]

    yield make
    for widget in made:
        widget.close()


def test_a_cell_run_again_takes_the_result_of_its_last_widget_out_of_the_page(
    run: Run, new: Callable[[], Any]
) -> None:
    first, second = new(), new()
    run("a", first)
    assert first._result
    run("b")
    assert first._result, "another cell's run says nothing"
    run("a", second)
    assert (first._result, bool(second._result)) == ({}, True)
    assert first.result.names == second.result.names, "Python still has it"
    run("a")
    assert second._result == {}, "the cell shows nothing any more"
    run("c", first)
    assert first._result["header"]["kind"] == "circuit_graph", "shown again"


def test_what_is_shown_elsewhere_stays(run: Run, new: Callable[[], Any]) -> None:
    twice, boxed, captured, unknown = new(), new(), new(), new()
    run("a", twice, boxed)
    run("b", twice)
    box = ipywidgets.VBox([boxed])
    output = ipywidgets.Output()
    output.msg_id = "anything"
    run("a", captured)
    output.msg_id = ""
    run("a")
    run(None, unknown)
    run("a")
    for widget in (twice, boxed, captured, unknown):
        assert widget._result
    run("b")
    assert twice._result == {}
    box.close()
    output.close()


def test_what_is_in_panes_stays_for_as_long_as_they_do(run: Run, new: Callable[[], Any]) -> None:
    graph = new()
    panes = hs.Panes({"Graph": graph})
    run("a", graph)
    run("b", panes)
    run("a")
    assert graph._result
    run("b")
    assert graph._result == {}
    run("c", panes)
    assert graph._result
    panes.close()


def test_what_is_shown_alone_too_outlives_its_panes(run: Run, new: Callable[[], Any]) -> None:
    graph = new()
    one, other = hs.Panes({"Graph": graph}), hs.Panes({"Graph": graph})
    run("a", one)
    run("b", graph)
    run("c", other)
    run("a")
    run("b")
    assert graph._result, "the other panes show it"
    run("b", graph)
    run("c")
    assert graph._result
    run("b")
    assert graph._result == {}, "neither panes are shown"
    one.close()
    other.close()


def test_a_page_that_shows_it_still_gets_it_back(run: Run, new: Callable[[], Any]) -> None:
    widget = new()
    page = Page(widget)
    run("a", widget)
    run("a")
    assert page.state["_result"] == {}
    page.send(type="need_result")
    assert page.state["_result"]["header"]["kind"] == "circuit_graph"


def test_a_result_that_comes_after_its_widget_was_put_down_waits(gpt2: Any, run: Run) -> None:
    widget = hs.LogitLens(gpt2, "the cat")
    widget.run()
    run("a", widget)
    run("a")
    widget.prompt = "the dog"
    assert widget.run().provenance.prompts[0].text == "the dog"
    assert widget._result == {}
    run("b", widget)
    assert widget._result["header"]["data"]["provenance"]["prompts"][0]["text"] == "the dog"
    widget.close()


def test_fifty_widgets_take_three_megabytes_beyond_their_data(gpt2: Any) -> None:
    """As JupyterLab saves them: the whole state of each, and the hidden cores once."""
    before = set(_instances)
    kinds = [hs.AttentionPatterns, hs.LogitLens]
    widgets: list[Any] = [kinds[i % 2](gpt2, "the cat sat") for i in range(49)]
    widgets.append(hs.GraphView(build.circuit_graph()))
    cores = [one for one in _instances.values() if isinstance(one, Core)]
    mine = [*cores, *(one for key, one in _instances.items() if key not in before)]
    state = ipywidgets.Widget.get_manager_state(widgets=mine)["state"]
    for entry in state.values():
        entry["state"].pop("_result", None)
        entry.pop("buffers", None)
    assert len(json.dumps(state)) < 3_000_000
    per_widget = [len(json.dumps(state[widget.model_id])) for widget in widgets]
    assert max(per_widget) < 8_000
    for widget in widgets:
        widget.close()
