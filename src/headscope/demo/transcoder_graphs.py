"""What the attribution graphs of the shown prompts say of the embedded model's transcoders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headscope.demo import load_demo, prompts
from headscope.model import LiveModel
from headscope.model.dictionaries import Transcoders

_CITY = 7
"""Where the city is in the first two-hop prompt."""


def measure(transcoders: Transcoders) -> dict[str, Any]:
    """Scores of whole graphs, one prompt per task, and the effects on the answer of two hops.

    The effects are direct, on logit(answer) - logit(wrong): of the city's token (through attention
    alone), of all features at the city, and of all sources together, biases aside.
    """
    model = LiveModel.of(load_demo())
    scores = {task: _scores(_graph(model, pairs[0].clean, transcoders))
              for task, pairs in prompts.items()}  # fmt: skip
    pair = prompts["two_hop"][0]
    graph = _graph(model, pair.clean, transcoders, (pair.answer,), pair.wrong)
    nodes, edges = graph.nodes, graph.edges
    (logit,) = nodes.of_kind("logit").nonzero()[0]
    into, source = edges.target == logit, edges.source
    effects = graph.measures[0].values
    at_city = nodes.position[source] == _CITY
    parts = {
        "city_token": at_city & nodes.of_kind("token")[source],
        "city_features": at_city & nodes.of_kind("feature")[source],
        "all": into,
    }
    chain = {name: round(float(effects[into & part].sum()), 2) for name, part in parts.items()}
    return {"scores": scores, "two_hop": chain}


def _graph(
    model: LiveModel,
    prompt: str,
    transcoders: Transcoders,
    targets: tuple[str, ...] = (),
    wrong: str | None = None,
) -> Any:
    from headscope.analyses.attribution_graph import AttributionRequest, run

    made: list[Any] = []

    def to_the_end() -> Iterator[Any]:
        made.append(
            (yield from run(model, AttributionRequest(prompt, transcoders, targets, wrong)))
        )

    for _ in to_the_end():
        pass
    return made[0]


def _scores(graph: Any) -> dict[str, float]:
    found = {term.label: term.value for term in graph.scores}
    return {
        name: round(float(found[f"{name.capitalize()} score, whole graph"]), 3)
        for name in ("replacement", "completeness")
    }
