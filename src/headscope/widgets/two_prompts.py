"""Widgets of a prompt beside which there may be a corrupted one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import traitlets as t

from headscope.errors import PromptError
from headscope.model import LiveModel
from headscope.widgets.base import HeadscopeWidget, R
from headscope.widgets.page import synced
from headscope.widgets.prompt import PromptSource
from headscope.widgets.selection import Limits


class TwoPrompts(HeadscopeWidget[R]):
    """A live view of one analysis of a prompt, and of another that it is set against.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids.
        corrupted: Text, or token ids; None for no other prompt.
        fields: As for `HeadscopeWidget`.
    """

    corrupted: str = synced(t.Unicode(""))

    def __init__(self, model: Any, prompt: Any, *, corrupted: Any = None, **fields: Any) -> None:
        self._corrupted = PromptSource(LiveModel.of(model))
        text = "" if corrupted is None else self._corrupted.read(corrupted)
        super().__init__(model, prompt, corrupted=text, **fields)

    def close(self) -> None:
        """As `HeadscopeWidget.close`."""
        was_open = self.comm is not None  # or it was never made: its model was refused
        super().close()
        if was_open:
            self._corrupted = PromptSource(self._model)

    def _other(self) -> Any:
        """What runs for the corrupted prompt: text or ids; None: there is none."""
        return self._corrupted.source(self.corrupted) or None

    def _limits(self) -> Limits:
        limits = super()._limits()
        with suppress(PromptError):
            length = len(self._corrupted.tokenize(self.corrupted).tokens)
            return replace(limits, positions=max(limits.positions, length))
        return limits

    def _besides(self) -> dict[str, Any]:
        ids = self._corrupted.in_code(self.corrupted)
        return super()._besides() | ({} if ids is None else {"corrupted": ids})
