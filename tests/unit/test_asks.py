"""Questions whose answers take long are worked out in steps: the loop turns meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from headscope.jobs import Home
from headscope.widgets.asks import Answer, Desk
from tests.unit.page import until


class Office:
    """A desk, what it has sent, and how far the long answer has come."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.errors: list[Exception] = []
        self.steps, self.closed = 0, False
        self.desk = Desk(Home(), self.answer, lambda reply, _: self.sent.append(reply),
                         self.errors.append)  # fmt: skip

    def answer(self, what: str, params: Any) -> Any:
        return Answer("short") if what == "short" else self.long(what)

    def long(self, what: str) -> Iterator[float]:
        try:
            for _ in range(20):
                time.sleep(0.01)
                self.steps += 1
                if what == "wrong" and self.steps == 10:
                    raise ZeroDivisionError
                yield self.steps / 20
            return Answer("long")
        finally:
            self.closed = True

    def ask(self, ask_id: int, what: str) -> None:
        self.desk.ask({"type": "ask", "id": ask_id, "what": what, "params": {}})


async def _others_are_answered_meanwhile() -> None:
    office = Office()
    office.ask(1, "long")
    await until(lambda: office.steps)
    office.ask(2, "short")
    await until(lambda: office.sent)
    assert office.desk.open == [1]
    await until(lambda: len(office.sent) == 2)
    assert office.desk.open == []
    assert [reply["value"] for reply in office.sent] == ["short", "long"]
    assert office.steps == 20


async def _a_withdrawn_one_is_dropped() -> None:
    office = Office()
    office.ask(1, "long")
    await until(lambda: office.steps)
    office.desk.withdraw(1)
    await until(lambda: office.sent)
    assert "withdrawn" in office.sent[0]["error"]["message"]
    assert office.steps < 20
    assert office.closed
    assert not office.errors


async def _a_failure_is_told() -> None:
    office = Office()
    office.ask(1, "wrong")
    await until(lambda: office.sent)
    assert not office.sent[0]["ok"]
    assert isinstance(office.errors[0], ZeroDivisionError)


@pytest.mark.parametrize(
    "scene", [_others_are_answered_meanwhile, _a_withdrawn_one_is_dropped, _a_failure_is_told]
)
def test_on_a_loop(scene: Any) -> None:
    asyncio.run(scene())


def test_without_a_loop_the_answer_is_there_at_once() -> None:
    office = Office()
    office.ask(1, "long")
    assert [reply["value"] for reply in office.sent] == ["long"]
