"""Gradients equal finite differences of runs by hand, in float64, and leave nothing behind."""

from __future__ import annotations

import copy

import pytest
import torch

from headscope.model.gradients import gradients
from headscope.model.recorded import Patch, record
from headscope.model.resumed import drain
from tests import models, naive

IDS, OTHER = (3, 5, 9, 13, 21), (3, 5, 17, 13, 40)
READ = (2, 4)
#: How large a step is, and how far (relatively) the gradient may be off. Llama and Gemma round
#: their norms and rotations to float32 whatever dtype they have, so their steps have to be larger.
FAMILIES = {
    "gpt2": (models.hf_gpt2, 1e-5, 1e-5), "neox": (models.hf_neox, 1e-5, 1e-5),
    "llama": (models.hf_llama, 1e-3, 2e-3), "gemma2": (models.hf_gemma2, 1e-3, 2e-3),
}  # fmt: skip


@pytest.fixture(scope="module", params=FAMILIES)
def exact(request, tokenizer):
    """A float64 bridge of each family."""
    make, step, tolerance = FAMILIES[request.param]
    bridge = models.bridge(make(), tokenizer, dtype=torch.float64)
    bridge.step, bridge.tolerance = step, tolerance
    return bridge


def score(bridge):
    """A number from final streams, in the model's own precision, and not a linear one."""

    def of(streams):
        logits = bridge.unembed(bridge.ln_final(streams))
        logits = bridge.adapter.apply_output_logits_transform(logits)
        return logits[:, 1, 7] - logits[:, 0, 11] ** 2

    return of


def places_of(bridge):
    return [(site, layer) for site in naive.sites_of(bridge) for layer in range(3)]


def check(bridge, ids, place, own, slope, *, before=(), after=(), noise=None, still=()):
    """`slope` times a step is half the difference of two runs by hand, a step there and back.

    `before` and `after` are changes made with it, `still` is an index at which no step is taken.
    """
    generator = torch.Generator().manual_seed(place[1])
    step = bridge.step * torch.randn(own.shape, generator=generator, dtype=own.dtype)
    if still:
        step[still] = 0
    scores = []
    for sign in (1, -1):
        moved = naive.Change(naive.hook(*place), (...,), own + sign * step)
        logits = naive.logits(bridge, ids, [*before, moved, *after], noise)[list(READ)]
        scores.append(float(logits[1, 7] - logits[0, 11] ** 2))
    size = bridge.tolerance * float((slope * step).norm())
    assert (scores[0] - scores[1]) / 2 == pytest.approx(float((slope * step).sum()), abs=size)


def test_a_small_step_changes_the_score_by_the_gradient_times_the_step(exact):
    places = places_of(exact)
    found = drain(gradients(exact, torch.tensor([IDS, OTHER]), places, READ, score(exact)))
    for row, ids in enumerate((IDS, OTHER)):
        kept = naive.activations(exact, ids, [naive.hook(*place) for place in places])
        for place in places[row::2]:
            check(exact, ids, place, kept[naive.hook(*place)], found[place][row])


def test_where_runs_are_pinned_and_disturbed_the_gradient_is_taken_there(exact):
    noise = torch.randn(1, 5, models.D_MODEL, dtype=torch.float64)
    name, part = naive.hook("z", 0), ([1, 3], 2)
    value = naive.activations(exact, OTHER, [name])[name][part]
    by_hand, pinned = naive.Change(name, part, value), Patch("z", 0, (1, 3), value, 2)
    places = [("resid_pre", 0), ("z", 0), ("mlp_out", 1)]
    how = {"edits": [pinned], "embedding_noise": noise}
    found = drain(gradients(exact, torch.tensor([IDS]), places, READ, score(exact), **how))
    own = record(exact, [IDS], places, **how).activations
    for place in places[:1]:  # what is recorded there has the noise in it
        check(exact, IDS, place, own[place][0], found[place][0], after=[by_hand])
    for place, still in ((places[1], part), (places[2], ())):
        kept = own[place][0], found[place][0]
        check(exact, IDS, place, *kept, before=[by_hand], noise=noise, still=still)


def test_a_blocked_layer_passes_no_gradient_on(exact):
    """Equal to the definition by hand: that layer's two outputs held as constants."""
    places = places_of(exact)
    found = drain(gradients(exact, torch.tensor([IDS]), places, READ, score(exact), blocked=[1]))
    held = naive.activations(exact, IDS, [naive.hook(s, 1) for s in ("attn_out", "mlp_out")])
    constants = [naive.Change(name, (...,), value) for name, value in held.items()]
    kept = naive.activations(exact, IDS, [naive.hook(*place) for place in places])
    for place in places:
        if place[1] == 1 and not place[0].startswith("resid"):
            assert not found[place].any(), place
        else:
            own = kept[naive.hook(*place)]
            check(exact, IDS, place, own, found[place][0], after=constants)


@pytest.mark.parametrize("outer", [torch.no_grad, torch.enable_grad, torch.inference_mode])
@pytest.mark.parametrize("frozen", [True, False])
def test_it_needs_no_gradient_mode_and_no_trainable_weight(tokenizer, outer, frozen):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    places, ids = places_of(bridge), torch.tensor([IDS])
    expected = drain(gradients(bridge, ids, places, READ, score(bridge)))
    bridge.requires_grad_(not frozen)
    with outer():
        found = drain(gradients(bridge, torch.tensor([IDS]), places, READ, score(bridge)))
        assert torch.is_inference_mode_enabled() == (outer is torch.inference_mode)
    assert all(torch.equal(found[place], expected[place]) for place in places)
    assert all(p.requires_grad != frozen for p in bridge.parameters())


@pytest.mark.parametrize("model", [models.hf_gpt2, models.hf_llama])
def test_the_model_keeps_no_graph_and_no_gradient(tokenizer, model):
    bridge = models.bridge(model(), tokenizer)
    with torch.no_grad():
        bridge("the cat")
    before = [block.attn.__dict__.get("_pattern") for block in bridge.blocks]
    ids = torch.tensor([IDS])
    drain(gradients(bridge, ids, places_of(bridge), READ, score(bridge)))
    with pytest.raises(ZeroDivisionError):
        drain(gradients(bridge, ids, places_of(bridge), READ, lambda streams: 1 / 0))
    after = [block.attn.__dict__.get("_pattern") for block in bridge.blocks]
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert all(p.grad is None for p in bridge.parameters())
    assert not any(point.fwd_hooks or point.bwd_hooks for point in bridge.hook_dict.values())
    copy.deepcopy(bridge)
