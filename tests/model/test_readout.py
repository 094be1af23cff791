"""The read-out is the model's own path from the residual stream to the logits."""

from __future__ import annotations

import pytest
import torch

from headscope.errors import ModelError
from headscope.model import LiveModel
from headscope.model.runs import Site
from tests import models


def last_stream(bridge):
    model = LiveModel.of(bridge)
    ids = model.tokenize(models.PROMPT).token_ids
    site = Site(f"blocks.{model.n_layers - 1}.hook_resid_post")
    with torch.no_grad():
        logits = bridge(torch.tensor([ids]))[0]
    return model.activations(ids, [site])[site], logits


def native(kind):
    from transformer_lens import TransformerBridgeConfig
    from transformer_lens.model_bridge import TransformerBridge

    config = TransformerBridgeConfig(
        d_model=16, d_head=4, n_layers=2, n_ctx=16, n_heads=4, d_mlp=32, d_vocab=50,
        act_fn="gelu", normalization_type=kind, seed=0,
    )  # fmt: skip
    return TransformerBridge.boot_native(config).eval()


def test_logits_are_the_models(any_bridge):
    stream, logits = last_stream(any_bridge)
    path = LiveModel.of(any_bridge).read_out()
    with torch.no_grad():
        torch.testing.assert_close(path.logits(stream), logits, atol=1e-5, rtol=1e-5)
        path.check(stream, logits)
    assert not path.transforms


@pytest.mark.parametrize("kind", ["LN", "LNPre", "RMS", "RMSPre", None])
def test_every_kind_of_norm(kind):
    bridge = native(kind)
    model = LiveModel.of(bridge)
    site = Site("blocks.1.hook_resid_post")
    with torch.no_grad():
        logits = bridge(torch.tensor([[1, 2, 3]]))[0]
        path = model.read_out()
        stream = model.activations((1, 2, 3), [site])[site]
        torch.testing.assert_close(path.logits(stream), logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("wrong", [None, 7])
def test_direction_and_constant_give_the_logit(any_bridge, wrong):
    stream, logits = last_stream(any_bridge)
    path = LiveModel.of(any_bridge).read_out()
    with torch.no_grad():
        projected = stream @ path.direction(5, wrong) / path.scale(stream)[:, 0]
        ours = projected + path.constant(5, wrong)
        raw = path.raw_logit(path.normalised(stream), 5, wrong)
    theirs = logits[:, 5] - (0 if wrong is None else logits[:, wrong])
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(raw, theirs, atol=1e-5, rtol=1e-5)


def test_another_path_is_refused(gpt2):
    stream, logits = last_stream(gpt2)
    path = LiveModel.of(gpt2).read_out()
    with torch.no_grad(), pytest.raises(ModelError, match="final norm and unembedding"):
        path.check(2 + stream.roll(1, -1), logits)
    with torch.no_grad(), pytest.raises(ModelError):
        path.check(stream * torch.nan, logits)


def test_a_soft_cap_is_followed(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    bridge.cfg.output_logits_soft_cap = 2.0
    stream, _ = last_stream(bridge)
    path = LiveModel.of(bridge).read_out()
    assert path.transforms
    with torch.no_grad():
        capped, plain = path.logits(stream), path.raw_logit(path.normalised(stream), 5, None)
    torch.testing.assert_close(capped[:, 5], 2.0 * torch.tanh(plain / 2.0))
