"""Runs that start in the middle, and generation, are the whole runs that they stand for."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import torch

import headscope as hs
from headscope.model import LiveModel
from headscope.model.intervening import plan
from headscope.model.intervening.generating import Sampling, generate
from headscope.model.intervening.running import Baseline
from tests import models

IDS = [0, 17, 40, 99, 23, 61, 5, 120]
OTHER = [0, 17, 41, 99, 7, 61, 5, 121]

STACKS = {
    "nothing": hs.Interventions(),
    "a head late": hs.Interventions().zero("L2H1"),
    "attention and a neuron": hs.Interventions().knock_out("L1H0", -1, 2).clamp("L1N3", 4.0, [-1]),
    "from another prompt": hs.Interventions().patch("L1.resid_pre", OTHER, [4]).scale("MLP2", 2),
    "held": hs.Interventions().freeze_pattern("L1", OTHER),
    "steered": hs.Interventions().steer(1, hs.Vector([0.4] * 32), 2.0),
    "layers": hs.Interventions().swap(0, 2).skip(1, "mlp"),
    "first layer out": hs.Interventions().skip(0),
    "repeated": hs.Interventions().repeat(2, 3),
}


@pytest.mark.parametrize("name", STACKS)
def test_a_run_from_the_middle_is_the_whole_run(every_bridge: Any, name: str) -> None:
    model, changes = LiveModel.of(every_bridge), STACKS[name]
    baseline = Baseline(model, IDS)
    with torch.no_grad(), changes.applied(every_bridge):
        expected, cache = every_bridge.run_with_cache(torch.tensor([IDS]))
    name = "blocks.2.hook_resid_post"
    found = baseline.run(plan(model, changes), positions=[3, -1], seen=[name])
    assert torch.allclose(found.logits, expected[0, [3, -1]], atol=2e-5)
    if name in cache:
        assert torch.allclose(found.seen[name], cache[name][0], atol=2e-5)
    assert not LiveModel.of(every_bridge).user_hooks()


def test_blocks_below_do_not_run(gpt2: Any) -> None:
    chosen = plan(gpt2, hs.Interventions().zero("L2H1"))
    names = [f"blocks.{layer}.mlp.hook_out" for layer in range(3)]
    found = Baseline(LiveModel.of(gpt2), IDS).run(chosen, seen=names)
    assert list(found.seen) == names[2:]


@pytest.mark.parametrize("name", STACKS)
def test_generation_with_and_without_cache_is_the_same(every_bridge: Any, name: str) -> None:
    """And both are what the model says, asked for one token after the other."""
    model, changes = LiveModel.of(every_bridge), STACKS[name]
    sampling = Sampling(temperature=0.8, seed=3)
    with_cache = list(generate(model, IDS, sampling, 12, plan(model, changes)))
    without = list(generate(model, IDS, sampling, 12, plan(model, changes), cached=False))
    assert with_cache == without
    assert len(with_cache) > 3


def test_generation_asks_the_model_for_each_token(gpt2: Any) -> None:
    found = list(generate(LiveModel.of(gpt2), IDS, Sampling(), 6))
    text = list(IDS)
    for token in found:
        with torch.no_grad():
            assert token == int(gpt2(torch.tensor([text]))[0, -1].argmax())
        text.append(token)


def test_the_same_seed_gives_the_same_text_and_another_another(gpt2: Any) -> None:
    model = LiveModel.of(gpt2)
    texts = [
        list(generate(model, IDS, Sampling(temperature=1.5, seed=seed), 10)) for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_frequencies_of_sampled_tokens_are_the_probabilities() -> None:
    logits = torch.tensor([1.0, 0.0, 2.0])
    sampling = [Sampling(temperature=0.5, seed=seed) for seed in range(4000)]
    drawn = torch.bincount(torch.tensor([s.choose(logits, 0) for s in sampling]), minlength=3)
    assert torch.allclose(drawn / 4000, (logits / 0.5).softmax(-1), atol=0.03)


def test_generation_ends_where_no_longer_text_fits_and_leaves_nothing(gpt2: Any) -> None:
    model = LiveModel.of(gpt2)
    long = [*IDS, *([17] * 50)]
    grown = list(generate(model, long, Sampling(temperature=1.0), 99))
    assert 0 < len(grown) <= model.n_ctx - 58
    stopped = generate(model, IDS, Sampling(), 9, plan(model, STACKS["layers"]))
    list(islice(stopped, 2))
    assert not model.user_hooks()
    assert not any("forward" in block.__dict__ for block in gpt2.blocks)
    with pytest.raises(hs.RequestError, match="temperature"):
        Sampling(temperature=-1)


def test_a_plan_forgets_the_text_that_it_was_generated_on(gpt2: Any) -> None:
    """Positions count from the end of each prompt, whatever ran before."""
    model = LiveModel.of(gpt2)
    used, fresh = (plan(model, hs.Interventions().zero("L1H2", [-1])) for _ in range(2))
    next(generate(model, [*IDS, 17, 40], Sampling(), 3, used))
    baseline = Baseline(model, IDS)
    assert torch.equal(baseline.run(used).logits, baseline.run(fresh).logits)


def test_a_baseline_of_another_model_is_refused(tokenizer: Any) -> None:
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    model = LiveModel.of(bridge)
    baseline, chosen = Baseline(model, IDS), plan(model, hs.Interventions().zero("L1H2"))
    with torch.no_grad():
        bridge.blocks[0].mlp.W_in.mul_(2)
    with pytest.raises(hs.ResultError, match="changed since"):
        baseline.run(chosen)


@pytest.mark.parametrize(
    "changes",
    [
        hs.Interventions().knock_out("L0", None, 4).knock_out("L1", None, -2),
        hs.Interventions().knock_out("L0", -1, 1).freeze_pattern("L1", OTHER),
    ],
)
def test_edges_are_those_of_the_text_where_a_window_slides(
    tokenizer: Any, changes: hs.Interventions
) -> None:
    """Keys that fell out of the window shift the others' columns."""
    model = LiveModel.of(models.bridge(models.hf_mistral(window=5), tokenizer))
    sampling = Sampling(temperature=1.5, seed=1)
    cached = list(generate(model, IDS, sampling, 8, plan(model, changes)))
    whole = list(generate(model, IDS, sampling, 8, plan(model, changes), cached=False))
    plain = list(generate(model, IDS, sampling, 8))
    assert cached == whole
    assert cached != plain
