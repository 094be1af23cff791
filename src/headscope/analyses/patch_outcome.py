"""What a patch does, seen closely: next-token distributions, and several patches at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from headscope.analyses.metrics import Metric
from headscope.analyses.patching_study import Study
from headscope.analyses.trials import EXACT, NOT_APPLICABLE
from headscope.errors import RequestError

_TOP = 8


@dataclass(frozen=True)
class TokenShares:
    """One token's probability in three runs.

    Args:
        token_id: Its id.
        text: Its text.
        clean: In the clean run.
        corrupted: In the other run (for ablations the clean one again).
        patched: In the patched run.
    """

    token_id: int
    text: str
    clean: float
    corrupted: float
    patched: float


@dataclass(frozen=True)
class Outcome:
    """What patching one cell does to one prompt pair.

    Args:
        label: What was patched.
        metric: The metric of the runs called `clean`, `corrupted` and `patched`; where patches are
            pinned also `pinned`, of the run with these alone, from which the effect counts.
        exact: The effect, computed.
        estimate: The effect as estimated; None where there is no estimate.
        tokens: The most probable next tokens of the three runs.
    """

    label: str
    metric: dict[str, float]
    exact: float
    estimate: float | None
    tokens: tuple[TokenShares, ...]


def outcome(study: Study, index: Sequence[int]) -> Outcome:
    """Patch one cell and read everything off it.

    Args:
        study: The map's study.
        index: Row and column; before them, where there are several experiments, which one (0 is
            their mean, for which the first one is shown).

    Raises:
        RequestError: There is no such cell, or it is not applicable.
        ResultError: The model has changed since.

    Cost: one patched run, and three unembeddings.
    """
    study.check_unchanged()
    number = _experiments(study, index)[0]
    cell = study.cell(index)
    place = study.map.cells.index(cell)
    if study.states[number, place] == NOT_APPLICABLE:
        raise RequestError(
            "That token meets none of the other prompt, so there is nothing to patch.",
            "Choose another cell, or move the alignment.",
        )
    value, streams = study.together([cell], number)
    experiment = study.experiments[number]
    _, source = study.streams(number)
    base = _plain(study, number)
    base_is_clean = experiment.base is experiment.clean and study.request.source != "noise"
    clean, corrupted = (base, source) if base_is_clean else (source, base)
    plain_value, source_value = study.plain_metric[number], study.source_metric[number]
    values = (plain_value, source_value) if base_is_clean else (source_value, plain_value)
    from_value = float(study.base_metric[number])
    estimate = float(study.effect(study.estimates[number, place]))
    if study.request.grad_drop:
        estimate = abs(estimate)
    spots = study.spots(cell)
    return Outcome(
        label="; ".join(spot.label(experiment.base.tokens) for spot in spots),
        metric={
            "clean": float(values[0]),
            "corrupted": float(values[1]),
            "patched": value,
            **({"pinned": from_value} if study.request.pinned else {}),
        },
        exact=float(study.effect(value - from_value)),
        estimate=None if np.isnan(estimate) else estimate,
        tokens=_shares(
            study, experiment.metric, torch.stack([clean, corrupted, streams[0][0, 0].to(clean)])
        ),
    )


def joint(study: Study, indices: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Patch several cells at once, and each by itself.

    Args:
        study: The map's study.
        indices: Row and column of each cell; before them, where there are several experiments,
            which one: 0, or nothing, for the mean of all.

    Returns:
        `joint`, `single`, `sum` as effects, `metric` of the joint run.

    Raises:
        RequestError: No cell is given, or one does not exist.
        ResultError: The model has changed since.
    """
    if not indices:
        raise RequestError("No cell is given.", "Choose at least one.")
    study.check_unchanged()
    cells = [study.cell(index) for index in indices]
    numbers = _experiments(study, indices[0])
    base = study.base_metric[numbers]
    together = np.array([study.together(cells, number)[0] for number in numbers])
    single = []
    for cell in cells:
        place = study.map.cells.index(cell)
        alone = [
            study.values[number, place]
            if study.states[number, place] == EXACT
            else study.together([cell], number)[0]
            for number in numbers
        ]
        single.append(float(study.effect(np.array(alone) - base).mean()))
    return {
        "joint": float(study.effect(together - base).mean()),
        "single": single,
        "sum": sum(single),
        "metric": float(together.mean()),
    }


def _experiments(study: Study, index: Sequence[int]) -> list[int]:
    """The experiments that an index is about: all of them for their mean."""
    every = list(range(len(study.experiments)))
    if len(every) == 1 or len(index) < 3 or index[0] == 0:
        return every
    if not 1 <= index[0] <= len(every):
        raise RequestError(
            f"There is no experiment {index[0]}.", f"Choose 1 to {len(every)}, or 0 for the mean."
        )
    return [index[0] - 1]


def _plain(study: Study, number: int) -> torch.Tensor:
    """Final stream `[d_model]` of the run patched into, without what is pinned."""
    group = next(g for g in study._groups if number in g.members)
    return group.contrasts[0].plain_streams[group.members.index(number), 0]


def _shares(study: Study, metric: Metric, streams: torch.Tensor) -> tuple[TokenShares, ...]:
    with torch.no_grad():
        shares = study.read_out.logits(streams).softmax(-1)
        k = min(_TOP, shares.shape[-1])
        best = {int(i) for row in shares.topk(k).indices for i in row}
        best |= {*metric.answer[:1], *metric.wrong[:1]}
        ranked = sorted(best, key=lambda i: -float(shares[:, i].max()))
    return tuple(
        TokenShares(i, study.model.token_text(i), *(float(p) for p in shares[:, i])) for i in ranked
    )
