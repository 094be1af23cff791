"""Direct blocks are used where they give what the model gives, and only there."""

from __future__ import annotations

import pytest
import torch

from headscope.model import direct_runs, recorded
from headscope.model.direct import direct_blocks
from headscope.model.direct_runs import way_of_running
from headscope.model.patched_runs import PatchedRun
from headscope.model.recorded import Patch
from headscope.model.resumed import Resumption, drain
from tests import models

IDS = [[5, 7, 11, 13, 17, 19], [6, 8, 12, 14, 18, 20]]
FAMILIES = {"gpt2": models.hf_gpt2, "llama": models.hf_llama, "neox": models.hf_neox}


@pytest.fixture(params=[(f, c) for f in FAMILIES for c in (False, True)], ids=str)
def bridge(request, tokenizer):
    family, compatibility = request.param
    return models.bridge(FAMILIES[family](), tokenizer, compatibility=compatibility)


def trusted(bridge, ids=IDS):
    return Resumption(bridge, recorded.record(bridge, ids), (len(ids[0]) - 1,)).direct is not None


def test_every_block_gives_what_the_model_records(bridge):
    assert trusted(bridge)
    ours = direct_runs.record(bridge, IDS, places := [("z", 1), ("pattern", 1), ("k", 2)])
    theirs = recorded.record(bridge, IDS, places)
    torch.testing.assert_close(ours.streams, theirs.streams, atol=1e-5, rtol=1e-5)
    for mine, own in zip(ours.keys_values, theirs.keys_values, strict=True):
        torch.testing.assert_close(mine[0], own[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(mine[1], own[1], atol=1e-5, rtol=1e-5)
    for place in places:
        torch.testing.assert_close(
            ours.activations[place], theirs.activations[place], atol=1e-5, rtol=1e-5
        )
    assert ours.tuples == theirs.tuples


def test_edits_and_noise_are_in_direct_recordings(bridge):
    assert trusted(bridge)
    edit = Patch("z", 1, (2, 4), torch.ones(2, models.D_MODEL // models.N_HEADS), 3)
    noise = torch.linspace(-1, 1, 2 * 6 * models.D_MODEL).view(2, 6, -1)
    ours, theirs = (
        record(bridge, IDS, edits=[edit], embedding_noise=noise)
        for record in (direct_runs.record, recorded.record)
    )
    torch.testing.assert_close(ours.streams, theirs.streams, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(ours.streams[:, -1], recorded.record(bridge, IDS).streams[:, -1])


def test_heads_that_join_behind_the_attention_give_the_same(bridge):
    base = recorded.record(bridge, IDS, [("z", layer) for layer in range(models.N_LAYERS)])
    value = torch.ones(6, models.D_MODEL // models.N_HEADS)
    runs = [
        PatchedRun(row, (Patch("z", layer, tuple(range(6)), value, head),))
        for layer in range(models.N_LAYERS)
        for row, head in ((0, 1), (1, 3))
    ]
    engine = Resumption(bridge, base, (5,))
    assert engine.direct is not None
    found = drain(engine.streams(runs))
    engine.direct = None
    torch.testing.assert_close(found, drain(engine.streams(runs)), atol=1e-5, rtol=1e-5)


def test_what_is_of_another_kind_has_no_direct_blocks(tokenizer):
    assert direct_blocks(models.bridge(models.hf_gemma2(), tokenizer), 6) is None
    half = models.bridge(models.hf_gpt2(), tokenizer, dtype=torch.bfloat16)
    assert not trusted(half)


def test_a_window_is_noticed_once_it_matters(tokenizer):
    bridge = models.bridge(models.hf_mistral(window=8), tokenizer)
    long = [list(range(5, 25))]
    assert not trusted(bridge, long)
    assert trusted(bridge, [long[0][:7]])
    assert not trusted(bridge, long)


def test_a_block_that_computes_something_else_is_not_trusted(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    assert trusted(bridge)

    class Louder(type(bridge.blocks[1].mlp.original_component)):
        def forward(self, hidden):
            return 1.01 * super().forward(hidden)

    bridge.blocks[1].mlp.original_component.__class__ = Louder
    assert not trusted(bridge)


def test_a_forward_of_a_module_s_own_is_run(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    assert trusted(bridge)
    plain = direct_runs.record(bridge, IDS).streams
    mlp = bridge.blocks[1].mlp.original_component
    own = mlp.forward
    mlp.forward = lambda hidden: own(hidden) + 1
    assert not trusted(bridge)
    assert not torch.allclose(direct_runs.record(bridge, IDS).streams[:, -1], plain[:, -1])
    del mlp.forward
    assert trusted(bridge)


def test_hooks_of_the_users_are_run_through(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    assert trusted(bridge)
    plain = direct_runs.record(bridge, IDS).streams
    bridge.add_hook("blocks.1.hook_mlp_out", lambda x, hook: 0 * x)
    hooked = direct_runs.record(bridge, IDS).streams
    assert not torch.allclose(plain[:, -1], hooked[:, -1])
    assert not trusted(bridge)
    bridge.reset_hooks()
    torch.testing.assert_close(direct_runs.record(bridge, IDS).streams, plain)


def test_a_changed_setting_or_class_ends_the_trust(tokenizer):
    bridge = models.bridge(models.hf_llama(), tokenizer)
    assert trusted(bridge)
    attention = bridge.blocks[1].attn.original_component
    attention.scaling *= 3
    assert not trusted(bridge)
    ours, theirs = (r(bridge, IDS).streams for r in (direct_runs.record, recorded.record))
    assert torch.equal(ours, theirs)
    attention.scaling /= 3
    assert trusted(bridge)


def test_a_class_that_is_patched_is_noticed(tokenizer, monkeypatch):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    assert trusted(bridge)
    kind = type(bridge.blocks[1].mlp.original_component)
    own = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, hidden: 1.1 * own(self, hidden))
    assert not trusted(bridge)
    ours, theirs = (r(bridge, IDS).streams for r in (direct_runs.record, recorded.record))
    assert torch.equal(ours, theirs)


def test_weights_are_read_as_they_are(tokenizer):
    bridge = models.bridge(models.hf_llama(), tokenizer)
    assert trusted(bridge)
    with torch.no_grad():
        bridge.blocks[0].mlp.out.original_component.weight.mul_(2)
    ours, theirs = (r(bridge, IDS).streams for r in (direct_runs.record, recorded.record))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_autocast_is_another_way_of_running(tokenizer):
    """What was tried without it says nothing of runs under it, nor the other way round."""
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    plain = way_of_running(bridge)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = way_of_running(bridge)
    assert cast != plain
    assert way_of_running(bridge) == plain
