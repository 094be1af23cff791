"""One computation: a generator of steps, advanced in slices by whoever drives it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Generic, Literal

from headscope.jobs.steps import Steps, T, unhurried

State = Literal["running", "done", "cancelled", "error"]

#: Seconds between two progress reports.
REPORT_EVERY_S = 0.1


class Job(Generic[T]):
    """Drives a generator of steps to its result, its error or its cancellation.

    Everything but `cancel` belongs to the thread that created the job: the generator is advanced
    and closed there only.

    Args:
        steps: The generator; its return value is the result.
        on_progress: Called with the job at most every `REPORT_EVERY_S`.
        on_end: Called with the job exactly once, after which nothing else is reported. Not called
            for a job that is discarded.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        steps: Steps[T],
        *,
        on_progress: Callable[[Job[T]], None] | None = None,
        on_end: Callable[[Job[T]], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state: State = "running"
        self.fraction = 0.0
        self.message = ""
        self.partial: Any = None
        self.result: T | None = None
        self.error: Exception | None = None
        self._steps = steps
        self._on_progress = on_progress
        self._on_end = on_end
        self._clock = clock
        self._started = self._reported = clock()
        self._cancelled = threading.Event()
        self._advancing = False
        self._paused_at: float | None = None

    @property
    def ended(self) -> bool:
        """Whether the job is done, cancelled or failed."""
        return self.state != "running"

    @property
    def paused(self) -> bool:
        """Whether the loop leaves the job alone for now; `advance` still advances it."""
        return self._paused_at is not None and not self.ended

    def pause(self) -> None:
        """Leave the job where it is until `resume`."""
        if self._paused_at is None:
            self._paused_at = self._clock()

    def resume(self) -> None:
        """Go on. The time between does not count as work in `eta_s`."""
        if self._paused_at is not None:
            self._started += self._clock() - self._paused_at
            self._paused_at = None

    @property
    def eta_s(self) -> float | None:
        """Seconds left if the rest goes as fast as what is done; None while that is unknown."""
        if self.ended or self.paused or self.fraction == 0:
            return None
        return (self._clock() - self._started) * (1 - self.fraction) / self.fraction

    def cancel(self) -> None:
        """Ask the job to stop at its next step. May be called from any thread."""
        self._cancelled.set()

    def discard(self) -> None:
        """Stop at once and say nothing: something newer has taken the job's place."""
        self._on_end = None
        self.cancel()
        self.advance()

    def advance(self, budget_s: float | None = None) -> bool:
        """Take steps until the job ends or `budget_s` seconds are used up; at least one step.

        Returns:
            Whether the job has ended.

        Raises:
            KeyboardInterrupt: Raised in a step; the job is cancelled first.
        """
        if self.ended or self._advancing:
            return self.ended
        deadline = None if budget_s is None else self._clock() + budget_s
        self._advancing = True
        try:
            with unhurried() if budget_s is None else nullcontext():
                while not self._step():
                    if deadline is not None and self._clock() >= deadline:
                        break
        except BaseException:
            self._steps.close()
            self._end("cancelled")
            raise
        finally:
            self._advancing = False
        return self.ended

    def _step(self) -> bool:
        try:
            if self._cancelled.is_set():
                self._steps.close()
                self._end("cancelled")
                return True
            step = next(self._steps)
        except StopIteration as stop:
            self.result = stop.value
            self.fraction = 1.0
            self._end("done")
        except Exception as error:
            self.error = error
            self._end("error")
        else:
            self.fraction = max(self.fraction, min(step.fraction, 1.0))
            self.message = step.message
            if step.partial is not None:
                self.partial = step.partial
            self._report()
        return self.ended

    def _report(self) -> None:
        now = self._clock()
        if self._on_progress is not None and now - self._reported >= REPORT_EVERY_S:
            self._reported = now
            self._on_progress(self)

    def _end(self, state: State) -> None:
        if self.ended:
            return
        self.state = state
        self.message = ""
        if self._on_end is not None:
            self._on_end(self)
