"""What a patch does, seen closely: next-token distributions, and several patches at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.effects import bootstrap, mean_effect
from headscope.analyses.map_trials import EXACT, NOT_APPLICABLE, MapTrials
from headscope.analyses.metrics import Metric
from headscope.analyses.patching_study import Study
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
    """What patching one cell does to one prompt pair, or on average to a set of them.

    Args:
        label: What was patched.
        metric: The metric of the runs called `clean`, `corrupted` and `patched`; where patches are
            pinned also `pinned`, of the run with these alone, from which the effect counts. Of a
            set the means.
        exact: The effect, computed.
        estimate: The effect as estimated; None where there is no estimate.
        tokens: The most probable next tokens of the three runs; none of a set.
        interval: Of a set the 95 % bootstrap interval of the exact mean effect.
        estimate_interval: That of the estimated one.
    """

    label: str
    metric: dict[str, float]
    exact: float
    estimate: float | None
    tokens: tuple[TokenShares, ...] = ()
    interval: tuple[float, float] | None = None
    estimate_interval: tuple[float, float] | None = None


def outcome(study: MapTrials, index: Sequence[int]) -> Outcome:
    """Patch one cell and read everything off it.

    Args:
        study: The map's study.
        index: Row and column; before them, where there are several experiments, which one, or 0
            for their mean.

    Raises:
        RequestError: There is no such cell, or it is not applicable.
        ResultError: The model has changed since.

    Cost: three unembeddings, and the patched runs that are not there yet: one, or for the mean one
    per experiment.
    """
    study.check_unchanged()
    numbers, place = _experiments(study, index), study.place(index)
    applicable = [i for i in numbers if study.states[i, place] != NOT_APPLICABLE]
    if not applicable:
        raise RequestError(
            "Nothing of the other run meets this place, so there is nothing to patch.",
            "Choose another cell, or move the alignment.",
        )
    streams = [study.final_streams(i, place)[0][0] for i in applicable]
    contrast, row = study.contrast(applicable[0])
    first = contrast.experiments[row]
    metrics = [study.plain_metric, study.source_metric]
    finals = [contrast.plain_streams[row, 0], contrast.source_streams[row, 0]]
    if first.base is not first.clean or contrast.disturbance is not None:
        metrics.reverse()
        finals.reverse()
    told = {"clean": metrics[0], "corrupted": metrics[1], "patched": study.values[:, place]}
    if study.pinned:
        told["pinned"] = study.base_metric
    tokens: tuple[TokenShares, ...] = ()
    if len(numbers) == 1:
        tokens = _shares(study, first.metric, torch.stack([*finals, streams[0].to(finals[0])]))
    exact, interval = _effect(study, numbers, study.values[:, place] - study.base_metric)
    estimate, estimate_interval = _effect(study, numbers, study.estimates[:, place])
    if estimate is not None and not study.signed:
        estimate, estimate_interval = abs(estimate), None
    return Outcome(
        label=study.label(applicable[0], place),
        metric={name: float(values[applicable].mean()) for name, values in told.items()},
        exact=cast("float", exact),
        estimate=estimate,
        tokens=tokens,
        interval=interval,
        estimate_interval=estimate_interval,
    )


def _effect(
    study: MapTrials, numbers: Sequence[int], change: npt.NDArray[np.float64]
) -> tuple[float | None, tuple[float, float] | None]:
    """The effect of changes of the metric `[experiment]`, and of several the interval."""
    if len(numbers) == 1:
        values = [float(study.effect(change[numbers[0]]))]
    else:
        values = [*mean_effect(study, change[:, None]), *bootstrap(study, change[:, None])[:, 0]]
    known = [float(value) for value in values if not np.isnan(value)]
    return known[0] if known else None, (known[1], known[2]) if len(known) == 3 else None


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
    together = np.array([study.together(cells, number) for number in numbers])
    single = []
    for cell in cells:
        place = study.place(cell.index)
        alone = [
            study.values[number, place]
            if study.states[number, place] == EXACT
            else study.together([cell], number)
            for number in numbers
        ]
        single.append(float(study.effect(np.array(alone) - base).mean()))
    return {
        "joint": float(study.effect(together - base).mean()),
        "single": single,
        "sum": sum(single),
        "metric": float(together.mean()),
    }


def _experiments(study: MapTrials, index: Sequence[int]) -> list[int]:
    """The experiments that an index is about: all of them for their mean."""
    every = list(range(len(study.experiments)))
    if len(every) == 1 or len(index) < 3 or index[0] == 0:
        return every
    if not 1 <= index[0] <= len(every):
        raise RequestError(
            f"There is no experiment {index[0]}.", f"Choose 1 to {len(every)}, or 0 for the mean."
        )
    return [index[0] - 1]


def _shares(study: MapTrials, metric: Metric, streams: torch.Tensor) -> tuple[TokenShares, ...]:
    with torch.no_grad():
        shares = study.read_out.logits(streams).softmax(-1)
        k = min(_TOP, shares.shape[-1])
        best = {int(i) for row in shares.topk(k).indices for i in row}
        best |= {*metric.answer[:1], *metric.wrong[:1]}
        ranked = sorted(best, key=lambda i: -float(shares[:, i].max()))
    return tuple(
        TokenShares(i, study.model.token_text(i), *(float(p) for p in shares[:, i])) for i in ranked
    )
