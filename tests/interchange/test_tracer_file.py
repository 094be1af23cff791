"""circuit-tracer's `.pt` files: read without running anything of them."""

from __future__ import annotations

import dataclasses
import os
import sys
import types
from typing import NamedTuple

import pytest
import torch

import headscope as hs
from headscope.errors import ResultError


class LogitTarget(NamedTuple):
    token_str: str
    vocab_idx: int


@dataclasses.dataclass
class UnifiedConfig:
    n_layers: int
    model_name: str
    dtype: object


class Evil:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.fixture
def tracer(monkeypatch):
    """The two record types where circuit-tracer has them, while a file is written."""
    for kind, home in (
        (LogitTarget, "circuit_tracer.attribution.targets"),
        (UnifiedConfig, "circuit_tracer.utils.tl_nnsight_mapping"),
    ):
        parts = home.split(".")
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        setattr(sys.modules[home], kind.__name__, kind)
        monkeypatch.setattr(kind, "__module__", home)
    matrix = torch.zeros(9, 9)  # 2 features, 2 layers of 2 errors, 2 tokens, 1 target
    matrix[0, 6], matrix[1, 0], matrix[8, 1], matrix[8, 3] = 2.0, -3.0, 1.5, 0.25
    return {
        "input_string": "ab", "adjacency_matrix": matrix,
        "cfg": UnifiedConfig(2, "tiny", torch.float32),
        "active_features": torch.tensor([[0, 0, 5], [0, 1, 6], [1, 1, 7]]),
        "selected_features": torch.tensor([0, 2]),
        "activation_values": torch.tensor([4.0, 5.0, 6.0]),
        "logit_targets": [LogitTarget(" c", 3)], "logit_probabilities": torch.tensor([0.5]),
        "vocab_size": 9, "input_tokens": torch.tensor([1, 2]), "scan_name": "scan",
    }  # fmt: skip


def test_a_graph_is_read(tmp_path, tracer):
    torch.save(tracer, tmp_path / "graph.pt")
    graph = hs.load_graph(tmp_path / "graph.pt")
    edges = {graph.edge_label(i): v for i, v in enumerate(graph["effect"].tolist())}
    assert edges == {"token@0 -> L0F5@0": 2.0, "L0F5@0 -> L1F7@1": -3.0,
                     "L1F7@1 -> logit3@1": 1.5, "L0error@1 -> logit3@1": 0.25}  # fmt: skip
    assert graph.texts == {"logit3@1": " c"}
    assert graph.of_nodes("activation")[:2].tolist() == [4.0, 6.0]
    assert graph.of_nodes("probability")[-1] == 0.5
    assert (graph.nodes_in_all, graph.edges_in_all) == (10, 4)
    assert graph.provenance.prompts[0].token_ids == (1, 2)


def test_what_could_run_does_not(tmp_path, tracer, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(tracer | {"scan_name": Evil()}, tmp_path / "graph.pt")
    with pytest.raises(ResultError, match=r"graph\.pt: It holds more than tensors"):
        hs.load_graph(tmp_path / "graph.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"adjacency_matrix": torch.zeros(3, 3)}, "matrix is"),
        ({"adjacency_matrix": torch.full((9, 9), float("nan"))}, "NaN"),
        ({"adjacency_matrix": torch.ones(9, 9)}, "cannot be"),
        ({"cfg": {}}, "no graph of circuit-tracer"),
        ({"input_tokens": "ab"}, "no graph of circuit-tracer"),
    ],
)
def test_a_broken_graph_is_refused(tmp_path, tracer, change, why):
    torch.save(tracer | change, tmp_path / "graph.pt")
    with pytest.raises(ResultError, match=why):
        hs.load_graph(tmp_path / "graph.pt")
