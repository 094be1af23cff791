"""A stranger's file can do nothing but be refused, in one line that says what and where."""

from __future__ import annotations

import copy
import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headscope as hs
from headscope.errors import HeadscopeError, ResultError
from headscope.export.plotly_graph import graph_figure
from headscope.interchange import files as limits
from tests.golden import build
from tests.interchange import files


def refused(folder, found) -> str:
    with pytest.raises(ResultError) as error:
        hs.load_graph(files.wrote(folder, found))
    said = str(error.value)
    assert error.value.hint
    assert "\n" not in said
    assert said.startswith("graph.json: ")
    return said


def changed(make, *path, to):
    found = make()
    at = found
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return found


TRACER = [
    (("nodes",), {}, "nodes is {}, not an array"),
    (("nodes", 1), 7, r"nodes\[1\] is 7, not an object"),
    (("nodes", 1, "node_id"), None, r"nodes\[1\].node_id is null, not a text"),
    (("nodes", 1, "layer"), "-1", r'nodes\[1\].layer is "-1", not a whole number'),
    (("nodes", 1, "layer"), 10**9, r"nodes\[1\].layer is 1000000000: it runs from 0 to 999"),
    (("nodes", 1, "layer"), [[]], r"nodes\[1\].layer is \[\[\]\], not a whole number"),
    (("nodes", 1, "ctx_idx"), 4, r"nodes\[1\].ctx_idx is 4, and the prompt has 4 tokens"),
    (("nodes", 1, "ctx_idx"), True, r"ctx_idx is true, not a whole number"),
    (("nodes", 1, "ctx_idx"), 10**300, r"ctx_idx is 10+…: it runs from 0"),
    (("nodes", 1, "activation"), "big", r'nodes\[1\].activation is "big", not a number'),
    (("nodes", 1, "activation"), float("nan"), r"nodes\[1\].activation is NaN, which is no"),
    (("nodes", 1, "influence"), float("inf"), r"nodes\[1\].influence is Infinity, which is"),
    (("nodes", 1, "clerp"), {"html": "<script>"}, r"nodes\[1\].clerp is .*, not a text"),
    (("nodes", 1, "clerp"), "\ud800", r"nodes\[1\].clerp has half a character"),
    (("nodes", 1, "anything"), float("nan"), "An unknown field holds NaN"),
    (("nodes", 1, "feature"), -4, r"nodes\[1\].feature is -4: it runs from 0"),
    (("nodes", 7, "feature"), "ten", r'nodes\[7\].feature is "ten", not a whole number'),
    (("links", 2, "weight"), None, r"links\[2\].weight is null, not a number"),
    (("links", 2, "weight"), float("inf"), r"links\[2\].weight is Infinity"),
    (("links", 2, "weight"), 1e300, r"links\[2\].weight is 1e\+300, which is no finite number"),
    (("links", 2, "source"), "nowhere", r'links\[2\].source is "nowhere", no node'),
    (("links", 2, "target"), 3, r"links\[2\].target is 3, not a text"),
    (("links", 2), {"source": "0_5_1"}, r"links\[2\] has no 'target'"),
    (("links", 2, "source"), "4_10_3", r"links\[2\] is logit10@3 -> .* nothing is written there"),
    (("links", 2, "source"), "2_70000_3", r"links\[2\] is .*, which cannot be: that is not"),
    (("links", 2, "target"), "E_2_0", r"nothing is read there"),
    (("links", 1, "target"), "E_2_0", r"nothing is read there"),
    (("links", 2), files.tracer()["links"][0], r"links\[2\] joins the same nodes as links\[0\]"),
    (("metadata",), [], r"metadata is \[\], not an object"),
    (("metadata", "prompt_tokens"), "abc", r'metadata.prompt_tokens is "abc", not an array'),
    (("metadata", "prompt_tokens"), [1], r"metadata.prompt_tokens\[0\] is 1, not a text"),
    (("metadata", "node_threshold"), "x", r'metadata.node_threshold is "x", not a number'),
    (("metadata", "headscope"), 3, "metadata.headscope does not decode"),
    (("metadata", "headscope"), {"arrays": [[]], "kind": [], "version": 1}, "does not decode"),
    (("qParams",), "pinnedIds=a", r'qParams is "pinnedIds=a", not an object'),
    (("qParams", "pinnedIds"), [{}], r"qParams.pinnedIds\[0\] is {}, not a text"),
    (("qParams", "supernodes"), "[[", r'qParams.supernodes is "\[\[", which is no JSON'),
    (("qParams", "supernodes"), [[]], r"qParams.supernodes\[0\] has 0 parts"),
    (("qParams", "supernodes"), [["a", "0_5_1"], ["b", "0_5_1"]], r"supernodes\[1\] has L0F5@1"),
    (("qParams", "clerps"), [["a"]], r"qParams.clerps\[0\] has 1 parts"),
    (("qParams", "pruningThreshold"), "NaN", "qParams.pruningThreshold is NaN"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "why"), TRACER)
def test_a_broken_attribution_graph_is_refused(tmp_path, path, value, why):
    said = refused(tmp_path, changed(files.tracer, *path, to=value))
    assert re.search(why, said), said


EAP = [
    (("cfg",), None, "cfg is null, not an object"),
    (("cfg", "n_layers"), 1, r"nodes.a1.h0 is not in a model of 1 layers of 2 heads"),
    (("nodes", "a9.h9"), {"in_graph": True}, "nodes.a9.h9 is not in a model"),
    (("nodes", "<img src=x>"), {"in_graph": True}, "is no input, logits, m0 or a0.h0"),
    (("nodes", "m0"), {"in_graph": 1}, "nodes.m0.in_graph is 1, neither true nor false"),
    (("edges", "m0->m5"), {"score": 1, "in_graph": True}, 'ends at "m5", which is not among'),
    (("edges", "m1->m0"), {"score": 1, "in_graph": True}, "cannot be: that is not upwards"),
    (("edges", "m0->a1.h0"), {"score": 1, "in_graph": True}, "only heads have q, k and v"),
    (("edges", "m0"), {"score": 1, "in_graph": True}, r"is no name such as m0->a5.h2<q>"),
    (("edges", "m0->m1"), {"score": float("nan"), "in_graph": True}, "score is NaN"),
    (("edges", "m0->m1"), {"score": 1}, "has no 'in_graph'"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "why"), EAP)
def test_a_broken_eap_circuit_is_refused(tmp_path, path, value, why):
    assert why in refused(tmp_path, changed(files.eap, *path, to=value))


def test_nodes_that_are_one_or_are_called_alike_are_refused(tmp_path):
    found = files.tracer()
    found["nodes"].append(copy.deepcopy(found["nodes"][0]))
    assert "nodes[9] is L0F5@1, as nodes[0] is" in refused(tmp_path, found)
    found["nodes"][-1] |= {"node_id": "0_5_1", "feature": files.cantor(1, 6), "layer": "1"}
    assert 'nodes[9].node_id is "0_5_1", as of nodes[0]' in refused(tmp_path, found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no JSON"), ("[]", "no graph: an array"), ("{}", "no graph that is known"),
        ("[" * 100_000, "nested too deeply"), ('{"nodes": ' * 50_000, "nested too deeply"),
        ('{"links": [], "edges": {}}', "no graph that is known"),
        ('{"nodes": [], "nodes": []}', "'nodes' is there twice"),
        ("\x00\xff", "is no JSON"), ('{"links": [', "is no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_graph_is_refused(tmp_path, text, why):
    assert why in refused(tmp_path, text)


def test_deep_nesting_in_a_field_is_refused_or_read(tmp_path):
    found = files.tracer()
    found["nodes"][0]["deep"] = "@"
    text = json.dumps(found).replace('"@"', "[" * 900 + "]" * 900)
    try:
        hs.load_graph(files.wrote(tmp_path, text)).save_json(tmp_path / "again")
    except HeadscopeError as deep:
        assert "nested too deeply" in str(deep)  # noqa: PT017


def test_large_files_are_refused_before_they_are_built(tmp_path, monkeypatch):
    path = tmp_path / "graph.json"
    with path.open("wb") as file:
        file.truncate(limits.MOST_BYTES + 1)
    with pytest.raises(ResultError, match=r"100,000,001 bytes; 100,000,000 are read"):
        hs.load_graph(path)
    began = time.process_time()
    assert "4,000,001 parts" in refused(tmp_path, "[" + "{}," * limits.MOST_BRACKETS + "0]")
    assert time.process_time() - began < 5
    monkeypatch.setattr(limits, "MOST_NODES", 8)
    assert "It has 9 nodes; 8 are read" in refused(tmp_path, files.tracer())
    monkeypatch.setattr(limits, "MOST_EDGES", 6)
    assert "It has 7 edges; 6 are read" in refused(tmp_path, files.eap())


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    for path, says in ((tmp_path, "is a folder"), (tmp_path / "none.json", "There is no file")):
        with pytest.raises(ResultError, match=says):
            hs.load_graph(path)


def test_scripts_in_labels_stay_text(tmp_path):
    evil = "</script><img src=x onerror=alert(1)>%{customdata}"
    found = files.tracer()
    found["nodes"][0]["clerp"] = evil
    found["qParams"]["clerps"] = [["0_5_1", evil]]
    read = hs.load_graph(files.wrote(tmp_path, found))
    assert read.texts["L0F5@1"] == read.marks.labels["L0F5@1"] == evil
    assert "<img" not in graph_figure(read).to_json()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from(["0_5_1", "E_300_1", "m0", "input", "embedding", "logit", "", "0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(found, path=()):
    """Every path in a JSON value."""
    yield path
    if isinstance(found, (dict, list)):
        items = found.items() if isinstance(found, dict) else enumerate(found)
        for key, value in items:
            yield from places(value, (*path, key))


def ours():
    return json.loads(OURS.read_text())


@pytest.fixture(scope="module", autouse=True)
def _written(tmp_path_factory):
    global OURS
    OURS = build.circuit_graph().save_json(tmp_path_factory.mktemp("ours") / "graph")


@pytest.mark.parametrize("name", ["tracer", "lorsa", "eap", "ours"])
def test_any_change_of_a_file_is_read_or_refused(tmp_path, name):
    whole = {"ours": ours}.get(name) or getattr(files, name)
    paths = [path for path in places(whole()) if path]

    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def check(data):
        found = whole()
        for _ in range(data.draw(st.integers(1, 3))):
            *path, last = data.draw(st.sampled_from(paths))
            at = found
            try:
                for key in path:
                    at = at[key]
                if data.draw(st.booleans()):
                    at[last] = data.draw(JSON)
                else:
                    del at[last]
            except (KeyError, IndexError, TypeError):  # an earlier change took the place away
                continue
        try:
            read = hs.load_graph(files.wrote(tmp_path, found))
            again = read.save_json(tmp_path / "again")
            assert files.same(hs.load_graph(again), read)
        except HeadscopeError as refused:
            assert "\n" not in refused.message  # noqa: PT017

    check()
