"""Completeness and minimality are what runs by hand give, reader after reader."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headscope.analyses import circuit_run
from headscope.analyses.circuit_choice import pruned, top_n
from headscope.analyses.circuit_study import CircuitDiscoveryRequest, CircuitStudy
from headscope.model.live import LiveModel
from tests import edges as by_hand
from tests.analyses.studies import ANSWER, PAIRS, WRONG, finish

PAIR = PAIRS[0]


@pytest.fixture(params=["gpt2", "llama"])
def study(request):
    live = LiveModel.of(request.getfixturevalue(request.param))
    made = CircuitStudy(live, CircuitDiscoveryRequest((PAIR,), method="eap", n_edges=25))
    for part in (made.prepare, made.record, made.score, made.choose):
        for _ in made.on_one_model(part()):
            pass
    return made


@pytest.fixture
def metric(study):
    """The metric of a circuit, by hand."""
    bridge = study.model.bridge
    ablated = by_hand.plain_run(bridge, PAIR.corrupted)[0]

    def run(kept):
        stream = by_hand.circuit(study.wiring, PAIR.clean, kept, ablated)
        with torch.no_grad():
            logits = bridge.unembed(bridge.ln_final(stream[None]))
            logits = bridge.adapter.apply_output_logits_transform(logits)[0, -1]
        return float(logits[ANSWER] - logits[WRONG])

    return run


def test_completeness_is_what_the_rest_does_without_the_circuit(study, metric):
    possible, kept = study.edges.possible, study.kept
    outcome, _ = finish(study.outcome(study.chosen))
    full, empty = metric(possible), metric(np.zeros_like(possible))
    share = {
        name: (metric(circuit) - empty) / (full - empty)
        for name, circuit in (("circuit", kept), ("rest", possible & ~kept))
    }
    assert outcome.kept == kept.sum() > 0
    assert outcome.faithfulness == pytest.approx(share["circuit"], abs=1e-3)
    assert outcome.completeness == pytest.approx(share["rest"], abs=1e-3)


def test_minimality_is_what_the_circuit_loses_without_an_edge(study, metric, monkeypatch):
    monkeypatch.setattr(circuit_run, "_TOGETHER", 4)  # several portions
    kept = pruned(study.edges, top_n(study.edges, study.scores, 12))
    losses, fractions = finish(study.losses(kept))
    assert fractions == sorted(fractions)
    assert (np.isnan(losses) == ~kept).all()
    whole = metric(kept)
    for edge in zip(*np.nonzero(kept), strict=True):
        without = kept.copy()
        without[edge] = False
        assert losses[edge] == pytest.approx(whole - metric(without), abs=1e-4)


def test_what_is_remembered_of_circuits_is_bounded(study, monkeypatch):
    monkeypatch.setattr(circuit_run, "_MOST_KNOWN", 10)
    runner = study.runner
    edges = [tuple(edge) for edge in np.argwhere(study.kept).tolist()]
    assert len(edges) > 10
    first, _ = finish(runner.faithfulness([study.chosen]))
    finish(runner.exact(edges))
    assert len(runner._known) == 10
    again, _ = finish(runner.faithfulness([study.chosen]))
    assert again[0].faithfulness == pytest.approx(first[0].faithfulness, abs=1e-6)
    assert runner.ends == pytest.approx(
        (study.base_metric.mean(), study.source_metric.mean()), abs=1e-4
    )
