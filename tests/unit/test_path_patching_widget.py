"""`PathPatching`: from fields to requests, and what the page is told of a bad one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import headscope as hs
from headscope.analyses.patch_outcome import outcome

CLEAN, CORRUPTED = "the cat sat on the mat", "the dog sat on the mat"


@pytest.fixture
def widget(llama: Any) -> Iterator[hs.PathPatching]:
    made = hs.PathPatching(llama, CLEAN, CORRUPTED, answer=" cat", wrong=" dog")
    made.run()
    yield made
    made.close()


def test_by_default_all_senders_to_the_logits(widget: hs.PathPatching) -> None:
    assert widget.result.title == "Path patching: senders to logits, denoising"
    assert widget.result.axes[1].labels == ("H0", "H1", "H2", "H3", "MLP", "embed")


def test_a_sender_turns_the_map_round(widget: hs.PathPatching) -> None:
    widget.sender = "L0H1"
    assert widget.result.title == "Path patching: receivers of L0H1, denoising"
    assert widget.result.axes[1].labels[-2:] == ("MLP", "logits")


def test_every_field_is_in_the_request(widget: hs.PathPatching) -> None:
    widget.receivers = "L2H1.q L1.k"
    widget.freeze_mlps = False
    widget.positions = "1, -1"
    widget.direction, widget.metric = "noising", "log_prob"
    parameters = widget.result.provenance.parameters
    for name, value in {
        "receivers": "L2H1.q L1.k", "sender": None, "freeze_mlps": False, "positions": (1, -1),
        "direction": "noising", "metric": "log_prob", "answer": " cat", "wrong": " dog",
    }.items():  # fmt: skip
        assert parameters[name] == value


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"receivers": "head 9"}, "no component 'head'"),
        ({"receivers": "L9H0.q"}, "no L9H0.q"),
        ({"receivers": "logits", "sender": "L0H1"}, "both given"),
        ({"positions": "last"}, "'last' are no positions"),
        ({"positions": "40"}, "positions has 40"),
    ],
)
def test_a_bad_field_is_said_in_the_page_and_can_be_mended(
    widget: hs.PathPatching, fields: dict[str, Any], says: str
) -> None:
    before = widget.result
    for name, value in fields.items():
        setattr(widget, name, value)
    with pytest.raises(hs.RequestError, match=says):
        widget.run()
    assert widget.status["state"] == "error"
    assert widget._error is not None
    assert says in widget._error["message"]
    for name in fields:
        setattr(widget, name, "")
    np.testing.assert_allclose(widget.run()["metric"], before["metric"], atol=1e-5)


@pytest.mark.parametrize("receivers", ["logits", "L2H1.q"])
def test_a_cell_shows_what_its_path_does(widget: hs.PathPatching, receivers: str) -> None:
    widget.receivers = receivers
    result = widget.run()
    cell = (1, 2)
    found = widget.outcome(*cell)
    assert found.label == f"L1H2 to {receivers}"
    assert found.exact == pytest.approx(result["effect"][cell], abs=1e-5)
    told = {term.label: term.value for term in result.baselines}
    assert found.metric == pytest.approx({**told, "patched": float(result["metric"][cell])}, 1e-5)
    assert found.estimate is None
    best = max(found.tokens, key=lambda token: token.clean)
    assert best.token_id == result.next_tokens[0].token_id
    assert best.clean == pytest.approx(result.next_tokens[0].probability, abs=1e-5)
    # Of two tokens the logits of the patched run tell the metric.
    shares = {token.text: token.patched for token in found.tokens}
    gap = np.log(shares[" cat"]) - np.log(shares[" dog"])
    assert gap == pytest.approx(found.metric["patched"], abs=1e-4)


def test_a_cell_is_computed_when_asked_for(widget: hs.PathPatching) -> None:
    """Also while its turn has not come, and where no path is."""
    whole = widget.run()
    widget._model.forget_runs()
    study = widget._studies(widget._effects.requests[0])
    for part in (study.prepare, study.record, study.lay_out):
        for _ in study.on_one_model(part()):
            pass
    left = int((study.states == 1).sum())
    assert outcome(study, (0, 1)).exact == pytest.approx(whole["effect"][0, 1], abs=1e-5)
    assert (study.states == 1).sum() == left - 1
    with pytest.raises(hs.RequestError, match="nothing to patch"):
        outcome(study, (1, 5))  # embed is in layer 0 only
    with pytest.raises(hs.RequestError, match="no cell"):
        outcome(study, (0, 6))


def test_its_status_says_whether_it_is_paused(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headscope.widgets.base.FIRST_BUDGET_S", 0.0)
    made = hs.PathPatching(llama, CLEAN, CORRUPTED, answer=" cat", wrong=" dog")
    try:
        said = [made._status["paused"]]
        for act in (made.pause, made.resume, made.pause, made.run):
            act()
            said.append(made._status["paused"])
        assert said == [False, True, False, True, False]
    finally:
        made.close()


def test_lists_are_written_into_the_fields_and_a_set_runs_whole(llama: Any) -> None:
    pairs = [
        hs.Pair(CLEAN, CORRUPTED, " cat", " dog"),
        hs.Pair("the mat sat on the mat", CORRUPTED, " mat", " dog"),
    ]
    made = hs.PathPatching(llama, pairs, receivers=["L2H1.q", "MLP2"], positions=[1, -1])
    try:
        assert (made.receivers, made.positions) == ("L2H1.q, MLP2", "1, -1")
        assert made.result.axes[0].labels[0] == "mean"
        made.answer = " mat"
        assert made.result.axes[0].name == "layer"  # an edited pair stands for itself
    finally:
        made.close()


@pytest.mark.parametrize("given", [-1, [-1], "-1"])
def test_one_position_needs_no_list(llama: Any, given: Any) -> None:
    made = hs.PathPatching(llama, CLEAN, CORRUPTED, positions=given, answer=" cat", wrong=" dog")
    assert made.run().provenance.parameters["positions"] == (-1,)
    made.close()
