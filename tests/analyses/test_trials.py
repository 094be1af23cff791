"""Recorded runs and their cells: steps stay short, and what is not finite is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headscope.analyses import activation_patching, path_patching
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
    assert len(recorded) == 2 * n_groups + len(pairs)
    estimated = list(study.on_one_model(study.estimate()))
    cells = study.states.size
    assert len(estimated) >= 2 * n_groups * 2 * n_layers + cells
    assert len(list(study.on_one_model(study.calibrate()))) == 2 * n_groups
    for fractions in (recorded, estimated):
        assert fractions == sorted(fractions)


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
    seen = [int((study.states == 3).sum()) for _ in study.on_one_model(study.estimate())]
    assert max(np.diff(seen)) <= 8
    assert seen[-1] == (first.states == 3).sum()
    for _ in study.on_one_model(study.calibrate()):
        pass
    assert study._seconds(study._groups[0], 0) == 0
    assert study.forecast().startswith("0 cells to compute, under 1 s")
