"""What is asked of activation patching."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Union, get_args

from headscope.analyses.contrast import SOURCES, Source, Spot
from headscope.analyses.experiments import DIRECTIONS, Direction
from headscope.analyses.metrics import MetricName
from headscope.analyses.patch_map import Over, default_over
from headscope.analyses.prompt_pairs import Pair
from headscope.errors import RequestError
from headscope.model.sites import SITES, PatchSite


@dataclass(frozen=True)
class ActivationPatchingRequest:
    """A patching map.

    Args:
        pairs: One or more prompt pairs.
        site: What is patched.
        over: Rows and columns of the map; None for the site's default.
        direction: `denoising` or `noising`.
        metric: What runs are judged by.
        source: `prompt` (the other prompt), `zero`, `mean` (over the prompt's positions) or
            `noise`.
        position: Where the metric is read; negative counts from the end.
        head: For a map over layers and positions of one head.
        layer: For maps of one layer.
        window: How many layers are patched together.
        alignment: For a single pair: for each position of the run patched into, the other prompt's
            position that it meets, or -1; None to find it.
        pinned: Patched in every run, the base included.
        estimate: Whether to estimate every cell first, from one backward pass.
        exact: Whether to go on to exact values.
        qk_fix: Correct estimates of queries and keys for saturated attention.
        grad_drop: Make estimates robust against cancellation; they lose their sign.
        noise_at: For the noise source: positions to disturb; None for all but the first.
        samples: For the noise source: how many samples of noise.
        seed: Of the noise and of the bootstrap.
    """

    pairs: tuple[Pair, ...]
    site: PatchSite = "resid_pre"
    over: Union[Over, None] = None
    direction: Direction = "denoising"
    metric: MetricName = "logit_diff"
    source: Source = "prompt"
    position: int = -1
    head: Union[int, None] = None
    layer: Union[int, None] = None
    window: int = 1
    alignment: Union[tuple[int, ...], None] = None
    pinned: tuple[Spot, ...] = ()
    estimate: bool = True
    exact: bool = True
    qk_fix: bool = False
    grad_drop: bool = False
    noise_at: Union[tuple[int, ...], None] = None
    samples: int = 8
    seed: int = 0

    def resolved(self) -> ActivationPatchingRequest:
        """The same request with its default map named, and without what that map does not use.

        Raises:
            RequestError: A field has no such value, or two fields contradict each other.
        """
        self._check()
        over = self.over or default_over(self.site)
        of_one_head = over == "layer_position" and SITES[self.site].unit is not None
        of_one_layer = over in ("head_position", "unit_position")
        return replace(
            self,
            over=over,
            head=self.head if of_one_head else None,
            layer=self.layer if of_one_layer else None,
        )

    def _check(self) -> None:
        for name, value, choices in (
            ("site", self.site, tuple(SITES)),
            ("over", self.over, (None, *get_args(Over))),
            ("direction", self.direction, DIRECTIONS),
            ("source", self.source, SOURCES),
        ):
            if value not in choices:
                raise RequestError(f"There is no {name} {value!r}.", f"Choose from {choices}.")
        if not self.pairs:
            raise RequestError("There is no prompt pair.", "Pass clean=... and corrupted=....")
        if len(self.pairs) > 1 and self.alignment is not None:
            raise RequestError(
                "An alignment belongs to one prompt pair.", "Pass a single pair, or no alignment."
            )
        if len(self.pairs) > 1 and self.pinned:
            raise RequestError(
                "Patches can be pinned on a single prompt pair only.", "Pass one pair, or unpin."
            )
        if self.source == "mean" and self.site == "pattern":
            raise RequestError(
                "A pattern has no mean over positions.", "Choose another site or source='zero'."
            )
        if self.source == "noise" and self.samples < 1:
            raise RequestError(f"samples is {self.samples}.", "Use at least 1.")
