"""Generation with and without interventions: the model asked token for token says the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import generation
from headscope.analyses.generation import GenerationRequest
from headscope.model import LiveModel
from headscope.model.intervening.generating import end_ids
from tests.analyses.steps import result_of
from tests.models import N_CTX

PROMPT = (0, 264, 270, 17, 40)
VECTOR = tuple(np.linspace(-3, 3, 32).tolist())
CHANGES = hs.Interventions().steer(1, hs.Vector(VECTOR)).zero("L2H1")


def generated(bridge: Any, changes: Any = None, **fields: Any) -> Any:
    request = GenerationRequest(
        fields.pop("prompt", PROMPT), changes or hs.Interventions(), **fields
    )
    return result_of(generation.run(LiveModel.of(bridge), request))


def ids(grid: Any, run: int) -> list[int]:
    return [token for token in grid.top.ids[run, :, 0].tolist() if token >= 0]


def log_probs(bridge: Any, text: list[int], *, changed: bool) -> torch.Tensor:
    """Of every next token of a text, `[position, d_vocab]`, with hooks by hand."""

    def steer(stream: torch.Tensor, hook: Any) -> torch.Tensor:
        return stream + torch.tensor(VECTOR)

    def ablate(z: torch.Tensor, hook: Any) -> torch.Tensor:
        z = z.clone()
        z[:, :, 1] = 0.0
        return z

    hooks = [("blocks.1.hook_in", steer), ("blocks.2.attn.hook_z", ablate)] if changed else []
    with torch.no_grad():
        logits = bridge.run_with_hooks(torch.tensor([text]), fwd_hooks=hooks)
    return logits[0].float().log_softmax(-1)


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_the_model_asked_token_for_token_says_the_same(name: str, request: Any) -> None:
    bridge = request.getfixturevalue(name)
    grid = generated(bridge, CHANGES, n_tokens=6, temperature=0.0)
    for run, changed in enumerate([False, True]):
        said = ids(grid, run)
        text = list(PROMPT)
        for token in said:
            best = int(log_probs(bridge, text, changed=changed)[-1].argmax())
            assert token == best
            text.append(token)
        before = slice(len(PROMPT) - 1, len(text) - 1)
        wanted = torch.tensor(said)[:, None]
        own = log_probs(bridge, text, changed=changed)[before].gather(1, wanted)[:, 0]
        other = log_probs(bridge, text, changed=not changed)[before].gather(1, wanted)[:, 0]
        n = len(said)
        np.testing.assert_allclose(grid["probability"][run, :n], own.exp(), atol=1e-5)
        np.testing.assert_allclose(grid["other"][run, :n], other.exp(), atol=1e-5)
        np.testing.assert_allclose(grid["ratio"][run, :n], own - other, atol=1e-4)
    assert ids(grid, 0) != ids(grid, 1)


def test_equal_distributions_give_equal_texts_whatever_the_dice(gpt2: Any) -> None:
    same = hs.Interventions().scale("L1H0", 1.0)
    grid = generated(gpt2, same, n_tokens=12, temperature=1.5, seed=4)
    assert ids(grid, 0) == ids(grid, 1)
    np.testing.assert_allclose(grid["ratio"], 0, atol=1e-4)
    another = generated(gpt2, same, n_tokens=12, temperature=1.5, seed=5)
    assert ids(another, 0) != ids(grid, 0)
    alone = generated(gpt2, n_tokens=12, temperature=1.5, seed=4)
    assert alone.axes[0].labels == ("plain",)
    assert ids(alone, 0) == ids(grid, 0)
    assert [measure.name for measure in alone.measures] == ["probability"]


def test_others_are_the_most_probable_ones(gpt2: Any) -> None:
    grid = generated(gpt2, n_tokens=3, temperature=2.0, seed=1)
    text = [*PROMPT, *ids(grid, 0)[:2]]
    now = log_probs(gpt2, text, changed=False)[-1]
    drawn, *others = grid.top.ids[0, 2].tolist()
    best = [token for token in now.argsort(descending=True).tolist() if token != drawn]
    assert others == best[: len(others)]
    np.testing.assert_allclose(grid.top.values[0, 2], now.exp()[[drawn, *others]], atol=1e-5)


@pytest.mark.parametrize("changes", [CHANGES, hs.Interventions().repeat(1, 2)])
def test_texts_are_compared_in_pieces_of_any_size(
    gpt2: Any, changes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = generated(gpt2, changes, n_tokens=10)
    monkeypatch.setattr(generation, "vectors_per_piece", lambda d_vocab: 3)
    pieces = generated(gpt2, changes, n_tokens=10)
    assert ids(pieces, 1) == ids(whole, 1)
    np.testing.assert_allclose(pieces["other"], whole["other"], atol=1e-5)


def test_a_text_ends_where_the_model_ends_it(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert end_ids(LiveModel.of(gpt2)) == {0}
    free = generated(gpt2, CHANGES, n_tokens=8, seed=2)
    (plain, changed) = (ids(free, run) for run in (0, 1))
    end = next(token for token in changed if token not in plain)
    at = changed.index(end)
    monkeypatch.setattr(generation, "end_ids", lambda model: frozenset({end}))
    grid = generated(gpt2, CHANGES, n_tokens=8, seed=2)
    assert ids(grid, 0) == plain
    assert ids(grid, 1) == changed[:at]
    assert (grid.states[1, at:] == 0).all()
    assert any(f"after {at} tokens (with)" in note for note in grid.provenance.notes)


def test_the_context_is_the_longest_text(gpt2: Any) -> None:
    grid = generated(gpt2, prompt=(5,), n_tokens=500)
    assert 1 + len(ids(grid, 0)) <= N_CTX
    assert len(grid.axes[1]) == N_CTX - 1
    assert any("has room for 63 more" in note for note in grid.provenance.notes)
    for fields, says in (
        ({"prompt": (5,) * N_CTX}, "fills the model's context"),
        ({"n_tokens": 0}, "n_tokens is 0"),
        ({"temperature": -1.0}, "temperature is -1"),
    ):
        with pytest.raises(hs.HeadscopeError, match=says):
            generated(gpt2, **fields)


def test_a_cancelled_widget_keeps_what_was_said(gpt2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hs.Generation(gpt2, PROMPT, CHANGES, n_tokens=12, temperature=0)
    monkeypatch.setattr("headscope.widgets.base.FIRST_BUDGET_S", 0.0)
    widget = hs.Generation(gpt2, PROMPT, CHANGES, n_tokens=12, temperature=0)
    job = widget._runner.job
    assert job is not None
    for _ in range(9):
        job.advance(0)
    widget.cancel()
    for run in (0, 1):
        said, all_of_it = ids(widget.result, run), ids(whole.result, run)
        assert 0 < len(said) < len(all_of_it)
        assert said == all_of_it[: len(said)]
    assert widget.texts["plain"] == gpt2.tokenizer.decode(ids(widget.result, 0))
    assert whole.texts["plain"] == gpt2.tokenizer.decode(ids(whole.result, 0))


def test_interventions_of_a_widget_change_one_of_its_runs(gpt2: Any) -> None:
    alone = hs.Generation(gpt2, PROMPT, n_tokens=6, seed=3)
    beside = hs.Generation(gpt2, PROMPT, CHANGES, n_tokens=6, seed=3)
    assert ids(alone.result, 0) == ids(beside.result, 0) != ids(beside.result, 1)
    np.testing.assert_allclose(
        alone.result["probability"][0], beside.result["probability"][0], atol=1e-5
    )


def test_fields_of_the_page_are_those_of_the_request(gpt2: Any) -> None:
    widget = hs.Generation(gpt2, "the cat", n_tokens=4)
    assert [*widget.texts] == ["plain"]
    widget.interventions = CHANGES
    widget.temperature, widget.n_tokens, widget.seed = "0", 5, 9
    grid = widget.run()
    assert [*widget.texts] == ["plain", "with"]
    assert grid.provenance.parameters["temperature"] == 0
    assert grid.provenance.seed == 9
    asked = grid.provenance.parameters["interventions"]
    assert hs.Interventions.from_json(asked) == CHANGES
    widget.temperature = "warm"
    with pytest.raises(hs.RequestError, match="'warm' is no temperature"):
        widget.run()


def test_a_model_that_changes_while_texts_are_compared_is_refused(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "vectors_per_piece", lambda d_vocab: 1)
    steps = generation.run(LiveModel.of(gpt2), GenerationRequest(PROMPT, CHANGES, n_tokens=6))
    while next(steps).message != "Comparing":
        pass
    gpt2.add_hook("blocks.1.hook_in", lambda t, hook: t)
    try:
        with pytest.raises(hs.ResultError, match="have changed since generation began"):
            result_of(steps)
    finally:
        gpt2.reset_hooks()
