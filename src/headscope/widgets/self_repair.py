"""`SelfRepair`: what later layers restore when a head is ablated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

import traitlets as t

from headscope.analyses import self_repair
from headscope.analyses.self_repair import SelfRepairRequest
from headscope.arguments import checked
from headscope.jobs import Steps
from headscope.results import Grid
from headscope.widgets.page import synced
from headscope.widgets.pairs import field
from headscope.widgets.two_prompts import TwoPrompts
from headscope.wire.messages import FieldSpec


class SelfRepair(TwoPrompts[Grid]):
    """Self-repair, live: a head is ablated, and its lost direct effect is told from what follows.

    `result` is a `Grid` `[ablated, part]` of changes of the answer's logit (difference): in total,
    directly, by each later attention and MLP, by the final norm. total = direct + the rest, and
    `result.identity` says how exactly. Where a later part's change is of the opposite sign to the
    direct one, it repairs; `result["share"]` is the share restored. Costs one run per head, from
    its layer on. Definition and sources: `headscope.analyses.self_repair`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids.
        answer: The token whose logit counts, text or id; by default the model's top prediction.
        wrong: A token whose logit is subtracted, likewise; by default none.
        heads: Names of heads, `"L3H1, L3H2"` or a list; by default every head.
        corrupted: A prompt whose run's head output takes the head's place (resample ablation);
            by default the head's output is zero.
        position: Where the prediction is made; negative counts from the end.
        interventions: Changes of the model's computation, on top of which heads are ablated:
            `hs.Interventions()`, or a list of their JSON. What is shown with them is `effect`'s
            choice.
        transcoders: Whose features are clamped; see `hs.load_transcoders`.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> pair = hs.demo.prompts["ioi"][0]
        >>> widget = hs.SelfRepair(hs.load_demo(), pair.clean, pair.answer, pair.wrong)
        >>> widget.result["change"]  # float32 [ablated, part], logits
    """

    takes_interventions = True
    fields: ClassVar[tuple[FieldSpec, ...]] = (
        field("corrupted", "Corrupted", "text",
              "Whose run takes the head's place; empty: the head's output is zero."),
        field("answer", "Answer", "token", "Whose logit counts; empty: the top prediction."),
        field("wrong", "Minus", "token", "A token whose logit is subtracted; may be empty."),
        field("heads", "Heads", "line", "Which are ablated, such as L3H1, L3H2; empty: every one."),
        field("position", "Position", "integer",
              "Where the prediction is made; -1 is the last token."),
    )  # fmt: skip
    pausable: ClassVar[bool] = True

    answer: Any = synced(t.Any(""))
    wrong: Any = synced(t.Any(""))
    heads: str = synced(t.Unicode(""))
    position: int = synced(t.Int(-1))

    @checked
    def __init__(
        self,
        model: Any,
        prompt: Any,
        answer: str | int | None = None,
        wrong: str | int | None = None,
        *,
        heads: str | Iterable[str] = "",
        corrupted: Any = None,
        position: int = -1,
        interventions: Any = None,
        transcoders: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        super().__init__(
            model, prompt, interventions=interventions, transcoders=transcoders,
            selection=selection, answer="" if answer is None else answer,
            wrong="" if wrong is None else wrong, heads=heads, corrupted=corrupted,
            position=position,
        )  # fmt: skip

    def _request(self, prompt: str | tuple[int, ...]) -> SelfRepairRequest:
        return SelfRepairRequest(
            prompt,
            answer=None if self.answer in ("", None) else self.answer,
            wrong=None if self.wrong in ("", None) else self.wrong,
            heads=tuple(self.heads.replace(",", " ").split()),
            corrupted=self._other(),
            position=self.position,
        )

    def _as_it_ran(self, request: SelfRepairRequest, result: Grid) -> SelfRepairRequest:
        return replace(request, answer=cast("int", result.provenance.parameters["answer_id"]))

    def _analyse(self, request: SelfRepairRequest) -> Steps[Grid]:
        return self_repair.run(self._model, request)
