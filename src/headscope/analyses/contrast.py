"""The two runs that a patching experiment compares, for prompt pairs of equal length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.alignment import UNMATCHED
from headscope.analyses.metrics import Metric
from headscope.errors import RequestError
from headscope.model.live import LiveModel
from headscope.model.recorded import Patch, Place, RecordedRuns, record
from headscope.model.sites import PatchSite
from headscope.results import Prompt

Source = Literal["prompt", "zero", "mean", "noise"]
SOURCES: tuple[Source, ...] = ("prompt", "zero", "mean", "noise")


@dataclass(frozen=True)
class Experiment:
    """One patching experiment as it runs.

    Args:
        base: The prompt whose run is patched into.
        source: The prompt whose run the patches come from; `base` itself for ablations.
        clean: Which of the two is the clean one.
        metric: What the runs are judged by.
        aligned: int32 `[position of base]`: the position of `source` that it meets, or -1.
        position: Where the metric is read in `base`.
        source_position: Where it is read in `source`.
        noise_seed: For the noise source: the seed of this sample.
    """

    base: Prompt
    source: Prompt
    clean: Prompt
    metric: Metric
    aligned: npt.NDArray[np.int32]
    position: int
    source_position: int
    noise_seed: int = 0

    @property
    def base_length(self) -> int:
        """Tokens of the base prompt."""
        return len(self.base.token_ids)

    @property
    def is_shifted(self) -> bool:
        """Whether a token meets one at another position, or the prompts differ in length."""
        here = np.flatnonzero(self.aligned != UNMATCHED)
        return self.base_length != len(self.source.token_ids) or bool(
            (self.aligned[here] != here).any()
        )


@dataclass(frozen=True)
class Spot:
    """What a pinned patch replaces.

    Args:
        site: Where in the block.
        layer: Which block.
        positions: Positions of the base; None for all.
        unit: Head, key-value head or neuron; None for all.
    """

    site: PatchSite
    layer: int
    positions: tuple[int, ...] | None
    unit: int | None

    def label(self, tokens: Sequence[str]) -> str:
        """What it is called: "z L9H6", "resid_pre L3, token 5 ' Mary'"."""
        part = {"mlp_post": "N"}.get(self.site, "H")
        name = f"{self.site} L{self.layer}" + ("" if self.unit is None else f"{part}{self.unit}")
        if self.positions is None:
            return name
        where = ", ".join(f"{p} {tokens[p]!r}" for p in self.positions)
        return f"{name}, token {where}"


class Contrast:
    """Base and source runs of experiments of equal length, under one continuation.

    Args:
        model: The model.
        experiments: Those with equally long bases (and sources).
        continuation: Which of the metric's continuations is appended to both prompts.
        places: Whose activations are kept of both.
        source: What the patches come from.
        noise_at: For the noise source: the positions whose embeddings are disturbed.
        noise: Standard deviation of that noise.
        pinned: Patched in every run that starts from the base, the base included.
    """

    def __init__(
        self,
        model: LiveModel,
        experiments: Sequence[Experiment],
        continuation: int,
        places: Iterable[Place],
        *,
        source: Source,
        noise_at: Sequence[int] = (),
        noise: float = 0.0,
        pinned: Sequence[Spot] = (),
    ) -> None:
        self.model = model
        self.experiments = tuple(experiments)
        self.continuation = continuation
        self._kind = source
        first = experiments[0]
        ends = [e.metric.continuations[continuation] for e in experiments]
        steps = range(len(ends[0]) + 1)
        self.read = tuple(first.position + k for k in steps)
        places = list(places)
        wanted = [*places, *((spot.site, spot.layer) for spot in pinned)]
        base_ids = [(*e.base.token_ids, *end) for e, end in zip(experiments, ends, strict=True)]
        source_ids = [(*e.source.token_ids, *end) for e, end in zip(experiments, ends, strict=True)]
        self.disturbance = None
        if source == "noise":
            self.disturbance = _disturbance(model, experiments, len(base_ids[0]), noise_at, noise)
        source_read = [first.source_position + k for k in steps]
        self.base: RecordedRuns
        self.source: RecordedRuns
        if source == "prompt" and len(base_ids[0]) == len(source_ids[0]) and not pinned:
            # Side by side the two cost little more than one, and what is equal gets equal bits.
            both = record(model.bridge, [*base_ids, *source_ids], wanted)
            self.base, self.source = both.halves()
        else:
            self.source = record(model.bridge, source_ids, wanted)
            edits = tuple(patch for spot in pinned for patch in self._pinned(spot))
            self.base = record(
                model.bridge, base_ids, places, edits=edits, embedding_noise=self.disturbance
            )
        #: Final streams of the source at the positions the metric reads, `[run, read, d_model]`.
        self.source_streams = self.source.streams[:, -1, source_read]
        #: Final streams of the base without what is pinned, `[run, read, d_model]`.
        self.plain_streams = self.base_streams
        if pinned:
            plain = record(model.bridge, base_ids, embedding_noise=self.disturbance)
            self.plain_streams = plain.streams[:, -1, list(self.read)]

    def __len__(self) -> int:
        return len(self.experiments)

    @property
    def base_streams(self) -> torch.Tensor:
        """Final streams of the base where the metric reads, `[run, read, d_model]`."""
        return self.base.streams[:, -1, list(self.read)]

    def patch(
        self,
        run: int,
        site: PatchSite,
        layer: int,
        positions: Sequence[int],
        unit: int | None,
        *,
        unchanged: bool = False,
    ) -> Patch | None:
        """The patch that puts the source's activation in the base's place.

        Positions that meet no token, and (unless `unchanged` ones are wanted too) those where both
        runs have the same bits, are left out; None if none is left.
        """
        aligned = self.experiments[run].aligned
        meets = [p for p in positions if aligned[p] != UNMATCHED]
        if not meets:
            return None
        found = self._values(run, site, layer, meets, unit)
        if unchanged:
            return Patch(site, layer, tuple(meets), found, unit)
        own = _at(self.base.activations[site, layer][run], site, meets, unit)
        keep = _rows_that_differ(found, own, site, unit)
        return _patch(site, layer, meets, found, unit, keep) if keep.any() else None

    def _values(
        self, run: int, site: PatchSite, layer: int, positions: Sequence[int], unit: int | None
    ) -> torch.Tensor:
        source = self.source.activations[site, layer]
        there = self.experiments[run].aligned[list(positions)].tolist()
        if site == "pattern" and self.experiments[run].is_shifted:
            raise RequestError(
                "The tokens of one prompt are shifted against the other's, so their attention "
                "patterns cannot take each other's place.",
                "Use prompts of equal length, or another site, such as site='z'.",
            )
        if self._kind == "zero":
            return torch.zeros_like(_at(source[run], site, positions, unit))
        if self._kind == "mean":
            if site == "pattern":
                raise RequestError(
                    "A pattern has no mean over positions.", "Choose another site or source='zero'."
                )
            mean = source[run, : self.experiments[run].base_length].mean(0)
            mean = mean if unit is None else mean[unit]
            return mean.expand(len(positions), *mean.shape)
        return _at(source[run], site, there, unit)

    def _pinned(self, spot: Spot) -> Iterable[Patch]:
        every = range(self.experiments[0].base_length)
        positions = spot.positions if spot.positions is not None else tuple(every)
        if len(self) > 1:
            raise RequestError(
                "Patches can be pinned on a single prompt pair only.", "Open one pair, then pin."
            )
        meets = [p for p in positions if self.experiments[0].aligned[p] != UNMATCHED]
        if meets:
            value = self._values(0, spot.site, spot.layer, meets, spot.unit)
            yield Patch(spot.site, spot.layer, tuple(meets), value, spot.unit)


def _at(
    activation: torch.Tensor, site: PatchSite, positions: Sequence[int], unit: int | None
) -> torch.Tensor:
    if site == "pattern":
        chosen = activation if unit is None else activation[unit]
        return chosen[..., list(positions), :]
    chosen = activation[list(positions)]
    return chosen if unit is None else chosen[:, unit]


def _rows_that_differ(
    a: torch.Tensor, b: torch.Tensor, site: PatchSite, unit: int | None
) -> torch.Tensor:
    """Per position, whether any bit differs, bool `[position]`."""
    differs = a != b
    if site == "pattern" and unit is None:
        differs = differs.transpose(0, 1)
    return differs.flatten(1).any(-1) if differs.ndim > 1 else differs


def _patch(
    site: PatchSite,
    layer: int,
    positions: Sequence[int],
    value: torch.Tensor,
    unit: int | None,
    keep: torch.Tensor,
) -> Patch:
    kept = [p for p, wanted in zip(positions, keep.tolist(), strict=True) if wanted]
    chosen = value[..., keep, :] if site == "pattern" else value[keep]
    return Patch(site, layer, tuple(kept), chosen, unit)


def _disturbance(
    model: LiveModel,
    experiments: Sequence[Experiment],
    length: int,
    positions: Sequence[int],
    scale: float,
) -> torch.Tensor:
    noise = torch.zeros(len(experiments), length, model.d_model)
    for row, experiment in zip(noise, experiments, strict=True):
        generator = torch.Generator().manual_seed(experiment.noise_seed)
        drawn = torch.randn(len(positions), model.d_model, generator=generator)
        row[list(positions)] = scale * drawn
    return noise
