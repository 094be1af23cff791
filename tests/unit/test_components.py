"""Component notation, and who can read whom."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from headscope.components import INPUTS, Component, Kind, Layout, parse_components
from headscope.errors import RequestError
from headscope.interventions.targets import checked_target

PLAIN = Layout(n_layers=3, n_heads=4, n_kv_heads=4, parallel=False, mlps=True)
GROUPED = Layout(n_layers=3, n_heads=4, n_kv_heads=2, parallel=False, mlps=True)
PARALLEL = Layout(n_layers=3, n_heads=4, n_kv_heads=4, parallel=True, mlps=True)


@pytest.mark.parametrize(
    ("text", "component"),
    [
        ("embed", Component("embed")),
        ("logits", Component("logits")),
        ("MLP5", Component("mlp", 5)),
        ("L9H6", Component("head", 9, 6)),
        ("L9H6.q", Component("head", 9, 6, input="q")),
        ("L9.k", Component("head", 9, input="k")),
        ("L9", Component("head", 9)),
        ("L9KV3.v", Component("head", 9, kv_head=3, input="v")),
        ("L9KV3", Component("head", 9, kv_head=3)),
    ],
)
def test_notation_goes_both_ways(text: str, component: Component) -> None:
    assert Component.parse(f" {text} ") == component
    assert str(component) == text


@pytest.mark.parametrize(
    "text", ["", "L", "H6", "L9H", "L-1H0", "L9H6.z", "L9KV3.q", "MLP", "MLP1.q", "l9h6", "L9 H6"]
)
def test_what_is_no_component_is_refused_with_examples(text: str) -> None:
    with pytest.raises(RequestError, match="There is no component") as refusal:
        Component.parse(text)
    assert "L9H6.q" in refusal.value.hint


@pytest.mark.parametrize(
    ("text", "known"),
    [("l9h6", "L9H6"), ("L9h6.Q", "L9H6.q"), ("mlp2", "MLP2"), ("Embed", "embed"),
     ("l3n17", "L3N17"), ("l3.Resid_pre", "L3.resid_pre")],
)  # fmt: skip
def test_other_capitals_are_refused_with_the_name_that_was_meant(text: str, known: str) -> None:
    with pytest.raises(RequestError, match=f"Did you mean {known}\\? Write"):
        checked_target(text)
    for strange in ("l9h6.z", "mlp", "l9.6"):
        with pytest.raises(RequestError, match=r"\. Write"):
            checked_target(strange)


def test_several_are_separated_by_commas_or_spaces_and_counted_once() -> None:
    wanted = (Component("head", 1, 2, input="q"), Component("mlp", 0))
    assert parse_components("L1H2.q, MLP0") == wanted
    assert parse_components("L1H2.q MLP0,L1H2.q") == wanted
    assert parse_components(["L1H2.q", "MLP0"]) == wanted
    assert parse_components("") == ()


def every_component(layout: Layout) -> list[Component]:
    """All that `layout` has, each in the one way that `resolve` gives."""
    layers, heads = range(layout.n_layers), [None, *range(layout.n_heads)]
    found = [Component("embed"), Component("logits"), *(Component("mlp", i) for i in layers)]
    made = (Component("head", i, h, input=p) for i, h, p in product(layers, heads, [None, *INPUTS]))
    assert {component.kind for component in found} | {"head", "neuron"} == set(get_args(Kind))
    return list(dict.fromkeys([*found, *map(layout.resolve, made)]))


@pytest.mark.parametrize("layout", [PLAIN, GROUPED])
def test_a_hook_and_an_index_name_a_component(layout: Layout) -> None:
    for component in every_component(layout):
        index = component.head if component.kv_head is None else component.kv_head
        assert layout.resolve(Component.of_hook(component.hook, index)) == component


def test_hooks_are_those_of_the_model(gpt2, llama) -> None:
    for bridge in (gpt2, llama):
        assert {component.hook for component in every_component(PLAIN)} <= set(bridge.hook_dict)


def test_a_hook_that_is_nobodys_is_refused() -> None:
    with pytest.raises(RequestError, match="No component"):
        Component.of_hook("blocks.0.attn.hook_pattern")


def test_heads_that_share_keys_and_values_resolve_to_the_shared_head() -> None:
    assert str(GROUPED.resolve(Component.parse("L1H3.k"))) == "L1KV1.k"
    assert str(GROUPED.resolve(Component.parse("L1H3.q"))) == "L1H3.q"
    assert str(GROUPED.resolve(Component.parse("L1KV1"))) == "L1KV1"
    assert str(PLAIN.resolve(Component.parse("L1KV3.k"))) == "L1H3.k"
    assert GROUPED.heads(Component.parse("L1KV1")) == (2, 3)
    assert GROUPED.heads(Component.parse("L1H1")) == (1,)
    assert GROUPED.heads(Component.parse("L1")) == (0, 1, 2, 3)


@pytest.mark.parametrize("text", ["L3H0", "MLP3", "L0H4.q", "L0KV2.k"])
def test_what_the_model_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=f"There is no {text}"):
        GROUPED.resolve(Component.parse(text))


def test_a_model_without_mlps_has_none() -> None:
    bare = Layout(n_layers=1, n_heads=1, n_kv_heads=1, parallel=False, mlps=False)
    with pytest.raises(RequestError, match="attention only"):
        bare.resolve(Component.parse("MLP0"))


@pytest.mark.parametrize(
    ("sender", "receiver", "sequential", "parallel"),
    [
        ("embed", "L0H0.q", True, True),
        ("embed", "logits", True, True),
        ("L1H0", "L1H1.q", False, False),
        ("L1H0", "MLP1", True, False),
        ("MLP1", "MLP1", False, False),
        ("MLP1", "L1H0.k", False, False),
        ("MLP1", "L2H0.v", True, True),
        ("L2H3", "L1H0.q", False, False),
        ("MLP2", "logits", True, True),
    ],
)
def test_who_reads_what_whom_writes(
    sender: str, receiver: str, sequential: bool, parallel: bool
) -> None:
    pair = Component.parse(sender), Component.parse(receiver)
    assert PLAIN.reaches(*pair) is sequential
    assert PARALLEL.reaches(*pair) is parallel
