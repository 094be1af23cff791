"""What cannot be is refused in one line, wherever it is given, and nothing is lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headscope as hs
from headscope.errors import HeadscopeError, ResultError
from tests.analyses.by_hand import PAIR
from tests.golden import build

TEXT = "the cat sat on the"


def refusal_of(call: Any, *args: Any) -> HeadscopeError:
    with pytest.raises(HeadscopeError) as refused:
        call(*args)
    error = refused.value
    assert "\n" not in str(error)
    assert error.hint
    return error


@pytest.fixture(scope="module")
def shown(gpt2: Any) -> Iterator[dict[str, Any]]:
    """One widget of each kind, with a result."""
    widgets = {
        "lens": hs.LogitLens(gpt2, TEXT),
        "logits": hs.LogitAttribution(gpt2, TEXT),
        "heads": hs.AttentionPatterns(gpt2, TEXT),
        "patching": hs.ActivationPatching(gpt2, PAIR, exact=False),
        "paths": hs.PathPatching(gpt2, PAIR),
        "circuit": hs.CircuitDiscovery(gpt2, PAIR, ig_steps=1),
        "graph": hs.AttributionGraph(gpt2, TEXT, max_nodes=20),
    }
    yield widgets
    for widget in widgets.values():
        widget.close()


ASSIGNED = [
    ("lens", "read_out", "post", "read_out cannot be 'post'. Choose from ('resid_post', "),
    ("lens", "read_out", "resid-mid", "read_out cannot be 'resid-mid'. Did you mean 'resid_mid'?"),
    ("lens", "prompt", b"the", "prompt cannot be b'the'. Give a text."),
    ("lens", "prompt", [1, 2], "prompt cannot be [1, 2]. Give a text."),
    ("lens", "promt", "the", "LogitLens has no 'promt'. Did you mean 'prompt'? Assigned are "),
    ("lens", "view", "dark", "view cannot be 'dark'. Give a dict."),
    ("lens", "view", {"colour_map": 1}, "The view has no option 'colour_map'. There are heat"),
    ("lens", "view", {"measure": "kl"}, "The view has no option 'measure'. Did you mean 'heat"),
    ("heads", "view", {"heatmap_zoom": 2}, "The view has no option 'heatmap_zoom'. There are at"),
    ("graph", "view", {"scales": {}}, "The view has no option 'scales'. There are graph_on"),
    ("lens", "selection", [1], "selection cannot be [1]. Give a dict."),
    ("lens", "selection", {"row": 1}, "A selection has no 'row'. It has layer, head, dest, src, t"),
    ("lens", "result", None, "result of LogitLens is only read. Assigned are effect, interv"),
    ("lens", "run", None, "run of LogitLens is only read."),
    ("lens", "last_error", None, "last_error of LogitLens is only read."),
    ("logits", "position", "3", "position cannot be '3'. Give a whole number."),
    ("logits", "position", True, "position cannot be True. Give a whole number."),
    ("logits", "answer", 1.5, "answer cannot be 1.5. Give a text or a whole number or a list of w"),
    ("logits", "wrong", [3], "wrong cannot be [3]. Give a text or a whole number."),
    ("heads", "layers", 3, "AttentionPatterns has no 'layers'."),
    ("patching", "layer", 3.5, "layer cannot be 3.5. Give a whole number."),
    ("patching", "metrics", "kl", "ActivationPatching has no 'metrics'. Did you mean 'metric'?"),
    ("patching", "metric", ["kl"], "metric cannot be ['kl']. Choose from ('logit_diff', "),
    ("patching", "alignment", 3, "alignment cannot be 3. Give a list or None."),
    ("patching", "corrupted", None, "corrupted cannot be None. Give a text."),
    ("patching", "pinned", [(0, 0)], "pinned of ActivationPatching is only read."),
    ("paths", "freeze_mlps", "no", "freeze_mlps cannot be 'no'. Give True or False."),
    ("paths", "sender", {"L0H1"}, "sender cannot be {'L0H1'}. Give a text or "),
    ("circuit", "n_edges", "60", "n_edges cannot be '60'. Give a whole number."),
    ("circuit", "method", "eap-ig", "method cannot be 'eap-ig'. Did you mean 'eap_ig_inputs'? Ch"),
    ("circuit", "least", {}, "least cannot be {}. Give a text or "),
    ("circuit", "groupes", [], "CircuitDiscovery has no 'groupes'. Did you mean 'groups'?"),
    ("graph", "target", {"a": 1}, "target cannot be {'a': 1}. Give a text or a whole number"),
    ("graph", "units", None, "units cannot be None. Choose from ('features', 'neurons')."),
    ("graph", "max_nodes", "x" * 99, "max_nodes cannot be '" + "x" * 58 + "…. Give a "),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "value", "line"), ASSIGNED)
def test_what_is_assigned(
    shown: dict[str, Any], kind: str, name: str, value: Any, line: str
) -> None:
    widget = shown[kind]
    before, result = getattr(widget, name, None), widget.result
    assert str(refusal_of(setattr, widget, name, value)).startswith(line)
    assert getattr(widget, name, None) == before
    assert widget.result is result or kind in ("circuit", "graph")  # which add their marks to it
    assert widget.status["state"] == "done"


CALLED: list[tuple[str, Any, str]] = [
    ("lens", lambda w: w.track(" cat", 2), "positions cannot be 2. Give a list of whole numbers"),
    ("lens", lambda w: w.track([]), "token cannot be []. Give a text or a whole number."),
    ("lens", lambda w: w.track(), "LogitLens.track: missing a required argument: 'token'. Call L"),
    ("heads", lambda w: w.head("0", 1), "layer cannot be '0'. Give a whole number."),
    ("heads", lambda w: w.head(0, haed=1), "AttentionPatterns.head has no argument 'haed'. Did y"),
    ("patching", lambda w: w.outcome(0, 1.5), "index cannot be 1.5. Give a whole number."),
    ("patching", lambda w: w.outcome(0, 0, 0, 0), "There is no cell (0, 0, 0, 0). Rows are 0 to 2"),
    ("patching", lambda w: w.pin(0, 1), "cells cannot be 0. Give a list of whole numbers."),
    ("patching", lambda w: w.pin(), "No cell is given. Pass at least one, such as (2, 5)."),
    ("patching", lambda w: w.unpin(4), "No patch is pinned at 4. widget.pinned has 0."),
    ("patching", lambda w: w.joint("ab"), "cells cannot be 'ab'. Give a list of whole numbers."),
    ("circuit", lambda w: w.circuit(30), "threshold cannot be 30. Give a dict of numbers or None."),
    ("circuit", lambda w: w.exact_edge(1, "logits"), "source cannot be 1. Give a text."),
    ("graph", lambda w: w.feature(3), "node cannot be 3. Give a text."),
    ("graph", lambda w: w.intervene("L1N2"), "nodes cannot be 'L1N2'. Give a list of texts."),
    ("graph", lambda w: w.intervene([], "abblate"), "how cannot be 'abblate'. Did you mean 'ablat"),
    ("graph", lambda w: w.intervene([], "scale", "2"), "value cannot be '2'. Give a number"),
    ("graph", lambda w: w.qk(0, 0, None, 1), "dest cannot be None. Give a whole number."),
    ("heads", lambda w: w.result[0], "layer_head cannot be 0. Give 2 whole numbers."),
    ("patching", lambda w: w.result.to_plotly(3), "ResultBase.to_plotly: too many positional arg"),
    ("circuit", lambda w: w.result.to_plotly(foo=3), "There is no choice 'foo'. Choose measure, k"),
    ("circuit", lambda w: w.result.edge_label(999), "There is no edge 999. Edges are 0 to "),
    ("circuit", lambda w: w.result.edge_label("a"), "edge cannot be 'a'. Give a whole number."),
    ("circuit", lambda w: w.result.index([]), "name cannot be []. Give a text."),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "call", "line"), CALLED, ids=[line[:24] for *_, line in CALLED])
def test_what_is_called(shown: dict[str, Any], kind: str, call: Any, line: str) -> None:
    widget = shown[kind]
    result = widget.result
    assert str(refusal_of(call, widget)).startswith(line)
    assert widget.result is result or kind in ("circuit", "graph")
    assert widget.status["state"] == "done"


MADE: list[tuple[Any, str]] = [
    (lambda m: hs.LogitLens("gpt2", m), "The model is 'gpt2', not a TransformerBridge. Pass hs.l"),
    (lambda m: hs.ActivationPatching(TEXT, m), "The model is 'the cat sat on the', not a Transfor"),
    (lambda m: hs.LogitLens(m), "LogitLens: missing a required argument: 'prompt'. Call Logit"),
    (lambda m: hs.LogitLens(m, TEXT, promt=1), "LogitLens has no argument 'promt'. Did you mean '"),
    (lambda m: hs.LogitLens(m, TEXT, selection=3), "selection cannot be 3. Give a dict of whole n"),
    (lambda m: hs.LogitAttribution(m, TEXT, by="heads"), "by cannot be 'heads'. Did you mean 'hea"),
    (lambda m: hs.ActivationPatching(m, b"the cat", "the dog"), "A prompt is a text or token ids"),
    (lambda m: hs.ActivationPatching(m, {"a", "b"}, "b"), "A prompt is a text or token ids, not {"),
    (lambda m: hs.ActivationPatching(m, PAIR.clean, PAIR.corrupted, answer=b"x"), "An answer is a"),
    (lambda m: hs.ActivationPatching(m, PAIR, position="3"), "position cannot be '3'. Give a whol"),
    (lambda m: hs.ActivationPatching(m, PAIR, noise_at=3), "noise_at cannot be 3. Give a list of "),
    (lambda m: hs.ActivationPatching(m, PAIR, exact="no"), "exact cannot be 'no'. Give True or Fa"),
    (lambda m: hs.ActivationPatching(m, PAIR, site="resid"), "site cannot be 'resid'. Did you mea"),
    (lambda m: hs.PathPatching(m, PAIR, receivers=3), "receivers cannot be 3. Give a text or a li"),
    (lambda m: hs.CircuitDiscovery(m, PAIR, n_edges="60"), "n_edges cannot be '60'. Give a whole"),
    (lambda m: hs.CircuitDiscovery(m, PAIR, least=np.nan), "least cannot be nan. Give a number."),
    (lambda m: hs.AttributionGraph(m, TEXT, 3), "3 are no transcoders. Pass hs.load_transcoders(p"),
    (lambda m: hs.AttributionGraph(m, TEXT, "nowhere"), "There is no folder nowhere. Pass one tha"),
    (lambda m: hs.AttributionGraph(m, TEXT, texts="abc"), "texts cannot be 'abc'. Give a list of "),
    (lambda m: hs.AttributionGraph(m, TEXT, node_share=None), "node_share cannot be None. Give a "),
    (lambda _: hs.GraphView("nowhere"), "There is no file nowhere. Pass the path of a graph file."),
    (lambda _: hs.expand(3, {}), "expand: missing a required argument: 'corrupt'. Call ex"),
    (lambda _: hs.expand("{A}", {"A": "ab"}, corrupt={}, answer="A"), "roles cannot be {'A': 'ab'"),
    (lambda _: hs.expand("{A:d}", {"A": ["a"]}, corrupt={}, answer="A"), "The template has a form"),
    (lambda _: hs.load(hs.demo.MODEL_DIR, dtype="float16"), "dtype cannot be 'float16'. Give a to"),
    (lambda _: hs.load(hs.demo.MODEL_DIR, device="tpu"), "There is no device 'tpu' here"),
    (lambda _: hs.load_transcoders(None), "source cannot be None. Give a path."),
]  # fmt: skip


@pytest.mark.parametrize(("call", "line"), MADE, ids=[line[:24] for _, line in MADE])
def test_what_is_made(gpt2: Any, call: Any, line: str) -> None:
    assert str(refusal_of(call, gpt2)).startswith(line)


def test_what_numpy_and_lists_hold_is_taken(shown: dict[str, Any]) -> None:
    """Numbers as arrays have them, and lines as lists, are what they stand for."""
    patching, paths, circuit = shown["patching"], shown["paths"], shown["circuit"]
    patching.head = np.int64(2)
    assert type(patching.head) is int
    paths.positions, paths.receivers = np.array([3, -1]), ["L1H0.q", "MLP2"]
    assert (paths.positions, paths.receivers) == ("3, -1", "L1H0.q, MLP2")
    paths.positions = paths.receivers = ()
    circuit.least = np.float32(0.5)
    assert circuit.least == "0.5"


def test_a_graph_is_drawn_of_the_transcoders_at_a_path() -> None:
    widget = hs.AttributionGraph(
        hs.load_demo(), "The capital", str(hs.demo.TRANSCODERS_DIR), max_nodes=20
    )
    assert widget.run().provenance.parameters["units"] == "features"
    widget.close()


# Files.

SAVED = [
    ("x.json", "What is written is {}, not .json. Name it x{}"),
    ("x.pt", "What is written is {}, not .pt. Name it x{}."),
    ("folder", "{{0}}/folder is a folder. Name a file in it, such as {{0}}/folder/name{}."),
    ("file/x", "{{0}}/file/x{} is not written: "),
    ("x" * 300, "{{0}}/" + "x" * 300 + " is not written: File name too long."),
    ("a\0b", "A path cannot have a null character. Choose another path."),
]  # fmt: skip
SAVERS = {
    ".safetensors": lambda path: build.grid().save(path),
    ".json": lambda path: build.circuit_graph().save_json(path),
    ".html": lambda path: hs.GraphView(build.circuit_graph()).save_html(path),
}


@pytest.fixture
def place(tmp_path: Path, static: Path) -> Path:
    for name in ("frozen.js", "frozen-graph.js"):
        (static / name).write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    return tmp_path


@pytest.mark.parametrize("suffix", SAVERS)
def test_where_nothing_can_be_saved(place: Path, suffix: str) -> None:
    for name, line in SAVED:
        if not name.endswith(suffix):
            error = refusal_of(SAVERS[suffix], str(place / name))
            assert isinstance(error, ResultError)
            assert str(error).startswith(line.format(suffix, suffix).format(place)), error
    for path, given in ((None, "None"), (3, "3"), ([], "[]")):
        line = str(refusal_of(SAVERS[suffix], path))
        assert line == f"path cannot be {given}. Give a path."
    assert sorted(p.name for p in place.iterdir()) == ["file", "folder", "static"]


@pytest.mark.parametrize("suffix", SAVERS)
def test_saving_makes_folders_and_loses_no_older_file(
    place: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = SAVERS[suffix](place / "new" / "deep" / "v1.5")
    assert target == place / "new" / "deep" / f"v1.5{suffix}"
    older = target.read_bytes()

    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert "No space left on device" in str(refusal_of(SAVERS[suffix], target))
    assert target.read_bytes() == older
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_home_is_meant_by_a_tilde(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(place))
    assert build.grid().save("~/x") == place / "x.safetensors"
    assert hs.load_result("~/x.safetensors").title == build.grid().title


@pytest.mark.parametrize("load", [hs.load_result, hs.load_graph, hs.GraphView])
def test_what_cannot_be_opened(place: Path, load: Any) -> None:
    assert "is a folder" in str(refusal_of(load, place / "folder"))
    assert "There is no file" in str(refusal_of(load, place / ("x" * 300)))
    assert "There is no file" in str(refusal_of(load, place / "nothing.json"))


def test_a_file_of_the_other_kind_names_what_opens_it(place: Path) -> None:
    result, graph = build.grid().save(place / "r"), build.circuit_graph().save_json(place / "g")
    assert "hs.load_graph(path)" in str(refusal_of(hs.load_result, graph))
    assert "hs.load_result(path)" in str(refusal_of(hs.load_graph, result))
