"""Where a run cannot start in the middle, or not in every way, it is computed all the same."""

from __future__ import annotations

import types

import pytest
import torch

from headscope.model.patched_runs import PatchedRun
from headscope.model.recorded import Patch, record
from headscope.model.resumed import Resumption, drain
from tests import models


def error(bridge, length, position=None):
    """Largest relative error of resumed runs over every layer, and the resumption."""
    position = length // 2 if position is None else position
    ids = [0, *((7 * i) % 300 + 1 for i in range(length - 1))]
    base = record(bridge, [ids])
    resumption = Resumption(bridge, base, (length - 1,))
    worst = 0.0
    for layer in range(models.N_LAYERS):
        value = base.streams[0, layer, [position]] * -2.0

        def put(x, hook, value=value):
            x = x.clone()
            x[0, position] = value[0]
            return x

        kept = []
        hooks = [
            (f"blocks.{layer}.hook_resid_pre", put),
            ("blocks.2.hook_resid_post", lambda x, hook, kept=kept: kept.append(x[0, -1])),
        ]
        with torch.no_grad():
            bridge.run_with_hooks(torch.tensor([ids]), fwd_hooks=hooks)
        run = PatchedRun(0, (Patch("resid_pre", layer, (position,), value),))
        found = drain(resumption.streams([run]))[0, 0]
        worst = max(worst, float((found - kept[0]).abs().max() / kept[0].abs().max()))
    return worst, resumption


@pytest.mark.parametrize("lengths", [(6, 20), (20, 6), (7, 8, 9)])
def test_a_sliding_window_shorter_than_the_prompt(tokenizer, lengths) -> None:
    bridge = models.bridge(models.hf_mistral(window=8), tokenizer, name="tiny-mistral")
    for length in lengths:
        worst, resumption = error(bridge, length)
        assert worst < 1e-5, length
        assert resumption.shortcuts.layers
    assert not Resumption(bridge, record(bridge, [[0] * 20]), (19,)).shortcuts.prefix


def test_an_activation_of_the_users_own_is_used_and_left(tokenizer) -> None:
    bridge = models.bridge(models.hf_gpt2(), tokenizer, name="tiny-gpt2")
    (activation,) = {m for m in bridge.blocks[1].modules() if type(m).__name__.endswith("GELU"
                    "Activation")}  # fmt: skip
    own = types.MethodType(lambda self, x: torch.relu(x), activation)
    activation.forward = own
    worst, _ = error(bridge, 10)
    assert worst < 1e-5
    assert activation.__dict__["forward"] is own


def test_a_block_of_the_users_own_is_run_whole_and_left(tokenizer) -> None:
    bridge = models.bridge(models.hf_gpt2(), tokenizer, name="tiny-gpt2")
    block = bridge.blocks[0]
    forward = type(block).forward

    def doubled(hidden, *args, **kwargs):
        return 2 * forward(block, hidden, *args, **kwargs)

    block.__dict__["forward"] = doubled
    worst, resumption = error(bridge, 10)
    assert worst < 1e-5
    assert not resumption.shortcuts.layers
    assert block.__dict__["forward"] is doubled
