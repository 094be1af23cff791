"""The graph says what was found, and refuses in one line what cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from headscope.analyses import attribution_result
from headscope.analyses.attribution_graph import AttributionRequest, run
from headscope.errors import HeadscopeError, ModelError, PromptError, RequestError, ResultError
from headscope.model import memory
from headscope.model.dictionaries import Transcoders
from headscope.model.live import LiveModel
from tests.attribution.linear import attributed, finish
from tests.attribution.transcoders import random_transcoders
from tests.models import D_MODEL, N_LAYERS, PROMPT

ALL = {"max_nodes": 10**6}


def graph_of(bridge: Any, prompt: Any = PROMPT, **fields: Any) -> Any:
    return finish(run(LiveModel.of(bridge), AttributionRequest(prompt, **fields)))


def transcoders(n_layers: int = N_LAYERS, width: int = D_MODEL, **kind: Any) -> Transcoders:
    return random_transcoders(n_layers, width, 40, **kind)


@pytest.mark.parametrize("cross", [False, True])
def test_edges_are_the_effects_between_named_nodes(gpt2: Any, cross: bool) -> None:
    of = transcoders(cross=cross)
    graph = graph_of(gpt2, transcoders=of, node_share=1.0, edge_share=1.0, **ALL)
    study, found = attributed(gpt2, transcoders=of, **ALL)
    names = [f"token@{i}" for i in range(study.run.n_tokens)]
    for layer, units in enumerate(study.replacement.units):
        for position in range(study.run.n_tokens):
            own = units.index[units.position == position].tolist()
            names += [f"L{layer}F{index}@{position}" for index in own]
            names.append(f"L{layer}error@{position}")
    row_names = [names[row] for row in found.rows[len(study.targets.ids) :]]
    last = study.run.n_tokens - 1
    row_names = [f"logit{i}@{last}" for i in study.targets.ids] + row_names
    place = {name: i for i, name in enumerate(row_names)}
    table = graph.to_dataframe()
    assert graph.edges_in_all == np.count_nonzero(found.matrix)
    influence = dict(zip(graph.names, graph.of_nodes("influence"), strict=True))
    leading = [name.startswith("logit") or influence[name] > 0 for name in row_names]
    assert len(table) == np.count_nonzero(found.matrix[leading])
    for edge in table.itertuples():
        expected = found.matrix[place[edge.target], names.index(edge.source)]
        assert edge.effect == pytest.approx(expected, abs=1e-6)
    activation = dict(zip(graph.names, graph.of_nodes("activation"), strict=True))
    inflow = dict(zip(graph.names, graph.of_nodes("inflow"), strict=True))
    for name, index in place.items():
        assert inflow[name] == pytest.approx(np.abs(found.matrix[index]).sum(), rel=1e-4)
    first = study.replacement.units[0]
    name = f"L0F{int(first.index[0])}@{int(first.position[0])}"
    assert activation[name] == pytest.approx(float(first.activation[0]))
    assert set(graph.texts.values()) == {study.model.token_text(i) for i in study.targets.ids}
    probability = graph.of_nodes("probability")[-len(study.targets.ids) :]
    assert np.allclose(probability, study.targets.probabilities)
    dead = {f"L{N_LAYERS - 1}F{f}@{p}" for p in range(last) for f in range(40)}
    assert not dead & set(graph.names)  # nothing that they write is read
    assert graph.nodes_in_all == len(graph.nodes) + len(dead & set(names))
    assert "L0error@0" not in graph.names  # what MLPs do at the first token is a bias


def test_the_edges_that_are_shipped_are_the_kept_ones_first(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = transcoders()
    whole = graph_of(gpt2, transcoders=of, edge_share=0.5, **ALL).to_dataframe()
    kept = whole[whole.kept]
    monkeypatch.setattr(attribution_result, "MOST_EDGES", len(kept) + 40)
    more = graph_of(gpt2, transcoders=of, edge_share=0.5, **ALL)
    table = more.to_dataframe()
    assert len(table) == len(kept) + 40 < more.edges_in_all
    assert {*zip(kept.source, kept.target, strict=True)} == {
        *zip(table[table.kept].source, table[table.kept].target, strict=True)
    }
    monkeypatch.setattr(attribution_result, "MOST_EDGES", 30)
    fewer = graph_of(gpt2, transcoders=of, edge_share=0.5, **ALL)
    assert len(fewer.edges) == fewer.edges.kept.sum() == 30


def test_a_budget_is_said(llama: Any) -> None:
    graph = graph_of(llama, max_nodes=20)
    assert sum(kind == "neuron" for kind in (node.kind for node in graph.nodes)) == 20
    assert graph.nodes_in_all > 1000
    assert any("20 of" in note and "left out" in note for note in graph.provenance.notes)
    assert any("within" in note for note in graph.provenance.notes)
    assert graph.provenance.parameters["units"] == "neurons"


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"max_nodes": 0}, RequestError, "max_nodes is 0"),
        ({"node_share": 1.5}, RequestError, "node_share"),
        ({"targets": (" cat", " cat")}, RequestError, "there twice"),
        ({"targets": (" cat",), "wrong": " cat"}, RequestError, "there twice"),
        ({"targets": ("no such word",)}, PromptError, "tokens, not one"),
        ({"transcoders": transcoders(2)}, ModelError, "2 layers"),
        ({"transcoders": transcoders(width=16)}, ModelError, "width 16"),
        ({"prompt": (0,)}, PromptError, "too short"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(
    gpt2: Any, fields: dict[str, Any], error: type[HeadscopeError], words: str
) -> None:
    with pytest.raises(error, match=words) as refusal:
        graph_of(gpt2, **{"prompt": PROMPT} | fields)
    assert refusal.value.hint
    assert "\n" not in str(refusal.value)


def test_nothing_active_is_refused(gpt2: Any) -> None:
    of = transcoders(activation="relu")
    dead = tuple(replace(layer, b_enc=torch.full((40,), -1e4)) for layer in of)
    with pytest.raises(RequestError, match="No features are active"):
        graph_of(gpt2, transcoders=replace(of, layers=dead))


def test_transcoders_before_a_norm_are_refused_where_one_follows(gemma2: Any) -> None:
    with pytest.raises(ModelError, match="a norm follows"):
        graph_of(gemma2, transcoders=transcoders(writes="mlp.hook_out"))


def test_memory_that_is_not_there_is_said_before_anything_is_traced(
    gpt2: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LiveModel.of(gpt2)
    graph_of(gpt2)  # the run is cached
    monkeypatch.setattr(memory, "free_bytes", lambda device: 100_000)
    with pytest.raises(RequestError, match="A graph of 1,000 neurons needs about"):
        finish(run(model, AttributionRequest(PROMPT)))


def test_a_stream_that_a_hook_of_the_users_changes_is_no_sum(gpt2: Any) -> None:
    gpt2.add_hook("blocks.1.hook_attn_out", lambda value, hook: 2 * value)
    try:
        with pytest.raises(ModelError, match="In block 1"):
            graph_of(gpt2)
    finally:
        gpt2.reset_hooks()


def test_weights_that_change_on_the_way_are_noticed(gpt2_dir: Any) -> None:
    import headscope as hs

    bridge = hs.load(gpt2_dir)
    steps = run(LiveModel.of(bridge), AttributionRequest(PROMPT))
    for _ in range(8):
        next(steps)
    with torch.no_grad():
        bridge.blocks[0].mlp.W_in.mul_(2.0)
    with pytest.raises(ResultError, match="weights changed"):
        finish(steps)
