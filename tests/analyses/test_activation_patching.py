"""The exact map equals patching one cell at a time: TransformerLens's, and by hand."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformer_lens import patching

from headscope.analyses import patching_study
from headscope.analyses.contrast import Spot
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import RequestError
from tests import models, naive
from tests.analyses.by_hand import (
    EXACT,
    LONGER,
    NOT_APPLICABLE,
    PAIR,
    ByHand,
    answer_of,
    ids_of,
    patched,
)
from tests.conftest import FAMILIES

HEADS = ("q", "k", "v", "z", "pattern")
LAYER = 1


def write_stream(activation, index, source):
    activation[:, index[1]] = source[:, index[1]]
    return activation


def write_head(activation, index, source):
    activation[:, :, index[1]] = source[:, :, index[1]]
    return activation


def write_neuron(activation, index, source):
    activation[:, index[2], index[1]] = source[:, index[2], index[1]]
    return activation


#: TransformerLens's own where it has the site; otherwise its general one, told how to write.
THEIRS = {
    "resid_pre": patching.get_act_patch_resid_pre,
    "resid_mid": patching.get_act_patch_resid_mid,
    "attn_out": patching.get_act_patch_attn_out,
    "mlp_out": patching.get_act_patch_mlp_out,
    "q": patching.get_act_patch_attn_head_q_all_pos,
    "k": patching.get_act_patch_attn_head_k_all_pos,
    "v": patching.get_act_patch_attn_head_v_all_pos,
    "z": patching.get_act_patch_attn_head_out_all_pos,
    "pattern": patching.get_act_patch_attn_head_pattern_all_pos,
}
BY_POSITION = {
    "q": patching.get_act_patch_attn_head_q_by_pos,
    "k": patching.get_act_patch_attn_head_k_by_pos,
    "v": patching.get_act_patch_attn_head_v_by_pos,
    "z": patching.get_act_patch_attn_head_out_by_pos,
    "pattern": patching.get_act_patch_attn_head_pattern_by_pos,
}


def theirs(bridge, run, *how, **fields):
    """TransformerLens's metric for each cell, and that of the two runs."""
    clean, corrupted = (torch.tensor([ids_of(bridge, t)]) for t in (PAIR.clean, PAIR.corrupted))
    (answer,), (wrong,) = (answer_of(bridge, text) for text in (PAIR.answer, PAIR.wrong))

    def metric(logits):
        return logits[0, -1, answer].float() - logits[0, -1, wrong].float()

    with torch.no_grad():
        _, cache = bridge.run_with_cache(clean)
        found = run(bridge, corrupted, cache, metric, *how, **fields)
        ends = [float(metric(bridge(ids))) for ids in (corrupted, clean)]
    return found.numpy(), ends


def assert_equal(grid, expected, ends, tolerance=1e-5):
    expected = expected.reshape(grid.shape)
    size = np.ptp([*expected.ravel(), *ends])
    assert np.abs(grid["metric"] - expected).max() <= tolerance * size
    effect = (expected - ends[0]) / (ends[1] - ends[0])
    assert np.abs(grid["effect"] - effect).max() <= 2 * tolerance * size / abs(np.diff(ends)[0])
    assert (grid.states == EXACT).all()


@pytest.fixture(autouse=True)
def _few_neurons_and_no_bars(monkeypatch):
    monkeypatch.setattr(patching_study, "_NEURONS_SHOWN", 4)
    monkeypatch.setattr(patching, "tqdm", lambda rows, **kwargs: rows)


@pytest.mark.parametrize("site", naive.SITES)
def test_the_usual_map_of_each_site_equals_transformer_lens(every_bridge, site):
    if site not in naive.sites_of(every_bridge):
        pytest.skip("the model has no such site")
    grid = patched(every_bridge, site=site, layer=LAYER)
    assert_equal(grid, *their_map(every_bridge, site, grid))


def their_map(bridge, site, grid):
    shared = site in ("k", "v") and bridge.cfg.n_key_value_heads not in (None, bridge.cfg.n_heads)
    if site in THEIRS and not shared:  # it knows no key-value heads that are fewer
        return theirs(bridge, THEIRS[site])
    rows, columns = grid.shape
    index, names = list(np.ndindex(rows, columns)), ["layer", "part"]
    write = write_head if site in HEADS else write_stream
    if site == "mlp_post":
        units = [int(label[1:]) for label in grid.axes[0].labels]
        index = [(LAYER, unit, position) for unit in units for position in range(columns)]
        write, names = write_neuron, ["layer", "unit", "position"]
    index = pd.DataFrame(index, columns=names)
    name = "post" if site == "mlp_post" else site
    return theirs(bridge, patching.generic_activation_patch, write, name, index_df=index)


@pytest.mark.parametrize("site", HEADS)
def test_maps_by_position_equal_transformer_lens(gpt2, site):
    head = 2
    of_head = patched(gpt2, site=site, over="layer_position", head=head)
    of_layer = patched(gpt2, site=site, over="head_position", layer=LAYER)
    everything, ends = theirs(gpt2, BY_POSITION[site])
    if site != "pattern":  # theirs are [layer, position, head], but [layer, head, dest] there
        everything = everything.transpose(0, 2, 1)
    assert_equal(of_head, everything[:, head], ends)
    assert_equal(of_layer, everything[LAYER], ends)


@pytest.mark.parametrize("site", ["resid_pre", "mlp_out", "z", "pattern"])
def test_in_bfloat16_it_differs_by_its_rounding(tokenizer, site):
    """Sums are taken in another order: up to 3 % of the metric's range, of 8 bits."""
    bridge = models.bridge(models.hf_gpt2(), tokenizer, dtype=torch.bfloat16)
    grid = patched(bridge, site=site)
    assert_equal(grid, *their_map(bridge, site, grid), tolerance=0.03)


# By hand: what TransformerLens has no function for.

VARIANTS = [
    {"direction": "noising", "site": "resid_post"},
    {"direction": "noising", "site": "z"},
    {"direction": "noising", "site": "mlp_post", "layer": 2},
    {"site": "resid_pre", "position": 2},
    {"site": "mlp_out", "position": -2},
    {"site": "pattern", "position": 3, "direction": "noising"},
    {"site": "attn_out", "window": 2},
    {"site": "mlp_out", "window": 3},
    {"site": "z", "window": 2, "over": "head_position", "layer": 1},
    {"site": "v", "window": 3},
    {"site": "mlp_post", "window": 2, "layer": 0},
    {"site": "resid_pre", "metric": "kl", "direction": "noising", "position": 2},
    {"site": "attn_out", "metric": "kl"},
    {"site": "q", "metric": "prob"},
    {"site": "resid_mid", "metric": "log_prob"},
    {"site": "mlp_out", "metric": "logit"},
    {"site": "mlp_out", "source": "zero"},
    {"site": "resid_mid", "source": "zero", "metric": "log_prob"},
    {"site": "pattern", "source": "zero"},
    {"site": "z", "source": "mean"},
    {"site": "resid_pre", "source": "mean", "metric": "prob"},
    {"site": "mlp_post", "source": "mean", "layer": 0},
]


@pytest.mark.parametrize("fields", VARIANTS, ids=lambda f: "-".join(map(str, f.values())))
def test_every_kind_of_map_equals_the_one_by_hand(gpt2, llama, fields):
    bridge = (gpt2, llama)[VARIANTS.index(fields) % 2]
    ByHand(bridge, **fields).check(patched(bridge, **fields))


def test_ranks_equal_those_by_hand(gpt2):
    fields = {"site": "resid_pre", "metric": "rank"}
    grid = patched(gpt2, **fields)
    assert (grid["metric"] == ByHand(gpt2, **fields).values(grid)).all()
    assert np.isnan(grid["estimate"]).all()


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
@pytest.mark.parametrize(
    ("answer", "wrong", "fields"),
    [
        (" matmat", " dog", {"site": "attn_out"}),
        (" mat", " the cat sat", {"site": "pattern", "direction": "noising"}),
        (" the cat", None, {"metric": "prob", "site": "resid_post"}),
        (" the cat sat", None, {"metric": "log_prob", "site": "v"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_answers_of_several_tokens(families, family, answer, wrong, fields):
    pair = dataclasses.replace(PAIR, answer=answer, wrong=wrong)
    bridge = families[family]
    ByHand(bridge, pair, **fields).check(patched(bridge, pair, **fields))


# What is pinned.

PINS = [
    (Spot("z", 0, None, 1),),
    (Spot("resid_pre", 1, (1, 2), None), Spot("mlp_out", 2, (4,), None)),
    (Spot("mlp_post", 0, (1,), 3), Spot("k", 1, (1, 3), 0)),
]


@pytest.mark.parametrize(
    ("pinned", "site"), list(zip(PINS, ("resid_pre", "z", "mlp_out"), strict=True))
)
@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_every_run_is_made_on_top_of_what_is_pinned(llama, site, pinned, direction):
    fields = {"site": site, "pinned": pinned, "direction": direction}
    grid = patched(llama, **fields)
    ByHand(llama, **fields).check(grid)
    assert "with the pinned patches" in grid.provenance.normalisation
    assert json.loads(grid.provenance.parameters["pinned"])[0]["site"] == pinned[0].site


def test_the_clean_distribution_is_that_of_the_clean_run_whatever_is_pinned(gpt2):
    fields = {"metric": "kl", "direction": "noising", "pinned": PINS[1]}
    ByHand(gpt2, **fields).check(patched(gpt2, **fields))


# Noise.


@pytest.mark.parametrize("where", [None, (2, 3)])
@pytest.mark.parametrize("hooked", [False, True])
def test_noise_is_causal_tracing(gpt2, where, hooked):
    """Meng et al.: clean states put back into runs with noisy embeddings, over samples."""
    fields = {"source": "noise", "noise_at": where, "samples": 3, "seed": 7}
    fields |= {"site": "mlp_out", "metric": "prob"}
    if hooked:  # then every run is computed from its tokens up
        gpt2.add_hook("blocks.0.hook_mlp_out", lambda x, hook: x)
    try:
        grid = patched(gpt2, **fields)
    finally:
        gpt2.reset_hooks()
    by_hand = ByHand(gpt2, **fields)
    at = list(where or range(1, 5))
    words = gpt2.W_E.detach()[list(ids_of(gpt2, PAIR.clean))]
    spread, each, ends = float(words.std()), [], []
    for sample in range(3):
        drawn = torch.randn(
            len(at), models.D_MODEL, generator=torch.Generator().manual_seed(7 + sample)
        )
        by_hand.noise = torch.zeros(1, 5, models.D_MODEL)
        by_hand.noise[0, at] = 3 * spread * drawn
        each.append(by_hand.values(grid))
        ends.append((by_hand.base_metric, by_hand.source_metric))
    base, source = np.array(ends).T
    assert grid.axes[0].name == "sample"
    assert np.allclose(grid["metric"][1:], each, atol=1e-5 * np.ptp(each))
    effect = (np.array(each) - base[:, None, None]) / np.mean(source - base)
    assert np.allclose(grid["effect"][1:], effect, atol=1e-4)
    assert np.allclose(grid["effect"][0], effect.mean(0), atol=1e-4)
    told = grid.provenance.parameters
    assert (told["noise_at"], told["samples"]) == (where, 3)
    assert told["noise_sigma"] == pytest.approx(3 * spread)


def test_noise_is_as_large_as_the_embeddings_are(gemma2):
    """Gemma scales its embeddings by the root of d_model."""
    grid = patched(gemma2, source="noise", samples=1, exact=False, estimate=False)
    words = gemma2.W_E.detach()[list(ids_of(gemma2, PAIR.clean))]
    expected = 3 * float(words.std()) * models.D_MODEL**0.5
    assert grid.provenance.parameters["noise_sigma"] == pytest.approx(expected, rel=1e-5)


# Models that cannot be started in the middle.


@pytest.mark.parametrize("site", ["resid_pre", "resid_mid", "z", "mlp_out", "pattern"])
def test_with_hooks_of_the_users_runs_are_computed_from_their_tokens_up(gpt2, site):
    pinned = PINS[0]
    gpt2.add_hook("blocks.1.hook_mlp_out", lambda x, hook: 1.5 * x)
    try:
        grid = patched(gpt2, site=site, pinned=pinned)
        ByHand(gpt2, site=site, pinned=pinned).check(grid)
    finally:
        gpt2.reset_hooks()
    assert grid.provenance.user_hooks == ("blocks.1.hook_out",) or grid.provenance.user_hooks
    assert any("from its tokens up" in note for note in grid.provenance.notes)


def test_over_several_devices_too(llama, monkeypatch):
    expected = patched(llama, site="z")
    monkeypatch.setattr(llama.cfg, "n_devices", 2)
    found = patched(llama, site="z")
    assert np.allclose(found["effect"], expected["effect"], atol=1e-4)
    assert any("from its tokens up" in note for note in found.provenance.notes)
    assert not any("from its tokens up" in note for note in expected.provenance.notes)


# Prompts of different length.


@pytest.mark.parametrize("direction", ["denoising", "noising"])
@pytest.mark.parametrize(
    ("family", "site", "over"),
    [
        ("gpt2", "resid_pre", None), ("gpt2", "z", None), ("llama", "k", "head_position"),
        ("neox", "mlp_out", None), ("gemma2", "attn_out", None),
    ],
)  # fmt: skip
def test_unmatched_tokens_are_not_applicable(families, family, site, over, direction):
    fields = {"site": site, "over": over, "layer": 1, "direction": direction}
    grid = patched(families[family], LONGER, **fields)
    ByHand(families[family], LONGER, **fields).check(grid)
    longer = direction == "denoising"
    assert (grid.alignment.source < 0).sum() == longer
    assert (grid.states == NOT_APPLICABLE).any() == (longer and site != "z")
    assert any("none of the other prompt" in note for note in grid.provenance.notes) == longer


def test_an_alignment_can_be_given(gpt2):
    given = (0, -1, 1, 3, -1, 4)
    fields = {"site": "mlp_out", "alignment": given}
    grid = patched(gpt2, LONGER, **fields)
    ByHand(gpt2, LONGER, **fields).check(grid)
    assert grid.alignment.source.tolist() == list(given)
    assert grid.alignment.given
    assert grid.provenance.parameters["alignment"] == given


def test_a_position_in_the_middle_is_the_one_that_it_meets(gpt2):
    """Also where no answer is given: the model's own prediction there is taken."""
    pair, at = Pair("the cat sat mat", "the mat sat the mat"), 5
    grid = patched(gpt2, pair, position=at)
    by_hand = ByHand(gpt2, pair, position=at)
    assert by_hand.aligned[at] == 4
    top = [
        int(naive.logits(gpt2, ids)[p].argmax())
        for ids, p in ((by_hand.source, int(by_hand.aligned[at])), (by_hand.base, at))
    ]
    by_hand.answer, by_hand.wrong = (top[0],), (top[1],)
    by_hand.check(grid)
    told = grid.provenance.parameters
    assert [*told["answer_ids"], *told["wrong_ids"]] == top


# Anything at all.


#: Pairs drawn at random may be no pairs.
KNOWN = (
    "The clean and the corrupted prompt are the same", "No token of the two prompts",
    "The tokens of one prompt are shifted", "Both runs give the same",
)  # fmt: skip


@settings(max_examples=12)
@given(data=st.data())
def test_any_map_equals_the_one_by_hand(families, data):
    bridge = families[data.draw(st.sampled_from(FAMILIES))]
    site = data.draw(st.sampled_from(naive.sites_of(bridge)))
    tokens = st.lists(st.integers(1, 60), min_size=2, max_size=5).map(tuple)
    ids = data.draw(st.lists(st.integers(0, 300), min_size=2, max_size=2, unique=True))
    pair = Pair(data.draw(tokens), data.draw(tokens), *ids)
    over = ["unit_position" if site == "mlp_post" else "layer_position"]
    over += ["layer_head", "head_position"] * (site in HEADS)
    fields = {
        "site": site,
        "over": data.draw(st.sampled_from(over)),
        "head": data.draw(st.integers(0, 1)),
        "layer": data.draw(st.integers(0, 2)),
        "window": 1 if "resid" in site else data.draw(st.integers(1, 3)),
        "direction": data.draw(st.sampled_from(["denoising", "noising"])),
        "metric": data.draw(st.sampled_from(["logit_diff", "log_prob", "kl"])),
    }  # fmt: skip
    try:
        grid = patched(bridge, pair, **fields)
    except RequestError as refusal:
        assume(not refusal.message.startswith(KNOWN))
        raise
    ByHand(bridge, pair, **fields).check(grid)
