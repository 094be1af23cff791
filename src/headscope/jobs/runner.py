"""Drives jobs, a little at a time, on an event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from headscope.jobs.job import Job

#: Seconds of steps between two naps: what a message or a cell waits for at most, besides one step.
CHUNK_S = 0.05
#: A real nap. With `sleep(0)` the loop serves its sockets several times more slowly.
NAP_S = 0.005
#: How often a paused job is looked at.
PAUSED_NAP_S = 0.1


class JobRunner:
    """Runs one job at a time on an event loop; a newer one takes the place of the running one.

    `driving` is true while the loop advances the job, rather than a cell.

    Not a thread: hooks and flags live on the model that the user's own cells share.
    """

    def __init__(self) -> None:
        self.job: Job[Any] | None = None
        self.driving = False
        self._task: asyncio.Task[None] | None = None

    def start(self, job: Job[Any], loop: asyncio.AbstractEventLoop | None) -> None:
        """Make `job` the current one and drive it on `loop`; with no loop it waits for `advance`.

        Call it on the loop's own thread.
        """
        self.discard()
        self.job = job
        if loop is not None:
            self._task = loop.create_task(self._drive(job))

    def discard(self) -> None:
        """Close the current job, if it is still running, without a report."""
        if self.job is not None:
            self.job.discard()
            self.job = None

    async def _drive(self, job: Job[Any]) -> None:
        while not job.ended:
            if job.paused:
                await asyncio.sleep(PAUSED_NAP_S)
                continue
            self.driving = True
            try:
                job.advance(CHUNK_S)
            finally:
                self.driving = False
            await asyncio.sleep(NAP_S)
