"""What is predicted of an intervention is what edges say; what is measured is the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from headscope.analyses.attribution_intervention import intervene
from headscope.analyses.attribution_nodes import NodeTable
from headscope.errors import RequestError
from tests.analyses.test_left_as_found import state_of
from tests.attribution.linear import attributed, finish
from tests.attribution.transcoders import random_transcoders
from tests.models import D_MODEL, N_LAYERS, PROMPT


def transcoders(**kind: Any) -> Any:
    return random_transcoders(N_LAYERS, D_MODEL, 40, **kind)


def some_units(table: NodeTable) -> list[str]:
    """One of layer 0 and one of layer 1."""
    inner = [name for name in table.names if not name.endswith("@1")]
    return [next(n for n in inner if n.startswith((f"L{i}F", f"L{i}N"))) for i in (0, 1)]


@pytest.mark.parametrize("kind", ["cross-layer", "skip", "neurons"])
def test_frozen_the_model_does_what_the_edges_say(every_bridge: Any, kind: str) -> None:
    of = {"cross-layer": transcoders(cross=True), "skip": transcoders(skip=True), "neurons": None}
    study, found = attributed(every_bridge, transcoders=of[kind], max_nodes=200)
    table = NodeTable(study)
    nodes, factors = [*some_units(table), "token@2", "L1error@3"], (1.5, 1.5, 1.5, 1.5)
    before = state_of(every_bridge)
    done = finish(intervene(study, table, nodes, "scale", 2.5, frozen=True))
    assert state_of(every_bridge) == before
    columns = [table.number(name) for name in nodes]
    place = {table.names[int(row)]: i for i, row in enumerate(found.rows)}
    checked = 0
    for node in done.nodes:
        assert node.after == pytest.approx(node.predicted, rel=1e-4, abs=2e-4)
        if node.name in place:
            edges = found.matrix[place[node.name], columns] @ np.array(factors)
            assert node.predicted - node.before == pytest.approx(edges, rel=1e-3, abs=1e-4)
            checked += 1
    assert checked > len(study.targets.ids)


@pytest.mark.parametrize("kind", [{}, {"cross": True, "skip": True}])
def test_free_the_real_model_runs_on(every_bridge: Any, kind: dict[str, Any]) -> None:
    of = transcoders(**kind)
    study, _ = attributed(every_bridge, transcoders=of, max_nodes=200)
    table, (node, _) = NodeTable(study), some_units(NodeTable(study))
    before = state_of(every_bridge)
    done = finish(intervene(study, table, [node], "clamp", 3.0, frozen=False))
    assert state_of(every_bridge) == before
    number, position = table.number(node), int(table.position[table.number(node)])
    change = 3.0 - table.activation[number]
    feature = torch.tensor([int(node.partition("F")[2].partition("@")[0])])

    def add(layer: int) -> Any:
        def hook_function(value: torch.Tensor, hook: Any) -> torch.Tensor:
            value = value.clone()
            value[0, position] += change * of[0].decoder(feature, layer)[0]
            return value

        return f"blocks.{layer}.hook_mlp_out", hook_function

    seen: dict[int, torch.Tensor] = {}
    reads = [(of.reads(every_bridge, i), lambda x, hook, i=i: seen.__setitem__(i, x[0].clone()))
             for i in range(N_LAYERS)]  # fmt: skip
    hooks = [add(layer) for layer in (range(N_LAYERS) if of.cross_layer else [0])]
    with torch.no_grad():
        logits = every_bridge.run_with_hooks(
            torch.tensor([study.prompt.token_ids]), fwd_hooks=[*hooks, *reads]
        )[0, -1]
    for token in done.tokens:
        assert token.after == pytest.approx(float(logits.softmax(-1)[token.token_id]), abs=1e-5)
    capped = study.model.read_out().transforms
    for target in done.nodes[: len(study.targets.ids)]:
        own = logits[study.model.token_id(int(target.name[5:].partition("@")[0]))] - logits.mean()
        assert capped or target.after == pytest.approx(float(own), abs=1e-4)
    for other in done.nodes[len(study.targets.ids) :]:
        number = table.number(other.name)
        layer, at = int(table.layer[number]), int(table.position[number])
        index = int(other.name.partition("F")[2].partition("@")[0])
        real = of[layer].encode(seen[layer][at][None])[0, index]
        assert other.after == pytest.approx(float(real), abs=1e-4)
        assert other.name != node


def test_a_feature_that_is_not_active_can_be_clamped(gpt2: Any) -> None:
    of = transcoders()
    study, _ = attributed(gpt2, transcoders=of, max_nodes=200)
    table, last = NodeTable(study), study.run.n_tokens - 1
    feature = next(f for f in range(40) if f"L2F{f}@{last}" not in table)
    done = finish(intervene(study, table, [f"L2F{feature}@{last}"], "clamp", 2.0, frozen=True))
    gradient = study.targets.readers.gradient
    lost = 2 * gradient @ of[2].decoder(torch.tensor([feature]))[0]
    for node, change in zip(done.nodes, lost.tolist(), strict=False):
        assert node.predicted - node.before == pytest.approx(change, abs=1e-4)
        assert node.after == pytest.approx(node.predicted, abs=1e-4)
    for how, name in (("ablate", f"L2F{feature}@{last}"), ("clamp", f"L2F40@{last}")):
        with pytest.raises(RequestError, match="no node"):
            finish(intervene(study, table, [name], how, 2.0, frozen=True))


def test_free_and_small_the_prediction_is_the_derivative(gpt2: Any) -> None:
    """With all neurons and ratios for slopes it would not be; with linear features it is."""
    of = transcoders(activation="relu")
    study, _ = attributed(gpt2, transcoders=of, max_nodes=10**6)
    table = NodeTable(study)
    last = study.run.n_tokens - 1
    node = next(n for n in table.names if n.startswith("L2F") and n.endswith(f"@{last}"))
    done = finish(intervene(study, table, [node], "scale", 1.001, frozen=False))
    linear = finish(intervene(study, table, [node], "scale", 1.001, frozen=True))
    for free, held in zip(done.nodes, linear.nodes, strict=True):  # nothing is behind it
        assert free.predicted == pytest.approx(held.predicted, abs=1e-5)


def test_neurons_are_measured_in_the_free_model(llama: Any) -> None:
    study, _ = attributed(llama, max_nodes=100)
    table = NodeTable(study)
    node = next(name for name in table.names if name.startswith("L0N"))
    done = finish(intervene(study, table, [node], "ablate", frozen=False))
    same = finish(intervene(study, table, [node], "scale", 1.0, frozen=False))
    assert any(abs(n.after - n.before) > 1e-4 for n in done.nodes)
    for unchanged in same.nodes:
        assert unchanged.after == pytest.approx(unchanged.before, abs=1e-5)
    assert sum(token.before for token in same.tokens) <= 1
    assert "ran on freely" in done.note


@pytest.mark.parametrize(
    ("nodes", "how", "value", "words"),
    [
        ([], "ablate", 0.0, "needs nodes"),
        (["L0F99@1"], "ablate", 0.0, "no node"),
        (["token@2"], "clamp", 1.0, "no activation"),
        (["token@2"], "double", 1.0, "cannot be changed by"),
        (["token@2"], "scale", float("nan"), "finite"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(
    gpt2: Any, nodes: list[str], how: Any, value: float, words: str
) -> None:
    study, _ = attributed(gpt2, PROMPT, max_nodes=20)
    with pytest.raises(RequestError, match=words):
        finish(intervene(study, NodeTable(study), nodes, how, value, frozen=True))


def test_the_model_is_left_as_found_after_an_error(gpt2: Any) -> None:
    study, _ = attributed(gpt2, max_nodes=20)
    table, before = NodeTable(study), state_of(gpt2)

    def fail(*_args: Any) -> None:
        raise MemoryError

    broken = gpt2.blocks[1].mlp.original_component
    broken.forward = fail
    try:
        with pytest.raises(MemoryError):
            finish(intervene(study, table, ["token@2"], "ablate", frozen=False))
    finally:
        del broken.forward
    assert state_of(gpt2) == before
