"""Which paths a path patching map has: senders to receivers, or receivers of senders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from headscope.components import INPUTS, Component, Layout, parse_components
from headscope.errors import RequestError
from headscope.results import Axis

_EMBED, _LOGITS = Component("embed"), Component("logits")
_MOST_NAMED = 6


@dataclass(frozen=True)
class PathCell:
    """One cell of the map: a path, or several at once.

    Args:
        senders: Whose outputs are replaced.
        receivers: Who reads that, of those asked for; none where nobody does.
    """

    senders: tuple[Component, ...]
    receivers: tuple[Component, ...]


@dataclass(frozen=True)
class PathMap:
    """The cells and axes of a map.

    Args:
        title: What it shows.
        rows: The row axis: layers.
        columns: The column axis: components of a layer.
        cells: Every cell, row by row.
    """

    title: str
    rows: Axis
    columns: Axis
    cells: tuple[PathCell, ...]


def path_map(layout: Layout, senders: str, receivers: str) -> PathMap:
    """The map of what is not given.

    Args:
        layout: The model's components.
        senders: Components whose outputs are replaced, together; empty for a map of senders.
        receivers: Components that read them, together; empty for a map of receivers. A head
            without an input stands for its queries, keys and values.

    Raises:
        RequestError: Both are given, or neither; a component is none of the model's, cannot send or
            cannot receive; the logits are not the only receiver.
    """
    if bool(senders) == bool(receivers):
        raise RequestError(
            "Sender and receivers are both given, which leaves no map."
            if senders
            else "Neither sender nor receivers are given.",
            "Pass receivers='logits' for a map of senders, or sender='L0H1' for one of receivers.",
        )
    if receivers:
        return _senders_to(layout, _receivers(layout, parse_components(receivers)))
    return _receivers_of(layout, _senders(layout, parse_components(senders)))


def _senders_to(layout: Layout, receivers: tuple[Component, ...]) -> PathMap:
    parts = [Component("head", 0, head) for head in range(layout.n_heads)]
    cells = []
    for component in _everywhere(layout, parts, _EMBED, at=0):
        sent = () if component is None else (component,)
        read = (r for r in receivers if any(layout.reaches(sender, r) for sender in sent))
        cells.append(PathCell(sent, tuple(read)))
    title = f"senders to {named(receivers)}"
    columns = _columns("sender", layout, parts, _EMBED)
    return PathMap(title, _layers(layout), columns, tuple(cells))


def _receivers_of(layout: Layout, senders: tuple[Component, ...]) -> PathMap:
    shared = layout.n_kv_heads < layout.n_heads
    parts = [
        Component("head", 0, kv_head=index, input=part)
        if shared and part != "q"
        else Component("head", 0, index, input=part)
        for part in INPUTS
        for index in range(layout.n_heads if part == "q" else layout.n_kv_heads)
    ]
    cells = []
    for component in _everywhere(layout, parts, _LOGITS, at=layout.n_layers - 1):
        reads = component is not None and any(layout.reaches(s, component) for s in senders)
        cells.append(PathCell(senders, (component,) if component and reads else ()))
    title = f"receivers of {named(senders)}"
    columns = _columns("receiver", layout, parts, _LOGITS)
    return PathMap(title, _layers(layout), columns, tuple(cells))


def _everywhere(
    layout: Layout, parts: Sequence[Component], end: Component, *, at: int
) -> Iterable[Component | None]:
    """Row by row what stands in each column; `end` is in one layer only."""
    for layer in range(layout.n_layers):
        yield from (replace(part, layer=layer) for part in parts)
        if layout.mlps:
            yield Component("mlp", layer)
        yield end if layer == at else None


def _layers(layout: Layout) -> Axis:
    return Axis("layer", tuple(f"L{i}" for i in range(layout.n_layers)), selects="layer")


def _columns(name: str, layout: Layout, parts: Sequence[Component], end: Component) -> Axis:
    labels = [str(part).removeprefix("L0") for part in parts] + ["MLP"] * layout.mlps + [str(end)]
    heads = [part.head for part in parts]
    heads += [None] * (len(labels) - len(heads))
    names = [str(part).replace("L0", "L{layer}") for part in parts] + ["MLP{layer}"] * layout.mlps
    return Axis(
        name,
        tuple(labels),
        selects="head",
        indices=tuple(heads),
        components=(*names, str(end)),
    )


def _senders(layout: Layout, given: Iterable[Component]) -> tuple[Component, ...]:
    found = tuple(layout.resolve(component) for component in given)
    for component in found:
        if component.input is not None or component.kind == "logits":
            raise RequestError(
                f"{component} sends nothing.", "A sender is an output, such as L0H1, MLP0 or embed."
            )
    return found


def _receivers(layout: Layout, given: Iterable[Component]) -> tuple[Component, ...]:
    found: list[Component] = []
    for component in given:
        if component.kind == "embed":
            raise RequestError(
                "embed receives nothing.", "A receiver reads, such as L1H0.q, MLP1 or logits."
            )
        parts = [component]
        if component.kind == "head" and component.input is None:
            reads = INPUTS if component.kv_head is None else INPUTS[1:]
            parts = [replace(component, input=part) for part in reads]
        found += [layout.resolve(part) for part in parts]
    if _LOGITS in found and len(found) > 1:
        raise RequestError(
            "With the logits among the receivers the others have no effect: all that the logits "
            "are read from is replaced.",
            "Ask for receivers='logits' and for the others apart.",
        )
    return tuple(dict.fromkeys(found))


def named(components: Sequence[Component]) -> str:
    """Components in words: the first few, and how many more."""
    first = ", ".join(map(str, components[:_MOST_NAMED]))
    more = len(components) - _MOST_NAMED
    return f"{first} and {more} more" if more > 0 else first
