"""Which output of a notebook carries which part of the front end, so that each is in it once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Carriers:
    """What the outputs of this kernel's notebook carry.

    An output whose cell is run again is gone, and what it carried must be carried anew. What a user
    deletes goes unnoticed: then the other outputs show their pictures.
    """

    def __init__(self) -> None:
        self._at: dict[str, tuple[str, str]] = {}

    def missing(self, parts: Iterable[str], request: Mapping[str, Any]) -> tuple[str, ...]:
        """Those of `parts` that the output being made must carry.

        Args:
            parts: What it needs.
            request: The message that runs its cell.
        """
        header, content = request.get("header", {}), request.get("content", {})
        # Front ends that do not name their cells run each of them once, or the same text again.
        cell = request.get("metadata", {}).get("cellId") or content.get("code", "")
        here = (str(cell), str(header.get("msg_id")))
        found = tuple(part for part in parts if self._lost(part, here))
        self._at.update(dict.fromkeys(found, here))
        return found

    def forget(self, parts: Iterable[str]) -> None:
        """The output that carried these is gone."""
        for part in parts:
            self._at.pop(part, None)

    def _lost(self, part: str, here: tuple[str, str]) -> bool:
        cell, run = self._at.get(part, here)
        return part not in self._at or (cell == here[0] and run != here[1])
