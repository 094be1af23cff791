"""What all widgets share, with an analysis that does as it is told."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import traitlets as t

import headscope as hs
from headscope.errors import (
    Cancelled,
    HeadscopeError,
    ModelError,
    PromptError,
    RequestError,
    ResultError,
)
from headscope.jobs import Step, Steps
from headscope.model.runs import LOGITS, Site
from headscope.results import Grid
from headscope.widgets.base import HeadscopeWidget
from headscope.widgets.page import synced
from headscope.wire import decode
from headscope.wire.messages import FieldSpec
from tests.golden import build
from tests.unit.page import Page, until


@dataclasses.dataclass(frozen=True)
class Request:
    prompt: Any
    steps: int


class Scripted(HeadscopeWidget[Grid]):
    """Takes `steps` steps of `SECONDS` and returns a grid that says for which prompt."""

    fields: ClassVar[tuple[FieldSpec, ...]] = (
        {"name": "steps", "title": "Steps", "type": "integer", "choices": [], "help": ""},
    )
    steps: int = synced(t.Int(2))
    SECONDS: ClassVar[float] = 0.0

    open_steps: ClassVar[int] = 0
    threads: ClassVar[set[int]] = set()
    computed: ClassVar[list[Request]] = []

    def _request(self, prompt: Any) -> Request:
        if self.steps < 0:
            raise RequestError("There cannot be fewer than 0 steps.", "Take more.")
        return Request(prompt, self.steps)

    def _analyse(self, request: Request) -> Steps[Grid]:
        prompt = self._model.tokenize(request.prompt)
        Scripted.computed.append(request)
        Scripted.open_steps += 1
        try:
            for i in range(request.steps):
                time.sleep(self.SECONDS)
                yield Step(i / request.steps)
        finally:
            Scripted.open_steps -= 1
            Scripted.threads.add(threading.get_ident())
        if request.steps == 13:
            raise ZeroDivisionError("unlucky\nsecond line")
        if request.steps == 14:
            raise ModelError("This model is not up to it.", "Take another.")
        grid = build.grid()
        ran = dataclasses.replace(grid.provenance, prompts=(prompt,))
        return dataclasses.replace(grid, provenance=ran, alignment=None)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("headscope.widgets.base.FIRST_BUDGET_S", 0.25)
    Scripted.computed.clear()
    Scripted.threads.clear()
    Scripted.SECONDS = 0.0
    yield
    assert Scripted.open_steps == 0, "steps were left open"


@pytest.fixture
def make(gpt2: Any) -> Iterator[Any]:
    made: list[Scripted] = []

    def build_widget(prompt: Any = "the cat", **kwargs: Any) -> Scripted:
        made.append(Scripted(gpt2, prompt, **kwargs))
        return made[-1]

    yield build_widget
    for widget in made:
        widget.close()


# Without a loop: scripts.


def test_the_first_result_is_there_at_once(make: Any) -> None:
    widget = make()
    assert widget.status["state"] == "done"
    assert widget.status["job"] == 1
    assert widget.result.provenance.prompts[0].text == "the cat"
    assert decode(widget._result).provenance == widget.result.provenance
    assert widget._widget == "Scripted"
    assert widget._fields == list(Scripted.fields)


@pytest.mark.parametrize("read", [lambda w: w.run(), lambda w: w.result], ids=["run", "result"])
def test_a_slow_first_result_is_finished_on_demand_and_not_begun_again(
    make: Any, read: Any
) -> None:
    Scripted.SECONDS = 0.02
    began = time.perf_counter()
    widget = make(steps=40)
    assert time.perf_counter() - began < 0.6
    assert widget.status["state"] == "running"
    assert 0 < widget.status["fraction"] < 1
    assert read(widget) is widget.result
    assert widget.status["state"] == "done"
    assert len(Scripted.computed) == 1
    assert widget.status["job"] == 1


@pytest.mark.parametrize("read", [lambda w: w.run(), lambda w: w.result], ids=["run", "result"])
def test_reading_after_an_edit_computes_what_was_edited(make: Any, read: Any) -> None:
    widget = make()
    widget.prompt = "the dog"
    assert read(widget).provenance.prompts[0].text == "the dog"
    assert widget.status["job"] == 2


def test_run_computes_again_because_the_weights_may_have_changed(make: Any) -> None:
    widget = make()
    widget.run()
    assert len(Scripted.computed) == 2


def test_an_interrupt_during_run_cancels(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = make()

    def interrupted(_self: Any, _request: Any) -> Steps[Grid]:
        yield Step(0.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(Scripted, "_analyse", interrupted)
    with pytest.raises(KeyboardInterrupt):
        widget.run()
    assert widget.status["state"] == "cancelled"


@pytest.mark.parametrize("stopped", ["interrupt", "cancel"])
def test_what_a_cancelled_computation_had_is_the_result_and_is_shown(
    make: Any, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    widget = make()
    page = Page(widget)
    parts = [dataclasses.replace(build.grid(), title=title) for title in ("first", "last")]

    def in_parts(_self: Any, _request: Any) -> Steps[Grid]:
        for part in parts:
            yield Step(0.1, partial=part)  # sooner than progress is reported
        if stopped == "interrupt":
            raise KeyboardInterrupt
        widget.cancel()
        yield Step(0.2)
        return build.grid()

    monkeypatch.setattr(Scripted, "_analyse", in_parts)
    widget.steps = 3
    with pytest.raises(KeyboardInterrupt if stopped == "interrupt" else Cancelled):
        widget.run()
    assert widget.status["state"] == "cancelled"
    assert widget.result.title == "last"
    assert page.state["_result"]["header"]["data"]["title"] == "last"


def test_run_cancelled_from_another_thread_raises(make: Any) -> None:
    widget = make()
    page = Page(widget)
    Scripted.SECONDS = 0.01
    widget.steps = 1000
    timer = threading.Timer(0.1, page.send, kwargs={"type": "cancel_job"})
    timer.start()
    with pytest.raises(Cancelled):
        widget.run()
    timer.join()
    assert page.state["_status"]["state"] == "cancelled"
    assert Scripted.threads == {threading.get_ident()}


# Errors.


def test_a_model_error_is_raised_by_the_constructor(gpt2: Any) -> None:
    with pytest.raises(ModelError, match="TransformerBridge"):
        Scripted("gpt2", "the cat")
    with pytest.raises(ModelError, match="not up to it"):
        Scripted(gpt2, "the cat", steps=14)


def test_a_model_in_training_mode_is_refused(gpt2: Any) -> None:
    gpt2.train()
    try:
        with pytest.raises(ModelError, match="training mode"):
            Scripted(gpt2, "the cat")
    finally:
        gpt2.eval()


@pytest.mark.parametrize(
    ("prompt", "fields", "kind"),
    [
        ("", {}, PromptError),
        ("cat " * 200, {}, PromptError),
        ([0, 10**6], {}, PromptError),
        ("the cat", {"steps": -1}, RequestError),
        ("the cat", {"steps": 13}, ZeroDivisionError),
    ],
)
def test_what_the_page_can_mend_is_shown_there_and_raised_by_run(
    make: Any, prompt: Any, fields: dict[str, Any], kind: type[Exception]
) -> None:
    widget = make(prompt, **fields)
    assert widget.status["state"] == "error"
    assert isinstance(widget.last_error, kind)
    assert widget.last_error.__traceback__ is not None
    assert widget._error["kind"] == kind.__name__
    assert "\n" not in widget._error["message"]
    assert widget._error["hint"]
    with pytest.raises(ResultError):
        _ = widget.result
    with pytest.raises(kind):
        widget.run()
    widget.prompt, widget.steps = "the dog", 1
    assert widget.run() is widget.result
    assert (widget._error, widget.last_error) == (None, None)


def test_an_error_leaves_the_last_picture_but_no_result(make: Any) -> None:
    widget = make()
    before = widget._result
    widget.prompt = ""
    with pytest.raises(PromptError):
        widget.run()
    assert widget._result is before
    with pytest.raises(ResultError, match="empty"):
        _ = widget.result


# Prompts.


def test_ids_run_as_given_until_the_text_is_edited(make: Any, gpt2: Any) -> None:
    ids = (0, 221, 67, 65, 84)  # space, c, a, t: " cat" is one token otherwise
    widget = make(list(ids))
    assert widget.result.provenance.prompts[0].token_ids == ids
    text = widget.prompt
    assert tuple(gpt2.to_tokens(text)[0].tolist()) != ids
    widget.steps = 3
    assert widget.run().provenance.prompts[0].token_ids == ids
    widget.prompt = f"{text} sat"
    assert widget.run().provenance.prompts[0].text == f"{text} sat"


def test_a_tensor_of_ids_is_a_prompt(make: Any, gpt2: Any) -> None:
    tokens = gpt2.to_tokens("the cat sat")
    for prompt in (tokens, tokens[0]):
        widget = make(prompt)
        assert widget.prompt == "the cat sat"
        assert widget.result.provenance.prompts[0].token_ids == tuple(tokens[0].tolist())


# Selection.

NOTHING = {
    "layer": None, "head": None, "dest": None, "src": None, "token": None,
    "component": None, "feature": None,
}  # fmt: skip


def test_a_selection_always_has_all_its_fields(make: Any) -> None:
    widget = make(selection={"layer": 1})
    assert widget.selection == {**NOTHING, "layer": 1}
    widget.selection = {"head": 2}
    assert widget.selection == {**NOTHING, "head": 2}
    widget.selection |= {"src": 0}
    assert widget.selection == {**NOTHING, "head": 2, "src": 0}
    widget.selection = {}
    assert widget.selection == NOTHING


@pytest.mark.parametrize(
    "wrong",
    [{"layer": 3}, {"head": -1}, {"dest": 3}, {"token": 1.5}, {"src": "the"}, {"row": 0}],
)
def test_a_selection_out_of_range_is_refused_in_one_line(make: Any, wrong: dict[str, Any]) -> None:
    widget = make(selection={"layer": 2, "token": 2})
    with pytest.raises(RequestError) as refusal:
        widget.selection = wrong
    assert "\n" not in str(refusal.value)
    assert widget.selection == {**NOTHING, "layer": 2, "token": 2}
    with pytest.raises(RequestError):
        make(selection=wrong)


def test_what_a_lagging_page_selects_out_of_range_is_dropped(make: Any) -> None:
    widget = make()
    page = Page(widget)
    page.write(selection={**NOTHING, "layer": 1, "dest": 40})
    assert widget.selection == {**NOTHING, "layer": 1}
    assert page.state["selection"] == widget.selection


def test_positions_that_a_new_prompt_lacks_are_dropped(make: Any) -> None:
    widget = make("the cat sat on the mat", selection={"layer": 1, "dest": 5, "src": 1})
    widget.prompt = "the cat"
    widget.run()
    assert widget.selection == {**NOTHING, "layer": 1, "src": 1}


def test_selections_of_two_widgets_can_be_linked(make: Any) -> None:
    one, other = make(), make()
    t.link((one, "selection"), (other, "selection"))
    one.selection = {"layer": 2, "head": 3}
    assert other.selection == one.selection


# On a loop: notebooks.


def on_loop(work: Any) -> None:
    asyncio.run(work())


def test_an_edit_in_the_page_becomes_one_result(make: Any) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        Scripted.computed.clear()
        page.write(prompt="the dog", steps=3)
        page.write(prompt="the dog sat")
        await until(lambda: page.state.get("_status", {}).get("state") == "done")
        assert Scripted.computed == [Request("the dog sat", 3)]
        assert page.state["_status"]["job"] == 2
        assert widget.result.provenance.prompts[0].text == "the dog sat"
        last = page.of_type("update")[-1]
        assert {"_result", "_status"} <= set(last), "the result and its status come as one"

    on_loop(main)


def test_what_the_page_wrote_is_not_sent_back(make: Any) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        page.write(prompt="the dog", selection={**NOTHING, "layer": 1}, view={"palette": "grey"})
        await until(lambda: "_result" in page.state)
        assert not {"prompt", "selection", "view"} & set(page.state)
        assert not page.of_type("echo_update")

    on_loop(main)


def test_style_never_computes(make: Any) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        Scripted.computed.clear()
        page.write(view={"palette": "grey"})
        widget.view = {"heatmap_table": True}
        widget.selection = {"layer": 1}
        await asyncio.sleep(0.05)
        assert not Scripted.computed
        assert "_result" not in page.state

    on_loop(main)


def test_an_unfinished_first_result_is_handed_to_the_loop(make: Any) -> None:
    async def main() -> None:
        Scripted.SECONDS = 0.01
        widget = make(steps=60)
        assert widget.status["state"] == "running"
        await until(lambda: widget.status["state"] == "done")
        assert len(Scripted.computed) == 1

    on_loop(main)


def test_a_stale_answer_never_comes(make: Any) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        Scripted.SECONDS = 0.01
        for i, prompt in enumerate(["the dog", "the mat", "the cat sat"]):
            page.write(prompt=prompt, steps=10 + 20 * (2 - i))
            await asyncio.sleep(0.08)
        await until(lambda: widget.status["state"] == "done")
        await asyncio.sleep(0.1)
        results = [m for m in page.of_type("update") if "_result" in m]
        assert len(results) == 1
        assert widget.result.provenance.prompts[0].text == "the cat sat"
        jobs = [m["_status"]["job"] for m in page.of_type("update") if "_status" in m]
        assert jobs == sorted(jobs)
        assert Scripted.threads == {threading.get_ident()}

    on_loop(main)


def test_the_page_cancels_and_runs_again(make: Any) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        Scripted.SECONDS = 0.01
        page.write(steps=500)
        await until(lambda: widget.status["state"] == "running")
        page.send(type="cancel_job")
        await until(lambda: page.state["_status"]["state"] == "cancelled")
        assert page.state.get("_error") is None
        with pytest.raises(ResultError, match="cancelled"):
            _ = widget.result
        Scripted.SECONDS = 0.0
        page.send(type="run_job")
        await until(lambda: page.state["_status"]["state"] == "done")
        assert page.state["_status"]["job"] == 3

    on_loop(main)


def test_run_again_in_the_page_forgets_cached_runs_unless_it_was_cancelled(make: Any) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        ids = widget._model.tokenize("the cat").token_ids
        site = Site(LOGITS, 0, 0)
        kept = widget._model.activations(ids, [site])[site]
        Scripted.SECONDS = 0.01
        widget.steps = 100
        await until(lambda: widget.status["state"] == "running")
        page.send(type="cancel_job")
        await until(lambda: page.state["_status"]["state"] == "cancelled")
        Scripted.SECONDS = 0.0
        page.send(type="run_job")
        await until(lambda: page.state["_status"]["state"] == "done")
        assert widget._model.activations(ids, [site])[site] is kept
        page.send(type="run_job")
        await until(lambda: page.state["_status"]["job"] == 4)
        assert widget._model.activations(ids, [site])[site] is not kept

    on_loop(main)


def test_cancel_in_a_cell_takes_effect_at_once(make: Any) -> None:
    async def main() -> None:
        Scripted.SECONDS = 0.01
        widget = make(steps=500)
        widget.cancel()
        assert widget.status["state"] == "cancelled"
        widget.cancel()  # there is nothing left to cancel

    on_loop(main)


def test_run_in_a_cell_finishes_what_the_loop_began(make: Any) -> None:
    async def main() -> None:
        Scripted.SECONDS = 0.01
        widget = make(steps=60)
        widget.run()
        assert widget.status == {
            "job": 1,
            "state": "done",
            "fraction": 1.0,
            "eta_s": None,
            "message": "",
            "paused": None,
        }
        await asyncio.sleep(0.1)
        assert len(Scripted.computed) == 1

    on_loop(main)


def test_progress_waits_for_the_page_and_the_end_comes_last(make: Any) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        Scripted.SECONDS = 0.01
        page.write(steps=60)
        await until(lambda: page.of_type("progress"))
        await asyncio.sleep(0.3)
        assert len(page.of_type("progress")) == 1, "the page has not drawn the first one"
        page.send(type="ack_progress")
        await until(lambda: len(page.of_type("progress")) == 2)
        await until(lambda: page.state["_status"]["state"] == "done")
        assert page.heard[-1]["type"] == "update"
        first, second = (m["status"] for m in page.of_type("progress"))
        assert first["job"] == second["job"] == 2
        assert 0 < first["fraction"] < second["fraction"] < 1
        assert second["eta_s"] > 0

    on_loop(main)


def test_partial_results_are_drawn_but_are_no_result(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        part = dataclasses.replace(build.grid(), title="part")

        def in_parts(_self: Any, _request: Any) -> Steps[Grid]:
            yield Step(0.1, partial=part)
            for _ in range(20):
                time.sleep(0.02)
                yield Step(0.5)
            return build.grid()

        monkeypatch.setattr(Scripted, "_analyse", in_parts)
        page.send(type="run_job")
        await until(lambda: "_result" in page.state)
        assert page.state["_result"]["header"]["data"]["title"] == "part"
        assert widget.result.title == "Golden grid"
        await until(lambda: page.state["_status"]["state"] == "done")
        assert page.state["_result"]["header"]["data"]["title"] == "Golden grid"
        assert len([m for m in page.of_type("update") if "_result" in m]) == 2

    on_loop(main)


def test_messages_on_another_thread_are_brought_home(make: Any) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        home = threading.get_ident()
        seen = []
        widget.observe(lambda _: seen.append(threading.get_ident()), "prompt")

        def deliver() -> None:
            page.write(prompt="the dog")
            page.ask(1, "tokenize", text="the dog sat")

        thread = threading.Thread(target=deliver)
        thread.start()
        thread.join()
        assert not seen, "it must wait for the loop"
        await until(lambda: "_result" in page.state and page.of_type("reply"))
        assert seen == [home]
        assert Scripted.threads == {home}

    on_loop(main)


# Questions.


def test_a_ping_is_answered_after_all_that_was_asked_before_it(make: Any) -> None:
    async def main() -> None:
        page = Page(make())
        page.ask(1, "tokenize", text="the dog")
        page.ask(2, "nonsense")
        page.ask(3, "ping")
        await until(lambda: len(page.of_type("reply")) == 3)
        assert [reply["id"] for reply in page.of_type("reply")] == [1, 2, 3]
        assert page.reply(3)["ok"]

    on_loop(main)


def test_tokenize_previews_and_says_what_is_wrong(make: Any, gpt2: Any) -> None:
    page = Page(make())
    page.ask(1, "tokenize", text="the dog")
    value = page.reply(1)["value"]
    assert list(value["token_ids"]) == gpt2.to_tokens("the dog")[0].tolist()
    assert list(value["tokens"])[1:] == ["the", " dog"]
    assert value["n_ctx"] == gpt2.cfg.n_ctx
    assert value["error"] is None
    page.ask(2, "tokenize", text="the " * 100)
    reply = page.reply(2)
    assert reply["ok"]
    assert reply["value"]["error"]["kind"] == "PromptError"


def test_extend_appends_the_very_token(make: Any) -> None:
    widget = make("the c")
    page = Page(widget)
    page.ask(1, "extend", token_id=66)
    assert page.reply(1)["value"] == {"prompt": widget.prompt}
    ids = widget.run().provenance.prompts[0].token_ids
    assert ids[-1] == 66
    page.ask(2, "extend", token_id=None)
    assert widget.run().provenance.prompts[0].token_ids == (*ids, build.NEXT[0].token_id)


def test_what_was_typed_stays_when_a_token_is_appended() -> None:
    """Ids of the embedded model spell a space before the first word."""
    model = hs.load_demo()
    widget = hs.LogitLens(model, "Anna and Mark went to the")
    try:
        best = widget.result.next_tokens[0]
        page = Page(widget)
        page.ask(1, "extend", token_id=None)
        assert page.reply(1)["ok"]
        assert widget.prompt == f"Anna and Mark went to the{best.text}"
        ran = widget.result.provenance.prompts[0]
        assert ran.token_ids[-1] == best.token_id
    finally:
        widget.close()


def test_extend_without_a_prediction_is_an_error(make: Any) -> None:
    widget = make("")
    page = Page(widget)
    page.ask(1, "extend", token_id=None)
    assert not page.reply(1)["ok"]
    page.ask(2, "extend", token_id=10**6)
    assert page.reply(2)["error"]["kind"] == "PromptError"


def test_every_question_has_exactly_one_reply(make: Any) -> None:
    page = Page(make())
    page.ask(1, "unheard of")
    page.ask(2, "tokenize")
    page.ask(3, "extend", token_id="many")
    for ask_id, kind in ((1, "RequestError"), (2, "KeyError"), (3, "ValueError")):
        reply = page.reply(ask_id)
        assert not reply["ok"]
        assert reply["error"]["kind"] == kind


def test_a_withdrawn_question_is_not_worked_out(make: Any) -> None:
    async def main() -> None:
        widget = make()
        page = Page(widget)
        page.ask(1, "extend", token_id=66)
        page.send(type="cancel_ask", id=1)
        page.send(type="cancel_ask", id=99)
        await until(lambda: page.of_type("reply"))
        assert page.reply(1)["error"]["kind"] == "Cancelled"
        assert widget.prompt == "the cat"

    on_loop(main)


def test_nonsense_from_the_page_is_ignored(make: Any) -> None:
    page = Page(make())
    for content in ({}, {"type": "ask"}, {"type": "ask", "id": "1", "what": 2, "params": 3}):
        page.send(**content)
    page.widget._handle_custom_msg("text", [])
    assert not page.heard


# Life and looks.


def test_the_front_end_is_in_one_hidden_core(make: Any, static: Path) -> None:
    (static / "widget.js").write_text("export default {};")
    one, other = make(), make()
    assert one._core is other._core
    assert one._core._esm == "export default {};"
    assert len(one._esm) < 2_500
    one._core.close()
    third = make()
    assert third._core is not one._core
    assert third._core.comm is not None


def test_a_front_end_that_cannot_reach_the_core_gets_the_bundle(make: Any, static: Path) -> None:
    (static / "widget.js").write_text("export default {};")
    page = Page(make())
    page.send(type="need_bundle", name="widget")
    assert page.heard == [{"type": "bundle", "name": "widget", "code": "export default {};"}]


def test_a_view_of_its_own_bundle_travels_with_the_first_widget_that_needs_it(
    make: Any, static: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (static / "widget.js").write_text("export default {};")
    (static / "graph.js").write_text("export default { graph: 1 };")
    assert make()._view_core is None
    monkeypatch.setattr(Scripted, "view_bundle", "graph")
    one, other = make(), make()
    assert one._view_core is other._view_core
    assert one._view_core._esm == "export default { graph: 1 };"
    page = Page(one)
    page.send(type="need_bundle", name="graph")
    assert page.heard[0]["code"] == "export default { graph: 1 };"


def test_without_a_bundle_the_page_says_how_to_get_it(make: Any, static: Path) -> None:
    assert "make build" in make()._core._esm


def test_close_stops_the_job_and_frees_the_result(make: Any) -> None:
    async def main() -> None:
        Scripted.SECONDS = 0.01
        widget = make()
        widget.steps = 500
        await asyncio.sleep(0.05)
        widget.close()
        assert widget._result == {}
        assert widget._value is None
        widget.close()
        Scripted.computed.clear()
        await asyncio.sleep(0.1)
        assert not Scripted.computed

    on_loop(main)


def test_repr_is_short_and_plain(make: Any) -> None:
    assert repr(make()) == "Scripted(model='tiny-gpt2', prompt='the cat', 3 tokens, done)"
    assert len(repr(make("the cat " * 20))) < 120
    bundle = make()._repr_mimebundle_()[0]
    assert set(bundle) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert bundle["text/plain"].startswith("Scripted(")


def test_errors_render_as_one_line_in_ipython() -> None:
    assert HeadscopeError("No.", "Yes.")._render_traceback_() == ["HeadscopeError: No. Yes."]


def test_an_unexpected_failure_of_an_answer_is_kept_and_the_result_stays(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = make()
    page = Page(widget)

    def broken(_self: Any, _params: Any) -> Any:
        raise KeyError("layer")

    monkeypatch.setattr(Scripted, "_answer_tokenize", broken)
    page.ask(7, "tokenize", text="x")
    assert page.reply(7)["error"]["kind"] == "KeyError"
    assert isinstance(widget.last_error, KeyError)
    assert widget.result is not None


def test_a_new_computation_takes_the_old_error_away(make: Any) -> None:
    widget = make(prompt="")
    assert widget._error is not None
    Scripted.SECONDS = 0.02
    widget.steps = 1000
    widget.prompt = "the cat"
    widget._restart()
    assert widget.status["state"] == "running"
    assert widget._error is None
    assert widget.last_error is None
