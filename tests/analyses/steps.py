"""Driving an analysis in a test."""

from __future__ import annotations

from headscope.jobs.steps import Step, Steps
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
