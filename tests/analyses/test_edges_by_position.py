"""Edges by position: their scores sum to the plain ones, and circuits of them are really run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headscope.analyses import circuit_result
from headscope.analyses.circuit_choice import pruned
from headscope.analyses.circuit_discovery import CircuitDiscoveryRequest, run
from headscope.analyses.circuit_run import CircuitRunner
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import RequestError
from headscope.model import edge_gradients
from headscope.model.live import LiveModel
from tests import edges as by_hand
from tests.analyses.steps import result_of
from tests.analyses.studies import ANSWER, PAIRS, WRONG, finish, recorded, scores

EQUAL = PAIRS[:2]


def discovered(bridge, **request):
    asked = {"pairs": EQUAL, "positions": True, "ig_steps": 2, **request}
    return result_of(run(LiveModel.of(bridge), CircuitDiscoveryRequest(**asked)))


@pytest.mark.parametrize("method", ["eap", "eap_ig_inputs", "clean_corrupted"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2"])
def test_they_sum_to_the_plain_scores(request, monkeypatch, name, method):
    bridge = request.getfixturevalue(name)
    plain, _ = scores(bridge, EQUAL, method=method, ig_steps=2)
    monkeypatch.setattr(edge_gradients, "_BLOCK_BYTES", 2**14)  # several portions
    found, study = scores(bridge, EQUAL, method=method, ig_steps=2, positions=True)
    assert found.shape == (*plain.shape, 5)
    assert np.allclose(found.sum(-1), plain, atol=1e-6)
    assert (found[~study.edges.possible] == 0).all()
    same = [i for i in range(5) if all(pair.clean[i] == pair.corrupted[i] for pair in EQUAL)]
    assert (found[0, :, same] == 0).all()  # where nothing changes the embedding sends nothing
    assert (abs(found).sum((0, 1)) > 0).sum() == 4  # from the first change on


def test_circuits_that_are_alike_at_all_positions_are_those_of_components(every_bridge):
    study, plain = recorded(every_bridge, EQUAL, positions=True), recorded(every_bridge, EQUAL)
    runner = CircuitRunner(study)
    some = np.random.default_rng(3).random(plain.edges.possible.shape) < 0.6
    spread = np.repeat(some[..., None], 5, -1)
    values, _ = finish(runner.metrics([runner.full, runner.empty, spread]))
    expected, _ = finish(CircuitRunner(plain).metrics([some]))
    assert values[0] == pytest.approx(study.base_metric, abs=1e-4)
    assert values[1] == pytest.approx(study.source_metric, abs=1e-4)
    assert values[2] == pytest.approx(expected[0], abs=1e-4)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_an_exact_edge_is_what_its_reader_loses_at_one_position(request, name):
    bridge = request.getfixturevalue(name)
    pair = EQUAL[0]
    study = recorded(bridge, [pair], positions=True)
    clean, corrupted = (by_hand.plain_run(bridge, ids)[0] for ids in (pair.clean, pair.corrupted))
    plain = by_hand.run(bridge, pair.clean)
    edges = study.edges
    rng = np.random.default_rng(0)
    every = np.argwhere(edges.possible)
    chosen = [tuple(edge) for edge in rng.permutation(every)[:25].tolist()]
    lost, _ = finish(CircuitRunner(study).exact(chosen))
    for (writer, reader, position), value in zip(chosen, lost, strict=True):
        step = torch.zeros_like(clean[writer])
        step[position] = (corrupted - clean)[writer, position]
        moved = by_hand.view_changed(study.wiring, pair.clean, edges.readers[reader], step)
        change = (plain - moved)[-1]
        assert value == pytest.approx(float(change[ANSWER] - change[WRONG]), abs=1e-4)
    assert abs(lost).max() > 1e-3


def test_what_dangles_leads_nowhere_at_its_position(llama):
    """As by following paths edge by edge."""
    edges = recorded(llama, EQUAL, positions=True).edges
    kept = edges.possible & (np.random.default_rng(1).random(edges.possible.shape) < 0.1)
    members = list(zip(*(i.tolist() for i in np.nonzero(kept)), strict=True))

    def leads(edge, other):
        """Whether what `edge` brings can be in what `other` takes along."""
        (_, reader, at), (writer, _, later) = edge, other
        reaches = at <= later if edges.readers[reader].input in ("k", "v") else at == later
        return edges.feeds[reader, writer] and reaches

    while True:
        left = [
            edge for edge in members
            if (edge[0] == 0 or any(leads(other, edge) for other in members))
            and (edge[1] == len(edges.readers) - 1 or any(leads(edge, other) for other in members))
        ]  # fmt: skip
        if len(left) == len(members):
            break
        members = left
    found = pruned(edges, kept)
    assert 0 < len(members) < kept.sum()
    assert sorted(members) == sorted(zip(*(i.tolist() for i in np.nonzero(found)), strict=True))


def test_a_graph_has_nodes_at_positions_and_says_how_many_edges_there_are(llama, monkeypatch):
    monkeypatch.setattr(circuit_result, "MOST_EDGES", 150)
    graph = discovered(llama, n_edges=60, n_exact=3)
    found, study = scores(llama, EQUAL, ig_steps=2, positions=True)
    assert len(graph.edges) == 150 < graph.edges_in_all == study.edges.possible.sum()
    assert len(graph.nodes) < graph.nodes_in_all
    assert "logits@4" in graph.names
    assert "L0KV0@1" in graph.names
    where = circuit_result.places(study.edges, graph)
    assert np.allclose(graph["eap_ig_inputs"], found[where], atol=1e-6)
    assert abs(graph["eap_ig_inputs"]).min() >= np.sort(abs(found), axis=None)[-150] - 1e-6
    exact = ~np.isnan(graph["exact"])
    lost, _ = finish(
        CircuitRunner(study).exact([tuple(int(i[e]) for i in where) for e in np.flatnonzero(exact)])
    )
    assert exact.sum() == 3
    assert graph["exact"][exact] == pytest.approx(lost, abs=1e-5)
    # Without what leads nowhere: in the last block all but what the logits are read from.
    assert graph.faithfulness[-1].kept < graph.edges_in_all
    assert graph.faithfulness[-1].faithfulness == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"pairs": PAIRS}, "differ in length"),
        ({"pairs": (Pair((3, 5, 9), (3, 6, 9), (7, 30), (11, 2)),)}, "answer of several tokens"),
        ({"method": "flow_routes"}, "no edges by position"),
        ({"rule": "greedy"}, "chooses no edges by position"),
        ({"rule": "acdc", "least": 0.1}, "chooses no edges by position"),
    ],
)
def test_what_has_no_positions_is_refused(gpt2, request_, why):
    with pytest.raises(RequestError, match=why):
        discovered(gpt2, **request_)
