"""Recorded runs and their cells: steps stay short, and what is not finite is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headscope.analyses import activation_patching, contrast, path_patching
from headscope.analyses.patching_request import ActivationPatchingRequest
from headscope.analyses.patching_study import Study
from headscope.analyses.path_study import PathPatchingRequest
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import ModelError
from headscope.model import LiveModel, patching
from headscope.model.patching import PatchingEngine, Progress
from tests.analyses.by_hand import PAIR
from tests.analyses.steps import drain


@pytest.mark.parametrize("analysis", ["activation", "path"])
def test_patched_runs_that_are_not_finite_are_refused(gpt2, monkeypatch, analysis):
    """They would stay waiting for ever, and be computed again each time."""
    model = LiveModel.of(gpt2)
    compute = PatchingEngine.compute

    def overflowing(engine, runs, importance=None):
        for done in compute(engine, runs, importance):
            yield Progress(done.fraction, done.runs, done.streams * torch.nan)

    model.forget_runs()
    with monkeypatch.context() as patch:
        patch.setattr(PatchingEngine, "compute", overflowing)
        if analysis == "path":
            steps = path_patching.run(model, PathPatchingRequest((PAIR,)))
        else:
            steps = activation_patching.run(model, ActivationPatchingRequest((PAIR,)))
        with pytest.raises(ModelError, match="not finite"):
            drain(steps)


def test_every_large_piece_of_work_is_a_step_of_its_own(gpt2, monkeypatch):
    """Between two steps at most one pass over a portion, or one metric of one cell."""
    monkeypatch.setattr(patching, "STEP_S", 0.0)
    pairs = tuple(
        Pair((0, 5, 9, i, 20), (0, 5, 77, i, 20), (11, 3), (22, 4)) for i in range(30, 90)
    )
    request = ActivationPatchingRequest(pairs, site="q", qk_fix=True, grad_drop=True)
    study = Study(LiveModel.of(gpt2), request)
    for _ in study.on_one_model(study.prepare()):
        pass
    recorded = list(study.on_one_model(study.record()))
    n_groups, n_layers = len(study._groups), gpt2.cfg.n_layers
    assert n_groups == 5  # of at most 128 tokens
    portions = [c.portions() for g in study._groups for c in g.contrasts]
    assert {part.stop - part.start for parts in portions for part in parts} == {2}  # of 32
    passes = sum(map(len, portions))
    assert len(recorded) == passes + len(pairs)
    laid = list(study.on_one_model(study.lay_out()))
    cells = study.states.size
    assert len(laid) >= cells
    assert len(list(study.on_one_model(study.calibrate()))) == 2 * n_groups
    estimated = list(study.on_one_model(study.estimate()))
    assert len(estimated) >= 2 * passes * n_layers + 2 * n_groups * n_layers + cells
    for fractions in (recorded, laid, estimated):
        assert fractions == sorted(fractions)


@pytest.mark.parametrize("length", [4, 17])
def test_prompts_in_portions_run_as_they_do_at_once(gpt2, monkeypatch, length):
    """Whether two prompts of a pair run side by side, and pairs too, or one after another."""
    model, alike = LiveModel.of(gpt2), range(40, 40 + length - 3)
    pairs = tuple(Pair((0, 5, 9, *alike, i), (0, 5, 77, *alike, i), 11, 22) for i in range(3))

    def found():
        model.forget_runs()
        request = ActivationPatchingRequest(pairs, site="mlp_out")
        return drain(activation_patching.run(model, request))[0]

    parts = found()
    monkeypatch.setattr(contrast, "TOKENS_PER_STEP", 1000)
    whole = found()
    assert np.allclose(parts["metric"], whole["metric"], atol=1e-5)
    assert np.allclose(parts["estimate"], whole["estimate"], atol=1e-4)
    # Nothing differs before the third token, and what is equal has equal bits.
    for grid in (parts, whole):
        assert (grid["estimate"][..., :2] == 0).all()


def test_reading_kept_streams_takes_many_steps(gpt2, monkeypatch):
    model = LiveModel.of(gpt2)
    model.forget_runs()
    first, _ = drain(activation_patching.run(model, ActivationPatchingRequest((PAIR,))))
    monkeypatch.setattr(patching, "STEP_S", 0.0)
    request = ActivationPatchingRequest((PAIR,), metric="log_prob", estimate=False)
    study = Study(model, request)
    for _ in study.on_one_model(study.prepare()):
        pass
    for _ in study.on_one_model(study.record()):
        pass
    seen = [int((study.states == 3).sum()) for _ in study.on_one_model(study.lay_out())]
    assert max(np.diff(seen)) <= 8
    assert seen[-1] == (first.states == 3).sum()
    for _ in study.on_one_model(study.calibrate()):
        pass
    assert study._seconds(study._groups[0], 0) == 0
    assert study.forecast().startswith("0 cells to compute, under 1 s")
