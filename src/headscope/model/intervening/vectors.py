"""Directions as vectors of a model."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import torch

from headscope.errors import RequestError
from headscope.interventions.directions import Means, Sum, Token, TokenDifference, Vector
from headscope.model.live import LiveModel
from headscope.model.runs import Site

#: A sum that is this much smaller than what was added up is 0 but for rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class _Reading:
    """What a direction has of the stream at one place of a text.

    Args:
        token_ids: The text.
        position: The place.
        weight: What it is multiplied by.
        embedded: Whether it is read before the first block, whatever the layer.
    """

    token_ids: tuple[int, ...]
    position: int
    weight: float
    embedded: bool = False


_Part = _Reading | torch.Tensor


def vectors(
    model: LiveModel, direction: Any, layers: Sequence[int]
) -> Generator[float, None, torch.Tensor]:
    """The direction in the stream before each of some blocks, in steps of one text that runs.

    Args:
        model: The model.
        direction: A `Direction`.
        layers: Blocks; the number of blocks stands for the stream behind the last one.

    Yields:
        The share done.

    Returns:
        float32 `[layer, d_model]`; exactly 0 where only rounding is left of a difference.

    Raises:
        HeadscopeError: It has another width, or a prompt of it cannot run.
    """
    total, size = torch.zeros(len(layers), model.d_model), torch.zeros(len(layers), 1)
    found = list(_parts(direction, model))
    for done, part in enumerate(found, 1):
        runs = isinstance(part, _Reading) and not _is_at_hand(model, part, layers)
        stream = part if isinstance(part, torch.Tensor) else _read(model, part, layers)
        total += stream
        size += stream.norm(dim=-1, keepdim=True)
        if runs:
            yield done / len(found)
    return torch.where(total.norm(dim=-1, keepdim=True) > _ROUNDING * size, total, 0.0)


def terms(model: LiveModel, direction: Any) -> tuple[tuple[int, ...], ...]:
    """The texts that run for a direction, as token ids, each once."""
    parts = _parts(direction, model)
    return tuple(dict.fromkeys(part.token_ids for part in parts if isinstance(part, _Reading)))


def _read(model: LiveModel, reading: _Reading, layers: Sequence[int]) -> torch.Tensor:
    """float32 `[layer, d_model]`, on the CPU."""
    sites = _sites(model, reading, layers)
    ran = model.activations(reading.token_ids, dict.fromkeys(sites))
    return reading.weight * torch.stack([ran[site][reading.position].float() for site in sites])


def _is_at_hand(model: LiveModel, reading: _Reading, layers: Sequence[int]) -> bool:
    runs, sites = model.open_runs(), _sites(model, reading, layers)
    return all(runs.get((reading.token_ids, site)) is not None for site in sites)


def _sites(model: LiveModel, reading: _Reading, layers: Sequence[int]) -> list[Site]:
    return [_site(model, 0 if reading.embedded else layer) for layer in layers]


def _site(model: LiveModel, layer: int) -> Site:
    last = layer == model.n_layers
    return Site(f"blocks.{layer - last}.hook_resid_{'post' if last else 'pre'}")


@singledispatch
def _parts(direction: Any, model: LiveModel) -> Iterator[_Part]:
    raise RequestError(f"{direction!r} is no direction.", "Pass hs.Means, for instance.")


@_parts.register
def _sum(direction: Sum, model: LiveModel) -> Iterator[_Part]:
    for weight, term in direction.terms:
        for part in _parts(term, model):
            if isinstance(part, _Reading):
                yield replace(part, weight=weight * part.weight)
            else:
                yield weight * part


@_parts.register
def _means(direction: Means, model: LiveModel) -> Iterator[_Part]:
    for sign, prompts in ((1, direction.toward), (-1, direction.away)):
        for prompt in prompts:
            yield _Reading(model.tokenize(prompt).token_ids, -1, sign / len(prompts))


@_parts.register
def _token(direction: Token, model: LiveModel) -> Iterator[_Part]:
    token_id = model.token_id(direction.token)
    if not direction.contexts:
        yield _Reading((*model.opening, token_id), -1, 1.0)
    for context in direction.contexts:
        ids = model.tokenize(context).token_ids
        if token_id not in ids:
            raise RequestError(
                f"{model.token_text(token_id)!r} is no token of {context!r}.",
                "Give texts in which it is one.",
            )
        place = len(ids) - 1 - ids[::-1].index(token_id)
        yield _Reading(ids, place, 1 / len(direction.contexts))


@_parts.register
def _embeddings(direction: TokenDifference, model: LiveModel) -> Iterator[_Part]:
    # A learned position is the same in both.
    for sign, token in ((1.0, direction.toward), (-1.0, direction.away)):
        yield _Reading((model.token_id(token),), 0, sign, embedded=True)


@_parts.register
def _given(direction: Vector, model: LiveModel) -> Iterator[_Part]:
    if len(direction.values) != model.d_model:
        raise RequestError(
            f"{direction.name} has {len(direction.values)} numbers, and the model's stream is "
            f"{model.d_model} wide.",
            "Pass a vector of this model.",
        )
    yield torch.tensor(direction.values)
