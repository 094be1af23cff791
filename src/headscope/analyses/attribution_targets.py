"""What an attribution graph explains: logits after the prompt, each less the mean of all logits.

Taking the mean off leaves probabilities as they are. With `wrong` it is the difference of a
target's logit and that of `wrong`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from headscope.errors import RequestError
from headscope.model.frozen import FrozenRun
from headscope.model.live import LiveModel
from headscope.model.readout import ReadOut
from headscope.model.replacement_parts import Readers


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of one prompt.

    Args:
        ids: Vocabulary ids.
        wrong: The id whose logit is subtracted, or None.
        probabilities: The model's own, `[target]`.
        weights: What influence is weighted by: the probabilities, or 1 for differences.
        values: What is explained, before any soft cap, `[target]`.
        readers: How they read the last stream.
    """

    ids: tuple[int, ...]
    wrong: int | None
    probabilities: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    values: torch.Tensor
    readers: Readers


def find_targets(
    model: LiveModel,
    run: FrozenRun,
    asked: Sequence[str | int],
    wrong: str | int | None,
    *,
    most: int,
    share: float,
) -> Targets:
    """The targets at the last position.

    Args:
        model: The model.
        run: The prompt's run.
        asked: Tokens; empty for the most probable ones.
        wrong: A token whose logit is subtracted, or None.
        most: At most so many of the most probable ones,
        share: and no more than make up this probability together.

    Raises:
        PromptError: Something asked for is not one token.
        RequestError: A target is there twice, or is `wrong` itself.
        ModelError: Logits are not read off the last stream by norm and unembedding.
    """
    path, last = model.read_out(), run.n_tokens - 1
    logits = run.logits(last).to(run.streams[0].device)
    stream = run.streams[-1][last]
    path.check(stream[None], logits[None])
    probability = logits.softmax(-1)
    ids = [model.token_id(token) for token in asked]
    minus = None if wrong is None else model.token_id(wrong)
    if not ids:
        best = probability.topk(min(most, len(probability)))
        before = best.values.cumsum(0) - best.values
        ids = [i for i in best.indices[before < share].tolist() if i != minus]
    if len(set(ids)) < len(ids) or minus in ids:
        raise RequestError("A target is there twice.", "Name each token once.")
    gradient, offset = _read(path, stream, ids, minus)
    probabilities = probability[ids].cpu().numpy()
    return Targets(
        tuple(ids),
        minus,
        probabilities,
        probabilities if minus is None else np.ones_like(probabilities),
        gradient @ stream + offset,
        Readers(
            torch.full((len(ids),), 2 * run.n_layers, device=gradient.device),
            torch.full((len(ids),), last, device=gradient.device),
            gradient,
            offset,
        ),
    )


def _read(
    path: ReadOut, stream: torch.Tensor, ids: Sequence[int], minus: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients with respect to the last stream, the norm's scale held, and what biases give."""
    unembedding, bias = path.unembedding, path.unembedding_bias.float()
    if minus is None:
        mean, mean_bias = unembedding.mean(1, dtype=torch.float32), bias.mean()
    else:
        mean, mean_bias = unembedding[:, minus].float(), bias[minus]
    columns = unembedding[:, list(ids)].float().T - mean
    offset = bias[list(ids)] - mean_bias
    if path.bias is not None:
        offset = offset + columns @ path.bias
    gradient = columns if path.weight is None else columns * path.weight
    if path.centring:
        gradient = gradient - gradient.mean(-1, keepdim=True)
    return gradient / path.scale(stream), offset
