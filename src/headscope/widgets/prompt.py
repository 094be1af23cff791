"""A prompt that may have been given as token ids, behind an editable text."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from headscope.errors import PromptError
from headscope.model import LiveModel
from headscope.results import Prompt


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
