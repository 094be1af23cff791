"""The lens against TransformerLens's own, and each measure against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformer_lens.tools.analysis import logit_lens as oracle

from headscope.analyses import logit_lens, readings
from headscope.analyses.logit_lens import LogitLensRequest
from headscope.errors import ModelError, PromptError, RequestError
from headscope.model import LiveModel
from tests import models
from tests.analyses.steps import drain, result_of

EXACT = {"atol": 1e-5, "rtol": 1e-4}


def lens_of(bridge, prompt=models.PROMPT, **request):
    return result_of(logit_lens.run(LiveModel.of(bridge), LogitLensRequest(prompt, **request)))


def log_probabilities(bridge, result, read_outs):
    """Full log-probabilities `[row, position, d_vocab]`, by TransformerLens."""
    ids = torch.tensor([result.provenance.prompts[0].token_ids])
    found = oracle(bridge, ids, positions=None, incl_mid=True, return_type="log_probs")
    labels = {
        "embed": "0_pre",
        **{f"L{n} pre": f"{n}_pre" for n in range(models.N_LAYERS)},
        **{f"L{n} mid": f"{n}_mid" for n in range(models.N_LAYERS)},
        **{f"L{n} post": f"{n + 1}_pre" for n in range(models.N_LAYERS - 1)},
        "output": "final_post",
    }
    return found.values[[found.labels.index(labels[name]) for name in read_outs], 0]


@pytest.mark.parametrize(
    ("read_out", "labels", "read_outs"),
    [
        ("resid_post", ["embed", "L0", "L1", "output"], ["embed", "L0 post", "L1 post", "output"]),
        ("resid_pre", ["embed", "L1", "L2", "output"], ["embed", "L1 pre", "L2 pre", "output"]),
        (
            "resid_mid",
            ["embed", "L0", "L1", "L2", "output"],
            ["embed", "L0 mid", "L1 mid", "L2 mid", "output"],
        ),
        (
            "all",
            ["embed", "L0 mid", "L0 post", "L1 mid", "L1 post", "L2 mid", "output"],
            ["embed", "L0 mid", "L0 post", "L1 mid", "L1 post", "L2 mid", "output"],
        ),
    ],
)
def test_every_measure_is_the_oracles(any_bridge, read_out, labels, read_outs):
    result = lens_of(any_bridge, read_out=read_out, top_k=3)
    assert list(result.axes[0].labels) == labels
    log_p = log_probabilities(any_bridge, result, read_outs)
    p = log_p.exp()
    best = log_p.topk(3)
    np.testing.assert_array_equal(result.top.ids, best.indices.numpy())
    np.testing.assert_allclose(result.top.values, best.values.exp().numpy(), **EXACT)
    np.testing.assert_allclose(result["probability"], p.amax(-1).numpy(), **EXACT)
    np.testing.assert_allclose(result["log_probability"], log_p.amax(-1).numpy(), **EXACT)
    np.testing.assert_allclose(result["entropy"], -(p * log_p).sum(-1).numpy(), **EXACT)
    final_token = log_p[-1].argmax(-1)
    own = log_p.gather(-1, final_token[None, :, None].expand(len(log_p), -1, -1))
    np.testing.assert_array_equal(result["rank"], (log_p > own).sum(-1).numpy())
    divergence = (p[-1] * (log_p[-1] - log_p)).sum(-1)
    np.testing.assert_allclose(result["kl"], divergence.numpy(), **EXACT)


def test_the_last_row_is_the_models_output(any_bridge):
    result = lens_of(any_bridge)
    ids = torch.tensor([result.provenance.prompts[0].token_ids])
    with torch.no_grad():
        probability = any_bridge(ids)[0].softmax(-1)
    np.testing.assert_allclose(result["probability"][-1], probability.amax(-1).numpy(), **EXACT)
    assert not result["rank"][-1].any()
    assert not result["kl"][-1].any()
    assert result.next_tokens[0].token_id == result.top.ids[-1, -1, 0]
    assert result.next_tokens[0].probability == pytest.approx(
        float(probability[-1].max()), rel=1e-4
    )


@pytest.mark.parametrize("vectors", [1, 3, 8, 27, 1000])
@pytest.mark.parametrize("block", [2, 16])
def test_pieces_do_not_show(gpt2, monkeypatch, vectors, block):
    whole = lens_of(gpt2, read_out="all")
    monkeypatch.setattr(readings, "_PIECE_VECTORS", vectors)
    monkeypatch.setattr(readings, "_TOP_BLOCK", block)
    pieced = lens_of(gpt2, read_out="all")
    np.testing.assert_array_equal(pieced.top.ids, whole.top.ids)
    for measure in whole.measures:
        np.testing.assert_allclose(pieced[measure.name], measure.values, **EXACT)


def test_pieces_are_bounded_by_bytes_whatever_the_vocabulary():
    for d_vocab in (10, 50_257, 256_000, 10**8):
        n = readings.vectors_per_piece(d_vocab)
        assert n == 1 or n * d_vocab * 4 <= readings._PIECE_BYTES


def test_no_piece_holds_more_vectors_than_that(gpt2, monkeypatch):
    from headscope.model.readout import ReadOut

    monkeypatch.setattr(readings, "_PIECE_VECTORS", 5)
    sizes = []
    logits = ReadOut.logits
    monkeypatch.setattr(
        ReadOut, "logits", lambda self, resid: (sizes.append(len(resid)), logits(self, resid))[1]
    )
    lens_of(gpt2)
    assert max(sizes) == 5
    assert sum(sizes) == 1 + 4 * 9  # the check of one position, then every cell once


def test_half_precision_and_one_token(tokenizer):
    for build in (models.hf_gpt2, models.hf_llama):
        bridge = models.bridge(build(), tokenizer, dtype=torch.bfloat16)
        half = lens_of(bridge)
        exact = lens_of(models.bridge(build(), tokenizer))
        np.testing.assert_allclose(half["entropy"], exact["entropy"], atol=0.1)
        assert lens_of(bridge, (5,)).shape == (4, 1)


def test_cell_and_track_are_the_grid(any_bridge):
    model = LiveModel.of(any_bridge)
    result = lens_of(any_bridge, read_out="all")
    log_p = log_probabilities(any_bridge, result, result.axes[0].labels)
    prompt = result.provenance.prompts[0]
    found = logit_lens.cell(model, prompt, 2, 4, k=7, read_out="all")
    best = log_p[2, 4].topk(7)
    assert [token.token_id for token in found] == best.indices.tolist()
    np.testing.assert_allclose([t.probability for t in found], best.values.exp(), **EXACT)
    logits = np.array([token.logit for token in found])
    np.testing.assert_allclose(logits - logits[0], best.values - best.values[0], **EXACT)
    assert len(logit_lens.cell(model, prompt, 0, 0, k=10**6)) == models.D_VOCAB

    followed = logit_lens.track(model, prompt, " cat", (0, 5, 8), read_out="all")
    assert followed.text == " cat"
    assert followed.rows == result.axes[0].labels
    token = log_p[:, [0, 5, 8], followed.token_id]
    np.testing.assert_allclose(followed.probability, token.exp(), **EXACT)
    rank = (log_p[:, [0, 5, 8]] > token[..., None]).sum(-1)
    np.testing.assert_array_equal(followed.rank, rank)


def test_questions_after_the_lens_run_nothing(any_bridge, monkeypatch):
    model = LiveModel.of(any_bridge)
    result = lens_of(any_bridge)
    monkeypatch.setattr(LiveModel, "forward", None)
    prompt = result.provenance.prompts[0]
    logit_lens.track(model, prompt, 5, (0,))
    logit_lens.cell(model, prompt, 1, 1)


@pytest.mark.parametrize("build", [models.hf_neox, models.hf_gemma2])
def test_other_families(tokenizer, build):
    bridge = models.bridge(build(), tokenizer)
    result = lens_of(bridge)
    ids = torch.tensor([result.provenance.prompts[0].token_ids])
    expected = oracle(bridge, ids, positions=None, return_type="probs").values[:, 0].amax(-1)
    np.testing.assert_allclose(result["probability"], expected.numpy(), **EXACT)


def test_parallel_blocks_have_no_middle(tokenizer):
    bridge = models.bridge(models.hf_neox(), tokenizer)
    model = LiveModel.of(bridge)
    assert model.capabilities.parallel_blocks
    assert lens_of(bridge, read_out="all").axes[0].labels == ("embed", "L0", "L1", "output")
    with pytest.raises(RequestError, match="read_out='resid_post'"):
        lens_of(bridge, read_out="resid_mid")


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda m: next(logit_lens.run(m, LogitLensRequest("a", read_out="z"))), RequestError),
        (lambda m: next(logit_lens.run(m, LogitLensRequest("a", top_k=0))), RequestError),
        (lambda m: next(logit_lens.run(m, LogitLensRequest("a", top_k=333))), RequestError),
        (lambda m: next(logit_lens.run(m, LogitLensRequest(""))), PromptError),
        (lambda m: logit_lens.cell(m, "a", 4, 0), RequestError),
        (lambda m: logit_lens.cell(m, "a", 0, 2), RequestError),
        (lambda m: logit_lens.track(m, "a", 5, (-1,)), RequestError),
        (lambda m: logit_lens.track(m, "a", "cat sat on", (0,)), PromptError),
    ],
)
def test_refusals(gpt2, ask, error):
    with pytest.raises(error) as refusal:
        ask(LiveModel.of(gpt2))
    assert refusal.value.hint


def test_a_model_that_reads_out_otherwise_is_refused(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    lm_head = bridge.unembed.original_component
    lm_head.register_forward_hook(lambda module, args, out: out.roll(1, -1))
    with pytest.raises(ModelError, match="attention patterns work"):
        lens_of(bridge)


def test_an_encoder_is_refused(tokenizer):
    with pytest.raises(ModelError, match="attention patterns work"):
        lens_of(models.bridge(models.hf_bert(), tokenizer))


def test_long_work_is_cut_into_steps_with_partial_results(gpt2, monkeypatch):
    monkeypatch.setattr(readings, "_PIECE_VECTORS", 1)
    monkeypatch.setattr(logit_lens, "_STEP_SECONDS", 0.0)
    monkeypatch.setattr(logit_lens, "_PARTIAL_SECONDS", 0.0)
    result, steps = drain(logit_lens.run(LiveModel.of(gpt2), LogitLensRequest(models.PROMPT)))
    assert [step.fraction for step in steps] == sorted(step.fraction for step in steps)
    assert len(steps) > result.values.size  # one before the forward pass, then one per cell
    partials = [step.partial for step in steps if step.partial is not None]
    assert 0 < len(partials) < len(steps) / 2
    known = np.isfinite(partials[0]["kl"])
    assert 0 < known.sum() < known.size
    for measure in partials[0].measures:
        np.testing.assert_array_equal(measure.values[known], result[measure.name][known])
        assert np.isnan(measure.values[~known]).all()
