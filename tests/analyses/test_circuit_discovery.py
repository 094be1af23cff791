"""The graph shows what scores, choice and runs found."""

from __future__ import annotations

import numpy as np
import pytest

from headscope.analyses.circuit_choice import greedy, pruned, threshold, top_n
from headscope.analyses.circuit_discovery import CircuitDiscoveryRequest, run
from headscope.analyses.circuit_run import CircuitRunner
from headscope.components import Component
from headscope.errors import RequestError
from headscope.model.live import LiveModel
from tests.analyses.steps import drain, result_of
from tests.analyses.studies import PAIRS, finish, scores


def discovered(bridge, **request):
    return result_of(run(LiveModel.of(bridge), CircuitDiscoveryRequest(PAIRS, **request)))


@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize("rule", ["top_n", "greedy", "threshold"])
def test_every_edge_carries_its_score_and_whether_it_is_kept(request, name, rule):
    bridge = request.getfixturevalue(name)
    graph = discovered(bridge, rule=rule, n_edges=40, least=0.01, ig_steps=2, n_exact=5)
    found, study = scores(bridge, ig_steps=2)
    edges = study.edges
    chosen = {
        "top_n": lambda: top_n(edges, found, 40), "greedy": lambda: greedy(edges, found, 40),
        "threshold": lambda: threshold(edges, found, 0.01),
    }[rule]()  # fmt: skip
    kept = pruned(edges, chosen)
    table = graph.to_dataframe()
    assert len(table) == edges.possible.sum()
    runner = CircuitRunner(study)
    best = sorted(zip(*np.nonzero(kept), strict=True), key=lambda e: -abs(found[e]))[:5]
    exact = dict(zip(best, finish(runner.exact(best))[0], strict=True))
    for row in table.itertuples():
        writer = edges.writers.index(Component.parse(row.source))
        letter = f".{row.input}" if row.input else ""
        reader = edges.readers.index(Component.parse(row.target + letter))
        assert row.eap_ig_inputs == pytest.approx(found[writer, reader], abs=1e-6)
        assert row.kept == kept[writer, reader]
        if (writer, reader) in exact:
            assert row.exact == pytest.approx(exact[writer, reader], abs=1e-5)
        else:
            assert np.isnan(row.exact)
    points = {point.requested: point for point in graph.faithfulness}
    own = points[int(chosen.sum())]
    (expected,), _ = finish(runner.faithfulness([chosen]))
    assert own.kept == kept.sum()
    assert own.faithfulness == pytest.approx(expected.faithfulness, abs=1e-4)
    assert {term.label: term.value for term in graph.baselines} == pytest.approx(
        {"full": study.base_metric.mean(), "empty": study.source_metric.mean()}, abs=1e-4
    )


def test_the_graph_says_how_it_was_made(llama):
    graph, steps = drain(run(LiveModel.of(llama), CircuitDiscoveryRequest(PAIRS, method="eap")))
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert graph.provenance.parameters["method"] == "eap"
    assert len(graph.provenance.prompts) == 2 * len(PAIRS)
    assert "share each key-value head" in graph.provenance.notes[0]
    assert {"L1H3", "L1KV1"} <= set(graph.names)
    assert [measure.name for measure in graph.measures] == ["eap"]


def test_a_rule_that_is_none_is_refused():
    with pytest.raises(RequestError, match="no rule 'guess'"):
        CircuitDiscoveryRequest(PAIRS, rule="guess")
