"""What a local replacement model is made of: units, what they read, what goes beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from headscope.model.norms import Norm


@dataclass(frozen=True, eq=False)
class Units:
    """The active units of one layer, by position and then by number.

    Args:
        position: int64 `[unit]`.
        index: Number of the feature or neuron, int64 `[unit]`.
        activation: `[unit]`.
    """

    position: torch.Tensor
    index: torch.Tensor
    activation: torch.Tensor

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, eq=False)
class Readers:
    """What is linear in the frozen stream at one point and position: units, logits, queries.

    Args:
        point: Where in the stream, int64 `[reader]`: 2 l before block l, 2 l + 1 between its
            attention and its MLP, 2 n_layers after the last block. Descending.
        position: int64 `[reader]`.
        gradient: With respect to the stream there, `[reader, d_model]`.
        offset: What is read of biases in the reader itself, `[reader]`.
    """

    point: torch.Tensor
    position: torch.Tensor
    gradient: torch.Tensor
    offset: torch.Tensor

    def __len__(self) -> int:
        return len(self.point)

    def at(self, point: int) -> slice:
        """Those that read at a point of the stream."""
        above = int((self.point > point).sum())
        return slice(above, above + int((self.point == point).sum()))


#: How a layer's units, by position and index, read the stream: their gradients `[unit, d_model]`
#: with respect to it, and offsets `[unit]`.
UnitReader = Callable[[int, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True, eq=False)
class Reading:
    """What an MLP, or a dictionary in its place, is given: the stream, or a norm of it.

    Args:
        kind: `stream` (before the norm), `unit` (before the norm's gain) or `normed`.
        norm: The norm.
        scale: What it divides by in this run, `[position, 1]`.
    """

    kind: str
    norm: Norm
    scale: torch.Tensor

    def of(self, stream: torch.Tensor) -> torch.Tensor:
        """What is read of a stream `[position, d_model]`."""
        if self.kind == "stream":
            return stream
        return self.norm(stream) if self.kind == "normed" else self.norm.unit(stream)

    def linear(self, stream: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """What a change of the stream changes, the scale held."""
        if self.kind == "stream":
            return stream
        if self.kind == "normed":
            return self.norm.scaled(stream, scale)
        return self.norm.centred(stream) / scale

    def pull_back(self, gradient: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """The gradient with respect to the stream, the scale held."""
        if self.kind == "stream":
            return gradient
        folded = (
            self.norm.folded(gradient) if self.kind == "normed" else self.norm.centred(gradient)
        )
        return folded / scale

    def offset(self, gradient: torch.Tensor) -> torch.Tensor:
        """What is read of the norm's own bias, `[...]` of gradients `[..., d_model]`."""
        if self.kind != "normed" or self.norm.bias is None:
            return gradient.new_zeros(gradient.shape[:-1])
        return gradient @ self.norm.bias


@dataclass(frozen=True, eq=False)
class LinearSkip:
    """A transcoder's linear path beside its features.

    Args:
        reading: What it reads.
        weight: `[d_model (written), d_model (read)]`.
    """

    reading: Reading
    weight: torch.Tensor

    def __call__(self, stream: torch.Tensor) -> torch.Tensor:
        """What is written more when the stream `[position, d_model]` changes."""
        return self.carry(stream[:, None], 0)[:, 0]

    def carry(self, streams: torch.Tensor, first: int) -> torch.Tensor:
        """As a call, of several changes from position `first` on, `[position, n, d_model]`."""
        return self.reading.linear(streams, self.reading.scale[first:, None]) @ self.weight.mT

    def pull_back(self, gradients: torch.Tensor) -> torch.Tensor:
        """Gradients `[position, n, d_model]` with respect to the stream that is read."""
        scale = self.reading.scale[: len(gradients), None]
        return self.reading.pull_back(gradients @ self.weight, scale)


@dataclass(frozen=True, eq=False)
class Carried:
    """What the sources below a block, each alone, make of the stream before it.

    Args:
        until: The block.
        columns: By position of the sources: which they are, int64 `[n]`.
        streams: Likewise, from that position on, `[n, position * d_model]`.
        bias: What biases make of it, `[position * d_model]`.
    """

    until: int
    columns: tuple[torch.Tensor, ...]
    streams: tuple[torch.Tensor, ...]
    bias: torch.Tensor

    def meet(self, gradients: torch.Tensor, found: torch.Tensor, constant: torch.Tensor) -> None:
        """Write in what readers with `gradients` `[position, n, d_model]` there read of them."""
        reach, n, width = gradients.shape
        flat = gradients.transpose(0, 1).reshape(n, -1)
        for first in range(reach):
            streams = self.streams[first][:, : (reach - first) * width]
            found[:, self.columns[first]] += flat[:, first * width :] @ streams.T
        constant += flat @ self.bias[: reach * width]


def column_bounds(units: Units, n_tokens: int) -> list[int]:
    """Where each position's columns begin within a layer, and the end, `n_tokens + 1` numbers."""
    counts = torch.bincount(units.position, minlength=n_tokens) + 1
    return [0, *counts.cumsum(0).tolist()]


def with_gaps(rows: torch.Tensor, units: Units, errors: torch.Tensor) -> torch.Tensor:
    """What units and errors write, by column, `[column, d_model]`."""
    spaced = rows.new_empty(len(rows) + len(errors), rows.shape[1])
    spaced[torch.arange(len(rows), device=rows.device) + units.position] = rows
    spaced[torch.tensor(column_bounds(units, len(errors))[1:]) - 1] = errors
    return spaced
