"""What an analysis hands its runner: a generator of steps that returns the result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, cast

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """A point where the runner may pause, report or stop.

    Args:
        fraction: Share of the work done, 0 to 1, never falling.
        message: What is being done, for the status line.
        partial: A result as far as it is known, to be drawn meanwhile.
    """

    fraction: float
    message: str = ""
    partial: Any = None


Steps = Generator[Step, None, T]

_UNHURRIED = 8.0
_patience = ContextVar("patience", default=1.0)


def patience() -> float:
    """How many times as long as usual a step may take: more than once where nobody waits for it."""
    return _patience.get()


@contextmanager
def unhurried() -> Iterator[None]:
    """Steps taken within may be longer: they run one after the other anyway."""
    token = _patience.set(_UNHURRIED)
    try:
        yield
    finally:
        _patience.reset(token)


def drained(work: Generator[Any, None, T]) -> T:
    """What comes of steps that are all taken now."""
    found: list[T] = []

    def outer() -> Generator[Any, None, None]:
        found.append((yield from work))

    with unhurried():
        for _ in outer():
            pass
    return found[0]


def stepwise(
    each: Callable[[], AbstractContextManager[Any]], steps: Generator[S, None, T]
) -> Generator[S, None, T]:
    """The same steps, each taken in a context of its own.

    Args:
        each: Makes a context.
        steps: None of which has been taken.
    """
    with closing(steps):
        while True:
            with each():
                try:
                    step = next(steps)
                except StopIteration as end:
                    return cast("T", end.value)
            yield step


def part(steps: Generator[float, None, T], began: float, share: float) -> Generator[float, None, T]:
    """Shares done of what is a part of more: `share` of it, from `began` on."""
    while True:
        try:
            done = next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        yield began + share * done
