"""What holds for every analysis; above all, that a model is found as it was left."""

from __future__ import annotations

import copy

import pytest
import torch

from headscope.analyses import REGISTRY, attention, logit_lens, readings
from headscope.model import LiveModel
from headscope.results import Grid, Patterns
from headscope.wire.codec import decode, encode
from tests import models
from tests.analyses.steps import drain

REQUESTS = [
    ("attention", {}),
    ("logit_lens", {"read_out": "all"}),
    *[("logit_attribution", {"by": by}) for by in ("component", "head", "source")],
]


def steps_of(bridge, name, parameters):
    analysis = REGISTRY[name]
    return analysis.run(LiveModel.of(bridge), analysis.request(models.PROMPT, **parameters))


def state_of(bridge):
    """Everything of the user's that an analysis could disturb."""
    modules = {id(m): m for root in (bridge, bridge.original_model) for m in root.modules()}
    parameters = dict(bridge.original_model.named_parameters())
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
        "stop": [getattr(block, "_stop_at_layer_idx", None) for block in bridge.blocks],
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
    assert fresh.to_dataframe().equals(cached.to_dataframe())
    assert fresh.provenance == cached.provenance


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
@pytest.mark.parametrize("prompt", [models.PROMPT, "日", (5,)])
def test_results_survive_the_wire(any_bridge, name, parameters, prompt):
    analysis = REGISTRY[name]
    request = analysis.request(prompt, **parameters)
    result, _ = drain(analysis.run(LiveModel.of(any_bridge), request))
    back = decode(encode(result, exact=True))
    assert back.provenance == result.provenance
    assert back.next_tokens == result.next_tokens
    assert back.to_dataframe().equals(result.to_dataframe())
    encode(result)


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_requests_are_keys(name, parameters):
    request = REGISTRY[name].request
    assert hash(request((1, 2), **parameters)) == hash(request((1, 2), **parameters))


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_provenance_names_the_registered_analysis(gpt2, name, parameters):
    result, steps = drain(steps_of(gpt2, name, parameters))
    assert result.provenance.analysis == name
    assert set(parameters) <= set(result.provenance.parameters)
    assert steps[0].fraction == 0.0
    assert all(0 <= step.fraction <= 1 for step in steps)
