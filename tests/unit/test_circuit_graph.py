"""A circuit graph refuses what is no circuit, and comes back from a file as it was."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from headscope.errors import ResultError
from headscope.results import (
    CircuitGraph,
    EdgeMeasure,
    Edges,
    FaithfulnessPoint,
    GraphNode,
    Nodes,
    Pruning,
)
from headscope.results.grid import Term
from headscope.results.provenance import Prompt, Provenance
from headscope.wire.files import load_result

NODES = (
    GraphNode("embed"), GraphNode("head", 0, unit=1, kv_head=0),
    GraphNode("kv_head", 0, unit=0, kv_head=0), GraphNode("mlp", 0), GraphNode("logits"),
)  # fmt: skip


def edges(*rows):
    """Edges of (source, target, input, kept)."""
    columns = np.array(rows, dtype=np.int32).reshape(-1, 4).T
    narrow = columns.astype(np.uint8)
    return Edges(columns[0].copy(), columns[1].copy(), narrow[2].copy(), narrow[3].copy())


def graph(*rows, nodes=NODES, **changes):
    made = edges(*rows)
    values = np.linspace(-1, 1, len(made), dtype=np.float32)
    provenance = Provenance(
        "circuit", "tiny", "T", "float32", "cpu", False, (Prompt("a", ("a",), (1,)),), {}, "+", "-",
        {"headscope": "0"},
    )  # fmt: skip
    fields = {
        "measures": (EdgeMeasure("eap", "EAP", "logits", "An estimate.", values),),
        "pruning": Pruning("top_n", 3, "eap", signed=False),
        "faithfulness": (FaithfulnessPoint(3, 2, 0.5, 0.25),),
        "baselines": (Term("full", 2.0), Term("empty", 0.0)),
    }
    return CircuitGraph(
        "A circuit", "components", Nodes.of(nodes), made, provenance=provenance, **fields | changes
    )


GOOD = ((0, 1, 1, 1), (0, 2, 2, 0), (0, 2, 3, 1), (1, 3, 0, 1), (3, 4, 0, 1))


def test_every_edge_has_a_name_and_a_row():
    made = graph(*GOOD)
    names = [made.edge_label(i) for i in range(5)]
    assert names == ["embed -> L0H1.q", "embed -> L0KV0.k", "embed -> L0KV0.v", "L0H1 -> MLP0",
                     "MLP0 -> logits"]  # fmt: skip
    table = made.to_dataframe()
    assert table.source.tolist() == ["embed", "embed", "embed", "L0H1", "MLP0"]
    assert table.target.tolist() == ["L0H1", "L0KV0", "L0KV0", "MLP0", "logits"]
    assert table.input.tolist() == ["q", "k", "v", "", ""]
    assert table.kept.tolist() == [True, False, True, True, True]
    assert (table.eap == made["eap"]).all()
    assert GraphNode("mlp", 5, position=4).name == "MLP5@4"
    with pytest.raises(ResultError, match="no measure 'exact'"):
        made["exact"]


def test_it_comes_back_from_a_file_as_it_was(tmp_path):
    made = graph(*GOOD)
    back = load_result(made.save(tmp_path / "circuit"))
    assert type(back) is CircuitGraph
    assert back.to_dataframe().equals(made.to_dataframe())
    assert back.names == made.names
    for field in dataclasses.fields(CircuitGraph):
        if field.name not in ("nodes", "edges", "measures"):
            assert getattr(back, field.name) == getattr(made, field.name), field.name


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ((4, 4, 0, 1), "nothing is written there"),
        ((0, 0, 0, 1), "nothing is read there"),
        ((2, 3, 0, 1), "nothing is written there"),
        ((3, 1, 1, 1), "not upwards"),
        ((1, 2, 1, 1), "not upwards"),
        ((0, 1, 0, 1), "only heads"),
        ((0, 4, 2, 1), "only heads"),
        ((0, 5, 0, 1), "outside the 5 nodes"),
        ((-1, 4, 0, 1), "outside the 5 nodes"),
        ((0, 1, 4, 1), "does not exist"),
        ((0, 1, 1, 2), "does not exist"),
        ((3, 4, 0, 0), "twice"),
    ],
)
def test_an_edge_that_cannot_be_is_refused(row, why):
    with pytest.raises(ResultError, match=why):
        graph(*GOOD, row)


def test_nodes_and_measures_are_checked():
    with pytest.raises(ResultError, match="twice"):
        graph(nodes=(*NODES, GraphNode("logits")))
    with pytest.raises(ResultError, match="at least one measure"):
        graph(*GOOD, measures=())
    with pytest.raises(ResultError, match="expected float32"):
        graph(*GOOD, measures=(EdgeMeasure("eap", "", "", "", np.zeros(4, np.float32)),))
    with pytest.raises(ResultError, match="'exact' to prune by"):
        graph(*GOOD, pruning=Pruning("all", 0, "exact", signed=False))
    for wrong in (
        GraphNode("head", 1), GraphNode("mlp"), GraphNode("embed", 0), GraphNode("mlp", -2),
        GraphNode("token", 1, 3), GraphNode("error", 1, 3, 4),
    ):  # fmt: skip
        with pytest.raises(ResultError, match="no node"):
            graph(nodes=(*NODES, wrong))
