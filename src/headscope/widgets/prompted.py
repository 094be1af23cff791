"""A page with a model behind it, and a prompt for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import traitlets as t

from headscope.errors import HeadscopeError, RequestError
from headscope.model import LiveModel
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.closed import Closed
from headscope.widgets.failure import describe
from headscope.widgets.page import PageWidget, synced
from headscope.widgets.prompt import PromptSource, Source
from headscope.widgets.selection import Limits


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

    def _take_prompt(self, source: str | Sequence[int]) -> None:
        """Run this from now on: text, or ids as they are."""
        if self._prompts.source(self.prompt) == source:
            return
        text = self._prompts.read(source)
        if text == self.prompt:  # other ids that spell the same
            self._edited(None)
        self.prompt = text

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {
            "tokenize": self._answer_tokenize,
            "extend": self._answer_extend,
            "ping": lambda _: Answer(self._desk.open),
        }

    def _likeliest(self) -> int | None:
        """The token that is likeliest to come next; None where that is not known."""
        raise NotImplementedError

    def _edited(self, change: Any) -> None:
        """What is to be computed has changed."""
        raise NotImplementedError

    def _limits(self) -> Limits:
        try:
            length = len(self._prompts.tokenize(self.prompt).tokens)
        except HeadscopeError:
            length = self._model.n_ctx
        return Limits(self._model.n_layers, self._model.n_heads, length, self._model.layout)

    def _answer_extend(self, params: Params) -> Answer:
        token_id = params["token_id"]
        if token_id is None:
            token_id = self._likeliest()
        if token_id is None:
            raise RequestError("This result does not say which token comes next.")
        text = self._prompts.extend(self.prompt, self._model.token_id(int(token_id)))
        if text == self.prompt:  # the token spells nothing of its own
            self._edited(None)
        self.prompt = text
        return Answer({"prompt": self.prompt})

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
