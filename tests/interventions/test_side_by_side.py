"""Computations beside each other, and the user's own cells between them, do not meet."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import REGISTRY
from headscope.analyses.intervened import under
from headscope.analyses.prompt_pairs import Pair
from headscope.jobs import Job, runner
from headscope.model import LiveModel
from headscope.model.intervening import plan
from tests import models
from tests.analyses.test_left_as_found import state_of

IDS = [0, 17, 40, 99, 23, 61, 5, 120]
PAIR = Pair("the cat sat on", "the dog sat on", " mat", " dog")
ASKED: dict[str, Any] = {
    "activation_patching": (PAIR,),
    "logit_attribution": "the cat sat",
    "self_repair": "the dog sat",
}


@pytest.fixture(scope="module")
def bridge(tokenizer: Any) -> Any:
    """Two layers, and its first run behind it, in which a bridge wires hooks of its own."""
    made = models.bridge(models.hf_gpt2(n_layer=2), tokenizer)
    with torch.no_grad():
        made("the cat")
    return made


def jobs(model: LiveModel) -> list[Job[Any]]:
    """One of each; the first two with interventions, of other kinds."""
    model.forget_runs()
    changes = hs.Interventions().zero("L1H2"), hs.Interventions().swap(0, 1).scale("MLP0", 2.0)
    asked = ((REGISTRY[name], of) for name, of in ASKED.items())
    steps = [analysis.run(model, analysis.request(of)) for analysis, of in asked]
    acting = [under(plan(model, of), one) for of, one in zip(changes, steps, strict=False)]
    return [Job(one) for one in (*acting, *steps[len(acting) :])]


def test_steps_of_several_and_the_users_cells_in_turn(bridge: Any) -> None:
    """Each gives what it gives alone."""

    def cell() -> torch.Tensor:
        double = [("blocks.0.attn.hook_z", lambda z, hook: z * 2)]
        with torch.no_grad():
            return bridge.run_with_hooks(torch.tensor([IDS]), fwd_hooks=double)

    model = LiveModel.of(bridge)
    alone = jobs(model)
    for job in alone:
        job.advance()
    own, mixed = cell(), jobs(model)
    while not all(job.ended for job in mixed):
        for job in mixed:
            job.advance(0)
            assert torch.equal(cell(), own)
    for one, other in zip(alone, mixed, strict=True):
        assert one.result is not None
        assert other.result is not None
        assert other.result.provenance.user_hooks == ()
        assert one.result.provenance.interventions == other.result.provenance.interventions
        for measure, same in zip(one.result.measures, other.result.measures, strict=True):
            # Blocks may be computed from the weights by then: the same but for rounding.
            np.testing.assert_allclose(measure.values, same.values, rtol=1e-4, atol=1e-5)


def test_widgets_that_compute_within_a_context_say_so_or_refuse(
    bridge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that awaits within one lets the kernel's loop compute under it."""
    monkeypatch.setattr(runner, "CHUNK_S", 0.0)

    async def cells() -> tuple[Any, Any]:
        lens = hs.LogitLens(bridge, "the cat sat")
        patching = hs.ActivationPatching(bridge, "the cat sat", "the dog sat", answer=" mat")
        patching.corrupted = "the dog saw"
        while patching.status["job"] == 1 or not patching.status["fraction"]:
            await asyncio.sleep(0)
        both = lens, patching
        lens.prompt = "the dog sat"
        with hs.Interventions().zero("L1H2").applied(bridge):
            while any(w.status["job"] == 1 or w.status["state"] == "running" for w in both):
                await asyncio.sleep(0.01)
        return both

    before = state_of(bridge)
    lens, patching = asyncio.run(cells())
    assert state_of(bridge) == before
    assert "blocks.1.attn.o.hook_in" in lens.result.provenance.user_hooks
    assert isinstance(patching.last_error, hs.ResultError)
    assert patching.run().provenance.user_hooks == ()
    plain = hs.LogitLens(bridge, "the dog sat").result
    assert plain.provenance.user_hooks == ()
    assert not np.array_equal(plain.values, lens.result.values)
