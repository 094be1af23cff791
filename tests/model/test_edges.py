"""Edges' first-order effects equal what TransformerLens finds, and finite differences by hand."""

from __future__ import annotations

import copy

import pytest
import torch

from headscope.components import Component
from headscope.errors import ModelError
from headscope.model import edge_gradients
from headscope.model.edge_gradients import EdgeProducts, reader_gradients
from headscope.model.edges import Wiring, Written
from headscope.model.layout import layout
from headscope.model.paths import outputs
from headscope.model.recorded import record
from tests import models
from tests.edges import index, view_changed

CLEAN, OTHER = (3, 5, 9, 13, 21), (3, 17, 9, 40, 21)
#: How far (relatively) a finite difference may be off. Llama and Gemma round their norms and
#: rotations to float32 whatever dtype they have.
FAMILIES = {
    "gpt2": (models.hf_gpt2, 1e-6), "neox": (models.hf_neox, 1e-6),
    "llama": (models.hf_llama, 1e-3), "gemma2": (models.hf_gemma2, 1e-3),
}  # fmt: skip


def difference(bridge):
    """logit 7 less logit 11 behind the model's own last norm, in its own precision."""

    def of(streams):
        logits = bridge.unembed(bridge.ln_final(streams))
        logits = bridge.adapter.apply_output_logits_transform(logits)
        return logits[:, 0, 7] - logits[:, 0, 11]

    return of


def score(logits):
    """The same of a run's logits `[position, d_vocab]`."""
    return float(logits[-1, 7] - logits[-1, 11])


def scores(bridge, base=CLEAN, source=OTHER):
    """Each edge's first-order effect of putting the source's output into the base run."""
    wiring = Wiring(bridge, layout(bridge))
    wiring.check(torch.tensor([base]))
    places = outputs(wiring.map.layout)
    own, other = (Written.of(wiring, record(bridge, [ids], places)) for ids in (base, source))
    found = reader_gradients(wiring, torch.tensor([base]), [4], difference(bridge))
    products = EdgeProducts(wiring, other - own)
    products.add(found, 1.0)
    return wiring, products.total()


@pytest.fixture(scope="module", params=FAMILIES)
def exact(request, tokenizer):
    """A float64 bridge of each family."""
    make, tolerance = FAMILIES[request.param]
    bridge = models.bridge(make(), tokenizer, dtype=torch.float64)
    bridge.tolerance = tolerance
    return bridge


@pytest.mark.parametrize("name", ["gpt2", "gpt2_processed"])
def test_they_equal_transformer_lens(request, name):
    from transformer_lens.tools.analysis.attribution_patching import (
        EdgeAttributionConfig,
        attribution_patch,
    )

    bridge = request.getfixturevalue(name)
    wiring, found = scores(bridge)
    result = attribution_patch(  # its gradient is taken on the run that it calls corrupt
        bridge, torch.tensor([OTHER]), torch.tensor([CLEAN]),
        lambda logits: logits[0, -1, 7] - logits[0, -1, 11],
        EdgeAttributionConfig(granularity="edge"),
    )  # fmt: skip
    expected = torch.full_like(found, torch.nan)
    for (writer, reader), score in result.edge_scores.items():
        where = index(wiring.map.writers, writer), index(wiring.map.readers, reader)
        expected[where] = score + torch.nan_to_num(expected[where])
    assert ((~expected.isnan()).numpy() == wiring.map.possible).all()
    assert (found - expected.nan_to_num()).abs().max() < 1e-6 < 0.1 < found.abs().max()


def test_they_equal_finite_differences_of_runs_by_hand(exact):
    wiring, found = scores(exact)
    places = outputs(wiring.map.layout)
    own, other = (Written.of(wiring, record(exact, [ids], places)) for ids in (CLEAN, OTHER))
    vectors = (other - own).vectors(wiring).unflatten(1, (1, 5))
    edges = wiring.map
    for reader in range(len(edges.readers))[::3]:
        able = [w for w in range(len(edges.writers)) if edges.possible[w, reader]]
        for writer in able[:: max(1, len(able) // 2)]:
            eps = 1e-3
            there, back = (
                score(
                    view_changed(wiring, CLEAN, edges.readers[reader], sign * eps * vectors[writer])
                )
                for sign in (1, -1)
            )
            expected = (there - back) / (2 * eps)
            bound = exact.tolerance * float(vectors[writer].norm())
            assert float(found[writer, reader]) == pytest.approx(expected, abs=bound)
    assert not found[~torch.tensor(edges.possible)].any()


def test_what_is_written_sums_to_the_stream(every_bridge):
    wiring = Wiring(every_bridge, layout(every_bridge))
    wiring.check(torch.tensor([CLEAN]))
    runs = record(every_bridge, [CLEAN, OTHER], outputs(wiring.map.layout))
    vectors = Written.of(wiring, runs).vectors(wiring).unflatten(1, (2, 5))
    change = vectors[:, 1] - vectors[:, 0]
    for layer in range(3):
        stream = runs.streams[:, layer]
        n = wiring.map.written_before(layer)
        assert torch.allclose(change[:n].sum(0), stream[1] - stream[0], atol=2e-5)
    last = runs.streams[:, -1]
    assert torch.allclose(change.sum(0), last[1] - last[0], atol=2e-5)


def test_a_writer_all_of_whose_edges_are_there_has_the_effect_of_its_output(exact):
    """Summed over readers: the gradient with respect to the writer's own output."""
    wiring, found = scores(exact)
    zeros = {}

    def leaf(name):
        def add(x, hook):
            zeros[name] = torch.zeros_like(x, requires_grad=True)
            return x + zeros[name]

        return add

    names = [f"blocks.{layer}.hook_mlp_out" for layer in range(3)]
    logits = exact.run_with_hooks(
        torch.tensor([CLEAN]), fwd_hooks=[(name, leaf(name)) for name in names]
    )
    slopes = torch.autograd.grad(
        logits[0, -1, 7] - logits[0, -1, 11], [zeros[name] for name in names]
    )
    runs = record(exact, [CLEAN, OTHER], outputs(wiring.map.layout))
    for layer, slope in enumerate(slopes):
        made = runs.activations["mlp_out", layer]
        expected = float(((made[1] - made[0]) * slope[0]).sum())
        writer = wiring.map.writers.index(Component("mlp", layer))
        assert float(found[writer].sum()) == pytest.approx(expected, abs=1e-5)


def test_blocks_of_positions_make_no_difference(gpt2, monkeypatch):
    _, whole = scores(gpt2)
    monkeypatch.setattr(edge_gradients, "_BLOCK_BYTES", 1)
    _, one_by_one = scores(gpt2)
    assert (whole - one_by_one).abs().max() < 1e-6 * whole.abs().max()


def growing(x, hook):
    """Each position's activation times its number."""
    return x * torch.arange(1, 1 + x.shape[1]).view(1, -1, *[1] * (x.ndim - 2))


def test_a_model_that_does_something_else_is_refused(gpt2):
    def check():
        Wiring(gpt2, layout(gpt2)).check(torch.tensor([CLEAN]))

    for name, what in (("ln1.hook_out", "q is not a norm"), ("attn.hook_q", None),
                       ("hook_mlp_out", None), ("attn.hook_z", None),
                       ("attn.hook_out", "what heads write")):  # fmt: skip
        point = gpt2.hook_dict[f"blocks.1.{name}"]
        point.add_hook(growing)
        try:
            if what:
                with pytest.raises(ModelError, match=what):
                    check()
            else:
                check()
        finally:
            point.remove_hooks("fwd")


@pytest.mark.parametrize("outer", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_the_model_is_left_as_it_was(tokenizer, outer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    bridge.requires_grad_(False)
    flags = dict(bridge.cfg.__dict__)
    with outer():
        scores(bridge)
    assert bridge.cfg.__dict__ == flags
    assert all(p.grad is None and not p.requires_grad for p in bridge.parameters())
    assert not any(point.fwd_hooks or point.bwd_hooks for point in bridge.hook_dict.values())
    copy.deepcopy(bridge)
