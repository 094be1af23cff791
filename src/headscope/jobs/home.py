"""The thread and event loop that a widget belongs to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Home:
    """Where work on a widget may happen: the thread, and its event loop, that built it.

    JupyterLab delivers messages on other threads too; what they ask for is brought home.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._loop: asyncio.AbstractEventLoop | None = None

    def is_here(self) -> bool:
        """Whether the caller is on the home thread."""
        return threading.get_ident() == self._thread

    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The home thread's event loop, once it has been seen running and until it is closed."""
        if self.is_here():
            with suppress(RuntimeError):
                self._loop = asyncio.get_running_loop()
        return None if self._loop is None or self._loop.is_closed() else self._loop

    def bring(self, work: Callable[..., Any], *args: Any) -> None:
        """Do `work` now if the caller is at home, else soon on the loop, if there is one."""
        loop = self.loop()
        if loop is None or self.is_here():
            work(*args)
        else:
            loop.call_soon_threadsafe(work, *args)

    def soon(self, work: Callable[..., Any], *args: Any) -> None:
        """Do `work` in the loop's next turn; now, if there is no loop."""
        loop = self.loop()
        if loop is None:
            work(*args)
        else:
            loop.call_soon_threadsafe(work, *args)
