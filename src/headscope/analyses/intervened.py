"""Analyses of a model with interventions."""

from __future__ import annotations

from contextlib import closing

from headscope.interventions import Interventions
from headscope.jobs.steps import Step, Steps, T
from headscope.model.dictionaries import Transcoders
from headscope.model.intervening import Plan, planning
from headscope.model.live import LiveModel


def prepared(
    model: LiveModel,
    interventions: Interventions,
    transcoders: Transcoders | None = None,
    fraction: float = 0.0,
) -> Steps[Plan]:
    """What interventions come to, in steps of one prompt of theirs each.

    Args:
        model: The model.
        interventions: Those that are on count.
        transcoders: Whose features are clamped.
        fraction: How much of the analysis is done by now.

    Raises:
        HeadscopeError: See `planning`.
    """
    work = planning(model, interventions, transcoders)
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: Plan = end.value
            return found
        yield Step(fraction, "Preparing the interventions")


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
