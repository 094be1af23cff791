"""What holds for every analysis; above all, that a model is found as it was left."""

from __future__ import annotations

import copy
from dataclasses import replace

import pandas as pd
import pytest
import torch

from headscope.analyses import REGISTRY, attention, logit_lens, readings
from headscope.analyses.prompt_pairs import Pair
from headscope.model import LiveModel, patching
from headscope.results import Grid, Patterns
from headscope.wire.codec import decode, encode
from tests import models
from tests.analyses.steps import drain

REQUESTS = [
    ("attention", {}),
    ("logit_lens", {"read_out": "all"}),
    *[("logit_attribution", {"by": by}) for by in ("component", "head", "source")],
    ("activation_patching", {"site": "resid_mid"}),
    (
        "activation_patching",
        {
            "site": "k",
            "qk_fix": True,
            "grad_drop": True,
            "source": "noise",
            "samples": 2,
            "metric": "kl",
        },
    ),
]
#: More than one run of the model, between which it has to be the same one.
PAIRED = ("activation_patching",)
PAIR = Pair("the cat sat on", "the dog saw on", " mat", " dog")


def request_of(name, parameters, prompt=models.PROMPT):
    if name not in PAIRED:
        return REGISTRY[name].request(prompt, **parameters)
    pair = PAIR if prompt == models.PROMPT else Pair(prompt, f"{prompt} the", " mat", " dog")
    return REGISTRY[name].request((pair,), **parameters)


def steps_of(bridge, name, parameters):
    return REGISTRY[name].run(LiveModel.of(bridge), request_of(name, parameters))


def state_of(bridge):
    """Everything of the user's that an analysis could disturb."""
    modules = {id(m): m for root in (bridge, bridge.original_model) for m in root.modules()}
    parameters = dict(bridge.original_model.named_parameters())
    owners = [bridge, *(block.attn for block in bridge.blocks)]
    kept = ("_last_hf_cache", "_pattern")
    flags = ("use_attn_result", "use_split_qkv_input", "use_attn_in", "use_hook_mlp_in")
    return {
        "hooks": {
            key: tuple(
                tuple(map(id, getattr(module, kind).values()))
                for kind in ("_forward_hooks", "_backward_hooks")
            )
            for key, module in modules.items()
        },
        "points": {
            id(point): [id(handle) for handle in point.fwd_hooks + point.bwd_hooks]
            for point in bridge.hook_dict.values()
        },
        "training": {key: module.training for key, module in modules.items()},
        "weights": {name: p.detach().clone().numpy().tobytes() for name, p in parameters.items()},
        "addresses": {name: (p.data_ptr(), p._version) for name, p in parameters.items()},
        "gradients": {
            name: (p.requires_grad, None if p.grad is None else p.grad.numpy().tobytes())
            for name, p in parameters.items()
        },
        "flags": {flag: getattr(bridge.cfg, flag) for flag in flags},
        "cache": bridge.original_model.config.use_cache,
        "compatibility": bridge.compatibility_mode,
        "gradient mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "level": getattr(bridge, "context_level", 0),
        "traces": [{k: id(o.__dict__[k]) for k in kept if k in o.__dict__} for o in owners],
        "forward": [key for key, module in modules.items() if "forward" in module.__dict__],
        "layers": [
            [
                getattr(block, name, None)
                for name in ("_stop_at_layer_idx", "_start_at_layer_idx", "_start_residual")
            ]
            for block in bridge.blocks
        ],
    }


@pytest.fixture(params=["gpt2", "llama"])
def lived_in(request, tokenizer):
    """A bridge in use: a hook of the user's, a gradient, a frozen parameter, a flag."""
    hf = models.hf_gpt2() if request.param == "gpt2" else models.hf_llama()
    bridge = models.bridge(hf, tokenizer)
    with torch.no_grad():
        bridge("the cat")  # the bridge wires its own capture hooks in its first run
    fired = []
    bridge.add_hook("blocks.1.hook_resid_mid", lambda t, hook: fired.append(1))
    parameters = list(bridge.original_model.parameters())
    parameters[0].grad = torch.ones_like(parameters[0])
    parameters[1].requires_grad_(False)
    bridge.set_use_attn_result(True)
    bridge.fired = fired
    return bridge


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_after_success(lived_in, name, parameters):
    before = state_of(lived_in)
    drain(steps_of(lived_in, name, parameters))
    assert state_of(lived_in) == before
    assert lived_in.fired


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_after_a_stop_at_every_step(lived_in, monkeypatch, name, parameters):
    monkeypatch.setattr(readings, "_PIECE_VECTORS", 9)
    monkeypatch.setattr(logit_lens, "_STEP_SECONDS", 0.0)
    monkeypatch.setattr(patching, "STEP_S", 0.0)
    before = state_of(lived_in)
    _, steps = drain(steps_of(lived_in, name, parameters))
    for stop in range(1, len(steps) + 1):
        running = steps_of(lived_in, name, parameters)
        for _ in range(stop):
            next(running)
            assert state_of(lived_in) == before  # nothing is held while the user's cells run
        running.close()
        assert state_of(lived_in) == before


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_in_the_middle_of_the_model(lived_in, name, parameters, error):
    def fail(activation, hook):
        raise error("in the middle")

    lived_in.add_hook("blocks.2.hook_resid_post", fail)
    before = state_of(lived_in)
    with pytest.raises(error, match="in the middle"):
        drain(steps_of(lived_in, name, parameters))
    assert state_of(lived_in) == before


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        (models.hf_gpt2, {"site": "resid_mid"}),
        (models.hf_gpt2, {"site": "mlp_out", "source": "noise", "samples": 2, "metric": "kl"}),
        (models.hf_llama, {"site": "k", "qk_fix": True, "metric": "prob"}),
    ],
)
def test_after_an_error_in_any_of_its_runs(tokenizer, family, parameters):
    """With no hooks on the model runs are resumed: each of them fails once."""
    bridge = models.bridge(family(), tokenizer)
    with torch.no_grad():
        bridge("the cat")
    broken, before, calls = bridge.blocks[1].mlp.original_component, state_of(bridge), 0
    run = broken.forward

    def fail(*args, **kwargs):
        nonlocal left
        left -= 1
        if left == 0:
            raise MemoryError
        return run(*args, **kwargs)

    failed = True
    while failed:
        calls += 1
        left, failed = calls, False
        LiveModel.of(bridge).forget_runs()
        broken.forward = fail
        try:
            drain(steps_of(bridge, "activation_patching", parameters))
        except MemoryError:
            failed = True
        finally:
            del broken.forward
        assert state_of(bridge) == before
    assert calls > 3


def test_after_an_error_of_an_observer(lived_in):
    before = state_of(lived_in)

    def fail(activation):
        raise ValueError("in an observer")

    with pytest.raises(ValueError, match="in an observer"):
        LiveModel.of(lived_in).forward((1, 2), {"blocks.0.hook_resid_pre": fail})
    assert state_of(lived_in) == before


def test_after_questions(lived_in):
    model = LiveModel.of(lived_in)
    before = state_of(lived_in)
    attention.head_weights(model, "the cat", 0, 0)
    attention.mix(model, "the cat", "max")
    logit_lens.track(model, "the cat", 5, (0,))
    logit_lens.cell(model, "the cat", 0, 0)
    assert state_of(lived_in) == before


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_no_graph_is_kept_alive(tokenizer, name, parameters):
    """`copy.deepcopy` refuses a bridge that still holds a pattern with its graph."""
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    drain(steps_of(bridge, name, parameters))
    copy.deepcopy(bridge)


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_what_the_users_hooks_keep_can_still_be_differentiated(tokenizer, name, parameters):
    """Runs under `inference_mode` would hand them tensors that autograd refuses."""
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    kept = []
    bridge.add_hook("blocks.1.hook_resid_mid", lambda t, hook: kept.append(t))
    drain(steps_of(bridge, name, parameters))
    weight = torch.ones(models.D_MODEL, requires_grad=True)
    (kept[0] * weight).sum().backward()
    assert weight.grad is not None


def test_what_the_users_hooks_return_may_want_gradients(tokenizer):
    bridge = models.bridge(models.hf_gpt2(), tokenizer)
    bridge.add_hook(
        "blocks.1.attn.hook_pattern", lambda t, hook: t.detach().clone().requires_grad_(True)
    )
    result, _ = drain(steps_of(bridge, "attention", {}))
    assert result[1, 0].sum() == pytest.approx(len(result.tokens))


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_a_second_run_on_cached_activations_is_equal(any_bridge, name, parameters):
    LiveModel.of(any_bridge)._runs.clear()
    fresh, _ = drain(steps_of(any_bridge, name, parameters))
    cached, _ = drain(steps_of(any_bridge, name, parameters))
    assert isinstance(fresh, (Grid, Patterns))
    # Blocks are computed from the weights once they were tried: the same but for rounding.
    pd.testing.assert_frame_equal(fresh.to_dataframe(), cached.to_dataframe(), rtol=1e-4, atol=1e-5)
    same = [
        replace(p, notes=tuple(note for note in p.notes if "were computed" not in note))
        for p in (fresh.provenance, cached.provenance)
    ]
    assert same[0] == same[1]


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
@pytest.mark.parametrize("prompt", [models.PROMPT, "日", (5,)])
def test_results_survive_the_wire(any_bridge, name, parameters, prompt):
    if prompt == (5,) and name in PAIRED:
        pytest.skip("a single token meets none of the other prompt")
    request = request_of(name, parameters, prompt)
    result, _ = drain(REGISTRY[name].run(LiveModel.of(any_bridge), request))
    back = decode(encode(result, "exact"))
    assert back.provenance == result.provenance
    assert back.next_tokens == result.next_tokens
    assert back.to_dataframe().equals(result.to_dataframe())
    encode(result)


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_requests_are_keys(name, parameters):
    assert hash(request_of(name, parameters)) == hash(request_of(name, parameters))


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_provenance_names_the_registered_analysis(gpt2, name, parameters):
    result, steps = drain(steps_of(gpt2, name, parameters))
    assert result.provenance.analysis == name
    assert set(parameters) - {"samples"} <= set(result.provenance.parameters)
    assert steps[0].fraction == 0.0
    assert all(0 <= step.fraction <= 1 for step in steps)
