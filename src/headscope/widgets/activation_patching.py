"""`ActivationPatching`: which part of one run, put into another, brings its answer along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

import traitlets as t

from headscope.analyses import activation_patching
from headscope.analyses.activation_patching import ActivationPatchingRequest, Study
from headscope.analyses.contrast import Source, Spot
from headscope.analyses.experiments import Direction
from headscope.analyses.metrics import MetricName
from headscope.analyses.patch_map import WINDOWED, Over
from headscope.analyses.patch_outcome import joint
from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.jobs import Steps
from headscope.model.sites import SITES, PatchSite
from headscope.results import Grid
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.page import synced
from headscope.widgets.pairs import DIRECTION, METRIC, PROMPT_FIELDS, field
from headscope.widgets.study import StudyWidget
from headscope.wire.messages import FieldSpec

_MAPS: tuple[tuple[str, str], ...] = (
    ("", "the site's usual map"),
    ("layer_position", "layer and position"),
    ("layer_head", "layer and head"),
    ("head_position", "head and position, in one layer"),
    ("unit_position", "neuron and position, in one layer"),
)

_OF_HEADS = [name for name, spec in SITES.items() if spec.unit in ("head", "kv_head")]
_OTHER_PROMPT = [{"source": ["prompt"]}]


class ActivationPatching(StudyWidget[Study]):
    """A patching map of a prompt pair, live: first estimates for every cell, then exact values.

    `result["effect"]` is 0 for the run patched into and 1 for the run patched from; positive moves
    the metric from one to the other. Of the ablations `zero` and `mean` it is the metric's change,
    in its own unit. Costs two forward passes and a backward one, then for each cell the blocks from
    the patched one up. Definitions and sources: `headscope.analyses.activation_patching`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        clean: The clean prompt: text or token ids. Or a set: a list of texts, of `hs.Pair`, of
            mappings, or a DataFrame with columns `clean`, `corrupted`, `answer`, `wrong`
            (`hs.expand` makes pairs from a template).
        corrupted: Its counterpart; may be left out where `source` is not `prompt`.
        answer: What is right after the clean prompt: text of one token or several (a word is found
            without the space before it too), or ids; by default the model's top prediction.
        wrong: What is right after the corrupted prompt, likewise.
        site: What is patched: `resid_pre`, `resid_mid`, `resid_post`, `attn_out`, `mlp_out`, `z`
            (head outputs), `q`, `k`, `v`, `pattern`, or `mlp_post` (neurons).
        over: Rows and columns: `layer_position`, `layer_head`, `head_position` (of one `layer`) or
            `unit_position` (neurons of one `layer`); by default what is usual for the site.
        direction: `denoising` (clean into corrupted) or `noising` (corrupted into clean).
        metric: `logit_diff`, `logit`, `log_prob`, `prob`, `rank` or `kl`.
        source: `prompt`, or an ablation: `zero`, `mean`, `noise`.
        position: Where the metric is read; negative counts from the end.
        head: The head of a map over layers and positions.
        layer: The layer of a map of one layer.
        window: How many layers are patched together.
        alignment: For each token of the prompt patched into, the index of the token of the other
            prompt that it meets, -1 for none; by default found, and editable in the page.
        estimate: Whether to estimate every cell first, from one backward pass.
        exact: Whether to go on to exact values.
        qk_fix: Correct estimates of queries and keys for saturated attention.
        grad_drop: Make estimates robust against cancellation; they lose their sign.
        noise_at: For `source="noise"`: the positions whose embeddings are disturbed; by default
            all but the first.
        seed: Of the noise and of the bootstrap.
        interventions: Changes of the model's computation, in all runs: `hs.Interventions()`, or a
            list of their JSON. What is shown with them is `effect`'s choice.
        transcoders: Whose features are clamped; see `hs.load_transcoders`.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> pair = hs.demo.prompts["ioi"][0]
        >>> widget = hs.ActivationPatching(model, pair.clean, pair.corrupted)
        >>> widget.result["effect"]  # float32 [layer, position]: 0 corrupted, 1 clean
    """

    takes_interventions = True
    fields: ClassVar[tuple[FieldSpec, ...]] = (
        {**PROMPT_FIELDS[0], "when": _OTHER_PROMPT},
        *PROMPT_FIELDS[1:],
        field("site", "Patch", "choice", "What is patched.",
               [(name, f"{spec.title} ({name})") for name, spec in SITES.items()]),
        field("over", "Map", "choice", "What rows and columns are.", _MAPS),
        {**DIRECTION, "when": _OTHER_PROMPT},
        METRIC,
        field("source", "With", "choice", "What comes in place of an activation.",
               [("prompt", "the other prompt's"), ("zero", "zero"),
                ("mean", "its mean over positions"), ("noise", "the run without noise")]),
        field("head", "Head", "integer", "For a map over layers and positions.",
              when=[{"over": ["layer_position"], "site": _OF_HEADS}]),
        field("layer", "Layer", "integer", "For a map of one layer.",
              when=[{"over": ["head_position", "unit_position"]}, {"site": ["mlp_post"]}]),
        field("window", "Window", "integer", "How many layers are patched together.",
              when=[{"site": list(WINDOWED)}]),
    )  # fmt: skip

    site: str = synced(t.Unicode("resid_pre"))
    over: str = synced(t.Unicode(""))
    source: str = synced(t.Unicode("prompt"))
    head: int = synced(t.Int(0))
    layer: int = synced(t.Int(0))
    window: int = synced(t.Int(1))

    @checked
    def __init__(
        self,
        model: Any,
        clean: Any,
        corrupted: Any = None,
        *,
        answer: Any = None,
        wrong: Any = None,
        site: PatchSite = "resid_pre",
        over: Over | None = None,
        direction: Direction = "denoising",
        metric: MetricName = "logit_diff",
        source: Source = "prompt",
        position: int = -1,
        head: int = 0,
        layer: int = 0,
        window: int = 1,
        alignment: Sequence[int] | None = None,
        estimate: bool = True,
        exact: bool = True,
        qk_fix: bool = False,
        grad_drop: bool = False,
        noise_at: Sequence[int] | None = None,
        seed: int = 0,
        interventions: Any = None,
        transcoders: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "position": position, "estimate": estimate, "exact": exact, "qk_fix": qk_fix,
            "grad_drop": grad_drop,
            "noise_at": None if noise_at is None else tuple(noise_at), "seed": seed,
        }  # fmt: skip
        self._pinned: tuple[Spot, ...] = ()
        super().__init__(
            model, clean, corrupted, answer=answer, wrong=wrong, alignment=alignment,
            interventions=interventions, transcoders=transcoders, selection=selection, site=site,
            over=over or "", direction=direction, metric=metric, source=source, head=head,
            layer=layer, window=window,
        )  # fmt: skip

    @property
    def pinned(self) -> tuple[Spot, ...]:
        """The patches that every run is computed on top of; none after the prompts were changed."""
        return self._pinned

    @checked
    def pin(self, *cells: Sequence[int]) -> None:
        """Keep cells of the map patched: the next map is computed on top of them.

        Args:
            cells: Their indices, row and column.

        Raises:
            RequestError: There is no such cell, or the map is of several pairs.
        """
        if not cells:
            raise RequestError("No cell is given.", "Pass at least one, such as (2, 5).")
        self._pinned = (*self._pinned, *self._ask(lambda _: self._spots(cells)))
        self._edited(None)

    def _spots(self, cells: Sequence[Sequence[int]]) -> list[Spot]:
        study = self._studied()
        if len(study.experiments) > 1:
            raise RequestError("Patches are pinned on a single pair.", "Open one pair first.")
        return [spot for cell in cells for spot in study.spots(study.cell(cell))]

    @checked
    def unpin(self, index: int | None = None) -> None:
        """Take back a pinned patch, or all of them.

        Args:
            index: Its place in `pinned`; None for all.

        Raises:
            RequestError: There is none at that place.
        """
        if index is not None and not 0 <= index < len(self._pinned):
            raise RequestError(
                f"No patch is pinned at {index}.", f"widget.pinned has {len(self._pinned)}."
            )
        keep = () if index is None else (s for i, s in enumerate(self._pinned) if i != index)
        self._pinned = tuple(keep)
        self._edited(None)

    @checked
    def joint(self, *cells: Sequence[int]) -> dict[str, Any]:
        """Patch several cells together.

        Args:
            cells: Their indices, row and column.

        Returns:
            `joint`, the effect of all of them at once; `single`, the effect of each; `sum` of
            these; `metric`, the metric of the joint run.
        """
        return self._ask(lambda _: joint(self._studied(), cells))

    def _realign(self, change: Any) -> None:
        """Like an alignment, what is pinned belongs to the tokens of its prompts."""
        super()._realign(change)
        self._pinned = ()

    def _request(self, prompt: str | tuple[int, ...]) -> ActivationPatchingRequest:
        return ActivationPatchingRequest(
            self._pairs(prompt),
            site=cast("PatchSite", self.site),
            over=cast("Over", self.over or None),
            direction=cast("Direction", self.direction),
            metric=cast("MetricName", self.metric),
            source=cast("Source", self.source),
            head=self.head,
            layer=self.layer,
            window=self.window,
            alignment=self._aligned,
            pinned=self._pinned,
            **self._options,
        )

    def _studies(self, request: ActivationPatchingRequest) -> Study:
        return Study(self._model, request)

    def _steps_of(self, study: Study) -> Steps[Grid]:
        return activation_patching.steps(study)

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {
            "joint": lambda params: Answer(self.joint(*params["indices"])),
            "pin": self._answer_pin,
            "unpin": self._answer_unpin,
        }

    def _answer_pin(self, params: Params) -> Answer:
        self.pin(*params["indices"])
        return Answer({})

    def _answer_unpin(self, params: Params) -> Answer:
        self.unpin(params.get("index"))
        return Answer({})
