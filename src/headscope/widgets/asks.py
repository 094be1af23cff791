"""Questions from the page, each answered exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Union

import numpy.typing as npt

from headscope.errors import Cancelled, HeadscopeError, RequestError
from headscope.jobs import Home
from headscope.jobs.runner import CHUNK_S, NAP_S
from headscope.widgets.failure import describe
from headscope.wire.codec import pack_array
from headscope.wire.messages import Ask, Reply

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """JSON plus any arrays, which travel in their own dtype."""

    value: Any = None
    arrays: tuple[npt.NDArray[Any], ...] = ()


Answering = Union[Answer, Generator[object, None, Answer]]
"""An answer, or the steps of working it out."""


class Desk:
    """Takes questions on any thread and answers them at home, a little per turn of the loop.

    Args:
        home: Where answers are worked out.
        answer: Works out one answer; what it raises becomes the reply's error.
        send: Sends a reply and its buffers.
        on_error: Told of every error that is not the page's fault.
    """

    def __init__(
        self,
        home: Home,
        answer: Callable[[str, Params], Answering],
        send: Callable[[Reply, list[bytes]], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._home = home
        self._answer = answer
        self._send = send
        self._on_error = on_error
        self._wanted: set[int] = set()

    def ask(self, message: Ask) -> None:
        """Queue a question."""
        self._wanted.add(message["id"])
        self._home.soon(self._go_on, message["id"], self._steps(message))

    @property
    def open(self) -> list[int]:
        """The questions that are not answered yet."""
        return sorted(self._wanted)

    def withdraw(self, ask_id: int) -> None:
        """The answer is no longer wanted: if it is not there yet, the reply says so."""
        self._wanted.discard(ask_id)

    def _steps(self, message: Ask) -> Generator[object, None, Answer]:
        found = self._answer(message["what"], message["params"])
        return found if isinstance(found, Answer) else (yield from found)

    def _go_on(self, ask_id: int, steps: Generator[object, None, Answer]) -> None:
        """Take steps for a while, and reply if they end."""
        loop = self._home.loop()
        until = time.perf_counter() + CHUNK_S
        try:
            while True:
                if ask_id not in self._wanted:
                    steps.close()
                    raise Cancelled("The question was withdrawn.")
                next(steps)
                if loop is not None and time.perf_counter() >= until:
                    loop.call_later(NAP_S, self._go_on, ask_id, steps)
                    return
        except StopIteration as end:
            self._reply(ask_id, end.value)
        except Exception as error:
            self._fail(ask_id, error)

    def _reply(self, ask_id: int, answer: Answer) -> None:
        try:
            packed = [pack_array(array) for array in answer.arrays]
        except Exception as error:
            self._fail(ask_id, error)
            return
        self._wanted.discard(ask_id)
        reply: Reply = {
            "type": "reply",
            "id": ask_id,
            "ok": True,
            "value": answer.value,
            "arrays": [header for header, _ in packed],
            "error": None,
        }
        self._send(reply, [buffer for _, buffer in packed])

    def _fail(self, ask_id: int, error: Exception) -> None:
        self._wanted.discard(ask_id)
        if not isinstance(error, HeadscopeError):
            self._on_error(error)
        reply: Reply = {
            "type": "reply",
            "id": ask_id,
            "ok": False,
            "value": None,
            "arrays": [],
            "error": describe(error),
        }
        self._send(reply, [])


def unknown(what: str, known: Mapping[str, Any]) -> RequestError:
    """The error for a question that a widget does not answer."""
    return RequestError(f"There is no question {what!r}.", f"Known: {', '.join(known)}.")
