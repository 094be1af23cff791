"""Analyses of a model with interventions."""

from __future__ import annotations

from collections.abc import Callable, Generator

from headscope.components import Layout
from headscope.errors import RequestError
from headscope.interventions import Interventions
from headscope.interventions import kinds as k
from headscope.interventions.targets import target
from headscope.jobs.steps import S, Step, Steps, T, stepwise
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


def under(plan: Plan, analysis: Generator[S, None, T]) -> Generator[S, None, T]:
    """Each step of an analysis runs with the interventions; between steps the model is as it was.

    Args:
        plan: The interventions, worked out on the analysis's model.
        analysis: Its steps, none of which has been taken.

    Raises:
        HeadscopeError: An intervention does not fit what runs.
    """
    return stepwise(plan.acting, analysis)


def refuse(
    acting: Interventions, unfit: Callable[[k.Intervention], bool], why: str, hint: str
) -> None:
    """Refuse interventions that an analysis cannot be had with.

    Args:
        acting: The interventions; those that are on count.
        unfit: Whether it cannot be had with one of them.
        why: What is to be said of it.
        hint: What to do.

    Raises:
        RequestError: There is such a one.
    """
    for item in acting.active:
        if unfit(item):
            raise RequestError(f"{item}: {why}.", hint)


def moves_layers(item: k.Intervention) -> bool:
    """Whether a block runs not at all, several times, or in another's place."""
    return isinstance(item, (k.Swap, k.Repeat)) or (
        isinstance(item, k.Skip) and item.part == "block"
    )


def replaces(item: k.Intervention, layout: Layout) -> frozenset[tuple[str, int]]:
    """The sites, and their layers, whose activation is put in or multiplied."""
    match item:
        case k.Zero() | k.Mean() | k.Patch() | k.Scale():
            where = target(item.component, layout)
            return frozenset({(where.site, where.layer)})
        case k.Skip(part="attn" | "mlp" as part):
            return frozenset((f"{part}_out", layer) for layer in item.layers)
        case _:
            return frozenset()


def breaks_stream(item: k.Intervention, layout: Layout) -> bool:
    """Whether the residual stream is not the sum of all that was written to it any more.

    What is done to the stream before the first block is done to the embedding.
    """
    return any(
        site in ("resid_mid", "resid_post") or (site == "resid_pre" and layer > 0)
        for site, layer in replaces(item, layout)
    )
