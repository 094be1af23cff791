"""From city to state to capital in an attribution graph of the embedded model, and by steering."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import headscope as hs
from headscope import demo
from headscope.demo import evaluate, state_features
from headscope.demo.world import states

PAIR = demo.prompts["two_hop"][0]
CITY = 7


@pytest.fixture(scope="module")
def widget() -> Iterator[hs.AttributionGraph]:
    transcoders = demo.load_demo_transcoders()
    made = hs.AttributionGraph(
        demo.load_demo(), PAIR.clean, transcoders, target=PAIR.answer, wrong=PAIR.wrong
    )
    made.run()
    yield made
    made.close()


@pytest.fixture(scope="module")
def features() -> dict[str, list[str]]:
    """The nodes at the city that are most a state's own."""
    with torch.no_grad():
        cities = state_features.Cities(*evaluate.load_weights(), demo.load_demo_transcoders())
    names = [state.name for state in states()]
    return {
        state: [f"L{layer}F{int(feature)}@{CITY}" for layer in range(3)
                for feature in cities.features(layer)[names.index(state)]]
        for state in ("Texas", "California")
    }  # fmt: skip


def test_the_graph_adds_up_and_replaces_most_of_the_model(widget: hs.AttributionGraph) -> None:
    scores = {term.label: term.value for term in widget.result.scores}
    assert scores["Replacement score, whole graph"] > 0.8
    assert scores["Completeness score, whole graph"] > 0.9
    assert "within" in widget.result.provenance.notes[0]


def test_the_city_makes_the_state_and_the_state_the_capital(
    widget: hs.AttributionGraph, features: dict[str, list[str]]
) -> None:
    graph = widget.result
    assert graph.provenance.prompts[0].tokens[CITY] == " Dallas"
    table = graph.to_dataframe().set_index(["source", "target"]).effect
    detectors = [
        f"{name}@{CITY}" for name in demo.transcoders_card()["states"]["Texas"]["detectors"]
    ]
    assert set(detectors) <= set(features["Texas"])
    logit, city = graph.names[-1], f"token@{CITY}"
    for name in features["Texas"]:
        assert name in graph.names
        assert table[city, name] > 0
    for name in detectors:
        activation = graph.of_nodes("activation")[graph.index(name)]
        assert table[city, name] > 0.6 * activation
        assert table[name, logit] > 0.2
    assert sum(table.get((name, logit), 0.0) for name in features["Texas"]) > 1


def test_without_the_state_the_capital_loses_what_is_predicted(
    widget: hs.AttributionGraph, features: dict[str, list[str]]
) -> None:
    done = widget.intervene(features["Texas"], "ablate")
    logit = done.nodes[0]
    assert logit.after < logit.before - 0.5
    assert logit.predicted < logit.before - 0.5
    held = widget.intervene(features["Texas"], "ablate", frozen=True)
    assert held.nodes[0].after == pytest.approx(held.nodes[0].predicted, abs=1e-3)


def test_another_state_in_its_place_makes_its_capital_the_answer(
    widget: hs.AttributionGraph, features: dict[str, list[str]]
) -> None:
    token_id = widget._model.token_id
    answer, other = token_id(PAIR.answer), token_id(PAIR.wrong)
    intact = max(widget.intervene([f"L3error@{CITY}"], "scale", 1.0).tokens, key=lambda t: t.after)
    assert (intact.token_id, intact.after > 0.9) == (answer, True)
    steered = widget.intervene(features["California"], "clamp", 200.0)
    best = max(steered.tokens, key=lambda token: token.after)
    assert (best.token_id, best.after > 0.5) == (other, True)
    assert steered.nodes[0].after < 0 < steered.nodes[0].before
