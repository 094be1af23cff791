"""Circuits run as by hand, reader after reader; the whole is faithful and nothing is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from headscope.analyses import path_patching
from headscope.analyses.circuit_choice import greedy, pruned, threshold, top_n
from headscope.analyses.circuit_run import FRACTIONS, CircuitRunner, Curve
from headscope.analyses.path_study import PathPatchingRequest
from headscope.analyses.prompt_pairs import Pair
from headscope.components import Component, Layout
from headscope.errors import RequestError
from headscope.model import circuit_runs, memory
from headscope.model.edges import EdgeMap
from headscope.model.live import LiveModel
from headscope.results import FaithfulnessPoint
from tests import edges as by_hand
from tests import models
from tests.analyses.steps import result_of
from tests.analyses.studies import ANSWER, PAIRS, WRONG, finish, recorded, scores


def metrics(runner, *circuits):
    """`[circuit, pair]`"""
    return finish(runner.metrics(circuits))[0]


def some(edges, share, seed):
    """A random circuit."""
    return edges.possible & (np.random.default_rng(seed).random(edges.possible.shape) < share)


def metric_of(bridge, stream):
    """The metric at the last position of a last stream."""
    with torch.no_grad():
        logits = bridge.unembed(bridge.ln_final(stream[None]))
        logits = bridge.adapter.apply_output_logits_transform(logits)[0, -1]
    return float(logits[ANSWER] - logits[WRONG])


@pytest.mark.parametrize(
    ("name", "ablation"),
    [("gpt2", "patch"), ("llama", "patch"), ("neox", "patch"), ("gemma2", "patch"),
     ("llama_processed", "zero"), ("gemma2", "zero"), ("gpt2", "mean"), ("gemma2", "mean")],
)  # fmt: skip
def test_a_circuit_equals_one_by_hand(request, name, ablation):
    bridge = request.getfixturevalue(name)
    study = recorded(bridge, ablation=ablation)
    plain = [by_hand.plain_run(bridge, pair.clean)[0] for pair in PAIRS]
    mean = torch.cat(plain, 1).mean(1, keepdim=True)
    kept = some(study.edges, 0.6, seed=3)
    found = metrics(CircuitRunner(study), some(study.edges, 0.2, seed=4), kept)[1]
    for i in (1, 2):
        ablated = {
            "patch": by_hand.plain_run(bridge, PAIRS[i].corrupted)[0],
            "zero": torch.zeros_like(plain[i]),
            "mean": mean.expand_as(plain[i]),
        }[ablation]
        stream = by_hand.circuit(study.wiring, PAIRS[i].clean, kept, ablated)
        assert found[i] == pytest.approx(metric_of(bridge, stream), abs=1e-4)


def test_circuits_equal_those_of_transformer_lens(gpt2):
    from transformer_lens.tools.analysis.attribution_patching import (
        EdgeAttributionConfig,
        attribution_patch,
        faithfulness,
    )

    def difference(logits):
        return logits[0, -1, ANSWER] - logits[0, -1, WRONG]

    clean, corrupted = torch.tensor([PAIRS[0].clean]), torch.tensor([PAIRS[0].corrupted])
    every = attribution_patch(
        gpt2, clean, corrupted, difference, EdgeAttributionConfig(granularity="edge")
    ).edge_scores
    study = recorded(gpt2, PAIRS[:1])
    runner = CircuitRunner(study)
    for seed, share in ((0, 0.3), (1, 0.8)):
        kept = some(study.edges, share, seed)
        circuit = [
            (writer, reader) for writer, reader in every
            if kept[by_hand.index(study.edges.writers, writer),
                    by_hand.index(study.edges.readers, reader)]
        ]  # fmt: skip
        theirs = faithfulness(gpt2, clean, corrupted, difference, circuit)
        values = metrics(runner, study.edges.possible, runner.empty, kept)[:, 0]
        assert values[0] == pytest.approx(theirs.full_metric, abs=1e-5)
        assert values[1] == pytest.approx(theirs.corrupt_metric, abs=1e-5)
        ours = (values[2] - values[1]) / (values[0] - values[1])
        assert ours == pytest.approx(theirs.recovered, rel=1e-3)


def test_the_whole_is_the_clean_run_and_nothing_the_corrupted_one(every_bridge):
    study = recorded(every_bridge)
    runner = CircuitRunner(study)
    full, empty = metrics(runner, runner.full, runner.empty)
    assert full == pytest.approx(study.base_metric, abs=1e-4)
    assert empty == pytest.approx(study.source_metric, abs=1e-4)
    points, fractions = finish(runner.faithfulness([runner.empty, runner.full]))
    assert [point.faithfulness for point in points] == [0.0, 1.0]  # exactly
    assert [point.kept for point in points] == [0, study.edges.possible.sum()]
    assert fractions == sorted(fractions)


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox", "gemma2"])
def test_an_exact_edge_is_one_readers_view_changed(request, name):
    bridge = request.getfixturevalue(name)
    study = recorded(bridge, PAIRS[:1])
    edges, (pair, *_) = study.edges, PAIRS
    clean, corrupted = (by_hand.plain_run(bridge, i)[0] for i in (pair.clean, pair.corrupted))
    wanted = [
        (0, edges.readers.index(Component("mlp", 0))),
        (2, len(edges.readers) - 1),
        (0, edges.columns(2, "q").start + 1),
        (5, edges.columns(2, "k").start + 1),
        (9, edges.columns(2, "v").start + 1),
    ]
    lost = finish(CircuitRunner(study).exact(wanted))[0]
    for (writer, reader), value in zip(wanted, lost, strict=True):
        step = corrupted[writer] - clean[writer]
        logits = by_hand.view_changed(study.wiring, pair.clean, edges.readers[reader], step)[-1]
        without = float(logits[ANSWER] - logits[WRONG])
        assert value == pytest.approx(float(study.base_metric[0]) - without, abs=2e-5)
    assert np.abs(lost).max() > 1e-3
    with pytest.raises(RequestError, match="no edge"):
        finish(CircuitRunner(study).exact([(len(edges.writers) - 1, 0)]))


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_exact_edges_are_direct_paths(request, name):
    """To every receiver of one sender, MLPs held."""
    bridge = request.getfixturevalue(name)
    study = recorded(bridge, PAIRS[:1])
    edges = study.edges
    writer = edges.writers.index(Component("mlp", 0))
    readers = np.flatnonzero(edges.possible[writer])
    lost = finish(CircuitRunner(study).exact([(writer, int(reader)) for reader in readers]))[0]
    asked = PathPatchingRequest((PAIRS[0],), sender="MLP0", direction="noising")
    table = result_of(path_patching.run(LiveModel.of(bridge), asked)).to_dataframe()
    theirs = {
        f"{row.layer_label}{row.receiver_label}".replace("MLP", "").replace("L2logits", "logits"):
        row.metric for row in table.dropna(subset="metric").itertuples()
    }  # fmt: skip
    assert len(theirs) == len(readers)
    for reader, value in zip(readers, lost, strict=True):
        without = theirs[str(edges.readers[reader]).replace("MLP", "L")]
        assert float(study.base_metric[0]) - without == pytest.approx(value, abs=1e-5)


def test_memory_decides_only_how_many_run_at_once(llama, monkeypatch):
    study = recorded(llama)
    circuits = [some(study.edges, 0.5, seed) for seed in range(4)]
    together = metrics(CircuitRunner(study), *circuits)
    monkeypatch.setattr(circuit_runs, "_BYTES", 1)
    alone = metrics(CircuitRunner(study), *circuits)
    assert np.allclose(together, alone, atol=1e-5)
    assert len({tuple(row) for row in together.tolist()}) == 4


def test_a_circuit_that_does_not_fit_is_refused_before_it_runs(gpt2, monkeypatch):
    study = recorded(gpt2)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 10_000)
    with pytest.raises(RequestError, match=r"A circuit of \S+ on \d+ tokens needs"):
        CircuitRunner(study)


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_in_half_precision_it_is_the_same_within_rounding(tokenizer, name):
    make = {"gpt2": models.hf_gpt2, "llama": models.hf_llama}[name]
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        values, study = scores(models.bridge(make(), tokenizer, dtype=dtype), method="eap")
        runner = CircuitRunner(study)
        full, empty = metrics(runner, runner.full, runner.empty)
        assert full == pytest.approx(study.base_metric, abs=0.1)
        assert empty == pytest.approx(study.source_metric, abs=0.1)
        found.append(values)
    assert np.abs(found[0] - found[1]).max() < 0.1 * np.abs(found[0]).max()


def test_several_tokens_of_an_answer_are_one_metric(gpt2):
    pair = Pair((3, 5, 9, 13), (3, 17, 9, 40), (7, 30))
    study = recorded(gpt2, [pair], metric="log_prob")
    full, empty = metrics(CircuitRunner(study), study.edges.possible, 0 * study.edges.possible > 0)
    assert full == pytest.approx(study.base_metric, abs=1e-5)
    assert empty == pytest.approx(study.source_metric, abs=1e-5)


# Choosing.

LAYOUTS = [Layout(3, 4, 4, False, True), Layout(2, 4, 2, False, True), Layout(2, 2, 2, True, True),
           Layout(2, 2, 1, False, False)]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("share", [0.02, 0.08, 0.3])
def test_what_is_left_after_pruning_lies_on_ways_from_the_tokens_to_the_logits(layout, share):
    """By hand: follow every edge, from the embedding upwards and from the logits downwards."""
    edges = EdgeMap(layout)
    kept = some(edges, share, seed=1)
    steps = [(edges.writers[w], edges.readers[r]) for w, r in np.argwhere(kept)]

    def serves(reader, writer):
        same = (reader.kind, reader.layer) == (writer.kind, writer.layer)
        if not same or reader.kind == "logits":
            return False
        shared = layout.n_heads // layout.n_kv_heads
        return writer.kind == "mlp" or (
            writer.head // shared == reader.kv_head
            if reader.kv_head is not None
            else writer.head == reader.head
        )

    fed, used = {Component("embed")}, {Component("logits")}
    for _ in range(2 * layout.n_layers + 2):
        fed |= {w for a, r in steps if a in fed for w in edges.writers if serves(r, w)}
        used |= {r for r in edges.readers for a, b in steps if b in used and serves(r, a)}
    expected = {(a, b) for a, b in steps if a in fed and b in used}
    left = pruned(edges, kept)
    assert {(edges.writers[w], edges.readers[r]) for w, r in np.argwhere(left)} == expected


def test_pruning_changes_no_patched_circuit(llama):
    study = recorded(llama)
    circuits = [some(study.edges, share, seed=2) for share in (0.05, 0.15, 0.4)]
    less = [pruned(study.edges, circuit) for circuit in circuits]
    assert all(a.sum() < b.sum() for a, b in zip(less, circuits, strict=True))
    values = metrics(CircuitRunner(study), *circuits, *less)
    assert np.allclose(values[:3], values[3:], atol=1e-5)


@pytest.mark.parametrize("signed", [True, False])
def test_the_best_edges_are_the_best(signed):
    edges = EdgeMap(LAYOUTS[0])
    values = np.random.default_rng(0).standard_normal(edges.possible.shape) * edges.possible
    rank = values if signed else np.abs(values)
    best = sorted(rank[edges.possible], reverse=True)
    for n in (0, 1, 17, 262, 1000):
        kept = top_n(edges, values, n, signed=signed)
        assert sorted(rank[kept], reverse=True) == best[:n]
    kept = threshold(edges, values, best[16], signed=signed)
    assert (kept == top_n(edges, values, 17, signed=signed)).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_greedy_takes_the_best_edge_into_the_circuit_each_time(layout):
    edges = EdgeMap(layout)
    values = np.random.default_rng(0).standard_normal(edges.possible.shape) * edges.possible
    kept = np.zeros_like(edges.possible)
    for n in itertools.count(1):
        into = edges.feeds @ kept.any(1)
        into[-1] = True
        choices = np.argwhere(edges.possible & into & ~kept)
        if not len(choices):
            break
        kept[tuple(max(choices, key=lambda e: abs(values[tuple(e)])))] = True
        assert (greedy(edges, values, n) == kept).all()
        used = edges.feeds @ kept.any(1)
        assert (~kept[:, :-1].any(0) | used[:-1]).all()  # nothing leads nowhere
    assert (kept == edges.possible).all()


# Curves.


def test_areas_are_those_of_trapezoids():
    heights = (0.0, 0.5, 1.5, 1.0)
    points = tuple(FaithfulnessPoint(0, 0, 0.0, f) for f in heights)
    curve = Curve((0.0, 0.2, 0.6, 1.0), points, 1.0, 0.0)
    assert curve.cpr == pytest.approx(0.2 * 0.25 + 0.4 * 1.0 + 0.4 * 1.25)
    assert curve.cmd == pytest.approx(0.2 * 0.75 + 0.4 * 0.5 + 0.4 * 0.25)


def test_a_curve_runs_ever_larger_circuits_of_the_best_edges(gpt2):
    found, study = scores(gpt2, method="eap_ig_inputs", ig_steps=5)
    runner = CircuitRunner(study)
    curve, _ = finish(runner.curve(found, signed=False))
    assert [p.requested for p in curve.points] == [int(x * 262) for x in FRACTIONS]
    assert curve.points[0].faithfulness == 0.0  # 0.1 % of 262 edges is none
    assert curve.points[-1].faithfulness == 1.0
    chosen = pruned(study.edges, top_n(study.edges, found, 131))
    by_itself = metrics(runner, chosen).mean()
    assert curve.points[-2].metric == pytest.approx(by_itself, abs=1e-6)
    assert curve.points[-2].kept == chosen.sum()
    rng = np.random.default_rng(0)
    worse = [finish(runner.curve(rng.permutation(found.ravel()).reshape(found.shape),
                                 signed=False))[0].cmd for _ in range(5)]  # fmt: skip
    assert curve.cmd < min(worse)


def test_nothing_to_be_faithful_to_is_refused(gpt2):
    study = recorded(gpt2, PAIRS[:1])
    runner = CircuitRunner(study)
    runner._study.edges.possible[:] = False
    with pytest.raises(RequestError, match="nothing to be faithful to"):
        finish(runner.faithfulness([runner.empty]))
