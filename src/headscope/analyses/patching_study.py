"""The runs behind a patching map, and what is known of its cells so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.alignment import UNMATCHED
from headscope.analyses.attribution_patching import Estimator
from headscope.analyses.contrast import Contrast, Experiment, Spot
from headscope.analyses.experiments import ablation, experiment, not_finite
from headscope.analyses.metrics import TITLES
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
from headscope.errors import RequestError, ResultError
from headscope.model.live import LiveModel
from headscope.model.memory import recorded_bytes, refuse_if_too_large
from headscope.model.patching import PatchingEngine, Work
from headscope.model.recorded import Patch, Place
from headscope.model.resumed import PatchedRun, Shortcuts
from headscope.model.runs import LOGITS, Site
from headscope.model.sites import PatchSite
from headscope.results import CELL_STATES

NOT_APPLICABLE, WAITING, ESTIMATED, EXACT = range(len(CELL_STATES))
_TOKENS_PER_RECORDING = 1024
_NEURONS_SHOWN = 32
_NOISE_SCALE = 3.0
"""Standard deviations of the token embeddings, as in causal tracing."""
_READ_OUT: WeakSet[Any] = WeakSet()
"""Bridges whose logits were found to be final norm and unembedding of the last stream."""


@dataclass
class _Group:
    """Experiments of equal shape that run side by side.

    Args:
        members: Their numbers.
        contrasts: Their runs, one contrast per continuation of the metric.
        runs: Per continuation the patched run of each (row, cell).
        kept: Per continuation the final streams `[row, cell, read, d_model]`, NaN until computed.
        engines: The engines made so far, by continuation.
    """

    members: tuple[int, ...]
    contrasts: list[Contrast]
    runs: list[dict[tuple[int, int], PatchedRun]] = field(default_factory=list)
    kept: list[torch.Tensor] = field(default_factory=list)
    engines: dict[int, PatchingEngine] = field(default_factory=dict)

    def engine(self, index: int) -> PatchingEngine:
        """The engine of a continuation."""
        if index not in self.engines:
            contrast = self.contrasts[index]
            self.engines[index] = PatchingEngine(
                contrast.model.bridge, contrast.base, contrast.read
            )
        return self.engines[index]


class Study:
    """The runs of a request, and what is known of its cells so far.

    Args:
        model: The model.
        request: What is asked.

    Raises:
        As `run`.
    """

    def __init__(self, model: LiveModel, request: ActivationPatchingRequest) -> None:
        self.request = request.resolved()
        model.ready()
        self.model = model
        check_map(
            model, self.request.site, self.request.over or default_over(self.request.site),
            self.request.head, self.request.layer, self.request.window,
        )  # fmt: skip
        self._groups: list[_Group] = []

    def prepare(self) -> Iterator[float]:
        """Find each pair's answers and align its prompts; yields the share done."""
        self._begun_on = self.model.state()
        self.user_hooks = self.model.user_hooks()
        self._runs = self.model.open_runs()
        self.read_out = self.model.read_out()
        pairs, found = self.request.pairs, list[Experiment]()
        for done, pair in enumerate(pairs, 1):
            found += _experiments(self.model, self.request, pair)
            yield done / len(pairs)
        self.experiments = tuple(found)
        self._check_pinned()
        self._check_read_out()

    def check_unchanged(self) -> None:
        """Refuse to go on with a model that is not the one whose runs were recorded.

        Raises:
            ResultError: Its weights or the hooks on it have changed.
        """
        if self.model.state() != self._begun_on:
            raise ResultError(
                "The model's weights or hooks have changed since its runs were recorded.",
                "Run it again: widget.run().",
            )

    def record(self) -> Iterator[float]:
        """Run both prompts of every pair; yields the share done."""
        site, request = self.request.site, self.request
        layers = range(self.model.n_layers)
        if request.layer is not None:
            layers = layers[request.layer : request.layer + request.window]
        places: list[Place] = [(site, layer) for layer in layers]
        parts = _parts(self.experiments)
        for done, members in enumerate(parts, 1):
            chosen = [self.experiments[i] for i in members]
            self._refuse_if_too_large(chosen)
            contrasts = [
                Contrast(
                    self.model,
                    chosen,
                    index,
                    places,
                    source=request.source,
                    noise_at=_noise_at(request, chosen[0]),
                    noise=_NOISE_SCALE * self._embedding_spread(),
                    pinned=request.pinned,
                )
                for index in range(len(chosen[0].metric.continuations))
            ]
            self._groups.append(_Group(tuple(members), contrasts))
            yield done / len(parts)
        self.places = places
        clean = [_clean_streams(group) for group in self._groups]
        self._clean = {
            i: self._log_probs(stream)
            for group, streams in zip(self._groups, clean, strict=True)
            for i, stream in zip(group.members, streams, strict=True)
        }
        self.base_metric = self._metric_of(lambda contrast: contrast.base_streams)
        self.plain_metric = self._metric_of(lambda contrast: contrast.plain_streams)
        self.source_metric = self._metric_of(lambda contrast: contrast.source_streams)
        self._check_metrics()
        first = clean[0][0]
        with torch.no_grad():
            self.next_tokens = self.model.next_tokens(self.read_out.logits(first[None])[0])

    @property
    def normalises(self) -> bool:
        """Whether there is a source run to call 1."""
        return self.request.source in ("prompt", "noise")

    def estimate(self) -> Iterator[float]:
        """Lay out the cells and estimate each of them; yields the share done."""
        request = self.request
        wanted = request.estimate and self.experiments[0].metric.differentiable
        estimators: list[list[Estimator]] = []
        for done, group in enumerate(self._groups, 1):
            clean = [self._clean[i] for i in group.members]
            estimators.append(
                [
                    Estimator(
                        contrast, self.places, clean,
                        qk_fix=request.qk_fix, grad_drop=request.grad_drop,
                    )
                    for contrast in group.contrasts
                ]
                if wanted
                else []
            )  # fmt: skip
            yield 0.5 * done / len(self._groups)
        self.map = self._map(estimators)
        shape = (len(self.experiments), len(self.map.cells))
        self.states = np.full(shape, WAITING, np.uint8)
        self.values = np.full(shape, np.nan)
        self.estimates = np.full(shape, np.nan)
        for done, (group, of_group) in enumerate(zip(self._groups, estimators, strict=True), 1):
            self._lay_out(group, of_group)
            yield 0.5 + 0.5 * done / len(self._groups)

    def compute(self) -> Iterator[float]:
        """Compute every cell exactly; yields the share done."""
        share = 1.0 / max(len(self._groups), 1)
        for number, group in enumerate(self._groups):
            per_contrast = share / len(group.contrasts)
            for index, contrast in enumerate(group.contrasts):
                began = number * share + index * per_contrast
                for done in self._compute_contrast(group, index, contrast):
                    yield began + done * per_contrast

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
            steps = group.engine(index).compute([together])
            streams += [progress.streams for progress in steps if progress.runs]
        metric = self.experiments[number].metric
        with torch.no_grad():
            value = float(metric.of(self.read_out, streams, self._clean[number])[0])
        return value, streams

    def effect(self, change: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
        """A change of the metric as an effect: divided by the set's mean difference, if any."""
        scale = float(np.mean(self.source_metric - self.plain_metric)) if self.normalises else 1.0
        return np.asarray(change) / scale

    def streams(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Final streams `[d_model]` of an experiment's base and source at the metric's position."""
        group = next(g for g in self._groups if number in g.members)
        row = group.members.index(number)
        contrast = group.contrasts[0]
        return contrast.base_streams[row, 0], contrast.source_streams[row, 0]

    @property
    def work(self) -> Work:
        """What was computed, over all groups."""
        total = Work()
        for group in self._groups:
            for engine in group.engines.values():
                total.done += engine.work.done
                total.needed += engine.work.needed
                total.seconds += engine.work.seconds
        return total

    @property
    def shortcuts(self) -> Shortcuts | None:
        """What is left out of the runs on this model; None before any has run."""
        engines = [engine for group in self._groups for engine in group.engines.values()]
        return engines[0].shortcuts if engines else None

    def forecast(self) -> str:
        """How many cells there are to compute, how long that will take, and what is kept."""
        seconds, size = 0.0, 0
        for group in self._groups:
            for index, runs in enumerate(group.runs):
                engine = group.engine(index)
                engine.calibrate()
                seconds += engine.forecast(list(runs.values()))
                size += group.kept[index].nbytes
        left = int((np.isin(self.states, (WAITING, ESTIMATED))).sum())
        about = "under 1 s" if seconds < 1 else f"about {seconds:.0f} s"
        return f"{left:,} cells to compute, {about}, {max(size / 1e6, 0.1):,.1f} MB to keep"

    def outlook(self) -> str:
        """How many cells are left, in words."""
        left = int((np.isin(self.states, (WAITING, ESTIMATED))).sum())
        return f"{left:,} of {self.states.size:,} cells left"

    # Recording.

    def _refuse_if_too_large(self, chosen: Sequence[Experiment]) -> None:
        length = max(len(chosen[0].base.token_ids), len(chosen[0].source.token_ids))
        need = recorded_bytes(
            self.model.bridge, 2 * len(chosen), length, 1, gradient=self.request.estimate
        )
        what = f"Patching {self.model.name} on {length} tokens"
        refuse_if_too_large({self.model.device: need}, what)

    def _embedding_spread(self) -> float:
        return float(self.model.bridge.W_E.detach().float().std())

    def _log_probs(self, stream: torch.Tensor) -> torch.Tensor | None:
        if self.request.metric != "kl":
            return None
        with torch.no_grad():
            logits: torch.Tensor = self.read_out.logits(stream[None])[0]
        return logits.log_softmax(-1)

    def _metric_of(self, streams: Callable[[Contrast], torch.Tensor]) -> npt.NDArray[np.float64]:
        found = np.zeros(len(self.experiments))
        with torch.no_grad():
            for group in self._groups:
                for row, i in enumerate(group.members):
                    own = [streams(contrast)[row : row + 1] for contrast in group.contrasts]
                    metric = self.experiments[i].metric
                    found[i] = float(metric.of(self.read_out, own, self._clean[i])[0])
        return found

    def _check_pinned(self) -> None:
        length = self.experiments[0].base_length
        for spot in self.request.pinned:
            if spot.positions is not None and max(spot.positions) >= length:
                raise RequestError(
                    f"A patch is pinned at position {max(spot.positions)}, the prompt patched into "
                    f"has {length} tokens.",
                    "Unpin it: widget.unpin().",
                )

    def _check_read_out(self) -> None:
        """Metrics are read off the last stream by `read_out`: once per model, see that they are."""
        bridge = self.model.bridge
        if bridge in _READ_OUT and not self.user_hooks:
            return
        ids = self.experiments[0].clean.token_ids
        last = len(ids) - 1
        end = Site(f"blocks.{self.model.n_layers - 1}.hook_resid_post", 0, last)
        logits = Site(LOGITS, 0, last)
        found = self.model.activations(ids, [end, logits])
        if found[logits].isnan().any():
            raise not_finite()
        with torch.no_grad():
            device = self.read_out.unembedding.device
            self.read_out.check(found[end][None].to(device), found[logits][None].to(device))
        if not self.user_hooks:
            _READ_OUT.add(bridge)

    def _check_metrics(self) -> None:
        both = np.concatenate([self.plain_metric, self.source_metric])
        ends = [
            s for g in self._groups for c in g.contrasts for s in (c.base_streams, c.source_streams)
        ]
        if not np.isfinite(both).all() or not all(bool(end.isfinite().all()) for end in ends):
            raise not_finite()
        difference = float(np.mean(self.source_metric - self.plain_metric))
        # Logits and logarithms are exact to rounding at 1, probabilities to any size.
        size = float(np.abs(both).max())
        size = size if self.request.metric == "prob" else max(1.0, size)
        if self.normalises and abs(difference) <= 1e-6 * size:
            raise RequestError(
                f"Both runs give the same {TITLES[self.request.metric].lower()} "
                f"({self.plain_metric.mean():.4g}), so there is nothing to normalise by.",
                "Choose another answer, metric or corrupted prompt.",
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

    def _lay_out(self, group: _Group, estimators: Sequence[Estimator]) -> None:
        group.runs = [{} for _ in group.contrasts]
        group.kept = [self._kept(group, index) for index in range(len(group.contrasts))]
        for row, i in enumerate(group.members):
            for c, cell in enumerate(self.map.cells):
                aligned = self.experiments[i].aligned
                positions = range(len(aligned)) if cell.positions is None else cell.positions
                if all(aligned[p] == UNMATCHED for p in positions):
                    self.states[i, c] = NOT_APPLICABLE
                    continue
                each = [_patches(k, row, self.map.site, cell) for k in group.contrasts]
                for index, patches in enumerate(each):
                    if patches:
                        group.runs[index][row, c] = PatchedRun(row, tuple(patches))
                    else:  # both runs have the same bits there
                        base = group.contrasts[index].base_streams[row]
                        group.kept[index][row, c] = base.to(group.kept[index].device)
                if estimators:
                    self.estimates[i, c] = sum(
                        e.of(row, patches) for e, patches in zip(estimators, each, strict=True)
                    )
                    self.states[i, c] = ESTIMATED
        everything = [(r, c) for r in range(len(group.members)) for c in range(len(self.map.cells))]
        self._read(group, everything)

    def _compute_contrast(self, group: _Group, index: int, contrast: Contrast) -> Iterator[float]:
        todo = [key for key in group.runs[index] if torch.isnan(group.kept[index][key][0, 0])]
        runs = [group.runs[index][key] for key in todo]
        importance = [
            abs(float(np.nan_to_num(self.estimates[group.members[row], c]))) for row, c in todo
        ]
        for progress in group.engine(index).compute(runs, importance):
            for k, stream in zip(progress.runs, progress.streams, strict=True):
                group.kept[index][todo[k]] = stream.to(group.kept[index].device)
            self._read(group, [todo[k] for k in progress.runs])
            yield progress.fraction

    def _kept(self, group: _Group, index: int) -> torch.Tensor:
        """Where final streams go: with what earlier requests have computed for the same runs."""
        contrast = group.contrasts[index]
        key = self._key(group, index)
        kept = self._runs.get(key)
        if kept is None:
            shape = (len(group.members), len(self.map.cells), len(contrast.read))
            dtype = contrast.base.streams.dtype
            kept = torch.full((*shape, self.model.d_model), torch.nan, dtype=dtype)
            self._runs.put(key, kept)
        return kept

    def _key(self, group: _Group, index: int) -> tuple[object, ...]:
        request = replace(self.request, metric="logit_diff", pairs=(), estimate=True, exact=True)
        request = replace(request, qk_fix=False, grad_drop=False)
        contrast = group.contrasts[index]
        ids = tuple(map(tuple, contrast.base.token_ids.tolist()))
        others = tuple(map(tuple, contrast.source.token_ids.tolist()))
        each = tuple((e.aligned.tobytes(), e.noise_seed) for e in contrast.experiments)
        rows = self.map.rows.labels
        return ("patched", request, ids, others, each, contrast.read, rows)

    def _read(self, group: _Group, keys: Sequence[tuple[int, int]]) -> None:
        """Read the metric of the runs of which every continuation is there."""
        with torch.no_grad():
            for row in sorted({row for row, _ in keys}):
                i = group.members[row]
                cells = [
                    c for r, c in keys
                    if r == row and not any(torch.isnan(k[row, c, 0, 0]) for k in group.kept)
                ]  # fmt: skip
                if not cells:
                    continue
                device = self.read_out.unembedding.device
                streams = [kept[row, cells].to(device) for kept in group.kept]
                metric = self.experiments[i].metric
                values = metric.of(self.read_out, streams, self._clean[i])
                self.values[i, cells] = values.double().cpu().numpy()
                self.states[i, cells] = EXACT


def _experiments(
    model: LiveModel, request: ActivationPatchingRequest, pair: Pair
) -> Iterator[Experiment]:
    found = experiment(
        model,
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


def _parts(experiments: Sequence[Experiment]) -> list[list[int]]:
    """Numbers of experiments that can run side by side, in portions."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for i, e in enumerate(experiments):
        ends = tuple(len(end) for end in e.metric.continuations)
        key = (e.base_length, len(e.source.token_ids), e.position, e.source_position, ends)
        alike.setdefault(key, []).append(i)
    parts = []
    for members in alike.values():
        longest = max(max(experiments[i].base_length for i in members), 1)
        size = max(1, _TOKENS_PER_RECORDING // longest)
        parts += [members[k : k + size] for k in range(0, len(members), size)]
    return parts


def _noise_at(request: ActivationPatchingRequest, first: Experiment) -> Sequence[int]:
    if request.noise_at is None:
        return range(1, first.base_length) if first.base_length > 1 else (0,)
    for position in request.noise_at:
        if not 0 <= position < first.base_length:
            raise RequestError(
                f"noise_at has position {position}.", f"Positions are 0 to {first.base_length - 1}."
            )
    return request.noise_at


def _clean_streams(group: _Group) -> torch.Tensor:
    """Final streams of the clean runs, `[row, d_model]`."""
    contrast = group.contrasts[0]
    first = contrast.experiments[0]
    clean_is_source = first.clean is first.source or contrast.disturbance is not None
    return (contrast.source_streams if clean_is_source else contrast.plain_streams)[:, 0]


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
