"""What every analysis in the registry keeps to. A new one is picked up by its registry line."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import torch

import headscope as hs
from headscope.analyses import REGISTRY
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import HeadscopeError, ResultError
from headscope.jobs import Job, Step
from headscope.model import LiveModel
from headscope.wire import decode, encode
from headscope.wire.codec import KINDS
from tests.analyses.test_left_as_found import state_of
from tests.unit.test_wire import assert_same

PROMPT = "the cat sat on the mat the cat"
CORRUPTED = "the dog sat on the mat the dog"

pytestmark = pytest.mark.parametrize("name", sorted(REGISTRY))


@pytest.fixture(params=["gpt2", "llama"])
def model(request: pytest.FixtureRequest) -> LiveModel:
    live = LiveModel.of(request.getfixturevalue(request.param))
    live.open_runs().clear()  # so that every step does its work
    with torch.no_grad():
        live.bridge("the cat")  # the bridge wires its own capture hooks in its first run
    return live


#: Analyses of one prompt that run it many times.
SEVERAL_RUNS = ("generation", "layer_robustness", "prediction_effect", "self_repair", "stages")
#: Fields with which an analysis ends soon.
FEW: dict[str, Any] = {"generation": {"n_tokens": 6}}


#: Analyses that are of something else than a prompt, by the first field of their request: the
#: request's fields, with a prompt in them.
OTHERS: dict[str, Any] = {
    "of": lambda prompt: {"of": hs.Means([prompt], ["the dog"])},
    "examples": lambda prompt: {
        "examples": ((prompt, "the cat"), ("dog", "the dog"), ("mat", "the mat")),
        "queries": (("sat", "the cat"), ("on", "the mat")),
        "template": "{x} saw {y} ",
        "shots": 2,
        "shuffles": 2,
    },
}


def takes_other(name: str) -> bool:
    return dataclasses.fields(REGISTRY[name].request)[0].name in OTHERS


def takes_pairs(name: str) -> bool:
    (first, *_) = dataclasses.fields(REGISTRY[name].request)
    assert first.name in ("prompt", "pairs", *OTHERS)
    return first.name == "pairs"


def request_of(name: str, prompt: Any = PROMPT) -> Any:
    if takes_other(name):
        (first, *_) = dataclasses.fields(REGISTRY[name].request)
        return REGISTRY[name].request(**OTHERS[first.name](prompt))
    given = (Pair(prompt, CORRUPTED, " mat", " dog"),) if takes_pairs(name) else prompt
    return REGISTRY[name].request(given, **FEW.get(name, {}))


def steps(name: str, model: LiveModel, prompt: Any = PROMPT) -> Any:
    return REGISTRY[name].run(model, request_of(name, prompt))


def finished(name: str, model: LiveModel) -> Any:
    job: Job[Any] = Job(steps(name, model))
    job.advance()
    assert job.error is None, job.error
    return job.result


def test_requests_are_frozen_hashable_data(name: str) -> None:
    request = request_of(name)
    assert hash(request) == hash(request_of(name))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(request, dataclasses.fields(request)[0].name, "other")


def test_the_result_is_of_a_known_kind_and_survives_the_wire(
    name: str, model: LiveModel, tmp_path: Any
) -> None:
    result = finished(name, model)
    assert type(result) in KINDS.values()
    header = json.loads(json.dumps(encode(result)["header"], allow_nan=False))
    assert header["kind"] == result.result_kind
    assert_same(decode(encode(result, "exact")), result)
    assert_same(hs.load_result(result.save(tmp_path / "result")), result)


def test_provenance_is_enough_to_run_it_again(name: str, model: LiveModel) -> None:
    provenance = finished(name, model).provenance
    assert provenance.analysis == name
    assert (provenance.model, provenance.architecture) == (model.name, model.architecture)
    assert (provenance.dtype, provenance.device) == ("float32", "cpu")
    assert provenance.sign.endswith(".")
    assert provenance.normalisation.endswith(".")
    assert {"headscope", "torch", "transformer_lens", "transformers"} <= set(provenance.versions)
    prompt, *others = provenance.prompts
    if takes_other(name):
        assert hs.rerun(provenance, model).provenance.prompts == provenance.prompts
        return
    assert [other.text for other in others] == [CORRUPTED] * takes_pairs(name)
    assert prompt.text == PROMPT
    assert len(prompt.tokens) == len(prompt.token_ids)
    assert list(prompt.token_ids) == model.bridge.to_tokens(PROMPT)[0].tolist()
    again: Job[Any] = Job(steps(name, model, prompt.token_ids))
    again.advance()
    assert again.result is not None
    assert again.result.provenance.prompts[0].token_ids == prompt.token_ids


def test_provenance_names_the_hooks_that_acted(name: str, model: LiveModel) -> None:
    assert finished(name, model).provenance.user_hooks == ()
    model.bridge.add_hook("blocks.1.hook_in", lambda t, hook: t)
    try:
        assert finished(name, model).provenance.user_hooks == ("blocks.1.hook_in",)
        running = steps(name, model)
        next(running)  # nothing has run before the first step
        job: Job[Any] = Job(running)
        job.advance(0)
        model.bridge.reset_hooks()  # in a cell, while the rest is still to be done
        job.advance()
        if (
            takes_pairs(name) or takes_other(name) or name in SEVERAL_RUNS
        ):  # which would be of two models
            assert isinstance(job.error, ResultError)
            assert "weights or hooks have changed" in str(job.error)
        else:
            assert job.result is not None
            assert job.result.provenance.user_hooks == ("blocks.1.hook_in",)
    finally:
        model.bridge.reset_hooks()


def test_progress_never_falls(name: str, model: LiveModel) -> None:
    seen = list(steps(name, model))
    assert seen
    assert all(isinstance(step, Step) and 0 <= step.fraction <= 1 for step in seen)
    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions)
    assert all(step.message for step in seen)


def test_it_can_be_cancelled_at_every_step(name: str, model: LiveModel) -> None:
    for taken in range(len(list(steps(name, model))) + 1):
        model.open_runs().clear()
        before = state_of(model.bridge)
        job: Job[Any] = Job(steps(name, model))
        for _ in range(taken):
            job.advance(0)
            assert state_of(model.bridge) == before, "a pause must leave nothing behind"
        job.cancel()
        job.advance(0)
        assert job.state == "cancelled"
        assert state_of(model.bridge) == before


def test_the_model_is_left_as_found_after_success_and_error(name: str, model: LiveModel) -> None:
    before = state_of(model.bridge)
    finished(name, model)
    assert state_of(model.bridge) == before
    model.open_runs().clear()
    broken = model.bridge.blocks[1].mlp.original_component
    broken.forward = _run_out_of_memory
    try:
        job: Job[Any] = Job(steps(name, model))
        job.advance()
    finally:
        del broken.forward
    assert isinstance(job.error, MemoryError)
    assert state_of(model.bridge) == before


def _run_out_of_memory(*_args: Any, **_kwargs: Any) -> None:
    raise MemoryError


@pytest.mark.parametrize("prompt", ["", [], "the " * 100, [0, 10**6]])
def test_prompts_that_cannot_run_are_refused_in_one_line(
    name: str, model: LiveModel, prompt: Any
) -> None:
    with pytest.raises(HeadscopeError) as refusal:
        list(steps(name, model, prompt if isinstance(prompt, str) else tuple(prompt)))
    assert refusal.value.hint
    assert "\n" not in str(refusal.value)
