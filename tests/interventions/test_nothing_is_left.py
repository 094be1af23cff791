"""Whatever stops a computation, and whoever computes in between, the model is as it was."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from itertools import islice
from typing import Any

import pytest
import torch

import headscope as hs
from headscope.analyses import REGISTRY
from headscope.analyses.intervened import under
from headscope.analyses.prompt_pairs import Pair
from headscope.jobs import Job
from headscope.model import LiveModel
from headscope.model.intervening import plan
from headscope.model.intervening.generating import Sampling, generate
from headscope.model.intervening.running import Baseline
from tests import models
from tests.analyses.test_left_as_found import state_of

IDS = [0, 17, 40, 99, 23, 61, 5, 120]
OTHER = [0, 17, 41, 99, 7, 61, 5, 121]
CHANGES = (
    hs.Interventions().zero("L1H2"),
    hs.Interventions().swap(0, 1).steer(1, hs.Vector([0.2] * models.D_MODEL)),
    hs.Interventions().knock_out("L1H0", -1, 2).clamp("L1N3", 4.0, [-1]).skip(0, "mlp"),
    hs.Interventions().freeze_pattern("L0", OTHER).patch("L1.resid_pre", OTHER, [4]),
)
STOPS = 1000
#: Each of its steps is some milliseconds.
QUICK = ("attention", "logit_attribution", "logit_lens", "activation_patching")


@pytest.fixture(scope="module")
def bridge(tokenizer: Any) -> Any:
    """Two layers, and its first run behind it, in which a bridge wires hooks of its own."""
    made = models.bridge(models.hf_gpt2(n_layer=2), tokenizer)
    with torch.no_grad():
        made("the cat")
    return made


def logits(bridge: Any) -> torch.Tensor:
    """As a user's run, but that the bridge keeps no pattern of it."""
    return LiveModel.of(bridge).forward(IDS, {})


class FailedError(Exception):
    """Raised where it should not be."""


@contextmanager
def failing(modules: list[Any], dice: random.Random) -> Iterator[None]:
    """One of the modules fails at one of its next calls, with an error or an interrupt."""
    module, left = dice.choice(modules), dice.randrange(3)
    error = dice.choice([FailedError, KeyboardInterrupt, GeneratorExit])
    forward = module.forward

    def fail(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise error
        return forward(*args, **kwargs)

    module.__dict__["forward"] = fail
    try:
        yield
    except (FailedError, KeyboardInterrupt, GeneratorExit):
        pass
    finally:
        del module.__dict__["forward"]


def test_a_thousand_stops_leave_nothing(bridge: Any) -> None:
    """Cancelled, dropped or failed somewhere, at random: every time all is as it was."""
    dice, model = random.Random(0), LiveModel.of(bridge)
    baseline, plans = Baseline(model, IDS), [plan(model, changes) for changes in CHANGES]
    modules = [m for m in bridge.original_model.modules() if "forward" not in m.__dict__]
    before, expected = state_of(bridge), [baseline.run(chosen).logits for chosen in plans]

    def analysis() -> None:
        with failing(modules, dice) if dice.random() < 0.5 else nullcontext():
            stopped()

    def stopped() -> None:
        name = dice.choice(QUICK)
        request = REGISTRY[name].request
        paired = name == "activation_patching"
        given = (Pair("the cat sat", "the dog sat", " mat", " on"),) if paired else "the cat sat"
        model.forget_runs()
        steps = REGISTRY[name].run(model, request(given))
        chosen = dice.choice([None, *plans])
        job: Job[Any] = Job(under(chosen, steps) if chosen else steps)
        for _ in range(dice.randrange(4)):
            job.advance(0)
        dice.choice([job.cancel, job.discard, lambda: None])()
        job.advance(0)

    def text() -> None:
        chosen = dice.choice([None, *plans])
        growing = generate(model, IDS, Sampling(1.0, dice.randrange(99)), 9, chosen)
        list(islice(growing, dice.randrange(3)))

    def run() -> None:
        with failing(modules, dice):
            baseline.run(dice.choice(plans))

    def applied() -> None:
        chosen = dice.randrange(len(plans))
        often = dice.random() < 0.8  # making a plan takes longer than running it
        context = plans[chosen].installed() if often else CHANGES[chosen].applied(bridge)
        with failing(modules, dice), context:
            logits(bridge)

    for stop in range(STOPS):
        work: Callable[[], None] = dice.choice([analysis, text, run, applied])
        work()
        assert state_of(bridge) == before, (stop, work)
        if stop % 50 == 0:
            chosen = dice.randrange(len(plans))
            assert torch.equal(baseline.run(plans[chosen]).logits, expected[chosen])


@pytest.mark.parametrize("changes", CHANGES)
def test_generation_can_be_stopped_at_every_token(bridge: Any, changes: hs.Interventions) -> None:
    model, before = LiveModel.of(bridge), state_of(bridge)
    chosen, sampling = plan(model, changes), Sampling(1.0, 5)
    whole = list(generate(model, IDS, sampling, 5, chosen))
    for taken in range(len(whole) + 1):
        with closing(generate(model, IDS, sampling, 5, chosen)) as growing:  # type: ignore[type-var]
            for token in whole[:taken]:
                assert next(growing) == token
                assert state_of(bridge) == before
        assert state_of(bridge) == before


def test_contexts_within_each_other_stack(bridge: Any) -> None:
    """The inner one's blocks are those that the outer one has put there."""
    before = state_of(bridge)
    steered = hs.Interventions().steer(0, hs.Vector([0.2] * models.D_MODEL))
    with (steered + hs.Interventions().swap(0, 1)).applied(bridge):
        both = logits(bridge)
    with steered.applied(bridge):
        alone = logits(bridge)
        with hs.Interventions().swap(0, 1).applied(bridge):
            assert torch.equal(logits(bridge), both)
        assert torch.equal(logits(bridge), alone)
    assert state_of(bridge) == before


def test_contexts_that_cross_are_refused_and_all_taken_off(bridge: Any) -> None:
    before, plain = state_of(bridge), logits(bridge)
    outer, inner = (hs.Interventions().swap(0, 1).applied(bridge) for _ in range(2))
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(hs.RequestError, match="not taken off in order"):
        outer.__exit__(None, None, None)
    assert state_of(bridge) == before
    with pytest.raises(hs.RequestError, match="not taken off in order"):
        inner.__exit__(None, None, None)
    assert state_of(bridge) == before
    assert torch.equal(logits(bridge), plain)


def test_a_context_that_is_dropped_is_left(bridge: Any) -> None:
    before = state_of(bridge)
    context = CHANGES[1].applied(bridge)
    context.__enter__()
    assert state_of(bridge) != before
    del context
    assert state_of(bridge) == before


def test_the_users_reset_within_leaves_nothing(bridge: Any) -> None:
    before, plain = state_of(bridge), logits(bridge)
    with CHANGES[0].applied(bridge):
        bridge.reset_hooks()
        assert torch.allclose(logits(bridge), plain, atol=1e-5)
    assert state_of(bridge) == before


def test_a_hook_of_the_users_within_stays(bridge: Any) -> None:
    before, seen = state_of(bridge), list[int]()
    with CHANGES[1].applied(bridge):
        bridge.add_hook("blocks.1.hook_resid_post", lambda x, hook: seen.append(1))
        logits(bridge)
    logits(bridge)
    assert len(seen) == 2
    bridge.reset_hooks()
    assert state_of(bridge) == before


def test_a_plan_of_earlier_weights_is_refused(tokenizer: Any) -> None:
    """It holds activations of theirs."""
    bridge = models.bridge(models.hf_gpt2(n_layer=2), tokenizer)
    model = LiveModel.of(bridge)
    chosen = plan(model, CHANGES[3])
    with torch.no_grad():
        bridge.blocks[0].mlp.W_in.mul_(2)
    baseline, before = Baseline(model, IDS), state_of(bridge)
    with pytest.raises(hs.ResultError, match="worked out"):
        baseline.run(chosen)
    with pytest.raises(hs.ResultError, match="worked out"):
        next(generate(model, IDS, Sampling(), 1, chosen))
    with pytest.raises(hs.ResultError, match="worked out"), chosen.installed():
        pass
    other = Baseline(LiveModel.of(models.bridge(models.hf_gpt2(n_layer=2), tokenizer)), IDS)
    with pytest.raises(hs.ResultError, match="another model"):
        other.run(plan(model, CHANGES[3]))
    assert state_of(bridge) == before
