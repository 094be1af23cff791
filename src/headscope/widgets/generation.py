"""`Generation`: how the text goes on, with interventions and without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import traitlets as t

from headscope.analyses import generation
from headscope.analyses.generation import GenerationRequest
from headscope.analyses.generation_runs import NOBODY
from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.interventions import Interventions
from headscope.jobs import Steps
from headscope.results import Grid, TopTokens
from headscope.widgets.base import HeadscopeWidget
from headscope.widgets.core import Bundle
from headscope.widgets.page import synced
from headscope.widgets.pairs import field
from headscope.wire.messages import FieldSpec


class Generation(HeadscopeWidget[Grid]):
    """Generation, live: the model's own text beside that with interventions, from the same seed.

    Tokens appear as they are drawn; cancelling keeps those that there are, and `texts` has them.
    Both runs draw with the same noise at each step, so that texts part where the interventions
    matter. `result` is a `Grid` `[run, step]` with the measures `probability`, `other` (by the
    other run's model, on the same text) and `ratio`; the first of its top tokens is the one drawn.
    Costs a forward pass per run and token, mostly of that token alone. Definitions:
    `headscope.analyses.generation`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids.
        interventions: What one of the runs is changed by: `hs.Interventions()`, or a list of their
            JSON. Where none is on there is but one run.
        n_tokens: Most new tokens of a run.
        temperature: Logits are divided by it; 0 takes the most probable token.
        seed: Of the noise.
        transcoders: Whose features are clamped; see `hs.load_transcoders`.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> changes = hs.Interventions().steer(2, hs.TokenDifference(" Texas", " Ohio"), 6)
        >>> widget = hs.Generation(hs.load_demo(), "The capital of", changes, n_tokens=12)
        >>> widget.texts["with"]
    """

    takes_interventions = True
    has_effects = False
    view_bundle: ClassVar[Bundle] = "texts"
    pausable: ClassVar[bool] = True
    fields: ClassVar[tuple[FieldSpec, ...]] = (
        field("n_tokens", "Tokens", "integer", "Most new tokens."),
        field("temperature", "Temperature", "line",
              "Logits are divided by it; 0 takes the most probable token."),
        field("seed", "Seed", "integer", "Of the noise, which both runs share."),
    )  # fmt: skip

    n_tokens: int = synced(t.Int(40))
    temperature: Any = synced(t.Any("1.0"))
    seed: int = synced(t.Int(0))

    @checked
    def __init__(
        self,
        model: Any,
        prompt: Any,
        interventions: Any = None,
        *,
        n_tokens: int = 40,
        temperature: float = 1.0,
        seed: int = 0,
        transcoders: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        super().__init__(
            model, prompt, interventions=interventions, selection=selection,
            n_tokens=n_tokens, temperature=temperature, seed=seed,
            transcoders=transcoders,
        )  # fmt: skip

    @property
    def texts(self) -> dict[str, str]:
        """What each run has said behind the prompt, by its name: `plain`, and `with`.

        Raises:
            ResultError: There is no result yet.
        """
        found = self.result
        drawn = cast("TopTokens", found.top).ids[..., 0]
        return {
            run: self._said([int(token) for token in row if token != NOBODY])
            for run, row in zip(found.axes[0].labels, drawn, strict=True)
        }

    def _said(self, ids: list[int]) -> str:
        """The text that `ids` spell behind the prompt: some tokenizers drop a first space."""
        if not ids or not self._model.capabilities.tokenizer:
            return " ".join(map(str, ids))
        before = self._shown().provenance.prompts[0].token_ids
        whole, start = self._model.decode((*before, *ids)), self._model.decode(before)
        return whole.removeprefix(start)

    def _request(self, prompt: str | tuple[int, ...]) -> GenerationRequest:
        return GenerationRequest(
            prompt, self.interventions or Interventions(), n_tokens=self.n_tokens,
            temperature=_number(self.temperature), seed=self.seed, transcoders=self._transcoders,
        )  # fmt: skip

    def _analyse(self, request: GenerationRequest) -> Steps[Grid]:
        return generation.run(self._model, request)


def _number(text: Any) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"{text!r} is no temperature.", "Write a number, such as 0.7.") from None
