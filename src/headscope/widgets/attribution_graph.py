"""`AttributionGraph`: which features made which others, and in the end the next token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import traitlets as t

from headscope.analyses import attribution_graph, feature_view
from headscope.analyses.attribution_graph import AttributionRequest
from headscope.analyses.attribution_heads import EdgeByHeads, split
from headscope.analyses.attribution_intervention import How, Intervention, intervene
from headscope.analyses.attribution_nodes import NodeTable
from headscope.analyses.attribution_qk import ScoreParts, split_score
from headscope.analyses.attribution_study import AttributionStudy
from headscope.analyses.feature_view import FeatureRequest, FeatureView
from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.jobs import Steps
from headscope.jobs.steps import drained
from headscope.results import CircuitGraph
from headscope.widgets.asks import Answer, Answering, Params
from headscope.widgets.graph import GraphWidget
from headscope.widgets.page import synced
from headscope.widgets.pairs import field
from headscope.wire.messages import FieldSpec

_ROUNDING = 1e-5

_KEPT: WeakKeyDictionary[AttributionGraph, tuple[AttributionStudy, NodeTable]] = WeakKeyDictionary()
"""The study of the widget that was computed or asked last: never more than one, since a study holds
a run and what all its units write, which the pool of cached runs does not count."""


class AttributionGraph(GraphWidget):
    """An attribution graph of one prompt, live.

    Every MLP is written as a sum of units: features of transcoders, or without any its own neurons.
    An edge is the direct effect of one unit (or token, or error: what units miss) on another or on
    a logit, with attention patterns and norm scales held; positive raises it. Nodes are named
    `token@2`, `L3F212@7` (feature), `L3N17@7` (neuron), `L3error@7` and `logit440@9`.
    Costs one forward pass, then for each unit a linear backward pass through the layers and
    positions below. Definitions and source: `headscope.analyses.attribution_graph`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        prompt: Text, or token ids.
        transcoders: From `hs.load_transcoders`, or what it takes; None for neurons.
        units: `features` or `neurons`; by default features where there are transcoders.
        target: The token whose logit is explained, text or id; by default the most probable ones.
        wrong: A token whose logit is subtracted.
        max_nodes: How many units at most, the most influential first.
        most_targets: At most so many of the most probable tokens,
        target_share: and no more than make up this probability together.
        node_share: What is shown at first: nodes up to this share of the influence,
        edge_share: and edges up to this share of their scores.
        texts: In which `feature` looks for examples; by default those that come with the
            transcoders.
        selection: What is pinned at first.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> widget = hs.AttributionGraph(model, "The capital of the state containing Dallas is",
        ...                              transcoders)
        >>> widget.intervene(["L1F40@7"], "ablate").tokens  # the real model, without that feature
    """

    fields: ClassVar[tuple[FieldSpec, ...]] = (
        field("target", "Target", "token", "The token that is explained; empty: the likeliest."),
        field("wrong", "Minus", "token", "A token whose logit is subtracted; may be empty."),
        field("units", "Units", "choice", "What the nodes are.",
              [("features", "features of the transcoders"), ("neurons", "neurons")]),
        field("max_nodes", "Most units", "integer", "The most influential first."),
    )  # fmt: skip
    asks: ClassVar[tuple[str, ...]] = ("feature", "intervene", "heads", "qk", "suggest")
    thresholds: ClassVar[Mapping[str, float]] = {"nodes": 1.0, "edges": 1.0}

    target: str | int | None = synced(t.Union([t.Unicode(), t.Int()], allow_none=True))
    wrong: str | int | None = synced(t.Union([t.Unicode(), t.Int()], allow_none=True))
    units: str = synced(t.Unicode("neurons"))
    max_nodes: int = synced(t.Int(1000))

    @checked
    def __init__(
        self,
        model: Any,
        prompt: Any,
        transcoders: Any = None,
        *,
        units: str | None = None,
        target: str | int | None = None,
        wrong: str | int | None = None,
        max_nodes: int = 1000,
        most_targets: int = 10,
        target_share: float = 0.95,
        node_share: float = 0.8,
        edge_share: float = 0.98,
        texts: Sequence[str] = (),
        selection: Mapping[str, int | str | None] | None = None,
    ) -> None:
        self._texts = tuple(texts)
        self._options: dict[str, Any] = {
            "most_targets": most_targets, "target_share": target_share,
            "node_share": node_share, "edge_share": edge_share,
        }  # fmt: skip
        super().__init__(
            model, prompt, selection=selection, transcoders=transcoders, target=target,
            wrong=wrong, max_nodes=max_nodes,
            units=units or ("neurons" if transcoders is None else "features"),
        )  # fmt: skip

    @checked
    def feature(self, node: str) -> FeatureView:
        """Where a unit is active in `texts`, and which tokens it promotes.

        Args:
            node: Its name, with or without a position, such as `L2F0` or `L2F0@7`.

        Returns:
            A dict, a `FeatureView`: `examples`, `activation_density`, `histogram`, `promoted`,
            `suppressed`, `suggested_label`. Costs a forward pass for each text, the first time.

        Raises:
            RequestError: There is no such unit, or there are no texts.
        """
        transcoders = self._transcoders if self.units == "features" else None
        asked = FeatureRequest(node, texts=self._texts, transcoders=transcoders)
        return drained(feature_view.run(self._model, asked))

    @checked
    def intervene(
        self,
        nodes: Sequence[str],
        how: How = "ablate",
        value: float | None = None,
        *,
        frozen: bool = False,
    ) -> Intervention:
        """Change nodes and run the model; see `headscope.analyses.attribution_intervention`.

        Args:
            nodes: Names of units; errors and tokens can be ablated or scaled too.
            how: `ablate` (to zero), `scale` (by `value`) or `clamp` (to `value`).
            value: See `how`; `ablate` has none.
            frozen: Whether everything but the change's direct effects is held.

        Returns:
            An `Intervention`: of the targets, then of the units that were to change most, what was
            before, what the graph predicts, and what the model gives; of the likeliest next tokens
            the probabilities. Costs one or two forward passes.

        Raises:
            RequestError: There is no such node, or it cannot be changed like that.
        """
        study, table = self._studied()
        return drained(intervene(study, table, nodes, how, value, frozen=frozen))

    @checked
    def heads(self, source: str, target: str) -> EdgeByHeads:
        """Which heads carry an edge; see `headscope.analyses.attribution_heads`.

        Args:
            source: Name of the node that writes.
            target: Name of the node that reads.

        Returns:
            What single heads carry, largest magnitude first, what stays at its position, and the
            rest; in the edge's unit and with its sign, they sum to it.

        Raises:
            RequestError: There is no such node, or no path from one to the other.
        """
        return drained(split(*self._studied(), source, target))

    @checked
    def qk(self, layer: int, head: int, dest: int, src: int) -> ScoreParts:
        """Why a head attends from `dest` to `src`; see `headscope.analyses.attribution_qk`.

        Args:
            layer: The head's layer.
            head: The head.
            dest: Position of its query.
            src: Position of its key.

        Returns:
            The score (before softmax; positive: attends more), split over what the query reads,
            over what the key reads, and over pairs of both.

        Raises:
            RequestError: There is no such head or position.
        """
        study, table = self._studied()
        return drained(split_score(study, table, layer=layer, head=head, dest=dest, src=src))

    def close(self) -> None:
        """As `HeadscopeWidget.close`; what questions are answered from is freed too."""
        super().close()
        _KEPT.pop(self, None)

    def _request(self, prompt: str | tuple[int, ...]) -> AttributionRequest:
        if self.units == "features" and self._transcoders is None:
            raise RequestError(
                "Features need transcoders.",
                "Pass hs.load_transcoders(...) as the third argument, or choose neurons.",
            )
        return AttributionRequest(
            prompt,
            transcoders=self._transcoders if self.units == "features" else None,
            targets=() if self.target in (None, "") else (self.target,),
            wrong=None if self.wrong == "" else self.wrong,
            max_nodes=self.max_nodes,
            **self._options,
        )

    def _besides(self) -> dict[str, Any]:
        texts = {"texts": list(self._texts)} if self._texts else {}
        return super()._besides() | texts

    def _analyse(self, request: AttributionRequest) -> Steps[CircuitGraph]:
        _KEPT.pop(self, None)
        study = AttributionStudy(self._model, request)
        graph = yield from attribution_graph.steps(study)
        self._keep(study)
        return graph

    def _keep(self, study: AttributionStudy) -> None:
        _KEPT.clear()
        _KEPT[self] = study, NodeTable(study)

    def _studied(self) -> tuple[AttributionStudy, NodeTable]:
        """The study behind what is shown; its prompt is run again where another's was kept."""
        self._unchanged(self._shown())
        if self not in _KEPT:
            study = AttributionStudy(self._model, self._effects.requests[0])
            drained(study.prepare())
            self._keep(study)
        return _KEPT[self]

    def _questions(self) -> dict[str, Callable[[Params], Answering]]:
        return super()._questions() | {
            "feature": lambda params: Answer(self.feature(str(params["node"]))),
            "intervene": self._answer_intervene,
            "heads": self._answer_heads,
            "qk": self._answer_qk,
        }

    def _answer_intervene(self, params: Params) -> Answer:
        value, frozen = float(params["value"] or 0.0), bool(params["frozen"])
        done = self.intervene(params["nodes"], params["how"], value, frozen=frozen)
        texts = self._shown().texts
        nodes = [asdict(node) | {"text": texts.get(node.name, "")} for node in done.nodes]
        tokens = [
            {"text": self._model.token_text(of.token_id), "before": of.before, "after": of.after}
            for of in done.tokens
        ]
        return Answer({"nodes": nodes, "tokens": tokens, "note": done.note})

    def _answer_heads(self, params: Params) -> Answer:
        parts = self.heads(str(params["source"]), str(params["target"]))
        whole = parts.total or 1.0

        def told(value: float) -> float:
            """What is more than rounding of the whole."""
            return value if abs(value) > _ROUNDING * abs(whole) else 0.0

        heads = [
            asdict(head) | {"share": head.value / whole} for head in parts.heads if told(head.value)
        ]
        note = (
            f"Edge {parts.total:.3g}: {told(parts.direct):.3g} stays at its position, "
            f"{told(sum(head.value for head in parts.heads)):.3g} moves by single heads, "
            f"{told(parts.rest):.3g} by several in turn."
        )
        return Answer({"heads": heads, "note": note})

    def _answer_qk(self, params: Params) -> Answer:
        layer, head, dest, src = (int(params[name]) for name in ("layer", "head", "dest", "src"))
        parts = self.qk(layer, head, dest, src)
        sides = {
            side: [{"name": name, "value": value} for name, value in values]
            for side, values in (("query", parts.query), ("key", parts.key))
        }
        pairs = [{"query": q, "key": k, "value": value} for q, k, value in parts.pairs]
        note = (
            f"Score {parts.score:.3g} before softmax, attention {parts.pattern:.3g}. Each side "
            f"sums to the score; pairs that are not listed come to {parts.rest:.3g}."
        )
        return Answer({"score": parts.score, **sides, "pairs": pairs, "note": note})
