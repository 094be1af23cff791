"""`CircuitDiscovery`: from fields to requests, what is marked, and what is asked of a circuit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

import headscope as hs
from headscope.widgets import circuit_discovery as module
from tests.analyses.test_left_as_found import state_of
from tests.unit.page import Page, until

CLEAN, CORRUPTED = "the cat sat on the mat", "the dog sat on the mat"


@pytest.fixture
def widget(llama: Any) -> Iterator[hs.CircuitDiscovery]:
    made = hs.CircuitDiscovery(
        llama, CLEAN, CORRUPTED, answer=" cat", wrong=" dog", n_edges=60, ig_steps=2
    )
    made.run()
    yield made
    made.close()


def test_every_field_is_in_the_request(widget: hs.CircuitDiscovery) -> None:
    widget.method, widget.ig_steps, widget.ablation = "eap", 3, "zero"
    widget.metric, widget.rule, widget.least, widget.signed = "log_prob", "threshold", "0.002", True
    widget.neurons = [1]
    parameters = widget.result.provenance.parameters
    for name, value in {
        "method": "eap", "ig_steps": 3, "ablation": "zero", "metric": "log_prob",
        "rule": "threshold", "least": 0.002, "signed": True, "answer": " cat", "wrong": " dog",
        "neurons": "[1]",
    }.items():  # fmt: skip
        assert parameters[name] == value
    assert widget.result.pruning.rule == "threshold"


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"least": "much"}, "least cannot be 'much'"),
     ({"neurons": "L1"}, "'L1' are no layers"),
     ({"corrupted": "the dog"}, "tokens, the corrupted one")],
)  # fmt: skip
def test_a_bad_field_is_said_in_the_page(
    widget: hs.CircuitDiscovery, fields: dict[str, Any], says: str
) -> None:
    for name, value in fields.items():
        setattr(widget, name, value)
    with pytest.raises(hs.RequestError, match=says):
        widget.run()
    assert widget._error is not None
    assert says in widget._error["message"]


def test_an_edge_is_patched_exactly_and_stays_in_the_result(widget: hs.CircuitDiscovery) -> None:
    graph = widget.result
    edge = int(np.abs(graph["eap_ig_inputs"]).argmax())
    source, target, letter = module._ends(graph, edge)
    lost = widget.exact_edge(source, target, letter)
    again = hs.CircuitDiscovery(
        widget._model.bridge, CLEAN, CORRUPTED, answer=" cat", wrong=" dog", n_edges=60,
        ig_steps=2, n_exact=1,
    )  # fmt: skip
    try:
        assert again.result["exact"][edge] == pytest.approx(lost, abs=1e-5)
    finally:
        again.close()
    known = widget.result["exact"]
    assert known[edge] == pytest.approx(lost)
    assert np.isnan(np.delete(known, edge)).all()
    with pytest.raises(hs.RequestError, match=r"no edge logits -> embed"):
        widget.exact_edge("logits", "embed")


def test_a_circuit_is_run_where_the_slider_stands(widget: hs.CircuitDiscovery) -> None:
    as_computed = widget.circuit()
    assert as_computed.kept == widget.result.edges.kept.sum()
    everything = widget.circuit({"edges": 10**6})
    assert everything.faithfulness == 1.0
    assert everything.completeness == pytest.approx(0.0, abs=1e-5)
    nothing = widget.circuit({"edges": 0})
    assert (nothing.faithfulness, nothing.kept) == (0.0, 0)
    assert nothing.completeness == pytest.approx(1.0, abs=1e-5)
    widget.threshold = {"edges": 0}
    assert widget.circuit() == nothing


def test_what_is_measured_later_is_in_the_result_and_in_files(
    widget: hs.CircuitDiscovery, tmp_path: Any
) -> None:
    before = widget.result
    outcome = widget.circuit({"edges": 33})
    by_size, by_score = widget.curve()
    losses = widget.minimality({"edges": 33})
    path = widget.result.save(tmp_path / "circuit")
    for graph in (widget.result, hs.load_result(path)):
        assert isinstance(graph, hs.CircuitGraph)
        (visited,) = [p for p in graph.faithfulness if (p.requested, p.by) == (33, "magnitude")]
        assert asdict(outcome).items() <= asdict(visited).items()
        assert {p.requested for p in by_score.points} <= {
            p.requested for p in graph.faithfulness if p.by == "score"
        }
        scores = {term.label: term.value for term in graph.scores}
        assert scores == {"CPR": by_score.cpr, "CMD": by_size.cmd}
        known = {
            module._ends(graph, e): float(loss)
            for e, loss in enumerate(graph["loss"]) if not np.isnan(loss)
        }  # fmt: skip
        assert known == pytest.approx(losses)
    # Asked again, nothing is there twice.
    widget.curve()
    again = widget.circuit({"edges": 33})
    assert again == outcome
    points = [(p.requested, p.by) for p in widget.result.faithfulness]
    assert len(points) == len(set(points))
    assert set(before.faithfulness) <= set(widget.result.faithfulness)


def test_asked_for_and_kept_are_what_was_chosen_and_what_is_left(
    widget: hs.CircuitDiscovery,
) -> None:
    widget.n_edges = 30
    graph = widget.run()
    outcome = widget.circuit()
    assert (outcome.requested, outcome.kept) == (30, graph.edges.kept.sum())
    assert outcome.kept < 30
    (own,) = [point for point in widget.result.faithfulness if point.by == "rule"]
    assert asdict(outcome).items() <= asdict(own).items()
    assert widget.circuit({"edges": 30}) == outcome


def test_a_threshold_ranks_as_the_rule_does(widget: hs.CircuitDiscovery) -> None:
    widget.signed = True
    own = widget.run()
    assert widget.circuit({"edges": 60}).kept == own.edges.kept.sum()
    kept = own["eap_ig_inputs"][own.edges.kept > 0]
    assert (kept > 0).all()
    losses = widget.minimality({"edges": 60})
    assert set(losses) == {module._ends(own, e) for e in np.flatnonzero(own.edges.kept)}


def test_minimality_is_what_is_lost_without_each_edge(widget: hs.CircuitDiscovery) -> None:
    losses = widget.minimality({"edges": 40})
    assert len(losses) == widget.circuit({"edges": 40}).kept
    assert list(losses.values()) == sorted(losses.values(), reverse=True)


def test_another_widgets_study_is_made_again(widget: hs.CircuitDiscovery, llama: Any) -> None:
    before = widget.circuit({"edges": 50})
    other = hs.CircuitDiscovery(llama, CORRUPTED, CLEAN, answer=" dog", wrong=" cat", method="eap")
    try:
        assert list(module._KEPT) == [other]
        again = widget.circuit({"edges": 50})
        assert again.faithfulness == pytest.approx(before.faithfulness, abs=1e-5)
        assert list(module._KEPT) == [widget]
    finally:
        other.close()
    widget.close()
    assert not module._KEPT


def test_a_changed_model_is_not_asked(widget: hs.CircuitDiscovery) -> None:
    bridge = widget._model.bridge
    bridge.add_hook("blocks.1.hook_in", lambda t, hook: t)
    try:
        with pytest.raises(hs.ResultError, match="weights or hooks have changed"):
            widget.circuit()
    finally:
        bridge.reset_hooks()


def test_the_page_asks(widget: hs.CircuitDiscovery) -> None:
    asyncio.run(_asks(widget))


async def _asks(widget: hs.CircuitDiscovery) -> None:
    before = state_of(widget._model.bridge)
    page = Page(widget)
    graph = widget.result
    edge = int(np.abs(graph["eap_ig_inputs"]).argmax())
    source, target, letter = module._ends(graph, edge)
    page.ask(1, "edge", source=source, target=target, input=letter)
    page.ask(2, "circuit", threshold={"edges": 50})
    page.ask(3, "curve")
    page.ask(4, "minimality", threshold={})
    page.ask(5, "suggest")
    page.ask(6, "circuit", threshold={"share": 1})
    page.ask(7, "ping")
    await until(lambda: len(page.of_type("reply")) == 7)
    assert set(page.reply(7)["value"]) <= {3, 4, 7}  # what the kernel is at, that takes steps
    one = page.reply(1)["value"]
    assert one["estimate"] == pytest.approx(float(graph["eap_ig_inputs"][edge]))
    assert one["exact"] == widget.exact_edge(source, target, letter)
    assert one["unit"] == "logits"
    assert "exact" in str(page.state["_result"])  # the page has it too
    assert page.reply(2)["value"]["requested"] == 50
    curve = page.reply(3)["value"]
    assert curve["points"][-1]["faithfulness"] == 1.0
    assert {"fraction", "requested", "kept", "metric", "faithfulness"} <= set(curve["points"][0])
    assert curve["cmd"] >= 0
    assert len(page.reply(4)["value"]["edges"]) == graph.edges.kept.sum()
    assert page.reply(5)["value"]["groups"] == [
        {"label": group.label, "nodes": list(group.nodes)} for group in widget.suggest_groups()
    ]
    assert "no threshold 'share'" in page.reply(6)["error"]["message"]
    assert state_of(widget._model.bridge) == before


def test_edges_by_position_are_asked_for_like_others(llama: Any) -> None:
    widget = hs.CircuitDiscovery(
        llama, CLEAN, CORRUPTED, answer=" cat", wrong=" dog", n_edges=60, ig_steps=2, positions=True
    )
    graph = widget.run()
    edge = int(np.abs(graph["eap_ig_inputs"]).argmax())
    source, target = (graph.names[ends[edge]] for ends in (graph.edges.source, graph.edges.target))
    letter = ("", "q", "k", "v")[graph.edges.input[edge]]
    exact = widget.exact_edge(source, target, letter)
    assert widget.result["exact"][edge] == pytest.approx(exact)
    outcome = widget.circuit()
    assert outcome.kept == graph.edges.kept.sum()
    points = {point.requested: point for point in graph.faithfulness}
    assert outcome.faithfulness == pytest.approx(points[60].faithfulness)
    assert len(widget.minimality()) == outcome.kept
    assert widget.circuit({"edges": 5}).requested == 5
    widget.close()
