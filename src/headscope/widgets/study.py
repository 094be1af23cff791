"""Widgets that keep the study behind their map, so that its cells can be looked into."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from headscope.analyses.map_trials import MapTrials
from headscope.analyses.patch_outcome import Outcome, outcome
from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.jobs import Steps
from headscope.results import Grid
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.pairs import PairWidget

S = TypeVar("S", bound=MapTrials)

_KEPT: WeakKeyDictionary[StudyWidget[Any], MapTrials] = WeakKeyDictionary()
"""The study of the widget that was computed or asked last: never more than one, since a study holds
recorded runs, which the pool of cached runs does not count."""


class StudyWidget(PairWidget, Generic[S]):
    """A live map of a prompt pair, or of a set of them, whose cells can be looked into.

    Arguments are those of `PairWidget`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._study: S | None = None  # while its job runs
        self._laid_out: Any = None  # the request whose cells are known
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
        return outcome(self._studied(), index)

    def close(self) -> None:
        """As `HeadscopeWidget.close`; the runs that questions are answered from are freed too."""
        super().close()
        _KEPT.pop(self, None)

    def _analyse(self, request: Any) -> Steps[Grid]:
        _KEPT.pop(self, None)
        self._study = study = self._studies(request)
        try:
            return (yield from self._steps_of(study))
        finally:
            self._study = None
            if study.laid_out:
                self._laid_out = request
                self._keep(study)

    def _keep(self, study: S) -> None:
        _KEPT.clear()
        _KEPT[self] = study

    def _studied(self) -> S:
        """The study behind what is shown, while it is still running too.

        Where another widget's has been kept instead, its prompts are run again, not its cells.
        """
        if self._study is not None and self._study.laid_out:
            return self._study
        if self in _KEPT:
            return cast("S", _KEPT[self])
        if self._laid_out is None:
            raise RequestError("There is no map yet.", "Call widget.run().")
        self._unchanged(self._shown())
        study = self._studies(self._laid_out)
        for part in (study.prepare, study.record, study.lay_out, study.estimate):
            for _ in study.on_one_model(part()):
                pass
        self._keep(study)
        return study

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {"cell": self._answer_cell}

    def _answer_cell(self, params: Params) -> Answer:
        found = outcome(self._studied(), [int(i) for i in params["index"]])
        return Answer(
            {
                "label": found.label,
                "metric": found.metric,
                "effect": {"exact": found.exact, "estimate": found.estimate},
                "interval": {"exact": found.interval, "estimate": found.estimate_interval},
                "distributions": {"tokens": [dataclasses.asdict(token) for token in found.tokens]},
            }
        )
