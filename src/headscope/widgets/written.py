"""What is written in the place of a prompt: a direction, examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from headscope.errors import RequestError
from headscope.results import Prompt

T = TypeVar("T")


class Written(Generic[T]):
    """Something that has a text, behind that text. What was given counts until it is edited.

    Args:
        parse: Reads a text.
        spell: Writes it.
        tokens: What runs for it, to be shown under the text.
    """

    def __init__(
        self, parse: Callable[[str], T], spell: Callable[[T], str], tokens: Callable[[T], Prompt]
    ) -> None:
        self._parse, self._spell, self._tokens = parse, spell, tokens
        self._given: T | None = None
        self._spelt: str | None = None

    @property
    def n_ctx(self) -> None:
        """It is not one prompt that runs."""
        return None

    def read(self, given: Any) -> str:
        """Take a text, or what it stands for; returns the text to show for it."""
        self._given = None if isinstance(given, str) else given
        self._spelt = None if isinstance(given, str) else self._spell(given)
        return given if self._spelt is None else self._spelt

    def source(self, text: str) -> T:
        """What `text` stands for."""
        if self._given is not None and text == self._spelt:
            return self._given
        return self._parse(text)

    def in_code(self, _text: str) -> None:
        """Nothing: code has the text."""
        return

    def tokenize(self, text: str) -> Prompt:
        """What runs for `text`, token by token."""
        return self._tokens(self.source(text))

    def preview(self, text: str) -> Prompt:
        """The same of a text that is being typed."""
        return self._tokens(self._parse(text))

    def extend(self, _text: str, _token_id: int) -> str:
        """There is no next token."""
        raise RequestError("There is no prompt here that a token could follow.")
