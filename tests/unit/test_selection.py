"""What the fields of a selection say of each other, and which names there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import headscope as hs
from headscope.components import Layout
from headscope.errors import RequestError
from headscope.widgets.selection import NOTHING, Limits, consistent, fitting, normalise
from tests.golden import build

CASES = json.loads((Path(build.__file__).parent / "selections.json").read_text())
LAYOUT = Layout(n_layers=4, n_heads=4, n_kv_heads=2, parallel=False, mlps=True, n_neurons=16)
LIMITS = Limits(4, 4, 9, LAYOUT)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["what"]))
def test_fields_tell_one_story(case: dict[str, Any]) -> None:
    """The page's twin is tested on the same file."""
    old = {**NOTHING, **case["old"]}
    new = consistent({**old, **case["patch"]}, old)
    assert new == {**NOTHING, **case["new"]}
    assert consistent(new, old) == consistent(new, new) == new


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"component": "L4H1"}, "There is no L4H1. The model has layers 0 to 3."),
        ({"component": "L1N16"}, "There is no L1N16. Each MLP has neurons 0 to 15."),
        ({"component": "head 3"}, "There is no component 'head 3'"),
        ({"component": 3}, "3 is no component"),
        ({"feature": "L1H2"}, "There is no feature 'L1H2'. Write its name, such as 'L3F212'."),
        ({"feature": "L9F2"}, "There is no feature 'L9F2'. The model has layers 0 to 3."),
    ],
)
def test_names_of_nothing_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as refusal:
        normalise(wrong, LIMITS)
    assert str(refusal.value).startswith(said)
    assert "\n" not in str(refusal.value)
    assert fitting({**wrong, "layer": 1}, LIMITS) == {"layer": 1}


def test_a_name_is_selected_from_python_and_travels(gpt2: Any) -> None:
    """What the other model lacks does not, and a widget without a model takes any."""
    lens = hs.LogitLens(gpt2, "the cat sat", selection={"component": "MLP2"})
    graph = hs.GraphView(build.circuit_graph())
    assert (lens.selection["layer"], lens.selection["head"]) == (2, None)
    hs.link(lens, graph)
    graph.selection = {"component": "L1H3"}
    assert lens.selection == graph.selection
    graph.selection |= {"feature": "L70F3"}
    assert graph.selection["feature"] == "L70F3"
    assert lens.selection["feature"] is None
    for widget in (lens, graph):
        widget.close()


def test_rows_of_results_name_their_components(gpt2: Any) -> None:
    attribution = hs.LogitAttribution(gpt2, "the cat sat").run().axes[0]
    names = dict(zip(attribution.labels, attribution.components or (), strict=True))
    assert names["L1 attn"] == "L1.attn_out"
    assert names["L2 mlp"] == "MLP2"
    assert names["bias"] is None
    for site, over, name in (
        ("mlp_out", None, "MLP1"), ("resid_pre", None, "L1.resid_pre"),
        ("q", "layer_position", "L1H2.q"), ("z", "head_position", "L1H1"),
    ):  # fmt: skip
        patching = hs.ActivationPatching(
            gpt2, "the cat sat", "the dog sat", site=site, over=over, head=2, layer=1,
            answer=" cat", wrong=" dog", exact=False,
        )  # fmt: skip
        assert (patching.run().axes[0].components or ())[1] == name
        patching.close()
