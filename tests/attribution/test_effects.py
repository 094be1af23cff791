"""Edges are what an intervention does in the frozen model, and they add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from headscope.model.live import LiveModel
from tests.attribution.linear import LinearModel, attributed
from tests.attribution.transcoders import random_transcoders
from tests.conftest import FAMILIES
from tests.models import D_MODEL, N_LAYERS, PROMPT

READS = {"mlp.hook_in": "mlp.hook_in", "hook_resid_mid": "ln2.hook_in",
         "ln2.hook_normalized": "ln2.hook_normalized"}  # fmt: skip


def transcoders(**kind: Any) -> Any:
    return random_transcoders(N_LAYERS, D_MODEL, 40, **kind)


KINDS = {
    "topk": {},
    "relu, skip": {"activation": "relu", "skip": True},
    "jump_relu, cross-layer": {"activation": "jump_relu", "cross": True},
    "topk, cross-layer, skip": {"cross": True, "skip": True},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reads", READS)
def test_effects_and_biases_sum_to_activations(every_bridge: Any, kind: str, reads: str) -> None:
    if reads == "hook_resid_mid" and LiveModel.of(every_bridge).layout.parallel:
        pytest.skip("its MLPs read no stream of their own")
    of = transcoders(reads=reads, **KINDS[kind])
    study, found = attributed(every_bridge, transcoders=of, max_nodes=10**6)
    last = study.replacement.units[-1].position == study.run.n_tokens - 1
    expected = sum(map(len, study.replacement.units[:-1])) + int(last.sum())
    assert len(found.rows) == expected + len(study.targets.ids)
    assert found.error < 1e-4


@pytest.mark.parametrize("most", [30, 10**6])
def test_they_do_with_neurons_too(every_bridge: Any, most: int) -> None:
    study, found = attributed(every_bridge, max_nodes=most)
    assert found.error < 1e-4
    if most == 10**6:  # no neuron is left to the errors
        errors = torch.cat([study.replacement.error_columns(i) for i in range(N_LAYERS)])
        assert np.abs(found.matrix[:, errors]).max() < 1e-5


def writes(study: Any, column: int) -> dict[str, torch.Tensor]:
    """What a source writes, by hook, `[1, position, d_model]`."""
    replacement, run = study.replacement, study.run
    found: dict[str, torch.Tensor] = {}
    if column < run.n_tokens:
        where = torch.zeros(1, run.n_tokens, D_MODEL)
        where[0, column] = run.streams[0][column]
        return {"blocks.0.hook_in": where}
    layer = max(i for i in range(N_LAYERS) if replacement.starts[i] <= column)
    inside = column - replacement.starts[layer]
    position = sum(inside >= bound for bound in replacement._bounds[layer][1:])
    for to_layer in range(layer, N_LAYERS):
        if (layer, to_layer) in replacement.writes:
            where = torch.zeros(1, run.n_tokens, D_MODEL)
            where[0, position] = replacement.writes[layer, to_layer][inside]
            found[f"blocks.{to_layer}.hook_mlp_out"] = where
    return found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["topk", "jump_relu, cross-layer"])
def test_an_edge_is_what_taking_the_source_away_does(
    request: pytest.FixtureRequest, family: str, kind: str
) -> None:
    bridge = request.getfixturevalue(family)
    of = transcoders(**KINDS[kind])
    study, found = attributed(bridge, transcoders=of, max_nodes=10**6)
    linear = LinearModel(bridge, study.prompt.token_ids)
    draw, moving = np.random.default_rng(0), 0
    targets = len(study.targets.ids)
    unembed = study.model.read_out().unembedding.float()
    for column in draw.choice(study.replacement.n_columns, 12, replace=False):
        taken = {name: -value for name, value in writes(study, int(column)).items()}
        lost = np.zeros(len(found.rows), np.float32)
        logits = linear.reads("unembed.hook_in", {}) - linear.reads("unembed.hook_in", taken)
        values = logits[-1] @ unembed
        lost[:targets] = (values[list(study.targets.ids)] - values.mean()).numpy()
        for layer in range(N_LAYERS):
            hook = of.reads(bridge, layer)
            read = linear.reads(hook, {}) - linear.reads(hook, taken)
            units = study.replacement.units[layer]
            effect = (of[layer].encoder(units.index) * read[units.position]).sum(-1)
            for row, value in zip(study.replacement.columns(layer), effect, strict=True):
                lost[found.rows == int(row)] = value
        expected = found.matrix[:, column]
        assert np.abs(lost - expected).max() < 1e-4 * max(np.abs(expected).max(), 1)
        moving += np.abs(expected).max() > 1e-2
    assert moving >= 6  # what is written last matters at the last position only


def test_units_that_do_not_fit_are_those_with_the_least_influence(gpt2: Any) -> None:
    of = transcoders()
    study, whole = attributed(gpt2, transcoders=of, max_nodes=10**6)
    _, part = attributed(gpt2, transcoders=of, max_nodes=10)
    n = len(study.targets.ids)
    sizes = np.abs(whole.matrix[:n])
    influence = (study.targets.weights / sizes.sum(1)) @ sizes
    units = np.concatenate([study.replacement.columns(i).numpy() for i in range(N_LAYERS)])
    best = units[np.argsort(-influence[units])[:10]]
    assert set(part.rows[n:]) == set(best)
    place = {int(row): i for i, row in enumerate(whole.rows)}
    rows = whole.matrix[[place[int(row)] for row in part.rows]]
    assert np.allclose(part.matrix, rows, atol=1e-5)


def test_targets_are_logits_less_their_mean_or_less_another(llama: Any) -> None:
    logits = llama(llama.to_tokens(PROMPT))[0, -1].detach()
    study, _ = attributed(llama, max_nodes=5, most_targets=3, target_share=1.0)
    assert study.targets.ids == tuple(logits.topk(3).indices.tolist())
    assert torch.allclose(study.targets.values, logits.topk(3).values - logits.mean(), atol=1e-5)
    assert np.allclose(study.targets.weights, logits.softmax(-1).topk(3).values, atol=1e-6)
    few, _ = attributed(llama, max_nodes=5, target_share=float(study.targets.weights[0]) * 1.01)
    assert len(few.targets.ids) == 2
    versus, _ = attributed(llama, max_nodes=5, targets=(" cat", " mat"), wrong=" dog")
    ids = [study.model.token_id(word) for word in (" cat", " mat", " dog")]
    assert torch.allclose(versus.targets.values, logits[ids[:2]] - logits[ids[2]], atol=1e-5)
    assert list(versus.targets.weights) == [1, 1]
