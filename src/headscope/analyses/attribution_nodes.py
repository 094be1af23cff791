"""The nodes of a study by number and by name: its columns, then its targets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from headscope.analyses.attribution_study import AttributionStudy
from headscope.errors import RequestError
from headscope.model.replacement_parts import Readers
from headscope.results import NODE_KINDS, Nodes

_FEATURE = re.compile(r"L(\d{1,4})F(\d{1,9})@(\d{1,6})")


@dataclass(frozen=True)
class Write:
    """What a source writes.

    Args:
        position: Where.
        vectors: By layer whose MLP output it is part of, `[d_model]`; of a token, by -1.
    """

    position: int
    vectors: dict[int, torch.Tensor]


class NodeTable:
    """Every node that a graph of the study can have.

    Attributes:
        activation: Of units, and values of targets; NaN of tokens and errors, float32 `[node]`.
    """

    def __init__(self, study: AttributionStudy) -> None:
        self._study = study
        replacement, targets, run = study.replacement, study.targets, study.run
        n = replacement.n_columns
        kind, layer, position, unit = np.full((4, n + len(targets.ids)), -1, np.int32)
        self.activation: npt.NDArray[np.float32] = np.full(len(kind), np.nan, np.float32)
        kind[: run.n_tokens] = NODE_KINDS.index("token")
        position[: run.n_tokens] = np.arange(run.n_tokens)
        own_kind = NODE_KINDS.index("neuron" if study.request.units == "neurons" else "feature")
        for number, units in enumerate(replacement.units):
            own = replacement.columns(number).numpy(force=True)
            errors = replacement.error_columns(number).numpy()
            kind[own], kind[errors] = own_kind, NODE_KINDS.index("error")
            layer[own] = layer[errors] = number
            position[errors] = np.arange(run.n_tokens)
            position[own], unit[own], self.activation[own] = (
                column.numpy(force=True)
                for column in (units.position, units.index, units.activation)
            )
        kind[n:], position[n:], unit[n:] = NODE_KINDS.index("logit"), run.n_tokens - 1, targets.ids
        self.activation[n:] = targets.values.numpy(force=True)
        self._all = Nodes(kind.astype(np.uint8), layer, position, unit, np.full_like(unit, -1))
        self.layer, self.position = layer, position

    def nodes(self, chosen: npt.NDArray[np.int64]) -> Nodes:
        """Some of them."""
        of = self._all
        return Nodes(
            of.kind[chosen], of.layer[chosen], of.position[chosen], of.unit[chosen],
            of.kv_head[chosen],
        )  # fmt: skip

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All their names."""
        return tuple(node.name for node in self._all)

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def inactive(self, name: str) -> Write | None:
        """What a feature that is not active here would write per unit of activation; or None."""
        study, match = self._study, _FEATURE.fullmatch(name)
        if match is None or study.request.transcoders is None:
            return None
        layer, feature, position = map(int, match.groups())
        if layer >= study.run.n_layers or position >= study.run.n_tokens:
            return None
        transcoder = study.request.transcoders[layer]
        if feature >= transcoder.n_features:
            return None
        index = torch.tensor([feature], device=study.run.streams[0].device)
        return Write(position, {m: transcoder.decoder(index, m)[0] for m in transcoder.targets})

    def number(self, name: str) -> int:
        """The number of a node.

        Raises:
            RequestError: There is none of that name.
        """
        if name not in self._by_name:
            raise RequestError(
                f"There is no node {name!r} on this prompt.",
                f"Nodes are named like {self.names[self._study.run.n_tokens]}.",
            )
        return self._by_name[name]

    def write(self, name: str) -> Write:
        """What a node writes.

        Raises:
            RequestError: There is no such node, or it is a target.
        """
        number, replacement = self.number(name), self._study.replacement
        if number >= replacement.n_columns:
            raise RequestError(f"{name} writes nothing.", "Choose a token, a unit or an error.")
        position, layer = int(self.position[number]), int(self.layer[number])
        if layer < 0:
            return Write(position, {-1: self._study.run.streams[0][position]})
        inside = number - replacement.starts[layer]
        levels = range(layer, self._study.run.n_layers)
        found = {m: replacement.writes.get((layer, m)) for m in levels}
        return Write(position, {m: rows[inside] for m, rows in found.items() if rows is not None})

    def reader(self, name: str) -> Readers:
        """What a node reads.

        Raises:
            RequestError: There is no such node, or it reads nothing.
        """
        number, replacement = self.number(name), self._study.replacement
        if number >= replacement.n_columns:
            of, place = self._study.targets.readers, number - replacement.n_columns
            return Readers(*(column[[place]] for column in
                             (of.point, of.position, of.gradient, of.offset)))  # fmt: skip
        if np.isnan(self.activation[number]):
            raise RequestError(f"{name} reads nothing.", "Choose a unit or a target.")
        layer = int(self.layer[number])
        place = int((replacement.columns(layer) == number).nonzero())
        return replacement.readers(layer, torch.tensor([place]))
