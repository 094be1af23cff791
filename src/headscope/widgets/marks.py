"""What users mark in a graph: traits that page and Python both read and write."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import traitlets as t

from headscope.errors import RequestError, ResultError
from headscope.results import CircuitGraph, Group, Marks, Place
from headscope.widgets.core import Bundle
from headscope.widgets.page import PageWidget, synced
from headscope.widgets.read_only import ReadOnlyDict, ReadOnlyList, read_only

#: What a threshold may name, and the greatest value of each, in graphs of each family.
LIMITS: Mapping[str, Mapping[str, float]] = {
    "components": {"edges": math.inf},
    "attribution": {"nodes": 1.0, "edges": 1.0},
}


class MarkedGraph(PageWidget):
    """A page with a graph, and with what users mark in it.

    Marks never compute. They are read and assigned here or changed in the page, and go with the
    result (`widget.result.marks`) into files and pages. Nodes are named as by `graph.names`. Marks
    of nodes that a new result does not have stay here, in case they come back, but are neither in
    its `marks` nor shown. Assign a new value; changing one in place is refused.
    """

    marks: ClassVar[tuple[str, ...]] = ("pinned", "groups", "labels", "places", "threshold")
    view_bundle: ClassVar[Bundle] = "graph"
    #: What a threshold may name, and the greatest value of each; infinite: whole numbers.
    thresholds: ClassVar[Mapping[str, float]] = {}

    _value: CircuitGraph | None = None

    #: Names of pinned nodes.
    pinned: list[str] = synced(t.Any(ReadOnlyList()))
    #: Nodes taken as one: `{"label": text, "nodes": [name, ...]}`.
    groups: list[dict[str, Any]] = synced(t.Any(ReadOnlyList()))
    #: What nodes are called, by name.
    labels: dict[str, str] = synced(t.Any(ReadOnlyDict()))
    #: Nodes that were moved: `{"node": name, "x": pixels, "y": pixels}`.
    places: list[dict[str, Any]] = synced(t.Any(ReadOnlyList()))
    #: What is shown of the graph; empty: the circuit as computed.
    threshold: dict[str, float] = synced(t.Any(ReadOnlyDict()))

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the page sent; marks that cannot be are not taken, and the page is told."""
        refused = [name for name in self.marks if name in sync_data and not self._takes(
            name, sync_data[name])]  # fmt: skip
        super().set_state({k: v for k, v in sync_data.items() if k not in refused})
        if refused:
            self.send_state(refused)

    def _takes(self, name: str, value: Any) -> bool:
        try:
            self._checked(name, value)
        except RequestError:
            return False
        return True

    @t.validate("pinned", "groups", "labels", "places", "threshold")
    def _valid_mark(self, proposal: Any) -> Any:
        return read_only(self._checked(proposal["trait"].name, proposal["value"]))

    def _checked(self, name: str, value: Any) -> Any:
        """The mark's value, copied.

        Raises:
            RequestError: It is no such mark, or names a node that is not in the graph.
        """
        try:
            made = _READERS[name](value)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise RequestError(f"{name} cannot be {value!r:.80}.", _SHAPES[name]) from None
        if name == "threshold":
            self._check_threshold(made)
        elif self._value is not None:
            new = set(_nodes(name, made)) - set(_nodes(name, getattr(self, name)))
            try:
                for node in sorted(new):
                    self._value.index(node)
            except ResultError as missing:
                raise RequestError(missing.message, missing.hint) from None
        return made

    def _thresholds(self) -> Mapping[str, float]:
        return self.thresholds

    def _check_threshold(self, value: Mapping[str, float]) -> None:
        limits = self._thresholds()
        for key, number in value.items():
            if key not in limits:
                known = ", ".join(limits)
                raise RequestError(f"There is no threshold {key!r}.", f"There is {known}.")
            most = limits[key]
            counts = math.isinf(most)
            if not 0 <= number <= most or (counts and number != int(number)):
                hint = "Choose a whole number." if counts else f"Choose from 0 to {most:g}."
                raise RequestError(f"threshold[{key!r}] cannot be {number:g}.", hint)

    def _marked(self, graph: CircuitGraph) -> CircuitGraph:
        """The graph with what is marked of it."""
        groups = [Group(g["label"], _of(graph, g["nodes"])) for g in self.groups]
        marks = Marks(
            _of(graph, self.pinned),
            tuple(group for group in groups if group.nodes),
            {node: self.labels[node] for node in _of(graph, self.labels)},
            tuple(Place(**place) for place in self.places if place["node"] in graph),
            dict(self.threshold),
        )
        return graph if marks == graph.marks else replace(graph, marks=marks)


def _pinned(value: Any) -> list[str]:
    return list(dict.fromkeys(_text(node) for node in _list(value)))


def _groups(value: Any) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = [
        {"label": _text(group["label"]), "nodes": _pinned(group["nodes"])} for group in _list(value)
    ]
    try:
        Marks(groups=tuple(Group(group["label"], tuple(group["nodes"])) for group in groups))
    except ResultError as twice:
        raise RequestError(twice.message, twice.hint) from None
    return groups


def _labels(value: Any) -> dict[str, str]:
    return {_text(node): _text(label) for node, label in value.items()}


def _places(value: Any) -> list[dict[str, Any]]:
    return [
        {"node": _text(place["node"]), "x": _number(place["x"]), "y": _number(place["y"])}
        for place in _list(value)
    ]


def _threshold(value: Any) -> dict[str, float]:
    return {_text(key): _number(number) for key, number in value.items()}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "pinned": _pinned, "groups": _groups, "labels": _labels, "places": _places,
    "threshold": _threshold,
}  # fmt: skip
_SHAPES = {
    "pinned": "Assign a list of names of nodes.",
    "groups": "Assign a list of {'label': text, 'nodes': [name, ...]}.",
    "labels": "Assign {name: text}.",
    "places": "Assign a list of {'node': name, 'x': pixels, 'y': pixels}.",
    "threshold": "Assign {} or numbers by name.",
}


def _of(graph: CircuitGraph, names: Iterable[str]) -> tuple[str, ...]:
    """The names that the graph has."""
    return tuple(name for name in names if name in graph)


def _nodes(name: str, value: Any) -> Iterable[str]:
    """The nodes that a mark names."""
    if name == "groups":
        return [node for group in value for node in group["nodes"]]
    return [place["node"] for place in value] if name == "places" else value


def _list(value: Any) -> Iterable[Any]:
    if isinstance(value, (str, Mapping)):
        raise TypeError
    return tuple(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, (bool, str)) or not math.isfinite(value):
        raise TypeError
    return int(value) if value == int(value) else float(value)
