"""Edges and circuits of a model with interventions, against that model by hand."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import REGISTRY
from headscope.analyses.circuit_result import places
from headscope.analyses.intervened import under
from headscope.analyses.rerun import request_of
from headscope.components import Component
from headscope.jobs.steps import drained
from headscope.model import LiveModel
from headscope.model.edges import EdgeMap, Wiring
from headscope.model.intervening import plan
from tests import edges as by_hand
from tests import models
from tests.analyses.studies import ANSWER, PAIRS, WRONG
from tests.analyses.test_circuit_run import metric_of
from tests.analyses.test_edge_scores import STEPS, difference, points, slopes
from tests.analyses.test_left_as_found import state_of
from tests.model.test_flow_routes import naive

NONE = hs.Interventions()
IDS = (3, 8, 9, 13, 44)
LISTS = {
    "head": NONE.zero("L1H2"),
    "mlp": NONE.scale("MLP1", 2.5),
    "stream": NONE.steer(1, hs.Vector([0.4, -0.3] * (models.D_MODEL // 2)), 3.0, positions=[2, -1]),
    "edge": NONE.knock_out("L1H0", None, 1).knock_out("L2", -1, 0),
    "inputs": NONE.zero("L2H1.q").scale("L1.v", 1.7),
    "inner": NONE.clamp("L1N3", 4.0).mean("L0H1", [IDS]).patch("L1H3", IDS),
}
TOGETHER = LISTS["head"] + LISTS["stream"] + LISTS["edge"] + LISTS["inputs"]


def discovery(bridge: Any, changes: Any = None, pairs: Any = PAIRS[:1], **options: Any) -> Any:
    widget = hs.CircuitDiscovery(bridge, list(pairs), interventions=changes, **options)
    widget.run()
    return widget


def edges_of(bridge: Any) -> EdgeMap:
    return EdgeMap(LiveModel.of(bridge).layout)


def matrix(bridge: Any, graph: Any, name: str | None = None) -> Any:
    """A measure of a graph, `[writer, reader]`."""
    edges = edges_of(bridge)
    found = np.zeros(edges.possible.shape)
    found[places(edges, graph)] = graph.measures[0].values if name is None else graph[name]
    return found


def kept_in(bridge: Any, graph: Any) -> Any:
    edges = edges_of(bridge)
    kept = np.zeros(edges.possible.shape, bool)
    kept[places(edges, graph)] = graph.edges.kept.astype(bool)
    return kept


@pytest.mark.parametrize("name", LISTS)
def test_scores_are_those_of_transformer_lens_on_the_changed_model(gpt2: Any, name: str) -> None:
    """Every edge, by another implementation of which only the interventions are ours."""
    from transformer_lens.tools.analysis.attribution_patching import (
        EdgeAttributionConfig,
        attribution_patch,
    )

    widget = discovery(gpt2, LISTS[name], ig_steps=1)
    found, edges = matrix(gpt2, widget.result), edges_of(gpt2)
    expected = np.zeros_like(found)
    with LISTS[name].applied(gpt2):
        theirs = attribution_patch(
            gpt2, torch.tensor([PAIRS[0].clean]), torch.tensor([PAIRS[0].corrupted]), difference,
            EdgeAttributionConfig(granularity="edge"),
        )  # fmt: skip
    for (writer, reader), score in theirs.edge_scores.items():
        row, column = by_hand.index(edges.writers, writer), by_hand.index(edges.readers, reader)
        expected[row, column] += score
    assert abs(found - expected).max() < 2e-5 < 0.1 < abs(found).max()
    assert abs(found - matrix(gpt2, widget.effects["without"])).max() > 1e-3
    widget.close()


@pytest.mark.parametrize(
    ("method", "changes"),
    [("eap_ig_inputs", of) for of in LISTS] + [("eap", "inner"), ("eap_ig_activations", "stream")],
)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_components_edges_sum_to_its_attribution_in_the_changed_model(
    request: Any, name: str, changes: str, method: Any
) -> None:
    bridge, pair = request.getfixturevalue(name), PAIRS[0]
    widget = discovery(bridge, LISTS[changes], method=method, ig_steps=STEPS)
    found = matrix(bridge, widget.result)
    slope: dict[str, Any] = {}
    with LISTS[changes].applied(bridge):
        for weight, shift in points(bridge, method, pair.clean, pair.corrupted):
            for hook, value in slopes(bridge, pair.clean, shift).items():
                slope[hook] = slope.get(hook, 0) + weight * value[0]
        for row, writer in enumerate(edges_of(bridge).writers):
            (clean,), (corrupted,) = (
                by_hand.look(bridge, ids, [writer.hook]) for ids in (pair.clean, pair.corrupted)
            )
            each = (clean - corrupted) * slope[writer.hook]
            expected = float(each.sum() if writer.head is None else each[:, writer.head].sum())
            assert found[row].sum() == pytest.approx(expected, abs=1e-4)
    widget.close()


@pytest.mark.parametrize("changes", LISTS)
@pytest.mark.parametrize("hf", [models.hf_gpt2, models.hf_llama])
def test_an_edges_score_is_a_difference_quotient_in_the_changed_model(
    tokenizer: Any, hf: Any, changes: str
) -> None:
    """One reader alone reads the stream with a little of the writer's change in it."""
    bridge, pair = models.bridge(hf(), tokenizer, dtype=torch.float64), PAIRS[0]
    small = 1e-4 if hf is models.hf_gpt2 else 3e-3  # Llama rounds norms and rotations to float32
    widget = discovery(bridge, LISTS[changes], method="eap")
    found, edges = matrix(bridge, widget.result), edges_of(bridge)
    wiring, seen = Wiring(bridge, edges.layout), 0
    with LISTS[changes].applied(bridge):
        ends = [by_hand.plain_run(bridge, ids)[0] for ids in (pair.clean, pair.corrupted)]
        change = ends[0] - ends[1]
        for row, writer in enumerate(edges.writers):
            for column, reader in enumerate(edges.readers):
                if not edges.possible[row, column] or (row + column) % 11:
                    continue
                up, down = (
                    by_hand.view_changed(wiring, pair.clean, reader, step * change[row])
                    for step in (small, -small)
                )
                moved = (up - down)[-1] / (2 * small)
                expected = float(moved[ANSWER] - moved[WRONG])
                seen += 1
                assert found[row, column] == pytest.approx(expected, abs=2e-3, rel=2e-2), (
                    f"{writer} -> {reader}"
                )
    assert seen > 15
    widget.close()


@pytest.mark.parametrize(
    ("method", "changes"), [("eap_ig_inputs", of) for of in LISTS] + [("eap", "head")]
)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_circuit_of_the_changed_model_equals_one_by_hand(
    request: Any, name: str, changes: str, method: Any
) -> None:
    """Its metric, its faithfulness, and what one edge is worth."""
    bridge, pair = request.getfixturevalue(name), PAIRS[0]
    # Without any writer a stream of Llama's is nothing but rounding, which its norm makes large.
    ablation = "zero" if (name, method) == ("gpt2", "eap") else "patch"
    widget = discovery(
        bridge, LISTS[changes], method=method, ig_steps=2, n_edges=40, ablation=ablation
    )
    graph, edges = widget.result, edges_of(bridge)
    kept, wiring = kept_in(bridge, graph), Wiring(bridge, edges.layout)
    outcome = widget.circuit()
    edge = int(np.abs(graph.measures[0].values).argmax())
    ends = graph.names[graph.edges.source[edge]], graph.names[graph.edges.target[edge]]
    lost = widget.exact_edge(*ends, graph.edge_label(edge).partition(" -> ")[2].partition(".")[2])
    without = edges.possible.copy()
    without[tuple(int(index[edge]) for index in places(edges, graph))] = False
    with LISTS[changes].applied(bridge):
        ablated = by_hand.plain_run(bridge, pair.corrupted)[0]
        ablated = ablated if ablation == "patch" else torch.zeros_like(ablated)

        def metric(circuit: Any) -> float:
            return metric_of(bridge, by_hand.circuit(wiring, pair.clean, circuit, ablated))

        full, empty, own = map(metric, (edges.possible, edges.possible & False, kept))
        logits = by_hand.run(bridge, pair.clean)[-1]
        assert full == pytest.approx(float(logits[ANSWER] - logits[WRONG]), abs=1e-4)
        assert lost == pytest.approx(full - metric(without), abs=2e-4)
        rest = metric(edges.possible & ~kept)
    assert [term.value for term in graph.baselines] == pytest.approx([full, empty], abs=2e-4)
    assert outcome.metric == pytest.approx(own, abs=2e-4)
    whole = full - empty
    assert outcome.faithfulness * whole == pytest.approx(own - empty, abs=4e-4)
    assert outcome.completeness * whole == pytest.approx(rest - empty, abs=4e-4)
    (point,) = (point for point in widget.result.faithfulness if point.by == "rule")
    assert point.faithfulness == pytest.approx(outcome.faithfulness, abs=1e-4)
    widget.close()


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
@pytest.mark.parametrize(
    ("changes", "factors"),
    [(NONE.zero("L1H2"), {(1, 2): 0}), (NONE.scale("L1H1", 2.5).zero("MLP0"), {(1, 1): 2.5}),
     (LISTS["stream"], {}), (LISTS["edge"], {}), (LISTS["inputs"], {})],
)  # fmt: skip
def test_flow_routes_of_the_changed_model_equal_a_plain_implementation(
    request: Any, name: str, changes: Any, factors: Any
) -> None:
    bridge = request.getfixturevalue(name)
    cut = hs.Pair(PAIRS[0].clean[:4], PAIRS[0].corrupted[:4], ANSWER, WRONG)
    widget = discovery(bridge, changes, [cut], method="flow_routes")

    class Study:
        edges = edges_of(bridge)

    with changes.applied(bridge):
        expected = naive(bridge, Study, cut.clean, factors)
    assert np.allclose(matrix(bridge, widget.result), expected, atol=1e-5)
    assert not np.allclose(matrix(bridge, widget.effects["without"]), expected, atol=1e-3)
    widget.close()


@pytest.mark.parametrize(
    "options",
    [{"rule": "acdc", "least": 0.05}, {"positions": True}, {"neurons": [1], "method": "eap"},
     {"rule": "greedy", "method": "clean_corrupted"}, {"ablation": "mean", "n_exact": 3},
     {"method": "flow_routes"}, {"method": "eap_ig_activations", "metric": "kl"}],
)  # fmt: skip
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_every_route_is_that_of_the_model_under_hooks(
    request: Any, name: str, options: Any
) -> None:
    """In which the analysis knows of hooks of the user's, and of no interventions."""
    bridge = request.getfixturevalue(name)
    before = state_of(bridge)
    widget = discovery(bridge, TOGETHER, **options)
    found = widget.result
    assert state_of(bridge) == before
    with TOGETHER.applied(bridge):
        analysis = REGISTRY[found.provenance.analysis]
        expected = drained(analysis.run(LiveModel.of(bridge), request_of(found.provenance)))
    assert found.names == expected.names
    for mine, its in zip(found.measures, expected.measures, strict=True):
        np.testing.assert_allclose(mine.values, its.values, rtol=1e-4, atol=1e-5)
    assert (found.edges.kept == expected.edges.kept).all()
    assert [p.metric for p in found.faithfulness] == pytest.approx(
        [p.metric for p in expected.faithfulness], abs=1e-4
    )
    assert len(found.provenance.interventions) == len([*TOGETHER])
    assert found.provenance.user_hooks == ()
    widget.close()


def test_both_circuits_are_there_and_neither_touches_the_other(gpt2: Any, llama: Any) -> None:
    for bridge in (gpt2, llama):
        before = state_of(bridge)
        plain = discovery(bridge)
        scores, kept = matrix(bridge, plain.result), kept_in(bridge, plain.result)
        acting = discovery(bridge, LISTS["head"].scale("MLP1", 2.5))
        assert [*acting.effects] == ["with", "without"]
        np.testing.assert_array_equal(matrix(bridge, acting.effects["without"]), scores)
        ends = plain.result.names[0], "MLP1"
        worth = plain.exact_edge(*ends)
        changed = acting.exact_edge(*ends)
        assert abs(worth - changed) > 1e-4
        assert plain.exact_edge(*ends) == pytest.approx(worth, abs=1e-6)
        assert "exact" in [measure.name for measure in acting.result.measures]
        assert "exact" not in [measure.name for measure in acting.effects["without"].measures]
        acting.effect = "without"
        assert acting.exact_edge(*ends) == pytest.approx(worth, abs=1e-6)
        assert acting.circuit({"edges": 30}).metric == pytest.approx(
            plain.circuit({"edges": 30}).metric, abs=1e-6
        )
        acting.effect = "with"
        assert acting.exact_edge(*ends) == pytest.approx(changed, abs=1e-6)
        curve, losses = acting.curve()[0], acting.minimality({"edges": 10})
        assert curve.points[-1].metric == pytest.approx(acting.result.baselines[0].value, abs=1e-6)
        for (source, target, letter), loss in [*losses.items()][:2]:
            assert np.isfinite(loss), (source, target, letter)
        np.testing.assert_array_equal(matrix(bridge, plain.run()), scores)
        np.testing.assert_array_equal(kept_in(bridge, plain.result), kept)
        off = discovery(bridge, LISTS["head"].changed(0, on=False))
        np.testing.assert_array_equal(matrix(bridge, off.result), scores)
        assert off.effects["with"] is off.effects["without"]
        assert state_of(bridge) == before
        with pytest.raises(hs.RequestError, match="CircuitDiscovery shows no difference"):
            acting.effect = "difference"
        for widget in (plain, acting, off):
            widget.close()


def test_the_model_is_plain_between_steps_and_after_a_stop(gpt2: Any) -> None:
    before, live = state_of(gpt2), LiveModel.of(gpt2)
    for analysis, more in (
        ("circuit_discovery", {"ig_steps": 2, "rule": "acdc", "least": 0.2}),
        ("path_patching", {"receivers": "L2H1.q"}),
    ):
        request = REGISTRY[analysis].request(PAIRS[:1], **more)
        chosen, steps = plan(gpt2, LISTS["edge"] + LISTS["stream"]), 0
        for stop in range(0, 60, 6):
            with closing(under(chosen, REGISTRY[analysis].run(live, request))) as running:
                for _, _ in zip(range(stop), running, strict=False):
                    steps += 1
                    assert state_of(gpt2) == before
            assert state_of(gpt2) == before
        assert steps > 20


@pytest.mark.parametrize(
    ("changes", "says", "options"),
    [(NONE.swap(0, 1), "every layer once", {}), (NONE.skip(1), "every layer once", {}),
     (NONE.repeat(1), "every layer once", {}),
     (NONE.scale("L1.resid_pre", 2.0), "a stream that is the sum", {}),
     (NONE.patch("L1.resid_mid", IDS), "a stream that is the sum", {}),
     (NONE.zero("L0.resid_post"), "a stream that is the sum", {}),
     (NONE.skip(1, "attn"), "between single heads", {}),
     (NONE.clamp("L1F3", 2.0), "no features", {}),
     (NONE.zero("MLP1"), "neurons of that MLP", {"neurons": [1]}),
     (NONE.skip(1, "mlp"), "neurons of that MLP", {"neurons": [1]}),
     (NONE.mean("L1H0", [IDS]), "flow routes cannot", {"method": "flow_routes"})],
)  # fmt: skip
def test_what_leaves_no_edges_is_refused(gpt2: Any, changes: Any, says: str, options: Any) -> None:
    before = state_of(gpt2)
    widget = hs.CircuitDiscovery(gpt2, [PAIRS[0]], interventions=changes, **options)
    with pytest.raises(hs.RequestError, match=says):
        widget.run()
    request = REGISTRY["circuit_discovery"].request(PAIRS[:1], **_plain(options))
    if "features" not in says:
        with pytest.raises(hs.RequestError, match=says):
            drained(
                under(
                    plan(gpt2, changes),
                    REGISTRY["circuit_discovery"].run(LiveModel.of(gpt2), request),
                )
            )
    assert state_of(gpt2) == before
    widget.interventions = changes.changed(0, on=False)
    assert widget.result.provenance.interventions == ()
    widget.close()


def _plain(options: Any) -> Any:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in options.items()}


def test_the_embedding_can_be_changed_and_an_mlp_left_out(llama: Any) -> None:
    changes, pair = NONE.skip(1, "mlp").scale("embed", 0.5), PAIRS[0]
    widget = discovery(llama, changes, n_edges=40)
    graph, edges = widget.result, edges_of(llama)
    assert not matrix(llama, graph)[edges.writers.index(Component("mlp", 1))].any()
    with changes.applied(llama):
        ablated = by_hand.plain_run(llama, pair.corrupted)[0]
        wiring = Wiring(llama, edges.layout)
        stream = by_hand.circuit(wiring, pair.clean, kept_in(llama, graph), ablated)
    assert widget.circuit().metric == pytest.approx(metric_of(llama, stream), abs=2e-4)
    widget.close()
