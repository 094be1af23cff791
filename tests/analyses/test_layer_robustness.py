"""Every edit of a layer is that of a model rebuilt by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import layer_robustness
from headscope.analyses.layer_robustness import LayerRobustnessRequest
from headscope.jobs import Job
from headscope.model import LiveModel

TEXTS = ("the cat sat on the mat the cat", "the dog saw the cat")


def robustness(bridge: Any, *texts: Any) -> Any:
    first, *more = texts
    job: Job[Any] = Job(
        layer_robustness.run(LiveModel.of(bridge), LayerRobustnessRequest(first, tuple(more)))
    )
    job.advance()
    assert job.error is None, job.error
    return job.result


def by_hand(
    bridge: Any, edit: str, layer: int, texts: Sequence[str] = TEXTS
) -> tuple[float, float, float]:
    """Loss, mean KL and share of kept answers, with hooks alone."""
    losses, kls, kept = [], [], []
    for text in texts:
        ids = bridge.to_tokens(text)
        with torch.no_grad():
            plain = bridge(ids)[0].log_softmax(-1)
            hooks = []
            if edit in ("without block", "without attention"):
                hooks.append((f"blocks.{layer}.hook_attn_out", lambda x, hook: x * 0))
            if edit in ("without block", "without MLP"):
                hooks.append((f"blocks.{layer}.hook_mlp_out", lambda x, hook: x * 0))
            changed = bridge.run_with_hooks(ids, fwd_hooks=hooks)[0].log_softmax(-1)
        losses += (-changed[:-1].gather(1, ids[0, 1:, None])).flatten().tolist()
        kls += (plain.exp() * (plain - changed)).sum(-1).tolist()
        kept += (plain.argmax(-1) == changed.argmax(-1)).tolist()
    return float(np.mean(losses)), float(np.mean(kls)), float(np.mean(kept))


@pytest.mark.parametrize("edit", ["without block", "without attention", "without MLP"])
def test_an_edit_is_what_hooks_do(every_bridge: Any, edit: str) -> None:
    grid = robustness(every_bridge, *TEXTS)
    row = grid.axes[1].labels.index(edit)
    plain = grid.baselines[0].value
    for layer in range(3):
        loss, kl, kept = by_hand(every_bridge, edit, layer)
        found = [grid[name][0, row, layer] for name in ("loss_change", "kl", "answers_kept")]
        np.testing.assert_allclose(found, [loss - plain, kl, kept], atol=1e-4)


def test_of_several_prompts_each_can_be_chosen(gpt2: Any) -> None:
    grid = robustness(gpt2, *TEXTS)
    assert [axis.name for axis in grid.axes] == ["prompt", "edit", "layer"]
    assert grid.axes[0].labels == ("mean", *(f"{i}: {text}" for i, text in enumerate(TEXTS, 1)))
    for i, text in enumerate(TEXTS, 1):
        alone = robustness(gpt2, text)
        _, kl, kept = by_hand(gpt2, "without block", 1, (text,))
        for measure in alone.measures:
            np.testing.assert_allclose(grid[measure.name][i], measure.values, atol=1e-5)
        np.testing.assert_allclose(
            [grid[name][i, 0, 1] for name in ("kl", "answers_kept")], [kl, kept], atol=1e-4
        )
    short = robustness(gpt2, TEXTS[0], (5,))
    assert np.isnan(short["loss_change"][2]).all()
    np.testing.assert_allclose(short["loss_change"][0], short["loss_change"][1])


def test_a_swap_is_the_run_with_it(gpt2: Any) -> None:
    grid = robustness(gpt2, TEXTS[0])
    ids = gpt2.to_tokens(TEXTS[0])
    with hs.Interventions().swap(1, 2).applied(gpt2), torch.no_grad():
        changed = gpt2(ids)[0].log_softmax(-1)
    loss = -float(changed[:-1].gather(1, ids[0, 1:, None]).mean())
    assert grid["loss_change"][3, 1] == pytest.approx(loss - grid.baselines[0].value, abs=1e-4)
    assert np.isnan(grid["loss_change"][3, 2])
    assert grid.states[3, 2] == 0


def test_a_single_token_has_no_loss(gpt2: Any) -> None:
    job: Job[Any] = Job(layer_robustness.run(LiveModel.of(gpt2), LayerRobustnessRequest((5,))))
    job.advance()
    assert isinstance(job.error, hs.PromptError)
    assert "next token" in str(job.error)
