"""total = direct + repaired, each measured apart; and repair is there where it is built in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import self_repair
from headscope.analyses.self_repair import SelfRepairRequest
from headscope.jobs import Job
from headscope.model import LiveModel

PROMPT = "the cat sat on the mat the cat"
OTHER = "the dog saw on the mat the dog"


def repair(bridge: Any, **fields: Any) -> Any:
    job: Job[Any] = Job(self_repair.run(LiveModel.of(bridge), SelfRepairRequest(PROMPT, **fields)))
    job.advance()
    assert job.error is None, job.error
    return job.result


@pytest.mark.parametrize("corrupted", [None, OTHER])
def test_the_total_is_what_the_ablated_model_says(every_bridge: Any, corrupted: Any) -> None:
    """The last logits of the model under hooks, before any soft cap, and the parts add up to it."""
    grid = repair(every_bridge, answer=" mat", wrong=" dog", corrupted=corrupted)
    ids = every_bridge.to_tokens(PROMPT)
    path = LiveModel.of(every_bridge).read_out()
    answer, wrong = (every_bridge.to_single_token(t) for t in (" mat", " dog"))

    def metric(hooks: Any) -> float:
        streams = []
        hooks = [*hooks, ("blocks.2.hook_resid_post", lambda x, hook: streams.append(x[0, -1]))]
        with torch.no_grad():
            logits = every_bridge.run_with_hooks(ids, fwd_hooks=hooks)[0, -1]
        if path.transforms:
            return float(path.raw_logit(path.normalised(streams[0]), answer, wrong))
        return float(logits[answer] - logits[wrong])

    plain = metric([])
    with torch.no_grad():
        _, cache = every_bridge.run_with_cache(every_bridge.to_tokens(OTHER))
    for row, label in enumerate(grid.axes[0].labels):
        layer, head = int(label[1]), int(label[3])
        theirs = cache[f"blocks.{layer}.attn.hook_z"][0, :, head]

        def ablate(z: torch.Tensor, hook: Any, head: int = head, theirs: Any = theirs) -> Any:
            z = z.clone()
            z[0, :, head] = 0.0 if corrupted is None else theirs
            return z

        total = metric([(f"blocks.{layer}.attn.hook_z", ablate)]) - plain
        assert grid["change"][row, 0] == pytest.approx(total, abs=2e-5)
    parts = np.nansum(grid["change"][:, 1:], 1)
    np.testing.assert_allclose(parts, grid["change"][:, 0], atol=2e-5)
    assert grid.identity.residue < 2e-5


def test_the_direct_effect_is_the_heads_attribution(gpt2: Any) -> None:
    """Zero ablation takes away what direct logit attribution says the head adds."""
    by_head = hs.LogitAttribution(gpt2, PROMPT, answer=" mat", wrong=" dog", by="head").result
    grid = repair(gpt2, answer=" mat", wrong=" dog")
    adds = {
        f"L{layer}H{head}": by_head["contribution"][layer, head]
        for layer in range(3)
        for head in range(4)
    }
    direct = dict(zip(grid.axes[0].labels, grid["change"][:, 1], strict=True))
    for name, value in direct.items():
        assert value == pytest.approx(-adds[name], abs=2e-5)


def test_what_runs_before_a_head_is_not_among_its_repairs(gpt2: Any, neox: Any) -> None:
    for bridge, beside in ((gpt2, True), (neox, False)):
        grid = repair(bridge, heads=("L1H2",))
        known = {
            label: np.isfinite(value)
            for label, value in zip(grid.axes[1].labels, grid["change"][0], strict=True)
        }
        assert not known["MLP L0"]
        assert not known["attn L1"]
        assert known["MLP L1"] == beside
        assert known["attn L2"]


def test_bad_input_is_one_line(gpt2: Any) -> None:
    for fields, says in (
        ({"heads": ("MLP1",)}, "no head"),
        ({"heads": ("L9H0",)}, "layers 0 to 2"),
        ({"position": 99}, "position 99"),
        ({"answer": " mat", "wrong": " mat"}, "same token"),
    ):
        job: Job[Any] = Job(
            self_repair.run(LiveModel.of(gpt2), SelfRepairRequest(PROMPT, **fields))
        )
        job.advance()
        assert isinstance(job.error, hs.HeadscopeError)
        assert says in str(job.error)
