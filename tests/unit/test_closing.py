"""What a widget holds, and what it lets go of."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import headscope as hs
from headscope.model import LiveModel
from headscope.model.runs import POOL
from tests import models
from tests.attribution.transcoders import random_transcoders
from tests.unit.page import Page

PROMPT = "the cat sat on the mat the cat"


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    hs.close_all()
    yield
    hs.close_all()


def bridge(tokenizer: Any) -> Any:
    return models.bridge(models.hf_gpt2(), tokenizer)


def is_gone(*seen: weakref.ref[Any]) -> bool:
    gc.collect()
    return all(ref() is None for ref in seen)


def count_storages() -> int:
    tensors = [each for each in gc.get_objects() if issubclass(type(each), torch.Tensor)]
    return len({tensor.untyped_storage().data_ptr() for tensor in tensors})


def with_a_result(widget: hs.AttentionPatterns) -> None:
    page = Page(widget)
    page.ask(1, "head", layer=0, head=0)
    assert page.reply(1)["ok"]


def with_an_error(widget: hs.AttentionPatterns) -> None:
    widget.prompt = "the cat " * 100
    with pytest.raises(hs.PromptError):
        widget.run()


def with_an_unexpected_error(widget: hs.AttentionPatterns) -> None:
    page = Page(widget)
    page.ask(1, "head", layer="none", head=0)
    assert isinstance(widget.last_error, ValueError)


@pytest.mark.parametrize("state", [with_a_result, with_an_error, with_an_unexpected_error])
def test_a_closed_widget_holds_neither_its_model_nor_its_result(tokenizer: Any, state: Any) -> None:
    model = bridge(tokenizer)
    widget = hs.AttentionPatterns(model, PROMPT)
    state(widget)
    seen = weakref.ref(model), weakref.ref(LiveModel.of(model)), weakref.ref(widget._value)
    widget.close()
    del model
    assert is_gone(*seen)
    assert POOL.nbytes == 0


def patching(model: Any, clean: str = PROMPT) -> hs.ActivationPatching:
    corrupted = clean.replace("mat", "dog")
    return hs.ActivationPatching(model, clean, corrupted, answer=" mat", wrong=" dog")


def test_a_closed_patching_widget_holds_neither_its_model_nor_its_runs(tokenizer: Any) -> None:
    model = bridge(tokenizer)
    widget = patching(model)
    widget.run()
    widget.outcome(1, 5)
    seen = weakref.ref(model), weakref.ref(LiveModel.of(model)), weakref.ref(widget._studied())
    widget.close()
    del model
    assert is_gone(*seen)
    with pytest.raises(hs.ResultError, match="closed"):
        widget.outcome(1, 5)


def test_a_closed_widget_holds_no_transcoders(gpt2: Any) -> None:
    transcoders = random_transcoders(models.N_LAYERS, models.D_MODEL, 8)
    seen = weakref.ref(transcoders)
    widgets: list[Any] = [
        hs.NearestTokens(gpt2, hs.Token(" cat"), transcoders, to="encoder"),
        hs.AttributionGraph(gpt2, PROMPT, transcoders, max_nodes=5),
        hs.LogitLens(gpt2, PROMPT, transcoders=transcoders),
    ]
    for widget in widgets:
        widget.close()
    del transcoders
    assert is_gone(seen)


def test_a_widget_closed_while_it_computes_holds_nothing(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headscope.widgets.base.FIRST_BUDGET_S", 0.0)
    model = bridge(tokenizer)
    widget = patching(model)
    assert widget.status["state"] == "running"
    seen = weakref.ref(model), weakref.ref(LiveModel.of(model))
    widget.close()
    del model
    assert is_gone(*seen)


def test_of_all_widgets_one_study_is_kept_and_the_others_answer_the_same(tokenizer: Any) -> None:
    model = bridge(tokenizer)
    first = patching(model)
    first.run()
    before, study = first.outcome(1, 6), weakref.ref(first._studied())
    other = patching(model, "the dog sat on the mat")
    other.run()
    assert is_gone(study)
    assert first.outcome(1, 6).metric == pytest.approx(before.metric)
    assert first.joint((1, 6))["single"] == pytest.approx([before.exact], abs=1e-4)
    other.outcome(1, 5)
    with torch.no_grad():
        model.blocks[0].mlp.out.weight.mul_(2)
    with pytest.raises(hs.ResultError, match="have changed"):
        first.outcome(1, 6)


def test_what_is_asked_of_a_closed_widget_is_answered_in_one_line(gpt2: Any) -> None:
    widget = hs.AttentionPatterns(gpt2, PROMPT)
    widget.close()
    assert repr(widget) == "AttentionPatterns(closed)"
    for ask in (widget.run, lambda: widget.result, lambda: widget.head(0, 0), widget.freeze):
        with pytest.raises(hs.ResultError, match=r"^This widget is closed\. Make a new one\.$"):
            ask()
    with pytest.raises(hs.ResultError, match=r"^This widget is closed\. Make a new one\.$"):
        widget.prompt = "the dog"
    assert widget.prompt == PROMPT
    widget.selection |= {"layer": 1}  # as a widget linked to it does
    widget.cancel()
    widget.close()


def test_close_all_closes_every_widget_and_frees_the_cached_runs(gpt2: Any, llama: Any) -> None:
    widgets: list[Any] = [hs.AttentionPatterns(gpt2, PROMPT), hs.LogitLens(llama, PROMPT)]
    assert POOL.nbytes > 0
    hs.close_all()
    assert [repr(widget) for widget in widgets] == [
        "AttentionPatterns(closed)",
        "LogitLens(closed)",
    ]
    assert all(widget.comm is None for widget in widgets)
    assert POOL.nbytes == 0
    again = hs.LogitLens(gpt2, PROMPT)
    assert again.result.values.size


def test_close_all_closes_what_holds_others_and_results(gpt2: Any) -> None:
    lenses = [hs.LogitLens(gpt2, prompt) for prompt in (PROMPT, "the dog")]
    less = hs.difference(*(lens.result for lens in lenses))
    compare, still = hs.Compare(*lenses), hs.ResultView(less)
    panes = hs.Panes({"One": lenses[0], "Other": still})
    hs.close_all()
    assert all(widget._closed for widget in (*lenses, compare, still, panes))


def test_a_closed_comparison_holds_neither_widget(gpt2: Any, llama: Any) -> None:
    compare = hs.Compare(hs.LogitLens(gpt2, PROMPT), hs.LogitLens(llama, PROMPT))
    lenses = compare.left, compare.right
    seen = [weakref.ref(each) for each in (*lenses, compare.difference)]
    compare.close()
    for lens in lenses:
        lens.close()
    del lens, lenses
    assert is_gone(*seen)
    with pytest.raises(hs.ResultError, match="closed"):
        _ = compare.left


def test_a_cell_that_is_run_again_adds_a_result_and_no_more(tokenizer: Any) -> None:
    model = bridge(tokenizer)
    widget = hs.AttentionPatterns(model, PROMPT)
    live, kept = weakref.ref(LiveModel.of(model)), POOL.nbytes
    for _ in range(3):
        widget = hs.AttentionPatterns(model, PROMPT)
    gc.collect()
    assert LiveModel.of(model) is live()
    assert POOL.nbytes == kept
    before = count_storages()
    widget = hs.AttentionPatterns(model, PROMPT)
    gc.collect()
    assert count_storages() <= before
    del model
    hs.close_all()
    assert is_gone(live)
    assert widget._closed


def test_a_widget_that_could_not_be_made_is_not_left_open(tokenizer: Any) -> None:
    model = bridge(tokenizer)
    model.add_hook("blocks.1.hook_resid_post", lambda t, hook: 2 * t)
    with pytest.raises(hs.ModelError) as refusal:
        hs.LogitAttribution(model, PROMPT)
    with pytest.raises(hs.RequestError):
        hs.AttentionPatterns(model, PROMPT, selection={"layer": 99})
    seen = weakref.ref(LiveModel.of(model))
    del model, refusal
    assert is_gone(seen)
