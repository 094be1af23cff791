"""Attribution graphs: which active units made which others, and in the end the next token.

Every MLP of one prompt's run is written as a sum of units (a transcoder's features, or its own
neurons), an error and biases; attention patterns and norm scales are held (`model.replacement`).
An edge is then the direct effect of a source on a target, exactly: what the target's activation
(a logit's value, less the mean of all logits) would lose without the source's write, all else held.
Incoming effects and biases sum to it, and the graph says how exactly.

Sign: positive raises the target's activation, or its logit.
Source: Ameisen et al. 2025, "Circuit Tracing: Revealing Computational Graphs in Language Models";
circuit-tracer's definitions of targets, influence and pruning (`influence`). Beyond it, tokens
carry their position embedding, and what MLPs write at a beginning-of-sequence token, which no
prompt changes, is a bias.
Cost: one forward pass, then per unit a linear backward pass through the layers and positions below.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from headscope.analyses.attribution_effects import Attributed, EffectCollector
from headscope.analyses.attribution_result import graph_of
from headscope.analyses.attribution_study import AttributionRequest, AttributionStudy
from headscope.analyses.influence import Effects, Influence, prune
from headscope.errors import ResultError
from headscope.jobs.steps import Step, Steps
from headscope.model.live import LiveModel
from headscope.results import CircuitGraph

__all__ = ["AttributionRequest", "run"]

Numbers = npt.NDArray[np.int64]


def run(model: LiveModel, request: AttributionRequest) -> Steps[CircuitGraph]:
    """Compute the graph as a `CircuitGraph` of family "attribution".

    Raises:
        ModelError: The model's attention, MLPs or logits are not what is linear here; or the
            transcoders are not made for it.
        PromptError: The prompt cannot be run or is too short, or a target is not one token.
        RequestError: A parameter is out of range, nothing is active, or it needs more memory than
            is free.
        ResultError: The weights changed on the way.
    """
    return (yield from steps(AttributionStudy(model, request)))


def steps(study: AttributionStudy) -> Steps[CircuitGraph]:
    """As `run`, on a study that can be asked more about afterwards."""
    model, request = study.model, study.request
    yield from scaled(study.prepare(), 0.0, 0.1)
    weights = model.state()[0]
    found = yield from scaled(EffectCollector(study).collect(), 0.1, 0.8)
    if model.state()[0] != weights:
        raise ResultError("The model's weights changed meanwhile.", "Run it again.")
    yield Step(0.9, "Summing influence")
    columns, effects = within(study, found)
    influence = Influence.of(effects)
    yield Step(0.93, "Pruning")
    pruned = prune(influence, request.node_share, request.edge_share)
    yield Step(0.96, "Choosing edges")
    return graph_of(study, found, columns, influence, pruned)


T = TypeVar("T")


def scaled(steps: Steps[T], began: float, share: float) -> Steps[T]:
    """The steps of a part of the work."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        yield Step(began + share * step.fraction, step.message)


def within(study: AttributionStudy, found: Attributed) -> tuple[Numbers, Effects]:
    """The nodes of the graph, as columns (targets are left out), and the effects among them."""
    replacement, n_targets = study.replacement, len(study.targets.ids)
    there = np.zeros(replacement.n_columns, np.bool_)
    there[: study.run.n_tokens] = True
    there[found.rows[n_targets:]] = True
    errors = np.zeros_like(there)
    for layer in range(study.run.n_layers):
        errors[replacement.error_columns(layer)[study.constant_first :].numpy()] = True
    columns = np.flatnonzero(there | errors)
    n = len(columns)
    place = np.full(replacement.n_columns + n_targets, -1)
    place[columns] = np.arange(n)
    place[replacement.n_columns :] = n + np.arange(n_targets)
    matrix = np.zeros((n + n_targets, n + n_targets), np.float32)
    if n < replacement.n_columns:
        matrix[place[found.rows], :n] = found.matrix[:, columns]
    else:
        matrix[place[found.rows], :n] = found.matrix
    weights = np.zeros(n + n_targets, np.float32)
    weights[n:] = study.targets.weights
    levels = [0, *np.searchsorted(columns, replacement.starts).tolist(), n + n_targets]
    return columns, Effects(
        matrix, levels, np.append(errors[columns], np.zeros(n_targets, np.bool_)), weights
    )
