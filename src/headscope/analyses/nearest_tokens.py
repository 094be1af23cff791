"""The neighbours of a direction: tokens or features whose rows have the largest cosine with it.

A direction, such as that of `Paris - France + Italy`, is taken in the residual stream before every
block and after the last (see `headscope.interventions.directions`). There it is compared with

    unembedding   what raises the logit of each token (the final norm's gain folded in)
    embedding     what each token writes
    encoder       what makes each of the layer's features active (its norm's gain folded in)
    decoder       what each of the layer's features writes

    cosine = d . (r - m) / (|d| |r - m|)        m: the mean row of the vocabulary; 0 for features

The mean row is taken off since it raises all logits alike (of the embedding: since every text has
it). Where the model's norms take the mean over the stream's width off, it is taken off direction
and rows as well: nothing reads it. So a model whose weights TransformerLens has folded and centred
has the same neighbours.

The tokens of the direction itself are not left out: often they are its nearest neighbours (Linzen
2016, "Issues in evaluating semantic spaces using word analogies").

Sources: Mikolov, Yih & Zweig 2013, "Linguistic Regularities in Continuous Space Word
Representations"; Dar et al. 2023, "Analyzing Transformers in Embedding Space".
Cost: a forward pass for each text of the direction; then the rows once or twice, some MB at a time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Union, get_args

import numpy as np
import torch

from headscope.errors import RequestError
from headscope.interventions.coding import to_json
from headscope.interventions.directions import Direction
from headscope.jobs.steps import Step, Steps, part, patience
from headscope.model.dictionaries import Transcoders
from headscope.model.intervening.vectors import terms, vectors
from headscope.model.live import LiveModel
from headscope.model.rows import Rows, RowsOf, features, vocabulary
from headscope.results import Axis, Grid, JsonValue, Measure, Prompt, Scale, TopTokens

_STEP_SECONDS = 0.04
_RUNS_SHARE = 0.3
_LONGEST = 60
_OF_ROWS: dict[RowsOf, str] = {
    "unembedding": ", the final norm's gain folded in, less the mean row of the vocabulary",
    "embedding": ", less the mean row of the vocabulary",
    "encoder": ", the gain of the norm before the MLP folded in where they read behind it",
    "decoder": "",
}


@dataclass(frozen=True)
class NearestTokensRequest:
    """The neighbours of a direction.

    Args:
        of: The direction.
        to: What it is compared with.
        layers: Before which blocks it is taken; the number of blocks stands for the stream behind
            the last one. None for all (of features: those of the blocks).
        k: How many neighbours.
        transcoders: Whose features, for `encoder` and `decoder`.
    """

    of: Direction
    to: RowsOf = "unembedding"
    layers: Union[tuple[int, ...], None] = None
    k: int = 10
    transcoders: Union[Transcoders, None] = None


def run(model: LiveModel, request: NearestTokensRequest) -> Steps[Grid]:
    """Find the neighbours.

    Returns:
        A grid `[layer, rank]`, nearest first. A layer where the direction is 0 has none: prompts
        that end alike do not differ in the embedding.

    Raises:
        HeadscopeError: A text or token of the direction cannot run, there is no such layer, there
            are no transcoders to find features in, or the model changed meanwhile.
    """
    search = _Search(model, request)
    written = spelt(model, request.of)
    yield Step(0.0, "Running the model")
    user_hooks, state = model.user_hooks(), model.state()
    found: list[torch.Tensor] = []

    def taken() -> Generator[float, None, None]:
        found.append((yield from vectors(model, request.of, search.layers)))

    for share in taken():
        yield Step(_RUNS_SHARE * share, "Running the model")
        model.still(state, "the first text ran")
    if not found[0].any():
        raise RequestError(
            f"{request.of} comes to 0 at every layer, which is near nothing.",
            "Write a direction whose terms do not cancel: 'Paris - France + Italy'.",
        )
    for share in part(search.pieces(found[0]), _RUNS_SHARE, 1 - _RUNS_SHARE):
        yield Step(share, "Comparing")
        model.still(state, "the first text ran")
    return _grid(model, request, search, written, user_hooks)


def spelt(model: LiveModel, of: Direction) -> Prompt:
    """The direction as it is written, with the tokens of its texts one after the other."""
    every = [token_id for text in terms(model, of) for token_id in text]
    return Prompt(str(of), tuple(map(model.token_text, every)), tuple(every))


class _Search:
    """Rows that are gone through piece by piece, and the best so far for each layer.

    Args:
        model: The model.
        request: What is asked.
    """

    def __init__(self, model: LiveModel, request: NearestTokensRequest) -> None:
        if request.to not in get_args(RowsOf):
            raise RequestError(f"There is no {request.to!r}.", f"Choose from {get_args(RowsOf)}.")
        if request.k < 1:
            raise RequestError(f"k is {request.k}.", "Choose 1 or more.")
        of_tokens = request.to in ("unembedding", "embedding")
        n = model.n_layers + of_tokens
        self.layers = tuple(range(n)) if request.layers is None else request.layers
        wrong = [layer for layer in self.layers if not 0 <= layer < n]
        if wrong or not self.layers:
            raise RequestError(
                f"There is no layer {wrong[0] if wrong else ''}.", f"Choose from 0 to {n - 1}."
            )
        #: Rows, and for which of the layers they stand.
        self._groups: list[tuple[Rows, Sequence[int]]]
        if of_tokens:
            self.noun = "tokens"
            self._groups = [(vocabulary(model, request.to), range(len(self.layers)))]
        elif request.transcoders is not None:
            self.noun = "features"
            self._groups = [
                (features(model, request.transcoders, layer, request.to), [i])
                for i, layer in enumerate(self.layers)
            ]
        else:
            raise RequestError(
                "There are no features without transcoders.",
                "Pass transcoders=hs.load_transcoders(...), or to='unembedding'.",
            )
        width = min(request.k, *(rows.n for rows, _ in self._groups))
        self.cosines = np.full((len(self.layers), width), np.nan, np.float32)
        self.ids = np.full((len(self.layers), width), -1, np.int32)

    def pieces(self, directions: torch.Tensor) -> Generator[float, None, None]:
        """Compare directions `[layer, d_model]`; yields the share done, when a step has passed."""
        paused = time.perf_counter()
        for share in self._compare(directions):
            if time.perf_counter() - paused >= _STEP_SECONDS * patience():
                yield share
                paused = time.perf_counter()

    def _compare(self, directions: torch.Tensor) -> Generator[float, None, None]:
        whole = 1 / len(self._groups)
        for done, (rows, chosen) in enumerate(self._groups):
            mean = torch.zeros(directions.shape[1])
            if self.noun == "tokens":
                mean = yield from part(_mean(rows), 0.0, 0.5)
            first = max(done * whole, 0.5 * (self.noun == "tokens"))
            given = rows.norm.centred(directions[chosen])
            there = [i for i, direction in zip(chosen, directions[chosen], strict=True)
                     if direction.any()]  # fmt: skip
            unit = torch.nn.functional.normalize(given, dim=-1, eps=1e-30)
            for start, stop in rows.pieces:
                piece = torch.nn.functional.normalize(rows.piece(start, stop) - mean, dim=-1)
                for i, cosines in zip(chosen, unit @ piece.mT, strict=True):
                    if i in there:
                        self._take(i, cosines.numpy(), start)
                yield first + ((done + 1) * whole - first) * stop / rows.n

    def _take(self, i: int, cosines: np.ndarray[Any, np.dtype[np.float32]], first: int) -> None:
        """Cosines of rows that are numbered from `first` on: the best replace what is worse."""
        width = self.ids.shape[1]
        known = self.ids[i] >= 0
        every = np.concatenate([self.cosines[i][known], cosines])
        ids = np.concatenate([self.ids[i][known], np.arange(first, first + len(cosines))])
        best = np.argsort(-every, kind="stable")[:width]
        self.cosines[i, : len(best)], self.ids[i, : len(best)] = every[best], ids[best]


def _mean(rows: Rows) -> Generator[float, None, torch.Tensor]:
    total = torch.zeros(rows.piece(0, 1).shape[1], dtype=torch.float64)
    for start, stop in rows.pieces:
        total += rows.piece(start, stop).sum(0, dtype=torch.float64)
        yield stop / rows.n
    return (total / rows.n).float()


def _top(model: LiveModel, search: _Search) -> TopTokens:
    """Names of the neighbours; features of different layers are different ones."""
    ids, texts = search.ids.copy(), {"-1": ""}
    if search.noun == "features":
        stride = int(ids.max(initial=0)) + 1
        for i, layer in enumerate(search.layers):
            texts |= {str(layer * stride + f): f"L{layer}F{f}" for f in ids[i].tolist() if f >= 0}
            ids[i] += np.where(ids[i] >= 0, layer * stride, 0).astype(np.int32)
    else:
        found = np.unique(ids[ids >= 0]).tolist()
        texts |= {str(token_id): model.token_text(token_id) for token_id in found}
    return TopTokens(ids[..., None], search.cosines[..., None].copy(), texts)


def _grid(
    model: LiveModel,
    request: NearestTokensRequest,
    search: _Search,
    written: Prompt,
    user_hooks: Sequence[str],
) -> Grid:
    text, last = written.text, model.n_layers
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    names = {0: "embed", last: "output"}
    parameters: dict[str, JsonValue] = {
        "of": json.dumps(to_json(request.of)), "to": request.to, "k": request.k,
        "layers": request.layers,
    }  # fmt: skip
    if request.transcoders is not None:
        parameters["transcoders"] = request.transcoders.name
        parameters["transcoders_revision"] = request.transcoders.revision
    return Grid(
        title=f"Nearest {search.noun} to {short}",
        axes=(
            Axis(
                "layer",
                tuple(names.get(layer, f"L{layer} pre") for layer in search.layers),
                selects="layer",
                indices=tuple(None if layer == last else layer for layer in search.layers),
            ),
            Axis("rank", tuple(str(rank) for rank in range(1, search.ids.shape[1] + 1))),
        ),
        measures=(
            Measure(
                "cosine", "Cosine", "",
                f"Cosine of the direction with the {request.to}'s row. 1: the same direction, 0: "
                "at right angles.",
                search.cosines, Scale.diverging(search.cosines),
            ),
        ),
        provenance=model.provenance(
            "nearest_tokens",
            (written,),
            parameters,
            sign="Positive: on the same side.",
            normalisation=(
                f"Cosines{_OF_ROWS[request.to]}; less the mean over the stream's width where norms "
                "take it off."
            ),
            user_hooks=user_hooks,
            notes=("Each text of the direction ran by itself.",),
        ),
        top=_top(model, search),
    )  # fmt: skip
