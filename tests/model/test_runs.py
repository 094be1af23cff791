"""Cached runs: bounded by bytes, dropped when the weights change, never felt in a result."""

from __future__ import annotations

import gc

import pytest
import torch

from headscope.model import LiveModel
from headscope.model.runs import LOGITS, POOL, Pool, RunCache, Site
from tests import models

SITES = [
    Site("blocks.1.hook_resid_post"),
    Site("blocks.0.attn.hook_pattern", 1, 2),
    Site(LOGITS, 0, 3),
]
IDS = (0, 259, 265, 273)


@pytest.fixture
def model(tokenizer):
    return LiveModel.of(models.bridge(models.hf_gpt2(), tokenizer))


@pytest.fixture
def forwards(model, monkeypatch):
    """Counts forward passes."""
    count = []
    run = model.bridge.run_with_hooks
    monkeypatch.setattr(
        type(model.bridge),
        "run_with_hooks",
        lambda self, *a, **k: (count.append(1), run(*a, **k))[1],
    )
    return count


def kilobyte() -> torch.Tensor:
    return torch.zeros(256)


def test_the_budget_holds_and_the_least_used_goes_first():
    runs = RunCache(Pool(3 * 1024))
    for name in "abc":
        runs.put(name, kilobyte())
    assert runs.nbytes == 3 * 1024
    runs.get("a")
    runs.put("d", kilobyte())
    assert runs.nbytes == 3 * 1024
    assert [runs.get(name) is not None for name in "abcd"] == [True, False, True, True]


def test_what_exceeds_the_budget_alone_is_not_kept():
    runs = RunCache(Pool(1024))
    runs.put("a", kilobyte())
    runs.put("big", torch.zeros(257))
    assert runs.get("big") is None
    assert runs.get("a") is not None


def test_replacing_counts_once():
    runs = RunCache(Pool(4 * 1024))
    for _ in range(3):
        runs.put("a", kilobyte())
    assert runs.nbytes == 1024
    runs.clear()
    assert runs.nbytes == 0
    assert runs.get("a") is None


def test_a_view_counts_as_the_storage_it_keeps():
    runs = RunCache(Pool(512))
    runs.put("view", kilobyte()[:1])
    assert runs.get("view") is None


def test_caches_share_a_budget_and_the_least_used_goes_first_whoever_has_it():
    pool = Pool(3 * 1024)
    one, other = RunCache(pool), RunCache(pool)
    one.put("a", kilobyte())
    other.put("b", kilobyte())
    one.put("c", kilobyte())
    one.get("a")
    one.put("d", kilobyte())
    assert pool.nbytes == 3 * 1024
    assert (one.nbytes, other.nbytes) == (3 * 1024, 0)
    other.put("e", kilobyte())
    assert one.get("c") is None
    assert one.get("a") is not None


def test_a_cache_that_nobody_holds_takes_no_room():
    pool = Pool(1024)
    one, other = RunCache(pool), RunCache(pool)
    one.put("a", kilobyte())
    del one
    gc.collect()
    assert pool.nbytes == 0
    other.put("b", kilobyte())
    pool.clear()
    assert other.get("b") is None


def test_all_models_share_one_pool(model, tokenizer, monkeypatch):
    another = LiveModel.of(models.bridge(models.hf_llama(), tokenizer))
    POOL.clear()
    model.activations(IDS, SITES)
    first = POOL.nbytes
    assert first == model.open_runs().nbytes > 0
    another.activations(IDS, SITES)
    assert POOL.nbytes == first + another.open_runs().nbytes
    monkeypatch.setattr(POOL, "budget", POOL.nbytes)
    another.activations(IDS[:-1], SITES[:1])
    assert model.open_runs().nbytes < first


def test_the_second_time_runs_nothing_and_is_equal(model, forwards):
    fresh = model.activations(IDS, SITES)
    assert len(forwards) == 1
    cached = model.activations(IDS, SITES)
    assert len(forwards) == 1
    for site in SITES:
        assert torch.equal(fresh[site], cached[site])
    model.activations(IDS[:-1], SITES[:1])
    assert len(forwards) == 2


def test_only_what_is_missing_is_run_for(model, forwards):
    model.activations(IDS, SITES[:1])
    both = model.activations(IDS, SITES)
    assert len(forwards) == 2
    assert both.keys() == set(SITES)


def test_sites_are_what_run_with_cache_shows(any_bridge):
    model = LiveModel.of(any_bridge)
    ids = model.tokenize(models.PROMPT).token_ids
    sites = [*SITES[:2], Site(LOGITS, 0, 3)]
    found = model.activations(ids, sites)
    with torch.no_grad():
        logits, cache = any_bridge.run_with_cache(torch.tensor([ids]))
    assert torch.equal(found[sites[0]], cache["blocks.1.hook_resid_post"][0])
    assert torch.equal(found[sites[1]], cache["blocks.0.attn.hook_pattern"][0, :, 2])
    torch.testing.assert_close(found[sites[2]], logits[0, 3])


def in_place(weight):
    weight[3, 4] += 1.0


def through_data(weight):
    weight.data[:] = weight.data * 1.5


def one_slice_through_data(weight):
    weight.data[: len(weight) // 4] = 0


@pytest.mark.parametrize("edit", [in_place, through_data, one_slice_through_data])
def test_edited_weights_drop_the_runs(model, forwards, edit):
    before = model.activations(IDS, SITES)[SITES[0]]
    with torch.no_grad():
        edit(model.bridge.blocks[0].mlp.original_component.c_fc.weight)
    after = model.activations(IDS, SITES)[SITES[0]]
    assert len(forwards) == 2
    assert not torch.equal(before, after)


def test_replaced_weights_drop_the_runs(model):
    model.activations(IDS, SITES)
    linear = model.bridge.blocks[0].mlp.original_component.c_fc
    linear.weight = torch.nn.Parameter(torch.zeros_like(linear.weight))
    assert model.open_runs().nbytes == 0


def test_the_users_hooks_act_and_nothing_is_cached_meanwhile(model, forwards):
    plain = model.activations(IDS, SITES)[SITES[0]]
    model.bridge.add_hook("blocks.0.hook_mlp_out", lambda t, hook: torch.zeros_like(t))
    for expected in (2, 3):
        hooked = model.activations(IDS, SITES)[SITES[0]]
        assert len(forwards) == expected
        assert not torch.equal(plain, hooked)
    model.bridge.reset_hooks()
    assert torch.equal(model.activations(IDS, SITES)[SITES[0]], plain)
    assert len(forwards) == 3


def test_hooks_that_the_libraries_leave_behind_do_not_count(model, forwards):
    with torch.no_grad():
        model.bridge.run_with_cache(torch.tensor([IDS]))
    wrapped = model.bridge.blocks[0].original_component
    assert wrapped._forward_hooks  # transformers's own, which record outputs
    del forwards[:]
    model.activations(IDS, SITES)
    model.activations(IDS, SITES)
    assert len(forwards) == 1


@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_plain_torch_hooks_count(model, kind):
    model.activations(IDS, SITES)
    linear = model.bridge.blocks[0].mlp.original_component.c_fc
    handle = getattr(linear, kind)(lambda *_: None)
    assert model.open_runs().get((IDS, SITES[0])) is None
    handle.remove()
    assert model.open_runs().get((IDS, SITES[0])) is not None


def test_another_dtype_drops_the_runs(model):
    model.activations(IDS, SITES)
    model.bridge.to(torch.bfloat16, print_details=False)
    assert model.activations(IDS, SITES)[SITES[0]].dtype == torch.bfloat16
