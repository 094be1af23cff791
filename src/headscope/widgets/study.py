"""Widgets that keep the study behind their map, so that its cells can be looked into."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from headscope.analyses.map_trials import MapTrials
from headscope.analyses.patch_outcome import Outcome, outcome
from headscope.arguments import checked
from headscope.jobs import Steps
from headscope.results import Grid
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.pairs import PairWidget

S = TypeVar("S", bound=MapTrials)

_KEPT: WeakKeyDictionary[StudyWidget[Any], tuple[Any, MapTrials]] = WeakKeyDictionary()
"""The study of the widget that was computed or asked last, and what it is of: never more than one,
since a study holds recorded runs, which the pool of cached runs does not count."""


class StudyWidget(PairWidget, Generic[S]):
    """A live map of a prompt pair, or of a set of them, whose cells can be looked into.

    Arguments are those of `PairWidget`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._study: tuple[Any, S] | None = None  # while its job runs
        super().__init__(*args, **options)

    # What a subclass adds.

    def _studies(self, request: Any) -> S:
        """A study of the analysis's request."""
        raise NotImplementedError

    def _steps_of(self, study: S) -> Steps[Grid]:
        """The analysis, on that study."""
        raise NotImplementedError

    # Public.

    @checked
    def outcome(self, *index: int) -> Outcome:
        """What one cell does: distributions before and after, exact value beside the estimate.

        Args:
            index: Row and column; before them, where there are several experiments, which one
                (from 1), or 0 for their mean.

        Raises:
            RequestError: There is no such cell.
            ResultError: There is no result yet.
        """
        return self._ask(lambda _: outcome(self._studied(), index))

    def close(self) -> None:
        """As `HeadscopeWidget.close`; the runs that questions are answered from are freed too."""
        super().close()
        _KEPT.pop(self, None)

    def _analyse(self, request: Any) -> Steps[Grid]:
        _KEPT.pop(self, None)
        of = request, self._model.interventions
        self._study = of, study = of, self._studies(request)
        try:
            return (yield from self._steps_of(study))
        finally:
            self._study = None
            if study.laid_out:
                self._keep(of, study)

    def _keep(self, of: Any, study: S) -> None:
        _KEPT.clear()
        _KEPT[self] = of, study

    def _studied(self) -> S:
        """The study behind what is shown, while it is still running too; see `_ask`.

        Where another one has been kept instead, its prompts are run again, not its cells.
        """
        acting = self._model.interventions
        of = self._effects.requests[bool(acting)], acting
        for known in (self._study, _KEPT.get(self)):
            if known is not None and known[0] == of and known[1].laid_out:
                return cast("S", known[1])
        study = self._studies(of[0])
        for part in (study.prepare, study.record, study.lay_out, study.estimate):
            for _ in study.on_one_model(part()):
                pass
        self._keep(of, study)
        return study

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {"cell": self._answer_cell}

    def _answer_cell(self, params: Params) -> Answer:
        index = [int(i) for i in params["index"]]
        found = self._ask(lambda _: outcome(self._studied(), index))
        return Answer(
            {
                "label": found.label,
                "metric": found.metric,
                "effect": {"exact": found.exact, "estimate": found.estimate},
                "interval": {"exact": found.interval, "estimate": found.estimate_interval},
                "distributions": {"tokens": [dataclasses.asdict(token) for token in found.tokens]},
            }
        )
