"""`CircuitDiscovery`: the edges between components that make the answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, ClassVar, Literal, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
import traitlets as t

from headscope.analyses import circuit_discovery
from headscope.analyses.circuit_choice import Kept, Scores, pruned, top_n
from headscope.analyses.circuit_discovery import CircuitDiscoveryRequest, CircuitStudy
from headscope.analyses.circuit_measured import (
    with_curves,
    with_exact,
    with_losses,
    with_points,
)
from headscope.analyses.circuit_result import METHOD_TITLES, places
from headscope.analyses.circuit_run import Curve
from headscope.analyses.circuit_study import RULES, CircuitOutcome, Rule
from headscope.analyses.edge_profiles import alike
from headscope.analyses.edge_scores import (
    ABLATIONS,
    EDGE_METHODS,
    EDGE_METRICS,
    Ablation,
    EdgeMethod,
    EdgeMetric,
)
from headscope.analyses.intervened import under
from headscope.analyses.metrics import TITLES
from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.jobs import Steps
from headscope.jobs.steps import drained
from headscope.model.edges import EdgeMap
from headscope.model.neuron_edges import neuron_counts
from headscope.results import EDGE_INPUTS, CircuitGraph, FaithfulnessPoint, Group
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.graph import GraphWidget
from headscope.widgets.page import synced
from headscope.widgets.pairs import PROMPT_FIELDS, PromptPairs, field
from headscope.wire.messages import Effect, FieldSpec

T = TypeVar("T")
Ranking = Literal["rule", "magnitude", "score"]

_KEPT: WeakKeyDictionary[CircuitDiscovery, tuple[Any, CircuitStudy]] = WeakKeyDictionary()
"""The study of the widget that was computed or asked last, and what it is of: never more than one,
since a study holds recorded runs, which the pool of cached runs does not count."""

_ABLATIONS: Mapping[Ablation, str] = {
    "patch": "the corrupted prompt's", "zero": "zero", "mean": "its mean over positions",
    "mean_position": "its mean at each position",
}  # fmt: skip
_RULES: Mapping[Rule, str] = {
    "top_n": "the best edges", "greedy": "the best that lead to the logits",
    "threshold": "edges of at least", "acdc": "ACDC, with tau at least",
}  # fmt: skip


class CircuitDiscovery(GraphWidget, PromptPairs[CircuitGraph]):
    """The circuit behind an answer, live: edges between components, scored, chosen, really run.

    Nodes are the embedding, heads (`L9H6`), MLPs (`MLP5`) and the logits; an edge goes from what
    one writes to the residual stream to what another reads of it, queries, keys and values apart
    (of a key-value head `L9KV3`, where heads share them). A positive score means that the metric of
    the clean run is higher for that edge. Faithfulness is measured by running the circuit with
    everything else ablated: 1, it does what the model does; 0, no more than the ablated model.

    With interventions the circuit is that of the model as they change it: what they act on is a
    part of its component, and what is steered into the stream is nobody's edge. Those that move
    layers, replace the stream itself or clamp features are refused. `effects` has both circuits; of
    two there is no difference.

    Costs the gradients of the method, and a forward pass for each circuit that is run. Definitions
    and sources: `headscope.analyses.edge_scores` and `headscope.analyses.circuit_run`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        clean: The clean prompt: text or token ids. Or a set: a list of texts, of `hs.Pair`, of
            mappings, or a DataFrame with columns `clean`, `corrupted`, `answer`, `wrong`.
        corrupted: Its counterpart, of as many tokens; may be left out for other ablations than
            `patch`.
        answer: What is right after the clean prompt: text of one token or several, or ids; by
            default the model's top prediction.
        wrong: What is right after the corrupted prompt, likewise.
        method: How edges are scored: `eap`, `eap_ig_inputs`, `eap_ig_activations`,
            `clean_corrupted` or `flow_routes`; see `headscope.analyses.edge_scores`.
        ig_steps: Steps of the methods that integrate.
        ablation: What a component's output is ablated to: `patch` (its output on the corrupted
            prompt), `zero`, `mean` or `mean_position`.
        metric: `logit_diff`, `logit`, `log_prob`, `prob` or `kl`.
        position: Where the metric is read; negative counts from the end.
        positions: Whether an edge at each token position is one of its own (`L0H2@3 -> MLP1@3`;
            keys and values are read at the position that is attended to). The 100,000 best are
            shown. For prompts of equal length and an answer of one token; by `top_n` or
            `threshold`.
        neurons: Layers whose MLP is told apart by neurons (`L3N17`), each a node in the MLP's
            place: `[3]`. The 100,000 best edges are shown. Not by position, nor with
            `flow_routes`; a layer of GPT-2 has some 0.9 million edges, so `acdc` takes as many
            forward passes there.
        rule: How the circuit is chosen: `top_n` (the best edges), `greedy` (the best that lead to
            what is in the circuit, from the logits on), `threshold`, or `acdc` (edges are ablated
            one after the other, for good where that hardly matters; a forward pass per edge).
            Dangling edges are dropped.
        n_edges: How many edges `top_n` and `greedy` choose.
        least: Least score of `threshold`; for `acdc`, tau: by how much an edge has to matter to
            the metric.
        signed: Whether edges are ranked by score; otherwise by its magnitude.
        n_exact: Of how many edges of the circuit the exact value is computed at once.
        interventions: Changes of the model's computation, in all runs: `hs.Interventions()`, or a
            list of their JSON. Which circuit is shown is `effect`'s choice: `with` or `without`.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> pair = hs.demo.prompts["ioi"][0]
        >>> widget = hs.CircuitDiscovery(model, pair.clean, pair.corrupted, n_edges=60)
        >>> widget.circuit({"edges": 30}).faithfulness  # really run
        >>> widget.exact_edge("L1H2", "L3H1", "q")  # this edge alone ablated
    """

    takes_interventions = True
    has_difference = False
    fields: ClassVar[tuple[FieldSpec, ...]] = (
        *PROMPT_FIELDS,
        field("method", "Scores", "choice", "How edges are scored.",
              [(name, METHOD_TITLES[name]) for name in EDGE_METHODS]),
        field("ig_steps", "IG steps", "integer", "Of the methods that integrate.",
              when=[{"method": ["eap_ig_inputs", "eap_ig_activations"]}]),
        field("ablation", "Ablated to", "choice", "What comes in place of a component's output.",
              [(name, _ABLATIONS[name]) for name in ABLATIONS]),
        field("positions", "By position", "flag", "Tell edges apart by token."),
        field("neurons", "Neurons", "line", "Layers whose MLP is told apart by neurons, as 1, 2.",
              when=[{"method": [name for name in EDGE_METHODS if name != "flow_routes"]}]),
        field("metric", "Metric", "choice", "What runs are judged by.",
              [(name, TITLES[name]) for name in EDGE_METRICS]),
        field("rule", "Circuit", "choice", "Which edges make the circuit.",
              [(name, _RULES[name]) for name in RULES]),
        field("n_edges", "Edges", "integer", "How many; those that dangle are dropped then.",
              when=[{"rule": ["top_n", "greedy"]}]),
        field("least", "At least", "line", "A score, in the metric's unit.",
              when=[{"rule": ["threshold", "acdc"]}]),
        field("signed", "Signed", "flag", "Rank by score; otherwise by its magnitude."),
    )  # fmt: skip
    asks: ClassVar[tuple[str, ...]] = ("edge", "circuit", "curve", "minimality", "suggest")
    thresholds: ClassVar[Mapping[str, float]] = {"edges": math.inf}

    method: str = synced(t.Unicode("eap_ig_inputs"))
    ig_steps: int = synced(t.Int(5))
    ablation: str = synced(t.Unicode("patch"))
    positions: bool = synced(t.Bool(False))
    neurons: str = synced(t.Unicode(""))
    rule: str = synced(t.Unicode("top_n"))
    n_edges: int = synced(t.Int(100))
    least: Any = synced(t.Any("0.0"))
    signed: bool = synced(t.Bool(False))

    @checked
    def __init__(
        self,
        model: Any,
        clean: Any,
        corrupted: Any = None,
        *,
        answer: Any = None,
        wrong: Any = None,
        method: EdgeMethod = "eap_ig_inputs",
        ig_steps: int = 5,
        ablation: Ablation = "patch",
        metric: EdgeMetric = "logit_diff",
        position: int = -1,
        positions: bool = False,
        neurons: Sequence[int] | int | str = (),
        rule: Rule = "top_n",
        n_edges: int = 100,
        least: float = 0.0,
        signed: bool = False,
        n_exact: int = 0,
        interventions: Any = None,
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        self._options: dict[str, Any] = {"position": position, "n_exact": n_exact}
        super().__init__(
            model, clean, corrupted, answer=answer, wrong=wrong, interventions=interventions,
            selection=selection, method=method, ig_steps=ig_steps, ablation=ablation,
            metric=metric, positions=positions, neurons=neurons, rule=rule,
            n_edges=n_edges, least=least, signed=signed,
        )  # fmt: skip

    @checked
    def exact_edge(self, source: str, target: str, input: str = "") -> float:
        """What the metric really loses when one edge alone is ablated and everything else runs on.

        It is written into the result's measure `exact` too. Costs a forward pass.

        Args:
            source: Name of the node that writes.
            target: Name of the node that reads.
            input: Which of a head's inputs: `q`, `k` or `v`; empty for an MLP and the logits.

        Raises:
            RequestError: There is no such edge.
            ResultError: There is no result yet, or the model has changed since.
        """

        def question(graph: CircuitGraph) -> float:
            edge = _find(graph, source, target, input)
            study = self._studied()
            where = tuple(int(index[edge]) for index in places(study.edges, graph))
            (lost,) = drained(_on(study, study.runner.exact([where])))
            self._keep_measured(
                self._measured_now, lambda graph: with_exact(graph, study, edge, float(lost))
            )
            return float(lost)

        return self._ask(question)

    @checked
    def circuit(self, threshold: Mapping[str, float] | None = None) -> CircuitOutcome:
        """Run a circuit by itself, and everything but it; the result keeps what comes of it.

        Costs two forward passes.

        Args:
            threshold: `{"edges": n}` for the n best edges, ranked as the result's pruning says (by
                magnitude, or by signed score), less those that dangle; `{}` for the circuit as
                computed; by default what `threshold` is set to.

        Returns:
            Its metric, faithfulness (1: as the whole model) and completeness (of everything but
            it; near 0 is good).

        Raises:
            RequestError: There is no such threshold.
            ResultError: There is no result yet, or the model has changed since.
        """
        return self._ask(lambda graph: self._outcome(graph, self._asked_for(threshold)))

    def _outcome(self, graph: CircuitGraph, asked: Mapping[str, float]) -> CircuitOutcome:
        chosen, study = self._chosen(asked), self._studied()
        outcome = drained(_on(study, study.outcome(chosen)))
        by: Ranking = "score" if graph.pruning.signed else "magnitude"
        if not asked:
            by = "rule"
            own = [point.requested for point in graph.faithfulness if point.by == by]
            outcome = replace(outcome, requested=own[0]) if own else outcome
        point = FaithfulnessPoint(**asdict(outcome), by=by)
        self._keep_measured(self._measured_now, lambda graph: with_points(graph, [point]))
        return outcome

    def curve(self) -> tuple[Curve, Curve]:
        """Faithfulness of circuits of growing size, ranked by magnitude and by signed score.

        The first one's `cmd` and the second one's `cpr` are those of MIB. The result keeps all of
        it. Costs a forward pass per circuit that has not run yet.

        Returns:
            The two curves; `points` hold a circuit's edges, metric and faithfulness.
        """
        return drained(self._steps_of(self._curves()))

    @checked
    def minimality(
        self, threshold: Mapping[str, float] | None = None
    ) -> dict[tuple[str, str, str], float]:
        """What a circuit's metric loses without each of its edges; near 0: it need not be there.

        It becomes the result's measure `loss`. Costs a forward pass per edge of the circuit.

        Args:
            threshold: As for `circuit`.

        Returns:
            By source, target and input of the edge, largest loss first.
        """
        return drained(self._steps_of(self._losses(threshold)))

    def suggest_groups(self) -> tuple[Group, ...]:
        """As `GraphWidget.suggest_groups`, of the circuit at the threshold that is set."""
        graph, edges = self._shown(), self._edge_map()
        return alike(
            graph, pruned(edges, self._chosen(self._asked_for(None)))[places(edges, graph)]
        )

    def close(self) -> None:
        """As `HeadscopeWidget.close`; the runs that questions are answered from are freed too."""
        super().close()
        _KEPT.pop(self, None)

    def _request(self, prompt: str | tuple[int, ...]) -> CircuitDiscoveryRequest:
        request = CircuitDiscoveryRequest(
            self._pairs(prompt),
            method=cast("EdgeMethod", self.method),
            ig_steps=self.ig_steps,
            ablation=cast("Ablation", self.ablation),
            metric=cast("EdgeMetric", self.metric),
            positions=self.positions,
            neurons=_layers(self.neurons),
            rule=cast("Rule", self.rule),
            n_edges=self.n_edges,
            least=_least(self.least),
            signed=self.signed,
            **self._options,
        )
        request.fits(self.interventions, self._model.layout)
        return request

    def _analyse(self, request: CircuitDiscoveryRequest) -> Steps[CircuitGraph]:
        _KEPT.pop(self, None)
        of, study = (request, self._model.interventions), CircuitStudy(self._model, request)
        try:
            return (yield from circuit_discovery.steps(study))
        finally:
            if study.ready:
                self._keep(of, study)

    def _keep(self, of: Any, study: CircuitStudy) -> None:
        _KEPT.clear()
        _KEPT[self] = of, study

    def _studied(self) -> CircuitStudy:
        """The study behind what is shown; its prompts are run again where another's was kept.

        See `_ask`.
        """
        acting = self._model.interventions
        of = self._effects.requests[bool(acting)], acting
        if self in _KEPT and _KEPT[self][0] == of:
            return _KEPT[self][1]
        study = CircuitStudy(self._model, of[0])
        for part in (study.prepare, study.record):
            for _ in study.on_one_model(part()):
                pass
        self._keep(of, study)
        return study

    def _edge_map(self) -> EdgeMap:
        graph = self._shown()
        told = graph.provenance.parameters
        if not told["positions"]:
            layers = json.loads(str(told["neurons"]))
            return EdgeMap(self._model.layout, neurons=neuron_counts(self._model.bridge, layers))
        read = graph.nodes.position[graph.nodes.of_kind("logits")].tolist()
        return EdgeMap(self._model.layout, len(graph.provenance.prompts[0].token_ids), read)

    def _scores(self) -> Scores:
        """Of the first measure, as the page ranks by them; 0 for edges that it was not sent."""
        graph, edges = self._shown(), self._edge_map()
        scores = np.zeros(edges.possible.shape)
        scores[places(edges, graph)] = graph.measures[0].values
        return scores

    def _asked_for(self, threshold: Mapping[str, float] | None) -> Mapping[str, float]:
        value = self.threshold if threshold is None else threshold
        return cast("Mapping[str, float]", self._checked("threshold", value))

    def _chosen(self, asked: Mapping[str, float]) -> Kept:
        """The edges of a threshold, dangling ones included; those of the circuit without any."""
        graph, edges = self._shown(), self._edge_map()
        where = places(edges, graph)
        if not asked:
            chosen = np.zeros(edges.possible.shape, bool)
            chosen[where] = graph.edges.kept.astype(bool)
            return chosen
        sent = np.full(edges.possible.shape, -np.inf)
        values = graph.measures[0].values
        sent[where] = values if graph.pruning.signed else np.abs(values)
        best = top_n(edges, sent, int(asked["edges"]), signed=True)
        return cast("Kept", best & np.isfinite(sent))

    @property
    def _measured_now(self) -> tuple[int, Effect]:
        """Which result is measured now: of which edit, and on which side."""
        return self._valued_at, self._side

    def _keep_measured(
        self, at: tuple[int, Effect], more: Callable[[CircuitGraph], CircuitGraph]
    ) -> None:
        """Put what was measured into the result that it is of, if there is no newer one."""
        if at[0] == self._valued_at:
            self._effects.improve(at[1], more)
            self._show_effect()

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {
            "edge": self._answer_edge,
            "circuit": self._answer_circuit,
            "curve": self._answer_curve,
            "minimality": self._answer_minimality,
        }

    def _steps_of(self, work: Generator[float, None, T]) -> Generator[float, None, T]:
        """Each step of a question is about the model as it is shown; see `_ask`."""
        self._unchanged(self._shown())
        plan = self._effects.plan if self._side == "with" else None
        return (yield from work if plan is None else under(plan, work))

    def _curves(self) -> Generator[float, None, tuple[Curve, Curve]]:
        study, scores, at = self._studied(), self._scores(), self._measured_now
        by_size = yield from _on(study, study.runner.curve(scores, signed=False))
        by_score = yield from _on(study, study.runner.curve(scores, signed=True))
        self._keep_measured(at, lambda graph: with_curves(graph, by_size, by_score))
        return by_size, by_score

    def _losses(
        self, threshold: Mapping[str, float] | None
    ) -> Generator[float, None, dict[tuple[str, str, str], float]]:
        chosen = self._chosen(self._asked_for(threshold))
        study, graph, at = self._studied(), self._shown(), self._measured_now
        losses = yield from _on(study, study.losses(pruned(study.edges, chosen)))
        self._keep_measured(at, lambda graph: with_losses(graph, study, losses))
        found = losses[places(study.edges, graph)]
        order = [int(e) for e in np.argsort(-found, kind="stable") if not np.isnan(found[e])]
        return {_ends(graph, edge): float(found[edge]) for edge in order}

    def _answer_edge(self, params: Params) -> Answer:
        ends = str(params["source"]), str(params["target"]), str(params["input"])
        exact = self.exact_edge(*ends)
        graph = self._shown()
        score = graph.measures[0]
        estimate = float(score.values[_find(graph, *ends)])
        return Answer({"exact": exact, "estimate": estimate, "unit": score.unit})

    def _answer_circuit(self, params: Params) -> Answer:
        return Answer(asdict(self.circuit(params["threshold"])))

    def _answer_curve(self, _params: Params) -> Generator[float, None, Answer]:
        by_size, by_score = yield from self._steps_of(self._curves())
        points = [
            {"fraction": fraction, **asdict(point)}
            for fraction, point in zip(by_size.fractions, by_size.points, strict=True)
        ]
        return Answer({"points": points, "cpr": by_score.cpr, "cmd": by_size.cmd})

    def _answer_minimality(self, params: Params) -> Generator[float, None, Answer]:
        losses = yield from self._steps_of(self._losses(params["threshold"]))
        edges = [
            {"source": source, "target": target, "input": letter, "loss": loss}
            for (source, target, letter), loss in losses.items()
        ]
        return Answer({"edges": edges})


def _on(study: CircuitStudy, work: Generator[float, None, T]) -> Generator[float, None, T]:
    """The work, each step of it on the model as it was recorded."""
    found: list[T] = []

    def outer() -> Generator[float, None, None]:
        found.append((yield from work))

    yield from study.on_one_model(outer())
    return found[0]


def _find(graph: CircuitGraph, source: str, target: str, letter: str) -> int:
    edges = graph.edges
    if letter in EDGE_INPUTS and source in graph.names and target in graph.names:
        is_it = (edges.source == graph.index(source)) & (edges.target == graph.index(target))
        found = np.flatnonzero(is_it & (edges.input == EDGE_INPUTS.index(letter)))
        if len(found):
            return int(found[0])
    name = f"{source} -> {target}" + (f".{letter}" if letter else "")
    if target in graph.names and letter in ("k", "v"):
        shared = graph.nodes[graph.index(target)]
        if shared.kind == "head" and shared.kv_head is not None:
            own = replace(shared, kind="kv_head", unit=shared.kv_head).name
            raise RequestError(
                f"There is no edge {name}: heads share keys and values.", f"Name {own} as target."
            )
    hint = f"Edges are such as {graph.edge_label(0)}; see result.to_dataframe()."
    raise RequestError(f"There is no edge {name}.", hint)


def _ends(graph: CircuitGraph, edge: int) -> tuple[str, str, str]:
    edges = graph.edges
    source, target = (graph.names[int(ends[edge])] for ends in (edges.source, edges.target))
    return source, target, EDGE_INPUTS[int(edges.input[edge])]


def _layers(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.replace(",", " ").split()))
    except ValueError:
        raise RequestError(
            f"{text!r} are no layers.", "Write whole numbers, such as 1, 2; empty: no neurons."
        ) from None


def _least(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        raise RequestError(f"least cannot be {text!r}.", "Write a number, such as 0.05.") from None
