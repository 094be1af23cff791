"""Directions as vectors of a model."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch

from headscope.errors import RequestError
from headscope.interventions.directions import Means, TokenDifference, Vector
from headscope.model.live import LiveModel
from headscope.model.runs import Site


@singledispatch
def _vector(direction: Any, model: LiveModel, layer: int) -> torch.Tensor:
    raise RequestError(f"{direction!r} is no direction.", "Pass hs.Means, for instance.")


def vector(model: LiveModel, direction: Any, layer: int) -> torch.Tensor:
    """The direction in the stream before block `layer`, float32 `[d_model]`.

    Raises:
        HeadscopeError: It has another width, or a prompt of it cannot run.
    """
    found: torch.Tensor = _vector(direction, model, layer)
    return found


@_vector.register
def _means(direction: Means, model: LiveModel, layer: int) -> torch.Tensor:
    mean = _last_stream_mean(model, direction.toward, layer)
    return mean - _last_stream_mean(model, direction.away, layer) if direction.away else mean


@_vector.register
def _tokens(direction: TokenDifference, model: LiveModel, layer: int) -> torch.Tensor:
    # What the first block gets of a token alone: a learned position is the same in both.
    site = Site("blocks.0.hook_resid_pre")
    toward, away = (
        model.activations((model.token_id(token),), [site])[site][0].float()
        for token in (direction.toward, direction.away)
    )
    return toward - away


@_vector.register
def _given(direction: Vector, model: LiveModel, layer: int) -> torch.Tensor:
    if len(direction.values) != model.d_model:
        raise RequestError(
            f"{direction.name} has {len(direction.values)} numbers, and the model's stream is "
            f"{model.d_model} wide.",
            "Pass a vector of this model.",
        )
    return torch.tensor(direction.values)


def _last_stream_mean(model: LiveModel, prompts: tuple[str, ...], layer: int) -> torch.Tensor:
    site = Site(f"blocks.{layer}.hook_resid_pre")
    rows = [
        model.activations(model.tokenize(prompt).token_ids, [site])[site][-1].float()
        for prompt in prompts
    ]
    return torch.stack(rows).mean(0)
