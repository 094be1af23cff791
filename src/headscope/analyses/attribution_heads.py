"""Attention's part of an edge: the heads that carry it from its source's position.

An edge is the sum of all paths from source to target along the residual stream. One path stays at
its position; each head of a layer in between is a path of its own: it reads the source's write from
the stream and writes it at the target's position,

    value(head) = pattern[dest, src] . (write W_V W_O) . what the target reads,

with norm scales held. These are exact; what is left of the edge went through several heads in turn
(or through a transcoder's linear skip).

Sign: as the edge's. Shares are of the edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from headscope.analyses.attribution_nodes import NodeTable
from headscope.analyses.attribution_study import AttributionStudy, without_gradients
from headscope.errors import RequestError
from headscope.jobs.steps import Step, Steps


@dataclass(frozen=True)
class HeadShare:
    """What one head alone carries of an edge.

    Args:
        layer: Its layer.
        head: Its number.
        value: In the edge's unit.
    """

    layer: int
    head: int
    value: float


@dataclass(frozen=True)
class EdgeByHeads:
    """An edge, split.

    Args:
        total: The edge.
        direct: What stays at its position.
        heads: What single heads carry, largest magnitude first.
        rest: What went through several heads.
    """

    total: float
    direct: float
    heads: tuple[HeadShare, ...]
    rest: float


def split(
    study: AttributionStudy, table: NodeTable, source: str, target: str
) -> Steps[EdgeByHeads]:
    """Split an edge.

    Args:
        study: Prepared.
        table: Its nodes.
        source: Name of the node that writes.
        target: Name of the node that reads.

    Raises:
        RequestError: There is no such node, or no path from one to the other.
    """
    write, reader = table.write(source), table.reader(target)
    dest, point = int(reader.position), int(reader.point)
    first = min(write.vectors)
    if write.position > dest or 2 * first + 2 > point:
        raise RequestError(f"Nothing leads from {source} to {target}.", "Choose an edge.")
    tracing = study.replacement.effects(reader)
    effects, _ = yield from without_gradients(tracing, Step(0.0, "Tracing"))
    total = float(effects[0, table.number(source)])
    gradient = reader.gradient[0]
    stream = torch.zeros_like(gradient)
    heads: list[HeadShare] = []
    for layer in range(study.run.n_layers):
        stream = stream + write.vectors.get(layer - 1, 0.0)
        if 2 * layer + 1 > point:
            break
        with torch.no_grad():
            moved = study.run.attention[layer].by_head(gradient, dest, write.position, stream)
        heads += [HeadShare(layer, head, value) for head, value in enumerate(moved.tolist())]
    at_end = sum(v for layer, v in write.vectors.items() if 2 * layer + 2 <= point)
    direct = float(gradient @ at_end) if write.position == dest else 0.0
    heads = sorted((h for h in heads if h.value), key=lambda h: -abs(h.value))
    return EdgeByHeads(
        total, direct, tuple(heads), total - direct - sum(head.value for head in heads)
    )
