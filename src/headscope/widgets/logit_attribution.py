"""`LogitAttribution`: what each part of the model adds to a logit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar, cast

import traitlets as t

from headscope.analyses import logit_attribution
from headscope.analyses.contributions import Sites
from headscope.analyses.logit_attribution import By, LogitAttributionRequest
from headscope.arguments import checked
from headscope.errors import PromptError
from headscope.jobs import Steps
from headscope.model import LiveModel
from headscope.model.runs import Site
from headscope.results import Grid
from headscope.widgets.base import HeadscopeWidget
from headscope.widgets.page import synced
from headscope.wire.messages import FieldSpec


class LogitAttribution(HeadscopeWidget[Grid]):
    """Direct logit attribution to a token, or to the difference of two, live.

    Positive contributions raise the logit of `answer` (relative to `wrong`), in logits, the scale
    of the final norm held. They sum to the logit, and `result.identity` says how exactly. `result`
    is a `Grid` `[component, position]`, by head `[layer, head]`, by source `[component, src]`.
    Costs one forward pass. Definition and source: `headscope.analyses.logit_attribution`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids.
        answer: The token whose logit is explained, text or id; None or "" for the model's own top
            prediction.
        wrong: A token whose logit is subtracted, text or id; None or "" for none.
        by: `component` (every position), `head`, or `source` (each head over the tokens it reads).
        position: Where the prediction is made; negative counts from the end.
        interventions: Changes of the model's computation: `hs.Interventions()`, or a list of their
            JSON. What is shown with them is `effect`'s choice.
        transcoders: Whose features are clamped; see `hs.load_transcoders`.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> hs.LogitAttribution(model, "When Mary and John ...", answer=" Mary", wrong=" John")
    """

    takes_interventions = True
    fields: ClassVar[tuple[FieldSpec, ...]] = (
        {
            "name": "answer",
            "title": "Answer",
            "type": "token",
            "choices": [],
            "help": "The token whose logit is explained; empty for the model's top prediction.",
            "when": [],
        },
        {
            "name": "wrong",
            "title": "Minus",
            "type": "token",
            "choices": [],
            "help": "A token whose logit is subtracted; may be empty.",
            "when": [],
        },
        {
            "name": "by",
            "title": "By",
            "type": "choice",
            "choices": [
                {"value": "component", "title": "component, every position"},
                {"value": "head", "title": "head"},
                {"value": "source", "title": "head and source token"},
            ],
            "help": "How finely the logit is split.",
            "when": [],
        },
        {
            "name": "position",
            "title": "Position",
            "type": "integer",
            "choices": [],
            "help": "Where the prediction is made; -1 is the last token.",
            "when": [],
        },
    )

    answer: str | int | None = synced(t.Union([t.Unicode(), t.Int()], allow_none=True))
    wrong: str | int | None = synced(t.Union([t.Unicode(), t.Int()], allow_none=True))
    by: str = synced(t.Unicode("component"))
    position: int = synced(t.Int(-1))

    @checked
    def __init__(
        self,
        model: Any,
        prompt: Any,
        *,
        answer: str | int | None = None,
        wrong: str | int | None = None,
        by: str = "component",
        position: int = -1,
        interventions: Any = None,
        transcoders: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        super().__init__(
            model,
            prompt,
            interventions=interventions,
            transcoders=transcoders,
            selection=selection,
            answer=answer,
            wrong=wrong,
            by=by,
            position=position,
        )

    @t.validate("answer", "wrong")
    def _readable_token(self, proposal: Any) -> str | int | None:
        """An id becomes the text that means it, where there is one: the page shows text."""
        token: str | int | None = proposal["value"]
        if isinstance(token, int):
            with suppress(PromptError):
                text = self._model.token_text(self._model.token_id(token))
                if self._model.token_id(text) == token:
                    return text
        return token

    @classmethod
    def _reads(
        cls,
        model: LiveModel,
        n_tokens: int,
        by: By = "component",
        position: int = -1,
        **fields: Any,
    ) -> Iterable[Site]:
        sites = Sites(model, n_tokens, position % n_tokens, by)
        return [*sites.wanted(), sites.embed]  # which is read where interventions act

    def _request(self, prompt: str | tuple[int, ...]) -> LogitAttributionRequest:
        return LogitAttributionRequest(
            prompt,
            answer=None if self.answer == "" else self.answer,
            wrong=None if self.wrong == "" else self.wrong,
            by=cast("By", self.by),
            position=self.position,
        )

    def _analyse(self, request: LogitAttributionRequest) -> Steps[Grid]:
        return logit_attribution.run(self._model, request)

    def _as_it_ran(self, request: LogitAttributionRequest, result: Grid) -> LogitAttributionRequest:
        return replace(request, answer=cast("int", result.provenance.parameters["answer_id"]))

    def _laid_out_as(self, plain: Grid, acting: Grid) -> Grid:
        return logit_attribution.beside(plain, acting)
