"""`Intervene`: change how the model computes, and see what it predicts then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import traitlets as t

from headscope.analyses import prediction_effect
from headscope.analyses.prediction_effect import Before, PredictionEffectRequest
from headscope.arguments import checked
from headscope.jobs import Steps
from headscope.results import Grid
from headscope.widgets.page import synced
from headscope.widgets.pairs import field
from headscope.widgets.two_prompts import TwoPrompts
from headscope.wire.messages import FieldSpec


class Intervene(TwoPrompts[Grid]):
    """Interventions on a model, live: a list to edit, and the next token with them and without.

    The page switches, weighs, moves and undoes the interventions, and adds others to whatever is
    selected, in this widget or in one that it is linked with (`hs.link`): ablations, scales, cut
    edges, steering, layers left out. `widget.interventions` is the same list. `result` is a `Grid`
    `[token, run]` of probabilities and logits before, after, and their change; positive is what the
    interventions add. `result.baselines` has the KL divergence and the answer's loss. A change of
    the list costs one forward pass from the lowest changed layer on. Definitions:
    `headscope.analyses.prediction_effect`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids.
        interventions: `hs.Interventions`, or a list of their JSON.
        corrupted: The other prompt, which activations and patterns can be taken from.
        answer: The token whose loss is told, text or id; by default the model's top prediction.
        position: Where the prediction is made; negative counts from the end.
        transcoders: From `hs.load_transcoders`, or what it takes: whose features are clamped.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> pair = hs.demo.prompts["ioi"][0]
        >>> changes = hs.Interventions().zero("L3H1").scale("MLP2", 0.5)
        >>> widget = hs.Intervene(hs.load_demo(), pair.clean, changes, pair.corrupted)
        >>> widget.result["probability"]  # float32 [token, run]: before, after, change
    """

    fields: ClassVar[tuple[FieldSpec, ...]] = (
        field("corrupted", "Other", "text",
              "Activations and attention patterns can be taken from it; may be empty."),
        field("answer", "Answer", "token", "Whose loss is told; empty: the top prediction."),
        field("position", "Position", "integer",
              "Where the prediction is made; -1 is the last token."),
    )  # fmt: skip
    takes_interventions = True
    has_effects = False
    view_bundle = "bars"

    answer: Any = synced(t.Any(""))
    position: int = synced(t.Int(-1))

    @checked
    def __init__(
        self,
        model: Any,
        prompt: Any,
        interventions: Any = None,
        corrupted: Any = None,
        *,
        answer: str | int | None = None,
        position: int = -1,
        transcoders: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        self._before: Before | None = None
        super().__init__(
            model, prompt, selection=selection, interventions=interventions,
            answer="" if answer is None else answer, position=position,
            corrupted=corrupted, transcoders=transcoders,
        )  # fmt: skip

    def close(self) -> None:
        """As `HeadscopeWidget.close`."""
        super().close()
        self._before = None

    def _forget(self) -> None:
        super()._forget()
        self._before = None

    def _request(self, prompt: str | tuple[int, ...]) -> PredictionEffectRequest:
        return PredictionEffectRequest(
            prompt,
            self.interventions,
            answer=None if self.answer in ("", None) else self.answer,
            position=self.position,
            transcoders=self._transcoders,
        )

    def _analyse(self, request: PredictionEffectRequest) -> Steps[Grid]:
        before = self._before
        if before is None or not before.is_of(self._model, request):
            self._before = before = yield from prediction_effect.before(self._model, request)
        return (yield from prediction_effect.run(self._model, request, before))
