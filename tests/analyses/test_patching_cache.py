"""What was computed is kept and read again, for as long as it is true, and never for another."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from headscope.analyses import activation_patching
from headscope.analyses.contrast import Spot
from headscope.analyses.patching_request import ActivationPatchingRequest
from headscope.jobs import Job
from headscope.model import LiveModel
from headscope.model.patching import PatchingEngine
from tests import models
from tests.analyses.by_hand import EXACT, LONGER, PAIR, ByHand, patched

CELLS = 3 * 5


@pytest.fixture
def computed(monkeypatch):
    """Every patched run that is computed, as it finishes."""
    seen = []
    compute = PatchingEngine.compute

    def counted(self, runs, importance=None):
        for progress in compute(self, runs, importance):
            seen.extend(runs[i] for i in progress.runs if self.matters(runs[i]))
            yield progress

    monkeypatch.setattr(PatchingEngine, "compute", counted)
    return seen


@pytest.fixture
def model(gpt2):
    """Held, so that what it keeps lives on between maps."""
    live = LiveModel.of(gpt2)
    live.forget_runs()
    return live


def test_another_metric_or_answer_runs_no_cell_again(model, computed):
    fields = {"site": "resid_pre", "direction": "noising"}
    patched(model.bridge, **fields)
    assert len(computed) == 8  # of 15: the first token is the same, and so is layer 0 of two more
    computed.clear()
    for changes in ({"metric": "prob"}, {"metric": "kl"}, {"metric": "rank"}, {"qk_fix": True},
                    {"grad_drop": True}, {"estimate": False}):  # fmt: skip
        grid = patched(model.bridge, **fields, **changes)
        assert (grid.states == EXACT).all()
    other = dataclasses.replace(PAIR, answer=" cat", wrong=" sat")
    ByHand(model.bridge, other, **fields).check(patched(model.bridge, other, **fields))
    assert not computed


OTHER = [
    {"pair": LONGER}, {"site": "resid_post"}, {"direction": "noising"}, {"source": "zero"},
    {"source": "mean"}, {"position": 2}, {"alignment": (0, 1, 2, -1, 4)},
    {"pinned": (Spot("attn_out", 0, (2,), None),)}, {"site": "mlp_out"},
    {"site": "mlp_out", "window": 2}, {"site": "mlp_out", "window": 3},
    {"site": "z", "over": "layer_position", "head": 0},
    {"site": "z", "over": "layer_position", "head": 1},
    {"site": "z", "over": "head_position", "layer": 0},
    {"site": "z", "over": "head_position", "layer": 1},
    {"pair": dataclasses.replace(PAIR, answer=" the cat"), "metric": "log_prob"},
    {"pair": dataclasses.replace(PAIR, answer=" the dog"), "metric": "log_prob"},
    {"source": "noise", "samples": 2}, {"source": "noise", "samples": 2, "seed": 1},
    {"source": "noise", "samples": 2, "noise_at": (2,)},
]  # fmt: skip


def test_what_asks_for_other_runs_gets_them(model):
    """Each map after all the others equals the map that a model makes which has kept nothing."""
    maps = [{}, *OTHER]
    fresh = []
    for fields in maps:
        model.forget_runs()
        fresh.append(patched(model.bridge, **fields))
    model.forget_runs()
    for fields, expected in zip(maps, fresh, strict=True):
        found = patched(model.bridge, **fields)
        assert np.allclose(found["metric"], expected["metric"], atol=1e-5, equal_nan=True), fields


def test_what_a_cancelled_map_has_is_kept_and_the_next_goes_on(model, computed, monkeypatch):
    monkeypatch.setattr(PatchingEngine, "most_tokens", 5)
    request = ActivationPatchingRequest((PAIR,), site="mlp_out")
    whole = patched(model.bridge, site="mlp_out")
    places = sorted((p.layer, p.positions) for run in computed for p in run.patches)
    model.forget_runs()
    computed.clear()
    for _ in range(len(places) + 1):
        job = Job(activation_patching.run(model, request))
        before = len(computed)
        while not job.ended and len(computed) < before + 1:  # one group more each time
            job.advance(0)
        job.cancel()
        job.advance()
        if job.state == "done":
            break
    assert job.state == "done"
    # Together they computed every cell once.
    assert sorted((p.layer, p.positions) for run in computed for p in run.patches) == places
    assert np.allclose(job.result["metric"], whole["metric"], atol=1e-5)


def test_other_weights_are_other_runs(tokenizer, computed):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    model = LiveModel.of(bridge)
    before = patched(bridge, site="z")
    n = len(computed)
    with torch.no_grad():
        bridge.blocks[1].mlp.out.original_component.weight.mul_(0.5)
    after = patched(bridge, site="z")
    assert len(computed) == 2 * n
    assert not np.allclose(after["metric"], before["metric"], atol=1e-3)
    ByHand(bridge, site="z").check(after)
    assert model is LiveModel.of(bridge)


def test_runs_with_hooks_of_the_users_are_neither_kept_nor_taken(model, computed):
    plain = patched(model.bridge, site="attn_out")
    n = len(computed)
    model.bridge.add_hook("blocks.1.hook_mlp_out", lambda x, hook: 0.5 * x)
    try:
        for _ in range(2):
            ByHand(model.bridge, site="attn_out").check(patched(model.bridge, site="attn_out"))
        assert len(computed) == 3 * n
    finally:
        model.bridge.reset_hooks()
    assert np.allclose(patched(model.bridge, site="attn_out")["metric"], plain["metric"])
    assert len(computed) == 3 * n


def test_a_model_that_changes_under_way_is_noticed(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    model, steps = LiveModel.of(bridge), 0
    while True:
        job = Job(activation_patching.run(model, ActivationPatchingRequest((PAIR,))))
        for _ in range(steps):
            job.advance(0)
        if job.ended:
            break
        with torch.no_grad():
            bridge.blocks[0].mlp.out.original_component.weight.mul_(1.01)
        job.advance()
        if steps > 1 and job.error is not None:
            assert "weights or hooks have changed" in str(job.error)
        steps += 1
    assert steps > 5
