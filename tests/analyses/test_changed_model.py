"""A model that is changed while a map is computed: the map fails, and nothing wrong is kept."""

from __future__ import annotations

import numpy as np
import pytest

from headscope.analyses import activation_patching, path_patching
from headscope.errors import ModelError, ResultError
from headscope.model import LiveModel, patching
from tests import models
from tests.analyses.by_hand import PAIR
from tests.analyses.steps import drain


def add_hook(bridge):
    bridge.add_hook("blocks.1.hook_resid_mid", lambda t, hook: t * 0)


def take_off(bridge):
    bridge.reset_hooks()


def in_training(bridge):
    bridge.train()


def in_evaluation(bridge):
    bridge.eval()


def steps_of(bridge, analysis):
    model = LiveModel.of(bridge)
    if analysis == "path":
        return path_patching.run(model, path_patching.PathPatchingRequest((PAIR,)))
    request = activation_patching.ActivationPatchingRequest((PAIR,), site="resid_mid")
    return activation_patching.run(model, request)


@pytest.mark.parametrize("analysis", ["activation", "path"])
@pytest.mark.parametrize(
    ("change", "back", "error", "says"),
    [
        (add_hook, take_off, ResultError, "weights or hooks have changed"),
        (in_training, in_evaluation, ModelError, "training mode"),
    ],
)
def test_what_a_changed_model_computes_is_never_kept(
    tokenizer, monkeypatch, analysis, change, back, error, says
):
    """Stopped at any of its steps: nothing computed since then turns up in the next map."""
    monkeypatch.setattr(patching, "STEP_S", 0.0)
    bridge = models.bridge(models.hf_gpt2(attn_pdrop=0.5, resid_pdrop=0.5), tokenizer)
    expected, seen = drain(steps_of(bridge, analysis))
    for stop in range(2, len(seen)):
        LiveModel.of(bridge).forget_runs()
        steps = steps_of(bridge, analysis)
        for _ in range(stop):
            next(steps)
        change(bridge)
        with pytest.raises(error, match=says):
            drain(steps)
        back(bridge)
        again, _ = drain(steps_of(bridge, analysis))
        assert np.allclose(again["metric"], expected["metric"], atol=1e-5, equal_nan=True)
        assert np.array_equal(again.states, expected.states)
