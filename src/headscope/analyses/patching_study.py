"""The runs behind a patching map, and what is known of its cells so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from headscope.analyses.attribution_patching import Estimator, estimate
from headscope.analyses.contrast import Contrast, Experiment, Spot
from headscope.analyses.experiments import ablation, experiment
from headscope.analyses.map_trials import ESTIMATED, NOT_APPLICABLE, WAITING, MapTrials, paced
from headscope.analyses.patch_map import (
    Cell,
    Over,
    PatchMap,
    check_map,
    default_over,
    n_units,
    patch_map,
)
from headscope.analyses.patching_request import ActivationPatchingRequest
from headscope.analyses.prompt_pairs import Pair
from headscope.analyses.trials import CellKey, Group
from headscope.errors import RequestError
from headscope.model.attention_edits import refuse_dropped_edits
from headscope.model.live import LiveModel
from headscope.model.memory import recorded_bytes
from headscope.model.patched_runs import PatchedRun
from headscope.model.recorded import Patch, Place
from headscope.model.sites import PatchSite, hook_name
from headscope.results.alignment import UNMATCHED

_NEURONS_SHOWN = 32
_NOISE_SCALE = 3.0
"""Standard deviations of the prompts' token embeddings, as in causal tracing."""


class Study(MapTrials):
    """The runs of a request, and what is known of its cells so far.

    Args:
        model: The model.
        request: What is asked.

    Raises:
        As `run`.
    """

    map: PatchMap

    def __init__(self, model: LiveModel, request: ActivationPatchingRequest) -> None:
        self.request = request.resolved()
        super().__init__(
            model,
            self.request.pairs,
            self.request.metric,
            normalises=self.request.source in ("prompt", "noise"),
            signed=not self.request.grad_drop,
            pinned=bool(self.request.pinned),
            seed=self.request.seed,
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
        self._estimators: list[list[Estimator]] = []

    @property
    def estimated(self) -> bool:
        """Whether cells are estimated: that is wanted, and the metric has a gradient."""
        return self.request.estimate and self.experiments[0].metric.differentiable

    def prepare(self) -> Iterator[float]:
        """Find each pair's answers and align its prompts; yields the share done."""
        asked = {self.request.site, *(spot.site for spot in self.request.pinned)}
        if "pattern" in asked or self.request.qk_fix:
            refuse_dropped_edits(self.model)
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

    def lay_out(self) -> Iterator[float]:
        """Find the cells, and which there are to compute; yields the share done.

        Neurons are chosen by their estimates, for which gradients are taken first.
        """
        if self._over == "unit_position":
            for done in self._differentiate():
                yield 0.5 * done
        self.map = self._map()
        self._begin_cells(len(self.map.cells))
        for done in paced(self._lay_out()):
            yield 0.5 + 0.5 * done

    def estimate(self) -> Iterator[float]:
        """Estimate each of the cells, if that is wanted; yields the share done."""
        for done in self._differentiate():
            yield 0.5 * done
        for done in paced(self._estimate()):
            yield 0.5 + 0.5 * done
        self._estimators = []

    def spots(self, cell: Cell) -> list[Spot]:
        """What pinning a cell would keep patched."""
        site = self.map.site
        return [Spot(site, layer, cell.positions, cell.unit) for layer in cell.layers]

    def cell(self, index: Sequence[int]) -> Cell:
        """The cell at a row and a column."""
        return self.map.cells[self.place(index)]

    def label(self, number: int, place: int) -> str:
        """What is patched in a cell of an experiment."""
        tokens = self.experiments[number].base.tokens
        return "; ".join(spot.label(tokens) for spot in self.spots(self.map.cells[place]))

    def together(self, cells: Sequence[Cell], number: int = 0) -> float:
        """The metric with several cells patched at once in one experiment."""
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
            return float(metric.of(self.read_out, streams, self._clean[number])[0])

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

    @property
    def _over(self) -> Over:
        return self.request.over or default_over(self.request.site)

    def _map(self) -> PatchMap:
        request = self.request
        if self._over != "layer_head" and len({e.base_length for e in self.experiments}) > 1:
            raise RequestError(
                "The prompts patched into have different lengths, so positions have no mean.",
                "Use prompts of equal length, or site='z'.",
            )
        tokens = _common_tokens([e.base.tokens for e in self.experiments])
        return patch_map(
            self.model, request.site, self._over, tokens,
            head=request.head, layer=request.layer, window=request.window,
            units=self._important_neurons() if self._over == "unit_position" else (),
        )  # fmt: skip

    def _differentiate(self) -> Iterator[float]:
        """Take the gradients that estimates are made of, if they are wanted and not there yet."""
        request = self.request
        if self._estimators or not self.estimated:
            return
        for begun, group in enumerate(self._groups):
            clean = [self._clean[i] for i in group.members]
            self._estimators.append([])
            for contrast in group.contrasts:
                estimator = Estimator(
                    contrast, self.places, clean,
                    qk_fix=request.qk_fix, grad_drop=request.grad_drop,
                )  # fmt: skip
                self._estimators[-1].append(estimator)
                for _ in estimator.prepare():
                    yield begun / len(self._groups)

    def _important_neurons(self) -> list[int]:
        """The neurons with the largest estimates (or, without, the largest changes)."""
        layer = self.request.layer or 0
        total = torch.zeros(n_units(self.model, "mlp_post"))
        for g, group in enumerate(self._groups):
            for index, contrast in enumerate(group.contrasts):
                for row in range(len(contrast)):
                    every = range(contrast.experiments[row].base_length)
                    patch = contrast.patch(row, "mlp_post", layer, every, None)
                    if patch is not None:
                        slope = (
                            self._estimators[g][index].slope(row, patch) if self.estimated else None
                        )
                        own = patch.of(contrast.base.activations["mlp_post", layer][row])
                        change = (patch.value - own).float().cpu()
                        change = change if slope is None else change * slope.cpu()
                        total += change.abs().sum(0)
        return sorted(total.topk(min(_NEURONS_SHOWN, len(total))).indices.tolist())

    def _lay_out(self) -> Iterator[float]:
        laid = 0
        for group in self._groups:
            for row in range(len(group.members)):
                for c in range(len(self.map.cells)):
                    self._lay_out_cell(group, row, c)
                    laid += 1
                    yield laid / self.states.size
            for _ in self._read(group, np.ndindex(len(group.members), len(self.map.cells))):
                yield laid / self.states.size

    def _lay_out_cell(self, group: Group, row: int, c: int) -> None:
        i, cell = group.members[row], self.map.cells[c]
        aligned = self.experiments[i].aligned
        positions = range(len(aligned)) if cell.positions is None else cell.positions
        if all(aligned[p] == UNMATCHED for p in positions):
            self.states[i, c] = NOT_APPLICABLE
            return
        for index, contrast in enumerate(group.contrasts):
            patches = _patches(contrast, row, self.map.site, cell)
            if patches:
                group.runs[index][row, c] = PatchedRun(row, tuple(patches))
            else:  # both runs have the same bits there
                base = contrast.base_streams[row]
                group.kept[index][row, c] = base.to(group.kept[index].device)

    def _estimate(self) -> Iterator[float]:
        done = 0
        for group, estimators in zip(self._groups, self._estimators, strict=False):
            for row, c in np.ndindex(len(group.members), len(self.map.cells)):
                i = group.members[row]
                if self.states[i, c] != NOT_APPLICABLE:
                    runs = [of_end.get((row, c)) for of_end in group.runs]
                    patches = [run.patches if run else () for run in runs]
                    self.estimates[i, c] = estimate(estimators, row, patches)
                    if self.states[i, c] == WAITING:
                        self.states[i, c] = ESTIMATED
                done += 1
                yield done / self.states.size

    def _estimate_bytes(self) -> int:
        if not self.estimated:
            return 0
        passes, held = 0, 0
        drops = self.model.n_layers if self.request.grad_drop else 1
        for group, index in self._every():
            contrast = group.contrasts[index]
            n = len(contrast.experiments[contrast.portions()[0]])
            length = contrast.base.length
            passes = max(passes, recorded_bytes(self.model.bridge, n, length, 1, gradient=True))
            held += drops * sum(kept.nbytes for kept in contrast.base.activations.values())
        return passes + held

    def _seconds(self, group: Group, index: int) -> float:
        runs = group.runs[index]
        return group.engine(index).forecast([runs[key] for key in self._todo(group, index)])

    def _compute_cells(self, group: Group, index: int, keys: Sequence[CellKey]) -> Iterator[float]:
        runs = [group.runs[index][key] for key in keys]
        importance = [
            abs(float(np.nan_to_num(self.estimates[group.members[row], c]))) for row, c in keys
        ]
        for progress in group.engine(index).compute(runs, importance):
            found = [keys[k] for k in progress.runs]
            self._keep(group, index, found, progress.streams)
            yield progress.fraction
            for _ in self._read(group, found):
                yield progress.fraction

    def _key(self, contrast: Contrast) -> tuple[object, ...]:
        request = replace(self.request, metric="logit_diff", pairs=(), estimate=True, exact=True)
        request = replace(request, qk_fix=False, grad_drop=False)
        return request, self.map.rows.labels


def _noise_at(request: ActivationPatchingRequest, first: Experiment) -> Sequence[int]:
    if request.noise_at is None:
        return range(1, first.base_length) if first.base_length > 1 else (0,)
    for position in request.noise_at:
        if position not in range(first.base_length):
            raise RequestError(
                f"noise_at has position {position!r}.",
                f"Positions are 0 to {first.base_length - 1}.",
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
