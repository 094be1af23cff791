"""Patching maps by hand: every cell is one run from the tokens up, with plain hooks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from headscope.analyses import activation_patching
from headscope.analyses.patching_request import ActivationPatchingRequest
from headscope.analyses.prompt_pairs import Pair
from headscope.model import LiveModel
from headscope.results import Grid
from headscope.results.alignment import align
from tests import models, naive
from tests.analyses.steps import result_of

PAIR = Pair("the cat sat on", "the dog saw on", " mat", " dog")
LONGER = Pair("the cat sat on", "the dog sat the on", " mat", " dog")
NOT_APPLICABLE, WAITING, ESTIMATED, EXACT = range(4)


def patched(bridge: Any, pair: Any = PAIR, **fields: Any) -> Grid:
    """The map that Headscope makes."""
    pairs = pair if isinstance(pair, tuple) else (pair,)
    request = ActivationPatchingRequest(pairs, **fields)
    grid = result_of(activation_patching.run(LiveModel.of(bridge), request))
    assert isinstance(grid, Grid)
    return grid


def ids_of(bridge: Any, text: Any) -> tuple[int, ...]:
    """The token ids that a prompt runs as."""
    return tuple(bridge.to_tokens(text)[0].tolist()) if isinstance(text, str) else text


def answer_of(bridge: Any, text: Any) -> tuple[int, ...]:
    """The token ids of an answer."""
    if not isinstance(text, str):
        return () if text is None else (text,)
    return tuple(bridge.tokenizer.encode(text, add_special_tokens=False))


class ByHand:
    """The same map, by hand.

    Args:
        bridge: The model.
        pair: Prompts and answers.
        fields: As of the request.
    """

    def __init__(self, bridge: Any, pair: Pair = PAIR, **fields: Any) -> None:
        self.bridge = bridge
        self.request = ActivationPatchingRequest((pair,), **fields)
        self.answer = answer_of(bridge, pair.answer)
        self.wrong = answer_of(bridge, pair.wrong)
        self.clean = ids_of(bridge, pair.clean)
        self.noise: torch.Tensor | None = None
        self._kept: dict[Any, torch.Tensor] = {}
        self.base = self.source = self.clean
        if self.request.source == "prompt":
            other = ids_of(bridge, pair.corrupted)
            both = (other, self.clean)
            self.base, self.source = both if self.request.direction == "denoising" else both[::-1]
        given = self.request.alignment
        self.aligned = align(self.base, self.source) if given is None else np.array(given)

    def metric(self, ids: tuple[int, ...], places: Any = (), *, position: int) -> float:
        """The metric of a run of `ids` with places patched: (site, layer, unit, positions)."""
        name = self.request.metric
        if len(self.answer) > 1 or (name == "logit_diff" and len(self.wrong) > 1):
            total = self._log_prob(ids, self.answer, places)
            if name == "logit_diff":
                total -= self._log_prob(ids, self.wrong, places)
            return float(np.exp(total)) if name == "prob" else total
        logits = self._logits(ids, places)[position]
        own, log_p = logits[self.answer[0]], logits.log_softmax(-1)
        if name == "kl":
            clean = naive.logits(self.bridge, self.clean)
            clean = clean[self._there(self.clean, position)].log_softmax(-1)
            return float((clean.exp() * (clean - log_p)).sum())
        return float({
            "logit_diff": own - logits[self.wrong[0]], "logit": own,
            "log_prob": log_p[self.answer[0]], "prob": log_p[self.answer[0]].exp(),
            "rank": (logits > own).sum(),
        }[name])  # fmt: skip

    @property
    def base_metric(self) -> float:
        """Of the run patched into."""
        return self.metric(self.base, position=self.request.position)

    @property
    def source_metric(self) -> float:
        """Of the run patched from."""
        noise, self.noise = self.noise, None
        found = self.metric(self.source, position=self._there(self.source, self.request.position))
        self.noise = noise
        return found

    def changes(
        self, site: Any, layer: int, unit: int | None, positions: list[int], tail: Any = ()
    ) -> list[naive.Change]:
        """What patching a place means, where any of its positions meets one of the source."""
        name, here = naive.hook(site, layer), [p for p in positions if self.aligned[p] >= 0]
        if not here:
            return []
        kept = self._activation(name, tuple(tail))
        value = kept[naive.where(site, [int(self.aligned[p]) for p in here], unit)]
        if self.request.source == "zero":
            value = torch.zeros_like(value)
        if self.request.source == "mean":
            every = kept[naive.where(site, slice(None, len(self.base)), unit)]
            value = every.mean(0, keepdim=True).expand(value.shape)
        return [naive.Change(name, naive.where(site, here, unit), value)]

    def cell(self, grid: Grid, row: int, column: int) -> float:
        """The metric with one cell of `grid` patched; NaN where no token meets another."""
        request = self.request
        unit = None if request.site in naive.STREAMS else request.head
        first, positions = row, [column]
        over = grid.provenance.parameters["over"]
        if over == "layer_head":
            unit, positions = column, list(range(len(self.base)))
        if over in ("head_position", "unit_position"):
            first, unit = request.layer, int(grid.axes[-2].labels[row].lstrip("HKVN"))
        layers = range(first, min(first + request.window, models.N_LAYERS))
        if all(self.aligned[p] < 0 for p in positions):
            return float("nan")
        own = [(request.site, layer, unit, positions) for layer in layers]
        places = [*self.pinned, *own]
        return self.metric(self.base, places, position=request.position)

    def values(self, grid: Grid) -> np.ndarray[Any, Any]:
        """The metric of every cell of `grid`."""
        shape = grid.shape[-2:]
        return np.array([self.cell(grid, *index) for index in np.ndindex(shape)]).reshape(shape)

    def check(self, grid: Grid, tolerance: float = 1e-5) -> None:
        """Metric of every cell and of the unpatched runs, to `tolerance` of its range; effects."""
        expected = self.values(grid)
        ends = [self.base_metric, self.source_metric]
        start = self.metric(self.base, self.pinned, position=self.request.position)
        every = np.array([*expected.ravel(), *ends, start])
        # Of its range, and of what float32 rounds: logits are a few units, also where they cancel.
        rounded = np.nanmax(np.abs(every)) if self.request.metric == "prob" else 1.0
        size = tolerance * (np.nanmax(every) - np.nanmin(every)) + 1e-6 * rounded
        known = ~np.isnan(expected)
        assert ((grid.states == NOT_APPLICABLE) == ~known).all()
        assert (grid.states[known] == EXACT).all()
        assert (np.isnan(grid["metric"]) == ~known).all()
        assert np.abs(grid["metric"] - expected)[known].max() <= size
        told = {term.label: term.value for term in grid.baselines}
        into, origin = "corrupted", "clean"
        if self.request.direction == "noising" or self.request.source != "prompt":
            into, origin = origin, into
        begin = told.get(f"{into}, with what is pinned", told[into])
        assert abs(told[into] - ends[0]) <= size
        assert abs(begin - start) <= size
        divisor = 1.0
        if self.request.source == "prompt":
            assert abs(told[origin] - ends[1]) <= size
            divisor = told[origin] - told[into]
        effect = (grid["metric"].astype(float) - begin) / divisor
        assert np.allclose(
            grid["effect"], effect, rtol=1e-5, atol=size / abs(divisor), equal_nan=True
        )

    @property
    def pinned(self) -> list[Any]:
        """The places that are patched in every run."""
        every = list(range(len(self.base)))
        return [(s.site, s.layer, s.unit, list(s.positions or every)) for s in self.request.pinned]

    def _activation(self, name: str, tail: tuple[int, ...]) -> torch.Tensor:
        if (name, tail) not in self._kept:
            ids = (*self.source, *tail)
            self._kept[name, tail] = naive.activations(self.bridge, ids, [name])[name]
        return self._kept[name, tail]

    def _logits(self, ids: tuple[int, ...], places: Any, tail: Any = ()) -> torch.Tensor:
        changes = [change for place in places for change in self.changes(*place, tail=tail)]
        return naive.logits(self.bridge, (*ids, *tail), changes, self.noise)

    def _log_prob(self, ids: tuple[int, ...], answer: tuple[int, ...], places: Any) -> float:
        log_p = self._logits(ids, places, answer[:-1]).log_softmax(-1)
        return sum(float(log_p[len(ids) - 1 + k, i]) for k, i in enumerate(answer))

    def _there(self, ids: tuple[int, ...], position: int) -> int:
        return position if position < 0 or ids is self.base else int(self.aligned[position])
