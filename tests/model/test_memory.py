"""What does not fit is refused beforehand, by an estimate that is never below what is allocated."""

from __future__ import annotations

import re
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from headscope.analyses import REGISTRY, activation_patching, attention, logit_lens
from headscope.analyses.activation_patching import ActivationPatchingRequest, Study
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import RequestError
from headscope.model import LiveModel, live, memory, patching
from tests import models
from tests.analyses.steps import result_of


class Allocations(TorchDispatchMode):
    """Counts the bytes of the storages that exist at once."""

    def __init__(self):
        super().__init__()
        self.sizes = {}
        self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {t.untyped_storage()._cdata for t in tensors((args, kwargs))}
        out = func(*args, **(kwargs or {}))
        for storage in [t.untyped_storage() for t in tensors(out)]:
            key = storage._cdata
            if key not in given and key not in self.sizes:
                self.sizes[key] = storage.nbytes()
                weakref.finalize(storage, self.sizes.pop, key, None)
        self.peak = max(self.peak, sum(self.sizes.values()))
        return out


def tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


#: What outweighs the rest: patterns, inner activations, the stream, the vocabulary.
CASES = {
    "gpt2 patterns": lambda: models.hf_gpt2(n_positions=700),
    "gpt2 inner": lambda: models.hf_gpt2(n_inner=4096),
    "gpt2 stream": lambda: models.hf_gpt2(n_embd=512),
    "gpt2 vocabulary": lambda: models.hf_gpt2(vocab_size=60_000),
    "llama patterns": lambda: models.hf_llama(max_position_embeddings=700),
    "llama inner": lambda: models.hf_llama(intermediate_size=4096),
    "llama stream": lambda: models.hf_llama(hidden_size=512),
    "llama vocabulary": lambda: models.hf_llama(vocab_size=60_000),
    "soft caps": models.hf_gemma2,
    "parallel blocks": models.hf_neox,
}
REQUESTS = [
    ("attention", {}),
    ("logit_lens", {"read_out": "all"}),
    ("logit_attribution", {"by": "component"}),
    ("logit_attribution", {"by": "source"}),
]


@pytest.fixture
def asked(monkeypatch):
    """What each forward pass is said to need, device to bytes."""
    needs = []
    monkeypatch.setattr(live, "refuse_if_too_large", lambda need, what: needs.append(need["cpu"]))
    return needs


def ratios(model, asked, requests):
    """Estimate over peak, of whole analyses on the longest prompt."""
    ids = tuple(5 + i % 50 for i in range(model.n_ctx))
    found = {}
    for name, parameters in requests:
        model.forget_runs()
        analysis = REGISTRY[name]
        with Allocations() as allocations:
            result_of(analysis.run(model, analysis.request(ids, **parameters)))
        found[(name, *parameters.values())] = asked.pop() / allocations.peak
    assert not asked
    return found


@pytest.mark.parametrize("case", CASES)
def test_estimates_are_above_the_peak_and_not_far(tokenizer, asked, case):
    model = LiveModel.of(models.bridge(CASES[case](), tokenizer))
    requests = REQUESTS[:-1] if case == "soft caps" else REQUESTS
    found = ratios(model, asked, requests)
    assert all(1 <= ratio <= 4 for ratio in found.values()), found


def test_half_precision_and_hooks_that_see_every_logit_are_counted(tokenizer, asked):
    bridge = models.bridge(models.hf_gpt2(vocab_size=60_000), tokenizer, dtype=torch.bfloat16)
    bridge.add_hook("blocks.0.hook_mlp_out", lambda t, hook: t)
    found = ratios(LiveModel.of(bridge), asked, REQUESTS[:2])
    assert all(1 <= ratio <= 4 for ratio in found.values()), found


@pytest.fixture
def faster_than_it_seemed(monkeypatch):
    """A machine of a given speed, which gets 20 times faster once it has been measured."""
    each, said = [2e-5], Study.forecast
    monkeypatch.setattr(patching.Work, "fixed", 24.0)
    monkeypatch.setattr(
        patching.Work, "predicted", lambda self, blocks, tokens: each[0] * (tokens + 24 * blocks)
    )

    def forecast(study):
        words = said(study)
        each[0] = 1e-6
        return words

    monkeypatch.setattr(Study, "forecast", forecast)


@pytest.mark.parametrize(
    "fields",
    [
        {"site": "resid_pre"}, {"site": "z", "grad_drop": True},
        {"site": "mlp_out", "estimate": False}, {"site": "q", "qk_fix": True},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("case", ["gpt2 inner", "llama patterns", "parallel blocks"])
@pytest.mark.usefixtures("faster_than_it_seemed")
def test_the_memory_that_patching_states_is_above_the_peak_and_not_far(tokenizer, case, fields):
    model = LiveModel.of(models.bridge(CASES[case](), tokenizer))
    ids = tuple(5 + i % 50 for i in range(60))
    pairs = tuple(Pair(ids, (*ids[:k], 77, *ids[k + 1 :]), 11, 22) for k in (3, 5, 7))
    study = Study(model, ActivationPatchingRequest(pairs, **fields))
    with Allocations() as allocations:
        result_of(activation_patching.steps(study))
    assert 1 <= study._peak / allocations.peak <= 6, "as stated before it ran"
    said = re.search(r"(\d+) MB at most", study.outlook())
    assert int(said[1]) == pytest.approx(study._peak / 1e6, abs=1)


@pytest.mark.parametrize(("name", "parameters"), REQUESTS)
def test_no_analysis_runs_what_does_not_fit(gpt2, monkeypatch, name, parameters):
    model = LiveModel.of(gpt2)
    model.forget_runs()
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)
    monkeypatch.setattr(gpt2, "run_with_hooks", None)
    request = REGISTRY[name].request(models.PROMPT, **parameters)
    with pytest.raises(RequestError, match=r"on 9 tokens needs about .* on cpu, .* are free\. Use"):
        result_of(REGISTRY[name].run(model, request))


def test_questions_that_run_the_model_are_refused_too(gpt2, monkeypatch):
    model = LiveModel.of(gpt2)
    model.forget_runs()
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)
    for ask in (
        lambda: attention.head_weights(model, "the cat", 1, 0),
        lambda: attention.mix(model, "the cat", "max"),
        lambda: logit_lens.cell(model, "the cat", 0, 0),
    ):
        with pytest.raises(RequestError, match="are free"):
            ask()


def test_each_device_is_asked_for_its_own(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", {"cpu": 100, "cuda:0": 10**10, "mps": None}.get)
    memory.refuse_if_too_large({"cuda:0": 10**9, "mps": 10**12, "cpu": 90}, "This")
    with pytest.raises(RequestError, match=r"^This needs about 20\.0 GB on cuda:0, 10\.0 GB"):
        memory.refuse_if_too_large({"cpu": 0, "cuda:0": 2 * 10**10}, "This")


def test_free_memory_is_known_on_the_cpu_and_not_guessed_elsewhere():
    assert memory.free_bytes("cpu") > 0
    assert memory.free_bytes("meta") is None
