"""Analyses of a model with interventions."""

from __future__ import annotations

from contextlib import closing

from headscope.jobs.steps import Steps, T
from headscope.model.intervening import Plan


def under(plan: Plan, analysis: Steps[T]) -> Steps[T]:
    """Each step of an analysis runs with the interventions; between steps the model is as it was.

    Args:
        plan: The interventions, worked out on the analysis's model.
        analysis: Its steps, none of which has been taken.

    Raises:
        HeadscopeError: An intervention does not fit what runs.
    """
    with closing(analysis):
        while True:
            with plan.acting():
                try:
                    step = next(analysis)
                except StopIteration as end:
                    found: T = end.value
                    return found
            yield step
