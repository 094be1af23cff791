"""Contributions sum to the model's own logits, and each is what patching it out changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformer_lens.tools.analysis import direct_logit_attribution as oracle

from headscope.analyses import logit_attribution
from headscope.analyses.logit_attribution import BY, LogitAttributionRequest
from headscope.errors import ModelError, PromptError, RequestError
from headscope.model import LiveModel
from tests import models
from tests.analyses.steps import result_of

SUM = 1e-4


def attribution_of(bridge, answer=" cat", prompt=models.PROMPT, **request):
    request = LogitAttributionRequest(prompt, answer, **request)
    return result_of(logit_attribution.run(LiveModel.of(bridge), request))


def logits_of(bridge, result):
    with torch.no_grad():
        return bridge(torch.tensor([result.provenance.prompts[0].token_ids]))[0].numpy()


@pytest.mark.parametrize("wrong", [None, " dog"])
def test_components_sum_to_the_logit_at_every_position(any_bridge, wrong):
    result = attribution_of(any_bridge, wrong=wrong)
    parameters = result.provenance.parameters
    logits = logits_of(any_bridge, result)
    target = logits[:, parameters["answer_id"]]
    if wrong is not None:
        target = target - logits[:, parameters["wrong_id"]]
    np.testing.assert_allclose(result.values.sum(0), target, atol=SUM)
    assert result.identity.residue < SUM
    assert result.identity.checked == len(target)
    assert result.identity.target.value == pytest.approx(target[-1], abs=SUM)


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("position", [-1, 0, 4])
def test_terms_sum_to_the_logit_difference(any_bridge, by, position):
    result = attribution_of(any_bridge, wrong=" dog", by=by, position=position)
    logits = logits_of(any_bridge, result)[position]
    parameters = result.provenance.parameters
    target = logits[parameters["answer_id"]] - logits[parameters["wrong_id"]]
    assert result.identity.target.value == pytest.approx(target, abs=SUM)
    assert sum(term.value for term in result.identity.terms) == pytest.approx(target, abs=SUM)
    assert result.identity.residue < SUM


def test_heads_and_sources_add_up_to_their_layers(any_bridge):
    component, head, source = (attribution_of(any_bridge, by=by) for by in BY)
    split = {term.label: term.value for term in head.identity.terms}
    whole = {term.label: term.value for term in component.identity.terms}
    assert split["heads"] + split["attention biases"] == pytest.approx(whole["attention"], abs=SUM)
    assert split["heads"] == pytest.approx(float(head.values.sum()), abs=SUM)
    np.testing.assert_allclose(source.values.sum(-1), head.values.ravel(), atol=SUM)
    assert head.shape == (models.N_LAYERS, models.N_HEADS)
    assert source.axes[0].labels[5] == "L1H1"
    assert source.axes[1].labels == source.provenance.prompts[0].tokens


def test_sources_after_the_position_do_not_apply(gpt2):
    values = attribution_of(gpt2, by="source", position=3).values
    assert np.isnan(values[:, 4:]).all()
    assert np.isfinite(values[:, :4]).all()


@pytest.mark.parametrize("name", ["gpt2_processed", "llama_processed"])
@pytest.mark.parametrize("wrong", [None, 276])
def test_parts_are_transformer_lenss(request, name, wrong):
    """Its tool wants processed weights; ours is compared there."""
    bridge = request.getfixturevalue(name)
    ours = attribution_of(bridge, 265, wrong=wrong)
    ids = torch.tensor([ours.provenance.prompts[0].token_ids])
    theirs = oracle(bridge, ids, 265, wrong, unit="component", pos=None)
    expected = theirs.attribution[:, 0].detach().numpy()
    np.testing.assert_allclose(ours.values[: len(expected)], expected, atol=SUM)
    heads = oracle(bridge, ids, 265, wrong, unit="head")
    expected = heads.attribution[: models.N_LAYERS * models.N_HEADS, 0].detach().numpy()
    ours = attribution_of(bridge, 265, wrong=wrong, by="head")
    np.testing.assert_allclose(ours.values.ravel(), expected, atol=SUM)


@pytest.mark.filterwarnings("ignore:A forward hook edited")
def test_a_contribution_is_what_taking_it_out_at_the_end_changes(any_bridge):
    """With the norm's scale held, the logit moves by what a write had added to the last stream."""
    result = attribution_of(any_bridge, 265)
    ids = torch.tensor([result.provenance.prompts[0].token_ids])
    with torch.no_grad():
        _, cache = any_bridge.run_with_cache(ids)
        scale = cache["ln_final.hook_scale"]
        last = f"blocks.{models.N_LAYERS - 1}.hook_resid_post"
        row = result.axes[0].labels.index("L1 mlp")
        without = any_bridge.run_with_hooks(
            ids,
            fwd_hooks=[
                (last, lambda t, hook: t - cache["mlp_out", 1]),
                ("ln_final.hook_scale", lambda t, hook: scale.clone()),
            ],
        )[0, :, 265]
    changed = logits_of(any_bridge, result)[:, 265] - without.numpy()
    np.testing.assert_allclose(changed, result.values[row], atol=SUM)


def test_without_an_answer_the_top_prediction_is_explained(any_bridge):
    result = attribution_of(any_bridge, None, position=4)
    best = int(logits_of(any_bridge, result)[4].argmax())
    assert result.provenance.parameters["answer_id"] == best
    assert result.provenance.parameters["position"] == 4
    assert any("top prediction" in note for note in result.provenance.notes)


def test_signs_and_scale_say_what_they_are(gpt2):
    result = attribution_of(gpt2, wrong=" dog")
    assert "logit(' cat') − logit(' dog')" in result.provenance.sign
    assert result.measures[0].scale.kind == "diverging"
    assert result.measures[0].unit == "logits"
    assert result.axes[0].labels[:3] == ("embed", "pos_embed", "L0 attn")
    assert result.axes[0].labels[-1] == "bias"


def test_rotary_models_have_no_position_row(llama):
    assert attribution_of(llama).axes[0].labels[:2] == ("embed", "L0 attn")


@pytest.mark.parametrize("by", BY)
def test_one_token_and_half_precision(tokenizer, by):
    for build in (models.hf_gpt2, models.hf_llama):
        bridge = models.bridge(build(), tokenizer, dtype=torch.bfloat16)
        result = attribution_of(bridge, 5, prompt=(7,), by=by)
        assert result.identity.residue < 0.1
        assert any("bfloat16" in note for note in result.provenance.notes)


def test_a_soft_capped_logit_is_explained_before_the_cap(tokenizer):
    bridge = models.bridge(models.hf_gemma2(), tokenizer)
    result = attribution_of(bridge)
    capped = logits_of(bridge, result)[-1, result.provenance.parameters["answer_id"]]
    cap = bridge.cfg.output_logits_soft_cap
    before = cap * np.arctanh(capped / cap)
    assert before != pytest.approx(capped, abs=0.01)
    assert result.identity.target.value == pytest.approx(before, rel=1e-3)
    assert result.identity.residue < SUM
    assert any("soft cap" in note for note in result.provenance.notes)


def test_heads_under_a_norm_of_their_layer_are_refused(tokenizer):
    bridge = models.bridge(models.hf_gemma2(), tokenizer)
    with pytest.raises(RequestError, match=r"Use by='component'"):
        attribution_of(bridge, by="head")


@pytest.mark.parametrize("by", BY)
def test_parallel_blocks(tokenizer, by):
    assert attribution_of(models.bridge(models.hf_neox(), tokenizer), by=by).identity.residue < SUM


def test_attention_only_models(tokenizer):
    from transformer_lens import TransformerBridgeConfig
    from transformer_lens.model_bridge import TransformerBridge

    config = TransformerBridgeConfig(
        d_model=16, d_head=4, n_layers=2, n_ctx=16, n_heads=4, d_vocab=50,
        attn_only=True, normalization_type="LN", seed=0,
    )  # fmt: skip
    bridge = TransformerBridge.boot_native(config).eval()
    for by in BY:
        assert attribution_of(bridge, 5, prompt=(1, 2, 3), by=by).identity.residue < SUM


def test_a_stream_that_is_not_a_sum_is_refused(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    bridge.add_hook("blocks.1.hook_resid_post", lambda t, hook: 2 * t)
    with pytest.raises(ModelError, match=r"what attention and MLPs write is changed .*LogitLens"):
        attribution_of(bridge)


def test_heads_that_are_not_their_layers_parts_are_refused(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    bridge.add_hook("blocks.1.hook_attn_out", lambda t, hook: 2 * t)
    with pytest.raises(RequestError, match=r"what heads write is changed .* by='component'"):
        attribution_of(bridge, by="head")
    assert attribution_of(bridge).identity.residue < SUM


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"by": "neuron"}, RequestError),
        ({"position": 9}, RequestError),
        ({"position": -10}, RequestError),
        ({"wrong": " cat"}, RequestError),
        ({"wrong": "cat sat"}, PromptError),
        ({"answer": "cat sat"}, PromptError),
        ({"prompt": ""}, PromptError),
    ],
)
def test_refusals(gpt2, request_, error):
    with pytest.raises(error) as refusal:
        attribution_of(gpt2, **request_)
    assert refusal.value.hint
