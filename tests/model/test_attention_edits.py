"""Patterns that can be seen but not changed are refused wherever a change of them is asked for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import GPTJConfig, GPTJForCausalLM

import headscope as hs
from headscope.model import LiveModel
from headscope.model.attention_edits import refuse_dropped_edits
from tests import models

CLEAN, CORRUPTED = (0, 17, 40, 99, 23), (0, 17, 41, 99, 23)


@pytest.fixture(scope="module")
def gptj(tokenizer: Any) -> Any:
    """TransformerLens leaves its attention to transformers."""
    torch.manual_seed(0)
    config = GPTJConfig(
        n_layer=3, n_head=4, n_embd=32, rotary_dim=4, n_positions=64, vocab_size=models.D_VOCAB,
        bos_token_id=0, eos_token_id=0, initializer_range=0.2,
    )  # fmt: skip
    return models.bridge(GPTJForCausalLM(config).eval(), tokenizer, name="tiny-gptj")


def test_models_that_compute_their_own_are_not_refused(every_bridge: Any) -> None:
    refuse_dropped_edits(LiveModel.of(every_bridge))
    assert not LiveModel.of(every_bridge).user_hooks()


@pytest.mark.parametrize(
    "changes",
    [
        hs.Interventions().knock_out("L1H0", -1, 0),
        hs.Interventions().freeze_pattern("L1", CLEAN),
    ],
)
def test_interventions_say_so(gptj: Any, changes: hs.Interventions) -> None:
    with pytest.raises(hs.ModelError, match="not changed"), changes.applied(gptj):
        pass
    with hs.Interventions().zero("L1H0").applied(gptj):
        pass


@pytest.mark.parametrize("asked", [{"site": "pattern"}, {"site": "q", "qk_fix": True}])
def test_patching_says_so(gptj: Any, asked: dict[str, Any]) -> None:
    with pytest.raises(hs.ModelError, match="not changed"):
        hs.ActivationPatching(gptj, CLEAN, CORRUPTED, answer=40, wrong=41, **asked)
    made = hs.ActivationPatching(gptj, CLEAN, CORRUPTED, answer=40, wrong=41, site="z")
    assert abs(made.run()["effect"]).max() > 0.01
