"""`LayerRobustness`: what the model loses when a layer is taken out or moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headscope.analyses import layer_robustness
from headscope.analyses.layer_robustness import LayerRobustnessRequest
from headscope.arguments import checked
from headscope.jobs import Steps
from headscope.results import Grid
from headscope.widgets.prompt_set import PromptSet


class LayerRobustness(PromptSet):
    """What each layer is good for, live: the model without it, without its parts, out of order.

    `result` is a `Grid` `[edit, layer]`: the block left out, its attention, its MLP, and the block
    swapped with the next. Of several prompts it is `[prompt, edit, layer]`: the mean over all their
    tokens, and each of them. Measures are `loss_change` (nats per token; positive: the layer
    helped), `kl` and `answers_kept`. Costs four runs per layer and prompt,
    each from the changed layer on. Definitions and sources: `headscope.analyses.layer_robustness`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompts: Text or token ids, or a list of these. The page edits the first.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> prompts = ["The capital of Texas is", "Mary and John"]
        >>> widget = hs.LayerRobustness(hs.load_demo(), prompts)
        >>> widget.result["loss_change"]  # float32 [prompt, edit, layer], the mean first
    """

    @checked
    def __init__(
        self,
        model: Any,
        prompts: Any,
        *,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        super().__init__(model, prompts, selection=selection)

    def _request(self, prompt: str | tuple[int, ...]) -> LayerRobustnessRequest:
        return LayerRobustnessRequest(prompt, self._more)

    def _analyse(self, request: LayerRobustnessRequest) -> Steps[Grid]:
        return layer_robustness.run(self._model, request)
