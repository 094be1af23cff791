"""A page with a model behind it, and a prompt for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import traitlets as t

from headscope.errors import HeadscopeError, ResultError
from headscope.model import LiveModel
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.failure import describe
from headscope.widgets.page import PageWidget, synced
from headscope.widgets.prompt import PromptSource, Source
from headscope.widgets.selection import Limits


class Closed:
    """In the place of a closed widget's model, which is thus let go."""

    @staticmethod
    def error() -> ResultError:
        """What is said to whoever still asks."""
        return ResultError("This widget is closed.", "Make a new one.")

    def __getattr__(self, _name: str) -> Any:
        raise self.error()


class PromptedPage(PageWidget):
    """What the page sees of a widget with a model: a prompt, cut into its tokens."""

    prompt: str = synced(t.Unicode())

    def __init__(
        self,
        model: LiveModel,
        prompt: Any,
        selection: Mapping[str, int | str | None] | None,
        **traits: Any,
    ) -> None:
        self._model = model
        self._prompts = self._source_of(model)
        super().__init__(selection, prompt=self._prompts.read(prompt), **traits)

    @property
    def _closed(self) -> bool:
        return isinstance(self._model, Closed)

    def close(self) -> None:
        """Remove the widget from the page, and let go of its model."""
        super().close()
        self._model = cast("LiveModel", Closed())
        self._prompts = self._source_of(self._model)

    def _source_of(self, model: LiveModel) -> Source:
        """What reads the text in the page."""
        return PromptSource(model)

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {"tokenize": self._answer_tokenize}

    def _limits(self) -> Limits:
        try:
            length = len(self._prompts.tokenize(self.prompt).tokens)
        except HeadscopeError:
            length = self._model.n_ctx
        return Limits(self._model.n_layers, self._model.n_heads, length, self._model.layout)

    def _answer_tokenize(self, params: Params) -> Answer:
        tokens: tuple[str, ...] = ()
        ids: tuple[int, ...] = ()
        error = None
        try:
            prompt = self._prompts.preview(str(params["text"]))
        except HeadscopeError as refused:
            error = describe(refused)
        else:
            tokens, ids = prompt.tokens, prompt.token_ids
        return Answer(
            {"tokens": tokens, "token_ids": ids, "n_ctx": self._prompts.n_ctx, "error": error}
        )
