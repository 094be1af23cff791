"""The output beside a live view: shown by readers that have no kernel, and kept as the view is."""

from __future__ import annotations

import time
from asyncio import TimerHandle
from collections.abc import Callable
from typing import Any

from headscope.jobs import Home

#: Seconds without a change after which it is made anew.
_QUIET_S = 1.0
#: Of the kernel's time it may take this share.
_SHARE = 0.2


class StandIn:
    """An output of a cell, made anew between cells a while after what it shows has changed.

    Args:
        name: Names it among the notebook's outputs.
        home: Where it is made; never on another thread.
        make: Its MIME bundle.
    """

    def __init__(self, name: str, home: Home, make: Callable[[], dict[str, Any]]) -> None:
        self._name = name
        self._home = home
        self._make = make
        self._shown = False
        self._wait_s = _QUIET_S
        self._timer: TimerHandle | None = None

    def show(self) -> None:
        """Add it to the running cell's outputs."""
        self._publish(self._made(), update=False)
        self._shown = True

    def outdated(self) -> None:
        """What it shows has changed."""
        if self._shown:
            self._home.bring(self._make_later)

    def remove(self) -> None:
        """Take it away, for good."""
        if self._timer is not None:
            self._timer.cancel()
        if self._shown:
            self._shown = False
            self._publish({"text/html": "", "text/plain": ""}, update=True)

    def _make_later(self) -> None:
        loop = self._home.loop()
        if self._timer is not None:
            self._timer.cancel()
        if loop is not None:
            self._timer = loop.call_later(self._wait_s, self._make_now)

    def _make_now(self) -> None:
        if self._shown:
            self._publish(self._made(), update=True)

    def _made(self) -> dict[str, Any]:
        started = time.perf_counter()
        made = self._make()
        self._wait_s = max(_QUIET_S, (time.perf_counter() - started) / _SHARE)
        return made

    def _publish(self, bundle: dict[str, Any], *, update: bool) -> None:
        from IPython.display import publish_display_data

        publish_display_data(bundle, transient={"display_id": self._name}, update=update)
