"""`LogitLens`: what the model would predict at each layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

import traitlets as t

from headscope.analyses import logit_lens
from headscope.analyses.logit_lens import ReadOutPoint, Track
from headscope.arguments import checked
from headscope.jobs import Steps
from headscope.model import LiveModel
from headscope.model.runs import Site
from headscope.results import Grid
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.base import HeadscopeWidget
from headscope.widgets.page import synced
from headscope.wire.messages import FieldSpec

#: How many candidates a cell shows when the page does not say.
_CELL_TOKENS = 20


class LogitLens(HeadscopeWidget[Grid]):
    """The logit lens of one prompt, live: the top token of every layer and position.

    `result` is a `Grid` `[read_out, position]` whose last row is the model's real output, with the
    measures `probability`, `log_probability`, `rank`, `entropy` and `kl` (in nats, from the output
    to the cell). Costs one forward pass and an unembedding for each cell. Definitions and source:
    `headscope.analyses.logit_lens`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids.
        read_out: Where the residual stream is read: `resid_post` (after each block), `resid_pre`,
            `resid_mid` (between attention and MLP), or `all`.
        interventions: Changes of the model's computation: `hs.Interventions()`, or a list of their
            JSON. What is shown with them is `effect`'s choice.
        transcoders: Whose features are clamped; see `hs.load_transcoders`.
        selection: What is pinned at first, such as `{"layer": 3, "token": 5}`.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> widget = hs.LogitLens(hs.load_demo(), "The capital of Texas is")
        >>> widget.result["probability"]  # float32 [read_out, position]
    """

    takes_interventions = True
    fields: ClassVar[tuple[FieldSpec, ...]] = (
        {
            "name": "read_out",
            "title": "Read-out",
            "type": "choice",
            "choices": [
                {"value": "resid_post", "title": "after each block (resid_post)"},
                {"value": "resid_pre", "title": "before each block (resid_pre)"},
                {"value": "resid_mid", "title": "between attention and MLP (resid_mid)"},
                {"value": "all", "title": "every state of the stream"},
            ],
            "help": "Where the residual stream is read.",
            "when": [],
        },
    )

    read_out: str = synced(t.Unicode("resid_post"))

    @checked
    def __init__(
        self,
        model: Any,
        prompt: Any,
        *,
        read_out: str = "resid_post",
        interventions: Any = None,
        transcoders: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        super().__init__(
            model, prompt, interventions=interventions, transcoders=transcoders,
            selection=selection, read_out=read_out,
        )  # fmt: skip

    @checked
    def track(self, token: str | int, positions: Sequence[int] | None = None) -> Track:
        """Probability and rank of one token across the read-outs of `result`.

        Args:
            token: Text that is one token, or an id.
            positions: Which positions to follow; all of them if None.

        Returns:
            A `Track`: `probability` and `rank`, float32 `[row, position]`, the first layer first;
            a rank is the number of tokens with a higher logit.

        Raises:
            PromptError: The text is not one token.
            ResultError: There is no result yet, or the model has changed since.
        """
        _ = self.result
        return self._ask(lambda shown: self._track(shown, token, positions))

    @classmethod
    def _reads(
        cls, model: LiveModel, n_tokens: int, read_out: str = "resid_post", **fields: Any
    ) -> Iterable[Site]:
        rows = logit_lens.rows(model, cast("ReadOutPoint", read_out))
        return [Site(row.hook) for row in rows]

    def _request(self, prompt: str | tuple[int, ...]) -> logit_lens.LogitLensRequest:
        return logit_lens.LogitLensRequest(prompt, cast("ReadOutPoint", self.read_out))

    def _analyse(self, request: logit_lens.LogitLensRequest) -> Steps[Grid]:
        return logit_lens.run(self._model, request)

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {"cell": self._answer_cell, "track": self._answer_track}

    def _answer_cell(self, params: Params) -> Answer:
        row, position = int(params["row"]), int(params["position"])
        k = int(params.get("k", _CELL_TOKENS))
        tokens = self._ask(
            lambda shown: logit_lens.cell(
                self._model, shown.provenance.prompts[0], row, position, k, _read_out(shown)
            )
        )
        return Answer({"tokens": [dataclasses.asdict(token) for token in tokens]})

    def _answer_track(self, params: Params) -> Answer:
        positions = [int(p) for p in params["positions"]]
        track = self._ask(lambda shown: self._track(shown, params["token"], positions))
        value = {
            "token_id": track.token_id,
            "text": track.text,
            "rows": track.rows,
            "positions": track.positions,
        }
        return Answer(value, (track.probability, track.rank))

    def _track(self, shown: Grid, token: str | int, positions: Sequence[int] | None) -> Track:
        prompt = shown.provenance.prompts[0]
        chosen = range(len(prompt.tokens)) if positions is None else positions
        return logit_lens.track(self._model, prompt, token, chosen, _read_out(shown))


def _read_out(shown: Grid) -> ReadOutPoint:
    """The read-out of what the page shows, which the field may already have left behind."""
    return cast("ReadOutPoint", shown.provenance.parameters["read_out"])
