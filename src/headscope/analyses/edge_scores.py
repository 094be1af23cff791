"""Scores of edges: what each of them contributes to the metric, estimated from gradients.

    score(writer -> reader) = (clean - ablated output of the writer) . d metric / d reader's view

summed over positions, mean over pairs: the first-order estimate of what the metric loses when that
reader alone sees the writer ablated. Positive: the edge raises the metric of the clean run. Where
the gradient is taken makes the method:

    eap                  on the clean run (Syed et al. 2023, "Attribution Patching Outperforms
                         Automated Circuit Discovery").
    eap_ig_inputs        mean over runs on embeddings ablated + k/m (clean - ablated), k = 0 to
                         m - 1 (Hanna et al. 2024, "Have Faith in Faithfulness"). The scores of the
                         embedding's edges sum to metric(clean) - metric(ablated embedding), as m
                         grows. m = 1 takes the gradient on the corrupted run alone, which is
                         TransformerLens's edge attribution.
    eap_ig_activations   mean over runs in which one layer's attention, MLP, or the embedding
                         is k/m clean + (1 - k/m) ablated, k = 1 to m.
    clean_corrupted      mean of the gradients at both ends.

With `positions` each position is an edge of its own, what the writer writes there as the reader
reads it there, and its score is that position's term: they sum to the plain scores.

With `neurons` the MLPs of some layers are told apart by neurons, which write what they add to their
MLP's output and read what their nonlinearity is given (gated, both factors). What a layer's neurons
send sums to what its MLP would send.

`flow_routes` takes no gradient and compares nothing: the share of what the logits read in the clean
run that came by the edge (`model.flow_routes`; Ferrando & Voita 2024). It is never negative.

Interventions act in all runs, and what they do is a part of what is differentiated; those under
which there are no edges are refused (`edge_interventions`).

Cost: two forward passes, and a forward and a backward pass per gradient: 1, m,
(m - 1)(1 + 2 n_layers) + 1, or 2; none for flow routes. Pairs run in batches of equal length,
without padding. Neurons cost more, see `model.neuron_products`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.contrast import Contrast, Experiment
from headscope.analyses.edge_interventions import refuse_unfit
from headscope.analyses.experiments import experiment
from headscope.analyses.metrics import MetricName
from headscope.analyses.prompt_pairs import Pair
from headscope.analyses.trials import TOKENS_IN_GROUP, Trials
from headscope.components import Layout
from headscope.errors import RequestError
from headscope.interventions import Interventions
from headscope.jobs.steps import part, patience
from headscope.model.edge_gradients import EdgeProducts, reader_gradients
from headscope.model.edges import EdgeMap, Wiring, Written
from headscope.model.flow_routes import flow_routes
from headscope.model.live import LiveModel
from headscope.model.memory import refuse_if_too_large
from headscope.model.neuron_edges import neuron_counts
from headscope.model.recorded import Place

EdgeMethod = Literal["eap", "eap_ig_inputs", "eap_ig_activations", "clean_corrupted", "flow_routes"]
EDGE_METHODS: tuple[EdgeMethod, ...] = (
    "eap", "eap_ig_inputs", "eap_ig_activations", "clean_corrupted", "flow_routes",
)  # fmt: skip
EdgeMetric = Literal["logit_diff", "logit", "log_prob", "prob", "kl"]
EDGE_METRICS: tuple[EdgeMetric, ...] = ("logit_diff", "logit", "log_prob", "prob", "kl")
"""Those that have a gradient."""
Ablation = Literal["patch", "zero", "mean", "mean_position"]
ABLATIONS: tuple[Ablation, ...] = ("patch", "zero", "mean", "mean_position")
_BYTES_PER_CELL = 40
"""Scores of edges by position: what summing and ranking them takes."""
_BYTES_PER_NEURON_CELL = 80
"""Of every pair of a writer and a reader: scores, sums, exact values, and circuits of a curve."""
_CHECKED: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""Per bridge its state when it was found to compute as its wiring says."""


@dataclass(frozen=True)
class EdgeScoresRequest:
    """What edges are scored by.

    Args:
        pairs: One or more prompt pairs, of tokens that correspond one to one.
        method: Where the gradient is taken; see the module.
        ig_steps: m, for the two methods that integrate.
        ablation: What a writer is ablated to: its output on the corrupted prompt (`patch`), zero,
            its mean over all positions of all clean prompts, or (`mean_position`) over the clean
            prompts at each position.
        metric: What runs are judged by.
        position: Where the metric is read; negative counts from the end.
        positions: Whether edges are told apart by token position; for prompts of equal length.
        neurons: Layers whose MLP is told apart by neurons; not by position, nor by `flow_routes`.
    """

    pairs: tuple[Pair, ...]
    method: EdgeMethod = "eap_ig_inputs"
    ig_steps: int = 5
    ablation: Ablation = "patch"
    metric: MetricName = "logit_diff"
    position: int = -1
    positions: bool = False
    neurons: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("method", self.method, EDGE_METHODS), ("ablation", self.ablation, ABLATIONS),
        ):  # fmt: skip
            if value not in choices:
                raise RequestError(f"There is no {name} {value!r}.", f"Choose from {choices}.")
        if not self.pairs:
            raise RequestError("There is no prompt pair.", "Pass clean=... and corrupted=....")
        if self.ig_steps < 1:
            raise RequestError(f"ig_steps is {self.ig_steps}.", "Pass 1 or more.")
        if self.metric == "rank":
            raise RequestError("A rank has no gradient.", "Choose metric='logit_diff'.")
        if self.method == "flow_routes" and self.positions:
            raise RequestError(
                "Flow routes have no edges by position.", "Choose positions=False or a method "
                "with gradients, such as 'eap_ig_inputs'.",
            )  # fmt: skip
        if self.ablation == "mean_position" and len(self.pairs) == 1:
            raise RequestError(
                "The mean of one clean prompt at each position is that prompt: nothing is ablated.",
                "Pass several pairs, or choose ablation='mean' or 'patch'.",
            )
        if self.neurons and (self.positions or self.method == "flow_routes"):
            what = "by position" if self.positions else "in flow routes"
            raise RequestError(
                f"Neurons are not told apart {what}.", "Choose positions=False and a method with "
                "gradients, such as 'eap_ig_inputs'; or leave neurons out.",
            )  # fmt: skip
        if self.method == "clean_corrupted" and self.ablation != "patch":
            raise RequestError(
                f"clean_corrupted has no corrupted run with ablation={self.ablation!r}.",
                "Choose ablation='patch', or another method.",
            )

    def fits(self, acting: Interventions, layout: Layout) -> None:
        """Refuse interventions under which a model has no such edges; see `refuse_unfit`."""
        flow = self.method == "flow_routes"
        refuse_unfit(acting, layout, neurons=self.neurons, follows_flow=flow)


class EdgeStudy(Trials):
    """The runs of a request, and its edges.

    Args:
        model: The model.
        request: What is asked.

    Raises:
        ModelError: The model's stream is not a sum of what its components write.
        RequestError: Interventions act under which it is none.
    """

    def __init__(self, model: LiveModel, request: EdgeScoresRequest) -> None:
        self.request = request
        super().__init__(
            model, request.pairs, request.metric, normalises=request.ablation == "patch"
        )
        layers = tuple(sorted(set(request.neurons)))
        request.fits(model.acting, model.layout)
        _refuse_if_too_many(model, layers)
        self.wiring = Wiring(model.bridge, model.layout, layers)

    @cached_property
    def edges(self) -> EdgeMap:
        """The writers, readers and edges there are; by position once the pairs are prepared."""
        if not self.request.positions:
            return self.wiring.whole
        first = self.experiments[0]
        if any(
            (e.base_length, e.position) != (first.base_length, first.position)
            for e in self.experiments
        ):
            raise RequestError(
                "The prompts differ in length, so their positions are not the same.",
                "Pass prompts of equal length, or positions=False.",
            )
        if any(len(end) for e in self.experiments for end in e.metric.continuations):
            raise RequestError(
                "An answer of several tokens is read at several positions.",
                "Pass an answer of one token, or positions=False.",
            )
        whole = self.wiring.map
        n_edges = whole.possible.size * first.base_length
        what = f"Edges at each of {first.base_length} positions"
        refuse_if_too_large({"cpu": n_edges * _BYTES_PER_CELL}, what)
        return EdgeMap(whole.layout, first.base_length, (first.position,))

    def record(self) -> Iterator[float]:
        """Run both prompts of every pair; yields the share done."""
        _ = self.edges  # refused before anything is run
        bridge = self.model.bridge
        as_found = self._begun_on, tuple(self.wiring.neurons)
        # What acts is not kept: it would keep the model.
        if self.model.interventions or _CHECKED.get(bridge) != as_found:
            first = self.experiments[0].clean.token_ids
            self.wiring.check(torch.tensor([first], device=self.model.device))
            if not self.model.interventions:
                _CHECKED[bridge] = as_found
        yield from super().record()

    def contrasts(self) -> Iterator[tuple[tuple[int, ...], Contrast]]:
        """Batches of pairs: their numbers, and their runs under one continuation of the metric."""
        for group in self._groups:
            for contrast in group.contrasts:
                yield group.members, contrast

    def ablated(self, contrast: Contrast) -> Written:
        """What the writers are ablated to in the clean runs of a batch."""
        own = Written.of(self.wiring, contrast.base)
        kind = self.request.ablation
        if kind == "patch":
            return Written.of(self.wiring, contrast.source)
        if kind == "zero":
            return own.map(torch.zeros_like)
        over = (0,) if kind == "mean_position" else (0, 1)
        alike = [
            Written.of(self.wiring, other.base)
            for _, other in self.contrasts()
            if other.continuation == contrast.continuation
        ]
        if kind == "mean_position" and len({one.embed.shape[1] for one in alike}) > 1:
            raise RequestError(
                "The prompts differ in length, so positions have no mean.",
                "Pass prompts of equal length, or ablation='mean'.",
            )
        n = sum(one.embed.shape[: len(over)].numel() for one in alike)
        sums = [one.map(lambda x: x.sum(over, keepdim=True)) for one in alike]
        total = sums[0].map(lambda *each: sum(each) / n, *sums[1:])
        return own.map(lambda x, mean: mean.expand_as(x), total)

    def score(self) -> Iterator[float]:
        """Score all edges; yields the share done. Then `scores` is there.

        float64 `[writer, reader]`, or `[writer, reader, position]`; 0 where there is no edge.
        """
        if self.request.method == "flow_routes":
            yield from self._follow()
            return
        scores = torch.zeros(self.edges.possible.shape, dtype=torch.float64)
        batches = list(self.contrasts())
        for done, (members, contrast) in enumerate(batches):
            change = Written.of(self.wiring, contrast.base) - self.ablated(contrast)
            points = list(self._points(change))
            products = EdgeProducts(self.wiring, change, by_position=self.request.positions)
            for number, (weight, shift) in enumerate(points, 1):
                gradients = reader_gradients(
                    self.wiring,
                    contrast.base.token_ids,
                    contrast.read,
                    partial(self._metrics, members, contrast),
                    shift,
                )
                products.add(gradients, weight)
                if number == len(points):
                    begun = (done + (number - 1) / number) / len(batches)
                    scores += yield from part(products.whole(), begun, 1 / number / len(batches))
                yield (done + number / len(points)) / len(batches)
        self.scores: npt.NDArray[np.float64] = scores.numpy() / len(self.experiments)

    def _follow(self) -> Iterator[float]:
        """Scores by flow; an answer's continuations count the same."""
        scores = torch.zeros(self.edges.possible.shape, dtype=torch.float64)
        batches = [(group, one) for group in self._groups for one in group.contrasts]
        for done, (group, contrast) in enumerate(batches):
            following = flow_routes(self.wiring, contrast.base, contrast.read)
            while True:
                try:
                    share = next(following)
                except StopIteration as end:
                    scores += end.value / len(group.contrasts)
                    break
                yield (done + share) / len(batches)
        self.scores = scores.numpy() / len(self.experiments)

    def _points(self, change: Written) -> Iterator[tuple[float, dict[Place, torch.Tensor]]]:
        """Where gradients are taken: what is added to the clean run there, and the weights."""
        embed: Place = ("resid_pre", 0)
        m = self.request.ig_steps
        if self.request.method == "eap":
            yield 1.0, {}
        elif self.request.method == "clean_corrupted":
            yield 0.5, {}
            yield 0.5, {embed: -change.embed}
        elif self.request.method == "eap_ig_inputs":
            for k in range(m):
                yield 1 / m, {embed: -(1 - k / m) * change.embed}
        else:
            stages: list[tuple[Place, torch.Tensor]] = [(embed, change.embed)]
            for layer, shares in enumerate(change.shares):
                heads = self.wiring.heads(layer, shares.flatten(0, 1)).sum(0)
                stages.append((("attn_out", layer), heads.view_as(change.embed)))
            stages += [(("mlp_out", layer), mlp) for layer, mlp in enumerate(change.mlps)]
            yield 1 / m, {}  # k = m, which is the clean run for all of them
            for place, moved in stages:
                for k in range(1, m):
                    yield 1 / (m * len(stages)), {place: -(1 - k / m) * moved}

    def metric_part(self, pair: int, contrast: Contrast, streams: torch.Tensor) -> torch.Tensor:
        """What runs of a pair under a batch's continuation add to its metric, `[run]`.

        Args:
            pair: Its number.
            contrast: The batch.
            streams: Final streams of the runs, `[run, read, d_model]`.
        """
        metric = self.experiments[pair].metric
        return metric.part(self.read_out, contrast.continuation, streams, self._clean[pair])

    def _metrics(
        self, members: Sequence[int], contrast: Contrast, streams: torch.Tensor
    ) -> torch.Tensor:
        parts = (
            self.metric_part(pair, contrast, stream[None])
            for pair, stream in zip(members, streams, strict=True)
        )
        return torch.cat([*parts])

    def _tokens_in_group(self) -> int:
        return int(TOKENS_IN_GROUP * patience())

    def _experiments(self, pair: Pair) -> Iterator[Experiment]:
        request = self.request
        patch = request.ablation == "patch"
        own = len(self.model.tokenize(pair.clean).token_ids)
        if patch and pair.corrupted is not None:
            other = len(self.model.tokenize(pair.corrupted).token_ids)
            if own != other:
                raise RequestError(
                    f"The clean prompt has {own} tokens, the corrupted one {other}.",
                    "Edges are patched position by position: use prompts of equal length, or "
                    "ablation='zero' or 'mean'.",
                )
        yield experiment(
            self.model,
            pair,
            metric=request.metric,
            direction="noising",
            source="prompt" if patch else "zero",
            position=request.position,
            alignment=range(own),
        )

    def _contrast(self, experiments: Sequence[Experiment], continuation: int) -> Contrast:
        n_neurons, config = sum(self.edges.neurons.values()), self.model.bridge.cfg
        wide = math.ceil(3 * n_neurons / (config.d_model * config.n_layers))
        self._refuse_if_too_large(experiments, 3 + wide, gradient=True)
        return Contrast(self.model, experiments, continuation, self.wiring.places, source="prompt")


def _refuse_if_too_many(model: LiveModel, layers: Sequence[int]) -> None:
    """Refuse neurons whose edges, possible or not, do not fit in memory."""
    counts = neuron_counts(model.bridge, layers)
    if not counts:
        return
    plain, more = EdgeMap(model.layout).possible.shape, sum(counts.values()) - len(counts)
    n_cells = (plain[0] + more) * (plain[1] + more)
    which = f"{sum(counts.values()):,} neurons of {len(counts)} layers"
    refuse_if_too_large(
        {"cpu": n_cells * _BYTES_PER_NEURON_CELL}, f"Edges of {which}", "Choose fewer layers."
    )
