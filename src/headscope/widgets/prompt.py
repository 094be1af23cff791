"""What is behind the editable text: a prompt that may have been given as token ids, or more."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol

from headscope.errors import PromptError
from headscope.model import LiveModel
from headscope.results import Prompt


class Source(Protocol):
    """What runs for the text in the page, where something else may have been given in its place."""

    def read(self, given: Any) -> str:
        """Take what was given; returns the text to show for it."""

    def source(self, text: str) -> Any:
        """What to run for `text`.

        Raises:
            HeadscopeError: The text cannot be read.
        """

    def in_code(self, text: str) -> Any:
        """What code has in the place of `text`, where that does not do; or None."""

    def tokenize(self, text: str) -> Prompt:
        """What runs for `text`, token by token.

        Raises:
            HeadscopeError: It cannot run; the message says why.
        """

    def preview(self, text: str) -> Prompt:
        """The same of a text that is being typed."""

    def extend(self, text: str, token_id: int) -> str:
        """Take `text` with one token more; returns the text to show for it."""

    @property
    def n_ctx(self) -> int | None:
        """How many tokens there may be; None where that is not of one prompt."""


class PromptSource:
    """Turns the text in the page into what runs.

    Ids given in place of text run exactly as given for as long as the text they spell is not
    edited: tokenising that text again might cut it otherwise.

    Args:
        model: Whose tokens they are.
    """

    def __init__(self, model: LiveModel) -> None:
        self._model = model
        self._given: Any = None
        self._spelt: str | None = None

    @property
    def n_ctx(self) -> int:
        """How many tokens there may be."""
        return self._model.n_ctx

    def read(self, prompt: Any) -> str:
        """Take a prompt, text or ids; returns the text to show for it."""
        if isinstance(prompt, str):
            self._given = self._spelt = None
            return prompt
        self._given = prompt
        self._spelt = self._spell(prompt)
        return self._spelt

    def source(self, text: str) -> str | tuple[int, ...]:
        """What to run for `text`: itself, or the ids it stands for."""
        return self._given if text == self._spelt else text

    def in_code(self, text: str) -> list[int] | None:
        """The ids that `text` stands for, or None."""
        found = self.source(text)
        return list(found) if isinstance(found, tuple) else None

    def preview(self, text: str) -> Prompt:
        """What would run for `text` if it were typed."""
        return self._model.tokenize(text)

    def tokenize(self, text: str) -> Prompt:
        """What runs for `text`, token by token.

        Raises:
            PromptError: It cannot run; the message says why.
        """
        return self._model.tokenize(self.source(text))

    def extend(self, text: str, token_id: int) -> str:
        """Take `text` with one token more; returns the text to show for it.

        What was typed stays as it was, where it is cut into the same tokens with the new one's text
        behind it: what ids spell may begin with a space of its own.
        """
        ids = (*self.tokenize(text).token_ids, token_id)
        longer = text + self._model.token_text(token_id)
        with suppress(PromptError):
            if self._model.tokenize(longer).token_ids == ids:
                return self.read(longer)
        return self.read(self._model.tokenize(ids).token_ids)

    def _spell(self, ids: Any) -> str:
        try:
            self._given = self._model.tokenize(ids).token_ids
        except PromptError:  # said where it is about to run, not here
            return ""
        if not self._model.capabilities.tokenizer:
            return " ".join(map(str, self._given))
        return self._model.decode(self._given)
