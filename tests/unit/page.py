"""A page without a browser: speaks to a widget as the front end does, and keeps what it hears."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any


class Page:
    """The other end of a widget's comm."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.state: dict[str, Any] = {}
        self.heard: list[dict[str, Any]] = []
        self.buffers: dict[int, list[bytes]] = {}
        widget.comm.send = self._hear

    def _hear(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        if data["method"] == "custom":
            self.heard.append(data["content"])
            self.buffers[len(self.heard) - 1] = list(buffers or [])
        else:
            self.heard.append({"type": data["method"], **data["state"]})
            if data["method"] == "update":
                self.state.update(data["state"])

    def write(self, **traits: Any) -> None:
        """`save_changes()`."""
        data = {"method": "update", "state": traits, "buffer_paths": []}
        self.widget._handle_msg({"content": {"data": data}, "buffers": []})

    def send(self, **message: Any) -> None:
        """`model.send()`."""
        data = {"method": "custom", "content": message}
        self.widget._handle_msg({"content": {"data": data}, "buffers": []})

    def ask(self, ask_id: int, what: str, **params: Any) -> None:
        self.send(type="ask", id=ask_id, what=what, params=params)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["type"] == kind]

    def reply(self, ask_id: int) -> dict[str, Any]:
        """The one reply to that ask."""
        (reply,) = [m for m in self.of_type("reply") if m["id"] == ask_id]
        return reply

    def reply_buffers(self, ask_id: int) -> list[bytes]:
        return self.buffers[self.heard.index(self.reply(ask_id))]


async def until(condition: Callable[[], Any], timeout: float = 10.0) -> None:
    """Let the loop turn until `condition` holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        await asyncio.sleep(0.002)
