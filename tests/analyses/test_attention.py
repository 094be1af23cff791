"""Patterns are the model's own; everything derived from them is checked against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from headscope.analyses import attention
from headscope.analyses.attention import AttentionRequest
from headscope.errors import ModelError, RequestError
from headscope.model import LiveModel
from headscope.model.runs import POOL, Pool, RunCache
from tests import models
from tests.analyses.steps import drain, result_of


def patterns_of(bridge, prompt=models.PROMPT, **request):
    return result_of(attention.run(LiveModel.of(bridge), AttentionRequest(prompt, **request)))


def cache_of(bridge, result):
    with torch.no_grad():
        return bridge.run_with_cache(torch.tensor([result.provenance.prompts[0].token_ids]))[1]


def test_patterns_equal_run_with_cache(any_bridge):
    result = patterns_of(any_bridge)
    cache = cache_of(any_bridge, result)
    assert len(result.heads) == models.N_LAYERS * models.N_HEADS
    for layer in range(models.N_LAYERS):
        for head in range(models.N_HEADS):
            exact = cache["pattern", layer][0, head].numpy()
            np.testing.assert_array_equal(result[layer, head], exact)
    assert result.causal


def test_values_and_outputs_have_the_norms_of_the_explicit_vectors(any_bridge):
    result = patterns_of(any_bridge)
    cache = cache_of(any_bridge, result)
    for layer in range(models.N_LAYERS):
        w_out = any_bridge.blocks[layer].attn.W_O
        values = cache["v", layer][0]
        per_group = models.N_HEADS // values.shape[1]
        for head in range(models.N_HEADS):
            value = values[:, head // per_group]  # query heads share values in order
            moved = value @ w_out[head]
            np.testing.assert_allclose(
                result.value_norm[layer, head], value.norm(dim=-1).numpy(), rtol=1e-5
            )
            np.testing.assert_allclose(
                result.output_norm[layer, head], moved.norm(dim=-1).detach().numpy(), rtol=1e-4
            )


def test_the_overview_is_the_patterns_where_every_token_fits(gpt2):
    result = patterns_of(gpt2)
    n = len(result.tokens)
    assert result.overview.shape == (3, models.N_LAYERS, models.N_HEADS, n, n)
    norms = (np.ones_like(result.value_norm), result.value_norm, result.output_norm)
    for index, norm in enumerate(norms):
        for held in result.heads:
            weighted = held.weights * norm[held.layer, held.head]
            place = index, held.layer, held.head
            top = weighted.max()
            assert result.overview_max[place] == pytest.approx(top, rel=1e-6)
            shown = result.overview[place] / 255 * top
            np.testing.assert_allclose(shown, weighted, atol=0.6 * top / 255)


@pytest.mark.parametrize("n_tokens", [48, 50, 64])
def test_a_longer_overview_holds_block_maxima(gpt2, monkeypatch, n_tokens):
    monkeypatch.setattr(attention, "_LARGEST_SIDE", 20)
    ids = tuple(np.random.default_rng(0).integers(0, models.D_VOCAB, n_tokens).tolist())
    result = patterns_of(gpt2, ids, head=(2, 1))
    block = math.ceil(n_tokens / 20)
    side = math.ceil(n_tokens / block)
    assert result.overview.shape[-1] == side
    weighted = result[2, 1] * result.output_norm[2, 1]
    for dest in range(side):
        for src in range(side):
            rows, columns = (slice(i * block, (i + 1) * block) for i in (dest, src))
            expected = weighted[rows, columns].max() / weighted.max() * 255
            assert result.overview[2, 2, 1, dest, src] == pytest.approx(expected, abs=0.51)


@pytest.mark.parametrize(
    ("n_tokens", "n_heads", "side"), [(9, 144, 9), (512, 144, 48), (512, 20_000, 16), (40, 4, 40)]
)
def test_thumbnails_stay_small_and_readable(n_tokens, n_heads, side):
    assert attention._side(n_tokens, n_heads) == side


def test_one_head_is_held_where_all_would_be_too_much(gpt2, monkeypatch):
    everything = patterns_of(gpt2)
    best = np.unravel_index(everything.score("induction").argmax(), (models.N_LAYERS, 4))
    monkeypatch.setattr(attention, "_HELD_BYTES", 1)
    for request, expected in (({}, best), ({"head": (1, 2)}, (1, 2))):
        (held,) = patterns_of(gpt2, **request).heads
        assert (held.layer, held.head) == expected
        np.testing.assert_array_equal(held.weights, everything[expected])
    (held,) = patterns_of(gpt2, "the cat").heads
    assert (held.layer, held.head) == (0, 0)


def test_a_prompt_of_one_token(any_bridge):
    result = patterns_of(any_bridge, (5,))
    assert result.overview.shape[-1] == 1
    assert result[0, 0] == pytest.approx(1.0)
    assert all(np.isnan(score.values).all() for score in result.scores)
    assert result.next_tokens


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(tokenizer, dtype):
    result = patterns_of(models.bridge(models.hf_llama(), tokenizer, dtype=dtype))
    exact = patterns_of(models.bridge(models.hf_llama(), tokenizer))
    assert result.provenance.dtype == str(dtype).removeprefix("torch.")
    np.testing.assert_allclose(result[1, 1], exact[1, 1], atol=0.05)
    np.testing.assert_allclose(result.output_norm, exact.output_norm, rtol=0.05, atol=0.05)


def test_flags_of_the_users_make_no_difference(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    plain = patterns_of(bridge)
    bridge.set_use_attn_result(True)
    bridge.set_use_split_qkv_input(True)
    flagged = patterns_of(bridge)
    np.testing.assert_allclose(flagged.overview_max, plain.overview_max, rtol=1e-4)
    assert bridge.cfg.use_attn_result
    assert bridge.cfg.use_split_qkv_input


def test_asks_are_exact_and_do_not_depend_on_the_cache(any_bridge, monkeypatch):
    model = LiveModel.of(any_bridge)
    result = patterns_of(any_bridge)
    prompt = result.provenance.prompts[0]
    every = np.stack([held.weights for held in result.heads])
    layer_1 = every.reshape(models.N_LAYERS, models.N_HEADS, *every.shape[1:])[1]
    expected = {
        "head": layer_1[3],
        "row": layer_1[3, 4],
        "mean": layer_1.mean(0),
        "max": layer_1.max(0),
        "mean of all": every.mean(0),
        "max of all": every.max(0),
    }

    def ask():
        return {
            "head": attention.head_weights(model, prompt, 1, 3),
            "row": attention.row(model, prompt, 1, 3, 4),
            "mean": attention.mix(model, prompt, "mean", 1),
            "max": attention.mix(model, prompt, "max", 1),
            "mean of all": attention.mix(model, prompt, "mean"),
            "max of all": attention.mix(model, prompt, "max"),
        }

    cached = ask()
    again = ask()
    model._runs.clear()
    fresh = ask()
    model._runs.clear()
    monkeypatch.setattr(POOL, "budget", 0)
    uncached = ask()
    for name, values in expected.items():
        for answer in (cached, again, fresh, uncached):
            assert answer[name].dtype == np.float32
            np.testing.assert_allclose(answer[name], values, atol=1e-6, rtol=1e-6)
    np.testing.assert_array_equal(cached["head"], expected["head"])
    np.testing.assert_array_equal(fresh["head"], expected["head"])


def test_a_head_of_a_low_layer_runs_no_higher_layers(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    ran = []
    bridge.add_hook("blocks.2.hook_resid_post", lambda t, hook: ran.append(1))
    attention.head_weights(LiveModel.of(bridge), "the cat", 1, 0)
    assert not ran
    attention.head_weights(LiveModel.of(bridge), "the cat", 2, 0)
    assert ran


def test_answers_never_alias_the_cache(gpt2):
    model = LiveModel.of(gpt2)
    first = attention.head_weights(model, "the cat", 0, 0)
    first[:] = -1
    assert attention.head_weights(model, "the cat", 0, 0).min() >= 0


def test_the_cache_stays_within_its_budget(tokenizer):
    model = LiveModel.of(models.bridge(models.hf_gpt2(), tokenizer))
    model._runs = RunCache(Pool(20_000))
    for n in range(2, 40):
        result_of(attention.run(model, AttentionRequest(tuple(range(n)))))
        assert model._runs.nbytes <= 20_000
    assert model._runs.nbytes > 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: attention.head_weights(model, "the", 3, 0),
        lambda model: attention.head_weights(model, "the", 0, -1),
        lambda model: attention.row(model, "the", 0, 0, 2),
        lambda model: attention.mix(model, "the", "max", 7),
        lambda model: attention.mix(model, "the", "median"),
        lambda model: next(attention.run(model, AttentionRequest("the", head=(0, 4)))),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(gpt2, ask):
    with pytest.raises(RequestError, match=r"0 to|Choose"):
        ask(LiveModel.of(gpt2))


def test_an_encoder_looks_both_ways(tokenizer):
    bridge = models.bridge(models.hf_bert(), tokenizer)
    result = result_of(attention.run(LiveModel.of(bridge), AttentionRequest((5, 6, 7, 8))))
    with torch.no_grad():
        _, cache = bridge.run_with_cache(torch.tensor([[5, 6, 7, 8]]))
    assert not result.causal
    assert result[2, 3][0, 3] > 0
    np.testing.assert_allclose(result[2, 3], cache["blocks.2.attn.hook_pattern"][0, 3], atol=1e-6)


def test_a_model_without_patterns_is_refused(gpt2, monkeypatch):
    model = LiveModel.of(gpt2)
    without = {k: v for k, v in gpt2.hook_dict.items() if "hook_pattern" not in k}
    monkeypatch.setattr(type(gpt2), "hook_dict", property(lambda self: without))
    with pytest.raises(ModelError, match=r"hs\.LogitLens works"):
        next(attention.run(model, AttentionRequest(models.PROMPT)))


def test_steps_and_provenance(gpt2):
    result, steps = drain(attention.run(LiveModel.of(gpt2), AttentionRequest(models.PROMPT)))
    assert [step.fraction for step in steps] == sorted(step.fraction for step in steps)
    assert result.provenance.prompts[0].text == models.PROMPT
    assert result.tokens[0] == models.BOS
