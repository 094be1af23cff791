"""Estimates equal small steps of the exact patch; the corrections do what their paper says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headscope.analyses import patching_study
from headscope.analyses.attribution_patching import Estimator, _key_moves
from headscope.analyses.contrast import Spot
from headscope.analyses.patching_request import ActivationPatchingRequest
from headscope.analyses.patching_study import Study, _patches
from headscope.analyses.prompt_pairs import Pair
from headscope.model import LiveModel
from headscope.model.gradients import gradients
from headscope.model.readout import ReadOut
from headscope.model.resumed import drain
from tests import models, naive
from tests.analyses.by_hand import (
    ESTIMATED,
    EXACT,
    LONGER,
    NOT_APPLICABLE,
    PAIR,
    ByHand,
    ids_of,
    patched,
)

STEP = 1e-4


@pytest.fixture(scope="module", params=[models.hf_gpt2, models.hf_neox], ids=["gpt2", "neox"])
def exact(request, tokenizer):
    """Bridges that compute in float64 throughout."""
    return models.bridge(request.param(), tokenizer, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _few_neurons(monkeypatch):
    monkeypatch.setattr(patching_study, "_NEURONS_SHOWN", 3)


class SmallStep(ByHand):
    """Patches go `fraction` of the way from the base's activation to the source's."""

    fraction = 1.0

    def changes(self, site, layer, unit, positions, tail=()):
        for change in super().changes(site, layer, unit, positions, tail):
            ids = (*self.base, *tail)
            own = self.kept_of_base(ids, change.hook)[change.where]
            moved = own + self.fraction * (change.value - own)
            yield naive.Change(change.hook, change.where, moved)

    def kept_of_base(self, ids, name):
        key = (name, ids, "base")
        if key not in self._kept:
            self._kept[key] = naive.activations(self.bridge, ids, [name], self.noise)[name]
        return self._kept[key]

    def slopes(self, grid):
        """The metric's slope along each cell's patch."""
        found = []
        for self.fraction in (STEP, -STEP):
            found.append(self.values(grid))
        return (found[0] - found[1]) / (2 * STEP)


def estimates(bridge, pair=PAIR, **fields):
    """A map of estimates, and these in the metric's unit."""
    LiveModel.of(bridge).forget_runs()  # or cells would be exact that were computed before
    grid = patched(bridge, pair, exact=False, **fields)
    ends = {term.label: term.value for term in grid.baselines}
    # Where both runs have the same bits nothing is left to compute.
    same = grid.states == EXACT
    assert (grid["estimate"][same] == 0).all()
    assert np.isin(grid.states[~same], (ESTIMATED, NOT_APPLICABLE)).all()
    assert np.isnan(grid["metric"][~same]).all()
    # Metrics are read in float32, and divided by what may be small.
    rounding = 1e-5 * max(1.0, np.nanmax(np.abs(grid["effect"])))
    assert np.allclose(grid["effect"], grid["estimate"], atol=rounding, equal_nan=True)
    difference = ends["clean"] - ends["corrupted"]
    sign = 1 if fields.get("direction", "denoising") == "denoising" else -1
    return grid, grid["estimate"] * difference * sign


CASES = [
    *({"site": site, "layer": 1} for site in naive.SITES),
    {"site": "resid_pre", "direction": "noising", "position": 2},
    {"site": "mlp_out", "metric": "log_prob"},
    {"site": "z", "over": "layer_position", "head": 1, "metric": "kl", "position": 3},
    {"site": "pattern", "over": "head_position", "layer": 2, "metric": "logit"},
]


@pytest.mark.parametrize("fields", CASES, ids=lambda f: "-".join(map(str, f.values())))
def test_an_estimate_is_the_slope_of_the_exact_patch(exact, fields):
    if fields["site"] not in naive.sites_of(exact):
        pytest.skip("the model has no such site")
    grid, found = estimates(exact, **fields)
    expected = SmallStep(exact, **fields).slopes(grid)
    assert np.abs(found - expected).max() <= 2e-5 * np.abs(expected).max()


class Adding(SmallStep):
    """Layers add the difference to what they write, rather than put something in its place."""

    def _logits(self, ids, places, tail=()):
        def adding(change):
            own = self.kept_of_base((*ids, *tail), change.hook)[change.where]

            def add(activation, hook):
                activation[0][change.where] += change.value - own
                return activation

            return change.hook, add

        changes = [change for place in places for change in self.changes(*place, tail=tail)]
        with torch.no_grad():
            return self.bridge.run_with_hooks(
                torch.tensor([[*ids, *tail]]), fwd_hooks=[adding(change) for change in changes]
            )[0]


@pytest.mark.parametrize(
    "fields",
    [{"site": "mlp_out", "window": 2}, {"site": "v", "window": 3}, {"site": "z", "window": 2}],
    ids=lambda f: "-".join(map(str, f.values())),
)
def test_an_estimate_of_a_window_is_the_slope_of_adding_its_layers_differences(exact, fields):
    grid, found = estimates(exact, **fields)
    expected = Adding(exact, **fields).slopes(grid)
    size = np.abs(expected).max()
    assert np.abs(found - expected).max() <= 2e-5 * size
    # As the definition says, that is not the slope of the patch, except where a layer is alone.
    patch = SmallStep(exact, **fields).slopes(grid)
    assert np.abs(found - patch)[:-1].max() > 1e-3 * size
    assert np.abs(found - patch)[-1].max() <= 2e-5 * size
    (estimate,) = (m for m in grid.measures if m.name == "estimate")
    assert "what a lower layer passes on through an upper one counts" in estimate.definition


def test_so_it_is_for_prompts_of_different_length(exact):
    grid, found = estimates(exact, LONGER, site="attn_out")
    expected = SmallStep(exact, LONGER, site="attn_out").slopes(grid)
    assert np.allclose(found, expected, atol=2e-5 * np.nanmax(np.abs(expected)), equal_nan=True)


def test_so_it_is_for_answers_of_several_tokens(exact):
    pair = Pair(PAIR.clean, PAIR.corrupted, " the cat", " dog")
    grid, found = estimates(exact, pair, site="resid_post")
    expected = SmallStep(exact, pair, site="resid_post").slopes(grid)
    assert np.abs(found - expected).max() <= 2e-5 * np.abs(expected).max()


def test_so_it_is_on_top_of_what_is_pinned(exact):
    fields = {"site": "mlp_out", "pinned": (Spot("attn_out", 0, (1, 3), None),)}
    grid, found = estimates(exact, **fields)

    class OnTop(SmallStep):
        def changes(self, site, layer, unit, positions, tail=()):
            if site == "attn_out":  # pinned, all the way
                return super(SmallStep, self).changes(site, layer, unit, positions, tail)
            return super().changes(site, layer, unit, positions, tail)

        def kept_of_base(self, ids, name):
            pins = [c for place in self.pinned for c in self.changes(*place)]
            kept = []
            hooks = [(c.hook, write(c)) for c in pins]
            watch = (name, lambda x, hook: kept.append(x[0].clone()))
            with torch.no_grad():
                self.bridge.run_with_hooks(torch.tensor([ids]), fwd_hooks=[*hooks, watch])
            return kept[0]

    expected = OnTop(exact, **fields).slopes(grid)
    assert np.abs(found - expected).max() <= 2e-5 * np.abs(expected).max()


def write(change):
    def apply(activation, hook):
        activation[0][change.where] = change.value
        return activation

    return apply


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize(
    "fields",
    [{"metric": "kl"}, {"site": "k", "qk_fix": True}, {"grad_drop": True, "site": "z"},
     {"source": "noise", "samples": 2, "metric": "prob"}],
    ids=str,
)  # fmt: skip
def test_it_works_within_a_mode_without_gradients(gemma2, llama, mode, fields):
    bridge = llama if fields.get("qk_fix") else gemma2
    with mode():
        found = patched(bridge, **fields)
    assert found.to_dataframe().equals(patched(bridge, **fields).to_dataframe())


# The QK fix.


@pytest.mark.parametrize(("site", "over"), [("q", "layer_head"), ("k", "head_position")])
def test_with_the_fix_the_pattern_changes_as_it_does(every_bridge, site, over):
    """The change of the pattern by brute force, one query or key at a time, times its gradient."""
    layer, bridge = 1, every_bridge
    _, found = estimates(bridge, site=site, over=over, layer=layer, qk_fix=True)
    clean, corrupted = (ids_of(bridge, text) for text in (PAIR.clean, PAIR.corrupted))
    slope = pattern_gradient(bridge, corrupted, layer)
    name, pattern = naive.hook(site, layer), naive.hook("pattern", layer)
    source = naive.activations(bridge, clean, [name])[name]
    before = naive.activations(bridge, corrupted, [pattern])[pattern]
    expected = np.zeros(source.shape[:2])
    for place in np.ndindex(expected.shape):
        kept = []
        hooks = [(name, write(naive.Change(name, place, source[place])))]
        hooks.append((pattern, lambda x, hook, kept=kept: kept.append(x[0].clone())))
        with torch.no_grad():
            bridge.run_with_hooks(torch.tensor([corrupted]), fwd_hooks=hooks)
        expected[place] = float(((kept[0] - before) * slope).sum())
    own = found[layer] if over == "layer_head" else found
    expected = expected.sum(0) if over == "layer_head" else expected.T
    assert np.abs(own - expected).max() <= 1e-4 * np.abs(expected).max()


def pattern_gradient(bridge, ids, layer):
    path = ReadOut.of(bridge)
    answer, wrong = (bridge.tokenizer.encode(t, add_special_tokens=False)[0] for t in PAIR_ANSWERS)

    def score(streams):
        logits = path.logits(streams[:, 0])
        return logits[:, answer] - logits[:, wrong]

    place = ("pattern", layer)
    return drain(gradients(bridge, torch.tensor([ids]), [place], [len(ids) - 1], score))[place][0]


PAIR_ANSWERS = (PAIR.answer, PAIR.wrong)


@pytest.mark.parametrize("site", ["q", "k"])
def test_on_saturated_heads_the_fix_is_close_and_the_plain_estimate_is_not(tokenizer, site):
    """One layer of attention alone, so that what the pattern does is nearly linear."""
    hf = models.hf_gpt2(n_layer=1)
    block = hf.transformer.h[0]
    with torch.no_grad():
        block.attn.c_attn.weight[:, : models.D_MODEL] *= 40  # queries: attention is one or nothing
        block.attn.c_proj.weight *= 0.05
        block.mlp.c_proj.weight.zero_()
    bridge, pair = models.bridge(hf, tokenizer), Pair("the cat on sat", "the dog saw mat", 7, 11)
    name = naive.hook("pattern", 0)
    largest = naive.activations(bridge, ids_of(bridge, pair.corrupted), [name])[name].amax(-1)
    assert largest.median() > 1 - 1e-7
    fields = {"site": site, "over": "head_position", "layer": 0}
    plain, fixed = patched(bridge, pair, **fields), patched(bridge, pair, **fields, qk_fix=True)
    size = np.abs(plain["effect"]).max()
    assert size > 0.02
    assert np.abs(fixed["estimate"] - fixed["effect"]).max() < 0.1 * size
    assert np.abs(plain["estimate"] - plain["effect"]).max() > 0.9 * size


@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.sampled_from([0.1, 3.0, 100.0, 3000.0]),
    st.sampled_from([-torch.inf, torch.finfo(torch.float32).min]),
)
def test_a_moved_key_equals_the_softmax_taken_again(seed, n, size, mask):
    """However saturated the row is, one entry at a time."""
    generator = torch.Generator().manual_seed(seed)
    before, after = (size * torch.randn(2, n, n, generator=generator) for _ in range(2))
    hidden = torch.ones(n, n).triu(1).bool()
    before[:, hidden] = after[:, hidden] = mask
    slope = torch.randn(2, n, n, generator=generator)
    expected = torch.zeros(2, n)
    for key in range(n):
        moved = before.clone()
        moved[..., key] = after[..., key]
        change = moved.double().softmax(-1) - before.double().softmax(-1)
        expected[:, key] = (change * slope).sum((-1, -2)).float()
    assert torch.allclose(_key_moves(before, after, slope), expected, atol=1e-5)


# GradDrop.


@pytest.mark.parametrize("site", ["resid_pre", "z", "k", "mlp_out"])
@pytest.mark.parametrize("family", ["gpt2", "gemma2"])
def test_grad_drop_is_its_definition(families, family, site):
    """Mean over layers of |estimate|, with that layer's sublayers passing no gradient on."""
    bridge = families[family]
    _, found = estimates(bridge, site=site, grad_drop=True)
    clean, corrupted = (ids_of(bridge, text) for text in (PAIR.clean, PAIR.corrupted))
    path = ReadOut.of(bridge)
    answer, wrong = (bridge.tokenizer.encode(t, add_special_tokens=False)[0] for t in PAIR_ANSWERS)

    def score(streams):
        logits = path.logits(streams[:, 0])
        return logits[:, answer] - logits[:, wrong]

    names = [naive.hook(site, layer) for layer in range(3)]
    there, here = (naive.activations(bridge, ids, names) for ids in (clean, corrupted))
    total = 0.0
    for blocked in range(3):
        places = [(site, layer) for layer in range(3)]
        how = (bridge, torch.tensor([corrupted]), places, [len(clean) - 1], score)
        slopes = drain(gradients(*how, blocked=[blocked]))
        each = [(there[n] - here[n]) * slopes[p][0] for n, p in zip(names, places, strict=True)]
        # By position; for what heads have, by head over all positions.
        sums = [e.sum(-1).sum(0) if e.ndim == 3 else e.sum(-1) for e in each]
        total = total + torch.stack(sums).abs()
    expected = (total / 2).numpy()
    assert np.abs(np.abs(found) - expected).max() <= 1e-4 * expected.max()


@pytest.mark.parametrize("direction", ["denoising", "noising"])
@pytest.mark.parametrize("metric", ["logit_diff", "kl"])
def test_grad_drop_has_no_sign(gpt2, direction, metric):
    """Whether the metric rises or falls from base to source."""
    fields = {"site": "z", "grad_drop": True, "exact": False}
    LiveModel.of(gpt2).forget_runs()
    grid = patched(gpt2, direction=direction, metric=metric, **fields)
    assert grid["estimate"].min() >= 0
    assert grid["estimate"].max() > 0
    assert np.array_equal(grid["effect"], grid["estimate"])


def test_grad_drop_of_several_tokens_is_of_their_sum(gpt2):
    """What moves two equal halves of an answer against each other moves the metric not at all."""
    pair = Pair(PAIR.clean, PAIR.corrupted, " mat dog", " cat the")
    study = Study(LiveModel.of(gpt2), ActivationPatchingRequest((pair,), grad_drop=True, site="z"))
    for steps in (study.prepare, study.record, study.lay_out, study.estimate):
        for _ in study.on_one_model(steps()):
            pass
    contrasts = study._groups[0].contrasts
    made = [Estimator(contrast, study.places, [None], grad_drop=True) for contrast in contrasts]
    for estimator in made:
        for _ in study.on_one_model(estimator.prepare()):
            pass
    assert len(made) == 2
    for c, cell in enumerate(study.map.cells):
        patches = [_patches(contrast, 0, "z", cell) for contrast in contrasts]
        each = np.array([e.changes(0, p) for e, p in zip(made, patches, strict=True)])
        assert study.estimates[0, c] == pytest.approx(np.abs(each.sum(0)).sum() / 2, rel=1e-6)


def test_grad_drop_sees_what_cancels(tokenizer):
    """A layer's MLP is turned until it undoes, to first order, what passes beside it."""
    hf = models.hf_gpt2(n_layer=2)
    bridge = models.bridge(hf, tokenizer)
    weight = hf.transformer.h[1].mlp.original_component.c_proj.weight
    original, cell = weight.detach().clone(), (0, 4)

    def estimate(scale, **fields):
        with torch.no_grad():
            weight.copy_(scale * original)
        return patched(bridge, site="mlp_out", exact=False, **fields)["estimate"][cell]

    scales = np.linspace(-6, 6, 13)
    found = [estimate(scale) for scale in scales]
    crossing = next(i for i in range(12) if found[i] * found[i + 1] < 0)
    low, high = scales[crossing], scales[crossing + 1]
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if estimate(middle) * found[crossing] > 0 else (low, middle)
    assert abs(estimate(low)) < 1e-4
    assert abs(estimate(low, grad_drop=True)) > 0.05
