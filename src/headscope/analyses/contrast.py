"""The two runs that a patching experiment compares, for prompt pairs of equal length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.metrics import Metric
from headscope.errors import RequestError
from headscope.jobs.steps import patience
from headscope.model.direct_runs import record
from headscope.model.live import LiveModel
from headscope.model.recorded import Patch, Place, RecordedRuns
from headscope.model.sites import PatchSite
from headscope.results import Prompt
from headscope.results.alignment import UNMATCHED

TOKENS_PER_STEP = 32
"""Of base and source together, unless one prompt has more: GPT-2 small takes some 0.1 s."""

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
    """Base and source runs of experiments of equal length, under one continuation, once recorded.

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
        both = list(zip(experiments, ends, strict=True))
        steps = range(len(ends[0]) + 1)
        self.read = tuple(first.position + k for k in steps)
        self._source_read = [first.source_position + k for k in steps]
        self._places = list(places)
        self._pins = tuple(pinned)
        self._base_ids = [(*e.base.token_ids, *end) for e, end in both]
        self._source_ids = [(*e.source.token_ids, *end) for e, end in both]
        self.disturbance = None
        if source == "noise":
            length = len(self._base_ids[0])
            self.disturbance = _disturbance(model, experiments, length, noise_at, noise)
        self.base: RecordedRuns
        self.source: RecordedRuns
        self._equals: dict[tuple[int, PatchSite, int], frozenset[int]] = {}

    def record(self) -> Iterator[float]:
        """Run the prompts, `portions` of them at a time; yields the share done.

        Base and source side by side cost little more than one of them; where they are long, each
        is a step. Either way both have the same place in products of the same shape, so what is
        equal gets equal bits.
        """
        bridge, places = self.model.bridge, self._places
        wanted = [*places, *((spot.site, spot.layer) for spot in self._pins)]
        bases, sources = list[RecordedRuns](), list[RecordedRuns]()
        portions = self.portions()
        alike = self._kind == "prompt" and len(self._base_ids[0]) == len(self._source_ids[0])
        for done, rows in enumerate(portions):
            base_ids, source_ids = self._base_ids[rows], self._source_ids[rows]
            together = 2 * len(base_ids) * len(base_ids[0]) <= TOKENS_PER_STEP * patience()
            if alike and together and not self._pins:
                both = record(bridge, [*base_ids, *source_ids], wanted)
                runs, others = both.halves()
            else:
                others = record(bridge, source_ids, wanted)
                yield (done + 0.5) / len(portions)
                noise = None if self.disturbance is None else self.disturbance[rows]
                edits = tuple(patch for spot in self._pins for patch in self._pinned(spot, others))
                runs = record(bridge, base_ids, places, edits=edits, embedding_noise=noise)
            bases.append(runs)
            sources.append(others)
            yield (done + 1) / len(portions)
        self.base, self.source = _joined(bases, self.disturbance), _joined(sources, None)
        #: Final streams of the source at the positions the metric reads, `[run, read, d_model]`.
        self.source_streams = self.source.streams[:, -1, self._source_read]
        #: Final streams of the base where the metric reads, `[run, read, d_model]`.
        self.base_streams = self.base.streams[:, -1, list(self.read)]
        #: Final streams of the base without what is pinned, `[run, read, d_model]`.
        self.plain_streams = self.base_streams
        if self._pins:
            plain = record(bridge, self._base_ids, embedding_noise=self.disturbance)
            self.plain_streams = plain.streams[:, -1, list(self.read)]
            yield 1.0

    def portions(self) -> list[slice]:
        """The experiments, in portions that one pass of a model takes in a short step."""
        n, length = len(self), max(len(self._base_ids[0]), len(self._source_ids[0]))
        size = max(1, int(TOKENS_PER_STEP * patience()) // (2 * length))
        return [slice(first, first + size) for first in range(0, n, size)]

    @property
    def nbytes(self) -> int:
        """What the recorded runs take."""
        return sum(
            tensor.nbytes
            for runs in (self.base, self.source)
            for tensor in (
                runs.streams,
                *runs.activations.values(),
                *(kept for layer in runs.keys_values or () for kept in layer),
            )
        )

    def __len__(self) -> int:
        return len(self.experiments)

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
        if not unchanged and self._equal(run, site, layer).issuperset(meets):
            return None
        found = self._values(run, site, layer, meets, unit, self.source)
        if unchanged:
            return Patch(site, layer, tuple(meets), found, unit)
        own = _at(self.base.activations[site, layer][run], site, meets, unit)
        keep = _rows_that_differ(found, own, site, unit)
        return _patch(site, layer, meets, found, unit, keep) if keep.any() else None

    def _equal(self, run: int, site: PatchSite, layer: int) -> frozenset[int]:
        """Positions at which all of both runs' activation has the same bits, where that is cheap.

        So that what a set of cells has in common is compared once.
        """
        if self._kind != "prompt" or site == "pattern":
            return frozenset()
        key = run, site, layer
        if key not in self._equals:
            aligned = torch.from_numpy(self.experiments[run].aligned)
            met = (aligned != UNMATCHED).nonzero().flatten()
            source, base = (of.activations[site, layer][run] for of in (self.source, self.base))
            equal = ~_rows_that_differ(source[aligned[met]], base[met], site, None)
            self._equals[key] = frozenset(met[equal.to(met.device)].tolist())
        return self._equals[key]

    def _values(
        self,
        run: int,
        site: PatchSite,
        layer: int,
        positions: Sequence[int],
        unit: int | None,
        recorded: RecordedRuns,
    ) -> torch.Tensor:
        source = recorded.activations[site, layer]
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

    def _pinned(self, spot: Spot, source: RecordedRuns) -> Iterable[Patch]:
        every = range(self.experiments[0].base_length)
        positions = spot.positions if spot.positions is not None else tuple(every)
        if len(self) > 1:
            raise RequestError(
                "Patches can be pinned on a single prompt pair only.", "Open one pair, then pin."
            )
        meets = [p for p in positions if self.experiments[0].aligned[p] != UNMATCHED]
        if meets:
            value = self._values(0, spot.site, spot.layer, meets, spot.unit, source)
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


def _joined(parts: Sequence[RecordedRuns], noise: torch.Tensor | None) -> RecordedRuns:
    """Runs that were recorded in portions."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    caches = [part.keys_values for part in parts if part.keys_values is not None]
    return RecordedRuns(
        torch.cat([part.token_ids for part in parts]),
        torch.cat([part.streams for part in parts]),
        [
            (torch.cat([k for k, _ in layer]), torch.cat([v for _, v in layer]))
            for layer in zip(*caches, strict=True)
        ]
        if len(caches) == len(parts)
        else None,
        {place: torch.cat([p.activations[place] for p in parts]) for place in first.activations},
        first.edits,
        noise,
        first.tuples,
    )


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
