"""`PathPatching`: which components tell a receiver what, and whom a sender tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

import traitlets as t

from headscope.analyses import path_patching
from headscope.analyses.experiments import Direction
from headscope.analyses.metrics import MetricName
from headscope.analyses.path_patching import PathPatchingRequest, PathStudy
from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.jobs import Steps
from headscope.results import Grid
from headscope.widgets.page import synced
from headscope.widgets.pairs import JUDGEMENT_FIELDS, PROMPT_FIELDS, field
from headscope.widgets.study import StudyWidget
from headscope.wire.messages import FieldSpec


class PathPatching(StudyWidget[PathStudy]):
    """A path patching map of a prompt pair, live: senders to receivers, or receivers of a sender.

    Components are written `L9H6` (a head), `L9H6.q`, `L9H6.k`, `L9H6.v` (what it reads), `L9.k`
    (of all heads), `L9KV3.v` (where heads share keys and values), `MLP5`, `embed`, `logits`.

    `result["effect"]` is that of the path alone: 0 for the run patched into, 1 for the run patched
    from. Costs two forward passes, then a part of one for each path, or a whole one where
    interventions act. Definition and sources: `headscope.analyses.path_patching`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        clean: The clean prompt: text or token ids. Or a set: a list of texts, of `hs.Pair`, of
            mappings, or a DataFrame with columns `clean`, `corrupted`, `answer`, `wrong`.
        corrupted: Its counterpart.
        receivers: For whom all senders are shown, such as `"L9H6.q, L9H9.q"`; by default the
            logits, unless there is a sender. A head without an input stands for all three.
        sender: For whom all receivers are shown; several are replaced together.
        answer: What is right after the clean prompt: text of one token or several, or ids; by
            default the model's top prediction.
        wrong: What is right after the corrupted prompt, likewise.
        freeze_mlps: Whether MLPs between sender and receiver keep their outputs: then only the
            direct path counts, otherwise paths through MLPs do too.
        positions: Where the sender's output is replaced; negative ones count from the end; by
            default everywhere.
        direction: `denoising` (clean into corrupted) or `noising` (corrupted into clean).
        metric: `logit_diff`, `logit`, `log_prob`, `prob`, `rank` or `kl`.
        position: Where the metric is read; negative counts from the end.
        alignment: For each token of the prompt patched into, the index of the token of the other
            prompt that it meets, -1 for none; by default found.
        seed: Of the bootstrap over a set.
        interventions: Changes of the model's computation, in all runs: `hs.Interventions()`, or a
            list of their JSON; none that moves layers. What is shown with them is `effect`'s
            choice.
        transcoders: Whose features are clamped; see `hs.load_transcoders`.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> pair = hs.demo.prompts["ioi"][0]
        >>> widget = hs.PathPatching(model, pair.clean, pair.corrupted, receivers="L3H1.q")
        >>> widget.result["effect"]  # float32 [layer, sender]: 0 corrupted, 1 clean
    """

    takes_interventions = True
    fields: ClassVar[tuple[FieldSpec, ...]] = (
        *PROMPT_FIELDS,
        field("receivers", "Receivers", "line",
              "Who reads, such as L9H6.q, L9.k, MLP5; empty: the logits. The map shows senders."),
        field("sender", "Sender", "line",
              "Who writes, such as L9H6, MLP5, embed. The map shows receivers."),
        field("freeze_mlps", "Freeze MLPs", "flag",
              "Only the direct path; otherwise paths through MLPs count too."),
        field("positions", "Positions", "line",
              "Where the sender is replaced, such as 3, -1; empty: everywhere."),
        *JUDGEMENT_FIELDS,
    )  # fmt: skip

    receivers: str = synced(t.Unicode(""))
    sender: str = synced(t.Unicode(""))
    freeze_mlps: bool = synced(t.Bool(True))
    positions: str = synced(t.Unicode(""))

    @checked
    def __init__(
        self,
        model: Any,
        clean: Any,
        corrupted: Any = None,
        *,
        receivers: str | Iterable[str] = "",
        sender: str | Iterable[str] = "",
        answer: Any = None,
        wrong: Any = None,
        freeze_mlps: bool = True,
        positions: Sequence[int] | int | str | None = None,
        direction: Direction = "denoising",
        metric: MetricName = "logit_diff",
        position: int = -1,
        alignment: Sequence[int] | None = None,
        seed: int = 0,
        interventions: Any = None,
        transcoders: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        self._options: dict[str, Any] = {"position": position, "seed": seed}
        super().__init__(
            model, clean, corrupted, answer=answer, wrong=wrong, alignment=alignment,
            interventions=interventions, transcoders=transcoders, selection=selection,
            receivers=receivers, sender=sender, freeze_mlps=freeze_mlps, positions=positions,
            direction=direction, metric=metric,
        )  # fmt: skip

    def _request(self, prompt: str | tuple[int, ...]) -> PathPatchingRequest:
        return PathPatchingRequest(
            self._pairs(prompt),
            receivers=self.receivers,
            sender=self.sender,
            freeze_mlps=self.freeze_mlps,
            positions=_positions(self.positions),
            direction=cast("Direction", self.direction),
            metric=cast("MetricName", self.metric),
            alignment=self._aligned,
            **self._options,
        )

    def _studies(self, request: PathPatchingRequest) -> PathStudy:
        return PathStudy(self._model, request)

    def _steps_of(self, study: PathStudy) -> Steps[Grid]:
        return path_patching.steps(study)


def _positions(text: str) -> tuple[int, ...] | None:
    try:
        return tuple(map(int, text.replace(",", " ").split())) or None
    except ValueError:
        raise RequestError(
            f"{text!r} are no positions.", "Write whole numbers, such as 3, -1; empty: everywhere."
        ) from None
