"""The pane of a comparison that shows what the other two differ by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Union, cast

import numpy as np

from headscope.errors import ResultError
from headscope.results import Grid, HeadPattern, Patterns
from headscope.results.difference.patterns import head_difference
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.core import Bundle
from headscope.widgets.failure import describe
from headscope.widgets.still import DONE, StillPage
from headscope.wire import encode


class DifferenceView(StillPage[Union[Grid, Patterns]]):
    """A difference that follows two widgets; see `Compare`.

    Args:
        left: What is taken away.
        right: What it is taken from.
    """

    asks: ClassVar[tuple[str, ...]] = ("head",)

    def __init__(self, left: Any, right: Any) -> None:
        self._sides = left, right
        bundle: Bundle = "attention" if left._view_bundle == "attention" else "widget"
        super().__init__(None, view_bundle=bundle)
        self._widget = "ResultView"  # which makes one from Python

    def wait(self, why: str) -> None:
        """What is shown is not of what the two widgets are at."""
        self._status = {**DONE, "state": "running", "message": why}

    def fail(self, error: ResultError) -> None:
        """There is no difference."""
        with self.hold_sync():
            self._last_error = error
            self._error = describe(error)
            self._status = {**DONE, "state": "error"}

    def show(self, result: Grid | Patterns) -> None:
        """The two widgets have settled, and this is what they differ by."""
        with self.hold_sync():
            self._value = result
            self._give(encode(result))
            self._last_error = None
            self._error = None
            self._status = DONE

    @property
    def _settled(self) -> bool:
        return super()._settled and self._status["state"] == "done"

    def _no_result(self) -> ResultError:
        error = self.last_error
        return error if isinstance(error, ResultError) else ResultError("There is no difference.")

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {"head": self._answer_head}

    def _answer_head(self, params: Params) -> Answer:
        held = self._head(int(params["layer"]), int(params["head"]))
        every = [held.weights[None], cast("Any", held.weighted)]
        return Answer(arrays=(np.concatenate(every).astype(np.float16),))

    def _head(self, layer: int, head: int) -> HeadPattern:
        return head_difference(*(_holding(side, layer, head) for side in self._sides))


def _holding(side: Any, layer: int, head: int) -> Patterns:
    """A side's result with this head in full, asked of its model if it has one.

    Raises:
        ResultError: It has none, and does not hold the head.
    """
    shown: Patterns = side.result
    asks = hasattr(side, "head") and not shown.signed
    weights = side.head(layer, head) if asks else shown[layer, head]
    return dataclasses.replace(shown, heads=(HeadPattern(layer, head, weights),))
