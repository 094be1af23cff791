"""Driving an analysis in a test."""

from __future__ import annotations

from typing import Any

import torch

from headscope.jobs.steps import Step, Steps, drained
from headscope.model import LiveModel
from headscope.model.intervening.vectors import vectors
from headscope.results.base import ResultBase


def drain(steps: Steps[ResultBase]) -> tuple[ResultBase, list[Step]]:
    """The result, and every step on the way."""
    seen: list[Step] = []

    def watched() -> Steps[None]:
        result = yield from steps
        finished.append(result)

    finished: list[ResultBase] = []
    seen.extend(watched())
    return finished[0], seen


def result_of(steps: Steps[ResultBase]) -> ResultBase:
    """The result alone."""
    return drain(steps)[0]


def vector(model: LiveModel, direction: Any, layer: int) -> torch.Tensor:
    """A direction in the stream before one block, float32 `[d_model]`."""
    found: torch.Tensor = drained(vectors(model, direction, (layer,)))
    return found[0]
