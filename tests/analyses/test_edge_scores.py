"""Edge scores equal TransformerLens's, and obey the identities of each method."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headscope.analyses.edge_scores import EDGE_METHODS
from headscope.analyses.prompt_pairs import Pair
from headscope.components import Component
from headscope.errors import PromptError, RequestError
from tests import edges as by_hand
from tests import models
from tests.analyses.studies import ANSWER, PAIRS, WRONG, recorded, scores

STEPS = 3


def difference(logits):
    return logits[0, -1, ANSWER] - logits[0, -1, WRONG]


@pytest.mark.parametrize("name", ["gpt2", "gpt2_processed"])
def test_a_gradient_on_the_corrupted_run_gives_the_scores_of_transformer_lens(request, name):
    from transformer_lens.tools.analysis.attribution_patching import (
        EdgeAttributionConfig,
        attribution_patch,
    )

    bridge = request.getfixturevalue(name)
    found, study = scores(bridge, method="eap_ig_inputs", ig_steps=1)
    expected = np.zeros_like(found)
    for pair in PAIRS:
        result = attribution_patch(
            bridge, torch.tensor([pair.clean]), torch.tensor([pair.corrupted]), difference,
            EdgeAttributionConfig(granularity="edge"),
        )  # fmt: skip
        for (writer, reader), score in result.edge_scores.items():
            row = by_hand.index(study.edges.writers, writer)
            column = by_hand.index(study.edges.readers, reader)
            expected[row, column] += score / len(PAIRS)
    assert abs(found - expected).max() < 1e-6 < 0.1 < abs(found).max()


def slopes(bridge, ids, shift):
    """By hand: d metric / d (the embedding, each head's z, each MLP's output), by hook name."""
    names = ["blocks.0.hook_resid_pre"]
    names += [f"blocks.{layer}.{part}" for layer in range(models.N_LAYERS)
              for part in ("attn.hook_z", "hook_mlp_out")]  # fmt: skip
    zeros = {}

    def leaf(x, hook, name):
        zeros[name] = torch.zeros_like(x, requires_grad=True)
        return x + shift.get(name, 0) + zeros[name]

    hooks = [(n, lambda x, hook, n=n: leaf(x, hook, n)) for n in names]
    hooks += [(n, lambda x, hook, n=n: x + shift[n]) for n in shift if n not in names]
    metric = difference(bridge.run_with_hooks(torch.tensor([ids]), fwd_hooks=hooks))
    return dict(zip(names, torch.autograd.grad(metric, [zeros[n] for n in names]), strict=True))


def points(bridge, method, clean, corrupted):
    """By hand: where the method takes its gradients, as (weight, what is added by hook name)."""
    names = ["blocks.0.hook_resid_pre"]
    names += [f"blocks.{layer}.hook_{part}_out" for layer in range(models.N_LAYERS)
              for part in ("attn", "mlp")]  # fmt: skip
    ends = (by_hand.look(bridge, ids, names) for ids in (clean, corrupted))
    change = {name: a - b for name, a, b in zip(names, *ends, strict=True)}
    if method == "eap":
        return [(1, {})]
    if method == "clean_corrupted":
        return [(0.5, {}), (0.5, {names[0]: -change[names[0]]})]
    if method == "eap_ig_inputs":
        return [(1 / STEPS, {names[0]: (k / STEPS - 1) * change[names[0]]}) for k in range(STEPS)]
    weight = 1 / (STEPS * len(names))
    return [(weight, {n: (k / STEPS - 1) * change[n]}) for n in names for k in range(1, STEPS + 1)]


@pytest.mark.parametrize("method", [m for m in EDGE_METHODS if m != "flow_routes"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "neox", "gemma2"])
def test_a_components_edges_sum_to_its_own_attribution(request, name, method):
    """Its change times the metric's gradient with respect to its output, at the method's points."""
    bridge = request.getfixturevalue(name)
    pair = PAIRS[0]
    found, study = scores(bridge, [pair], method=method, ig_steps=STEPS)
    slope: dict = {}
    for weight, shift in points(bridge, method, pair.clean, pair.corrupted):
        for hook, value in slopes(bridge, pair.clean, shift).items():
            slope[hook] = slope.get(hook, 0) + weight * value[0]
    for row, writer in enumerate(study.edges.writers):
        if writer.kind == "head" and name == "gemma2":
            continue  # behind the norm of all heads a head's own output is not what it writes
        (clean,), (corrupted,) = (
            by_hand.look(bridge, ids, [writer.hook]) for ids in (pair.clean, pair.corrupted)
        )
        each = (clean - corrupted) * slope[writer.hook]
        expected = float(each.sum() if writer.head is None else each[:, writer.head].sum())
        assert found[row].sum() == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_integrated_gradients_are_complete(request, name):
    """The embedding's edges sum to metric(clean) - metric(corrupted), ever closer."""
    bridge = request.getfixturevalue(name)
    sums = []
    for steps in (16, 32):
        found, study = scores(bridge, PAIRS[:1], method="eap_ig_inputs", ig_steps=steps)
        sums.append(float(found[0].sum()))
    whole = float(study.base_metric[0] - study.source_metric[0])
    assert sums[1] == pytest.approx(whole, rel=0.06)
    # The left rule's error halves with the step; what is left without it goes with its square.
    assert 2 * sums[1] - sums[0] == pytest.approx(whole, rel=1e-2)


def test_they_depend_on_no_batch_and_no_padding(gpt2):
    together, _ = scores(gpt2, ig_steps=2)
    alone = [scores(gpt2, [pair], ig_steps=2)[0] for pair in PAIRS]
    assert np.allclose(together, np.mean(alone, 0), atol=1e-6)
    twice, _ = scores(gpt2, [*PAIRS, *PAIRS], ig_steps=2)
    assert np.allclose(together, twice, atol=1e-6)


@pytest.mark.parametrize("ablation", ["zero", "mean", "mean_position"])
def test_other_ablations_change_what_writers_are_ablated_to(gpt2, ablation):
    pairs = PAIRS[:2] if ablation == "mean_position" else PAIRS
    found, study = scores(gpt2, pairs, method="eap", ablation=ablation)
    name = "blocks.1.hook_mlp_out"
    own = [by_hand.look(gpt2, pair.clean, [name])[0] for pair in pairs]
    reference = {
        "zero": lambda: 0.0,
        "mean": lambda: torch.cat(own).mean(0),
        "mean_position": lambda: torch.stack(own).mean(0),
    }[ablation]()
    row = study.edges.writers.index(Component("mlp", 1))
    expected = sum(
        float(((x - reference) * slopes(gpt2, pair.clean, {})[name][0]).sum())
        for x, pair in zip(own, pairs, strict=True)
    ) / len(pairs)
    assert found[row].sum() == pytest.approx(expected, abs=1e-5)


def test_an_answer_of_several_tokens_counts_each(gpt2):
    """The sum of log p(token) has the sum of the scores of its terms."""
    clean, corrupted, answer = (3, 5, 9, 13), (3, 17, 9, 40), (7, 30)
    metric = {"method": "eap", "metric": "log_prob"}
    found, _ = scores(gpt2, [Pair(clean, corrupted, answer)], **metric)
    first, _ = scores(gpt2, [Pair(clean, corrupted, 7)], **metric)
    second, _ = scores(gpt2, [Pair((*clean, 7), (*corrupted, 7), 30)], **metric)
    assert np.allclose(found, first + second, atol=1e-6)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"method": "acdc"}, "no method 'acdc'"),
        ({"ablation": "noise"}, "no ablation 'noise'"),
        ({"pairs": ()}, "no prompt pair"),
        ({"ig_steps": 0}, "ig_steps is 0"),
        ({"metric": "rank"}, "no gradient"),
        ({"method": "clean_corrupted", "ablation": "zero"}, "no corrupted run"),
        ({"pairs": [Pair((3, 5, 9), (3, 5), 7, 11)]}, "3 tokens, the corrupted one 2"),
        ({"pairs": [Pair((3, 5, 9), None, 7, 11)]}, "no corrupted prompt"),
        ({"ablation": "mean_position"}, "differ in length"),
    ],
)
def test_what_has_no_scores_is_refused(gpt2, request_, why):
    with pytest.raises((RequestError, PromptError), match=why):
        scores(gpt2, **request_)


def test_the_model_is_left_as_it_was(gpt2):
    flags = dict(gpt2.cfg.__dict__)
    study = recorded(gpt2)
    half = study.score()
    next(half)
    half.close()
    assert gpt2.cfg.__dict__ == flags
    assert all(p.grad is None for p in gpt2.parameters())
    assert not any(point.fwd_hooks or point.bwd_hooks for point in gpt2.hook_dict.values())
