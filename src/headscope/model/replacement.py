"""The local replacement model: a frozen run whose MLPs are sums of units and what units miss.

What an MLP writes at a position is the sum over its active units of activation times decoder, of an
error, and of biases. All of these are given; what units read is linear in the frozen stream. So

    activation(target) = sum over sources of effect(source, target) + constant(target)

exactly, where an effect is what a source's write moves in what the target reads, along the residual
stream and through frozen attention, but through no other unit.

Columns number the sources so that effects go from lower to higher numbers: the tokens, then of
every layer, of every position, its units and its error.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import torch

from headscope.model.frozen import FrozenRun
from headscope.model.replacement_parts import (
    Carried,
    LinearSkip,
    Readers,
    UnitReader,
    Units,
    column_bounds,
)


class LocalReplacement:
    """A frozen run with its units.

    Args:
        run: The frozen run.
        units: Per layer.
        writes: By layer of the units and layer that they write to: of every column of the units'
            layer what it writes, activation included, `[column, d_model]`.
        constants: What biases write beside, `[position, d_model]` per layer.
        reader: How units read.
        skips: Per layer a linear path beside the units, or None.
        n_active: How many units are active, also those that were left to the errors.
    """

    def __init__(
        self,
        run: FrozenRun,
        units: Sequence[Units],
        writes: Mapping[tuple[int, int], torch.Tensor],
        constants: Sequence[torch.Tensor],
        reader: UnitReader,
        skips: Sequence[LinearSkip | None],
        n_active: int,
    ) -> None:
        self.run = run
        self.n_active = n_active
        self.units = tuple(units)
        self.writes = writes
        self._constants = constants
        self._reader = reader
        self.skips = tuple(skips)
        per_layer = [len(of) + run.n_tokens for of in units]
        self.starts = [run.n_tokens + sum(per_layer[:layer]) for layer in range(run.n_layers + 1)]
        self._bounds = [column_bounds(of, run.n_tokens) for of in units]

    @property
    def n_columns(self) -> int:
        """Number of sources."""
        return self.starts[-1]

    def columns(self, layer: int) -> torch.Tensor:
        """The columns of a layer's units, int64 `[unit]`."""
        position = self.units[layer].position
        return self.starts[layer] + torch.arange(len(position), device=position.device) + position

    def error_columns(self, layer: int) -> torch.Tensor:
        """The columns of a layer's errors, int64 `[position]`."""
        return self.starts[layer] + torch.tensor(self._bounds[layer][1:]) - 1

    def point(self, layer: int) -> int:
        """The point of the stream that a layer's MLP reads."""
        return 2 * layer if self.run.parallel else 2 * layer + 1

    def readers(self, layer: int, chosen: torch.Tensor) -> Readers:
        """What some of a layer's units read.

        Args:
            layer: The layer.
            chosen: Which of its active units, int64 `[reader]`.
        """
        units = self.units[layer]
        position, index = units.position[chosen], units.index[chosen]
        gradient, offset = self._reader(layer, position, index)
        return Readers(torch.full_like(position, self.point(layer)), position, gradient, offset)

    def carry(
        self, until: int
    ) -> Generator[None, None, tuple[Carried, torch.Tensor, torch.Tensor]]:
        """Follow the writes of all sources below a block up to it; pauses after every layer.

        Half of the way from a target down to its sources is so gone once for all targets.

        Args:
            until: The block, at least 1.

        Returns:
            What arrives there; effects `[unit, column]` on all units below, by layer, and what
            biases give them `[unit]`.
        """
        run, width = self.run, self.run.streams[0].shape[1]
        readers = [self.readers(i, torch.arange(len(self.units[i]))) for i in range(until)]
        ends = [0]
        for of in readers:
            ends.append(ends[-1] + len(of))
        found = run.streams[0].new_zeros(ends[-1], self.n_columns)
        streams: list[torch.Tensor] = []
        columns: list[torch.Tensor] = []
        for first in range(run.n_tokens):
            spread = run.streams[0].new_zeros(run.n_tokens - first, 0, width)
            joining, own = run.streams[0][first, None], torch.tensor([first])
            for layer in range(until):
                after = run.attention[layer].carry(spread, joining, first)
                before = _placed(spread, joining)
                after += before
                read = before if run.parallel else after
                for position, stream in enumerate(read, first):
                    bounds = self._bounds[layer]
                    low, high = (bounds[p] - p for p in (position, position + 1))
                    rows = slice(ends[layer] + low, ends[layer] + high)
                    found[rows, own] = readers[layer].gradient[low:high] @ stream.T
                skip = self.skips[layer]
                spread = after if skip is None else after + skip.carry(read, first)
                place = 1
                for source in range(layer):
                    low, high = self._bounds[source][first : first + 2]
                    if (source, layer) in self.writes:
                        spread[0, place : place + high - low] += self.writes[source, layer][
                            low:high
                        ]
                    place += high - low
                low, high = self._bounds[layer][first : first + 2]
                joining = self.writes[layer, layer][low:high]
                own = torch.cat([own, self.starts[layer] + torch.arange(low, high)])
                yield
            spread = _placed(spread, joining)
            streams.append(spread.transpose(0, 1).flatten(1))
            columns.append(own)
        bias, constant = self._carried_biases(readers)
        return Carried(until, tuple(columns), tuple(streams), bias.flatten()), found, constant

    def _carried_biases(self, readers: Sequence[Readers]) -> tuple[torch.Tensor, torch.Tensor]:
        """What biases alone make of the stream, and give to the units on the way."""
        stream, constant = torch.zeros_like(self.run.streams[0]), list[torch.Tensor]()
        for layer, of in enumerate(readers):
            attention, skip = self.run.attention[layer], self.skips[layer]
            after = stream + attention(stream[:, None])[:, 0] + attention.constant
            read = stream if self.run.parallel else after
            constant.append((of.gradient * read[of.position]).sum(-1) + of.offset)
            stream = after + self._constants[layer] + (0.0 if skip is None else skip(read))
        return stream, torch.cat(constant)

    def effects(
        self, readers: Readers, below: Carried | None = None
    ) -> Generator[None, None, tuple[torch.Tensor, torch.Tensor]]:
        """Effects of all sources on readers; pauses after every layer.

        Args:
            readers: Ordered as they say; all of them above `below`.
            below: What sources below some block make there, if that is known.

        Returns:
            Effects `[reader, column]`, and what biases give, the readers' own included `[reader]`.

        Cost: per reader at position p of layer l, 4 d_model^2 (p + 1) l multiply-adds.
        """
        run = self.run
        reach = int(readers.position.max()) + 1
        found = readers.gradient.new_zeros(len(readers), self.n_columns)
        constant = readers.offset.clone()
        spread = _join(readers.gradient.new_zeros(reach, 0, readers.gradient.shape[1]), readers,
                       readers.at(2 * run.n_layers))  # fmt: skip
        until = 0 if below is None else below.until
        for layer in reversed(range(until, min(int(readers.point[0]) // 2 + 1, run.n_layers))):
            self._read_writes(layer, spread, found)
            constant[: spread.shape[1]] += _along(spread, self._constants[layer]).sum(0)
            attention, skip = run.attention[layer], self.skips[layer]
            beside = None if skip is None else skip.pull_back(spread)
            if beside is not None and not run.parallel:
                spread, beside = spread + beside, None
            new = readers.at(2 * layer + 1)
            at, joining = readers.position[new], readers.gradient[new]
            back = attention.pull_back(spread, at, joining)
            back[:, : spread.shape[1]] += spread if beside is None else spread + beside
            back[at, torch.arange(new.start, new.stop, device=at.device)] += joining
            constant[: spread.shape[1]] += _along(spread, attention.constant).sum(0)
            constant[new] += (joining * attention.constant[at]).sum(-1)
            spread = _join(back, readers, readers.at(2 * layer))
            yield
        if below is None:
            found[:, :reach] = _along(spread, run.streams[0]).T
        else:
            below.meet(spread, found, constant)
        return found, constant

    def push(
        self, moved: Mapping[int, torch.Tensor], fixed: torch.Tensor | None
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """What changes of writes change, in the linear model.

        Args:
            moved: Layer to the change of its MLP's output `[position, d_model]`; -1 for that of the
                stream before the first block.
            fixed: Where units respond, by activation in proportion to what they read, those that do
                not, bool `[column]`; None where no unit responds.

        Returns:
            Per layer the changes of its units' activations `[unit]`, and that of the last stream.
        """
        run, changes = self.run, list[torch.Tensor]()
        moved = dict(moved)
        nothing = torch.zeros_like(run.streams[0])
        stream = moved.get(-1, nothing)
        for layer, units in enumerate(self.units):
            after = stream + run.attention[layer](stream[:, None])[:, 0]
            read = stream if run.parallel else after
            gradient, _ = self._reader(layer, units.position, units.index)
            changes.append((gradient * read[units.position]).sum(-1))
            if fixed is not None:
                columns = self.columns(layer)
                share = torch.where(fixed[columns], 0.0, changes[-1] / units.activation)
                for to_layer in range(layer, run.n_layers):
                    written = self.writes.get((layer, to_layer))
                    if written is not None:
                        rows = written[columns - self.starts[layer]] * share[:, None]
                        before = moved.get(to_layer, nothing)
                        moved[to_layer] = before.index_add(0, units.position, rows)
            skip = self.skips[layer]
            stream = after + moved.get(layer, nothing) + (0.0 if skip is None else skip(read))
        return changes, stream

    def _read_writes(self, layer: int, spread: torch.Tensor, found: torch.Tensor) -> None:
        n = spread.shape[1]
        for source in range(layer + 1):
            written = self.writes.get((source, layer))
            if written is None or not n:
                continue
            start, bounds = self.starts[source], self._bounds[source]
            for position, gradient in enumerate(spread):
                first, last = bounds[position], bounds[position + 1]
                found[:n, start + first : start + last] += gradient @ written[first:last].T


def _along(spread: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Gradients `[position, n, d_model]` along one vector per position, `[position, n]`."""
    return (spread @ vectors[: len(spread), :, None])[..., 0]


def _placed(spread: torch.Tensor, joining: torch.Tensor) -> torch.Tensor:
    """Streams of sources, those that have just written at the first position appended."""
    new = spread.new_zeros(len(spread), len(joining), spread.shape[2])
    new[0] = joining
    return torch.cat([spread, new], 1)


def _join(spread: torch.Tensor, readers: Readers, new: slice) -> torch.Tensor:
    """Rows that begin to be spread over positions, each at its own."""
    n = new.stop - new.start
    if not n:
        return spread
    rows = spread.new_zeros(len(spread), n, spread.shape[2])
    rows[readers.position[new], torch.arange(n, device=rows.device)] = readers.gradient[new]
    return torch.cat([spread, rows], 1)
