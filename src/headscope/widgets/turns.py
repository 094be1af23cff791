"""Views that compute one after the other, the most wanted first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headscope.jobs import Home


class Turns:
    """Gives each view that is behind its turn.

    With no event loop there is nobody to wait for: all are told at once, and compute when asked.

    Args:
        home: Where views are told.
        behind: Names of the views that have something to compute, the most wanted first.
        begin: Tells a view to; returns whether it is still at it.
    """

    def __init__(
        self, home: Home, behind: Callable[[], Sequence[str]], begin: Callable[[str], bool]
    ) -> None:
        self.now: str | None = None
        self._home = home
        self._behind = behind
        self._begin = begin
        self._planned = False

    def look(self) -> None:
        """Something was edited, opened or has ended: see who is next, soon."""
        loop = self._home.loop()
        if loop is None:
            self.take()
        elif not self._planned:
            self._planned = True
            self._home.soon(self.take)

    def ended(self, name: str) -> None:
        """A view is done."""
        if name == self.now:
            self.now = None
            self.look()

    def take(self) -> None:
        """See who is next, now."""
        self._planned = False
        behind = self._behind()
        if self.now is not None and self.now not in behind:
            return  # it computes what is wanted
        self.now = None
        for name in behind:
            if self._begin(name) and self._home.loop() is not None:
                self.now = name
                return
