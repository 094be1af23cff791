"""What was selected and how the model was changed, step by step, back and forth."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headscope.interventions import Interventions

#: Seconds within which the moves of one slider are one step.
SLIDE_S = 1.0
_MOST = 200


@dataclass(frozen=True)
class Moment:
    """What a step leads to.

    Args:
        selection: What is pinned.
        interventions: The changes of the model's computation.
        prompt: The prompt that positions of the selection are of.
    """

    selection: Mapping[str, Any]
    interventions: Interventions
    prompt: str = ""


class History:
    """Moments, one after the other.

    Moves of one slider are one step; what a new prompt takes out of the selection is none.

    Args:
        now: The first.
        clock: Monotonic seconds.
    """

    def __init__(self, now: Moment, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._past: list[Moment] = []
        self._future: list[Moment] = []
        self._clock = clock
        self._slid: tuple[int, str] | None = None
        self._at = 0.0

    @property
    def behind(self) -> int:
        """How many steps can be undone."""
        return len(self._past)

    @property
    def ahead(self) -> int:
        """How many can be done again."""
        return len(self._future)

    def record(self, moment: Moment) -> None:
        """Note where things are now; what had been undone is gone."""
        if moment == self.now:
            return
        slid, at = slide(self.now.interventions, moment.interventions), self._clock()
        same = slid is not None and slid == self._slid and at - self._at < SLIDE_S
        if not same and not self._fell(moment):
            self._past = [*self._past, self.now][-_MOST:]
            self._future = []
        self.now, self._slid, self._at = moment, slid, at

    def _fell(self, moment: Moment) -> bool:
        """Whether all that differs is what a new prompt does not have."""
        if moment.prompt == self.now.prompt or moment.interventions != self.now.interventions:
            return False
        before = self.now.selection
        return all(value in (None, before.get(name)) for name, value in moment.selection.items())

    def undo(self) -> Moment | None:
        """The moment before; None: there is none."""
        return self._go(self._past, self._future)

    def redo(self) -> Moment | None:
        """The moment that was undone last; None: there is none."""
        return self._go(self._future, self._past)

    def _go(self, back: list[Moment], forth: list[Moment]) -> Moment | None:
        if not back:
            return None
        forth.append(self.now)
        self.now, self._slid = back.pop(), None
        return self.now


def slide(before: Interventions, after: Interventions) -> tuple[int, str] | None:
    """Which number of which intervention is all that differs; None: more does, or nothing."""
    one, other = before.to_list(), after.to_list()
    if len(one) != len(other):
        return None
    changed = [
        (at, name)
        for at, (old, new) in enumerate(zip(one, other, strict=True))
        for name in {*old, *new}
        if old.get(name) != new.get(name)
    ]
    if len(changed) != 1:
        return None
    at, name = changed[0]
    value = other[at].get(name)
    return changed[0] if isinstance(value, (int, float)) and not isinstance(value, bool) else None
