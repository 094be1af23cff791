"""The three widgets on a real tiny model: what they show, and what they answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import attention, logit_lens
from headscope.model import LiveModel, memory
from headscope.model.memory import pass_bytes
from headscope.wire import decode
from tests import models
from tests.unit.page import Page

PROMPT = "the cat sat on the mat the cat"
WIDGETS = ["AttentionPatterns", "LogitAttribution", "LogitLens"]


@pytest.fixture(params=WIDGETS)
def widget(request: pytest.FixtureRequest, gpt2: Any) -> Iterator[Any]:
    made = getattr(hs, request.param)(gpt2, PROMPT)
    made.run()
    yield made
    made.close()


@pytest.fixture
def patterns(gpt2: Any) -> Iterator[hs.AttentionPatterns]:
    made = hs.AttentionPatterns(gpt2, PROMPT)
    made.run()
    yield made
    made.close()


@pytest.fixture
def lens(gpt2: Any) -> Iterator[hs.LogitLens]:
    made = hs.LogitLens(gpt2, PROMPT)
    made.run()
    yield made
    made.close()


@pytest.fixture
def attribution(gpt2: Any) -> Iterator[hs.LogitAttribution]:
    made = hs.LogitAttribution(gpt2, PROMPT, answer=" sat", wrong=" dog")
    made.run()
    yield made
    made.close()


def arrays(page: Page, ask_id: int) -> list[np.ndarray[Any, Any]]:
    headers = page.reply(ask_id)["arrays"]
    return [
        np.frombuffer(buffer, header["dtype"]).reshape(header["shape"])
        for header, buffer in zip(headers, page.reply_buffers(ask_id), strict=True)
    ]


def test_every_field_is_a_synced_trait_of_its_kind(widget: Any) -> None:
    for spec in widget._fields:
        trait = widget.traits()[spec["name"]]
        assert trait.metadata["sync"]
        assert trait.metadata["echo_update"] is False
        value = getattr(widget, spec["name"])
        if spec["type"] == "choice":
            assert value in [choice["value"] for choice in spec["choices"]]
        assert (spec["type"] == "choice") == bool(spec["choices"])
        assert spec["help"]


def test_every_choice_computes(widget: Any) -> None:
    for spec in widget._fields:
        for choice in spec["choices"]:
            setattr(widget, spec["name"], choice["value"])
            assert widget.run().provenance.parameters[spec["name"]] == choice["value"]


def test_the_page_holds_the_result_that_python_has(widget: Any) -> None:
    shown = decode(widget._result)
    assert type(shown) is type(widget.result)
    assert shown.provenance == widget.result.provenance
    assert shown.next_tokens == widget.result.next_tokens


def test_the_page_answers_survive_a_running_edit(patterns: hs.AttentionPatterns) -> None:
    page = Page(patterns)
    patterns.prompt = "the dog"  # not computed yet: the page still shows the cat
    page.ask(1, "head", layer=0, head=0)
    (weights,) = arrays(page, 1)
    assert weights.shape == (9, 9)


def test_head_row_and_mix(patterns: hs.AttentionPatterns, gpt2: Any) -> None:
    page, model = Page(patterns), LiveModel.of(gpt2)
    exact = patterns.head(1, 2)
    assert exact.dtype == np.float32
    np.testing.assert_allclose(exact.sum(-1), 1, atol=1e-5)
    page.ask(1, "head", layer=1, head=2)
    (half,) = arrays(page, 1)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, exact, atol=1e-3)
    page.ask(2, "row", layer=1, head=2, dest=4)
    np.testing.assert_array_equal(arrays(page, 2)[0], exact[4])
    every = np.stack([patterns.head(1, head) for head in range(model.n_heads)])
    page.ask(3, "mix", reduce="max", layer=1)
    np.testing.assert_allclose(arrays(page, 3)[0], every.max(0), atol=1e-3)
    page.ask(4, "mix", reduce="mean", layer=None)
    prompt = patterns.result.provenance.prompts[0]
    np.testing.assert_allclose(
        arrays(page, 4)[0], attention.mix(model, prompt, "mean", None), atol=1e-3
    )


def double(_activation: Any, hook: Any) -> Any:
    return 2 * _activation


@pytest.fixture
def own(tokenizer: Any) -> Any:
    """A bridge that a test may change."""
    return models.bridge(models.hf_gpt2(), tokenizer)


def edit(bridge: Any) -> None:
    with torch.no_grad():
        bridge.blocks[0].mlp.original_component.c_fc.weight.add_(0.1)


def hook(bridge: Any) -> None:
    bridge.add_hook("blocks.0.hook_mlp_out", double)


@pytest.mark.parametrize("change", [edit, hook])
def test_nothing_is_answered_about_a_model_that_has_changed(own: Any, change: Any) -> None:
    patterns, lens = hs.AttentionPatterns(own, PROMPT), hs.LogitLens(own, PROMPT)
    pages = Page(patterns), Page(lens)
    before = patterns.head(1, 2)
    change(own)
    pages[0].ask(1, "head", layer=1, head=2)
    pages[0].ask(2, "row", layer=1, head=2, dest=1)
    pages[0].ask(3, "mix", reduce="max", layer=None)
    pages[1].ask(1, "cell", row=0, position=0)
    pages[1].ask(2, "track", token=" cat", positions=[0])
    for page, ask_id in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]:
        error = pages[page].reply(ask_id)["error"]
        assert error["kind"] == "ResultError"
        assert "have changed since" in error["message"]
        assert error["hint"] == "Run it again: widget.run()."
    with pytest.raises(hs.ResultError, match="changed since"):
        patterns.head(1, 2)
    with pytest.raises(hs.ResultError, match="changed since"):
        lens.track(" cat")
    for widget in (patterns, lens):
        widget.run()
    pages[0].ask(4, "head", layer=1, head=2)
    (after,) = arrays(pages[0], 4)
    np.testing.assert_allclose(after, patterns.head(1, 2), atol=1e-3)
    assert np.abs(patterns.head(1, 2) - before).max() > 1e-3
    pages[1].ask(3, "cell", row=0, position=0)
    assert pages[1].reply(3)["ok"]
    hooked = change is hook
    assert patterns.result.provenance.user_hooks == (("blocks.0.mlp.hook_out",) if hooked else ())
    own.reset_hooks()
    pages[0].ask(5, "head", layer=1, head=2)
    assert pages[0].reply(5)["ok"] != hooked
    patterns.close()
    lens.close()


@pytest.mark.parametrize(
    ("what", "params"),
    [
        ("head", {"layer": 0, "head": 99}),
        ("row", {"layer": 0, "head": 0, "dest": 99}),
        ("mix", {"reduce": "median", "layer": None}),
    ],
)
def test_what_is_not_there_is_refused(
    patterns: hs.AttentionPatterns, what: str, params: dict[str, Any]
) -> None:
    page = Page(patterns)
    page.ask(1, what, **params)
    assert page.reply(1)["error"]["kind"] == "RequestError"
    assert page.reply(1)["error"]["hint"]


def test_a_pinned_head_is_the_one_a_long_prompt_holds(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_HELD_BYTES", 0)
    widget = hs.AttentionPatterns(gpt2, PROMPT, selection={"layer": 2, "head": 3})
    held = [(h.layer, h.head) for h in widget.run().heads]
    widget.close()
    assert held == [(2, 3)]


def test_cell_and_track(lens: hs.LogitLens) -> None:
    page, grid = Page(lens), lens.result
    page.ask(1, "cell", row=2, position=4, k=5)
    tokens = page.reply(1)["value"]["tokens"]
    assert [t["token_id"] for t in tokens] == grid.top.ids[2, 4].tolist()
    np.testing.assert_allclose([t["probability"] for t in tokens], grid.top.values[2, 4], atol=1e-5)
    assert all(a["logit"] >= b["logit"] for a, b in itertools.pairwise(tokens))
    page.ask(2, "cell", row=0, position=0)
    assert len(page.reply(2)["value"]["tokens"]) == 20

    page.ask(3, "track", token=" cat", positions=[1, 7])
    value = page.reply(3)["value"]
    assert value["text"] == " cat"
    assert tuple(value["rows"]) == grid.axes[0].labels
    track = lens.track(" cat")
    probability, rank = arrays(page, 3)
    np.testing.assert_allclose(probability, track.probability[:, [1, 7]], rtol=1e-5)
    np.testing.assert_array_equal(rank, track.rank[:, [1, 7]])
    assert track.positions == tuple(range(len(grid.axes[1])))


def test_the_page_is_answered_about_the_rows_it_shows(lens: hs.LogitLens) -> None:
    page = Page(lens)
    before = lens.result.axes[0].labels
    lens.read_out = "all"  # not computed yet
    page.ask(1, "track", token=" cat", positions=[0])
    assert tuple(page.reply(1)["value"]["rows"]) == before
    assert lens.run().axes[0].labels != before
    assert len(lens.track(" cat").rows) == len(lens.result.axes[0])


def test_track_refuses_what_is_not_one_token(lens: hs.LogitLens) -> None:
    with pytest.raises(hs.PromptError):
        lens.track("zebra crossing")
    assert set(logit_lens.READ_OUTS) == {c["value"] for c in lens._fields[0]["choices"]}


def test_attribution_shows_its_identity(attribution: hs.LogitAttribution) -> None:
    identity = attribution.result.identity
    assert identity is not None
    assert identity.residue < 1e-4
    parameters = attribution.result.provenance.parameters
    assert (parameters["answer"], parameters["wrong"]) == (" sat", " dog")


def test_ids_of_tokens_become_the_text_that_means_them(gpt2: Any) -> None:
    model = LiveModel.of(gpt2)
    token_id = model.token_id(" sat")
    widget = hs.LogitAttribution(gpt2, PROMPT, answer=token_id, wrong=10**6)
    assert widget.answer == " sat"
    assert widget.wrong == 10**6
    assert isinstance(widget.last_error, hs.PromptError)
    widget.wrong = ""
    assert widget.run().provenance.parameters["answer_id"] == token_id
    assert widget.result.provenance.parameters["wrong"] is None
    widget.close()


def test_what_a_models_heads_do_not_allow_can_be_mended_in_the_page(tokenizer: Any) -> None:
    bridge = models.bridge(models.hf_gemma2(), tokenizer)
    widget = hs.LogitAttribution(bridge, PROMPT, by="head")
    assert widget._error["kind"] == "RequestError"
    assert widget._error["hint"] == "Use by='component'."
    for read in (widget.run, lambda: widget.result.identity):
        with pytest.raises(hs.HeadscopeError, match="does not add up"):
            read()
    Page(widget).write(by="component")
    assert widget.result.identity.residue < 1e-4
    assert widget._error is None
    widget.close()


def test_a_prompt_that_memory_does_not_hold_can_be_mended_in_the_page(
    own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = pass_bytes(own, 9, 3, 1)
    monkeypatch.setattr(memory, "free_bytes", lambda device: need)
    widget = hs.AttentionPatterns(own, PROMPT)
    assert widget._error["kind"] == "RequestError"
    assert widget._error["hint"] == "Use a shorter prompt, or free memory first."
    with pytest.raises(hs.RequestError, match="are free"):
        widget.run()
    Page(widget).write(prompt="the cat")
    assert len(widget.result.tokens) == 3
    widget.close()


def test_a_model_that_cannot_be_read_is_refused_by_the_constructor(own: Any) -> None:
    own.add_hook("blocks.1.hook_resid_post", double)
    with pytest.raises(hs.ModelError, match=r"what attention and MLPs write .* hs\.LogitLens"):
        hs.LogitAttribution(own, PROMPT)


def test_an_empty_answer_means_the_models_own(gpt2: Any) -> None:
    widget = hs.LogitAttribution(gpt2, PROMPT, answer="")
    result = widget.run()
    assert result.provenance.parameters["answer_id"] == result.next_tokens[0].token_id
    widget.close()
