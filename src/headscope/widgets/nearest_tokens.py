"""`NearestTokens`: the tokens or features that a direction points to, at every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import traitlets as t

from headscope.analyses import nearest_tokens
from headscope.analyses.nearest_tokens import NearestTokensRequest, spelt
from headscope.arguments import checked
from headscope.errors import RequestError
from headscope.interventions import Direction, direction
from headscope.jobs import Steps
from headscope.model import LiveModel
from headscope.model.rows import RowsOf
from headscope.results import Grid
from headscope.widgets.base import HeadscopeWidget
from headscope.widgets.page import synced
from headscope.widgets.prompt import Source
from headscope.widgets.written import Written
from headscope.wire.messages import FieldSpec


class NearestTokens(HeadscopeWidget[Grid]):
    """The neighbours of a direction at every layer, live: `Paris - France + Italy`.

    `result` is a `Grid` `[layer, rank]` with the measure `cosine`, whose cells hold the tokens or
    features, nearest first; the direction is taken in the stream before each block, and behind the
    last. In the page it is typed: see `hs.direction`. Costs a forward pass for each text of the
    direction. Definitions and sources: `headscope.analyses.nearest_tokens`.

    Args:
        model: A `TransformerBridge` (from `hs.load` or your own).
        direction: What `hs.direction` reads, or a direction: `hs.Token(" Paris") - ...`,
            `hs.Means(...)`, `hs.Vector(...)`.
        transcoders: From `hs.load_transcoders`, or what it takes; for neighbours among features.
        to: What it is compared with: `unembedding` (the logits it raises), `embedding` (tokens that
            write it), `encoder` (features it makes active), `decoder` (features that write it).
        k: How many neighbours.
        layers: Before which blocks; the number of blocks stands for the output. None for all.
        selection: What is pinned at first, such as `{"layer": 3}`.

    Raises:
        ModelError: The model cannot be used.

    Example:
        >>> widget = hs.NearestTokens(hs.load_demo(), "Austin - Texas + Ohio", to="embedding")
        >>> widget.result.to_dataframe()
    """

    fields: ClassVar[tuple[FieldSpec, ...]] = (
        {
            "name": "to",
            "title": "Compare with",
            "type": "choice",
            "choices": [
                {"value": "unembedding", "title": "unembedding (what it says)"},
                {"value": "embedding", "title": "embedding (what says it)"},
                {"value": "encoder", "title": "features that read it"},
                {"value": "decoder", "title": "features that write it"},
            ],
            "help": "Whose rows the direction is compared with. Features need transcoders.",
            "when": [],
        },
        {
            "name": "k",
            "title": "Neighbours",
            "type": "integer",
            "choices": [],
            "help": "How many.",
            "when": [],
        },
    )

    to: str = synced(t.Unicode("unembedding"))
    k: int = synced(t.Int(10))

    @checked
    def __init__(
        self,
        model: Any,
        direction: Any,
        transcoders: Any = None,
        *,
        to: RowsOf = "unembedding",
        k: int = 10,
        layers: Sequence[int] | None = None,
        selection: Mapping[str, int | None] | None = None,
    ) -> None:
        self._options: dict[str, Any] = {"layers": layers}
        super().__init__(
            model, _checked(direction), selection=selection, transcoders=transcoders, to=to, k=k
        )

    def _source_of(self, model: LiveModel) -> Source:
        return Written(direction, str, lambda of: spelt(model, of))

    def _request(self, prompt: Direction) -> NearestTokensRequest:
        layers = self._options["layers"]
        return NearestTokensRequest(
            prompt,
            cast("RowsOf", self.to),
            None if layers is None else tuple(layers),
            self.k,
            self._transcoders if self.to in ("encoder", "decoder") else None,
        )

    def _analyse(self, request: NearestTokensRequest) -> Steps[Grid]:
        return nearest_tokens.run(self._model, request)


def _checked(given: Any) -> str | Direction:
    if isinstance(given, (str, Direction)):
        return given
    raise RequestError(
        f"{given!r:.60} is no direction.",
        "Write 'Paris - France + Italy', or pass hs.Token(' Paris') - hs.Token(' France').",
    )
