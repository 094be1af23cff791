"""Sets of pairs: the mean is that of single maps, the interval a bootstrap, every pair opens."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import headscope as hs
from headscope.analyses import activation_patching, trials
from headscope.analyses.effects import EffectGrid
from headscope.analyses.prompt_pairs import Pair, pairs_of
from headscope.errors import RequestError
from headscope.model import LiveModel
from headscope.results import Axis, Prompt
from tests.analyses.by_hand import EXACT, LONGER, PAIR, ByHand, patched

#: Equally long; answers of one token and of two.
SET = (
    PAIR,
    Pair("the dog sat on", "the cat saw on", " dog", " mat"),
    Pair("the mat saw the", "the mat sat the", " the cat", " dog"),
    Pair("the cat saw the", "the dog sat the", " cat", " dog"),
)


def metrics_by_hand(bridge, pairs, grid, **fields):
    """Metric of each cell `[pair, ...]`, and of the base and the source of each pair."""
    made = [ByHand(bridge, pair, **fields) for pair in pairs]
    values = np.array([by_hand.values(grid) for by_hand in made])
    base, source = (np.array([getattr(m, f"{end}_metric") for m in made]) for end in
                    ("base", "source"))  # fmt: skip
    return values, base, source


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_the_mean_is_a_ratio_of_means(llama, direction):
    fields = {"site": "attn_out", "direction": direction}
    grid = patched(llama, SET, **fields)
    values, base, source = metrics_by_hand(llama, SET, grid, **fields)
    change = values - base[:, None, None]
    effect = change / np.mean(source - base)
    tolerance = 3e-5 * np.abs(effect).max()
    assert np.allclose(grid["effect"][1:], effect, atol=tolerance)
    assert np.allclose(grid["effect"][0], change.mean(0) / np.mean(source - base), atol=tolerance)
    assert np.allclose(grid["metric"][0], values.mean(0), atol=1e-4)
    assert (grid.states == EXACT).all()
    told = [term.value for term in grid.baselines]
    ends = (source, base) if direction == "denoising" else (base, source)
    assert told == pytest.approx([ends[0].mean(), ends[1].mean()], abs=1e-4)


def test_any_pair_is_opened_by_the_first_axis(gpt2):
    grid = patched(gpt2, SET, site="resid_pre")
    assert grid.axes[0].name == "pair"
    assert grid.axes[0].labels[:2] == ("mean", "1: the cat sat on")
    for number, pair in enumerate(SET, 1):
        alone = patched(gpt2, pair, site="resid_pre")
        assert np.allclose(grid["metric"][number], alone["metric"], atol=1e-4)
    # Where the prompts have the same token it is named, elsewhere the first one's.
    assert grid.axes[-1].labels[1:] == ("the", " dog…", " saw…", " on…")
    assert len(grid.provenance.prompts) == 2 * len(SET)


def test_interval_is_the_bootstrap_over_pairs(gpt2):
    grid = patched(gpt2, SET, site="mlp_out", seed=3)
    values, base, source = metrics_by_hand(gpt2, SET, grid, site="mlp_out")
    drawn = np.random.default_rng(3).integers(0, 4, (1000, 4))
    means = [
        (values[rows] - base[rows, None, None]).mean(0) / np.mean(source[rows] - base[rows])
        for rows in drawn
    ]
    for name, share in (("low", 2.5), ("high", 97.5)):
        expected = np.percentile(means, share, axis=0)
        assert np.allclose(grid[name][0], expected, atol=1e-4 * np.abs(expected).max())
        assert np.isnan(grid[name][1:]).all()
    assert (grid["low"][0] <= grid["effect"][0] + 1e-6).all()
    assert (grid["effect"][0] <= grid["high"][0] + 1e-6).all()
    again, other = (patched(gpt2, SET, site="mlp_out", seed=seed) for seed in (3, 4))
    # What runs side by side depends on the machine's speed, and so do the last bits of a sum.
    largest = np.nanmax(np.abs(grid["low"]))
    # The first run of a model is recorded by its own code, later ones by direct blocks.
    assert np.allclose(again["low"], grid["low"], atol=1e-4 * largest, rtol=0, equal_nan=True)
    assert not np.allclose(other["low"], again["low"], atol=1e-5 * largest, rtol=0, equal_nan=True)
    assert again.provenance.seed == 3


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Sets drawn from a known distribution: 95 % of the intervals have its mean in them."""
    drawn, n, covered = np.random.default_rng(0), 40, []
    axis = Axis("layer", ("L0",))
    experiments = (SimpleNamespace(clean=Prompt("a", ("a",), (1,))),) * n
    for seed in range(200):
        known = SimpleNamespace(
            experiments=experiments, normalises=True, plain_metric=np.zeros(n),
            source_metric=drawn.normal(4.0, 1.0, n), seed=seed,
        )  # fmt: skip
        change = drawn.normal(2.0, 1.0, (n, 1))
        low, high = EffectGrid(known, axis, axis).interval(change, "")
        covered.append(low.values[0, 0, 0] <= 0.5 <= high.values[0, 0, 0])
    assert 0.9 <= np.mean(covered) <= 0.99


def test_estimates_of_a_set_have_their_mean(gpt2):
    LiveModel.of(gpt2).forget_runs()
    grid = patched(gpt2, SET, site="z", exact=False)
    assert np.allclose(grid["estimate"][0], grid["estimate"][1:].mean(0), atol=1e-5)
    alone = [patched(gpt2, pair, site="z", exact=False) for pair in SET]
    ends = [[term.value for term in g.baselines] for g in alone]
    divisor = np.mean([clean - corrupted for clean, corrupted in ends])
    for number, (one, (clean, corrupted)) in enumerate(zip(alone, ends, strict=True), 1):
        expected = one["estimate"] * (clean - corrupted) / divisor
        assert np.allclose(grid["estimate"][number], expected, atol=1e-4)


def test_prompts_of_different_length_make_a_map_over_heads(llama):
    pairs = (PAIR, LONGER, Pair("the cat", "the dog", " mat", " dog"))
    grid = patched(llama, pairs, site="v")
    values, _, _ = metrics_by_hand(llama, pairs, grid, site="v")
    assert np.allclose(grid["metric"][1:], values, atol=1e-4)
    with pytest.raises(RequestError, match="different lengths, so positions have no mean"):
        patched(llama, pairs, site="resid_pre")


def test_positions_that_some_pairs_lack_are_left_out_of_the_mean(gpt2):
    """Equally long prompts patched into, of which only one is aligned with all its tokens."""
    twice = (LONGER, Pair("the dog sat the mat", "the cat sat the mat", " mat", " dog"))
    grid = patched(gpt2, twice, site="mlp_out")
    gap = np.isnan(grid["effect"][1])
    assert gap.any()
    alone = patched(gpt2, twice[1], site="mlp_out")
    assert np.allclose(grid["effect"][0][gap], alone["effect"][gap], atol=1e-5)
    assert any("not applicable to some of the pairs" in note for note in grid.provenance.notes)
    every = patched(gpt2, SET, site="mlp_out")
    assert not any("not applicable" in note for note in every.provenance.notes)
    assert (grid.states[0] == EXACT).all()
    assert np.isnan(grid["low"][0][gap]).all()
    assert not np.isnan(grid["low"][0][~gap]).any()


def test_portions_change_nothing(gpt2, monkeypatch):
    whole = patched(gpt2, SET, site="resid_mid")
    LiveModel.of(gpt2).forget_runs()
    monkeypatch.setattr(trials, "TOKENS_IN_GROUP", 5)
    parts = patched(gpt2, SET, site="resid_mid")
    assert np.allclose(parts["metric"], whole["metric"], atol=1e-5)


def test_samples_of_noise_are_told_apart_in_portions(gpt2, monkeypatch):
    fields = {"site": "mlp_out", "source": "noise", "samples": 4, "metric": "prob"}
    whole = patched(gpt2, **fields)
    LiveModel.of(gpt2).forget_runs()
    monkeypatch.setattr(trials, "TOKENS_IN_GROUP", 10)
    parts = patched(gpt2, **fields)
    assert np.allclose(parts["metric"], whole["metric"], atol=1e-6)
    assert len({parts["metric"][i].tobytes() for i in range(1, 5)}) == 4


def test_tables_lists_and_templates_give_the_same_map(gpt2):
    names = ["cat", "dog", "mat"]
    made = hs.expand(
        "the {A} saw the {B} on the {S}", {"A": names, "B": names[:2]}, corrupt={"S": "A/B"},
        answer="A", wrong="B",
    )  # fmt: skip
    table = pd.DataFrame([vars(pair) for pair in made])
    live = LiveModel.of(gpt2)
    found = patched(gpt2, made, site="z")
    assert found.shape == (1 + len(made), 3, 4)
    again = patched(gpt2, pairs_of(table), site="z")
    assert np.allclose(again["effect"], found["effect"], atol=1e-5)
    assert activation_patching.ActivationPatchingRequest(pairs_of(table)).pairs == made
    assert live.name == found.provenance.model
