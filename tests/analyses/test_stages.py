"""Stages of inference: curves against plain computations, rules against curves drawn by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import stages
from headscope.analyses.neuron_moments import neuron_moments
from headscope.analyses.stage_curves import WINDOW
from headscope.analyses.stage_rules import stages as stages_of
from headscope.analyses.stages import InferenceStagesRequest
from headscope.errors import ResultError
from headscope.model import LiveModel
from tests import models
from tests.analyses.steps import result_of

PROMPT = "the cat sat on the mat the cat saw the dog on the mat"
OTHER = "the dog saw the mat the cat sat on the"


def found(bridge: Any, *prompts: str) -> Any:
    request = InferenceStagesRequest(prompts[0], prompts[1:])
    return result_of(stages.run(LiveModel.of(bridge), request))


def by_hand(bridge: Any, prompt: str) -> dict[str, list[float]]:
    """From TransformerLens's cache, in numpy."""
    with torch.no_grad():
        logits, cache = bridge.run_with_cache(bridge.to_tokens(prompt))
    final = logits[0, 1:].double().log_softmax(-1).numpy()
    path = LiveModel.of(bridge).read_out()
    curves: dict[str, list[float]] = {name: [] for name in ("nearby", "agreement", "kl", "entropy",
                                                            "attention", "mlp")}  # fmt: skip
    for layer in range(bridge.cfg.n_layers):
        pattern = cache[f"blocks.{layer}.attn.hook_pattern"][0].numpy()
        n = pattern.shape[-1]
        near = [pattern[:, i, i - WINDOW : i].sum(-1).mean() for i in range(WINDOW + 1, n)]
        curves["nearby"].append(float(np.mean(near)))
        stream = cache[f"blocks.{layer}.hook_resid_post"][0, 1:]
        lens = path.logits(stream).double().log_softmax(-1).detach().numpy()
        curves["agreement"].append(float((lens.argmax(-1) == final.argmax(-1)).mean()))
        curves["kl"].append(float((np.exp(final) * (final - lens)).sum(-1).mean()))
        curves["entropy"].append(float(-(np.exp(lens) * lens).sum(-1).mean()))
        for name, hook in (("attention", "attn_out"), ("mlp", "mlp_out")):
            written = cache[f"blocks.{layer}.hook_{hook}"][0, 1:]
            curves[name].append(float((written.norm(dim=-1) / stream.norm(dim=-1)).mean()))
    return curves


def test_curves_are_what_the_cache_says(every_bridge: Any) -> None:
    grid = found(every_bridge, PROMPT, OTHER)
    each = [by_hand(every_bridge, prompt) for prompt in (PROMPT, OTHER)]
    for name in each[0]:
        values = np.array([curves[name] for curves in each])
        np.testing.assert_allclose(grid[name][0], values.mean(0), rtol=2e-4, atol=2e-5)
        # Of two prompts the bootstrap has both ends: either one alone is drawn a quarter of times.
        np.testing.assert_allclose(
            grid[name][1:], [values.min(0), values.max(0)], rtol=2e-4, atol=2e-5
        )
    assert grid["agreement"][0, -1] == 1
    assert grid["kl"][0, -1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2"])
def test_neurons_have_the_moments_of_their_cosines(name: str, request: Any) -> None:
    """Skew and kurtosis as numpy has them, of cosines with W_U behind the final norm."""
    bridge = request.getfixturevalue(name)
    model = LiveModel.of(bridge)
    w_u = bridge.unembed.W_U.detach().double().numpy()
    norm = bridge.ln_final
    gain = norm.weight.detach().double().numpy() + (name == "gemma2")
    w_u = w_u * gain[:, None]
    w_u = w_u - w_u.mean(0) if name == "gpt2" else w_u
    w_u /= np.maximum(np.linalg.norm(w_u, axis=0), 1e-12)  # Gemma's padding has none
    for layer in range(model.n_layers):
        model.open_runs().clear()
        moments: list[torch.Tensor] = []
        shares = list(neuron_moments(model, layer, moments))
        assert shares == sorted(shares)
        w_out = bridge.blocks[layer].mlp.W_out.detach().double().numpy()
        if name == "gemma2":
            after = bridge.blocks[layer].ln2_post.weight.detach().double().numpy()
            w_out = w_out * (1 + after)
        cosine = w_out @ w_u / np.linalg.norm(w_out, axis=1, keepdims=True)
        z = (cosine - cosine.mean(1, keepdims=True)) / cosine.std(1, keepdims=True)
        np.testing.assert_allclose(moments[0][0], (z**3).mean(1), atol=1e-3)
        np.testing.assert_allclose(moments[0][1], (z**4).mean(1), rtol=1e-3)
        again: list[torch.Tensor] = []
        assert list(neuron_moments(model, layer, again)) == []  # kept
        assert torch.equal(again[0], moments[0])


def test_neurons_that_speak_for_or_against_one_token_are_counted(tokenizer: Any) -> None:
    """All other tokens' unembeddings are made orthogonal to what four neurons write."""
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    own = torch.randn(models.D_MODEL, generator=torch.Generator().manual_seed(0))
    own -= own.mean()
    weight = bridge.original_model.lm_head.weight
    with torch.no_grad():
        weight -= weight.mean(1, keepdim=True)
        weight -= (weight @ own)[:, None] * own / (own @ own)
        weight[7] = own
        weight /= bridge.ln_final.weight
    before = found(bridge, PROMPT)
    assert before["prediction"][0, 1] == before["suppression"][0, 1] == 0
    w_out = bridge.blocks[1].mlp.W_out
    with torch.no_grad():
        w_out[:3], w_out[3] = own, -own
    after = found(bridge, PROMPT)
    assert after["prediction"][0, 1] == pytest.approx(3 / len(w_out))
    assert after["suppression"][0, 1] == pytest.approx(1 / len(w_out))


def test_stages_follow_their_rules() -> None:
    curves = {
        "nearby": np.array([0.9, 0.8, 0.2, 0.2, 0.2, 0.6, 0.1, 0.1]),
        "kl": np.array([9, 9, 8, 7, 4, 3, 1, 0.0]),
        "prediction": np.array([0, 0, 0.1, 0.1, 0.2, 0.3, 0.1, 0.1]),
        "suppression": np.array([0.3, 0, 0, 0, 0, 0, 0.2, 0.4]),
    }
    names = [(s.label, s.first, s.last) for s in stages_of(curves)]
    assert names == [
        ("Detokenisation", 0, 1),
        ("Feature engineering", 2, 3),
        ("Prediction ensembling", 4, 5),
        ("Residual sharpening", 6, 7),
    ]
    unknown = np.full(8, np.nan)
    less = {**curves, "nearby": unknown, "prediction": unknown, "suppression": unknown}
    assert [(s.first, s.last) for s in stages_of(less)] == [
        (None, None), (0, 3), (4, 7), (None, None),
    ]  # fmt: skip
    assert all(stretch.rule for stretch in stages_of(curves))


def test_stages_never_overlap() -> None:
    """Here detokenisation reaches into what would be ensembling and sharpening."""
    curves = {
        "nearby": np.array([1, 1, 1, 0.0]),
        "kl": np.array([1, 0.9, 0.9, 0]),
        "suppression": np.array([0, 1, 1, 1.0]),
        "prediction": np.zeros(4),
    }
    at = [(s.first, s.last) for s in stages_of(curves)]
    assert at == [(0, 2), (None, None), (None, None), (3, 3)]
    early = {**curves, "nearby": np.array([1, 0, 0, 0.0])}
    assert [(s.first, s.last) for s in stages_of(early)] == [
        (0, 0), (None, None), (None, None), (1, 3),
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    for _ in range(200):
        drawn = stages_of({name: rng.random(6) for name in curves})
        layers = [i for s in drawn if s.first is not None for i in range(s.first, s.last + 1)]
        assert layers == list(range(6))


def test_moments_of_a_model_that_changed_meanwhile_are_not_kept(gpt2: Any) -> None:
    model = LiveModel.of(gpt2)
    model.open_runs().clear()
    work = neuron_moments(model, 2, [])
    while next(work) < 1:
        pass
    gpt2.add_hook("blocks.1.hook_in", lambda t, hook: t)
    try:
        with pytest.raises(ResultError, match="changed since the neurons of layer 2"):
            next(work)
    finally:
        gpt2.reset_hooks()
    assert model.open_runs().get(("neuron_moments", 2)) is None


def test_a_short_prompt_has_no_nearby_tokens_and_one_prompt_no_interval(gpt2: Any) -> None:
    grid = found(gpt2, "the")
    assert grid.axes[0].labels == ("mean",)
    assert np.isnan(grid["nearby"]).all()
    assert np.isfinite(grid["kl"]).all()
    assert grid.stretches[0].first is None


def test_a_cancelled_widget_keeps_the_curves_that_are_known(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headscope.widgets.base.FIRST_BUDGET_S", 0.0)
    widget = hs.InferenceStages(gpt2, [PROMPT, OTHER])
    job = widget._runner.job
    assert job is not None
    while job.partial is None:
        job.advance(0)
    widget.cancel()
    part = widget.result
    assert np.isfinite(part["kl"][0]).all()
    assert np.isnan(part["prediction"]).all()
    assert part.stretches == ()
