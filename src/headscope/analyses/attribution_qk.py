"""Why a head attends: a score between two tokens, split over what its query and its key read.

    score = sum over u, v of pair(u, v),    pair(u, v) = factor (R q_u) . (R k_v)

where q_u is what node u (a token, a unit, an error, or all biases) gives to the query at `dest`
through the stream and the frozen attention of the layers before, and k_v likewise for the key at
`src`. A query's value is the sum of its pairs, a key's too, so that each side sums to the score.

Sign: positive raises the score, so that the head attends more there.
Source: Anthropic 2025, "Tracing Attention Computation Through Feature Interactions".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from headscope.analyses.attribution_nodes import NodeTable
from headscope.analyses.attribution_study import AttributionStudy, without_gradients
from headscope.components import Input
from headscope.errors import RequestError
from headscope.jobs.steps import Step, Steps
from headscope.model.frozen_scores import HeadScores, head_scores

BIAS = "bias"
"""What biases give, as the name of a node."""


@dataclass(frozen=True)
class ScoreParts:
    """A score, split.

    Args:
        score: The model's own, before any soft cap and softmax.
        pattern: What softmax made of it.
        query: Nodes and their values, largest magnitude first.
        key: Likewise.
        pairs: Query node, key node and value, of the nodes that are listed; likewise.
        rest: What pairs that are not listed come to.
    """

    score: float
    pattern: float
    query: tuple[tuple[str, float], ...]
    key: tuple[tuple[str, float], ...]
    pairs: tuple[tuple[str, str, float], ...]
    rest: float


def split_score(
    study: AttributionStudy,
    table: NodeTable,
    *,
    layer: int,
    head: int,
    dest: int,
    src: int,
    most: int = 20,
) -> Steps[ScoreParts]:
    """Split a score.

    Args:
        study: Prepared.
        table: Its nodes.
        layer: The head's layer.
        head: The head.
        dest: Position of its query.
        src: Position of its key.
        most: Most nodes of a side, and most pairs.

    Raises:
        RequestError: There is no such head, or it cannot attend there.
        ModelError: The model's scores are not products of queries and keys.
    """
    model, run = study.model, study.run
    if not (0 <= layer < run.n_layers and 0 <= head < model.n_heads):
        raise RequestError(f"There is no head L{layer}H{head}.", "Choose one of the model's.")
    if not 0 <= src <= dest < run.n_tokens:
        raise RequestError(
            f"Position {dest} cannot attend to {src}.", f"Choose 0 <= src <= dest < {run.n_tokens}."
        )
    yield Step(0.0, "Reading scores")
    with torch.no_grad():
        scores = head_scores(model, run, study.prompt.token_ids, layer, head)
    query = yield from _parts(study, scores, "q", dest)
    key = yield from _parts(study, scores, "k", src)
    by_query = scores.factor * (query.T @ key.sum(1))
    by_key = scores.factor * (key.T @ query.sum(1))
    first, second = (
        values.abs().topk(min(most, len(values))).indices for values in (by_query, by_key)
    )
    pairs = scores.factor * (query[:, first].T @ key[:, second])
    best = pairs.abs().flatten().topk(min(most, pairs.numel())).indices.tolist()
    names = (*table.names[: study.replacement.n_columns], BIAS)
    listed = tuple(
        (names[int(first[i])], names[int(second[j])], float(pairs[i, j]))
        for i, j in (divmod(place, len(second)) for place in best)
    )
    score = float(scores.scores[dest, src])
    return ScoreParts(
        score,
        float(scores.pattern[dest, src]),
        tuple((names[i], float(by_query[i])) for i in first.tolist()),
        tuple((names[i], float(by_key[i])) for i in second.tolist()),
        listed,
        score - sum(value for *_, value in listed),
    )


def _parts(
    study: AttributionStudy, scores: HeadScores, letter: Input, position: int
) -> Steps[torch.Tensor]:
    """What every column, and then biases, give to the query or the key, `[d_head, column + 1]`."""
    tracing = study.replacement.effects(scores.reader(letter, position))
    effects, constant = yield from without_gradients(tracing, Step(0.3, "Tracing"))
    return scores.turned(torch.cat([effects, constant[:, None]], 1), position)
