"""Widgets of a result that is there already: no model is behind them."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from headscope.errors import ResultError
from headscope.results import CircuitGraph, Grid, Patterns
from headscope.widgets.closed import Closed
from headscope.widgets.living import register
from headscope.widgets.published import PublishedPage
from headscope.widgets.selection import ANY, Limits
from headscope.wire import Payload, encode
from headscope.wire.messages import JobStatus

R = TypeVar("R", bound=Grid | Patterns | CircuitGraph)

DONE: JobStatus = {
    "job": 0, "state": "done", "fraction": 1.0, "eta_s": None, "message": "", "paused": None,
}  # fmt: skip


class StillPage(PublishedPage, Generic[R]):
    """A page with a result, of which nothing is computed."""

    def __init__(self, result: R | None, **traits: Any) -> None:
        self._value: R | None = None
        self._gone = False
        payload = {} if result is None else {**encode(result)}
        super().__init__(_result=payload, _status=DONE, **traits)
        self._value = result
        register(self)

    @property
    def result(self) -> R:
        """The result that is shown.

        Raises:
            ResultError: The widget is closed.
        """
        if self._gone:
            raise Closed.error()
        if self._value is None:
            raise self._no_result()
        return self._value

    def run(self) -> R:
        """As `result`: there is nothing to compute."""
        return self.result

    def close(self) -> None:
        """Remove the widget from the page, and let go of its result."""
        super().close()
        self._gone = True
        self._value = None
        self._result = {}

    def cancel(self) -> None:
        """There is nothing to cancel."""

    def __repr__(self) -> str:
        shown = "closed" if self._gone else f"{self._value!r}"
        return f"{type(self).__name__}({shown})"

    @property
    def _closed(self) -> bool:
        return self._gone

    def _no_result(self) -> ResultError:
        return ResultError("There is no result.", "Make a widget of one.")

    def _payload(self) -> Payload | None:
        return None if self._value is None else encode(self._value)

    @property
    def _settled(self) -> bool:
        return self._value is not None

    def _run_again(self) -> None:
        """There is nothing to run."""

    def _acknowledged(self) -> None:
        """There is no progress."""

    def _limits(self) -> Limits:
        return ANY
