"""What an analysis gives with interventions, without them, and the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast, get_args

from headscope.analyses.intervened import prepared, under
from headscope.analyses.predictions import Shift, shifts
from headscope.errors import RequestError
from headscope.interventions import Interventions
from headscope.jobs import Step, Steps
from headscope.model import LiveModel
from headscope.model.dictionaries import Transcoders
from headscope.model.intervening import Plan, held
from headscope.results import CircuitGraph, Grid, Patterns
from headscope.results.difference import difference
from headscope.wire.messages import Effect

R = TypeVar("R", Grid, Patterns, CircuitGraph)
T = TypeVar("T")

_EFFECTS: tuple[Effect, ...] = get_args(Effect)


class Effects(Mapping[Effect, R]):
    """Results of one request: `with` interventions, `without` them, and their `difference`.

    The difference is the former less the latter; graphs have none. Where no intervention acts,
    `with` is `without` and the difference 0; while they are computed some are missing.

    Args:
        requests: What was asked of the plain model, and with interventions.
        plain: The plain model's result.
        acting: That with interventions.
        plan: Those interventions; None: none acts.
        shifts: Next tokens before and after.
        laid_out_as: From the plain result and the other to the plain one with the other's axes.
    """

    def __init__(
        self,
        requests: tuple[Any, Any],
        plain: R | None,
        acting: R | None,
        plan: Plan | None = None,
        shifts: tuple[Shift, ...] = (),
        laid_out_as: Callable[[R, R], R] | None = None,
    ) -> None:
        self.requests = requests
        self._laid_out_as: Callable[[R, R], R] | None = laid_out_as
        self.plan = plan
        self.shifts = shifts
        found: dict[Effect, R | None] = {"with": acting, "without": plain}
        self._found: dict[Effect, R] = {
            effect: result for effect, result in found.items() if result is not None
        }

    def __getitem__(self, effect: Effect) -> R:
        if effect == "difference" and effect not in self._found:
            plain, acting = self._found["without"], self._found["with"]
            if self._laid_out_as is not None:
                plain = self._laid_out_as(plain, acting)
            less: Any = difference
            self._found[effect] = cast("R", less(plain, acting))
        return self._found[effect]

    def __iter__(self) -> Iterator[Effect]:
        if len(self._found) < 2:
            return iter(self._found)
        graphs = isinstance(self._found["with"], CircuitGraph)
        return iter(_EFFECTS[:2] if graphs else _EFFECTS)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def shown(self, effect: Effect) -> R | None:
        """What a widget shows whose `effect` this is; None: it is not there yet."""
        return self.get(effect)

    def improve(self, effect: Effect, more: Callable[[R], R]) -> None:
        """Put more into a result of which something was measured since, if it is still there."""
        known = self._found.get(effect)
        if known is not None:
            made = more(known)
            self._found = {
                name: made if result is known else result for name, result in self._found.items()
            }

    def ask(
        self,
        effect: Effect,
        question: Callable[[], T],
        less: Callable[[T, T], T] | None = None,
    ) -> T:
        """Ask the model about what a widget shows whose `effect` this is.

        Args:
            effect: With or without interventions; a difference asks both.
            question: The question.
            less: The difference of two answers; None: they have none.

        Raises:
            RequestError: A difference was asked what has none.
        """
        if effect == "without":
            return question()
        if effect == "difference" and less is None:
            raise RequestError(
                "This is asked of one model, and a difference is of two.",
                "Show it with or without the interventions.",
            )
        with nullcontext() if self.plan is None else self.plan.acting():
            answer = question()
        return answer if effect == "with" or less is None else less(answer, question())


class Sides(Generic[R]):
    """Computes with and without interventions, and again only what has changed."""

    def __init__(self) -> None:
        self._plain: tuple[Any, R] | None = None
        self._plan: Plan | None = None

    def forget(self) -> None:
        """Keep nothing: all is computed next time."""
        if self._plan is not None:
            self._plan.disown()
        self._plain = self._plan = None

    def steps(
        self,
        model: LiveModel,
        request: Any,
        interventions: Interventions | None,
        analyse: Callable[[Any], Steps[R]],
        as_it_ran: Callable[[Any, R], Any],
        laid_out_as: Callable[[R, R], R],
        transcoders: Transcoders | None = None,
    ) -> Steps[Effects[R]]:
        """Both results; those that steps have on the way are `Effects` too.

        Args:
            model: The model.
            request: Of the analysis.
            interventions: Those that are on act; None: the analysis takes none.
            analyse: The analysis.
            as_it_ran: From a request and its result to the request with what was left to the
                analysis, so that both sides ask the same.
            laid_out_as: From the plain result and the other to the plain one with the other's axes.
            transcoders: Whose features are clamped.

        Raises:
            HeadscopeError: What the analysis refuses, or an intervention that does not fit.
        """
        plan = None
        if interventions is not None and interventions.active:
            plan = yield from self._planned(model, interventions.active, transcoders)
        state, began, both = model.state(), 0.0, (request, request)
        plain = self._plain[1] if self._plain and self._plain[0] == (request, state) else None
        if plain is None:
            began = 1.0 if plan is None else 0.5

            def so_far(found: R) -> Effects[R]:
                return Effects(both, found, None if plan else found, plan)

            plain = yield from _part(analyse(request), 0.0, began, so_far)
            if interventions is not None:
                self._plain = (request, state), plain
        if plan is None:
            return Effects(both, plain, plain)
        both = request, as_it_ran(request, plain)
        yield Step(began, partial=Effects(both, plain, None, plan))
        moved: tuple[Shift, ...] = ()

        def known(found: R) -> Effects[R]:
            nonlocal moved
            # The run is cached by now, if the analysis has run this prompt by itself.
            moved = moved or shifts(plan, plain.provenance.prompts[0].token_ids)
            return Effects(both, plain, found, plan, moved, laid_out_as)

        acting = yield from _part(under(plan, analyse(both[1])), began, 1.0 - began, known)
        return known(acting)

    def _planned(
        self, model: LiveModel, interventions: Interventions, transcoders: Transcoders | None
    ) -> Steps[Plan]:
        """What interventions come to, worked out once for all widgets that have the same."""
        if (plan := held(model, interventions, transcoders)) is None:
            plan = yield from prepared(model, interventions, transcoders)
        self._plan = plan
        return plan


def _part(
    steps: Steps[R], began: float, share: float, known: Callable[[R], Effects[R]]
) -> Steps[R]:
    """Steps that are `share` of more, from `began` on, and what is known by their results."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return cast("R", end.value)
            partial = None if step.partial is None else known(step.partial)
            yield replace(step, fraction=began + share * step.fraction, partial=partial)
