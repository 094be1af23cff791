"""`AttentionPatterns`: where every head looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from headscope.analyses import attention
from headscope.arguments import checked
from headscope.export.slices import Slices, slices_of
from headscope.jobs import Steps
from headscope.model import LiveModel
from headscope.model.runs import Site
from headscope.results import HeadPattern, Patterns, Prompt, Result
from headscope.results.difference.patterns import less_head
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.base import HeadscopeWidget


class AttentionPatterns(HeadscopeWidget[Patterns]):
    """Attention of every layer and head on one prompt, live.

    An overview of all heads with what each does on this prompt; chosen heads in full, as a matrix,
    on the text, or as lines. Long prompts send a small overview, and heads as they are asked for.

    Weights, norms and scores are at least 0; each row (destination) of a pattern sums to 1. Costs
    one forward pass. Definitions and sources: `headscope.analyses.attention`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids.
        interventions: Changes of the model's computation: `hs.Interventions()`, or a list of their
            JSON. What is shown with them is `effect`'s choice.
        transcoders: Whose features are clamped; see `hs.load_transcoders`.
        selection: What is pinned at first, such as `{"layer": 1, "head": 4}`.

    Raises:
        ModelError: The model cannot be used, or shows no attention.

    Example:
        >>> widget = hs.AttentionPatterns(hs.load_demo(), "the cat sat. the cat")
        >>> widget.head(1, 4)  # float32 [dest, src]
    """

    takes_interventions = True
    view_bundle = "attention"

    @checked
    def __init__(
        self,
        model: Any,
        prompt: Any,
        *,
        interventions: Any = None,
        transcoders: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        super().__init__(
            model, prompt, interventions=interventions, transcoders=transcoders, selection=selection
        )

    @checked
    def head(self, layer: int, head: int) -> npt.NDArray[np.float32]:
        """Weights of one head on the prompt of `result`, exact.

        Costs nothing where its layer is still cached, otherwise a forward pass up to it.

        Args:
            layer: The layer.
            head: The query head.

        Returns:
            float32 `[dest, src]`; rows sum to 1, masked entries are 0.

        Raises:
            RequestError: There is no such head.
            ResultError: There is no result yet, or the model has changed since.
        """
        _ = self.result
        return self._ask_head(layer, head).weights

    @classmethod
    def _reads(cls, model: LiveModel, n_tokens: int, **fields: Any) -> Iterable[Site]:
        return attention.sites(model)

    def _request(self, prompt: str | tuple[int, ...]) -> attention.AttentionRequest:
        layer, head = self.selection["layer"], self.selection["head"]
        pinned = None if layer is None or head is None else (layer, head)
        return attention.AttentionRequest(prompt, head=pinned)

    def _analyse(self, request: attention.AttentionRequest) -> Steps[Patterns]:
        return attention.run(self._model, request)

    def _slices(self, result: Result) -> Slices:
        shown = cast("Patterns", result)
        # Of a model that has changed since there are no more heads than the result holds.
        changed = self._model.state() != self._valued_on
        return slices_of(
            shown, self._shown_view, self.selection, None if changed else self._ask_head
        )

    def _ask_head(self, layer: int, head: int) -> HeadPattern:
        def ask(shown: Patterns) -> HeadPattern:
            weights = attention.head_weights(self._model, _prompt(shown), layer, head)
            return HeadPattern(layer, head, weights)

        def less(acting: HeadPattern, plain: HeadPattern) -> HeadPattern:
            return less_head(self._effects["without"], self._effects["with"], plain, acting)

        return self._ask(ask, less)

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {
            "head": self._answer_head,
            "row": self._answer_row,
            "mix": self._answer_mix,
        }

    def _answer_head(self, params: Params) -> Answer:
        held = self._ask_head(int(params["layer"]), int(params["head"]))
        arrays = (held.weights,) if held.weighted is None else (held.weights, *held.weighted)
        return Answer(arrays=tuple(array.astype(np.float16) for array in arrays))

    def _answer_row(self, params: Params) -> Answer:
        layer, head, dest = (int(params[name]) for name in ("layer", "head", "dest"))
        weights = self._ask(
            lambda shown: attention.row(self._model, _prompt(shown), layer, head, dest),
            np.subtract,
        )
        return Answer(arrays=(weights,))

    def _answer_mix(self, params: Params) -> Answer:
        reduce, layer = params["reduce"], params["layer"]
        of = None if layer is None else int(layer)
        weights = self._ask(
            lambda shown: attention.mix(self._model, _prompt(shown), reduce, of), np.subtract
        )
        return Answer(arrays=(weights.astype(np.float16),))


def _prompt(shown: Patterns) -> Prompt:
    return shown.provenance.prompts[0]
