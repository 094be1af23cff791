"""Neurons in the place of their MLP: sums, differences, runs by hand, and the ends of circuits."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from headscope.analyses import circuit_result
from headscope.analyses.circuit_discovery import CircuitDiscoveryRequest, run
from headscope.analyses.circuit_run import CircuitRunner
from headscope.components import Component
from headscope.errors import ModelError, RequestError, ResultError
from headscope.model import memory
from headscope.model.edges import Wiring
from headscope.model.layout import layout
from headscope.model.live import LiveModel
from tests import edges as by_hand
from tests import models
from tests.analyses.steps import result_of
from tests.analyses.studies import ANSWER, PAIRS, WRONG, finish, recorded, scores
from tests.analyses.test_circuit_run import metric_of

FAMILIES = ["gpt2", "llama", "neox", "gemma2", "gpt2_processed"]
#: Step and tolerance. Llama and Gemma round their norms to float32 whatever dtype they have.
STEPS = {"gpt2": (1e-3, 1e-6), "neox": (1e-3, 1e-6), "llama": (3e-2, 2e-5), "gemma2": (3e-2, 2e-5)}


def at(components, *wanted):
    return [components.index(one) for one in wanted]


@pytest.mark.parametrize(
    ("name", "method"),
    [*((name, "eap_ig_inputs") for name in FAMILIES), ("llama", "eap_ig_activations")],
)
def test_what_neurons_send_sums_to_what_their_mlp_sends(request, name, method):
    """And all that has no neuron at an end is as it was."""
    bridge = request.getfixturevalue(name)
    plain, before = scores(bridge, method=method, ig_steps=2)
    found, study = scores(bridge, method=method, ig_steps=2, neurons=(0, 1))
    edges, old = study.edges, before.edges
    readers = [r for r in edges.readers if r.kind != "neuron"]
    here, there = at(edges.readers, *readers), at(old.readers, *readers)
    for layer in (0, 1):
        summed = found[edges.rows(layer)].sum(0)
        own = plain[old.writers.index(Component("mlp", layer))]
        assert summed[here] == pytest.approx(own[there], abs=2e-6)
        assert abs(own).max() > 1e-3
    others = [w for w in edges.writers if w.kind != "neuron"]
    rows, old_rows = at(edges.writers, *others), at(old.writers, *others)
    assert np.allclose(found[np.ix_(rows, here)], plain[np.ix_(old_rows, there)], atol=1e-6)
    assert (found[~edges.possible] == 0).all()
    assert study.edges.feeds.sum(0)[edges.rows(1)].tolist() == [1] * edges.neurons[1]


@pytest.mark.parametrize(
    ("name", "ablation"),
    [*((name, "patch") for name in FAMILIES[:4]), ("gpt2", "mean"), ("gemma2", "mean")],
)
def test_a_layers_neurons_together_are_its_mlp(request, name, ablation):
    """In circuits in which they are kept together; nothing and everything are exactly 0 and 1."""
    bridge = request.getfixturevalue(name)
    old = recorded(bridge, ablation=ablation)
    study = recorded(bridge, ablation=ablation, neurons=(0, 2))
    runner, edges = CircuitRunner(study), study.edges
    rng = np.random.default_rng(5)
    plain = old.edges.possible & (rng.random(old.edges.possible.shape) < 0.5)

    def node(component):
        return Component("mlp", component.layer) if component.kind == "neuron" else component

    rows = at(old.edges.writers, *map(node, edges.writers))
    columns = at(old.edges.readers, *map(node, edges.readers))
    spread = plain[np.ix_(rows, columns)]
    found = finish(runner.metrics([runner.full, runner.empty, spread]))[0]
    before = CircuitRunner(old)
    expected = finish(before.metrics([before.full, before.empty, plain]))[0]
    assert found == pytest.approx(expected, abs=1e-4)
    points, _ = finish(runner.faithfulness([runner.empty, runner.full]))
    assert [point.faithfulness for point in points] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("name", "ablation"), [*((name, "patch") for name in FAMILIES[:4]), ("gpt2", "zero")]
)
def test_any_circuit_equals_one_by_hand(request, name, ablation):
    bridge = request.getfixturevalue(name)
    study = recorded(bridge, PAIRS[:1], neurons=(0, 1), ablation=ablation)
    edges, rng = study.edges, np.random.default_rng(2)
    kept = edges.possible & (rng.random(edges.possible.shape) < 0.4)
    kept[edges.rows(0), : edges.columns(1, None).stop] |= (
        rng.random(edges.neurons[0])[:, None] < 0.8
    )
    kept &= edges.possible
    found = finish(CircuitRunner(study).metrics([study.edges.possible, kept]))[0][1, 0]
    ablated, _ = by_hand.plain_run(bridge, PAIRS[0].corrupted, edges.neurons)
    ablated = 0 * ablated if ablation == "zero" else ablated
    stream = by_hand.circuit(study.wiring, PAIRS[0].clean, kept, ablated)
    assert found == pytest.approx(metric_of(bridge, stream), abs=1e-4)
    assert abs(found - study.base_metric[0]) > 1e-2


def some_edges(edges, rng):
    """Of every kind with a neuron at an end."""
    neurons = [edges.rows(0), edges.rows(1)]
    into = [edges.columns(0, None), edges.columns(1, None)]
    readers = [*(edges.columns(1, letter) for letter in "qkv"), edges.columns(2, None)]
    pairs = [*((neurons[0], reader) for reader in readers), (neurons[0], into[1]),
             (slice(0, 1), into[0]), (slice(1, neurons[0].start), into[1]),
             (neurons[1], slice(len(edges.readers) - 1, len(edges.readers)))]  # fmt: skip
    return [tuple(int(rng.integers(end.start, end.stop)) for end in pair)
            for pair in pairs for _ in range(3)]  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_scores_are_slopes_and_exact_values_differences_by_hand(tokenizer, name):
    """One reader's view moved, in float64."""
    bridge = models.bridge(getattr(models, f"hf_{name}")(), tokenizer, dtype=torch.float64)
    found, study = scores(bridge, PAIRS[:1], method="eap", neurons=(0, 1))
    edges, pair = study.edges, PAIRS[0]
    chosen = some_edges(edges, np.random.default_rng(4))
    clean, corrupted = (by_hand.plain_run(bridge, ids, edges.neurons)[0]
                        for ids in (pair.clean, pair.corrupted))  # fmt: skip
    lost, _ = finish(CircuitRunner(study).exact(chosen))
    for (writer, reader), exact in zip(chosen, lost, strict=True):
        step, (eps, bound) = clean[writer] - corrupted[writer], STEPS[name]

        def metric(by, step=step, reader=reader):
            moved = by_hand.view_changed(study.wiring, pair.clean, edges.readers[reader], by * step)
            return float(moved[-1, ANSWER] - moved[-1, WRONG])

        slope = (metric(eps) - metric(-eps)) / (2 * eps)
        assert found[writer, reader] == pytest.approx(slope, rel=5e-3, abs=bound)
        assert exact == pytest.approx(metric(0) - metric(-1), abs=1e-5)
    assert np.abs(lost).max() > 1e-3


def test_a_graph_has_neurons_for_nodes(llama, monkeypatch, tmp_path):
    monkeypatch.setattr(circuit_result, "MOST_EDGES", 900)
    asked = CircuitDiscoveryRequest(PAIRS, ig_steps=2, neurons=(1,), n_edges=300)
    graph = result_of(run(LiveModel.of(llama), asked))
    found, study = scores(llama, ig_steps=2, neurons=(1,))
    where = circuit_result.places(study.edges, graph)
    assert len(graph.edges) == 900 < graph.edges_in_all == study.edges.possible.sum()
    assert np.allclose(graph["eap_ig_inputs"], found[where], atol=1e-6)
    neurons = [name for name in graph.names if re.fullmatch(r"L1N\d+", name)]
    assert len(neurons) > 10
    assert "MLP1" not in graph.names
    assert graph.faithfulness[-1].faithfulness == 1.0
    kept = graph.to_dataframe().query("kept")
    assert (kept.source.isin(neurons) | kept.target.isin(neurons)).any()
    assert graph.provenance.parameters["neurons"] == "[1]"
    with pytest.raises(ResultError, match=r"no place for L1N\d+"):
        graph.save_json(tmp_path / "graph.json")


@pytest.mark.parametrize("rule", ["greedy", "acdc"])
def test_every_rule_chooses_among_edges_of_neurons(llama, rule):
    asked = CircuitDiscoveryRequest(PAIRS[:1], method="eap", neurons=(2,), rule=rule, n_edges=20,
                                    least=0.05)  # fmt: skip
    graph = result_of(run(LiveModel.of(llama), asked))
    assert 0 < graph.edges.kept.sum() < len(graph.edges)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"positions": True}, "not told apart by position"),
        ({"method": "flow_routes"}, "not told apart in flow routes"),
        ({"neurons": (0, 3)}, "There is no layer 3"),
    ],
)
def test_what_has_no_neurons_is_refused(gpt2, fields, why):
    with pytest.raises(RequestError, match=why):
        recorded(gpt2, PAIRS[:1], **{"neurons": (0,), **fields})


def test_more_than_fits_is_refused_before_anything_is_made(gpt2, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 10_000_000)
    with pytest.raises(RequestError, match=r"384 neurons of 3 layers needs about .* fewer layers"):
        recorded(gpt2, PAIRS[:1], neurons=(0, 1, 2))


def test_a_model_whose_neurons_do_something_else_is_refused(gpt2):
    wiring = Wiring(gpt2, layout(gpt2), (0, 1))
    point = gpt2.hook_dict["blocks.1.mlp.hook_in"]
    point.add_hook(lambda x, hook: x * torch.arange(1, 1 + x.shape[1])[:, None])
    try:
        with pytest.raises(ModelError, match="in block 1 neurons do not read"):
            wiring.check(torch.tensor([PAIRS[0].clean]))
    finally:
        point.remove_hooks("fwd")
