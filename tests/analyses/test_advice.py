"""Where the obvious call is not possible, the line says what is; what is unusual is told."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

import headscope as hs
from headscope.analyses import tracer_file
from headscope.analyses.prompt_pairs import pairs_of
from tests.attribution.transcoders import random_transcoders

CLEAN, CORRUPTED = "the cat sat on the mat", "the dog sat on the mat"


def test_an_ablation_takes_the_wrong_answer_from_the_corrupted_prompt(gpt2: Any) -> None:
    for made in (
        hs.ActivationPatching(gpt2, CLEAN, CORRUPTED, source="zero", answer=" cat"),
        hs.CircuitDiscovery(gpt2, CLEAN, CORRUPTED, ablation="zero", answer=" cat", n_edges=5),
    ):
        with torch.no_grad():
            top = int(gpt2(gpt2.to_tokens(CORRUPTED))[0, -1].argmax())
        assert made.result.provenance.parameters["wrong_ids"] == (top,)
        made.close()


def test_a_mean_by_position_needs_several_prompts(gpt2: Any) -> None:
    widget = hs.CircuitDiscovery(gpt2, CLEAN, CORRUPTED, ablation="mean_position")
    assert "several pairs" in str(widget.last_error)


def test_metrics_without_a_gradient_are_not_on_offer(gpt2: Any) -> None:
    with pytest.raises(hs.RequestError, match="rank") as refused:
        hs.CircuitDiscovery(gpt2, CLEAN, CORRUPTED, metric="rank")  # type: ignore[arg-type]
    assert "'rank'" not in str(refused.value).split("Choose")[-1]


def test_a_misspelt_key_of_a_pair_is_named() -> None:
    with pytest.raises(hs.RequestError, match=r"'corupted'.*'corrupted'"):
        pairs_of([{"clean": CLEAN, "corupted": CORRUPTED}])
    (pair,) = pairs_of([{"clean": CLEAN, "corrupted": CORRUPTED, "topic": "animals"}])
    assert pair.corrupted == CORRUPTED


def test_shared_keys_are_named_where_a_head_was(llama: Any) -> None:
    widget = hs.CircuitDiscovery(llama, CLEAN, CORRUPTED, n_edges=5)
    with pytest.raises(hs.RequestError, match="KV1"):
        widget.exact_edge("L0H0", "L2H3", "k")


def test_scaling_and_clamping_need_a_value(gpt2: Any) -> None:
    widget = hs.AttributionGraph(gpt2, CLEAN, max_nodes=20)
    name = next(n for n in widget.result.names if "N" in n)
    for how in ("scale", "clamp"):
        with pytest.raises(hs.RequestError, match="value"):
            widget.intervene([name], how)  # type: ignore[arg-type]
    assert widget.intervene([name]).note.startswith("Set to 0")


def test_transcoders_are_short_to_print() -> None:
    assert len(repr(random_transcoders(3, 32, 40))) < 200


def test_an_answer_of_several_tokens_is_told(gpt2: Any) -> None:
    widget = hs.ActivationPatching(gpt2, CLEAN, CORRUPTED, answer=" catmatdog", wrong=" dog")
    (told,) = [note for note in widget.result.provenance.notes if "Scored as a whole" in note]
    assert "catmatdog" in told


def test_a_circuits_file_has_the_models_shape(gpt2: Any, tmp_path: Any) -> None:
    """As EAP-IG's Graph.from_json reads it: cfg with these four, nodes by name, edges `a->b`."""
    graph = hs.CircuitDiscovery(gpt2, CLEAN, CORRUPTED, n_edges=30).result
    data = json.loads(graph.save_json(tmp_path / "circuit.json").read_text())
    assert data["cfg"] == {
        "n_layers": 3, "n_heads": 4, "parallel_attn_mlp": False, "d_model": 32,
    }  # fmt: skip
    layers, heads = data["cfg"]["n_layers"], data["cfg"]["n_heads"]
    names = {"input", "logits"} | {f"m{i}" for i in range(layers)}
    names |= {f"a{i}.h{j}" for i in range(layers) for j in range(heads)}
    assert set(data["nodes"]) == names
    for edge in data["edges"]:
        source, target = edge.split("->")
        assert source in names
        assert target.split("<")[0] in names


def test_a_large_matrix_is_read_as_a_whole_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some rows at a time, the largest effects of all of them."""
    torch.manual_seed(0)
    matrix = torch.randn(50, 50) * (torch.rand(50, 50) < 0.3)
    monkeypatch.setattr(tracer_file, "MOST_EDGES", 40)
    monkeypatch.setattr(tracer_file, "_NUMBERS", 130)
    places, effects, in_all = tracer_file._largest(matrix)
    best = matrix.abs().flatten().topk(40).indices.sort().values
    assert in_all == int(matrix.count_nonzero())
    np.testing.assert_array_equal(places.numpy(), best.numpy())
    np.testing.assert_array_equal(effects.numpy(), matrix.flatten()[best].numpy())
