"""What neurons say in words: how the output weights of each lie to the unembeddings of all tokens.

Of neuron n and token t the cosine between w_out(n) and W_U(t) counts, the final norm's gain and
centring in W_U, and the gain of a norm behind the MLP in w_out. Over all tokens it has a skew and a
kurtosis (a normal distribution's are 0 and 3): a neuron that speaks for or against few tokens has a
high kurtosis, and the skew says which (Gurnee et al. 2024).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from headscope.jobs.steps import patience
from headscope.model.live import LiveModel
from headscope.model.memory import FLOAT32
from headscope.model.norms import Norm
from headscope.model.readout import ReadOut

_PIECE_SECONDS = 0.03
_PIECE_BYTES = 24 * 2**20
_FIRST_PIECE = 64


def neuron_moments(model: LiveModel, layer: int, found: list[torch.Tensor]) -> Iterator[float]:
    """Skew and kurtosis of a layer's neurons, a piece of the vocabulary at a time.

    Costs d_mlp x d_model x d_vocab multiplications, and no more than a few times 24 MB at once.
    Kept with the model's runs until its weights change.

    Args:
        model: The model.
        layer: Which.
        found: What is appended in the end: float32 `[2, neuron]` on the CPU. Nothing, where the
            MLP is not a matrix of neurons.

    Yields:
        The share done.

    Raises:
        ResultError: The model changed meanwhile.
    """
    state, runs, key = model.state(), model.open_runs(), ("neuron_moments", layer)
    if (kept := runs.get(key)) is not None:
        found.append(kept)
        return
    written = _written(model, layer)
    if written is None:
        return
    path = model.read_out()
    n, d_vocab = len(written), path.unembedding.shape[1]
    sums = torch.zeros(4, n, dtype=torch.float64)
    most = max(1, _PIECE_BYTES // (FLOAT32 * n))
    start, size = 0, min(_FIRST_PIECE, most)
    while start < d_vocab:
        began = time.perf_counter()
        with torch.no_grad():
            cosine = written @ _read(path, slice(start, start + size))
            square = cosine * cosine
            powers = (cosine, square, square * cosine, square * square)
            sums += torch.stack([power.sum(1).cpu().double() for power in powers])
        start += size
        # As long a piece as a step may take.
        spent = (time.perf_counter() - began) / (_PIECE_SECONDS * patience())
        size = max(1, min(most, int(size * min(2.0, max(0.5, 1 / spent)))))
        yield min(1.0, start / d_vocab)
        model.still(state, f"the neurons of layer {layer} were begun")
    found.append(_moments(sums / d_vocab))
    runs.put(key, found[-1])


def _written(model: LiveModel, layer: int) -> torch.Tensor | None:
    """Directions that neurons write, `[neuron, d_model]`, each of length 1."""
    block = model.bridge.blocks[layer]
    children = dict(block.named_children())
    weight = getattr(children.get("mlp"), "W_out", None)
    if not isinstance(weight, torch.Tensor) or weight.ndim != 2:
        return None
    rows = weight.detach().float()
    after = Norm.of(model.bridge, children.get("ln2_post"))
    rows = after.scaled(rows, torch.ones_like(rows[:, :1]))
    rows = rows.to(model.read_out().unembedding.device)
    return _unit(rows, -1)


def _read(path: ReadOut, tokens: slice) -> torch.Tensor:
    """Directions that raise logits, `[d_model, token]`, each of length 1."""
    columns = path.unembedding[:, tokens].float()
    if path.weight is not None:
        columns = columns * path.weight[:, None]
    if path.centring:
        columns = columns - columns.mean(0, keepdim=True)
    return _unit(columns, 0)


def _unit(vectors: torch.Tensor, dim: int) -> torch.Tensor:
    """Each of length 1, but for those that are nothing."""
    tiny = torch.finfo(vectors.dtype).tiny
    unit: torch.Tensor = vectors / vectors.norm(dim=dim, keepdim=True).clamp_min(tiny)
    return unit


def _moments(means: torch.Tensor) -> torch.Tensor:
    """Skew and kurtosis from the means of the first four powers."""
    m1, m2, m3, m4 = means
    variance = (m2 - m1**2).clamp_min(torch.finfo(torch.float64).tiny)
    skew = (m3 - 3 * m1 * m2 + 2 * m1**3) / variance**1.5
    kurtosis = (m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4) / variance**2
    return torch.stack([skew, kurtosis]).float()
