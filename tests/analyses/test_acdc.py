"""ACDC's circuit is that of a search by hand, one edge after the other."""

from __future__ import annotations

import numpy as np
import pytest

from headscope.analyses.acdc import Acdc
from headscope.analyses.circuit_choice import pruned
from headscope.analyses.circuit_discovery import CircuitDiscoveryRequest, run
from headscope.analyses.circuit_run import CircuitRunner
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import RequestError
from headscope.jobs import Job
from headscope.model.live import LiveModel
from tests.analyses.steps import drain
from tests.analyses.studies import PAIRS, finish, recorded
from tests.analyses.test_left_as_found import state_of


def brute_force(study, tau, metric):
    """Conmy et al., algorithm 1: every edge by itself, whether anything hangs on it or not.

    That a circuit's run is what it should be is proved by hand in `test_circuit_run`.
    """
    runner = CircuitRunner(study)

    def run_alone(kept):
        return float(finish(runner.fresh(kept[None]))[0].mean())

    kept = study.edges.possible.copy()
    worse = 1 if metric == "kl" else -1
    now = run_alone(kept)
    for reader in reversed(range(kept.shape[1])):
        for writer in reversed(range(kept.shape[0])):
            if not kept[writer, reader]:
                continue
            kept[writer, reader] = False
            without = run_alone(kept)
            if worse * (without - now) < tau:
                now = without
            else:
                kept[writer, reader] = True
    return kept


@pytest.mark.parametrize(
    ("name", "metric", "tau"),
    [("gpt2", "logit_diff", 0.02), ("gpt2", "kl", 0.003), ("llama", "logit_diff", 0.02)],
)
def test_it_equals_brute_force(request, name, metric, tau):
    bridge = request.getfixturevalue(name)
    study = recorded(bridge, PAIRS[:1], metric=metric)
    found, seen = drain(
        run(LiveModel.of(bridge), CircuitDiscoveryRequest(
            PAIRS[:1], method="eap_ig_inputs", metric=metric, rule="acdc", least=tau))
    )  # fmt: skip
    expected = brute_force(study, tau, metric)
    assert 0 < expected.sum() < study.edges.possible.sum()
    assert (found.edges.kept == pruned(study.edges, expected)[study.edges.possible]).all()
    assert [step.fraction for step in seen] == sorted(step.fraction for step in seen)
    losses = found["acdc"]
    assert not np.isnan(losses).any()
    worst = losses if metric != "kl" else -losses
    assert (worst[found.edges.kept.astype(bool)] >= tau).all()
    assert found.pruning.rule == "acdc"
    assert found.pruning.value == tau


def test_what_it_has_when_cancelled_is_kept(gpt2, monkeypatch):
    monkeypatch.setattr("headscope.analyses.circuit_discovery._PARTIAL_S", 0.0)
    before = state_of(gpt2)
    job = Job(run(LiveModel.of(gpt2), CircuitDiscoveryRequest(
        PAIRS[:1], method="eap", rule="acdc", least=0.02)))  # fmt: skip
    while job.fraction < 0.6 and not job.ended:
        job.advance(0)
        assert state_of(gpt2) == before
    job.cancel()
    job.advance(0)
    assert job.state == "cancelled"
    losses = job.partial["acdc"]
    assert 0 < np.isnan(losses).sum() < len(losses)
    assert job.partial.edges.kept[np.isnan(losses)].any()  # not tried: still there
    assert state_of(gpt2) == before


def test_it_does_not_depend_on_what_is_tried_together(gpt2, monkeypatch):
    study = recorded(gpt2, PAIRS[:1])
    found = []
    for together in (1, 32):
        monkeypatch.setattr("headscope.analyses.acdc._MOST_TOGETHER", together)
        search = Acdc(CircuitRunner(study), study.edges, 0.01, lower_is_better=False)
        finish(search.search())
        found.append(search.kept)
    assert (found[0] == found[1]).all()


def test_a_tau_of_zero_is_refused():
    with pytest.raises(RequestError, match="tau = 0"):
        CircuitDiscoveryRequest((Pair("a", "b"),), rule="acdc")
