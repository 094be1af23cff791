"""The logit lens: what the model would predict if it stopped at each point of the residual stream.

Every state of the residual stream goes through the model's own final norm (with that state's own
mean and scale), unembedding and whatever follows it (soft cap, scale). The last row is the model's
real output. Source: nostalgebraist 2020, "interpreting GPT: the logit lens".

Measures, per read-out and position; "final" is the real output at the same position:

    probability      of the read-out's own top token
    log_probability  its logarithm, in nats
    rank             of the final top token in the read-out: 0 where the read-out agrees
    entropy          of the read-out's distribution, in nats
    kl               KL(final || read-out) = sum_v p_final(v) log(p_final(v) / p_read-out(v)), nats

Cost: one forward pass, then (rows x positions) unembeddings in pieces, so that no more than a few
tens of MB of logits exist at once, whatever the size of the vocabulary.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Union

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.readings import Readings, vectors_per_piece, working_bytes
from headscope.errors import RequestError
from headscope.jobs.steps import Step, Steps
from headscope.model.live import LiveModel
from headscope.model.runs import LOGITS, Site
from headscope.model.tokens import PromptLike
from headscope.results import Axis, Grid, Measure, NextToken, Prompt, Provenance, Scale, TopTokens

ReadOutPoint = Literal["resid_post", "resid_pre", "resid_mid", "all"]

#: The places at which the stream can be read, `all` of them being each distinct state once.
READ_OUTS: tuple[ReadOutPoint, ...] = ("resid_post", "resid_pre", "resid_mid", "all")

_STEP_SECONDS = 0.04
_PARTIAL_SECONDS = 0.5


@dataclass(frozen=True)
class LogitLensRequest:
    """The logit lens of one prompt.

    Args:
        prompt: A string or token ids.
        read_out: Where to read: `resid_post` (after each block), `resid_pre`, `resid_mid` (between
            attention and MLP), or `all`, which shows each distinct state once (the `resid_pre` of a
            layer is the `resid_post` of the one below).
        top_k: How many of the best tokens to keep per cell.
    """

    prompt: Union[str, tuple[int, ...]]
    read_out: ReadOutPoint = "resid_post"
    top_k: int = 5


@dataclass(frozen=True)
class CellToken:
    """A candidate in one cell of the readings.

    Args:
        token_id: Its id.
        text: Its text.
        probability: Softmax of the read-out.
        logit: After the final norm and the unembedding.
    """

    token_id: int
    text: str
    probability: float
    logit: float


@dataclass(frozen=True)
class Track:
    """One token through the read-outs.

    Args:
        token_id: Its id.
        text: Its text.
        rows: Label of every read-out, the first layer first.
        positions: The positions followed.
        probability: float32 `[row, position]`.
        rank: float32 `[row, position]`: how many tokens have a higher logit.
    """

    token_id: int
    text: str
    rows: tuple[str, ...]
    positions: tuple[int, ...]
    probability: npt.NDArray[np.float32]
    rank: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One read-out.

    Args:
        label: What it is called on the axis.
        hook: The hook that shows it.
        layer: The layer it belongs to; None for the embedding.
    """

    label: str
    hook: str
    layer: int | None


def rows(model: LiveModel, read_out: ReadOutPoint) -> tuple[Row, ...]:
    """The read-outs, from the embedding up to the model's output.

    Raises:
        RequestError: The model has no such point.
    """
    if read_out not in READ_OUTS:
        raise RequestError(f"There is no read-out {read_out!r}.", f"Choose from {READ_OUTS}.")
    parallel = model.capabilities.parallel_blocks
    if read_out == "resid_mid" and parallel:
        raise RequestError(
            f"{model.name} has no resid_mid: its attention and MLP run in parallel.",
            "Choose read_out='resid_post'.",
        )
    last = model.n_layers - 1
    points = {
        "resid_post": ("resid_post",),
        "resid_pre": ("resid_pre",),
        "resid_mid": ("resid_mid",),
        "all": ("resid_post",) if parallel else ("resid_mid", "resid_post"),
    }[read_out]
    places = model.places
    found = [Row("embed", f"blocks.{places[0]}.hook_resid_pre", None)]
    for layer in range(model.n_layers):
        for point in points:
            is_embedding = (layer, point) == (0, "resid_pre")
            is_output = (layer, point) == (last, "resid_post")
            if not is_embedding and not is_output:
                name = (
                    f"L{layer} {point.removeprefix('resid_')}" if len(points) > 1 else f"L{layer}"
                )
                found.append(Row(name, f"blocks.{places[layer]}.hook_{point}", layer))
    found.append(Row("output", f"blocks.{places[last]}.hook_resid_post", last))
    return tuple(found)


def run(model: LiveModel, request: LogitLensRequest) -> Steps[Grid]:
    """Compute the lens as a `Grid` over read-outs and positions.

    Raises:
        ModelError: The model is not ready, or its logits come from more than norm and unembedding.
        PromptError: The prompt cannot be run.
        RequestError: A parameter is out of range, or it needs more memory than is free.
    """
    if not 1 <= request.top_k <= model.d_vocab:
        raise RequestError(f"top_k is {request.top_k}.", f"Choose 1 to {model.d_vocab}.")
    read_outs = rows(model, request.read_out)
    prompt = model.tokenize(request.prompt)
    yield Step(0.0, "Running the model")
    provenance = model.provenance(
        "logit_lens",
        (prompt,),
        {"read_out": request.read_out, "top_k": request.top_k},
        sign="Log-probabilities are at most 0, everything else at least 0.",
        normalisation=(
            "Each state through the final norm with its own scale, then softmax over the whole "
            "vocabulary."
        ),
        user_hooks=model.user_hooks(),
    )
    shape = len(read_outs), len(prompt.token_ids)
    work = working_bytes(shape, model.d_vocab, request.top_k)
    states, logits = _states(model, prompt, read_outs, work)
    next_tokens = model.next_tokens(logits)
    readings = Readings(model.read_out(), states, request.top_k)
    began = paused = shown = time.perf_counter()
    for fraction in readings.pieces():
        now = time.perf_counter()
        if now - paused < _STEP_SECONDS:
            continue
        partial = None
        # At most a few: each waits twice as long as the one before.
        if now - shown > max(_PARTIAL_SECONDS, shown - began):
            partial, shown = _grid(model, provenance, read_outs, readings, next_tokens), now
        yield Step(fraction, "Reading out", partial)
        paused = time.perf_counter()
    return _grid(model, provenance, read_outs, readings, next_tokens)


def cell(
    model: LiveModel,
    prompt: PromptLike,
    row: int,
    position: int,
    k: int = 20,
    read_out: ReadOutPoint = "resid_post",
) -> tuple[CellToken, ...]:
    """The `k` best tokens of one cell, best first; logits are after the final norm.

    Cost: one unembedding where the prompt is cached, else a forward pass too.
    """
    ran = model.tokenize(prompt)
    read_outs = rows(model, read_out)
    if not 0 <= row < len(read_outs):
        raise RequestError(f"There is no row {row}.", f"Rows are 0 to {len(read_outs) - 1}.")
    _check_positions(ran, (position,))
    states, _ = _states(model, ran, read_outs)
    with torch.no_grad():
        logits = model.read_out().logits(states[row][position : position + 1])[0]
        top = logits.topk(min(k, len(logits)))
        probability = (top.values - logits.logsumexp(-1)).exp()
    return tuple(
        CellToken(token_id, model.token_text(token_id), share, logit)
        for token_id, share, logit in zip(
            top.indices.tolist(), probability.tolist(), top.values.tolist(), strict=True
        )
    )


def track(
    model: LiveModel,
    prompt: PromptLike,
    token: str | int,
    positions: Sequence[int],
    read_out: ReadOutPoint = "resid_post",
) -> Track:
    """Probability and rank of one token at every read-out, for chosen positions.

    Cost: (rows x positions) unembeddings, one row at a time, and a forward pass if not cached.
    """
    ran = model.tokenize(prompt)
    read_outs = rows(model, read_out)
    token_id = model.token_id(token)
    _check_positions(ran, positions)
    states, _ = _states(model, ran, read_outs)
    shape = (len(read_outs), len(positions))
    probability, rank = np.empty(shape, np.float32), np.empty(shape, np.float32)
    path = model.read_out()
    per_piece = vectors_per_piece(model.d_vocab)
    with torch.no_grad():
        for index, state in enumerate(states):
            for start in range(0, len(positions), per_piece):
                piece = slice(start, start + per_piece)
                logits = path.logits(state[list(positions[piece])])
                own = logits[:, token_id]
                probability[index, piece] = (own - logits.logsumexp(-1)).exp().cpu().numpy()
                rank[index, piece] = (logits > own[:, None]).sum(-1).cpu().numpy()
    return Track(
        token_id,
        model.token_text(token_id),
        tuple(r.label for r in read_outs),
        tuple(positions),
        probability,
        rank,
    )


def _check_positions(prompt: Prompt, positions: Sequence[int]) -> None:
    n = len(prompt.token_ids)
    for position in positions:
        if not 0 <= position < n:
            raise RequestError(f"There is no position {position}.", f"Positions are 0 to {n - 1}.")


def _states(
    model: LiveModel, prompt: Prompt, read_outs: Sequence[Row], work: int = 0
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Streams `[position, d_model]` where the unembedding is, and the last position's logits.

    Refuses a model whose logits are not the read-out of the last stream.
    """
    last = Site(LOGITS, 0, len(prompt.token_ids) - 1)
    sites = [last, *(Site(r.hook) for r in read_outs)]
    found = model.activations(prompt.token_ids, sites, work=work)
    path = model.read_out()
    device = path.unembedding.device
    states = [found[Site(r.hook)].to(device) for r in read_outs]
    logits = found[last].to(device)
    with torch.no_grad():
        path.check(states[-1][-1:], logits[None])
    return states, logits


def _grid(
    model: LiveModel,
    provenance: Provenance,
    read_outs: Sequence[Row],
    readings: Readings,
    next_tokens: tuple[NextToken, ...],
) -> Grid:
    seen = np.unique(readings.top_ids).tolist()
    return Grid(
        title="Logit lens",
        axes=(
            Axis(
                "read_out",
                tuple(r.label for r in read_outs),
                selects="layer",
                indices=tuple(r.layer for r in read_outs),
            ),
            Axis("position", provenance.prompts[0].tokens, tokens=True, selects="token"),
        ),
        measures=_measures(readings),
        provenance=provenance,
        top=TopTokens(
            readings.top_ids.copy(),
            readings.top_values.copy(),
            {str(token_id): model.token_text(token_id) for token_id in seen},
        ),
        next_tokens=next_tokens,
    )


def _measures(readings: Readings) -> tuple[Measure, ...]:
    log_p = readings.log_probability
    largest_entropy = Scale("sequential", 0.0, max(math.log(readings.d_vocab), 1.0))
    return (
        Measure(
            "probability",
            "Probability",
            "probability",
            "Probability of the read-out's top token.",
            np.exp(log_p),
            Scale("sequential", 0.0, 1.0),
        ),
        Measure(
            "log_probability",
            "Log-probability",
            "nats",
            "Natural logarithm of the probability of the read-out's top token; 0 is certain.",
            log_p.copy(),
            Scale.sequential(log_p),
        ),
        Measure(
            "rank",
            "Rank of the final token",
            "rank",
            "How many tokens the read-out puts above the model's final top token at that position; "
            "0 where it agrees.",
            readings.rank.copy(),
            Scale.sequential(readings.rank, reverse=True, log=True),
        ),
        Measure(
            "entropy",
            "Entropy",
            "nats",
            "Entropy of the read-out's distribution over the vocabulary.",
            readings.entropy.copy(),
            largest_entropy,
        ),
        Measure(
            "kl",
            "KL to the final output",
            "nats",
            "KL(final || read-out): what is lost by predicting from the read-out instead of the "
            "model's final distribution; 0 where they agree.",
            readings.kl.copy(),
            Scale.sequential(readings.kl),
        ),
    )
