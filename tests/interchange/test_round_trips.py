"""Files of other tools come back with every value; graphs of ours come back as they were."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

import headscope as hs
from headscope.errors import ResultError
from headscope.results import GraphNode, Marks, Nodes
from headscope.results.graph_parts import Group
from tests.golden import build
from tests.interchange import files
from tests.unit.test_circuit_graph import GOOD, graph

FILES = {"tracer": files.tracer, "lorsa": files.lorsa, "eap": files.eap}


def lacking(found, original, path=""):
    """What of `original` is not in `found`, or differs."""
    if isinstance(original, dict) and isinstance(found, dict):
        items = original.items()
        return [w for k, v in items for w in lacking(found.get(k, "?"), v, f"{path}.{k}")]
    if isinstance(original, list) and isinstance(found, list) and len(found) == len(original):
        pairs = enumerate(zip(found, original, strict=True))
        return [w for i, (f, o) in pairs for w in lacking(f, o, f"{path}[{i}]")]
    nan = isinstance(original, float) and math.isnan(original)
    same = found == original or (nan and isinstance(found, float) and math.isnan(found))
    return [] if same else [(path, found, original)]


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_tool_comes_back_with_every_value(tmp_path, name):
    original = FILES[name]()
    read = hs.load_graph(files.wrote(tmp_path, original))
    again = json.loads(read.save_json(tmp_path / "again").read_text())
    assert lacking(again, original) == []
    assert files.same(hs.load_graph(tmp_path / "again.json"), read)
    assert files.same(hs.load_result(read.save(tmp_path / "saved")), read)


def test_what_circuit_tracer_writes_is_understood(tmp_path):
    read = hs.load_graph(files.wrote(tmp_path, files.tracer()))
    assert read.family == "attribution"
    assert read.names == ("L0F5@1", "L2F70000@3", "L1error@2", "token@0", "token@1", "token@2",
                          "token@3", "logit10@3", "logit11@3")  # fmt: skip
    assert [read.edge_label(i) for i in (0, 1, 6)] == [
        "token@1 -> L0F5@1", "L0F5@1 -> L2F70000@3", "token@1 -> logit10@3",
    ]  # fmt: skip
    assert read["effect"][:3].tolist() == [24.5, -3.890625, 1.0]
    assert read.texts == {"logit10@3": 'x"(p=', "logit11@3": " <b>"}
    assert read.of_nodes("probability")[-2:].tolist() == [0.25, 0.125]
    assert read.of_nodes("influence_share")[:2].tolist() == [0.296875, 0.5]
    assert read.of_nodes("activation")[0] == 3.5
    assert np.isnan(read.of_nodes("activation")[3])
    (prompt,) = read.provenance.prompts
    assert (prompt.tokens, prompt.token_ids) == (tuple(files.TOKENS), (2, 300, 301, 302))
    assert (read.pruning.rule, read.pruning.value, read.pruning.edge_value) == (
        "influence",
        0.5,
        0.8,
    )
    assert read.provenance.versions == {"circuit-tracer": "3f"}


def test_kinds_of_neuronpedia_are_understood(tmp_path):
    read = hs.load_graph(files.wrote(tmp_path, files.lorsa()))
    assert read.names == ("L1A57@2", "L1F9@3", "L1Aerror@2", "L1error@2", "L0bias@1", "L0bias1@1",
                          "other@1", "token@1", "logit11@3")  # fmt: skip
    assert read.texts["L0bias1@1"] == "L0 Bias (mlp_bout)"
    assert read.texts["logit11@3"] == " c"
    assert [score.label for score in read.scores] == [
        "Replacement score, as in the file", "Completeness score, as in the file",
    ]  # fmt: skip


def test_eap_is_understood(tmp_path):
    read = hs.load_graph(files.wrote(tmp_path, files.eap()))
    assert read.names == ("embed", "L0H0", "MLP0", "L0H1", "L1H0", "L1H1", "MLP1", "logits")
    assert read.edge_label(3) == "MLP0 -> L1H0.v"
    assert read.edges.kept.tolist() == [1, 0, 1, 1, 1, 1, 0]
    assert read["score"][1] == -2.5
    assert np.isnan(read.of_nodes("score")[0])
    assert "corrupting the edge raises" in read.provenance.sign


def test_a_graph_of_ours_comes_back_as_it_was(tmp_path):
    made = build.circuit_graph()
    assert files.same(hs.load_graph(made.save_json(tmp_path / "graph")), made)
    parts = GOOD[0], (1, 3, 0, 1), (3, 4, 0, 0)
    nodes = [GraphNode("embed"), GraphNode("head", 0, unit=1), GraphNode("head", 0, unit=2),
             GraphNode("mlp", 0), GraphNode("logits")]  # fmt: skip
    marks = Marks(("MLP0",), (Group("g", ("embed",)),), {"logits": "end"}, threshold={"edges": 2})
    circuit = graph(*parts, nodes=nodes, marks=marks)
    assert files.same(hs.load_graph(circuit.save_json(tmp_path / "circuit.json")), circuit)


def test_neurons_values_that_are_missing_and_nodes_without_position_come_back(tmp_path):
    made = build.circuit_graph()
    nodes = [GraphNode("neuron", 0, 1, 12), GraphNode("feature", 0, None, 7), *list(made.nodes)[4:]]
    nodes = [GraphNode("token", position=1), GraphNode("bias", 0, 3, 2), *nodes]
    probability = made.of_nodes("probability").copy()
    probability[-1], probability[0] = np.nan, 0.5
    effect = made["effect"].copy()
    effect[3] = np.nan
    keep = np.array([0, 2, 3, 4, 5, 6, 7, 8])
    edges = dataclasses.replace(
        made.edges, **{name: getattr(made.edges, name)[keep]
                       for name in ("source", "target", "input", "kept")})  # fmt: skip
    changed = dataclasses.replace(
        made, nodes=Nodes.of(nodes), edges=edges, marks=Marks(), texts={"L0F7": "", "gone": "x"},
        measures=(dataclasses.replace(made.measures[0], values=effect[keep]),),
        node_measures=(dataclasses.replace(made.node_measures[1], values=probability),),
    )  # fmt: skip
    assert files.same(hs.load_graph(changed.save_json(tmp_path / "graph")), changed)


def test_viewers_find_what_they_need_in_a_graph_of_ours(tmp_path):
    made = build.circuit_graph()
    found = json.loads(made.save_json(tmp_path / "graph").read_text())
    for key in ("slug", "scan", "prompt_tokens", "prompt"):
        assert key in found["metadata"]
    needed = {"node_id", "feature", "layer", "ctx_idx", "feature_type", "jsNodeId", "clerp"}
    assert all(needed <= set(node) for node in found["nodes"])
    by_name = dict(zip(made.names, found["nodes"], strict=True))
    assert by_name["L1F12@3"]["feature"] == files.cantor(1, 12)
    assert by_name["L0error@3"]["node_id"] == "0_-1_3"
    assert by_name["token@1"]["node_id"] == "E_5_1"
    for name, text in (("logit10@6", "\n"), ("logit77@6", build.TOKENS[3])):
        clerp = by_name[name]["clerp"]
        assert clerp.split('"')[1:-1] == text.split('"')
        assert float(clerp.split("(p=")[1].split(")")[0]) == by_name[name]["token_prob"]
    assert [node["is_target_logit"] for node in found["nodes"]] == [False] * 6 + [True, False]
    assert json.loads(found["qParams"]["clerps"]) == [["0_35_3", "</script>a label"]]
    assert found["qParams"]["supernodes"] == [["<b>state</b>", "0_12_1", "1_12_3"]]
    assert found["metadata"]["replacement_score"] == 0.75
    # influence is a cumulative share, the most influential first
    ranked = np.argsort(-made.of_nodes("influence")[:6], kind="stable")
    values = made.of_nodes("influence")[:6][ranked]
    shares = [found["nodes"][i]["influence"] for i in ranked]
    assert shares == pytest.approx(np.cumsum(values) / values.sum(), abs=1e-6)


def test_only_the_circuit_is_written_on_demand(tmp_path):
    made = build.circuit_graph()
    back = hs.load_graph(made.save_json(tmp_path / "graph", kept=True))
    assert back.edges.kept.all()
    assert len(back.edges) == int(made.edges.kept.sum())
    assert set(back.names) == set(made.names)
    assert (
        back.to_dataframe().effect.tolist()
        == made.to_dataframe()[made["effect"] != 0.25].effect.tolist()
    )


@pytest.mark.parametrize("as_text", [False, True])
def test_marks_of_viewers_are_read_in_either_form_and_can_be_edited(tmp_path, as_text):
    found = files.tracer()
    pins, groups = ["0_5_1", "gone_1"], [["two", "0_5_1", "lost"], ["none", "lost2"]]
    labels = [["2_70000_3", "by id"], [f"0_{files.cantor(0, 5)}_1", "by key"], ["77", "of nothing"]]
    share = 0.25
    if as_text:
        pins, groups, share = ",".join(pins), json.dumps(groups), "0.25"
    found["qParams"] |= {"pinnedIds": pins, "supernodes": groups, "clerps": json.dumps(labels),
                         "pruningThreshold": share, "hiddenIds": "a,b"}  # fmt: skip
    read = hs.load_graph(files.wrote(tmp_path, found))
    assert read.marks == Marks(
        ("L0F5@1",), (Group("two", ("L0F5@1",)),), {"L2F70000@3": "by id", "L0F5@1": "by key"},
        threshold={"nodes": 0.25},
    )  # fmt: skip
    edited = dataclasses.replace(read, marks=dataclasses.replace(read.marks, pinned=("token@1",)))
    params = json.loads(edited.save_json(tmp_path / "again").read_text())["qParams"]
    assert params["pinnedIds"] == ["E_300_1", "gone_1"]
    assert params["supernodes"] == [["two", "0_5_1", "lost"], ["none", "lost2"]]
    assert (params["hiddenIds"], params["pruningThreshold"]) == ("a,b", 0.25)
    assert hs.load_graph(tmp_path / "again.json").marks == edited.marks


def test_values_that_changed_since_are_written_changed(tmp_path):
    read = hs.load_graph(files.wrote(tmp_path, files.lorsa()))
    values = read["effect"].copy()
    values[0] = 9
    measure = dataclasses.replace(read.measures[0], values=values)
    texts = {**read.texts, "logit11@3": "other"}
    changed = dataclasses.replace(read, measures=(measure,), texts=texts)
    found = json.loads(changed.save_json(tmp_path / "again").read_text())
    assert [link["weight"] for link in found["links"][:2]] == [9, 0.2]
    assert found["nodes"][-1]["clerp"] == 'Output "other" (p=0.333)'
    assert found["links"][0]["why"] == 1


def old_file():
    """Feature 2 of layer 0 and the error of layer 2 have one name, and both lead to one node."""
    found = files.tracer()
    twin, wrong, above = files.feature(0, 2, 1), files.error(2, 1, old=True), found["nodes"][7]
    found["nodes"] = [twin, *found["nodes"], wrong]
    found["links"] += [files.link(twin, above, 1.0), files.link(wrong, above, 2.0),
                       files.link(found["nodes"][5], twin, 3.0)]  # fmt: skip
    return found


def test_an_error_that_is_called_as_a_feature_is_told_from_it_and_renamed(tmp_path):
    read = hs.load_graph(files.wrote(tmp_path, old_file()))
    labels = [read.edge_label(i) for i in range(len(read.edges))]
    weights = dict(zip(labels, read["effect"], strict=True))
    assert weights["L0F2@1 -> logit10@3"] == 1.0
    assert weights["L2error@1 -> logit10@3"] == 2.0
    assert weights["token@1 -> L0F2@1"] == 3.0
    assert any("issue 78" in note for note in read.provenance.notes)
    found = json.loads(read.save_json(tmp_path / "again").read_text())
    assert found["nodes"][-1]["node_id"] == "2_-1_1"
    assert found["links"][-2]["source"] == "2_-1_1"
    assert len({node["node_id"] for node in found["nodes"]}) == len(found["nodes"])


def test_a_graph_with_no_place_in_a_file_says_so(tmp_path):
    positional = [GraphNode("embed", position=0), GraphNode("mlp", 0, 0), GraphNode("logits")]
    for nodes in (
        positional,
        [GraphNode("embed"), GraphNode("kv_head", 0, unit=0), GraphNode("logits")],
    ):
        with pytest.raises(ResultError, match=r"no place for .*graph\.save"):
            graph(nodes=nodes).save_json(tmp_path / "graph")
    mixed = dataclasses.replace(graph(), family="attribution")
    with pytest.raises(ResultError, match="no place for embed"):
        mixed.save_json(tmp_path / "graph")
