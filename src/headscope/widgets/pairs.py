"""What widgets of prompt pairs have in common: the second prompt, answers, direction and metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

import traitlets as t

from headscope.analyses.metrics import METRICS, TITLES
from headscope.analyses.prompt_pairs import Answer as AnswerText
from headscope.analyses.prompt_pairs import Pair, pairs_of
from headscope.analyses.rerun import request_of
from headscope.model import LiveModel
from headscope.results import Grid
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.base import R
from headscope.widgets.page import synced
from headscope.widgets.two_prompts import TwoPrompts
from headscope.wire.messages import Choice, FieldSpec


def field(
    name: str,
    title: str,
    kind: Any,
    text: str,
    choices: Sequence[tuple[str, str]] = (),
    when: Sequence[Mapping[str, Sequence[str]]] = (),
) -> FieldSpec:
    """A field's specification; choices are values and titles, for `when` see `FieldSpec`."""
    titled: list[Choice] = [{"value": value, "title": shown} for value, shown in choices]
    conditions = [{name: list(values) for name, values in each.items()} for each in when]
    return {
        "name": name, "title": title, "type": kind, "help": text, "choices": titled,
        "when": conditions,
    }  # fmt: skip


PROMPT_FIELDS: tuple[FieldSpec, ...] = (
    field("corrupted", "Corrupted", "text", "The prompt that the clean one is set against."),
    field("answer", "Answer", "token", "Right after the clean prompt; empty: its top token."),
    field("wrong", "Wrong", "token", "Right after the corrupted one; empty: its top token.",
          when=[{"metric": ["logit_diff"]}]),
)  # fmt: skip
DIRECTION = field(
    "direction", "Direction", "choice", "Which run is patched into.",
    [("denoising", "clean into corrupted (denoising)"),
     ("noising", "corrupted into clean (noising)")],
)  # fmt: skip
METRIC = field(
    "metric", "Metric", "choice", "What the patched runs are judged by.",
    [(name, TITLES[name]) for name in METRICS],
)  # fmt: skip
JUDGEMENT_FIELDS: tuple[FieldSpec, ...] = (DIRECTION, METRIC)


class PromptPairs(TwoPrompts[R]):
    """A live view of one analysis of a prompt pair, or of a set of them.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        clean: The clean prompt, or a set of pairs; see `pairs_of`.
        corrupted: Its counterpart.
        answer: What is right after the clean prompt.
        wrong: What is right after the corrupted prompt.
        selection: What is pinned at first.
    """

    pausable: ClassVar[bool] = True

    answer: Any = synced(t.Any(""))
    wrong: Any = synced(t.Any(""))
    metric: str = synced(t.Unicode("logit_diff"))

    def __init__(
        self,
        model: Any,
        clean: Any,
        corrupted: Any = None,
        *,
        answer: Any = None,
        wrong: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
        **fields: Any,
    ) -> None:
        LiveModel.of(model)  # or what follows complains of a prompt
        pairs = pairs_of(clean, corrupted, answer, wrong)
        first = pairs[0]
        self._given = pairs
        super().__init__(
            model,
            first.clean,
            selection=selection,
            corrupted=first.corrupted,
            answer="" if first.answer is None else first.answer,
            wrong="" if first.wrong is None else first.wrong,
            **fields,
        )

    def _besides(self) -> dict[str, Any]:
        found = super()._besides()
        pairs = self._pairs(self._prompts.source(self.prompt))
        if len(pairs) > 1:
            found["pairs"] = [[p.clean, p.corrupted, p.answer, p.wrong] for p in pairs]
        return found

    def _as_it_ran(self, request: Any, result: R) -> Any:
        ran = request_of(result.provenance).pairs
        pairs = zip(request.pairs, ran, strict=True)
        return replace(
            request, pairs=tuple(replace(p, answer=r.answer, wrong=r.wrong) for p, r in pairs)
        )

    def _pairs(self, prompt: str | tuple[int, ...]) -> tuple[Pair, ...]:
        """The pairs to run: the set that was given, until its first pair is edited."""
        pair = Pair(
            prompt,
            self._other(),
            _given(self.answer),
            _given(self.wrong),
        )
        untouched = len(self._given) > 1 and pair == self._given[0]
        return self._given if untouched else (pair,)


class PairWidget(PromptPairs[Grid]):
    """A live map of a prompt pair, or of a set of them, one of whose runs is patched.

    Args:
        model: As for `PromptPairs`, like all that is not named here.
        clean: Likewise.
        corrupted: Likewise.
        alignment: For each token of the prompt patched into, the index of the token of the other
            prompt that it meets, -1 for none; by default found.
    """

    direction: str = synced(t.Unicode("denoising"))
    alignment: list[int] | None = synced(t.List(t.Int(), default_value=None, allow_none=True))

    def __init__(
        self,
        model: Any,
        clean: Any,
        corrupted: Any = None,
        *,
        alignment: Sequence[int] | None = None,
        **fields: Any,
    ) -> None:
        given = None if alignment is None else list(alignment)
        super().__init__(model, clean, corrupted, alignment=given, **fields)
        self.observe(self._edited, ["alignment"])
        self.observe(self._realign, ["prompt", "corrupted", "direction"])

    def _realign(self, _change: Any) -> None:
        """An alignment belongs to the prompts that it was made for."""
        self.alignment = None

    @property
    def _aligned(self) -> tuple[int, ...] | None:
        return None if self.alignment is None else tuple(self.alignment)

    def _besides(self) -> dict[str, Any]:
        return super()._besides() | ({"alignment": self.alignment} if self.alignment else {})

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {"align": self._answer_align}

    def _answer_align(self, params: Params) -> Answer:
        source = params["source"]
        self.alignment = None if source is None else [int(i) for i in source]
        return Answer({})


def _given(text: Any) -> AnswerText:
    return None if text is None or text == "" else cast("AnswerText", text)
