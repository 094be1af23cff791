"""`InferenceStages`: what each layer does, as curves, and the stages read off them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from headscope.analyses import stages
from headscope.analyses.stages import InferenceStagesRequest
from headscope.arguments import checked
from headscope.jobs import Steps
from headscope.results import Grid
from headscope.widgets.core import Bundle
from headscope.widgets.prompt_set import PromptSet


class InferenceStages(PromptSet):
    """The stages of inference, live: curves over the layers, and where four stages begin and end.

    `result` is a `Grid` `[statistic, layer]` (mean over prompts, and of several the ends of its
    95 % interval) with a measure per curve: `nearby`, `agreement`, `kl`, `entropy`, `attention`,
    `mlp`, `prediction`, `suppression`. `result.stretches` has the stages, each with the rule that
    found it; a model need not show them all. Costs a forward pass and a logit lens per prompt, and
    once for a model the cosines of all neurons with all tokens. Definitions and sources:
    `headscope.analyses.stages`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompts: Text or token ids, or a list of these. The page edits the first.
        seed: Of the bootstrap over prompts.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> widget = hs.InferenceStages(model, ["The capital of Texas is", "Mary and John"])
        >>> widget.result.stretches[0].last  # the last layer of detokenisation; None: not found
    """

    view_bundle: ClassVar[Bundle] = "curves"

    @checked
    def __init__(
        self,
        model: Any,
        prompts: Any,
        *,
        seed: int = 0,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        self._options = {"seed": seed}
        super().__init__(model, prompts, selection=selection)

    def _request(self, prompt: str | tuple[int, ...]) -> InferenceStagesRequest:
        return InferenceStagesRequest(prompt, self._more, **self._options)

    def _analyse(self, request: InferenceStagesRequest) -> Steps[Grid]:
        return stages.run(self._model, request)
