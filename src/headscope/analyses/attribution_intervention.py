"""Does the graph tell the truth? Nodes are changed, and what follows is predicted and measured.

A node's write is scaled to what the wished activation makes it. With everything frozen (attention
patterns, norm scales, and the MLPs but for the change) only direct effects are left: the prediction
is the sum of the nodes' edges and the model must do exactly that. Otherwise the real model runs on,
MLPs and attention included, and the prediction is the linear model's, in which active units follow
what they read in proportion.

Cost: one or two forward passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from headscope.analyses.attribution_nodes import NodeTable, Write
from headscope.analyses.attribution_study import AttributionStudy
from headscope.errors import RequestError
from headscope.jobs.steps import Step, Steps
from headscope.model.changed_runs import ChangedRun, run_changed
from headscope.model.transcoded import readings

How = Literal["ablate", "scale", "clamp"]
HOWS: tuple[How, ...] = ("ablate", "scale", "clamp")
_TOKENS = 10


@dataclass(frozen=True)
class NodeChange:
    """A node before and after.

    Args:
        name: Its name.
        before: Activation of a unit; of a target its logit less what it is compared with.
        predicted: By the graph.
        after: Of the model that was run.
    """

    name: str
    before: float
    predicted: float
    after: float


@dataclass(frozen=True)
class TokenChange:
    """A next token's probability in the model before and after.

    Args:
        token_id: The token.
        before: Its probability.
        after: Likewise.
    """

    token_id: int
    before: float
    after: float


@dataclass(frozen=True)
class Intervention:
    """What came of a change.

    Args:
        nodes: The targets, then the units that were to change most.
        tokens: The most probable next tokens before or after.
        note: What was done.
    """

    nodes: tuple[NodeChange, ...]
    tokens: tuple[TokenChange, ...]
    note: str


def intervene(
    study: AttributionStudy,
    table: NodeTable,
    nodes: Sequence[str],
    how: How,
    value: float | None = None,
    *,
    frozen: bool,
    most: int = 20,
) -> Steps[Intervention]:
    """Change nodes.

    Args:
        study: Prepared.
        table: Its nodes.
        nodes: Names of units; errors and tokens can be ablated or scaled too, and features that are
            not active, such as `L2F17@7`, clamped.
        how: `ablate` (to zero), `scale` (by `value`) or `clamp` (to `value`).
        value: See `how`; `ablate` has none.
        frozen: Whether everything but the change's direct effects is held.
        most: Most units listed.

    Raises:
        RequestError: There is no such node, or it cannot be changed like that.
    """
    if how not in HOWS:
        raise RequestError(f"Nodes cannot be changed by {how!r}.", f"Choose from {HOWS}.")
    if value is None and how != "ablate":
        raise RequestError(f"{how} has no value.", f"Pass value=2.0, say, to {how} by or to it.")
    value = 0.0 if value is None else value
    if not nodes or not np.isfinite(value):
        raise RequestError("An intervention needs nodes and a finite value.", "Select some nodes.")
    moved: dict[int, torch.Tensor] = {}
    fixed = torch.zeros(study.replacement.n_columns, dtype=torch.bool)
    for name in dict.fromkeys(nodes):
        factor, write = _change(study, table, name, how, value)
        for layer, vector in write.vectors.items():
            change = moved.setdefault(layer, torch.zeros_like(study.run.streams[0]))
            change[write.position] += factor * vector
        if name in table:
            fixed[table.number(name)] = True
    yield Step(0.0, "Predicting")
    with torch.no_grad():
        changes, last = study.replacement.push(moved, None if frozen else fixed)
    yield Step(0.3, "Running the model")
    changed = _run(study, moved, frozen=frozen)
    with torch.no_grad():
        found = _listed(study, table, changes, last, changed, fixed, frozen=frozen, most=most)
    first = study.run.logits(study.run.n_tokens - 1).softmax(-1)
    then = changed.logits.cpu().softmax(-1)
    ids = torch.cat([first.topk(_TOKENS).indices, then.topk(_TOKENS).indices]).unique()
    ids = ids[torch.maximum(first, then)[ids].argsort(descending=True)][:_TOKENS]
    tokens = (TokenChange(i, float(first[i]), float(then[i])) for i in ids.tolist())
    return Intervention(found, tuple(tokens), f"{_DONE[how].format(value)}; {_NOTES[frozen]}")


_DONE = {"ablate": "Set to 0", "scale": "Scaled by {:g}", "clamp": "Set to {:g}"}
_NOTES = {
    True: "attention patterns, norm scales and other MLP outputs held; predicted are the edges.",
    False: "the model ran on freely; predicted are all paths of the linear model, in which units "
    "follow what they read in proportion.",
}


def _change(
    study: AttributionStudy, table: NodeTable, name: str, how: How, value: float
) -> tuple[float, Write]:
    """A write of a node, and how many times it is added."""
    if name not in table and how == "clamp" and (write := table.inactive(name)):
        return value, write
    activation = float(table.activation[table.number(name)])
    write = table.write(name)
    if how == "ablate":
        return -1.0, write
    if how == "scale":
        return value - 1.0, write
    if np.isnan(activation):
        raise RequestError(f"{name} has no activation to clamp.", "Use ablate or scale.")
    return value / activation - 1.0, write


def _run(study: AttributionStudy, moved: Mapping[int, torch.Tensor], *, frozen: bool) -> ChangedRun:
    layers = range(study.run.n_layers)
    hooks = {
        "blocks.0.hook_resid_pre" if layer < 0 else f"blocks.{layer}.hook_mlp_out": change
        for layer, change in moved.items()
    }
    wanted = [_stream(study, layer) for layer in layers]
    wanted.append(f"blocks.{layers[-1]}.hook_resid_post")
    if study.request.transcoders is None:
        wanted += [f"blocks.{layer}.mlp.hook_post" for layer in layers]
    skips = study.replacement.skips if frozen else ()
    beside = {
        f"blocks.{layer}.hook_mlp_out": (_stream(study, layer), skip)
        for layer, skip in enumerate(skips)
        if skip is not None
    }
    ids = study.prompt.token_ids
    return run_changed(study.model, ids, hooks, wanted, frozen=frozen, beside=beside)


def _stream(study: AttributionStudy, layer: int) -> str:
    """The hook of the stream that a layer's MLP reads."""
    return f"blocks.{layer}.{'hook_resid_pre' if study.run.parallel else 'hook_resid_mid'}"


def _listed(
    study: AttributionStudy,
    table: NodeTable,
    changes: Sequence[torch.Tensor],
    last: torch.Tensor,
    changed: ChangedRun,
    fixed: torch.Tensor,
    *,
    frozen: bool,
    most: int,
) -> tuple[NodeChange, ...]:
    targets, run = study.targets, study.run
    readers = targets.readers
    predicted = targets.values + (readers.gradient * last[readers.position]).sum(-1)
    end = changed.activations[f"blocks.{run.n_layers - 1}.hook_resid_post"][readers.position]
    scale = torch.ones(1, device=end.device)
    if not frozen:
        path = study.model.read_out()
        scale = path.scale(run.streams[-1][readers.position]) / path.scale(end)
    after = (readers.gradient * end * scale).sum(-1) + readers.offset
    first = study.replacement.n_columns
    rows = zip(table.names[first:], targets.values, predicted, after, strict=True)
    found = [NodeChange(name, float(b), float(p), float(a)) for name, b, p, a in rows]
    listed: list[tuple[int, int, float]] = []
    for layer, change in enumerate(changes):
        columns = study.replacement.columns(layer)
        listed += [
            (layer, i, float(change[i]))
            for i in change.abs().topk(min(most, len(change))).indices.tolist()
            if change[i] and not fixed[columns[i]]
        ]
    listed.sort(key=lambda item: -abs(item[2]))
    del listed[most:]
    for layer in sorted({layer for layer, *_ in listed}):
        values = _activations(study, layer, changed, frozen=frozen)
        for i, moving in ((i, c) for at, i, c in listed if at == layer):
            name = table.names[int(study.replacement.columns(layer)[i])]
            before = float(study.replacement.units[layer].activation[i])
            found.append(NodeChange(name, before, before + moving, float(values[i])))
    n = len(targets.ids)
    return (*found[:n], *sorted(found[n:], key=lambda c: -abs(c.predicted - c.before)))


def _activations(
    study: AttributionStudy, layer: int, changed: ChangedRun, *, frozen: bool
) -> torch.Tensor:
    """Activations of a layer's units in the run, `[unit]`; linear where it is frozen."""
    units, stream = study.replacement.units[layer], changed.activations[_stream(study, layer)]
    if frozen:
        readers = study.replacement.readers(layer, torch.arange(len(units)))
        return (readers.gradient * stream[units.position]).sum(-1) + readers.offset
    transcoders = study.request.transcoders
    if transcoders is None:
        every = changed.activations[f"blocks.{layer}.mlp.hook_post"]
    else:
        reading = readings(study.model.bridge, study.run, transcoders)[layer]
        every = transcoders[layer].encode(reading.of(stream))
    return every[units.position, units.index]
