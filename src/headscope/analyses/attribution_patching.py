"""Attribution patching: the effect of every patch estimated from one backward pass.

    estimate(cell) = sum over what the cell replaces of (source - base) . d metric / d activation

with the gradient taken on the base run: the first-order effect of the patch, in the metric's unit.
Two forward passes and one backward give every cell of every site (Nanda 2023, "Attribution
Patching"). Two corrections are those of AtP* (Kramar et al. 2024):

    QK fix     Queries and keys act through a softmax, whose gradient vanishes where attention is
               saturated. The pattern that the patched query (key) gives is computed exactly, and
               its change is multiplied by the gradient with respect to the pattern. For a key one
               column of the scores changes, so the new softmax follows from the old one.
    GradDrop   Contributions along different paths can cancel in the total gradient. It is taken
               once per layer with that layer's attention and MLP passing no gradient on, and the
               estimate is the mean of the absolute values (over n_layers - 1, since a component's
               own layer gives it none). The estimate then has no sign. Cost: n_layers backwards.
               For an answer of several tokens the absolute value is taken of the sum over its
               continuations.

The estimate of a window of layers is the sum of its layers' estimates: the first-order effect of
*adding* each layer's difference to what it writes. A patch *replaces* it, so of what a lower layer
of the window passes on through an upper one nothing remains; the sum counts it. A gradient that
does not pass through the window would leave it out, but is another one for every cell: a forward
and a backward pass, more than the cell's exact value costs.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import torch

from headscope.analyses.contrast import Contrast
from headscope.jobs.steps import part
from headscope.model.attention_scores import attention_scores
from headscope.model.gradients import gradients
from headscope.model.recorded import Patch, Place
from headscope.model.sites import PatchSite


class Estimator:
    """Estimates for the runs of one contrast, once `prepare` is through.

    Args:
        contrast: The runs.
        places: Where cells patch.
        clean: Log-probabilities of each experiment's clean run, for the KL metric.
        qk_fix: See the module docstring.
        grad_drop: See the module docstring.
    """

    def __init__(
        self,
        contrast: Contrast,
        places: Sequence[Place],
        clean: Sequence[torch.Tensor | None],
        *,
        qk_fix: bool = False,
        grad_drop: bool = False,
    ) -> None:
        self._contrast = contrast
        self._clean = tuple(clean)
        self._path = contrast.model.read_out()
        fixed = [(site, layer) for site, layer in places if qk_fix and site in ("q", "k")]
        patterns: list[Place] = [("pattern", layer) for _, layer in fixed]
        self._wanted = [*dict.fromkeys([*places, *patterns])]
        self._to_fix = fixed
        layers = range(contrast.model.n_layers)
        self._blocks = [(layer,) for layer in layers] if grad_drop else [()]
        self._gradients: list[dict[Place, torch.Tensor]] = []
        self._fixed: dict[tuple[int, PatchSite, int], list[torch.Tensor]] = {}
        self.grad_drop = grad_drop

    def prepare(self) -> Iterator[float]:
        """Take the gradients, and what corrects them; yields the share done."""
        total = len(self._blocks) + len(self._to_fix)
        for begun, blocked in enumerate(self._blocks):
            parts = []
            portions = self._contrast.portions()
            for done, rows in enumerate(portions):
                began, share = begun + done / len(portions), 1 / len(portions)
                steps = self._gradient(rows, blocked)
                parts.append((yield from part(steps, began / total, share / total)))
                yield (began + share) / total
            self._gradients.append(
                {place: torch.cat([found[place] for found in parts]) for place in self._wanted}
            )
        for done, (site, layer) in enumerate(self._to_fix, 1 + len(self._blocks)):
            for run, values in enumerate(self._through_softmax(site, layer)):
                self._fixed[run, site, layer] = values
            yield done / total

    def changes(self, run: int, patches: Sequence[Patch]) -> list[float]:
        """The first-order change of the metric by `patches` in a run, for each drop."""
        return [
            sum(self._linear(drop, run, patch) for patch in patches)
            for drop in range(len(self._blocks))
        ]

    def slope(self, run: int, patch: Patch) -> torch.Tensor:
        """The gradient where `patch` would act, float32, shaped like its value.

        With GradDrop the mean of its absolute values.
        """
        every = [patch.of(drop[patch.site, patch.layer][run]).float() for drop in self._gradients]
        return _mean_of_drops(torch.stack(every).abs()) if self.grad_drop else every[0]

    def _gradient(
        self, rows: slice, blocked: Sequence[int]
    ) -> Generator[float, None, dict[Place, torch.Tensor]]:
        contrast = self._contrast

        def score(streams: torch.Tensor) -> torch.Tensor:
            parts = [
                experiment.metric.part(self._path, contrast.continuation, stream[None], clean)
                for experiment, stream, clean in zip(
                    contrast.experiments[rows], streams, self._clean[rows], strict=True
                )
            ]
            return torch.cat(parts)

        return gradients(
            contrast.model.bridge,
            contrast.base.token_ids[rows],
            self._wanted,
            contrast.read,
            score,
            edits=contrast.base.edits,
            embedding_noise=None if contrast.disturbance is None else contrast.disturbance[rows],
            blocked=blocked,
        )

    def _linear(self, drop: int, run: int, patch: Patch) -> float:
        fixed = self._fixed.get((run, patch.site, patch.layer))
        if fixed is not None:
            unit = slice(None) if patch.unit is None else patch.unit
            return float(fixed[drop][list(patch.positions)][:, unit].sum())
        place = patch.site, patch.layer
        own = patch.of(self._contrast.base.activations[place][run])
        slope = patch.of(self._gradients[drop][place][run])
        return float(((patch.value - own).float() * slope.float()).sum())

    def _through_softmax(self, site: PatchSite, layer: int) -> list[list[torch.Tensor]]:
        """Per run and drop, the estimate `[position, unit]` of patching one query or key."""
        contrast = self._contrast
        n_units = contrast.base.activations[site, layer].shape[2]
        every = range(contrast.experiments[0].base_length)
        whole = [
            contrast.patch(run, site, layer, every, None, unchanged=True)
            for run in range(len(contrast))
        ]
        # On the CPU, since not every device has the float64 that this takes.
        before = attention_scores(contrast.model.bridge, contrast.base, layer).cpu()
        after = attention_scores(
            contrast.model.bridge,
            contrast.base,
            layer,
            [patch for patch in whole if patch is not None],
        ).cpu()
        found = []
        for run in range(len(contrast)):
            moved = _query_moves if site == "q" else _key_moves
            per_drop = []
            for drop in self._gradients:
                slope = drop["pattern", layer][run].float().cpu()
                change = moved(before[run], after[run], slope)  # [head, position]
                per_unit = change.reshape(n_units, -1, change.shape[-1]).sum(1)
                per_drop.append(per_unit.T)
            found.append(per_drop)
        return found


def estimate(
    estimators: Sequence[Estimator], run: int, patches: Sequence[Sequence[Patch]]
) -> float:
    """The estimated change of the metric, in its own unit, if patches are made in a run.

    Args:
        estimators: One for each continuation of the metric.
        run: Which run.
        patches: For each continuation.
    """
    each = [e.changes(run, own) for e, own in zip(estimators, patches, strict=True)]
    total = torch.tensor(each, dtype=torch.float64).sum(0)
    return float(_mean_of_drops(total.abs()) if estimators[0].grad_drop else total[0])


def _mean_of_drops(values: torch.Tensor) -> torch.Tensor:
    """The mean over layers dropped, `[drop, ...]`, of which a component's own gives it none."""
    return values.sum(0) / max(len(values) - 1, 1)


def _query_moves(before: torch.Tensor, after: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """A query changes its own row of the pattern and no other."""
    return ((after.softmax(-1) - before.softmax(-1)) * slope).sum(-1)


def _key_moves(before: torch.Tensor, after: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """A key changes its own column of the scores; the rest of each row only shares what is left.

    With r the logsumexp of the row's other scores, the entry moves from p = sigmoid(s - r) to
    p' = sigmoid(s' - r), and what it gains the others lose in proportion. So the metric moves by
    (p' - p) (slope - mean slope of the others, weighted by their shares).
    """
    scores = before.double()
    rest = _of_the_others(scores)
    moved = (after.double() - rest).sigmoid() - (scores - rest).sigmoid()
    up, down = (
        _of_the_others(scores + (sign * slope.double()).clamp_min(0).log()) for sign in (1, -1)
    )
    # An entry that has no others beside it cannot move.
    others = ((up - rest).exp() - (down - rest).exp()).nan_to_num()
    return (moved * (slope - others)).sum(-2).float()


def _of_the_others(scores: torch.Tensor) -> torch.Tensor:
    """For each entry of the last axis the logsumexp of all others.

    From sums up to the entry and down to it: a difference would lose a saturated pattern's rest.
    """
    nothing = torch.full_like(scores[..., :1], -torch.inf)
    below = torch.cat([nothing, scores[..., :-1]], -1).logcumsumexp(-1)
    above = torch.cat([scores[..., 1:], nothing], -1).flip(-1).logcumsumexp(-1).flip(-1)
    return torch.logaddexp(below, above)
