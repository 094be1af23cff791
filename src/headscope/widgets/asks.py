"""Questions from the page, each answered exactly once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from headscope.errors import Cancelled, HeadscopeError, RequestError
from headscope.jobs import Home
from headscope.widgets.failure import describe
from headscope.wire.codec import pack_array
from headscope.wire.messages import Ask, Reply

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """JSON plus any arrays, which travel in their own dtype."""

    value: Any = None
    arrays: tuple[npt.NDArray[Any], ...] = ()


class Desk:
    """Takes questions on any thread and answers them at home, one per turn of the loop.

    Args:
        home: Where answers are worked out.
        answer: Works out one answer; what it raises becomes the reply's error.
        send: Sends a reply and its buffers.
        on_error: Told of every error that is not the page's fault.
    """

    def __init__(
        self,
        home: Home,
        answer: Callable[[str, Params], Answer],
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
        self._home.soon(self._reply, message)

    def withdraw(self, ask_id: int) -> None:
        """The answer is no longer wanted: if it was not begun, the reply says so."""
        self._wanted.discard(ask_id)

    def _reply(self, message: Ask) -> None:
        ask_id = message["id"]
        try:
            if ask_id not in self._wanted:
                raise Cancelled("The question was withdrawn.")
            answer = self._answer(message["what"], message["params"])
            packed = [pack_array(array) for array in answer.arrays]
        except Exception as error:
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
        else:
            reply = {
                "type": "reply",
                "id": ask_id,
                "ok": True,
                "value": answer.value,
                "arrays": [header for header, _ in packed],
                "error": None,
            }
            self._send(reply, [buffer for _, buffer in packed])
        finally:
            self._wanted.discard(ask_id)


def unknown(what: str, known: Mapping[str, Any]) -> RequestError:
    """The error for a question that a widget does not answer."""
    return RequestError(f"There is no question {what!r}.", f"Known: {', '.join(known)}.")
