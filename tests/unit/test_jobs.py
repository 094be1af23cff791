"""Jobs: paced, cancellable, always ended exactly once."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from headscope.jobs import Home, Job, JobRunner, Step, Steps


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Work:
    """Steps that record where they ran and how they ended."""

    def __init__(self, steps: int = 4, *, seconds: float = 0.0, clock: Clock | None = None) -> None:
        self.n = steps
        self.seconds = seconds
        self.clock = clock
        self.taken = 0
        self.closed_on: int | None = None

    def __call__(self) -> Steps[str]:
        try:
            for i in range(self.n):
                self.taken += 1
                if self.clock is not None:
                    self.clock.now += self.seconds
                else:
                    time.sleep(self.seconds)
                yield Step(i / self.n, f"step {i}")
            return "result"
        finally:
            self.closed_on = threading.get_ident()


def failing() -> Steps[str]:
    yield Step(0.5)
    raise ValueError("broken")


async def until(condition: object, timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "timed out"
        await asyncio.sleep(0.002)


def test_a_budget_stops_between_steps_and_the_rest_follows() -> None:
    clock, work = Clock(), None
    work = Work(10, seconds=1.0, clock=clock)
    job = Job(work(), clock=clock)
    assert not job.advance(2.5)
    assert (work.taken, job.fraction, job.message) == (3, 0.2, "step 2")
    assert job.advance()
    assert (job.state, job.result, job.fraction) == ("done", "result", 1.0)


def test_eta_extrapolates_what_was_done() -> None:
    clock = Clock()
    job = Job(Work(4, seconds=2.0, clock=clock)(), clock=clock)
    job.advance(0)
    assert job.eta_s is None  # nothing is done yet
    job.advance(0)
    assert job.fraction == 0.25
    assert job.eta_s == pytest.approx(4.0 / 0.25 * 0.75)
    job.advance()
    assert job.eta_s is None


def test_progress_never_falls_and_is_throttled() -> None:
    clock = Clock()

    def wavering() -> Steps[None]:
        for fraction in (0.1, 0.5, 0.3, 2.0, 0.9) * 20:
            clock.now += 0.03
            yield Step(fraction)

    seen: list[tuple[float, float]] = []
    job = Job(wavering(), on_progress=lambda j: seen.append((clock.now, j.fraction)), clock=clock)
    job.advance()
    times, fractions = zip(*seen, strict=True)
    assert list(fractions) == sorted(fractions)
    assert max(fractions) == 1.0
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.1
    assert len(seen) == pytest.approx(clock.now / 0.12, abs=1)


@pytest.mark.parametrize("taken", range(5))
def test_cancel_closes_the_steps_wherever_they_are(taken: int) -> None:
    work, ends = Work(5), []
    job = Job(work(), on_end=lambda j: ends.append(j.state))
    for _ in range(taken):
        job.advance(0)
    job.cancel()
    assert job.advance()
    assert (job.state, job.result, work.taken, ends) == ("cancelled", None, taken, ["cancelled"])
    assert (work.closed_on is not None) == (taken > 0)  # steps never begun have nothing to close
    job.advance()
    assert ends == ["cancelled"]


def test_an_error_ends_the_job_and_keeps_its_traceback() -> None:
    ends = []
    job = Job(failing(), on_end=lambda j: ends.append(j.state))
    assert job.advance()
    assert (job.state, ends) == ("error", ["error"])
    assert str(job.error) == "broken"
    assert job.error is not None
    assert job.error.__traceback__ is not None


def test_an_interrupt_cancels_and_passes_through() -> None:
    def interrupted() -> Steps[None]:
        yield Step(0.0)
        raise KeyboardInterrupt

    ends = []
    job = Job(interrupted(), on_end=lambda j: ends.append(j.state))
    with pytest.raises(KeyboardInterrupt):
        job.advance()
    assert (job.state, ends) == ("cancelled", ["cancelled"])


def test_an_interrupt_in_a_report_closes_the_steps_too() -> None:
    clock = Clock()
    work = Work(5, seconds=1.0, clock=clock)

    def stop(_job: object) -> None:
        raise KeyboardInterrupt

    job = Job(work(), on_progress=stop, clock=clock)
    with pytest.raises(KeyboardInterrupt):
        job.advance()
    assert job.state == "cancelled"
    assert work.closed_on is not None


def test_a_discarded_job_says_nothing() -> None:
    work, ends = Work(5), []
    job = Job(work(), on_end=lambda j: ends.append(j.state))
    job.advance(0)
    job.discard()
    assert job.ended
    assert work.closed_on is not None
    assert ends == []


def test_advancing_from_within_a_step_does_nothing() -> None:
    jobs: list[Job[str]] = []

    def nested() -> Steps[str]:
        yield Step(0.0)
        assert jobs[0].advance() is False
        return "result"

    jobs.append(Job(nested()))
    jobs[0].advance()
    assert jobs[0].result == "result"


def test_the_loop_stays_responsive_while_a_job_runs() -> None:
    async def main() -> None:
        gaps: list[float] = []
        runner, job = JobRunner(), Job(Work(300, seconds=0.002)())
        runner.start(job, asyncio.get_running_loop())
        last = time.perf_counter()
        while not job.ended:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now
        assert job.result == "result"
        assert len(gaps) > 10, "the loop was blocked"
        assert sorted(gaps)[len(gaps) // 2] < 0.1

    asyncio.run(main())


def test_the_latest_job_wins_and_closes_the_earlier_one_at_home() -> None:
    async def main() -> None:
        loop, runner, ends = asyncio.get_running_loop(), JobRunner(), []
        works = [Work(1000, seconds=0.001) for _ in range(3)]
        for work in works[:2]:
            runner.start(Job(work(), on_end=lambda j: ends.append(j.state)), loop)
            await until(lambda work=work: work.taken)
        works[2].n = 3
        runner.start(Job(works[2](), on_end=lambda j: ends.append(j.result)), loop)
        await until(lambda: ends)
        await asyncio.sleep(0.05)
        assert ends == ["result"]
        assert all(work.taken < 1000 for work in works[:2])
        assert {work.closed_on for work in works} == {threading.get_ident()}

    asyncio.run(main())


def test_cancel_from_another_thread_ends_the_job_on_the_loop() -> None:
    async def main() -> None:
        ends: list[tuple[str, int]] = []
        work = Work(10_000, seconds=0.001)
        job = Job(work(), on_end=lambda j: ends.append((j.state, threading.get_ident())))
        JobRunner().start(job, asyncio.get_running_loop())
        await until(lambda: work.taken > 3)
        thread = threading.Thread(target=job.cancel)
        thread.start()
        await until(lambda: ends)
        thread.join()
        assert ends == [("cancelled", threading.get_ident())]
        assert work.closed_on == threading.get_ident()

    asyncio.run(main())


def test_cancel_from_another_thread_reaches_a_blocking_drive() -> None:
    work = Work(10_000, seconds=0.001)
    job = Job(work())
    timer = threading.Timer(0.05, job.cancel)
    timer.start()
    job.advance()
    timer.join()
    assert job.state == "cancelled"
    assert work.taken < 5_000


@pytest.fixture
def elsewhere() -> Iterator[object]:
    """Runs a function on another thread and waits for it."""

    def run(work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args)  # type: ignore[arg-type]
        thread.start()
        thread.join()

    return run  # type: ignore[return-value]


def test_home_brings_work_back_to_its_thread(elsewhere: object) -> None:
    async def main() -> None:
        home, seen = Home(), []
        assert home.loop() is asyncio.get_running_loop()
        home.bring(lambda: seen.append(threading.get_ident()))
        assert seen == [threading.get_ident()]
        elsewhere(home.bring, lambda: seen.append(threading.get_ident()))  # type: ignore[operator]
        assert len(seen) == 1, "it must wait for the loop"
        await until(lambda: len(seen) == 2)
        assert set(seen) == {threading.get_ident()}

    asyncio.run(main())


def test_home_without_a_loop_does_the_work_at_once() -> None:
    home, seen = Home(), []
    home.bring(seen.append, 1)
    home.soon(seen.append, 2)
    assert home.loop() is None
    assert seen == [1, 2]


def test_home_forgets_a_loop_that_was_closed() -> None:
    homes: list[Home] = []

    async def main() -> None:
        homes.append(Home())
        assert homes[0].loop() is not None

    asyncio.run(main())
    assert homes[0].loop() is None
