"""What widgets of several prompts have in common: the page edits the first, the others stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from headscope.analyses.prompt_pairs import Text, pairs_of
from headscope.errors import RequestError
from headscope.results import Grid
from headscope.widgets.base import HeadscopeWidget


class PromptSet(HeadscopeWidget[Grid]):
    """A live view of one analysis of one prompt, or of several.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompts: Text or token ids, or a list of these.
        selection: What is pinned at first.
    """

    pausable: ClassVar[bool] = True

    def __init__(
        self,
        model: Any,
        prompts: Any,
        *,
        selection: Mapping[str, int | str | None] | None = None,
        **fields: Any,
    ) -> None:
        if isinstance(prompts, (list, tuple)) and not prompts:
            raise RequestError("There is no prompt.", "Pass a text, or a list of texts.")
        first, *more = (pair.clean for pair in pairs_of(prompts))
        self._more: tuple[Text, ...] = tuple(more)
        super().__init__(model, first, selection=selection, **fields)

    def _besides(self) -> dict[str, Any]:
        found = super()._besides()
        if self._more:
            every = (self._prompts.source(self.prompt), *self._more)
            found["prompt"] = [one if isinstance(one, str) else list(one) for one in every]
        return found
