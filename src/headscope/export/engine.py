"""The front end's drawing code, run without a browser."""

from __future__ import annotations

import json
from functools import cache
from threading import Lock
from typing import Any

from headscope.errors import ResultError
from headscope.export.bundle import read_bundle

#: One engine for the process: its start costs more than a figure, and it takes one call at a time.
_BUSY = Lock()
_MOST_BYTES = 2**30


def call(function: str, *arguments: Any) -> Any:
    """The value of a function of the figure bundle, for texts and whatever else JSON holds.

    Raises:
        HeadscopeError: The front end is not built.
        ResultError: The figure cannot be drawn; the next one gets an engine of its own.
    """
    from py_mini_racer import JSEvalException

    with _BUSY:
        engine = _engine()
        try:
            return engine.call(function, *arguments)
        except JSEvalException as failed:
            _engine.cache_clear()
            why = str(failed).strip().splitlines()[0]
            raise ResultError(
                f"The figure is not drawn: {why}.", "Save it from the page's Export menu instead."
            ) from failed


@cache
def _engine() -> Any:
    from py_mini_racer import MiniRacer

    engine = MiniRacer()
    engine.set_hard_memory_limit(_MOST_BYTES)
    engine.eval(read_bundle("figure.js"))
    return engine


def as_json(value: Any) -> str:
    """JSON as the bundle reads it."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
