"""Which models are taken, what is said about them, and which are refused."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

from headscope.errors import HeadscopeError, ModelError
from headscope.model import Capabilities, LiveModel, load
from tests import models


def test_there_is_one_live_model_per_bridge(gpt2, llama):
    model = LiveModel.of(gpt2)
    assert LiveModel.of(gpt2) is model
    assert LiveModel.of(model) is model
    assert LiveModel.of(llama) is not model


def test_neither_the_bridge_nor_its_runs_are_kept_alive(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    model = LiveModel.of(bridge)
    list_of_runs = weakref.ref(model._runs)
    seen = weakref.ref(model)
    del model
    gc.collect()
    assert seen() is None
    assert list_of_runs() is None


@pytest.mark.parametrize("source", ["gpt2", None, torch.nn.Linear(2, 2)])
def test_what_is_no_bridge_is_refused_with_the_fixing_call(source):
    with pytest.raises(
        ModelError, match=r"hs\.load\('gpt2'\)" if source == "gpt2" else r"hs\.load"
    ):
        LiveModel.of(source)


def test_capabilities_of_both_types(gpt2, llama, gpt2_processed):
    plain = Capabilities(
        attention=True,
        grouped_query=False,
        gated_mlp=False,
        parallel_blocks=False,
        rotary=False,
        processed_weights=False,
        causal=True,
        normalization="LN",
        tokenizer=True,
    )
    assert LiveModel.of(gpt2).capabilities == plain
    processed = LiveModel.of(gpt2_processed).capabilities
    assert processed.processed_weights
    gated = LiveModel.of(llama).capabilities
    assert gated.grouped_query
    assert gated.gated_mlp
    assert gated.rotary
    assert gated.normalization == "RMS"


def test_sizes_and_names(gpt2):
    model = LiveModel.of(gpt2)
    assert (model.n_layers, model.n_heads, model.n_ctx) == (3, 4, 64)
    assert (model.d_model, model.d_head, model.d_vocab) == (32, 8, 332)
    assert (model.name, model.architecture) == ("tiny-gpt2", "GPT2LMHeadModel")
    assert (model.dtype, model.device, model.revision) == ("float32", "cpu", None)


def test_a_directory_is_loaded_and_named_by_its_last_part(gpt2_dir):
    bridge = load(str(gpt2_dir), device="cpu")
    model = LiveModel.of(bridge)
    assert model.name == gpt2_dir.name
    record = model.provenance("a", (), {}, sign="", normalisation="", user_hooks=())
    assert str(gpt2_dir) not in str(record)
    assert model.dtype == "float32"
    assert not any(module.training for module in bridge.modules())
    assert load(bridge) is bridge


def test_dtype_is_applied(gpt2_dir):
    assert LiveModel.of(load(gpt2_dir, device="cpu", dtype=torch.bfloat16)).dtype == "bfloat16"


def test_a_model_that_cannot_be_reached_says_what_to_do(tmp_path):
    with pytest.raises(HeadscopeError, match=r"Offline, pass a directory .* hs\.load_demo\(\)"):
        load("nobody/no-such-model")
    with pytest.raises(HeadscopeError, match="There is no directory"):
        load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="boot_transformers"):
        load(models.hf_gpt2())


def test_training_mode_is_refused(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    model = LiveModel.of(bridge)
    model.ready()
    bridge.blocks[1].train()
    with pytest.raises(ModelError, match=r"bridge\.eval\(\)"):
        model.forward((0, 1), {})
    bridge.eval()
    model.ready()


def test_encoder_decoders_are_refused(tokenizer):
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=models.D_VOCAB, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    bridge = models.bridge(T5ForConditionalGeneration(config).eval(), tokenizer)
    with pytest.raises(ModelError, match=r"encoder-decoder.*hs\.load"):
        LiveModel.of(bridge)


def test_next_tokens_are_the_models_own(any_bridge):
    model = LiveModel.of(any_bridge)
    ids = model.tokenize(models.PROMPT).token_ids
    with torch.no_grad():
        probability = any_bridge(torch.tensor([ids]))[0, -1].softmax(-1)
    best = model.next_tokens(model.forward(ids, {})[-1], k=3)
    assert [token.token_id for token in best] == probability.topk(3).indices.tolist()
    assert best[0].probability == pytest.approx(float(probability.max()), rel=1e-5)
    assert best[0].text == model.token_text(best[0].token_id)


def test_only_the_wanted_logits_are_computed_and_they_are_exact(any_bridge):
    model = LiveModel.of(any_bridge)
    ids = model.tokenize(models.PROMPT).token_ids
    widths = []
    logits = model.forward(
        ids, {"unembed.hook_out": lambda t: widths.append(len(t))}, logits_at=(2, -1)
    )
    with torch.no_grad():
        full = any_bridge(torch.tensor([ids]))[0]
    torch.testing.assert_close(logits, full[[2, len(ids) - 1]])
    assert widths == [2]


def test_an_activation_that_is_not_there_is_named(gpt2):
    model = LiveModel.of(gpt2)
    with pytest.raises(ModelError, match=r"has no blocks\.9\.hook_resid_pre"):
        model.forward((0, 1), {"blocks.9.hook_resid_pre": print})
    with pytest.raises(ModelError, match=r"without showing blocks\.0\.attn\.qkv"):
        model.forward((0, 1), {"blocks.0.attn.qkv.hook_out": print})


def test_provenance_says_enough_to_run_again(gpt2_processed):
    model = LiveModel.of(gpt2_processed)
    prompt = model.tokenize("the cat")
    record = model.provenance(
        "x", [prompt], {"k": 1}, sign="s", normalisation="n", user_hooks=["a"], seed=3
    )
    assert record.processed_weights
    assert record.prompts == (prompt,)
    assert record.parameters == {"k": 1}
    assert record.versions.keys() == {"headscope", "torch", "transformer_lens", "transformers"}
    assert (record.seed, record.user_hooks) == (3, ("a",))


def test_the_state_is_of_the_weights_and_of_the_users_hooks(tokenizer):
    model = LiveModel.of(models.bridge(models.hf_gpt2(), tokenizer))
    before = model.state()
    model.forward((0, 1), {"blocks.0.hook_resid_pre": lambda t: None})
    assert model.state() == before
    assert model.user_hooks() == ()
    model.bridge.add_hook("blocks.1.hook_resid_post", lambda t, hook: t)
    assert model.user_hooks() == ("blocks.1.hook_out",)
    hooked = model.state()
    assert hooked != before
    model.forward((0, 1), {})
    assert model.state() == hooked
    model.bridge.reset_hooks()
    model.bridge.add_hook("blocks.1.hook_resid_post", lambda t, hook: t)
    assert model.state() not in (before, hooked)
    model.bridge.reset_hooks()
    assert model.state() == before
    with torch.no_grad():
        model.bridge.embed.W_E[0] += 1
    assert model.state() != before
