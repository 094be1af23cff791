"""The runs behind a patching map, and what is known of its cells so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from headscope.analyses.alignment import UNMATCHED
from headscope.analyses.attribution_patching import Estimator, estimate
from headscope.analyses.contrast import Contrast, Experiment, Spot
from headscope.analyses.experiments import ablation, experiment
from headscope.analyses.patch_map import (
    Cell,
    PatchMap,
    check_map,
    default_over,
    n_units,
    patch_map,
)
from headscope.analyses.patching_request import ActivationPatchingRequest
from headscope.analyses.prompt_pairs import Pair
from headscope.analyses.trials import ESTIMATED, NOT_APPLICABLE, CellKey, Group, Trials, paced
from headscope.errors import RequestError
from headscope.model.live import LiveModel
from headscope.model.recorded import Patch, Place
from headscope.model.resumed import PatchedRun
from headscope.model.sites import PatchSite, hook_name

_NEURONS_SHOWN = 32
_NOISE_SCALE = 3.0
"""Standard deviations of the prompts' token embeddings, as in causal tracing."""


class Study(Trials):
    """The runs of a request, and what is known of its cells so far.

    Args:
        model: The model.
        request: What is asked.

    Raises:
        As `run`.
    """

    def __init__(self, model: LiveModel, request: ActivationPatchingRequest) -> None:
        self.request = request.resolved()
        super().__init__(
            model,
            self.request.pairs,
            self.request.metric,
            normalises=self.request.source in ("prompt", "noise"),
        )
        check_map(
            model, self.request.site, self.request.over or default_over(self.request.site),
            self.request.head, self.request.layer, self.request.window,
        )  # fmt: skip
        layers = range(model.n_layers)
        if self.request.layer is not None:
            layers = layers[self.request.layer : self.request.layer + self.request.window]
        #: Standard deviation of the noise source's noise.
        self.noise = 0.0
        self.places: list[Place] = [(self.request.site, layer) for layer in layers]

    def prepare(self) -> Iterator[float]:
        """Find each pair's answers and align its prompts; yields the share done."""
        yield from super().prepare()
        self._check_pinned()

    def record(self) -> Iterator[float]:
        """Run both prompts of every pair; yields the share done."""
        if self.request.source == "noise":
            embeddings = []
            for token_ids in dict.fromkeys(e.clean.token_ids for e in self.experiments):
                embeddings.append(self._embeddings(token_ids))
                yield 0.0
            self.noise = _NOISE_SCALE * float(torch.cat(embeddings).std())
        yield from super().record()

    def estimate(self) -> Iterator[float]:
        """Lay out the cells and estimate each of them; yields the share done."""
        request = self.request
        wanted = request.estimate and self.experiments[0].metric.differentiable
        estimators: list[list[Estimator]] = []
        for begun, group in enumerate(self._groups):
            clean = [self._clean[i] for i in group.members]
            estimators.append([])
            for contrast in group.contrasts if wanted else []:
                estimator = Estimator(
                    contrast, self.places, clean,
                    qk_fix=request.qk_fix, grad_drop=request.grad_drop,
                )  # fmt: skip
                estimators[-1].append(estimator)
                for _ in estimator.prepare():
                    yield 0.5 * begun / len(self._groups)
        self.map = self._map(estimators)
        self._begin_cells(len(self.map.cells))
        self.estimates = np.full(self.values.shape, np.nan)
        for done in paced(self._lay_out(estimators)):
            yield 0.5 + 0.5 * done

    @property
    def laid_out(self) -> bool:
        """Whether the cells are known."""
        return hasattr(self, "map")

    def spots(self, cell: Cell) -> list[Spot]:
        """What pinning a cell would keep patched."""
        site = self.map.site
        return [Spot(site, layer, cell.positions, cell.unit) for layer in cell.layers]

    def cell(self, index: Sequence[int]) -> Cell:
        """The cell at a row and a column."""
        for cell in self.map.cells:
            if cell.index == tuple(index[-2:]):
                return cell
        raise RequestError(f"There is no cell {tuple(index)}.", "Choose one of the map's.")

    def together(self, cells: Sequence[Cell], number: int = 0) -> tuple[float, list[torch.Tensor]]:
        """Patch several cells at once in one experiment.

        Args:
            cells: Which.
            number: Which experiment.

        Returns:
            The metric, and per continuation the final streams `[1, read, d_model]`.
        """
        group = next(g for g in self._groups if number in g.members)
        row = group.members.index(number)
        streams = []
        for index, contrast in enumerate(group.contrasts):
            patches = [p for cell in cells for p in _patches(contrast, row, self.map.site, cell)]
            if not patches:
                streams.append(contrast.base_streams[row : row + 1])
                continue
            together = PatchedRun(row, tuple(patches))
            with self.running():
                steps = group.engine(index).compute([together])
                streams += [progress.streams for progress in steps if progress.runs]
        metric = self.experiments[number].metric
        with torch.no_grad():
            value = float(metric.of(self.read_out, streams, self._clean[number])[0])
        return value, streams

    def streams(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Final streams `[d_model]` of an experiment's base and source at the metric's position."""
        group = next(g for g in self._groups if number in g.members)
        row = group.members.index(number)
        contrast = group.contrasts[0]
        return contrast.base_streams[row, 0], contrast.source_streams[row, 0]

    # Recording.

    def _experiments(self, pair: Pair) -> Iterator[Experiment]:
        request = self.request
        found = experiment(
            self.model,
            pair,
            metric=request.metric,
            direction=request.direction,
            source=request.source,
            position=request.position,
            alignment=request.alignment,
        )
        if request.source == "noise":
            for sample in range(request.samples):
                yield replace(ablation(found), noise_seed=request.seed + sample)
        else:
            yield found if request.source == "prompt" else ablation(found)

    def _contrast(self, experiments: Sequence[Experiment], continuation: int) -> Contrast:
        request = self.request
        self._refuse_if_too_large(experiments, 1, gradient=request.estimate)
        return Contrast(
            self.model,
            experiments,
            continuation,
            self.places,
            source=request.source,
            noise_at=_noise_at(request, experiments[0]),
            noise=self.noise,
            pinned=request.pinned,
        )

    def _embeddings(self, token_ids: Sequence[int]) -> torch.Tensor:
        """What goes into the first block, without learned positions, `[position, d_model]`.

        Not rows of the embedding matrix: some models scale or normalise these first.
        """
        bridge, found = self.model.bridge, list[torch.Tensor]()
        learned = "pos_embed.hook_out" in bridge.hook_dict
        hook = "hook_embed" if learned else hook_name(bridge, "resid_pre", 0)
        observers = {hook: lambda stream: found.append(stream.detach().float().cpu())}
        self.model.forward(token_ids, observers, stop_at_layer=1)
        return found[0]

    def _check_pinned(self) -> None:
        length = self.experiments[0].base_length
        for spot in self.request.pinned:
            if spot.positions is not None and max(spot.positions) >= length:
                raise RequestError(
                    f"A patch is pinned at position {max(spot.positions)}, the prompt patched into "
                    f"has {length} tokens.",
                    "Unpin it: widget.unpin().",
                )

    # Cells.

    def _map(self, estimators: Sequence[Sequence[Estimator]]) -> PatchMap:
        request = self.request
        over = request.over or default_over(request.site)
        if over != "layer_head" and len({e.base_length for e in self.experiments}) > 1:
            raise RequestError(
                "The prompts patched into have different lengths, so positions have no mean.",
                "Use prompts of equal length, or over='layer_head'.",
            )
        tokens = _common_tokens([e.base.tokens for e in self.experiments])
        units: Sequence[int] = ()
        if over == "unit_position":
            units = self._important_neurons(estimators)
        return patch_map(
            self.model, request.site, over, tokens,
            head=request.head, layer=request.layer, units=units, window=request.window,
        )  # fmt: skip

    def _important_neurons(self, estimators: Sequence[Sequence[Estimator]]) -> list[int]:
        """The neurons with the largest estimates (or, without, the largest changes)."""
        layer = self.request.layer or 0
        total = torch.zeros(n_units(self.model, "mlp_post"))
        for group, of_group in zip(self._groups, estimators, strict=True):
            for index, contrast in enumerate(group.contrasts):
                for row in range(len(contrast)):
                    every = range(contrast.experiments[row].base_length)
                    patch = contrast.patch(row, "mlp_post", layer, every, None)
                    if patch is not None:
                        slope = of_group[index].slope(row, patch) if of_group else None
                        own = patch.of(contrast.base.activations["mlp_post", layer][row])
                        change = (patch.value - own).float().cpu()
                        change = change if slope is None else change * slope.cpu()
                        total += change.abs().sum(0)
        return sorted(total.topk(min(_NEURONS_SHOWN, len(total))).indices.tolist())

    def _lay_out(self, estimators: Sequence[Sequence[Estimator]]) -> Iterator[float]:
        laid = 0
        for group, of_group in zip(self._groups, estimators, strict=True):
            for row in range(len(group.members)):
                for c in range(len(self.map.cells)):
                    self._lay_out_cell(group, of_group, row, c)
                    laid += 1
                    yield laid / self.states.size
            for _ in self._read(group, np.ndindex(len(group.members), len(self.map.cells))):
                yield laid / self.states.size

    def _lay_out_cell(
        self, group: Group, estimators: Sequence[Estimator], row: int, c: int
    ) -> None:
        i, cell = group.members[row], self.map.cells[c]
        aligned = self.experiments[i].aligned
        positions = range(len(aligned)) if cell.positions is None else cell.positions
        if all(aligned[p] == UNMATCHED for p in positions):
            self.states[i, c] = NOT_APPLICABLE
            return
        each = [_patches(k, row, self.map.site, cell) for k in group.contrasts]
        for index, patches in enumerate(each):
            if patches:
                group.runs[index][row, c] = PatchedRun(row, tuple(patches))
            else:  # both runs have the same bits there
                base = group.contrasts[index].base_streams[row]
                group.kept[index][row, c] = base.to(group.kept[index].device)
        if estimators:
            self.estimates[i, c] = estimate(estimators, row, each)
            self.states[i, c] = ESTIMATED

    def _seconds(self, group: Group, index: int) -> float:
        runs = group.runs[index]
        return group.engine(index).forecast([runs[key] for key in self._todo(group, index)])

    def _todo(self, group: Group, index: int) -> list[CellKey]:
        """The cells whose final stream is not kept yet."""
        kept = group.kept[index]
        return [key for key in group.runs[index] if torch.isnan(kept[key][0, 0])]

    def _compute_contrast(self, group: Group, index: int, contrast: Contrast) -> Iterator[float]:
        todo = self._todo(group, index)
        runs = [group.runs[index][key] for key in todo]
        importance = [
            abs(float(np.nan_to_num(self.estimates[group.members[row], c]))) for row, c in todo
        ]
        for progress in group.engine(index).compute(runs, importance):
            keys = [todo[k] for k in progress.runs]
            self._keep(group, index, keys, progress.streams)
            yield progress.fraction
            for _ in self._read(group, keys):
                yield progress.fraction

    def _key(self, contrast: Contrast) -> tuple[object, ...]:
        request = replace(self.request, metric="logit_diff", pairs=(), estimate=True, exact=True)
        request = replace(request, qk_fix=False, grad_drop=False)
        return request, self.map.rows.labels


def _noise_at(request: ActivationPatchingRequest, first: Experiment) -> Sequence[int]:
    if request.noise_at is None:
        return range(1, first.base_length) if first.base_length > 1 else (0,)
    for position in request.noise_at:
        if not 0 <= position < first.base_length:
            raise RequestError(
                f"noise_at has position {position}.", f"Positions are 0 to {first.base_length - 1}."
            )
    return request.noise_at


def _patches(contrast: Contrast, row: int, site: PatchSite, cell: Cell) -> list[Patch]:
    experiment = contrast.experiments[row]
    positions = range(experiment.base_length) if cell.positions is None else cell.positions
    found = (contrast.patch(row, site, layer, positions, cell.unit) for layer in cell.layers)
    return [patch for patch in found if patch is not None]


def _common_tokens(bases: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The tokens, where all prompts have the same; elsewhere the first one's with an ellipsis."""
    first = bases[0]
    return tuple(
        token if all(len(b) > p and b[p] == token for b in bases) else f"{token}…"
        for p, token in enumerate(first)
    )
