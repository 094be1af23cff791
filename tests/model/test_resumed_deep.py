"""Starting high up in deeper models, whose blocks hand the stream on in their own ways."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM, GPTJConfig, GPTJForCausalLM

from headscope.model.patched_runs import PatchedRun
from headscope.model.recorded import Patch, record
from headscope.model.resumed import Resumption, drain
from tests import models, naive

BASE, SOURCE = (0, 5, 9, 13, 21, 30), (0, 5, 17, 13, 40, 22)
N_LAYERS, SIZES = 7, {"n_layer": 7, "n_head": 4, "vocab_size": models.D_VOCAB}


def gptj() -> Any:
    """Its blocks hand on tuples."""
    return GPTJForCausalLM(GPTJConfig(n_embd=32, n_positions=64, rotary_dim=4, **SIZES))


def bloom() -> Any:
    """So do these; and positions enter as a bias that is laid out for one batch."""
    return BloomForCausalLM(BloomConfig(hidden_size=32, **SIZES))


@pytest.mark.parametrize(("build", "tuples", "resumes"), [(gptj, True, True), (bloom, True, False)])
def test_patched_runs_equal_runs_by_hand(tokenizer, build, tuples, resumes):
    torch.manual_seed(0)
    bridge = models.bridge(build().eval(), tokenizer)
    recorded = record(bridge, [BASE])
    assert recorded.tuples is tuples
    resumption = Resumption(bridge, recorded, [5])
    assert resumption.shortcuts.layers is resumes
    runs, expected = [], []
    for layer in (2, N_LAYERS - 2, N_LAYERS - 1):
        name = naive.hook("z", layer)
        value = naive.activations(bridge, SOURCE, [name])[name][[2, 5], 1]
        runs.append(PatchedRun(0, (Patch("z", layer, (2, 5), value, 1),)))
        expected.append(naive.logits(bridge, BASE, [naive.Change(name, ([2, 5], 1), value)])[-1])
    with torch.no_grad():
        found = bridge.unembed(bridge.ln_final(drain(resumption.streams(runs))))[:, 0]
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-4, rtol=1e-4)
    if resumes:  # high up alone, with all of the model's other blocks passed over
        alone = drain(resumption.streams(runs[-1:]))
        with torch.no_grad():
            logits = bridge.unembed(bridge.ln_final(alone))[0, 0]
        torch.testing.assert_close(logits, expected[-1], atol=1e-4, rtol=1e-4)
    assert not any("forward" in module.__dict__ for module in bridge.modules())
